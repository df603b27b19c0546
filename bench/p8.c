/* SPDX-License-Identifier: MIT */
/*
 * bench/p8.c - P8: the table is replaced while it is used
 *
 * Another thread makes the table twice and half as large in turn, every
 * millisecond, or only wakes up. P8: 13 of 16 operations are wakes where
 * nobody waits, the others lock a bucket. P8w: two threads that wake each
 * other. P8d: 1,000 threads sleep in the table and are moved; the longest of
 * all operations of P8, but for those during which the kernel gave the
 * processor to another thread: with fewer processors than threads that run,
 * that is its scheduler's doing.
 */
#include "bench.h"

#define ROW(called, does, with, environment)                                   \
	{                                                                      \
		.name = called, .scheme = &bench_park, .job = BENCH_##does,    \
		.helped = true, .helper = BENCH_##with, .setting = environment \
	}
#define COUNT "HAZPTR_FUTEX=count"

enum { STILL, MOVING, COUNTED, COUNTED_MOVING };

static const struct bench_row p8_rows[] = {
	[STILL] = ROW("hazptr", MIX, IDLE, NULL),
	[MOVING] = ROW("hazptr, resized", MIX, RESIZE, NULL),
	[COUNTED] = ROW("hazptr, count", MIX, IDLE, COUNT),
	[COUNTED_MOVING] = ROW("hazptr, count, resized", MIX, RESIZE, COUNT),
};

static const struct bench_row p8w_rows[] = {
	[STILL] = ROW("hazptr", PING, IDLE, NULL),
	[MOVING] = ROW("hazptr, resized", PING, RESIZE, NULL),
	[COUNTED] = ROW("hazptr, count", PING, IDLE, COUNT),
	[COUNTED_MOVING] = ROW("hazptr, count, resized", PING, RESIZE, COUNT),
};

static const struct bench_row p8d_rows[] = {
	[STILL] = ROW("hazptr", MIX_CROWD, IDLE, NULL),
	[MOVING] = ROW("hazptr, resized", MIX_CROWD, RESIZE, NULL),
	[COUNTED] = ROW("hazptr, count", MIX_CROWD, IDLE, COUNT),
	[COUNTED_MOVING] =
		ROW("hazptr, count, resized", MIX_CROWD, RESIZE, COUNT),
};

static const struct bench_target p8_targets[] = {
	{ .row = MOVING, .base = STILL, .limit = 0.7, .at_least = true },
};

static const struct bench_target p8d_targets[] = {
	{ .row = MOVING, .absolute = true, .limit = 200 },
};

struct bench_table bench_p8 = {
	.name = "P8",
	.title = "wakes, parks and unparks while the table is resized",
	.unit = BENCH_RATE_CLOCK,
	.rows = p8_rows,
	.nrows = BENCH_COUNT(p8_rows),
	.base = STILL,
	.targets = p8_targets,
	.ntargets = BENCH_COUNT(p8_targets),
	.threads = 1,
};

struct bench_table bench_p8w = {
	.name = "P8w",
	.title = "ping-pong while the table is resized",
	.unit = BENCH_RATE_CLOCK,
	.rows = p8w_rows,
	.nrows = BENCH_COUNT(p8w_rows),
	.base = STILL,
	.targets = p8_targets,
	.ntargets = BENCH_COUNT(p8_targets),
	.threads = 2,
};

struct bench_table bench_p8d = {
	.name = "P8d",
	.title = "longest operation while 1,000 threads are moved",
	.unit = BENCH_US_LONGEST,
	.rows = p8d_rows,
	.nrows = BENCH_COUNT(p8d_rows),
	.base = STILL,
	.targets = p8d_targets,
	.ntargets = BENCH_COUNT(p8d_targets),
	.threads = 1,
};
