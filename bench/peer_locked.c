/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_locked.c - what a program has without any of this
 *
 * A mutex or a reader-writer lock around each look at the object, which a
 * writer then frees at once; or a count of its users. The count alone keeps
 * nobody from freeing the object between the load of the pointer and the
 * addition: it is what the addition costs.
 */
#include "ours.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t mutex
	__attribute__((__aligned__(128))) = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock
	__attribute__((__aligned__(128))) = PTHREAD_RWLOCK_INITIALIZER;
static uint64_t users __attribute__((__aligned__(128)));

static void begin(enum bench_job job)
{
	(void)job;
	bench_hot.object = ours_new();
}

static uint64_t end(enum bench_job job)
{
	(void)job;
	free(bench_hot.object);
	bench_hot.object = NULL;
	return 0;
}

static void look(void)
{
	struct ours_object *o;

	o = __atomic_load_n(&bench_hot.object, __ATOMIC_ACQUIRE);
	bench_use(o->value);
}

static void mutex_replace(void)
{
	struct ours_object *o = ours_new();

	pthread_mutex_lock(&mutex);
	o = __atomic_exchange_n(&bench_hot.object, o, __ATOMIC_ACQ_REL);
	pthread_mutex_unlock(&mutex);
	free(o);
}

static uint64_t mutex_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		pthread_mutex_lock(&mutex);
		look();
		pthread_mutex_unlock(&mutex);
	}
	return n;
}

static void rwlock_replace(void)
{
	struct ours_object *o = ours_new();

	pthread_rwlock_wrlock(&rwlock);
	o = __atomic_exchange_n(&bench_hot.object, o, __ATOMIC_ACQ_REL);
	pthread_rwlock_unlock(&rwlock);
	free(o);
}

static uint64_t rwlock_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		pthread_rwlock_rdlock(&rwlock);
		look();
		pthread_rwlock_unlock(&rwlock);
	}
	return n;
}

static uint64_t count_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		__atomic_fetch_add(&users, 1, __ATOMIC_ACQUIRE);
		look();
		__atomic_fetch_sub(&users, 1, __ATOMIC_RELEASE);
	}
	return n;
}

const struct bench_scheme bench_mutex = {
	.name = "pthread mutex",
	.version = "",
	.begin = begin,
	.end = end,
	.replace = mutex_replace,
	.body = { [BENCH_READ] = mutex_read },
};

const struct bench_scheme bench_rwlock = {
	.name = "pthread rwlock",
	.version = "",
	.begin = begin,
	.end = end,
	.replace = rwlock_replace,
	.body = { [BENCH_READ] = rwlock_read },
};

const struct bench_scheme bench_count = {
	.name = "shared count",
	.kind = BENCH_WEAKER,
	.version = "",
	.begin = begin,
	.end = end,
	.body = { [BENCH_READ] = count_read },
};
