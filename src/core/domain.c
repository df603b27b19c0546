/* SPDX-License-Identifier: MIT */
/* core/domain.c - domains and cohorts, made and unmade, and their figures */
#include "core.h"

#include <errno.h>
#include <string.h>

#define MAX_RETIRED 1000u
#define MAX_DELAY_MS 50u
#define NS_PER_MS 1000000u

struct hazptr_domain hazptr_default_domain_ = {
	.policy = HAZPTR_RECLAIM_BACKGROUND,
	.period_ns = (uint64_t)MAX_DELAY_MS * NS_PER_MS / 2,
	.name = "default",
	.cohorts = &hazptr_default_domain_.own,
	.own = { .domain = &hazptr_default_domain_, .serial = 1 },
	.serial = 1,
};

/* The oldest, so that a barrier goes through it first. */
struct hazptr_cohort hazptr_references_ = {
	.domain = &hazptr_default_domain_,
	.next = &hazptr_default_domain_.own,
};

const struct hazptr_upper_ *hazptr_upper_;

/* Layer 2 is there. Any number of times, in any threads. */
void hazptr_upper_join_(const struct hazptr_upper_ *upper,
			const struct hazptr_kind_ *kind)
{
	struct hazptr_cohort **link = &hazptr_default_domain_.cohorts;

	hazptr_lock_(&hazptr_default_domain_.scan_lock);
	if (!hazptr_references_.kind) {
		while (*link != &hazptr_default_domain_.own)
			link = &(*link)->next;
		hazptr_references_.kind = kind;
		*link = &hazptr_references_;
	}
	hazptr_unlock_(&hazptr_default_domain_.scan_lock);
	/* order UL2: the cohort is in its place; pairs with UL1 */
	hazptr_store_(&hazptr_upper_, upper, release);
}

struct domains hazptr_domains_ = { { 0 }, &hazptr_default_domain_ };

/* How many may wait for readers, besides those that readers hold. */
size_t hazptr_bound_(const struct hazptr_domain *d)
{
	size_t slots = hazptr_records_count_() * HAZPTR_CONTEXT_SLOTS;

	if (d->max_retired)
		return d->max_retired;
	return 2 * slots > MAX_RETIRED ? 2 * slots : MAX_RETIRED;
}

static void set_up(struct hazptr_domain *d,
		   const struct hazptr_domain_opts *opts)
{
	unsigned delay = opts->max_delay_ms ? opts->max_delay_ms : MAX_DELAY_MS;

	d->policy = opts->reclaim;
	d->max_retired = opts->max_retired;
	d->period_ns = (uint64_t)delay * NS_PER_MS / 2;
	if (opts->name)
		strncpy(d->name, opts->name, sizeof(d->name) - 1);
	/* Nobody is to come back for what is reclaimed by hand. */
	d->armed = opts->reclaim == HAZPTR_RECLAIM_MANUAL;
	d->own.domain = d;
	d->cohorts = &d->own;
}

/* The default domain stays the last, so that it is visited last. */
static void join(struct hazptr_domain *d)
{
	hazptr_lock_(&hazptr_domains_.lock);
	d->next = hazptr_domains_.first;
	hazptr_domains_.first = d;
	hazptr_unlock_(&hazptr_domains_.lock);
}

static void leave(struct hazptr_domain *d)
{
	struct hazptr_domain **link;

	hazptr_lock_(&hazptr_domains_.lock);
	for (link = &hazptr_domains_.first; *link != d; link = &(*link)->next)
		;
	*link = d->next;
	hazptr_unlock_(&hazptr_domains_.lock);
}

/* The background thread does not come back to it once it left the list. */
static void wait_unused(struct hazptr_domain *d)
{
	struct hazptr_backoff backoff = { 0 };
	uint32_t users;

	for (;;) {
		hazptr_lock_(&hazptr_domains_.lock);
		users = d->users;
		hazptr_unlock_(&hazptr_domains_.lock);
		if (!users)
			return;
		hazptr_backoff_(&backoff, UINT64_MAX);
	}
}

int hazptr_domain_create(struct hazptr_domain **out,
			 const struct hazptr_domain_opts *opts)
{
	struct hazptr_domain_opts own = { .size = sizeof(own) };
	struct hazptr_domain *d;

	if (!out || (opts && opts->size != sizeof(own)))
		return -EINVAL;
	if (opts)
		own = *opts;
	if ((unsigned)own.reclaim > HAZPTR_RECLAIM_MANUAL)
		return -EINVAL;
	d = hazptr_alloc_(sizeof(*d));
	if (!d)
		return -ENOMEM;
	set_up(d, &own);
	join(d);
	*out = d;
	return 0;
}

static bool is_pending(const struct hazptr_domain *d)
{
	/* order ST1: nobody else uses it any more; pairs with ST1 */
	return hazptr_load_(&d->reserved, relaxed) ||
	       hazptr_load_(&d->ready, relaxed);
}

