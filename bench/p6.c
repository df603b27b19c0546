/* SPDX-License-Identifier: MIT */
/*
 * bench/p6.c - P6: two threads take turns; P7: one wakes many
 *
 * P6: one operation is there and back, with both threads on one processor, and
 * (P6t) on two.
 *
 * P7: the broadcast is made with the mutex held, but where "late" says after
 * the unlock. Measured from the call until the last waiter has had the mutex
 * and runs; all of them sleep again before the next. P7c: the call alone.
 */
#include "bench.h"

enum { FUTEX, STD, OURS, COND_PTHREAD, COND_ABSEIL, COND_OURS };

static const struct bench_row p6_rows[] = {
	[FUTEX] = BENCH_ROW("futex(2)", futex, PING),
	[STD] = BENCH_ROW("std::atomic::wait", std_wait, PING),
	[OURS] = BENCH_ROW("hazptr", park, PING),
	[COND_PTHREAD] = BENCH_ROW_TASK(1, "pthread_cond", pthread, PING_COND),
	[COND_ABSEIL] = BENCH_ROW_TASK(1, "absl::CondVar", absl, PING_COND),
	[COND_OURS] = BENCH_ROW_TASK(1, "hazptr_cond", park, PING_COND),
};

static const struct bench_target p6_targets[] = {
	{ .row = OURS, .base = FUTEX, .limit = 1.1 },
};

struct bench_table bench_p6 = {
	.name = "P6",
	.title = "ping-pong on one processor",
	.unit = BENCH_NS_CLOCK,
	.rows = p6_rows,
	.nrows = BENCH_COUNT(p6_rows),
	.base = FUTEX,
	.targets = p6_targets,
	.ntargets = BENCH_COUNT(p6_targets),
	.threads = 2,
	.one_cpu = true,
};

struct bench_table bench_p6t = {
	.name = "P6t",
	.title = "ping-pong over two processors",
	.unit = BENCH_NS_CLOCK,
	.rows = p6_rows,
	.nrows = BENCH_COUNT(p6_rows),
	.base = FUTEX,
	.targets = p6_targets,
	.ntargets = BENCH_COUNT(p6_targets),
	.threads = 2,
};

enum { P100, A100, H100, P1000, A1000, H1000, PLATE, HLATE };

static const struct bench_row p7_rows[] = {
	[P100] = BENCH_ROW("pthread, 100 wait", pthread, ALL_100),
	[A100] = BENCH_ROW("abseil, 100", absl, ALL_100),
	[H100] = BENCH_ROW("hazptr, 100", park, ALL_100),
	[P1000] = BENCH_ROW_TASK(1, "pthread, 1,000 wait", pthread, ALL_1000),
	[A1000] = BENCH_ROW_TASK(1, "abseil, 1,000", absl, ALL_1000),
	[H1000] = BENCH_ROW_TASK(1, "hazptr, 1,000", park, ALL_1000),
	[PLATE] = BENCH_ROW_TASK(2, "pthread, 1,000, late", pthread, LATE_1000),
	[HLATE] = BENCH_ROW_TASK(2, "hazptr, 1,000, late", park, LATE_1000),
};

static const struct bench_target p7_targets[] = {
	{ .row = H100, .base = P100, .limit = 0.65 },
	{ .row = H1000, .base = P1000, .limit = 0.65 },
	{ .row = HLATE, .base = PLATE, .limit = 0.65 },
};

struct bench_table bench_p7 = {
	.name = "P7",
	.title = "broadcast until all have run, for each waiter",
	.unit = BENCH_US_OWN,
	.rows = p7_rows,
	.nrows = BENCH_COUNT(p7_rows),
	.base = P100,
	.targets = p7_targets,
	.ntargets = BENCH_COUNT(p7_targets),
	.threads = 1,
};

static const struct bench_row p7c_rows[] = {
	[P100] = BENCH_ROW("pthread, 100 wait", pthread, CALL_100),
	[A100] = BENCH_ROW("abseil, 100", absl, CALL_100),
	[H100] = BENCH_ROW("hazptr, 100", park, CALL_100),
	[P1000] = BENCH_ROW_TASK(1, "pthread, 1,000 wait", pthread, CALL_1000),
	[A1000] = BENCH_ROW_TASK(1, "abseil, 1,000", absl, CALL_1000),
	[H1000] = BENCH_ROW_TASK(1, "hazptr, 1,000", park, CALL_1000),
};

static const struct bench_target p7c_targets[] = {
	{ .row = H100, .absolute = true, .limit = 0.1 },
	{ .row = H1000, .absolute = true, .limit = 0.1 },
};

struct bench_table bench_p7c = {
	.name = "P7c",
	.title = "the broadcasting call alone, for each waiter",
	.unit = BENCH_US_OWN,
	.rows = p7c_rows,
	.nrows = BENCH_COUNT(p7c_rows),
	.base = P100,
	.targets = p7c_targets,
	.ntargets = BENCH_COUNT(p7c_targets),
	.threads = 1,
};
