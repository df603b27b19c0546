/* SPDX-License-Identifier: MIT */
/*
 * bench/w6.c - W6: publish a new object, and wait until the old one is free
 *
 * Alone, beside two readers that sleep outside of any section, and beside one
 * that reads all the time. Two objects stand there in turn, so that nothing is
 * allocated; ck_hp, which has no call for one object, retires it and reclaims
 * until it is gone. The baseline is the call that such a wait needs at least:
 * membarrier(2).
 */
#define _GNU_SOURCE
#include "ours.h"

#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* After each one a look at the time that is left: some take very long. */
#define EACH(t, n) for ((n) = 0; !(n) || bench_go(t); (n)++)

uint64_t ours_await(struct bench_task *t)
{
	struct ours_object *spare = ours_new();
	uint64_t n;

	EACH(t, n)
	{
		spare = __atomic_exchange_n(&bench_hot.object, spare,
					    __ATOMIC_ACQ_REL);
		hazptr_synchronize(spare);
		spare->value = 1;
	}
	free(spare);
	return n;
}

uint64_t ours_fence(struct bench_task *t)
{
	uint64_t n;

	EACH(t, n)
	hazptr_fence_heavy();
	return n;
}

uint64_t bare_fence(struct bench_task *t)
{
	uint64_t n;

	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
		0);
	EACH(t, n)
	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	return n;
}

enum {
	CALL,
	FENCE,
	OURS,
	URCU,
	QSBR,
	MB,
	BP,
	CK,
	IDLE_CALL,
	IDLE_FENCE,
	IDLE,
	IDLE_URCU,
	IDLE_QSBR,
	IDLE_MB,
	IDLE_BP,
	IDLE_CK,
	BUSY_CALL,
	BUSY_FENCE,
	BUSY,
	BUSY_URCU,
	BUSY_QSBR,
	BUSY_MB,
	BUSY_BP,
	BUSY_CK
};

#define BESIDE(called, by, does, n, helps)                                  \
	{                                                                   \
		.name = called, .scheme = &bench_##by, .job = BENCH_##does, \
		.helped = n, .helper = BENCH_##helps,                       \
		.task = BENCH_##does == BENCH_FENCE                         \
	}
#define ALONE(called, by, does) BENCH_ROW(called, by, does)
#define WITH_IDLE(called, by, does) BESIDE(called ", 2 idle", by, does, 2, REST)
#define WITH_BUSY(called, by, does) BESIDE(called ", 1 busy", by, does, 1, READ)

static const struct bench_row rows[] = {
	[CALL] = BENCH_ROW_TASK(1, "membarrier(2)", bare, FENCE),
	[FENCE] = BENCH_ROW_TASK(1, "hazptr_fence_heavy", hazptr, FENCE),
	[OURS] = ALONE("hazptr_synchronize", hazptr, AWAIT),
	[URCU] = ALONE("synchronize_rcu, memb", urcu_memb, AWAIT),
	[QSBR] = ALONE("synchronize_rcu, qsbr", urcu_qsbr, AWAIT),
	[MB] = ALONE("synchronize_rcu, mb", urcu_mb, AWAIT),
	[BP] = ALONE("synchronize_rcu, bp", urcu_bp, AWAIT),
	[CK] = ALONE("ck_hp", ck, AWAIT),
	[IDLE_CALL] = WITH_IDLE("membarrier(2)", bare, FENCE),
	[IDLE_FENCE] = WITH_IDLE("hazptr_fence_heavy", hazptr, FENCE),
	[IDLE] = WITH_IDLE("hazptr_synchronize", hazptr, AWAIT),
	[IDLE_URCU] = WITH_IDLE("synchronize_rcu, memb", urcu_memb, AWAIT),
	[IDLE_QSBR] = WITH_IDLE("synchronize_rcu, qsbr", urcu_qsbr, AWAIT),
	[IDLE_MB] = WITH_IDLE("synchronize_rcu, mb", urcu_mb, AWAIT),
	[IDLE_BP] = WITH_IDLE("synchronize_rcu, bp", urcu_bp, AWAIT),
	[IDLE_CK] = WITH_IDLE("ck_hp", ck, AWAIT),
	[BUSY_CALL] = WITH_BUSY("membarrier(2)", bare, FENCE),
	[BUSY_FENCE] = WITH_BUSY("hazptr_fence_heavy", hazptr, FENCE),
	[BUSY] = WITH_BUSY("hazptr_synchronize", hazptr, AWAIT),
	[BUSY_URCU] = WITH_BUSY("synchronize_rcu, memb", urcu_memb, AWAIT),
	[BUSY_QSBR] = WITH_BUSY("synchronize_rcu, qsbr", urcu_qsbr, AWAIT),
	[BUSY_MB] = WITH_BUSY("synchronize_rcu, mb", urcu_mb, AWAIT),
	[BUSY_BP] = WITH_BUSY("synchronize_rcu, bp", urcu_bp, AWAIT),
	[BUSY_CK] = WITH_BUSY("ck_hp", ck, AWAIT),
};

static const struct bench_target targets[] = {
	{ .row = IDLE, .base = IDLE_CALL, .limit = 1.2 },
};

struct bench_table bench_w6 = {
	.name = "W6",
	.title = "store a new object, wait until the old one is free",
	.unit = BENCH_NS_CLOCK,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = CALL,
	.targets = targets,
	.ntargets = BENCH_COUNT(targets),
	.threads = 1,
};
