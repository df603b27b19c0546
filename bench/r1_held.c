/* SPDX-License-Identifier: MIT */
/*
 * bench/r1_held.c - R1h: many references at once
 *
 * So many are loaded, then all are dropped, the last one first; figures are
 * for one of them. A processor has 16 slots: of 32 that one thread holds, half
 * are counted references.
 */
#include "refs.h"

bench_inline uint64_t hold(struct bench_task *t, unsigned held)
{
	struct hazptr_thread_shared ts[32] = { HAZPTR_THREAD_SHARED_INIT };
	struct hazptr_shared_node *node;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		for (unsigned i = 0; i < held; i++) {
			node = hazptr_thread_shared_load(
				&ts[i], &bench_ref_hot.current);
			bench_use(ref_object_of(node)->value);
		}
		for (unsigned i = held; i; i--)
			hazptr_thread_shared_drop(&ts[i - 1]);
	}
	return n * held;
}

uint64_t refs_held_1(struct bench_task *t)
{
	return hold(t, 1);
}

uint64_t refs_held_4(struct bench_task *t)
{
	return hold(t, 4);
}

uint64_t refs_held_8(struct bench_task *t)
{
	return hold(t, 8);
}

uint64_t refs_held_16(struct bench_task *t)
{
	return hold(t, 16);
}

uint64_t refs_held_32(struct bench_task *t)
{
	return hold(t, 32);
}

bench_inline uint64_t count(struct bench_task *t, unsigned held)
{
	struct hazptr_shared sp[32] = { { 0 } };
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		for (unsigned i = 0; i < held; i++) {
			sp[i] = hazptr_sync_shared_load(&bench_ref_hot.current);
			bench_use(ref_object_of(sp[i].node)->value);
		}
		for (unsigned i = held; i; i--)
			hazptr_shared_drop(&sp[i - 1]);
	}
	return n * held;
}

uint64_t refs_counted_1(struct bench_task *t)
{
	return count(t, 1);
}

uint64_t refs_counted_32(struct bench_task *t)
{
	return count(t, 32);
}

enum { HELD_1, HELD_4, HELD_8, HELD_16, HELD_32, COUNTED_1, COUNTED_32 };

static const struct bench_row rows[] = {
	[HELD_1] = BENCH_ROW("1 thread_shared at once", refs, HELD_1),
	[HELD_4] = BENCH_ROW("4", refs, HELD_4),
	[HELD_8] = BENCH_ROW("8", refs, HELD_8),
	[HELD_16] = BENCH_ROW("16", refs, HELD_16),
	[HELD_32] = BENCH_ROW("32, half of them counted", refs, HELD_32),
	[COUNTED_1] = BENCH_ROW("1 sync_shared_load at once", refs, COUNTED_1),
	[COUNTED_32] = BENCH_ROW("32", refs, COUNTED_32),
};

static const struct bench_target targets[] = {
	{ .row = HELD_4, .threads = 1, .base = HELD_1, .limit = 3.0 },
	{ .row = HELD_8, .threads = 1, .base = HELD_1, .limit = 3.0 },
	{ .row = HELD_16, .threads = 1, .base = HELD_1, .limit = 3.0 },
	{ .row = HELD_32, .threads = 1, .base = COUNTED_1, .limit = 1.0 },
};

struct bench_table bench_r1h = {
	.name = "R1h",
	.title = "thread_shared pointers held at once, for each of them",
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = HELD_1,
	.targets = targets,
	.ntargets = BENCH_COUNT(targets),
	.threads = 1,
};
