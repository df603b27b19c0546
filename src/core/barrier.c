/* SPDX-License-Identifier: MIT */
/*
 * core/barrier.c - all that was retired before has been reclaimed
 *
 * A barrier puts a marker into the line of each cohort, behind everything that
 * was retired so far. Objects leave the line in any order, the marker only
 * when nothing is left in front of it. Then it goes through the ready list as
 * if it were an object, and its function tells the waiting thread. What other
 * threads had taken from the line before, and still free or run, they say in
 * their records; the barrier waits until each of those has gone on. See
 * models/spin/barrier.pml.
 *
 * No lock is held while waiting. Barriers do not wait for objects that are
 * retired later, however many.
 */
#include "core.h"

#define NAP_NS 50000u
#define NAP_MAX_NS 1000000u

static void arrived(struct hazptr_head *head)
{
	struct barrier *b = HAZPTR_CONTAINER(head, struct barrier, head);

	/* order BR1: all functions before it; pairs with BR2 */
	hazptr_store_(&b->done, 1, release);
	hazptr_wake_(&b->done); /* b may be gone */
}

static bool is_done(const struct barrier *b)
{
	/* order BR2: all functions before it; pairs with BR1 */
	return hazptr_load_(&b->done, acquire);
}

/* With the scan lock. */
static void enter_line(struct barrier *b, struct hazptr_cohort *c)
{
	b->head.next = NULL;
	b->head.object = NULL;
	b->head.reclaim = arrived;
	b->owner = hazptr_self_.own;
	b->done = 0;
	*hazptr_line_end_(c) = &b->head;
}

/* The background thread runs the functions, when there is one. */
static void nap(const struct barrier *b, struct hazptr_domain *d,
		struct hazptr_record_ *r, uint64_t ns)
{
	if (d->policy == HAZPTR_RECLAIM_BACKGROUND &&
	    !hazptr_background_kick_(d))
		hazptr_run_ready_(r, d);
	if (!is_done(b))
		hazptr_wait_(&b->done, 0, ns);
}

static void wait_for(const struct barrier *b, struct hazptr_domain *d,
		     struct hazptr_record_ *r)
{
	uint64_t ns = NAP_NS;

	while (!is_done(b)) {
		hazptr_pass_(r, d);
		if (is_done(b))
			return;
		nap(b, d, r, ns);
		if (ns < NAP_MAX_NS)
			ns *= 2;
	}
}

static void wait_activity(const struct activity *a,
			  const struct hazptr_domain *d)
{
	struct hazptr_backoff backoff = { 0 };
	/* order PS2: what it did, once it goes on; pairs with PS1 */
	uint32_t seq = hazptr_load_(&a->seq, acquire);
	/* order PS3: of this turn; or of a later one, and then the work of
	 * this one is done; pairs with PS3 */
	const struct hazptr_domain *of = hazptr_load_(&a->domain, acquire);

	if (!(seq & 1) || (of && of != d))
		return;
	/* order PS2: what it did, once it goes on; pairs with PS1 */
	while (hazptr_load_(&a->seq, acquire) == seq)
		hazptr_backoff_(&backoff, UINT64_MAX);
}

/* Every other thread has gone on from what it frees or runs of the domain. */
void hazptr_grace_(const struct hazptr_record_ *self,
		   const struct hazptr_domain *d)
{
	struct record_iterator it;
	struct hazptr_record_ *r;

	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it)) {
		if (r == self)
			continue;
		wait_activity(&r->freeing, d);
		wait_activity(&r->running, d);
	}
}

/*
 * All that was retired before stands in the shared lists, or is freed: the
 * lanes are taken, and what their owners scan themselves, and find held, goes
 * there before they end (PS1).
 */
void hazptr_gather_(const struct hazptr_record_ *self, struct hazptr_domain *d)
{
	struct record_iterator it;
	struct hazptr_record_ *r;

	hazptr_lanes_take_all_(d);
	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it))
		if (r != self)
			wait_activity(&r->freeing, d);
}

/* The calling thread's record; without memory one that others do not see. */
static struct hazptr_record_ *enter(const char *call, const void *object,
				    struct hazptr_record_ *stand_in)
{
	struct hazptr_record_ *r = hazptr_own_record_();

	if (!r)
		return stand_in;
	if (hazptr_is_running_(r))
		hazptr_die_(call, object,
			    "called by a reclaim function, would wait for it");
	return r;
}

void hazptr_barrier_cohort_(struct hazptr_cohort *c, const char *call)
{
	struct hazptr_record_ stand_in = { 0 };
	struct hazptr_record_ *r = enter(call, c, &stand_in);
	struct hazptr_domain *d = c->domain;
	struct barrier b;

	hazptr_gather_(r, d);
	hazptr_lock_(&d->scan_lock);
	enter_line(&b, c);
	hazptr_unlock_(&d->scan_lock);
	wait_for(&b, d, r);
	hazptr_grace_(r, d);
}

void hazptr_cohort_barrier(struct hazptr_cohort *c)
{
	hazptr_barrier_cohort_(c, "hazptr_cohort_barrier");
}

/* The next cohort in the order of making; cohorts may come and go meanwhile. */
static bool enter_next(struct barrier *b, struct hazptr_domain *d,
		       uint64_t *after, uint64_t upto)
{
	struct hazptr_cohort *c, *next = NULL;

	hazptr_lock_(&d->scan_lock);
	for (c = d->cohorts; c; c = c->next)
		if (c->serial >= *after && c->serial <= upto &&
		    (!next || c->serial < next->serial))
			next = c;
	if (next) {
		*after = next->serial + 1;
		enter_line(b, next);
	}
	hazptr_unlock_(&d->scan_lock);
	return next != NULL;
}

void hazptr_barrier(struct hazptr_domain *domain)
{
	struct hazptr_record_ stand_in = { 0 };
	struct hazptr_domain *d = hazptr_domain_or_default_(domain);
	struct hazptr_record_ *r = enter("hazptr_barrier", domain, &stand_in);
	uint64_t after = 0, upto;
	struct barrier b;

	hazptr_gather_(r, d);
	/* order ST1: cohorts made before this call; pairs with ST1 */
	upto = hazptr_load_(&d->serial, relaxed);
	while (enter_next(&b, d, &after, upto))
		wait_for(&b, d, r);
	hazptr_grace_(r, d);
}

size_t hazptr_flush(struct hazptr_domain *domain)
{
	struct hazptr_record_ stand_in = { 0 };
	struct hazptr_domain *d = hazptr_domain_or_default_(domain);
	struct hazptr_record_ *r = hazptr_own_record_();

	hazptr_lanes_take_(d);
	return hazptr_pass_(r ? r : &stand_in, d);
}
