/* SPDX-License-Identifier: MIT */
/*
 * bench/r2.c - R2: store a new node, flat out
 *
 * malloc, store, and the end of the node that stood there, by free() or by a
 * release function, which runs in the library's thread. The baseline does what
 * has to be done in any case when loads are not to wait: exchange, keep 1,000
 * nodes, one heavy fence, one reference less each, free. It looks for no
 * readers.
 *
 * CPU time of the whole process, the library's or the peer's own threads and
 * the last reclamation included.
 */
#include "refs.h"

#include <stdlib.h>

#define BATCH 1000
#define LOOK_MASK (16 * BENCH_TURNS - 1)

/* What waits, looked at now and then; and the record before that. */
static uint64_t most, record;

static void end_line(struct hazptr_head *line)
{
	hazptr_fence_heavy();
	while (line) {
		struct hazptr_shared_node *node = (void *)line;

		line = node->next;
		if (__atomic_fetch_sub(&node->counts, 1, __ATOMIC_ACQ_REL) == 1)
			free(node);
	}
}

uint64_t bare_ref_store(struct bench_task *t)
{
	struct hazptr_head *line = NULL;
	unsigned length = 0;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_shared_node *node = &ref_new()->node;

		node->counts = 1;
		node = __atomic_exchange_n(&bench_ref_hot.current.node, node,
					   __ATOMIC_ACQ_REL);
		node->next = line;
		line = (void *)node;
		if (++length < BATCH)
			continue;
		end_line(line);
		line = NULL;
		length = 0;
	}
	end_line(line);
	return n;
}

static inline void store(hazptr_release_fn release)
{
	struct hazptr_shared sp;

	sp = hazptr_shared_create(&ref_new()->node, release);
	hazptr_sync_shared_store(&bench_ref_hot.current, &sp);
}

void refs_replace(void)
{
	store(NULL);
}

static void look(uint64_t n)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	if (n & LOOK_MASK)
		return;
	hazptr_domain_stats(NULL, &stats);
	if (stats.pending > most)
		most = stats.pending;
}

uint64_t refs_store(struct bench_task *t)
{
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += BENCH_TURNS) {
		for (unsigned i = BENCH_TURNS; i; i--)
			store(NULL);
		look(n);
	}
	return n;
}

static void release(struct hazptr_shared_node *node)
{
	free(node);
}

uint64_t refs_store_function(struct bench_task *t)
{
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += BENCH_TURNS) {
		for (unsigned i = BENCH_TURNS; i; i--)
			store(release);
		look(n);
	}
	return n;
}

static uint64_t peak_ever(void)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_domain_stats(NULL, &stats);
	return stats.pending_peak;
}

void refs_store_begin(void)
{
	most = 0;
	record = peak_ever();
}

/* The domain's own figure where this measurement made it. */
uint64_t refs_store_end(void)
{
	uint64_t peak = peak_ever();

	return peak > record ? peak : most;
}

enum { FLOOR, FREE, FREE_SO, FUNCTION, URCU, STD, BOOST };

static const struct bench_row rows[] = {
	[FLOOR] = BENCH_ROW("exchange, free by 1,000", bare_refs, STORE),
	[FREE] = BENCH_ROW("hazptr, free", refs, STORE),
	[FREE_SO] = BENCH_ROW_SO("hazptr (.so), free", refs, STORE),
	[FUNCTION] = BENCH_ROW("hazptr, release function", refs, STORE_CALL),
	[URCU] = BENCH_ROW("liburcu-memb, call_rcu", urcu_refs, STORE),
	[STD] = BENCH_ROW("std::atomic<shared_ptr>", std, STORE),
	[BOOST] = BENCH_ROW("boost::atomic_shared_ptr", boost, STORE),
};

static const struct bench_target targets[] = {
	{ .row = FREE, .base = FLOOR, .limit = 1.2 },
	{ .row = FREE, .base = URCU, .limit = 1.0 },
	{ .row = FUNCTION, .base = URCU, .limit = 1.0 },
	{ .row = FREE, .peak = true, .limit = 1.0 },
};

static void r2_prepare(struct bench_table *t)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_domain_stats(NULL, &stats);
	t->bound = stats.max_retired + stats.slots;
}

struct bench_table bench_r2 = {
	.name = "R2",
	.title = "malloc + store + reclaim nodes of 64 bytes",
	.unit = BENCH_NS_PROCESS,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = FLOOR,
	.targets = targets,
	.ntargets = BENCH_COUNT(targets),
	.threads = 1,
	.peak = true,
	.prepare = r2_prepare,
};
