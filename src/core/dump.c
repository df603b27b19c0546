/* SPDX-License-Identifier: MIT */
/*
 * core/dump.c - what waits in a domain, and who holds what, in words
 *
 * Facts are copied in small portions under the locks, and written without.
 */
#include "debug.h"

#define COHORTS 16
#define COUNTED 10000
#define HELD_AT_ONCE 32

/* One cohort's part. */
struct queue {
	const struct hazptr_cohort *cohort;
	bool is_references;
	size_t kept;
	size_t fresh;
	size_t ready;
};

static const char *name_of(enum hazptr_reclaim policy)
{
	static const char *const names[] = { "background", "inline", "manual" };

	return names[policy];
}

static void dump_figures(struct hazptr_domain *d, int fd)
{
	struct hazptr_stats s = { .size = sizeof(s) };
	struct hazptr_text t = { 0 };

	hazptr_domain_stats(d, &s);
	hazptr_text_add_(&t,
			 "hazptr domain \"%s\" (%p): %s, bound %llu, looks "
			 "every %llu ms",
			 d->name, (void *)d, name_of(d->policy),
			 (unsigned long long)s.max_retired,
			 (unsigned long long)(d->period_ns / NS_PER_MS));
	hazptr_text_write_(&t, fd);
	hazptr_text_add_(
		&t,
		"  retired %llu, reclaimed %llu, wait for readers or "
		"a scan %llu, for their function %llu, at most %llu; "
		"scans %llu, heavy fences %llu",
		(unsigned long long)s.retired, (unsigned long long)s.reclaimed,
		(unsigned long long)s.waiting, (unsigned long long)s.ready,
		(unsigned long long)s.pending_peak, (unsigned long long)s.scans,
		(unsigned long long)s.heavy_fences);
	hazptr_text_write_(&t, fd);
}

static void dump_lane(const struct hazptr_record_ *r, const struct lane *lane,
		      int fd)
{
	struct hazptr_text t = { 0 };

	/* order ST1: figures; pairs with ST1 */
	hazptr_text_add_(&t, "  lane of thread %d: %u retired, room for %u",
			 hazptr_load_(&r->thread, relaxed),
			 hazptr_load_(&lane->n, relaxed),
			 hazptr_load_(&lane->quota, relaxed));
	hazptr_text_write_(&t, fd);
}

static void dump_lanes(const struct hazptr_domain *d, int fd)
{
	struct record_iterator it;
	struct hazptr_record_ *r;
	int i;

	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it))
		for (i = 0; i < LANES; i++)
			/* order ST3: figures; pairs with ST3 */
			if (hazptr_load_(&r->lanes[i].domain, relaxed) == d &&
			    hazptr_load_(&r->lanes[i].quota, relaxed))
				dump_lane(r, &r->lanes[i], fd);
}

/* Barriers' markers do not count. Nobody waits while we count millions. */
static size_t count(const struct hazptr_head *head)
{
	size_t n = 0;

	for (; head && n < COUNTED; head = head->next)
		n += head->object != NULL;
	return n;
}

static void add_count(struct hazptr_text *t, size_t n, const char *what)
{
	hazptr_text_add_(t, "%zu%s %s", n, n < COUNTED ? "" : " or more", what);
}

static struct queue look_at_cohort(const struct hazptr_cohort *c)
{
	struct queue q = { .cohort = c, .is_references = c->kind };

	q.kept = count(c->line);
	/* order RT3: whole heads; only a scan takes them away; RT2 */
	q.fresh = count(hazptr_load_(&c->retired, acquire));
	q.ready = count(c->ready);
	return q;
}

/* How many cohorts there are; the facts of the first. */
static size_t look_at_cohorts(struct hazptr_domain *d, struct queue *queues)
{
	const struct hazptr_cohort *c;
	size_t n = 0;

	hazptr_lock_(&d->scan_lock);
	for (c = d->cohorts; c; c = c->next, n++)
		if (n < COHORTS)
			queues[n] = look_at_cohort(c);
	hazptr_unlock_(&d->scan_lock);
	return n;
}

static void dump_cohorts(struct hazptr_domain *d, int fd)
{
	struct queue queues[COHORTS], *q;
	struct hazptr_text t = { 0 };
	size_t i, n = look_at_cohorts(d, queues);

	for (i = 0; i < n && i < COHORTS; i++) {
		q = &queues[i];
		hazptr_text_add_(&t, "  cohort %p%s: ", (const void *)q->cohort,
				 q->is_references ? " of references" : "");
		add_count(&t, q->kept, "kept by readers, ");
		add_count(&t, q->fresh, "not scanned, ");
		add_count(&t, q->ready, "waiting for their function");
		hazptr_text_write_(&t, fd);
	}
	if (n > COHORTS) {
		hazptr_text_add_(&t, "  and %zu cohorts more", n - COHORTS);
		hazptr_text_write_(&t, fd);
	}
}

/* What layer 2 hands in is its own object. */
static bool is_in(const struct hazptr_cohort *c, const struct hazptr_head *head,
		  uintptr_t object)
{
	for (; head; head = head->next)
		if (head->object &&
		    object == (c->kind ? (uintptr_t)head
				       : (uintptr_t)head->object))
			return true;
	return false;
}

/* Whether a scan has left it there, and since when, as far as is known. */
static bool waits(struct hazptr_domain *d, uintptr_t object, uint64_t *ns)
{
	const struct hazptr_cohort *c;
	bool found = false;

	hazptr_lock_(&d->scan_lock);
	for (c = d->cohorts; c && !found; c = c->next)
		found = is_in(c, c->line, object);
	*ns = found ? hazptr_debug_waited_(d, object) : 0;
	hazptr_unlock_(&d->scan_lock);
	return found;
}

static void dump_holder(struct hazptr_domain *d, const struct hazptr_record_ *r,
			const struct holder *h, int fd)
{
	struct hazptr_text t = { 0 };
	uint64_t ns;

	hazptr_text_add_(&t, "  %p ", (void *)h->object);
	hazptr_add_holder_(&t, r, h);
	hazptr_add_retirement_(&t, h->object);
	if (waits(d, h->object, &ns))
		hazptr_text_add_(&t, "; waits in this domain");
	if (ns)
		hazptr_text_add_(&t, " for at least %llu ms",
				 (unsigned long long)(ns / NS_PER_MS));
	hazptr_text_write_(&t, fd);
}

static void dump_record(struct hazptr_domain *d, struct hazptr_record_ *r,
			int fd)
{
	struct holder holders[HELD_AT_ONCE];
	struct hazptr_text t = { 0 };
	size_t i, n = hazptr_holders_(r, 0, holders, HELD_AT_ONCE);

	for (i = 0; i < n && i < HELD_AT_ONCE; i++)
		dump_holder(d, r, &holders[i], fd);
	if (n > HELD_AT_ONCE) {
		hazptr_text_add_(&t, "  and %zu more of the same",
				 n - HELD_AT_ONCE);
		hazptr_text_write_(&t, fd);
	}
}

void hazptr_domain_dump(struct hazptr_domain *domain, int fd)
{
	struct hazptr_domain *d = hazptr_domain_or_default_(domain);
	struct record_iterator it;
	struct hazptr_record_ *r;

	dump_figures(d, fd);
	dump_lanes(d, fd);
	dump_cohorts(d, fd);
	for (r = hazptr_owner_first_(&it); r; r = hazptr_owner_next_(&it, r))
		dump_record(d, r, fd);
}
