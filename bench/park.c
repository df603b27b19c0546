/* SPDX-License-Identifier: MIT */
/*
 * bench/park.c - waiting and locks, ours
 */
#define _GNU_SOURCE
#include "crowd.h"

#include <hazptr/cond.h>
#include <hazptr/futex.h>
#include <hazptr/hazptr.h>
#include <hazptr/mutex.h>

#include <limits.h>
#include <sys/resource.h>

#define WORDS 10000
#define WORDS_STEP 7919 /* a prime: all of them, in an order that looks odd */
#define FEW_BUCKETS 64	/* what 16 threads have */
#define STEP_NS 1000000L
#define LOOK_NS 20000 /* an operation so long may have been interrupted */

/* Words as they stand in objects of a cache line each. */
static struct {
	uint32_t word;
	char room[60];
} places[WORDS];

static unsigned step(unsigned i)
{
	i += WORDS_STEP;
	return i < WORDS ? i : i - WORDS;
}

/* The ping-pong by words. */
#define word_type uint32_t
#define word_load(w) __atomic_load_n(w, __ATOMIC_ACQUIRE)
#define word_store(w, v) __atomic_store_n(w, (uint32_t)(v), __ATOMIC_RELEASE)
#define word_wait(w, v) hazptr_futex_wait(w, (uint32_t)(v), NULL)
#define word_wake(w) hazptr_futex_wake(w, 1)
#include "words.h"

/* The jobs of locks. */
struct lock {
	struct hazptr_mutex mutex;
};
struct cond {
	struct hazptr_cond cond;
};
#define lock_take(l) hazptr_mutex_lock(&(l)->mutex)
#define lock_give(l) hazptr_mutex_unlock(&(l)->mutex)
#define cond_wait(c, l) hazptr_cond_wait(&(c)->cond, &(l)->mutex)
#define cond_one(c) hazptr_cond_signal(&(c)->cond)
#define cond_all(c) hazptr_cond_broadcast(&(c)->cond)
#include "locks.h"

static uint64_t ours_wake(struct bench_task *t)
{
	unsigned i = t->index * (WORDS / 2);
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		hazptr_futex_wake(&places[i].word, 1);
		i = step(i);
	}
	return n;
}

static uint64_t ours_stale(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	hazptr_futex_wait(&places[t->index].word, 1, NULL);
	return n;
}

static bool refuse(void *arg)
{
	(void)arg;
	return false;
}

/* Nobody sleeps there; of 16 three lock the bucket, as a wait does twice. */
static void mixed(struct bench_task *t)
{
	uint32_t r = bench_random(t);
	uint32_t *word = &places[(r >> 8) % WORDS].word;

	if ((r & 15) > 2)
		hazptr_futex_wake(word, 1);
	else if (r & 1)
		hazptr_park(word, refuse, NULL, NULL, NULL, NULL);
	else
		hazptr_unpark_one(word, NULL, NULL);
}

static uint64_t ours_mix(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	mixed(t);
	return n;
}

static long interruptions(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw;
}

/* The longest one during which no other thread was given the processor. */
static uint64_t ours_mix_longest(struct bench_task *t)
{
	double now = bench_now(), then;
	long before = interruptions(), after;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		then = now;
		mixed(t);
		now = bench_now();
		if (now - then < LOOK_NS || now - then <= t->own)
			continue;
		after = interruptions();
		if (after == before)
			t->own = now - then;
		before = after;
		now = bench_now();
	}
	return n;
}

static unsigned resize_to; /* and half of it, in turn */

static uint64_t each_ms(struct bench_task *t, bool resize)
{
	struct timespec due;
	uint64_t n;

	clock_gettime(CLOCK_MONOTONIC, &due);
	for (n = 0; !n || bench_go(t); n++) {
		if (resize)
			hazptr_futex_hash_resize(resize_to >> (n & 1));
		due.tv_nsec += STEP_NS;
		if (due.tv_nsec >= 1000000000L) {
			due.tv_nsec -= 1000000000L;
			due.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
	return n;
}

static uint64_t ours_resize(struct bench_task *t)
{
	return each_ms(t, true);
}

static uint64_t ours_idle(struct bench_task *t)
{
	return each_ms(t, false);
}

static struct bench_sleepers sleepers;

static void sleepers_wait(uint32_t *word)
{
	hazptr_futex_wait(word, 0, NULL);
}

static void sleepers_wake(uint32_t *word)
{
	hazptr_futex_wake(word, INT_MAX);
}

static bool has_crowd(enum bench_job job)
{
	return job == BENCH_WAKE_CROWD || job == BENCH_MIX_CROWD;
}

/* A table as few threads have, whatever has been measured before. */
static void park_begin(enum bench_job job)
{
	bool many = has_crowd(job) || locks_waiters(job);

	resize_to = has_crowd(job) ? 8192 : 2 * FEW_BUCKETS;
	hazptr_futex_hash_resize(many ? 0 : FEW_BUCKETS);
	if (has_crowd(job))
		bench_sleepers_start(&sleepers, sleepers_wait, sleepers_wake);
	locks_start(job);
}

static uint64_t park_end(enum bench_job job)
{
	if (has_crowd(job))
		bench_sleepers_end(&sleepers);
	return locks_end(job);
}

const struct bench_scheme bench_park = {
	.name = "hazptr",
	.kind = BENCH_OURS,
	.version = "",
	.begin = park_begin,
	.end = park_end,
	.body = {
		LOCKS_BODIES(LOCKS_SET)
		[BENCH_WAKE] = ours_wake,
		[BENCH_WAKE_CROWD] = ours_wake,
		[BENCH_STALE] = ours_stale,
		[BENCH_PING] = words_ping,
		[BENCH_MIX] = ours_mix,
		[BENCH_MIX_CROWD] = ours_mix_longest,
		[BENCH_RESIZE] = ours_resize,
		[BENCH_IDLE] = ours_idle,
	},
};
