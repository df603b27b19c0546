/* SPDX-License-Identifier: MIT */
/*
 * core/overflow.c - guards beyond the eighth
 *
 * When no slot of the context is free, the guard's own embedded slot serves:
 * the guard is linked into its record's overflow list, which a scan visits
 * after all thread slots. The list is changed and walked under the record's
 * lock, so that a guard can vanish from its stack right after its release.
 *
 * Everybody who takes such a lock blocks all signals first. A handler may need
 * the lock of its own thread's record; were it to interrupt a holder, be it
 * the owner or a scanner on the same thread, it would wait for ever.
 *
 * A list keeps its contents when guards are swapped: what is in the list of
 * one record never moves to a place that a scan has visited already.
 */
#include "debug.h"
#include "slot.h"

/* How many guards are linked, of all records: most scans read a zero here. */
uint32_t hazptr_overflows_;

struct hazptr_record_ *hazptr_overflow_record_(const struct hazptr_guard *g)
{
	return (struct hazptr_record_ *)(g->held & ~(OVERFLOWED | DETACHED));
}

static void list_lock(struct hazptr_record_ *r, sigset_t *before)
{
	hazptr_signals_block_(before);
	hazptr_lock_(&r->overflow_lock);
}

static void list_unlock(struct hazptr_record_ *r, const sigset_t *before)
{
	hazptr_unlock_(&r->overflow_lock);
	hazptr_signals_restore_(before);
}

/* Where a list points to g. Guards come and go last in, first out. */
static struct hazptr_guard **find(struct hazptr_record_ *r,
				  const struct hazptr_guard *g)
{
	struct hazptr_guard **link = &r->overflow;

	if (g->held & DETACHED)
		link = &r->overflow_detached;
	while (*link && *link != g)
		link = &(*link)->next;
	if (!*link)
		hazptr_die_("hazptr_release", g,
			    "the guard was moved, or released twice at once");
	return link;
}

/* One store changes a list: the child of a fork finds it whole. */
static void relink(struct hazptr_guard **link, struct hazptr_guard *g)
{
	/* order OV2: the guard is whole, or its uses are done; OV5 */
	hazptr_store_(link, g, release);
}

/*
 * g->own holds the object already. The caller looks at its source again after
 * this: count, list and slot come before that look, as HP2 before HP4.
 */
void hazptr_overflow_link_(struct hazptr_record_ *r, struct hazptr_guard *g)
{
	sigset_t before;

	HAZPTR_TEST_POINT("overflow:link");
	list_lock(r, &before);
	/* order OV1: before the second look; pairs with OV4 */
	hazptr_fetch_add_(&hazptr_overflows_, 1, seq_cst);
	g->held = (uintptr_t)r | OVERFLOWED;
	g->next = r->overflow;
	relink(&r->overflow, g);
	r->overflow_n++;
	list_unlock(r, &before);
	hazptr_fence_(seq_cst); /* order OV3: before the second look; HP7 */
	HAZPTR_TEST_POINT("overflow:linked");
}

static void forget(uint32_t n)
{
	/* order OV6: uses are done when a scan skips the lists; OV4 */
	hazptr_fetch_sub_(&hazptr_overflows_, n, release);
}

void hazptr_overflow_unlink_(struct hazptr_guard *g)
{
	struct hazptr_record_ *r = hazptr_overflow_record_(g);
	sigset_t before;

	if (hazptr_notes_are_used_())
		hazptr_note_drop_(&hazptr_notes_held_, (uintptr_t)&g->own);
	list_lock(r, &before);
	relink(find(r, g), g->next);
	if (!(g->held & DETACHED))
		r->overflow_n--;
	forget(1);
	list_unlock(r, &before);
}

/*
 * From the first list into the second, in the order of every walk: whoever
 * finds both heads NULL, without the lock, has missed nobody.
 */
void hazptr_overflow_detach_(struct hazptr_guard *g)
{
	struct hazptr_record_ *r = hazptr_overflow_record_(g);
	struct hazptr_guard **link, *next;
	sigset_t before;

	if (g->held & DETACHED)
		return;
	list_lock(r, &before);
	link = find(r, g);
	next = g->next;
	g->next = r->overflow_detached;
	relink(&r->overflow_detached, g);
	relink(link, next);
	r->overflow_n--;
	g->held |= DETACHED;
	list_unlock(r, &before);
}

/*
 * The owner ends. Its guards were on its stack, which is in use by others
 * now: they are not looked at again.
 */
void hazptr_overflow_abandon_(struct hazptr_record_ *r)
{
	sigset_t before;
	uint32_t n;

	list_lock(r, &before);
	n = r->overflow_n;
	if (n) {
		relink(&r->overflow, NULL);
		forget(n);
		r->overflow_n = 0;
	}
	list_unlock(r, &before);
	hazptr_debug_left_embedded_(r, n);
}

