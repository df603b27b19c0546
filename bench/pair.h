/* SPDX-License-Identifier: MIT */
/*
 * bench/pair.h - W3p's two threads, the same code for every scheme
 *
 * One allocates objects and passes them on in a ring, in batches, so that the
 * ring's own lines cost little; the other one retires them. Who includes this
 * defines, before it, pair_object (a type), pair_new() and pair_retire().
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "bench.h"

#include <sched.h>
#include <stdlib.h>

#define PAIR_RING 4096
#define PAIR_BATCH 64

static struct {
	uint64_t made __attribute__((__aligned__(128)));
	uint64_t taken __attribute__((__aligned__(128)));
	pair_object *ring[PAIR_RING];
} pair;

static inline uint64_t pair_load(uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Until there is room for a batch, or objects. False: the end. */
static inline bool pair_await(const struct bench_task *t, bool full)
{
	for (;;) {
		uint64_t n = pair_load(&pair.made) - pair_load(&pair.taken);

		if (full ? n < PAIR_RING : n > 0)
			return true;
		if (!bench_go(t))
			return false;
		sched_yield();
	}
}

static uint64_t pair_produce(struct bench_task *t)
{
	uint64_t n = 0, at = pair.made;

	while (bench_go(t) && pair_await(t, true)) {
		for (unsigned i = 0; i < PAIR_BATCH; i++)
			pair.ring[at++ % PAIR_RING] = pair_new();
		__atomic_store_n(&pair.made, at, __ATOMIC_RELEASE);
		n += PAIR_BATCH;
	}
	return n;
}

/* Some at least, so that a time can be divided by their number. */
static uint64_t pair_consume(struct bench_task *t)
{
	uint64_t n = 0, at = pair.taken;

	while (bench_go(t) && pair_await(t, false)) {
		for (unsigned i = 0; i < PAIR_BATCH; i++)
			pair_retire(pair.ring[at++ % PAIR_RING]);
		__atomic_store_n(&pair.taken, at, __ATOMIC_RELEASE);
		n += PAIR_BATCH;
	}
	return n ? n : 1;
}

/* What nobody took. */
static inline void pair_empty(void)
{
	for (; pair.taken < pair.made; pair.taken++)
		free(pair.ring[pair.taken % PAIR_RING]);
	pair.made = pair.taken = 0;
}

#endif /* BENCH_PAIR_H */
