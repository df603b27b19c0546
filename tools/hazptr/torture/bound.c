/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/bound.c - how many objects wait for readers
 *
 * In the shared domains nobody knows how many guards there were at the last
 * scan, so only much is too much there. Here one thread has a domain for
 * itself, keeps some of what it retires, and may find no more than the bound
 * and these.
 */
#include "nodes.h"

#include <string.h>

#define BOUND 16
#define KEPT_MOST 12 /* more than there are slots */
#define RETIRED 200
#define TRIES 50

static bool retire_one(struct hazptr_domain *d, struct hazptr_guard *keep,
		       bool plain)
{
	struct obj *o = obj_new(OBJ_NODE);

	if (!o)
		return false;
	if (keep)
		hazptr_hold(keep, o);
	o->end = plain ? BY_FREE : BY_FUNCTION;
	hazptr_retire(d, o, head, plain ? NULL : obj_reclaim);
	return true;
}

/* What the library's thread is moving may be counted twice for a moment. */
static void check(struct hazptr_domain *d, uint64_t most)
{
	struct hazptr_stats s = { .size = sizeof(s) };
	unsigned tries;

	for (tries = 0; tries < TRIES; tries++) {
		hazptr_domain_stats(d, &s);
		if (s.waiting <= most)
			return;
		nap_us(100);
	}
	failed("more objects wait than the bound and what is kept", d);
}

static void retire_many(struct hazptr_domain *d, bool plain)
{
	unsigned kept = (unsigned)pick(KEPT_MOST + 1), i;
	struct hazptr_guard g[KEPT_MOST];

	memset(g, 0, sizeof(g));
	for (i = 0; i < kept; i++)
		if (!retire_one(d, &g[i], plain))
			break;
	kept = i;
	for (i = 0; i < RETIRED; i++) {
		if (!retire_one(d, NULL, plain))
			break;
		check(d, BOUND + kept);
	}
	for (i = 0; i < kept; i++)
		hazptr_release(&g[i]);
	hazptr_flush(d); /* else the next scan is the first to know */
}

void keep_bound(unsigned i)
{
	struct hazptr_domain_opts opts = {
		.size = sizeof(opts),
		.reclaim = i ? HAZPTR_RECLAIM_BACKGROUND
			     : HAZPTR_RECLAIM_INLINE,
		.max_retired = BOUND,
	};
	struct hazptr_domain *d;
	int error;

	nomem_exempt(1);
	error = hazptr_domain_create(&d, &opts);
	nomem_exempt(-1);
	if (error)
		failed("domain_create", NULL);
	while (!is_over()) {
		retire_many(d, pick(2));
		did(retire_bound_op);
		nap_us(pick(10000));
	}
	if (hazptr_domain_destroy(d))
		failed("domain_destroy", d);
}
