/* SPDX-License-Identifier: MIT */
/*
 * core/synchronize.c - wait until no guard holds an object
 *
 * The object is unpublished, so a slot that does not hold it after the heavy
 * fence never will in earnest. Slot by slot, in the order of every scan, and
 * without a lock: who waits here for a sleeping reader delays nobody.
 */
#include "debug.h"
#include "slot.h"

#include <errno.h>

struct wanted {
	const void *const *objects;
	size_t n;
	uint64_t deadline;
	const char *call;
};

static bool holds(const struct wanted *w, uintptr_t value)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (value == (uintptr_t)w->objects[i])
			return true;
	return false;
}

/* Nobody else will ever release it: say so instead of waiting. */
static void check_own(const struct wanted *w, const struct hazptr_record_ *r,
		      uintptr_t value, bool detached)
{
	bool own = r == hazptr_self_.record || r == hazptr_self_.own;

	if (own && !detached && w->deadline == UINT64_MAX)
		hazptr_die_(w->call, (const void *)value,
			    "a guard of the calling thread holds it");
}

static void wait_long(const struct wanted *w, struct hazptr_record_ *r,
		      struct stall *stall)
{
	hazptr_debug_waits_(stall, r, w->objects, w->n, w->call);
}

/* It held one of them: until it holds another object, or none. */
static int wait_slot(const struct wanted *w, struct hazptr_record_ *r, int i,
		     uintptr_t first)
{
	bool marker = hazptr_fence_mode() == HAZPTR_FENCE_MARKER;
	struct hazptr_backoff backoff = { 0 };
	struct stall stall = { 0 };

	/* order ST2: a flag that the owner sets; pairs with ST2 */
	check_own(w, r, first,
		  hazptr_load_(&r->slots[i].value, relaxed) & SLOT_DETACHED);
	while (slot_read(&r->slots[i], marker) == first) {
		wait_long(w, r, &stall);
		if (hazptr_now_() >= w->deadline)
			return -ETIMEDOUT;
		hazptr_backoff_(&backoff, w->deadline);
	}
	return 0;
}

static int wait_slots(const struct wanted *w, struct hazptr_record_ *r,
		      bool marker)
{
	uintptr_t value;
	int error, i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++) {
		value = slot_read(&r->slots[i], marker);
		if (hazptr_likely_(!value) || !holds(w, value))
			continue;
		error = wait_slot(w, r, i, value);
		if (error)
			return error;
	}
	return 0;
}

struct search {
	const struct wanted *wanted;
	const struct hazptr_record_ *record;
	bool found;
};

static void look(struct hazptr_guard *g, void *arg)
{
	struct search *s = arg;
	/* order HP8: uses of what stood there are done; HP6, HP2 */
	uintptr_t value = hazptr_load_(&g->own.value, acquire);

	if (!value || !holds(s->wanted, value))
		return;
	check_own(s->wanted, s->record, value, g->held & DETACHED);
	s->found = true;
}

static bool overflow_holds(const struct wanted *w, struct hazptr_record_ *r)
{
	struct search s = { w, r, false };

	hazptr_overflow_visit_(r, look, &s);
	return s.found;
}

static int wait_overflow(const struct wanted *w, struct hazptr_record_ *r)
{
	struct hazptr_backoff backoff = { 0 };
	struct stall stall = { 0 };

	while (overflow_holds(w, r)) {
		wait_long(w, r, &stall);
		if (hazptr_now_() >= w->deadline)
			return -ETIMEDOUT;
		hazptr_backoff_(&backoff, w->deadline);
	}
	return 0;
}

static int wait_all(const struct wanted *w)
{
	struct record_iterator it;
	struct hazptr_record_ *r;
	bool marker = hazptr_fence_mode() == HAZPTR_FENCE_MARKER;
	int error = 0;

	hazptr_fence_heavy(); /* order HP7: HP3, HP4, HP10, OV3 */
	for (r = hazptr_record_first_(&it); r && !error;
	     r = hazptr_record_next_(&it))
		error = wait_slots(w, r, marker);
	/* order OV4: after the slots, after HP7; pairs with OV1, OV6 */
	if (error || !hazptr_load_(&hazptr_overflows_, acquire))
		return error;
	for (r = hazptr_record_first_(&it); r && !error;
	     r = hazptr_record_next_(&it))
		error = wait_overflow(w, r);
	return error ? error : wait_overflow(w, &hazptr_shared_record_);
}

/* `call` is whom the message names when the caller itself holds it. */
void hazptr_synchronize_for_(const void *object, const char *call)
{
	struct wanted w = { &object, 1, UINT64_MAX, call };

	wait_all(&w);
}

void hazptr_synchronize(const void *object)
{
	hazptr_synchronize_for_(object, "hazptr_synchronize");
}

int hazptr_synchronize_until(const void *object,
			     const struct timespec *deadline)
{
	struct wanted w = { &object, 1, UINT64_MAX,
			    "hazptr_synchronize_until" };

	if (deadline) {
		if (deadline->tv_nsec < 0 || deadline->tv_nsec > 999999999)
			return -EINVAL;
		w.deadline =
			deadline->tv_sec < 0
				? 0
				: (uint64_t)deadline->tv_sec * 1000000000u +
					  (uint64_t)deadline->tv_nsec;
	}
	return wait_all(&w);
}

void hazptr_synchronize_many(const void *const *objects, size_t n)
{
	struct wanted w = { objects, n, UINT64_MAX, "hazptr_synchronize_many" };

	wait_all(&w);
}
