/* SPDX-License-Identifier: MIT */
/*
 * core/guard.c - what the inline paths of hazptr/guard.h leave over
 *
 * The first use in a thread, the third and further guards, the modes without
 * membarrier, guards whose embedded slot serves. Such a guard has its place
 * in `held`: a slot, or a record with OVERFLOWED. In membarrier mode a slot
 * goes to `slot`, and the inline paths have the guard from then on.
 */
#include "debug.h"
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
static uintptr_t publish_new(struct hazptr_guard *rest, uintptr_t object)
{
	struct hazptr_record_ *r = current_record();
	struct hazptr_slot *slot = free_slot(r);

	if (!slot) {
		rest->own.value = object;
		hazptr_overflow_link_(r, rest);
		return (uintptr_t)rest | HAZPTR_ELSEWHERE_;
	}
	slot_publish(slot, object);
	if (hazptr_fence_mode() == HAZPTR_FENCE_MEMBARRIER)
		return (uintptr_t)slot;
	rest->held = (uintptr_t)slot;
	return (uintptr_t)rest | HAZPTR_ELSEWHERE_;
}

/* The guard's new slot field. */
static uintptr_t publish(struct hazptr_guard *rest, uintptr_t slot,
			 uintptr_t object)
{
	struct hazptr_guard *far = hazptr_rest_of_(slot);

	if (!slot)
		return publish_new(rest, object);
	if (!far) {
		slot_publish((struct hazptr_slot *)slot, object);
	} else if (far->held & OVERFLOWED) {
		/* order HP2: after all uses of what stood there; HP8 */
		hazptr_store_(&far->own.value, object, release);
		hazptr_fence_(seq_cst); /* order OV3: HP7 */
	} else {
		slot_publish((struct hazptr_slot *)far->held, object);
	}
	return slot;
}

static void clear(uintptr_t slot)
{
	struct hazptr_guard *rest = hazptr_rest_of_(slot);

	if (rest && (rest->held & OVERFLOWED))
		hazptr_overflow_unlink_(rest);
	else if (slot)
		slot_clear_to((struct hazptr_slot *)(rest ? rest->held : slot),
			      0);
}

void hazptr_release_slow_(uintptr_t slot)
{
	if (hazptr_debug_is_on_())
		hazptr_debug_check_owner_(slot, "hazptr_release");
	clear(slot);
}

struct hazptr_seen_ hazptr_protect_slow_(struct hazptr_guard *rest,
					 uintptr_t slot,
					 const hazptr_word_ *src,
					 uintptr_t tag_mask)
{
	struct hazptr_seen_ seen = { 0, slot };
	uintptr_t word = hazptr_load_(src, relaxed); /* order HP5: HP4 */

	do {
		seen.word = word;
		if (!(word & ~tag_mask)) {
			clear(seen.slot);
			seen.slot = 0;
			return seen;
		}
		seen.slot = publish(rest, seen.slot, word & ~tag_mask);
		word = slot_look_again(src);
	} while (word != seen.word);
	return seen;
}

struct hazptr_seen_ hazptr_try_protect_slow_(struct hazptr_guard *rest,
					     uintptr_t slot, uintptr_t expected,
					     const hazptr_word_ *src)
{
	struct hazptr_seen_ seen = { 0, slot };

	if (expected)
		seen.slot = publish(rest, slot, expected);
	seen.word = slot_look_again(src);
	if (!expected || seen.word != expected) {
		clear(seen.slot);
		seen.slot = 0;
	}
	return seen;
}

uintptr_t hazptr_hold_slow_(struct hazptr_guard *rest, uintptr_t slot,
			    uintptr_t object)
{
	if (object)
		return publish(rest, slot, object);
	clear(slot);
	return 0;
}

/* Any thread's release makes the flag vanish with the object. */
static void detach_slot(struct hazptr_slot *slot)
{
	/* order ST2: the owner reads its own; pairs with ST2 */
	slot_publish(slot, (hazptr_load_(&slot->value, relaxed) & ~MARKER) |
				   SLOT_DETACHED);
}

void hazptr_detach(struct hazptr_guard *g)
{
	struct hazptr_guard *rest = hazptr_rest_of_(g->slot);

	if (!g->slot)
		return;
	hazptr_debug_detached_(g->slot);
	if (rest && (rest->held & OVERFLOWED))
		hazptr_overflow_detach_(rest);
	else
		detach_slot(
			(struct hazptr_slot *)(rest ? rest->held : g->slot));
}
