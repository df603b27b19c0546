/* SPDX-License-Identifier: MIT */
/*
 * ref/thread_shared.c - thread-shared pointers, what the inline paths leave
 *
 * The first use in a thread, the second and further slots of a processor, all
 * slots taken, threads without restartable sequences, a holder whose slot a
 * promoter has asked about.
 */
#include "refs.h"

#include <string.h>

uint64_t hazptr_promoted_by_scan_;
uint64_t hazptr_promoted_by_age_;
uint64_t hazptr_promoted_by_exit_;

/* Its thread's own figure; others read it. */
static void count(uint64_t *figure)
{
	/* order ST3: one writer; pairs with ST3 */
	hazptr_store_(figure, *figure + 1, relaxed);
}

static struct hazptr_taken_ counted(struct hazptr_shared_node *node)
{
	struct hazptr_taken_ taken = { node, HAZPTR_COUNTED_ };

	if (node && hazptr_ref_self_.counters)
		count(&hazptr_ref_self_.counters->fallen_back);
	return taken;
}

static struct hazptr_ref_slot_ *slot_of(uintptr_t place)
{
	return (struct hazptr_ref_slot_ *)(place & ~HAZPTR_SLOW_);
}

/* Whether the reference is a counted one by now; the slot is empty. */
static bool was_promoted(struct hazptr_ref_slot_ *slot, uintptr_t holder)
{
	/* order TS9: what the promoter did; pairs with TS8 */
	uintptr_t request = hazptr_load_(&slot->request, acquire);

	/* Else it is nothing, or about who has the slot now. */
	while ((request & ~REQUEST_MASK) == holder) {
		uintptr_t after = 0;

		if ((request & REQUEST_MASK) == MOVED)
			after = RETURNED;
		/* order TS9: uses before, and the promoter's; TS8, TS1 */
		if (!hazptr_cas_(&slot->request, &request, after, acq_rel,
				 acquire))
			continue;
		if (after)
			hazptr_ref_slot_give_back_(slot);
		request &= REQUEST_MASK;
		return request == PROMOTED || request == LEFT || after;
	}
	return false;
}

/* Empty a slot that the library's paths have taken. */
static void give_back(struct hazptr_shared_node *node, uintptr_t place,
		      uintptr_t holder)
{
	/* order TS5: uses before the slot is seen free; TS1, TS7 */
	hazptr_store_(&slot_of(place)->node, 0, release);
	hazptr_fence_light(); /* order TS6: TS8 */
	HAZPTR_TEST_POINT("thread_shared:dropping");
	if (was_promoted(slot_of(place), holder))
		hazptr_node_put_async_(node);
}

/* A slot of a processor is empty already, and may be somebody else's. */
void hazptr_thread_shared_drop_slow_(struct hazptr_shared_node *node,
				     uintptr_t place, uintptr_t holder)
{
	if (place == HAZPTR_COUNTED_) {
		hazptr_node_put_async_(node);
	} else if (place & HAZPTR_SLOW_) {
		give_back(node, place, holder);
	} else {
		HAZPTR_TEST_POINT("thread_shared:dropping");
		if (was_promoted(slot_of(place), holder))
			hazptr_node_put_async_(node);
	}
}

struct hazptr_taken_
hazptr_thread_shared_load_slow_(const struct hazptr_sync_shared *ssp)
{
	const hazptr_word_ *src =
		(const hazptr_word_ *)(const void *)&ssp->node;
	struct hazptr_taken_ taken = { NULL, 0 };
	uintptr_t word, seen;

	for (;;) {
		/* order TS2: a guess that TS4 decides; pairs with TS4 */
		word = hazptr_load_(src, relaxed);
		if (!word)
			return (struct hazptr_taken_){ NULL, 0 };
		taken.node = (struct hazptr_shared_node *)word;
		taken.slot = hazptr_ref_slot_take_(word | HAZPTR_TENTATIVE_);
		if (!taken.slot)
			return counted(hazptr_sync_shared_load(ssp).node);
		HAZPTR_TEST_POINT("thread_shared:claimed");
		hazptr_fence_light(); /* order TS3: HP7 */
		/* order TS4: the node as it was stored; pairs with HP7 */
		seen = hazptr_load_(src, acquire);
		if (hazptr_likely_(seen == word))
			break;
		give_back(taken.node, taken.slot, hazptr_ref_self_.record);
	}
	/* order TS10: it is alive; pairs with TS7 */
	hazptr_store_(&slot_of(taken.slot)->node, word, release);
	count(&hazptr_ref_self_.counters->taken);
	return taken;
}

struct hazptr_taken_
hazptr_thread_shared_borrow_slow_(struct hazptr_shared_node *node)
{
	struct hazptr_taken_ taken = { node, 0 };

	taken.slot = hazptr_ref_slot_take_((uintptr_t)node);
	if (!taken.slot) {
		hazptr_node_hold_(node);
		return counted(node);
	}
	count(&hazptr_ref_self_.counters->taken);
	return taken;
}

struct hazptr_shared
hazptr_thread_shared_to_shared(struct hazptr_thread_shared *ts)
{
	struct hazptr_shared sp = { ts->node };

	if (!ts->node)
		return sp;
	hazptr_node_hold_(ts->node);
	if (hazptr_ref_self_.counters)
		count(&hazptr_ref_self_.counters->requested);
	return sp;
}

static void add_threads(struct hazptr_promotion_stats *s)
{
	struct record_iterator it;
	struct hazptr_record_ *r;

	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it)) {
		/* order ST3: figures; pairs with ST3 */
		s->taken += hazptr_load_(&r->references.taken, relaxed);
		s->fallen_back +=
			hazptr_load_(&r->references.fallen_back, relaxed);
		s->promoted_by_request +=
			hazptr_load_(&r->references.requested, relaxed);
	}
}

void hazptr_thread_shared_stats(struct hazptr_promotion_stats *out)
{
	struct hazptr_promotion_stats s = { .size = out->size };
	struct hazptr_lock *lock = &hazptr_default_domain_.scan_lock;
	struct hazptr_ref_slot_ *slot;
	struct slot_iterator it;

	add_threads(&s);
	hazptr_lock_(lock);
	for (slot = hazptr_ref_slot_first_(&it); slot;
	     slot = hazptr_ref_slot_next_(&it))
		s.slots++;
	s.promoted_by_scan = hazptr_promoted_by_scan_;
	s.promoted_by_age = hazptr_promoted_by_age_;
	s.promoted_by_exit = hazptr_promoted_by_exit_;
	hazptr_unlock_(lock);
	memcpy(out, &s, out->size < sizeof(s) ? out->size : sizeof(s));
}
