/* SPDX-License-Identifier: MIT */
/*
 * bench/w7.c - what threads that only exist cost those that retire
 *
 * W7: each registered thread is parked after one look. A domain whose bound is
 * one object scans in each retire(); the same less as many heavy fences, which
 * take turns with it; and hazptr_flush(), which also takes over what other
 * threads have retired. Time on the clock, malloc not included. W7r: how many
 * objects a second one thread retires beside 2 and 1,000 of them.
 */
#include "ours.h"

#include "crowd.h"

#include <stdlib.h>

static struct hazptr_domain *domain;

void ours_scan_begin(enum bench_job job)
{
	struct hazptr_domain_opts opts = {
		.size = sizeof(opts),
		.reclaim = job == BENCH_FLUSH ? HAZPTR_RECLAIM_MANUAL
					      : HAZPTR_RECLAIM_INLINE,
		.max_retired = job == BENCH_FLUSH ? 0 : 1,
		.name = "scan",
	};

	if (hazptr_domain_create(&domain, &opts))
		abort();
}

void ours_scan_end(void)
{
	hazptr_domain_destroy(domain);
}

static double timed_retire(void)
{
	struct ours_object *o = ours_new();
	double start = bench_now();

	hazptr_retire_free(domain, o, head);
	return bench_now() - start;
}

uint64_t ours_scan(struct bench_task *t)
{
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++)
		t->own += timed_retire();
	return n;
}

uint64_t ours_scan_less(struct bench_task *t)
{
	double start;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		t->own += timed_retire();
		start = bench_now();
		hazptr_fence_heavy();
		t->own -= bench_now() - start;
	}
	return n;
}

uint64_t ours_flush(struct bench_task *t)
{
	double start;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		struct ours_object *o = ours_new();

		hazptr_retire_free(domain, o, head);
		start = bench_now();
		hazptr_flush(domain);
		t->own += bench_now() - start;
	}
	return n;
}

/* The same task: as many threads, told apart by the number's digits. */
#define ROW(called, by, does, n)                                            \
	{                                                                   \
		.name = called, .scheme = &bench_##by, .job = BENCH_##does, \
		.setting = "BENCH_REGISTERED=" n, .task = sizeof(n)         \
	}
/* That has no peers. */
#define LESS(n)                                                              \
	{                                                                    \
		.name = "... less its heavy fence", .scheme = &bench_hazptr, \
		.job = BENCH_SCAN_LESS, .setting = "BENCH_REGISTERED=" n     \
	}

enum {
	SCAN_10,
	LESS_10,
	FLUSH_10,
	SCAN_100,
	LESS_100,
	FLUSH_100,
	SCAN_1000,
	LESS_1000,
	FLUSH_1000,
	SCAN_10000,
	LESS_10000,
	FLUSH_10000,
	CK_1000,
	URCU_1000
};

static const struct bench_row w7_rows[] = {
	[SCAN_10] = ROW("scan, 10 threads", hazptr, SCAN, "10"),
	[LESS_10] = LESS("10"),
	[FLUSH_10] = ROW("hazptr_flush", hazptr, FLUSH, "10"),
	[SCAN_100] = ROW("scan, 100 threads", hazptr, SCAN, "100"),
	[LESS_100] = LESS("100"),
	[FLUSH_100] = ROW("hazptr_flush", hazptr, FLUSH, "100"),
	[SCAN_1000] = ROW("scan, 1,000 threads", hazptr, SCAN, "1000"),
	[LESS_1000] = LESS("1000"),
	[FLUSH_1000] = ROW("hazptr_flush", hazptr, FLUSH, "1000"),
	[SCAN_10000] = ROW("scan, 10,000 threads", hazptr, SCAN, "10000"),
	[LESS_10000] = LESS("10000"),
	[FLUSH_10000] = ROW("hazptr_flush", hazptr, FLUSH, "10000"),
	[CK_1000] = ROW("ck_hp, 1,000 threads", ck, SCAN, "1000"),
	[URCU_1000] =
		ROW("synchronize_rcu, 1,000 threads", urcu_memb, SCAN, "1000"),
};

static const struct bench_target w7_targets[] = {
	{ .row = LESS_1000, .absolute = true, .limit = 20 },
};

struct bench_table bench_w7 = {
	.name = "W7",
	.title = "a scan for one object, so many threads registered",
	.unit = BENCH_US_OWN,
	.rows = w7_rows,
	.nrows = BENCH_COUNT(w7_rows),
	.base = SCAN_10,
	.targets = w7_targets,
	.ntargets = BENCH_COUNT(w7_targets),
	.threads = 1,
};

enum { FREE_2, FREE_1000, INLINE_2, INLINE_1000, CK_2, CK_CHURN_1000 };

static const struct bench_row w7r_rows[] = {
	[FREE_2] = ROW("hazptr, retire_free, 2", hazptr, CHURN_FREE, "2"),
	[FREE_1000] =
		ROW("hazptr, retire_free, 1,000", hazptr, CHURN_FREE, "1000"),
	[INLINE_2] = ROW("hazptr, INLINE, 2", hazptr, CHURN, "2"),
	[INLINE_1000] = ROW("hazptr, INLINE, 1,000", hazptr, CHURN, "1000"),
	[CK_2] = ROW("ck_hp, 2", ck, CHURN, "2"),
	[CK_CHURN_1000] = ROW("ck_hp, 1,000", ck, CHURN, "1000"),
};

static const struct bench_target w7r_targets[] = {
	{ .row = FREE_1000, .base = FREE_2, .limit = 0.8, .at_least = true },
	{ .row = INLINE_1000,
	  .base = INLINE_2,
	  .limit = 0.8,
	  .at_least = true },
};

struct bench_table bench_w7r = {
	.name = "W7r",
	.title = "allocate + retire + reclaim beside threads that sleep",
	.unit = BENCH_RATE,
	.rows = w7r_rows,
	.nrows = BENCH_COUNT(w7r_rows),
	.base = FREE_2,
	.targets = w7r_targets,
	.ntargets = BENCH_COUNT(w7r_targets),
	.threads = 1,
};
