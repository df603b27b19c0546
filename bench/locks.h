/* SPDX-License-Identifier: MIT */
/*
 * bench/locks.h - what is done with a lock and its condition variable, the
 * same code for every scheme
 *
 * Who includes this defines, before it:
 *
 *	struct lock, struct cond
 *	lock_take(l), lock_give(l)
 *	cond_wait(c, l), cond_one(c), cond_all(c)
 *
 * Zeroed memory, or a constructor, makes both.
 */
#ifndef BENCH_LOCKS_H
#define BENCH_LOCKS_H

#include "crowd.h"

#define HOLD_NS 1000
#define LOCKS_OVER 2u

static struct {
	char before[128];
	struct lock lock;
	char between[128];
	struct cond cond[2];
	char after[128];
	/* under the lock */
	unsigned turn;	     /* of the ping-pong */
	unsigned generation; /* of the broadcast */
	unsigned wanted;     /* threads that wait for it */
	unsigned waiting;
	unsigned ran;
	bool over;
	double last; /* when the last one of them ran */
	uint32_t all_wait, all_ran;
	struct bench_crowd crowd;
} locks;

static uint64_t locks_empty(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		lock_take(&locks.lock);
		lock_give(&locks.lock);
	}
	return n;
}

/* Who gives it back wants it at once. */
static uint64_t locks_hold(struct bench_task *t)
{
	double now = bench_now(), got;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		lock_take(&locks.lock);
		got = bench_now();
		if (got - now > t->own)
			t->own = got - now;
		do
			now = bench_now();
		while (now - got < HOLD_NS);
		lock_give(&locks.lock);
	}
	return n;
}

static uint64_t locks_ping(struct bench_task *t)
{
	unsigned me = t->index;
	uint64_t n;

	lock_take(&locks.lock);
	for (n = 0;; n++) {
		while (locks.turn != me && locks.turn != LOCKS_OVER)
			cond_wait(&locks.cond[me], &locks.lock);
		if (locks.turn == LOCKS_OVER) {
			locks.turn = 0; /* to begin again */
			break;
		}
		locks.turn = !me && n && !bench_go(t) ? LOCKS_OVER : !me;
		cond_one(&locks.cond[!me]);
		if (locks.turn == LOCKS_OVER)
			break;
	}
	lock_give(&locks.lock);
	return n + 1;
}

/* One of those who wait for the broadcast. */
static void *locks_waiter(void *arg)
{
	unsigned generation;

	lock_take(&locks.lock);
	for (;;) {
		generation = locks.generation;
		if (++locks.waiting == locks.wanted)
			bench_flag_set(&locks.all_wait);
		while (generation == locks.generation && !locks.over)
			cond_wait(&locks.cond[0], &locks.lock);
		if (locks.over)
			break;
		if (++locks.ran < locks.wanted)
			continue;
		locks.last = bench_now();
		bench_flag_set(&locks.all_ran);
	}
	lock_give(&locks.lock);
	return arg;
}

static void locks_all_begin(unsigned n)
{
	locks.wanted = n;
	locks.waiting = 0;
	locks.over = false;
	locks.all_wait = locks.all_ran = 0;
	bench_crowd_start(&locks.crowd, n, locks_waiter, NULL);
}

static void locks_all_end(void)
{
	bench_flag_await(&locks.all_wait);
	lock_take(&locks.lock);
	locks.over = true;
	cond_all(&locks.cond[0]);
	lock_give(&locks.lock);
	bench_crowd_join(&locks.crowd);
}

/* Return: how long the call took. */
bench_inline double locks_broadcast(double *start, bool late)
{
	double end;

	/* After this nobody has the lock but to sleep. */
	bench_flag_await(&locks.all_wait);
	lock_take(&locks.lock);
	locks.ran = locks.waiting = 0;
	locks.generation++;
	if (late)
		lock_give(&locks.lock);
	*start = bench_now();
	cond_all(&locks.cond[0]);
	end = bench_now();
	if (!late)
		lock_give(&locks.lock);
	bench_flag_await(&locks.all_ran);
	return end - *start;
}

static uint64_t locks_all(struct bench_task *t)
{
	double start;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += locks.wanted) {
		locks_broadcast(&start, false);
		t->own += locks.last - start;
	}
	return n;
}

static uint64_t locks_all_late(struct bench_task *t)
{
	double start;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += locks.wanted) {
		locks_broadcast(&start, true);
		t->own += locks.last - start;
	}
	return n;
}

static uint64_t locks_call(struct bench_task *t)
{
	double start;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += locks.wanted)
		t->own += locks_broadcast(&start, false);
	return n;
}

static unsigned locks_waiters(enum bench_job job)
{
	switch (job) {
	case BENCH_ALL_100:
	case BENCH_CALL_100:
		return 100;
	case BENCH_ALL_1000:
	case BENCH_CALL_1000:
	case BENCH_LATE_1000:
		return 1000;
	default:
		return 0;
	}
}

static void locks_start(enum bench_job job)
{
	unsigned n = locks_waiters(job);

	locks.turn = 0;
	if (n)
		locks_all_begin(n);
}

static uint64_t locks_end(enum bench_job job)
{
	if (locks_waiters(job))
		locks_all_end();
	return 0;
}

/* SET(job, body) for each; C and C++ fill a table in different ways. */
#define LOCKS_BODIES(SET)          \
	SET(LOCK, locks_empty)     \
	SET(HOLD, locks_hold)      \
	SET(PING_COND, locks_ping) \
	SET(ALL_100, locks_all)    \
	SET(ALL_1000, locks_all)   \
	SET(CALL_100, locks_call)  \
	SET(CALL_1000, locks_call) \
	SET(LATE_1000, locks_all_late)

#define LOCKS_SET(does, body) [BENCH_##does] = (body),

#endif /* BENCH_LOCKS_H */