/* A context goes, and everything that it protects. */
void hazptr_overflow_drop_(struct hazptr_record_ *r)
{
	struct hazptr_guard *g;
	sigset_t before;

	list_lock(r, &before);
	for (g = r->overflow_detached; g; g = g->next)
		forget(1);
	relink(&r->overflow_detached, NULL);
	forget(r->overflow_n);
	relink(&r->overflow, NULL);
	r->overflow_n = 0;
	list_unlock(r, &before);
}

/* All guards of a record at one moment; visit must not block. */
void hazptr_overflow_visit_(struct hazptr_record_ *r,
			    void (*visit)(struct hazptr_guard *g, void *arg),
			    void *arg)
{
	struct hazptr_guard *g;
	sigset_t before;

	/* order OV7: the last guards' uses are done, and in the order in which
	 * detach moves a guard; pairs with OV2 */
	if (!hazptr_load_(&r->overflow, acquire) &&
	    !hazptr_load_(&r->overflow_detached, acquire))
		return;
	list_lock(r, &before);
	for (g = r->overflow; g; g = g->next)
		visit(g, arg);
	for (g = r->overflow_detached; g; g = g->next)
		visit(g, arg);
	list_unlock(r, &before);
}

/* b, which is linked, gives its place in the list to a, which is not. */
static void replace(struct hazptr_guard *b, struct hazptr_guard *a)
{
	struct hazptr_record_ *r = hazptr_overflow_record_(b);
	sigset_t before;

	list_lock(r, &before);
	a->own = b->own;
	a->next = b->next;
	relink(find(r, b), a);
	a->held = b->held;
	list_unlock(r, &before);
}

/* Both are linked, in two lists: each list keeps its contents. */
static void exchange_lists(struct hazptr_guard *a, struct hazptr_guard *b)
{
	struct hazptr_guard stand_in = HAZPTR_GUARD_INIT;

	/* One place at a time, so that no list ever lacks its object. */
	replace(a, &stand_in);
	replace(b, a);
	replace(&stand_in, b);
}

static void exchange_contents(struct hazptr_guard *a, struct hazptr_guard *b)
{
	struct hazptr_record_ *r = hazptr_overflow_record_(a);
	struct hazptr_slot own;
	sigset_t before;

	list_lock(r, &before);
	own = a->own;
	a->own = b->own;
	b->own = own;
	list_unlock(r, &before);
}

static bool is_overflowed(uintptr_t slot)
{
	const struct hazptr_guard *rest = hazptr_rest_of_(slot);

	return rest && (rest->held & OVERFLOWED);
}

static void swap_rests(struct hazptr_guard *a, bool a_linked,
		       struct hazptr_guard *b, bool b_linked)
{
	uintptr_t held = a->held;

	if (a_linked && b_linked) {
		if (hazptr_overflow_record_(a) == hazptr_overflow_record_(b))
			exchange_contents(a, b);
		else
			exchange_lists(a, b);
	} else if (a_linked) {
		held = b->held;
		replace(a, b);
		a->held = held;
	} else if (b_linked) {
		replace(b, a);
		b->held = held;
	} else {
		a->held = b->held;
		b->held = held;
	}
}

/* What the other guard has in `slot`, said of this one's rest. */
static uintptr_t as_of(uintptr_t slot, struct hazptr_guard *rest)
{
	return slot & HAZPTR_ELSEWHERE_ ? (uintptr_t)rest | HAZPTR_ELSEWHERE_
					: slot;
}

void hazptr_swap(struct hazptr_guard *a, struct hazptr_guard *b)
{
	struct hazptr_guard *rest_a = a->rest ? a->rest : a;
	struct hazptr_guard *rest_b = b->rest ? b->rest : b;
	uintptr_t slot_a = a->slot, slot_b = b->slot;

	if (a == b)
		return;
	swap_rests(rest_a, is_overflowed(slot_a), rest_b,
		   is_overflowed(slot_b));
	a->slot = as_of(slot_b, rest_a);
	b->slot = as_of(slot_a, rest_b);
	hazptr_debug_swapped_(rest_a, rest_b);
}

static void count(struct hazptr_guard *g, void *n)
{
	(void)g;
	++*(uint32_t *)n;
}

/* In the child of a fork: count again what is left. */
void hazptr_overflow_reset_(void)
{
	struct record_iterator it;
	struct hazptr_record_ *r;
	uint32_t n = 0;

	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it)) {
		hazptr_lock_reset_(&r->overflow_lock);
		hazptr_overflow_visit_(r, count, &n);
	}
	hazptr_lock_reset_(&hazptr_shared_record_.overflow_lock);
	hazptr_overflow_visit_(&hazptr_shared_record_, count, &n);
	hazptr_store_(&hazptr_overflows_, n, relaxed); /* private: alone */
}
