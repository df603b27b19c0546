/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/nodes.c - sources, domains, and how nodes end */
#include "nodes.h"

#include <string.h>

#define LONGEST 4 /* list of one retire_list */
#define TRIES 50

struct obj *sources[SOURCES];
uintptr_t tagged[TAGGED];
struct hazptr_domain *domains[DOMAINS];
struct hazptr_cohort cohorts[COHORTS];

static struct hazptr_domain_opts opts[DOMAINS] = {
	{ .name = "default" },
	{ .reclaim = HAZPTR_RECLAIM_INLINE, .max_retired = 1, .name = "one" },
	{ .reclaim = HAZPTR_RECLAIM_INLINE,
	  .max_retired = 8,
	  .name = "inline" },
	{ .reclaim = HAZPTR_RECLAIM_BACKGROUND,
	  .max_retired = 16,
	  .max_delay_ms = 2,
	  .name = "background" },
	{ .reclaim = HAZPTR_RECLAIM_MANUAL, .name = "manual" },
};
static uint64_t most_waiting[DOMAINS];
static bool begun;

struct obj *replace(struct obj **source)
{
	struct obj *o = obj_new(OBJ_NODE);

	return o ? __atomic_exchange_n(source, o, __ATOMIC_ACQ_REL) : NULL;
}

static struct hazptr_domain *any_domain(void)
{
	uint64_t i = pick(2 * DOMAINS);

	return domains[i < DOMAINS ? i : 1 + i % 2]; /* the smallest often */
}

void give_up_to(struct hazptr_domain *d, struct obj *o, bool plain)
{
	if (!o)
		return;
	switch (pick(8)) {
	case 0:
		o->end = BY_FREE;
		hazptr_retire_free(d, o, head);
		return;
	case 1:
		o->end = BY_FUNCTION;
		/* It may wait for the readers. */
		if (plain)
			hazptr_retire_ptr(d, o, obj_destroy);
		else
			hazptr_retire(d, o, head, obj_reclaim);
		return;
	case 2:
		o->end = BY_FUNCTION;
		hazptr_head_init(&o->head, o, obj_reclaim);
		hazptr_retire_list(d, &o->head, &o->head);
		return;
	default:
		o->end = BY_FUNCTION;
		hazptr_retire(d, o, head, obj_reclaim);
	}
}

void give_up(struct obj *o, bool plain)
{
	struct hazptr_domain *d = any_domain();

	if (o && !pick(6)) {
		o->end = BY_FUNCTION;
		hazptr_cohort_retire(&cohorts[pick(COHORTS)], o, head,
				     obj_reclaim);
		return;
	}
	give_up_to(d, o, plain);
	if (d && d == domains[DOMAINS - 1] && !pick(8))
		hazptr_flush(d);
}

void nodes_begin(void)
{
	unsigned i;

	if (begun)
		return;
	begun = true;
	for (i = 1; i < DOMAINS; i++) {
		opts[i].size = sizeof(opts[i]);
		if (hazptr_domain_create(&domains[i], &opts[i]))
			failed("domain_create", NULL);
	}
	for (i = 0; i < COHORTS; i++)
		if (hazptr_cohort_init(&cohorts[i], domains[i + 1]))
			failed("cohort_init", NULL);
	for (i = 0; i < SOURCES; i++)
		sources[i] = obj_new(OBJ_NODE);
	for (i = 0; i < TAGGED; i++)
		tagged[i] = (uintptr_t)obj_new(OBJ_NODE);
}

/* Everything goes. */
void nodes_give(void)
{
	unsigned i;

	if (!begun)
		return;
	for (i = 0; i < SOURCES; i++)
		give_up_to(domains[i % DOMAINS], sources[i], true);
	for (i = 0; i < TAGGED; i++)
		give_up_to(NULL, (struct obj *)(tagged[i] & ~(uintptr_t)3),
			   true);
	for (i = 0; i < COHORTS; i++)
		hazptr_cohort_barrier(&cohorts[i]);
	for (i = 0; i < DOMAINS; i++)
		hazptr_barrier(domains[i]);
}

unsigned nodes_figures(struct domain_figures *out)
{
	unsigned i, n = begun ? DOMAINS : 1;

	for (i = 0; i < n; i++) {
		out[i].stats.size = sizeof(out[i].stats);
		hazptr_domain_stats(domains[i], &out[i].stats);
		snprintf(out[i].stats.name, sizeof(out[i].stats.name), "%s",
			 opts[i].name);
		out[i].most_waiting = most_waiting[i];
		/* References wait for the library's thread there. */
		out[i].bounded = opts[i].reclaim != HAZPTR_RECLAIM_MANUAL && i;
	}
	return n;
}

/* The figures before the domains go. */
void nodes_check(void)
{
	struct domain_figures f[DOMAINS];
	unsigned i, n = nodes_figures(f);

	for (i = 0; i < n; i++)
		if (f[i].stats.retired != f[i].stats.reclaimed)
			failed("retired, and not reclaimed", domains[i]);
	for (i = 0; i < COHORTS && begun; i++)
		hazptr_cohort_destroy(&cohorts[i]);
	for (i = 1; i < n; i++)
		if (hazptr_domain_destroy(domains[i]))
			failed("domain_destroy", domains[i]);
}

/* The bound, what guards can hold, and what threads have in their hands. */
static uint64_t bound_of(const struct domain_figures *f)
{
	struct worker *w;
	uint64_t threads = each_worker(&w) + 16;

	return f->stats.max_retired + f->stats.slots + threads * (24 + LONGEST);
}

/*
 * Objects that are on their way from a thread to the domain are not at one
 * moment in all figures: who looks again must find it right soon.
 */
void nodes_check_bounds(void)
{
	struct domain_figures f[DOMAINS];
	unsigned i, n, tries = 0;
	bool right;

	do {
		right = true;
		n = nodes_figures(f);
		for (i = 0; i < n; i++) {
			if (f[i].bounded &&
			    f[i].stats.waiting > bound_of(&f[i]))
				right = false;
			else if (f[i].stats.waiting > most_waiting[i])
				most_waiting[i] = f[i].stats.waiting;
		}
		if (!right)
			nap_us(2000);
	} while (!right && ++tries < TRIES);
	if (!right)
		failed("more objects wait for readers than the bound", NULL);
}
