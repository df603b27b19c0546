/* SPDX-License-Identifier: MIT */
/*
 * bench/w1.c - what a reader pays for one object
 *
 * W1: one hot pointer, always in the first-level cache; all that a processor
 * can do at once it does at once, so this counts instructions. W1c: each
 * object names the next source, so that the latency of the load counts, as in
 * every walk through a data structure.
 */
#include "ours.h"

uint64_t bare_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct ours_object *o;

		o = __atomic_load_n(&bench_hot.object, __ATOMIC_ACQUIRE);
		bench_use(o->value);
	}
	return n;
}

uint64_t ours_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		HAZPTR_GUARD(guard);
		struct ours_object *o;

		o = hazptr_protect(&guard, &bench_hot.object);
		bench_use(o->value);
	}
	return n;
}

uint64_t ours_read_init(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_guard guard = HAZPTR_GUARD_INIT;
		struct ours_object *o;

		o = hazptr_protect(&guard, &bench_hot.object);
		bench_use(o->value);
		hazptr_release(&guard);
	}
	return n;
}

uint64_t ours_read_kept(struct bench_task *t)
{
	HAZPTR_GUARD(guard);
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct ours_object *o;

		o = hazptr_protect(&guard, &bench_hot.object);
		bench_use(o->value);
	}
	return n;
}

bench_inline struct bench_link **bare_step(struct bench_link **source)
{
	struct bench_link *link = __atomic_load_n(source, __ATOMIC_ACQUIRE);

	bench_use(link->value);
	return &link->next;
}

uint64_t bare_chain(struct bench_task *t)
{
	struct bench_link **source = &bench_chain;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		source = bare_step(source);
		source = bare_step(source);
	}
	return 2 * n;
}

bench_inline struct bench_link **ours_step(struct hazptr_guard *guard,
					   struct bench_link **source)
{
	struct bench_link *link = hazptr_protect(guard, source);

	bench_use(link->value);
	return &link->next;
}

/* Hand over hand: the next object is protected while this one still is. */
uint64_t ours_chain(struct bench_task *t)
{
	HAZPTR_GUARD(even);
	HAZPTR_GUARD(odd);
	struct bench_link **source = &bench_chain;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		source = ours_step(&even, source);
		source = ours_step(&odd, source);
	}
	return 2 * n;
}

enum {
	RAW,
	FRESH,
	FRESH_INIT,
	KEPT,
	FRESH_SO,
	KEPT_SO,
	URCU,
	URCU_KEPT,
	URCU_CALL,
	QSBR,
	MB,
	MB_KEPT,
	BP,
	BP_KEPT,
	EPOCH,
	CK,
	CDS,
	CDS_KEPT,
	MUTEX,
	RWLOCK,
	COUNT
};

static const struct bench_row w1_rows[] = {
	[RAW] = BENCH_ROW("bare load and dereference", bare, READ),
	[FRESH] = BENCH_ROW("hazptr, fresh guard", hazptr, READ),
	[FRESH_INIT] =
		BENCH_ROW("hazptr, fresh, GUARD_INIT", hazptr, READ_INIT),
	[KEPT] = BENCH_ROW("hazptr, guard kept", hazptr, READ_KEPT),
	[FRESH_SO] = BENCH_ROW_SO("hazptr (.so), fresh guard", hazptr, READ),
	[KEPT_SO] = BENCH_ROW_SO("hazptr (.so), guard kept", hazptr, READ_KEPT),
	[URCU] = BENCH_ROW("liburcu-memb, inlined", urcu_memb, READ),
	[URCU_KEPT] = BENCH_ROW("liburcu-memb, section of 1,024", urcu_memb,
				READ_KEPT),
	[URCU_CALL] = BENCH_ROW("liburcu-memb, called", urcu_called_memb, READ),
	[QSBR] = BENCH_ROW("liburcu-qsbr", urcu_qsbr, READ),
	[MB] = BENCH_ROW("liburcu-mb, inlined", urcu_mb, READ),
	[MB_KEPT] =
		BENCH_ROW("liburcu-mb, section of 1,024", urcu_mb, READ_KEPT),
	[BP] = BENCH_ROW("liburcu-bp, inlined", urcu_bp, READ),
	[BP_KEPT] =
		BENCH_ROW("liburcu-bp, section of 1,024", urcu_bp, READ_KEPT),
	[EPOCH] = BENCH_ROW("ck_epoch", epoch, READ),
	[CK] = BENCH_ROW("ck_hp", ck, READ),
	[CDS] = BENCH_ROW("libcds HP, fresh guard", cds, READ),
	[CDS_KEPT] = BENCH_ROW("libcds HP, guard kept", cds, READ_KEPT),
	[MUTEX] = BENCH_ROW("pthread mutex", mutex, READ),
	[RWLOCK] = BENCH_ROW("pthread rwlock", rwlock, READ),
	[COUNT] = BENCH_ROW("shared count", count, READ),
};

static const struct bench_target w1_targets[] = {
	{ .row = FRESH, .base = RAW, .limit = 2.6 },
	{ .row = FRESH, .base = URCU, .limit = 1.0 },
	{ .row = KEPT, .base = RAW, .limit = 2.0 },
	{ .row = FRESH_SO, .base = RAW, .limit = 2.6 },
	{ .row = FRESH_SO, .base = URCU, .limit = 1.0 },
	{ .row = KEPT_SO, .base = RAW, .limit = 2.0 },
};

struct bench_table bench_w1 = {
	.name = "W1",
	.title = "protect + dereference + release of one hot pointer",
	.rows = w1_rows,
	.nrows = BENCH_COUNT(w1_rows),
	.targets = w1_targets,
	.ntargets = BENCH_COUNT(w1_targets),
};

enum {
	CHAIN_RAW,
	CHAIN,
	CHAIN_SO,
	CHAIN_URCU,
	CHAIN_QSBR,
	CHAIN_MB,
	CHAIN_BP,
	CHAIN_CK,
	CHAIN_CDS
};

static const struct bench_row w1c_rows[] = {
	[CHAIN_RAW] = BENCH_ROW("bare chain", bare, CHAIN),
	[CHAIN] = BENCH_ROW("hazptr, hand over hand", hazptr, CHAIN),
	[CHAIN_SO] =
		BENCH_ROW_SO("hazptr (.so), hand over hand", hazptr, CHAIN),
	[CHAIN_URCU] = BENCH_ROW("liburcu-memb, inlined", urcu_memb, CHAIN),
	[CHAIN_QSBR] = BENCH_ROW("liburcu-qsbr", urcu_qsbr, CHAIN),
	[CHAIN_MB] = BENCH_ROW("liburcu-mb, inlined", urcu_mb, CHAIN),
	[CHAIN_BP] = BENCH_ROW("liburcu-bp, inlined", urcu_bp, CHAIN),
	[CHAIN_CK] = BENCH_ROW("ck_hp, hand over hand", ck, CHAIN),
	[CHAIN_CDS] = BENCH_ROW("libcds HP, hand over hand", cds, CHAIN),
};

static const struct bench_target w1c_targets[] = {
	{ .row = CHAIN, .base = CHAIN_RAW, .limit = 1.1 },
	{ .row = CHAIN_SO, .base = CHAIN_RAW, .limit = 1.1 },
};

struct bench_table bench_w1c = {
	.name = "W1c",
	.title = "the same in a chain of 256 objects, in random order",
	.rows = w1c_rows,
	.nrows = BENCH_COUNT(w1c_rows),
	.targets = w1c_targets,
	.ntargets = BENCH_COUNT(w1c_targets),
};
