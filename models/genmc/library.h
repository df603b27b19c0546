/* SPDX-License-Identifier: MIT */
/*
 * library.h - what a client of hazptr/guard.h needs of the library
 *
 * Two slots, a registered thread, and slow paths for the one case that these
 * clients reach: the source changed, try again in the same slot.
 */
#ifndef HAZPTR_MODEL_LIBRARY_H
#define HAZPTR_MODEL_LIBRARY_H

#include <hazptr/guard.h>

static struct hazptr_slot slots[2];

__thread struct hazptr_self_ hazptr_self_;

struct hazptr_seen_ hazptr_protect_slow_(struct hazptr_guard *rest,
					 uintptr_t slot,
					 const hazptr_word_ *src,
					 uintptr_t tag_mask)
{
	struct hazptr_seen_ seen = { 0, slot };

	(void)rest;
	assert(slot && !tag_mask);
	seen.word = hazptr_load_(src, relaxed);
	while (seen.word && !hazptr_slot_validate_((struct hazptr_slot *)slot,
						   seen.word, &seen.word, src))
		;
	if (!seen.word) {
		hazptr_slot_release_((struct hazptr_slot *)slot);
		seen.slot = 0;
	}
	return seen;
}

struct hazptr_seen_ hazptr_try_protect_slow_(struct hazptr_guard *rest,
					     uintptr_t slot, uintptr_t expected,
					     const hazptr_word_ *src)
{
	struct hazptr_seen_ seen = { expected, slot };

	(void)rest;
	(void)src;
	assert(0);
	return seen;
}

uintptr_t hazptr_hold_slow_(struct hazptr_guard *rest, uintptr_t slot,
			    uintptr_t object)
{
	(void)rest;
	(void)object;
	assert(0);
	return slot;
}

void hazptr_release_slow_(uintptr_t slot)
{
	(void)slot;
	assert(0);
}

/* The scan, after HP7: does a slot hold the object? In the order of all. */
static inline int scan_finds(const struct object *o)
{
	int i, found = 0;

	for (i = 0; i < 2; i++)
		/* order HP8: uses of what stood there are done; HP6, HP2 */
		found |= hazptr_load_(&slots[i].value, acquire) == (uintptr_t)o;
	return found;
}

static inline void reader_begin(void)
{
	hazptr_self_.slots = slots;
	model_reader_begin();
}

#endif /* HAZPTR_MODEL_LIBRARY_H */
