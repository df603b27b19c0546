/* SPDX-License-Identifier: MIT */
/*
 * core/stall.c - readers that keep a retired object for too long
 *
 * After a scan only what somebody holds is left in the lines. A small table
 * remembers when a scan first left an object there; what is not there any more
 * is forgotten, so an object is reported once for as long as it waits. What
 * finds no room is watched later.
 *
 * The table's lock is taken under a domain's scan lock, and the registry's and
 * the overflow lists' under it. Nothing is written while it is held.
 */
#include "debug.h"

#ifndef HAZPTR_SMALL_LIMITS
#define WATCHED 64
#endif
#define HOLDERS 4

struct watched {
	uintptr_t object; /* 0: free */
	const struct hazptr_domain *domain;
	uint64_t since;
	bool here; /* this walk has met it */
	bool told;
};

static struct hazptr_lock lock;
static struct watched watched[WATCHED];

/* One object, and some of those who hold it. */
struct finding {
	uintptr_t object;
	uint64_t since;
	size_t n;
	struct hazptr_record_ *owners[HOLDERS];
	struct holder holders[HOLDERS];
};

static struct watched *watch(const struct hazptr_domain *d, uintptr_t object,
			     uint64_t now)
{
	struct watched *w, *unused = NULL;

	for (w = watched; w < watched + WATCHED; w++) {
		if (w->object == object && w->domain == d)
			return w;
		if (!w->object && !unused)
			unused = w;
	}
	if (unused)
		*unused = (struct watched){ .object = object,
					    .domain = d,
					    .since = now };
	return unused;
}

/* Bring the table up to date with the domain's lines. */
static void walk_lines(const struct hazptr_domain *d, uint64_t now)
{
	const struct hazptr_cohort *c;
	const struct hazptr_head *head;
	struct watched *w;

	for (w = watched; w < watched + WATCHED; w++)
		w->here = w->domain != d;
	for (c = d->cohorts; c; c = c->next) {
		for (head = c->line; head && !c->kind; head = head->next) {
			if (!head->object)
				continue; /* a barrier's marker */
			w = watch(d, (uintptr_t)head->object, now);
			if (w)
				w->here = true;
		}
	}
	for (w = watched; w < watched + WATCHED; w++)
		if (!w->here)
			w->object = 0;
}

static bool find_holders(struct finding *f, uintptr_t object)
{
	struct holder holders[HOLDERS];
	struct record_iterator it;
	struct hazptr_record_ *r;
	size_t i, n;

	f->n = 0;
	for (r = hazptr_owner_first_(&it); r; r = hazptr_owner_next_(&it, r)) {
		n = hazptr_holders_(r, object, holders, HOLDERS);
		for (i = 0; i < n && i < HOLDERS && f->n < HOLDERS; i++) {
			f->owners[f->n] = r;
			f->holders[f->n++] = holders[i];
		}
	}
	return f->n;
}

static bool find_overdue(struct finding *f, const struct hazptr_domain *d,
			 uint64_t now)
{
	struct watched *w;

	for (w = watched; w < watched + WATCHED; w++) {
		if (!w->object || w->domain != d || w->told ||
		    now - w->since < hazptr_debug_stall_ns_())
			continue;
		if (!find_holders(f, w->object))
			continue; /* just released */
		w->told = true;
		f->object = w->object;
		f->since = w->since;
		return true;
	}
	return false;
}

/* One object that waits for too long, and is not reported yet. */
static bool look(struct hazptr_domain *d, struct finding *f)
{
	uint64_t now = hazptr_now_();
	bool found;

	hazptr_lock_(&d->scan_lock);
	hazptr_lock_(&lock);
	walk_lines(d, now);
	found = find_overdue(f, d, now);
	hazptr_unlock_(&lock);
	hazptr_unlock_(&d->scan_lock);
	return found;
}

static void report(const struct hazptr_domain *d, const struct finding *f)
{
	struct hazptr_text t = { 0 };
	size_t i;

	for (i = 0; i < f->n; i++) {
		hazptr_text_add_(&t,
				 "hazptr: stall: %p: waits for a reader for "
				 "%llu ms in domain \"%s\"; ",
				 (void *)f->object, hazptr_ms_since_(f->since),
				 d->name);
		hazptr_add_holder_(&t, f->owners[i], &f->holders[i]);
		hazptr_add_retirement_(&t, f->object);
		hazptr_text_say_(&t);
	}
}

/* After a scan, without a lock. */
void hazptr_debug_scanned_(struct hazptr_domain *const *d, size_t n)
{
	struct finding f;
	size_t i;

	if (!hazptr_debug_is_on_() || !hazptr_debug_stall_ns_())
		return;
	for (i = 0; i < n; i++)
		while (look(d[i], &f))
			report(d[i], &f);
}

uint64_t hazptr_debug_waited_(const struct hazptr_domain *d, uintptr_t object)
{
	uint64_t since = 0;
	struct watched *w;

	hazptr_lock_(&lock);
	for (w = watched; w < watched + WATCHED; w++)
		if (w->object == object && w->domain == d)
			since = w->since;
	hazptr_unlock_(&lock);
	return since ? hazptr_now_() - since : 0;
}

static void report_wait(struct hazptr_record_ *r, uintptr_t object,
			const char *call, uint64_t since)
{
	struct hazptr_text t = { 0 };
	struct holder holders[HOLDERS];
	size_t i, n = hazptr_holders_(r, object, holders, HOLDERS);

	for (i = 0; i < n && i < HOLDERS; i++) {
		hazptr_text_add_(&t,
				 "hazptr: %s: %p: waits for a reader for %llu "
				 "ms; ",
				 call, (void *)object, hazptr_ms_since_(since));
		hazptr_add_holder_(&t, r, &holders[i]);
		hazptr_text_say_(&t);
	}
}

void hazptr_debug_waits_(struct stall *s, struct hazptr_record_ *r,
			 const void *const *objects, size_t n, const char *call)
{
	uint64_t now;
	size_t i;

	if (s->told || !hazptr_debug_is_on_() || !hazptr_debug_stall_ns_())
		return;
	now = hazptr_now_();
	if (!s->since)
		s->since = now;
	if (now - s->since < hazptr_debug_stall_ns_())
		return;
	s->told = true;
	for (i = 0; i < n; i++)
		report_wait(r, (uintptr_t)objects[i], call, s->since);
}
