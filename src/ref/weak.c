/* SPDX-License-Identifier: MIT */
/*
 * ref/weak.c - weak pointers
 *
 * The node itself counts them. The put that takes the last reference and the
 * drop of the last weak pointer change the same word, so exactly one of the
 * two finds that it was the last of all.
 */
#include "refs.h"

static struct hazptr_weak one_more(struct hazptr_shared_node *node)
{
	struct hazptr_weak w = { node };
	uint64_t old;

	if (!node)
		return w;
	/* order WK1: the caller's pointer orders; pairs with WK2 */
	old = hazptr_fetch_add_(&node->counts, ONE_WEAK, relaxed);
	if (hazptr_unlikely_(weak_pointers(old) >= WEAK_TOO_MANY))
		/* order WK1: as it was; drops leave it; pairs with WK2 */
		hazptr_fetch_sub_(&node->counts, ONE_WEAK, relaxed);
	return w;
}

struct hazptr_weak hazptr_weak_create(struct hazptr_shared sp)
{
	return one_more(sp.node);
}

struct hazptr_weak hazptr_weak_copy(struct hazptr_weak w)
{
	return one_more(w.node);
}

/* The one that waits for a scan is no reference any more. */
static bool is_gone(uint64_t counts)
{
	if (!references(counts) || (counts & DEAD))
		return true;
	return references(counts) == 1 && (counts & RETIRED) &&
	       !(counts & COUNT_FIRST);
}

struct hazptr_shared hazptr_weak_lock(struct hazptr_weak w)
{
	struct hazptr_shared sp = { w.node };
	uint64_t old;

	if (!w.node)
		return sp;
	/* order SP2: a guess that the exchange checks; pairs with SP2 */
	old = hazptr_load_(&w.node->counts, relaxed);
	do {
		if (is_gone(old)) {
			sp.node = NULL;
			return sp;
		}
		if (old & TOO_MANY)
			return sp;
		/* order WK3: what a holder did before; pairs with SP2, SP4 */
	} while (
		!hazptr_cas_(&w.node->counts, &old, old + 1, acquire, relaxed));
	return sp;
}

bool hazptr_weak_put_(struct hazptr_shared_node *node)
{
	/* order WK2: uses before the end, the end after the others'; WK2 */
	uint64_t old = hazptr_load_(&node->counts, relaxed);

	do {
		if (!weak_pointers(old))
			hazptr_die_("hazptr_weak_drop", node,
				    "no weak pointer was left");
		if (weak_pointers(old) >= WEAK_TOO_MANY)
			return false;
		/* order WK2: uses before, the others' after; pairs with WK2 */
	} while (!hazptr_cas_(&node->counts, &old, old - ONE_WEAK, acq_rel,
			      relaxed));
	return weak_pointers(old) == 1 && !references(old) && !(old & EXPIRES);
}

void hazptr_weak_drop(struct hazptr_weak *w)
{
	struct hazptr_shared_node *node = w->node;

	w->node = NULL;
	if (node && hazptr_weak_put_(node))
		hazptr_node_finish_(node);
}
