/* SPDX-License-Identifier: MIT */
/*
 * core/slot.h - a slot in every fence mode
 *
 * The inline paths of hazptr/guard.h are the membarrier mode. Here are all
 * three, for the slow paths and for scans.
 *
 * marker mode: bit 0 of a slot is the scanner's. All changes of a slot are
 * read-modify-writes, hence totally ordered: either the scanner's comes later
 * and reads the object, or the reader's comes later, acquires what the scanner
 * released, and its second look at the source sees the object gone.
 * Source: Jann Horn, in the review of the first kernel patches, 2024; the
 * re-check and the undo are corrected here.
 */
#ifndef HAZPTR_SLOT_H
#define HAZPTR_SLOT_H

#include "core.h"

/*
 * What else a slot's word says, in bits that no object's address has: a scan
 * is at it (marker mode), and its guard may be released by any thread. An idle
 * slot, allocated and protecting nothing, is a detached guard of no object.
 */
#define MARKER ((uintptr_t)1)
#define SLOT_DETACHED ((uintptr_t)2)
#define SLOT_FLAGS (MARKER | SLOT_DETACHED)

static inline bool slot_is_free(const struct hazptr_slot *s)
{
	/* order HP1: the last user's accesses are done; pairs with HP6 */
	return !(hazptr_load_(&s->value, acquire) & ~MARKER);
}

/* The owner's: publish an object where another, or none, stood. */
static inline void slot_publish(struct hazptr_slot *s, uintptr_t object)
{
	uintptr_t old;

	switch (hazptr_fence_mode()) {
	case HAZPTR_FENCE_MEMBARRIER:
		/* order HP2: after all uses of what stood there; HP8 */
		hazptr_store_(&s->value, object, release);
		hazptr_compiler_fence_(); /* order HP3: HP7 */
		break;
	case HAZPTR_FENCE_FULL:
		/* order HP9: before the second look, HP10; pairs with HP7 */
		hazptr_store_(&s->value, object, seq_cst);
		break;
	case HAZPTR_FENCE_MARKER:
		/* order MK1: what a scanner released before; MK4, HP8 */
		old = hazptr_load_(&s->value, relaxed) & ~MARKER;
		old = hazptr_fetch_xor_(&s->value, old ^ object, acq_rel);
		if (old & MARKER)
			hazptr_fence_(seq_cst); /* order MK2: MK4 */
		break;
	}
}

/* The second look at the source. */
static inline uintptr_t slot_look_again(const hazptr_word_ *src)
{
	/* order HP10: as HP4, and after HP9; pairs with HP7 */
	return hazptr_load_(src, seq_cst);
}

/* Make it read 0, or HAZPTR_SLOT_IDLE_. */
static inline void slot_clear_to(struct hazptr_slot *s, uintptr_t empty)
{
	uintptr_t old;

	if (hazptr_fence_mode() != HAZPTR_FENCE_MARKER) {
		/* order HP6: all uses before the slot is seen free; HP8 */
		hazptr_store_(&s->value, empty, release);
		return;
	}
	/* order MK3: as HP6, and the marker stays; pairs with MK4 */
	old = hazptr_load_(&s->value, relaxed) & ~MARKER;
	hazptr_fetch_xor_(&s->value, old ^ empty, release);
}

/* A scan's: what the slot protects; 0 for nothing. After the heavy fence. */
static inline uintptr_t slot_read(struct hazptr_slot *s, bool marker)
{
	uintptr_t value;

	if (hazptr_likely_(!marker)) {
		/* order HP8: uses of what stood there are done; HP6, HP2 */
		value = hazptr_load_(&s->value, acquire);
	} else {
		/* order MK4: the unlink before, uses done; MK1, MK3 */
		value = hazptr_fetch_or_(&s->value, MARKER, acq_rel);
		/* order MK5: keeps the order of changes total; MK1 */
		hazptr_fetch_and_(&s->value, ~MARKER, release);
	}
	return value & ~SLOT_FLAGS;
}

#endif /* HAZPTR_SLOT_H */
