/* SPDX-License-Identifier: MIT */
/*
 * bench/w5.c - W5: a reader sleeps on one object while a writer retires
 *
 * What the writer retires meanwhile can be reclaimed where a reader keeps one
 * object, and piles up where it keeps all that it might have seen. The figure
 * is by how much more malloc has given out at the worst moment; its time is
 * the measurement's, so --seconds decides how far a pile grows.
 */
#include "ours.h"

#include "crowd.h"

#include <math.h>

#define LOOK_NS 2e6
#define MIB (1024.0 * 1024)

/* Through a pointer: here memory is measured, and not time. */
uint64_t bench_stalled(struct bench_task *t)
{
	double start, next, now, grown = 0;
	uint64_t n;

	bench_memory_trim();
	start = bench_memory_used();
	if (isnan(start)) {
		t->own = NAN;
		return 1;
	}
	next = bench_now() + LOOK_NS;
	for (n = 0; (!n || bench_go(t)) && grown < BENCH_STOP_MIB;
	     n += BENCH_TURNS) {
		for (unsigned i = BENCH_TURNS; i; i--)
			t->scheme->replace();
		now = bench_now();
		if (now < next && bench_go(t))
			continue;
		grown = (bench_memory_used() - start) / MIB;
		t->own = grown > t->own ? grown : t->own;
		next = bench_now() + LOOK_NS;
	}
	if (grown >= BENCH_STOP_MIB)
		bench_rest(t); /* the reader sleeps on */
	return n;
}

uint64_t ours_sleep(struct bench_task *t)
{
	HAZPTR_GUARD(guard);
	struct ours_object *o = hazptr_protect(&guard, &bench_hot.object);

	bench_nap(t);
	bench_use(o->value);
	return 1;
}

enum { OURS, CK, CDS, URCU, QSBR, MB, BP, EPOCH };

#define ROW(called, by)                                                      \
	{                                                                    \
		.name = called, .scheme = &bench_##by, .job = BENCH_STALLED, \
		.helped = 1, .helper = BENCH_SLEEP                           \
	}

static const struct bench_row rows[] = {
	[OURS] = ROW("hazptr, retire_free", hazptr),
	[CK] = ROW("ck_hp", ck),
	[CDS] = ROW("libcds HP", cds),
	[URCU] = ROW("liburcu-memb, call_rcu", urcu_memb),
	[QSBR] = ROW("liburcu-qsbr, call_rcu", urcu_qsbr),
	[MB] = ROW("liburcu-mb, call_rcu", urcu_mb),
	[BP] = ROW("liburcu-bp, call_rcu", urcu_bp),
	[EPOCH] = ROW("ck_epoch", epoch),
};

static const struct bench_target targets[] = {
	{ .row = OURS, .absolute = true, .limit = 1.0 },
};

struct bench_table bench_w5 = {
	.name = "W5",
	.title = "growth while a reader sleeps on one object",
	.unit = BENCH_MIB,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = OURS,
	.targets = targets,
	.ntargets = BENCH_COUNT(targets),
	.threads = 1,
	.peak = true,
	.stop_at = BENCH_STOP_MIB,
	.note = "at the worst moment of the measurement",
};
