/* SPDX-License-Identifier: MIT */
/*
 * bench/p3.c - P3, P4, P5: the mutex
 *
 * P5: who holds it keeps it for 1 us, gives it back and wants it again. The
 * longest wait is that of the measurement, so --seconds counts.
 */
#include "bench.h"

enum { PTHREAD, ADAPTIVE, ABSEIL, OURS };

static const struct bench_row rows[] = {
	[PTHREAD] = BENCH_ROW("pthread", pthread, LOCK),
	[ADAPTIVE] = BENCH_ROW("pthread, adaptive", adaptive, LOCK),
	[ABSEIL] = BENCH_ROW("absl::Mutex", absl, LOCK),
	[OURS] = BENCH_ROW("hazptr", park, LOCK),
};

static const struct bench_row hold_rows[] = {
	[PTHREAD] = BENCH_ROW("pthread", pthread, HOLD),
	[ADAPTIVE] = BENCH_ROW("pthread, adaptive", adaptive, HOLD),
	[ABSEIL] = BENCH_ROW("absl::Mutex", absl, HOLD),
	[OURS] = BENCH_ROW("hazptr", park, HOLD),
};

static const struct bench_target p3_targets[] = {
	{ .row = OURS, .base = PTHREAD, .limit = 1.0 },
};

struct bench_table bench_p3 = {
	.name = "P3",
	.title = "lock and unlock a mutex that nobody else wants",
	.unit = BENCH_NS_THREAD,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = PTHREAD,
	.targets = p3_targets,
	.ntargets = BENCH_COUNT(p3_targets),
	.threads = 1,
};

static const struct bench_target p4_targets[] = {
	{ .row = OURS, .base = ADAPTIVE, .limit = 1.2, .at_least = true },
};

struct bench_table bench_p4 = {
	.name = "P4",
	.title = "two threads that lock and unlock one mutex",
	.unit = BENCH_RATE_CLOCK,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = PTHREAD,
	.targets = p4_targets,
	.ntargets = BENCH_COUNT(p4_targets),
	.threads = 2,
};

static const struct bench_target p5_targets[] = {
	{ .row = OURS, .threads = 8, .base = PTHREAD, .limit = 0.25 },
};

struct bench_table bench_p5 = {
	.name = "P5",
	.title = "longest wait for a mutex that is held for 1 us each",
	.unit = BENCH_US_LONGEST,
	.rows = hold_rows,
	.nrows = BENCH_COUNT(hold_rows),
	.base = PTHREAD,
	.targets = p5_targets,
	.ntargets = BENCH_COUNT(p5_targets),
	.counts = { 2, 8 },
};

static const struct bench_target p5t_targets[] = {
	{ .row = OURS,
	  .threads = 8,
	  .base = PTHREAD,
	  .limit = 0.8,
	  .at_least = true },
};

struct bench_table bench_p5t = {
	.name = "P5t",
	.title = "the same, and how often they got it",
	.unit = BENCH_RATE_CLOCK,
	.rows = hold_rows,
	.nrows = BENCH_COUNT(hold_rows),
	.base = PTHREAD,
	.targets = p5t_targets,
	.ntargets = BENCH_COUNT(p5t_targets),
	.counts = { 2, 8 },
};
