/* SPDX-License-Identifier: MIT */
/*
 * core/reclaim.c - user functions, and who runs them
 *
 * A function runs with no lock held, in a thread that is inside no other
 * reclaim function: a nested retire() scans and frees as it must, but leaves
 * functions in the ready list, and the outermost run goes on until that list
 * is empty. So a chain of objects that retire each other needs no stack.
 *
 * While a thread frees or runs functions, its record says so, and where the
 * rest of its work is: a barrier waits for that (PS1, PS2), and the child of a
 * fork takes the work over.
 */
#include "core.h"

#define TAKE 256 /* functions at a time, in the library's thread */

/* Before the scan lock is taken, on whose order a barrier relies. */
void hazptr_activity_begin_(struct activity *a, struct hazptr_domain *d)
{
	/* order PS3: after the work of the turn before; pairs with PS3 */
	hazptr_store_(&a->domain, d, release);
	/* order PS1: before the work leaves the line; pairs with PS2 */
	hazptr_store_(&a->seq, a->seq + 1, release);
}

void hazptr_activity_end_(struct activity *a)
{
	/* order PS1: the work is done; pairs with PS2 */
	hazptr_store_(&a->seq, a->seq + 1, release);
}

/*
 * From the head of a ready list; the order stays. The library's thread takes
 * few of an INLINE domain: should it get no processor, others can run the rest.
 */
static struct hazptr_head *take_some(const struct hazptr_record_ *r,
				     struct hazptr_cohort *c)
{
	struct hazptr_head *first = c->ready, *last = first;
	int n;

	if (!r->is_background) {
		c->ready = NULL;
		return first;
	}
	for (n = 1; n < TAKE && last->next; n++)
		last = last->next;
	c->ready = last->next;
	last->next = NULL;
	return first;
}

/* Take work of the next cohort that has some into the record. */
static struct hazptr_cohort *take_ready(struct hazptr_record_ *r,
					struct hazptr_domain *d)
{
	struct hazptr_cohort *c;

	hazptr_lock_(&d->scan_lock);
	for (c = d->cohorts; c && !c->ready; c = c->next)
		;
	if (c) {
		r->running.list = take_some(r, c);
		r->running_cohort = c;
	}
	hazptr_unlock_(&d->scan_lock);
	return c;
}

static void account(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	long n = r->unaccounted;

	r->unaccounted = 0;
	/* order ST4: after retired; pairs with ST4 */
	hazptr_fetch_add_(&d->reclaimed, n, release);
	/* order BG1: after what the functions did; pairs with BG5 */
	hazptr_fetch_sub_(&d->ready, n, seq_cst);
}

static void run_list(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	struct hazptr_head *head;

	while ((head = r->running.list)) {
		r->running.list = head->next;
		r->unaccounted += head->object != NULL;
		head->reclaim(head);
	}
	account(r, d);
}

void hazptr_run_ready_(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	bool more;

	if (hazptr_is_running_(r))
		return;
	/* One activity for each list: a barrier waits for one, not for all. */
	do {
		hazptr_activity_begin_(&r->running, d);
		more = take_ready(r, d) != NULL;
		if (more)
			run_list(r, d);
		hazptr_activity_end_(&r->running);
	} while (more);
}

/* Scan, and have the functions run where the policy says. */
size_t hazptr_pass_(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	size_t left = hazptr_scan_(r, &d, 1);

	if (d->policy != HAZPTR_RECLAIM_BACKGROUND)
		hazptr_run_ready_(r, d);
	else if (hazptr_load_(&d->ready, relaxed) > 0) /* order ST1: ST1 */
		hazptr_background_kick_(d);
	return left;
}
