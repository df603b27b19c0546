/* SPDX-License-Identifier: MIT */
/*
 * bench/w3_pair.c - W3p: retired by another thread than the allocating one
 *
 * malloc's fast paths are the thread's own; here each object crosses over. The
 * baseline frees what it is handed at once. Time on the clock of the thread
 * that retires: whichever of the two is slower decides.
 */
#include "ours.h"

#include <stdlib.h>

#define pair_object struct ours_object
#define pair_new ours_new

static struct hazptr_domain *domain;
static bool bare;

static inline void pair_retire(struct ours_object *o)
{
	if (bare)
		free(o);
	else
		hazptr_retire_free(domain, o, head);
}

#include "pair.h"

uint64_t bare_produce(struct bench_task *t)
{
	return pair_produce(t);
}

uint64_t ours_produce(struct bench_task *t)
{
	return pair_produce(t);
}

uint64_t bare_consume(struct bench_task *t)
{
	bare = true;
	return pair_consume(t);
}

uint64_t ours_consume(struct bench_task *t)
{
	bare = false;
	return pair_consume(t);
}

void bare_pair_end(void)
{
	pair_empty();
}

void ours_pair_begin(void)
{
	if (hazptr_domain_create(&domain, NULL))
		abort();
}

uint64_t ours_pair_end(void)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	pair_empty();
	hazptr_domain_stats(domain, &stats);
	hazptr_domain_destroy(domain);
	return stats.pending_peak;
}

enum {
	BARE,
	OURS,
	OURS_SO,
	CK,
	CDS,
	URCU,
	QSBR,
	MB,
	BP,
	URCU_DEFER,
	QSBR_DEFER,
	MB_DEFER,
	BP_DEFER
};

#define PAIR(by)                                                  \
	.scheme = &bench_##by, .job = BENCH_CONSUME, .helped = 1, \
	.helper = BENCH_PRODUCE

static const struct bench_row rows[] = {
	[BARE] = { .name = "malloc | free", PAIR(bare) },
	[OURS] = { .name = "hazptr, retire_free", PAIR(hazptr) },
	[OURS_SO] = { .name = "hazptr (.so), retire_free",
		      PAIR(hazptr),
		      .shared = true },
	[CK] = { .name = "ck_hp", PAIR(ck) },
	[CDS] = { .name = "libcds HP", PAIR(cds) },
	[URCU] = { .name = "liburcu-memb, call_rcu", PAIR(urcu_memb) },
	[QSBR] = { .name = "liburcu-qsbr, call_rcu", PAIR(urcu_qsbr) },
	[MB] = { .name = "liburcu-mb, call_rcu", PAIR(urcu_mb) },
	[BP] = { .name = "liburcu-bp, call_rcu", PAIR(urcu_bp) },
	[URCU_DEFER] = { .name = "liburcu-memb, defer_rcu", PAIR(defer_memb) },
	[QSBR_DEFER] = { .name = "liburcu-qsbr, defer_rcu", PAIR(defer_qsbr) },
	[MB_DEFER] = { .name = "liburcu-mb, defer_rcu", PAIR(defer_mb) },
	[BP_DEFER] = { .name = "liburcu-bp, defer_rcu", PAIR(defer_bp) },
};

static const struct bench_target targets[] = {
	{ .row = OURS, .base = CK, .limit = 1.0 },
};

struct bench_table bench_w3p = {
	.name = "W3p",
	.title = "one thread allocates, another one retires",
	.unit = BENCH_NS_CLOCK,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = BARE,
	.targets = targets,
	.ntargets = BENCH_COUNT(targets),
	.threads = 1,
	.peak = true,
};