int hazptr_domain_destroy(struct hazptr_domain *d)
{
	struct hazptr_record_ *r = hazptr_own_record_();

	if (!d || d == &hazptr_default_domain_)
		return -EINVAL;
	if (r && hazptr_is_running_(r))
		return -EBUSY;
	if (d->cohorts != &d->own)
		hazptr_die_("hazptr_domain_destroy", d, "it has cohorts left");
	/* Reclaim functions may have retired more. */
	do
		hazptr_barrier(d);
	while (is_pending(d));
	leave(d);
	wait_unused(d);
	hazptr_free_(d);
	return 0;
}

int hazptr_cohort_init(struct hazptr_cohort *c, struct hazptr_domain *domain)
{
	struct hazptr_domain *d = hazptr_domain_or_default_(domain);

	memset(c, 0, sizeof(*c));
	c->domain = d;
	hazptr_lock_(&d->scan_lock);
	c->serial = d->serial + 1;
	/* order ST1: read by barriers as a limit; pairs with ST1 */
	hazptr_store_(&d->serial, c->serial, relaxed);
	c->next = d->cohorts;
	d->cohorts = c;
	hazptr_unlock_(&d->scan_lock);
	return 0;
}

static uint64_t runs_of(const struct hazptr_cohort *c)
{
	uint64_t runs;

	hazptr_lock_(&c->domain->scan_lock);
	runs = c->runs;
	hazptr_unlock_(&c->domain->scan_lock);
	return runs;
}

/*
 * False: a reclaim function has retired more, or could have, or a barrier of
 * the domain has a marker in it. What the functions up to now have retired is
 * found when they are done and lanes and own scans are gathered; if none has
 * begun since, that is all.
 */
static bool leave_domain(struct hazptr_cohort *c)
{
	struct hazptr_domain *d = c->domain;
	struct hazptr_cohort **link = &d->cohorts;
	uint64_t runs = runs_of(c);
	bool empty;

	hazptr_grace_(hazptr_self_.own, d);
	hazptr_gather_(hazptr_self_.own, d);
	HAZPTR_TEST_POINT("cohort:gathered");
	hazptr_lock_(&d->scan_lock);
	/* order RT1: nobody retires into it any more; pairs with RT2 */
	empty = !c->line && !c->ready && !hazptr_load_(&c->retired, relaxed) &&
		c->runs == runs;
	while (empty && *link != c)
		link = &(*link)->next;
	if (empty)
		*link = c->next;
	hazptr_unlock_(&d->scan_lock);
	return empty;
}

void hazptr_cohort_destroy(struct hazptr_cohort *c)
{
	do
		hazptr_barrier_cohort_(c, "hazptr_cohort_destroy");
	while (!leave_domain(c));
	hazptr_grace_(hazptr_self_.own, c->domain);
	memset(c, 0, sizeof(*c));
}

/* What stands in lanes of the domain is retired, but not counted yet. */
static uint64_t in_lanes(const struct hazptr_domain *d)
{
	struct record_iterator it;
	struct hazptr_record_ *r;
	uint64_t n = 0;
	int i;

	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it))
		for (i = 0; i < LANES; i++)
			/* order ST3: a figure; pairs with ST3 */
			if (hazptr_load_(&r->lanes[i].domain, relaxed) == d)
				/* order ST1: a figure; pairs with ST1 */
				n += hazptr_load_(&r->lanes[i].n, relaxed);
	return n;
}

static uint64_t positive(long n)
{
	return n > 0 ? (uint64_t)n : 0;
}

static uint64_t reclaimed(const struct hazptr_domain *d)
{
	/* order ST4: before retired is read; pairs with ST4 */
	return hazptr_load_(&d->reclaimed, acquire);
}

static void read_flow(const struct hazptr_domain *d, struct hazptr_stats *s)
{
	s->reclaimed = reclaimed(d);
	/* order ST4: in this order, and before reclaimed again; ST4 */
	s->ready = positive(hazptr_load_(&d->ready, acquire));
	s->retired = hazptr_load_(&d->retired, acquire) + in_lanes(d);
}

void hazptr_domain_stats(struct hazptr_domain *domain, struct hazptr_stats *out)
{
	const struct hazptr_domain *d = hazptr_domain_or_default_(domain);
	struct hazptr_stats s = { .size = out->size };
	int tries = 100;

	/* What is reclaimed meanwhile would be counted as waiting. */
	do
		read_flow(d, &s);
	while (reclaimed(d) != s.reclaimed && --tries);
	/* order ST1: figures; pairs with ST1 */
	s.scans = hazptr_load_(&d->scans, relaxed);
	s.heavy_fences = hazptr_load_(&d->heavy_fences, relaxed);
	s.pending_peak = hazptr_load_(&d->peak, relaxed);
	s.pending = s.retired - s.reclaimed;
	s.waiting = s.pending > s.ready ? s.pending - s.ready : 0;
	if (s.pending_peak < s.pending)
		s.pending_peak = s.pending;
	s.max_retired = hazptr_bound_(d);
	s.slots = hazptr_records_count_() * HAZPTR_CONTEXT_SLOTS;
	memcpy(s.name, d->name, sizeof(s.name));
	memcpy(out, &s, out->size < sizeof(s) ? out->size : sizeof(s));
}
