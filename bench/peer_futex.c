/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_futex.c - futex(2), private
 */
#include "crowd.h"

#include <limits.h>

#define WORDS 10000
#define WORDS_STEP 7919

static struct {
	uint32_t word;
	char room[60];
} places[WORDS];

#define word_type uint32_t
#define word_load(w) __atomic_load_n(w, __ATOMIC_ACQUIRE)
#define word_store(w, v) __atomic_store_n(w, (uint32_t)(v), __ATOMIC_RELEASE)
#define word_wait(w, v) bench_futex_wait(w, (uint32_t)(v))
#define word_wake(w) bench_futex_wake(w, 1)
#include "words.h"

static uint64_t wake(struct bench_task *t)
{
	unsigned i = t->index * (WORDS / 2);
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		bench_futex_wake(&places[i].word, 1);
		i += WORDS_STEP;
		i = i < WORDS ? i : i - WORDS;
	}
	return n;
}

static uint64_t stale(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	bench_futex_wait(&places[t->index].word, 1);
	return n;
}

static struct bench_sleepers sleepers;

static void sleepers_wait(uint32_t *word)
{
	bench_futex_wait(word, 0);
}

static void sleepers_wake(uint32_t *word)
{
	bench_futex_wake(word, INT_MAX);
}

static void begin(enum bench_job job)
{
	if (job == BENCH_WAKE_CROWD)
		bench_sleepers_start(&sleepers, sleepers_wait, sleepers_wake);
}

static uint64_t end(enum bench_job job)
{
	if (job == BENCH_WAKE_CROWD)
		bench_sleepers_end(&sleepers);
	return 0;
}

const struct bench_scheme bench_futex = {
	.name = "futex(2)",
	.version = "",
	.begin = begin,
	.end = end,
	.body = {
		[BENCH_WAKE] = wake,
		[BENCH_WAKE_CROWD] = wake,
		[BENCH_STALE] = stale,
		[BENCH_PING] = words_ping,
	},
};
