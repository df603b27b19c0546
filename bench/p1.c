/* SPDX-License-Identifier: MIT */
/*
 * bench/p1.c - P1, P2: wake where nobody waits, wait for what has changed
 *
 * P1 goes through 10,000 words, each in a cache line of its own, in an order
 * that looks random: with 1,000 threads that sleep at other words, and without.
 * The policies of the table are chosen when it is first used, so other ones
 * are measured by other processes, in turns with this one.
 */
#include "bench.h"

#include <stddef.h>

#define ROW_SET(called, does, with)                                         \
	{                                                                   \
		.name = called, .scheme = &bench_park, .job = BENCH_##does, \
		.setting = with                                             \
	}
#define ASYMMETRIC "HAZPTR_FUTEX_WAKE=asymmetric"
#define COUNT "HAZPTR_FUTEX=count"

enum {
	FUTEX,
	CROWD,
	OURS,
	SO,
	ASYM,
	COUNTED,
	COUNTED_ASYM,
	OURS_CROWD,
	ASYM_CROWD,
	COUNTED_CROWD
};

static const struct bench_row p1_rows[] = {
	[FUTEX] = BENCH_ROW("futex(2)", futex, WAKE),
	[CROWD] = BENCH_ROW_TASK(1, "futex(2), 1,000 sleep", futex, WAKE_CROWD),
	[OURS] = BENCH_ROW("hazptr", park, WAKE),
	[SO] = BENCH_ROW_SO("hazptr (.so)", park, WAKE),
	[ASYM] = ROW_SET("hazptr, asymmetric", WAKE, ASYMMETRIC),
	[COUNTED] = ROW_SET("hazptr, count", WAKE, COUNT),
	[COUNTED_ASYM] = ROW_SET("hazptr, count, asymmetric", WAKE,
				 COUNT " " ASYMMETRIC),
	[OURS_CROWD] = BENCH_ROW_TASK(1, "hazptr, 1,000 sleep", park, WAKE_CROWD),
	[ASYM_CROWD] = ROW_SET("hazptr, asymmetric, 1,000 sleep", WAKE_CROWD,
			       ASYMMETRIC),
	[COUNTED_CROWD] =
		ROW_SET("hazptr, count, 1,000 sleep", WAKE_CROWD, COUNT),
};

static const struct bench_target p1_targets[] = {
	{ .row = OURS, .base = FUTEX, .limit = 0.04 },
	{ .row = OURS_CROWD, .base = FUTEX, .limit = 0.04 },
	{ .row = OURS_CROWD, .base = CROWD, .limit = 0.04 },
};

struct bench_table bench_p1 = {
	.name = "P1",
	.title = "wake at 10,000 words where nobody waits",
	.unit = BENCH_NS_THREAD,
	.rows = p1_rows,
	.nrows = BENCH_COUNT(p1_rows),
	.base = FUTEX,
	.targets = p1_targets,
	.ntargets = BENCH_COUNT(p1_targets),
};

enum { STALE_FUTEX, STALE_STD, STALE_OURS, STALE_SO };

static const struct bench_row p2_rows[] = {
	[STALE_FUTEX] = BENCH_ROW("futex(2)", futex, STALE),
	[STALE_STD] = BENCH_ROW("std::atomic::wait", std_wait, STALE),
	[STALE_OURS] = BENCH_ROW("hazptr", park, STALE),
	[STALE_SO] = BENCH_ROW_SO("hazptr (.so)", park, STALE),
};

/* 12 ns where the call costs 239 */
static const struct bench_target p2_targets[] = {
	{ .row = STALE_OURS, .base = BENCH_BASE, .limit = 0.05 },
	{ .row = STALE_SO, .base = BENCH_BASE, .limit = 0.05 },
};

struct bench_table bench_p2 = {
	.name = "P2",
	.title = "wait for a value that is there already",
	.unit = BENCH_NS_THREAD,
	.rows = p2_rows,
	.nrows = BENCH_COUNT(p2_rows),
	.base = STALE_FUTEX,
	.targets = p2_targets,
	.ntargets = BENCH_COUNT(p2_targets),
};
