/* SPDX-License-Identifier: MIT */
/*
 * core/guard.c - what the inline paths of hazptr/guard.h leave over
 *
 * The first use in a thread, the third and further guards, the modes without
 * membarrier, guards whose embedded slot serves. Such a guard has its place
 * in `held`: a slot, or a record with OVERFLOWED. In membarrier mode a slot
 * goes to `slot`, and the inline paths have the guard from then on.
 */
#include "slot.h"

static struct hazptr_record_ *current_record(void)
{
	struct hazptr_record_ *r = hazptr_self_.record;

	if (!r)
		r = hazptr_self_register_();
	return r ? r : &hazptr_shared_record_;
}

static struct hazptr_slot *free_slot(struct hazptr_record_ *r)
{
	int i;

	if (!r->slots)
		return NULL;
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		if (slot_is_free(&r->slots[i]))
			return &r->slots[i];
	return NULL;
}

/* The guard has no place: find one, with the object in it at once. */
static void publish_new(struct hazptr_guard *g, uintptr_t object)
{
	struct hazptr_record_ *r = current_record();
	struct hazptr_slot *slot = free_slot(r);

	if (!slot) {
		g->own.value = object;
		hazptr_overflow_link_(r, g);
		return;
	}
	slot_publish(slot, object);
	if (hazptr_fence_mode() == HAZPTR_FENCE_MEMBARRIER)
		g->slot = slot;
	else
		g->held = (uintptr_t)slot;
}

static void publish(struct hazptr_guard *g, uintptr_t object)
{
	if (g->slot) {
		slot_publish(g->slot, object);
	} else if (g->held & OVERFLOWED) {
		/* order HP2: after all uses of what stood there; HP8 */
		hazptr_store_(&g->own.value, object, release);
		hazptr_fence_(seq_cst); /* order OV3: HP7 */
	} else if (g->held) {
		slot_publish((struct hazptr_slot *)g->held, object);
	} else {
		publish_new(g, object);
	}
}

uintptr_t hazptr_protect_slow_(struct hazptr_guard *g, const hazptr_word_ *src,
			       uintptr_t tag_mask)
{
	uintptr_t word = hazptr_load_(src, relaxed); /* order HP5: HP4 */
	uintptr_t seen;

	do {
		seen = word;
		if (!(word & ~tag_mask)) {
			hazptr_release(g);
			return word;
		}
		publish(g, word & ~tag_mask);
		word = slot_look_again(src);
	} while (word != seen);
	return word;
}

bool hazptr_try_protect_slow_(struct hazptr_guard *g, uintptr_t *ptr,
			      const hazptr_word_ *src)
{
	uintptr_t expected = *ptr;

	if (expected)
		publish(g, expected);
	*ptr = slot_look_again(src);
	if (!expected || *ptr != expected)
		hazptr_release(g);
	return *ptr == expected;
}

void hazptr_hold_slow_(struct hazptr_guard *g, uintptr_t object)
{
	if (object)
		publish(g, object);
	else
		hazptr_release(g);
}

void hazptr_release_slow_(struct hazptr_guard *g)
{
	if (g->held & OVERFLOWED) {
		hazptr_overflow_unlink_(g);
		return;
	}
	slot_clear_to((struct hazptr_slot *)g->held, 0);
	g->held = 0;
}

/* The record whose slot it is; the thread's own first. */
static struct hazptr_record_ *record_of(const struct hazptr_slot *slot)
{
	struct hazptr_record_ *r = hazptr_self_.record;
	struct record_iterator it;

	if (!r || slot < r->slots || slot >= r->slots + HAZPTR_CONTEXT_SLOTS)
		for (r = hazptr_record_first_(&it); r;
		     r = hazptr_record_next_(&it))
			if (slot >= r->slots &&
			    slot < r->slots + HAZPTR_CONTEXT_SLOTS)
				break;
	if (!r)
		hazptr_die_("hazptr_detach", slot, "not a slot of any context");
	return r;
}

/* Bits of slots that were released since are cleared on the way. */
static void mark_detached(struct hazptr_slot *slot)
{
	struct hazptr_record_ *r = record_of(slot);
	uint32_t kept = 0;
	int i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		if (!slot_is_free(&r->slots[i]))
			kept |= 1u << i;
	r->detached = (r->detached & kept) | 1u << (slot - r->slots);
}

void hazptr_detach(struct hazptr_guard *g)
{
	if (g->slot)
		mark_detached(g->slot);
	else if (g->held & OVERFLOWED)
		g->held |= DETACHED;
	else if (g->held)
		mark_detached((struct hazptr_slot *)g->held);
}
