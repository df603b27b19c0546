/* SPDX-License-Identifier: MIT */
/* ref/shared.c - shared pointers and sync pointers; node.c has the protocol */
#include "refs.h"

static struct hazptr_shared create(struct hazptr_shared_node *node,
				   hazptr_release_fn release, uint64_t flags)
{
	struct hazptr_shared sp = { node };

	if (!node)
		return sp;
	if ((uintptr_t)node & 7)
		hazptr_die_("hazptr_shared_create", node,
			    "an address is a multiple of 8");
	hazptr_refs_start_();
	node->next = NULL;
	node->release = release ? release : hazptr_node_free_;
	hazptr_store_(&node->counts, 1 | flags, relaxed); /* private: new */
	return sp;
}

struct hazptr_shared hazptr_shared_create(struct hazptr_shared_node *node,
					  hazptr_release_fn release)
{
	return create(node, release, 0);
}

struct hazptr_shared
hazptr_shared_create_count_first(struct hazptr_shared_node *node,
				 hazptr_release_fn release)
{
	return create(node, release, COUNT_FIRST);
}

struct hazptr_shared hazptr_shared_create_weak(struct hazptr_weak_node *node,
					       hazptr_release_fn expire,
					       hazptr_release_fn release)
{
	if (node)
		node->expire = expire;
	return create(node ? &node->node : NULL, release, expire ? EXPIRES : 0);
}

void hazptr_shared_put_slow_(struct hazptr_shared_node *node)
{
	hazptr_node_put_(node, "hazptr_shared_drop");
}

void hazptr_shared_drop_sync(struct hazptr_shared *sp)
{
	struct hazptr_shared_node *node = sp->node;

	sp->node = NULL;
	if (node)
		hazptr_node_put_sync_(node, "hazptr_shared_drop_sync");
}

/* While nobody else can have it, without an atomic read-modify-write. */
void hazptr_shared_publish_slow_(struct hazptr_shared_node *node)
{
	/* order SP3: after others' drops, whose releases end here; SP2, SP3 */
	uint64_t old = hazptr_load_(&node->counts, acquire);

	if (references(old) == 1 && !weak_pointers(old))
		/* private: the only reference is the caller's */
		hazptr_store_(&node->counts, old | VISIBLE, relaxed);
	else
		/* order SP3: set before the node can be seen; SP3 */
		hazptr_fetch_or_(&node->counts, VISIBLE, relaxed);
}

/* The count is no ordinary one: too many, or a node of the other scheme. */
struct hazptr_shared_node *
hazptr_sync_shared_load_slow_(const struct hazptr_sync_shared *ssp)
{
	struct hazptr_shared_node *node;
	HAZPTR_GUARD(guard);
	uint64_t old;

	for (;;) {
		node = hazptr_protect(&guard, &ssp->node);
		if (!node)
			return NULL;
		/* order SP1: before the guard is released; pairs with SP6 */
		old = hazptr_load_(&node->counts, relaxed);
		do {
			if (!references(old) || (old & DEAD))
				break; /* and *ssp leads elsewhere by now */
			if (old & TOO_MANY) {
				hazptr_shared_get_slow_(node, old, "");
				return node;
			}
			/* order SP1: before the guard is released; SP6 */
		} while (!hazptr_cas_(&node->counts, &old, old + 1, relaxed,
				      relaxed));
		if (references(old) && !(old & DEAD))
			return node;
	}
}

static struct hazptr_shared_node *swap(struct hazptr_sync_shared *ssp,
				       struct hazptr_shared_node *node)
{
	if (node)
		hazptr_shared_publish_(node);
	/* order SP8: the node as it is, and as the other was; TS4, HP4 */
	return hazptr_exchange_(&ssp->node, node, acq_rel);
}

/* What the sync pointer had. */
static void put(struct hazptr_shared_node *node, const char *call)
{
	uint64_t old = 1 | VISIBLE;

	if (!node)
		return;
	/* order SP4: as any put; most often it is the last; SP5, SP6 */
	if (hazptr_cas_(&node->counts, &old, old | RETIRED, acq_rel, relaxed)) {
		HAZPTR_TEST_POINT("shared:put");
		hazptr_node_queue_(node);
	} else if (!hazptr_shared_put_fast_(node)) {
		hazptr_node_put_(node, call);
	}
}

struct hazptr_shared hazptr_sync_shared_exchange(struct hazptr_sync_shared *ssp,
						 struct hazptr_shared *desired)
{
	struct hazptr_shared sp = { swap(ssp, desired->node) };

	desired->node = NULL;
	return sp;
}

void hazptr_sync_shared_store(struct hazptr_sync_shared *dst,
			      struct hazptr_shared *src)
{
	struct hazptr_shared_node *node = src->node;

	src->node = NULL;
	put(swap(dst, node), "hazptr_sync_shared_store");
}

void hazptr_sync_shared_store_copy(struct hazptr_sync_shared *dst,
				   struct hazptr_shared src)
{
	put(swap(dst, hazptr_shared_copy(src).node),
	    "hazptr_sync_shared_store_copy");
}

bool hazptr_sync_shared_compare_exchange(struct hazptr_sync_shared *ssp,
					 struct hazptr_shared expected,
					 struct hazptr_shared *desired)
{
	struct hazptr_shared_node *seen = expected.node;

	if (desired->node)
		hazptr_shared_publish_(desired->node);
	/* order SP8: the node as it is; the caller has the other; TS4, HP4 */
	if (!hazptr_cas_(&ssp->node, &seen, desired->node, acq_rel, relaxed))
		return false;
	desired->node = NULL;
	put(expected.node, "hazptr_sync_shared_compare_exchange");
	return true;
}

void hazptr_sync_shared_drop(struct hazptr_sync_shared *ssp)
{
	put(swap(ssp, NULL), "hazptr_sync_shared_drop");
}

void hazptr_sync_shared_drop_sync(struct hazptr_sync_shared *ssp)
{
	struct hazptr_shared_node *node = swap(ssp, NULL);

	if (node)
		hazptr_node_put_sync_(node, "hazptr_sync_shared_drop_sync");
}
