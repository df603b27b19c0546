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
#include "debug.h"

/* In the library's thread: functions at a time, times before it looks around */
#define TAKE 256
#define TURNS 64

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

/* Each in its turn: one that never ends does not keep the others waiting. */
static struct hazptr_cohort *next_ready(const struct hazptr_domain *d,
					const struct hazptr_cohort *after)
{
	struct hazptr_cohort *c, *first = NULL;
	bool passed = false;

	for (c = d->cohorts; c; c = c->next) {
		if (c->ready && passed)
			return c;
		if (c->ready && !first)
			first = c;
		passed |= c == after;
	}
	return first;
}

/* Take work of the next cohort that has some into the record. */
static struct hazptr_cohort *take_ready(struct hazptr_record_ *r,
					struct hazptr_domain *d)
{
	struct hazptr_cohort *c;

	hazptr_lock_(&d->scan_lock);
	c = next_ready(d, r->running_cohort);
	if (c) {
		r->running.list = take_some(r, c);
		r->running_cohort = c;
		c->runs++;
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

static void run_list(struct hazptr_record_ *r, struct hazptr_domain *d,
		     const struct hazptr_kind_ *kind)
{
	struct hazptr_head *head;
	bool is_marker;

	if (!kind)
		hazptr_debug_forget_(r->running.list);
	while ((head = r->running.list)) {
		r->running.list = head->next;
		is_marker = !head->object;
		r->unaccounted += !is_marker;
		if (kind && !is_marker)
			kind->run(head);
		else
			head->reclaim(head);
	}
	account(r, d);
}

/*
 * A head that no reader can hold, from within a function of the domain: its
 * turn comes after what is ready now. So a chain of nodes that drop each other
 * needs neither stack nor scans, and others get their turn in between. False:
 * the calling thread is in no such function.
 */
bool hazptr_run_after_(struct hazptr_cohort *c, struct hazptr_head *head)
{
	struct hazptr_record_ *r = hazptr_self_.own;

	if (!r || !hazptr_is_running_(r) || r->running.domain != c->domain)
		return false;
	head->next = NULL;
	if (!r->chain)
		r->chain_end = &r->chain;
	*r->chain_end = head;
	r->chain_end = &head->next;
	/* order ST1: figures; pairs with ST1 */
	hazptr_fetch_add_(&c->domain->retired, 1, relaxed);
	hazptr_fetch_add_(&c->domain->ready, 1, relaxed);
	return true;
}

/* What functions of this run have left behind joins the ready list. */
static void pass_on_chain(struct hazptr_record_ *r)
{
	struct hazptr_cohort *c = &hazptr_references_;

	if (!r->chain)
		return;
	hazptr_lock_(&c->domain->scan_lock);
	if (!c->ready)
		c->ready_end = &c->ready;
	*c->ready_end = r->chain;
	c->ready_end = r->chain_end;
	r->chain = NULL;
	hazptr_unlock_(&c->domain->scan_lock);
}

void hazptr_run_ready_(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	int turns = TURNS;
	bool more;

	if (hazptr_is_running_(r))
		return;
	/* One activity for each list: a barrier waits for one, not for all. */
	do {
		hazptr_activity_begin_(&r->running, d);
		more = take_ready(r, d) != NULL;
		if (more) {
			run_list(r, d, r->running_cohort->kind);
			pass_on_chain(r);
		}
		hazptr_activity_end_(&r->running);
		if (r->is_background && !--turns && more) {
			/* order BG6: it comes back to the rest; BG7 */
			hazptr_store_(&d->kicked, 1, release);
			return;
		}
	} while (more);
}

/* Functions are ready: the policy says where they run. */
void hazptr_run_where_due_(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	if (d->policy != HAZPTR_RECLAIM_BACKGROUND)
		hazptr_run_ready_(r, d);
	else if (hazptr_load_(&d->ready, relaxed) > 0) /* order ST1: ST1 */
		hazptr_background_kick_(d);
}

size_t hazptr_pass_(struct hazptr_record_ *r, struct hazptr_domain *d)
{
	size_t left = hazptr_scan_(r, &d, 1);

	hazptr_run_where_due_(r, d);
	return left;
}
