/* SPDX-License-Identifier: MIT */
/*
 * core/fork.c - what the child of a fork keeps
 *
 * The child has one thread: the one that called fork. It keeps its guards and
 * what it has retired; other threads' guards are forgotten, and what they had
 * retired, were freeing or were about to run is taken over. All internal locks
 * are taken before, in their order, so that every list is whole; what is
 * changed without them (lanes, overflow lists, the lists of work in records)
 * is changed by single stores.
 *
 * One object can be lost: the one that another thread was just retiring or
 * just freeing. The stack that knew of it does not exist here either.
 */
#include "debug.h"
#include "slot.h"

void (*hazptr_fork_child_later_)(void);

void hazptr_fork_prepare_(void)
{
	struct hazptr_domain *d;

	hazptr_lock_(&hazptr_domains_.lock);
	for (d = hazptr_domains_.first; d; d = d->next)
		hazptr_lock_(&d->scan_lock);
	hazptr_snapshot_lock_();
	hazptr_registry_lock_(); /* before the lanes: no record is added */
	hazptr_lanes_freeze_(hazptr_self_.own);
	hazptr_background_lock_();
}

static void unlock_all(void)
{
	struct hazptr_domain *d;

	hazptr_background_unlock_();
	hazptr_lanes_thaw_();
	hazptr_registry_unlock_();
	hazptr_snapshot_unlock_();
	for (d = hazptr_domains_.first; d; d = d->next)
		hazptr_unlock_(&d->scan_lock);
	hazptr_unlock_(&hazptr_domains_.lock);
}

void hazptr_fork_parent_(void)
{
	unlock_all();
}

/* Objects that nobody holds; they can pass another scan. */
static void retire_again(struct hazptr_cohort *c, struct hazptr_head *head)
{
	struct hazptr_head *next;

	for (; head; head = next) {
		next = head->next;
		if (!head->object)
			continue; /* a barrier's marker; its thread is gone */
		if (!c->kind)
			head->object = (void *)((uintptr_t)head->object &
						~(uintptr_t)3);
		head->next = c->retired;
		c->retired = head;
	}
}

static void take_over_work(struct hazptr_record_ *r)
{
	hazptr_free_all_(r);
	retire_again(r->own_cohort, r->own);
	retire_again(r->running_cohort, r->running.list);
	retire_again(&hazptr_references_, r->chain);
	r->own = r->running.list = r->chain = NULL;
	r->unaccounted = 0;
	r->freeing.seq = r->running.seq = 0;
}

/* Detached guards may be in the hands of the thread that is here: they stay. */
static void forget_guards(struct hazptr_record_ *r)
{
	int i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		if (!(r->slots[i].value & SLOT_DETACHED) ||
		    r->slots[i].value == HAZPTR_SLOT_IDLE_)
			r->slots[i].value = 0;
	r->overflow = NULL;
	r->overflow_n = 0;
	hazptr_debug_clear_(r);
}

/* A thread that is not here, or a context that it was using. */
static void forget(struct hazptr_record_ *r)
{
	forget_guards(r);
	if (r->state == RECORD_CONTEXT) {
		r->user = NULL;
		return;
	}
	r->context = NULL;
	hazptr_lanes_adopt_(r);
	take_over_work(r);
	hazptr_registry_forget_(r);
}

static bool is_foreign(const struct hazptr_record_ *r,
		       const struct hazptr_record_ *self)
{
	if (r->state == RECORD_THREAD)
		return r != self;
	return r->state == RECORD_CONTEXT && r->user && r->user != self;
}

/* Markers of barriers in which other threads wait. */
static void drop_markers(struct hazptr_head **link,
			 const struct hazptr_record_ *self)
{
	while (*link) {
		struct hazptr_head *head = *link;

		if (!head->object &&
		    HAZPTR_CONTAINER(head, struct barrier, head)->owner != self)
			*link = head->next;
		else
			link = &head->next;
	}
}

static long count(const struct hazptr_head *head)
{
	long n = 0;

	for (; head; head = head->next)
		n += head->object != NULL;
	return n;
}

static void tidy_cohort(struct hazptr_cohort *c,
			const struct hazptr_record_ *self)
{
	drop_markers(&c->line, self);
	drop_markers(&c->ready, self);
	for (c->ready_end = &c->ready; *c->ready_end;)
		c->ready_end = &(*c->ready_end)->next;
	c->domain->reserved += count(c->line) + count(c->retired);
	c->domain->ready += count(c->ready);
}

/* Another thread was between a count and what it counted: count anew. */
static void tidy_domain(struct hazptr_domain *d,
			const struct hazptr_record_ *self)
{
	struct hazptr_cohort *c;

	d->reserved = d->ready = d->lanes = 0;
	for (c = d->cohorts; c; c = c->next)
		tidy_cohort(c, self);
	if (self && self->running.list && self->running_cohort->domain == d)
		d->ready += count(self->running.list) + self->unaccounted;
	if (self && hazptr_references_.domain == d)
		d->ready += count(self->chain);
}

void hazptr_fork_child_(void)
{
	struct hazptr_record_ *self = hazptr_self_.own, *r;
	struct record_iterator it;
	struct hazptr_domain *d;

	hazptr_notes_after_fork_();
	hazptr_background_forget_();
	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it)) {
		if (is_foreign(r, self))
			forget(r);
	}
	if (self)
		hazptr_lanes_adopt_(self); /* the next retire() is a slow one */
	hazptr_overflow_reset_();
	if (hazptr_upper_)
		hazptr_upper_->fork_child(self);
	for (d = hazptr_domains_.first; d; d = d->next)
		tidy_domain(d, self);
	unlock_all();
	hazptr_fence_after_fork_();
	hazptr_self_after_fork_();
	if (hazptr_fork_child_later_)
		hazptr_fork_child_later_();
}
