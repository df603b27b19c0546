/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_pthread.c - the C library's mutexes and condition variables
 *
 * Both kinds of mutex by the same code, as a program has it.
 */
#define _GNU_SOURCE
#include <pthread.h>

#define STRING_(x) #x
#define STRING(x) STRING_(x)

struct lock {
	pthread_mutex_t mutex;
};
struct cond {
	pthread_cond_t cond;
};
#define lock_take(l) pthread_mutex_lock(&(l)->mutex)
#define lock_give(l) pthread_mutex_unlock(&(l)->mutex)
#define cond_wait(c, l) pthread_cond_wait(&(c)->cond, &(l)->mutex)
#define cond_one(c) pthread_cond_signal(&(c)->cond)
#define cond_all(c) pthread_cond_broadcast(&(c)->cond)
#include "locks.h"

static void make(int kind)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, kind);
	pthread_mutex_init(&locks.lock.mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_cond_init(&locks.cond[0].cond, NULL);
	pthread_cond_init(&locks.cond[1].cond, NULL);
}

static void normal_begin(enum bench_job job)
{
	make(PTHREAD_MUTEX_NORMAL);
	locks_start(job);
}

const struct bench_scheme bench_pthread = {
	.name = "glibc",
	.version = STRING(__GLIBC__) "." STRING(__GLIBC_MINOR__),
	.begin = normal_begin,
	.end = locks_end,
	.body = { LOCKS_BODIES(LOCKS_SET) },
};

#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
static void adaptive_begin(enum bench_job job)
{
	make(PTHREAD_MUTEX_ADAPTIVE_NP);
	locks_start(job);
}

const struct bench_scheme bench_adaptive = {
	.name = "glibc, adaptive",
	.version = STRING(__GLIBC__) "." STRING(__GLIBC_MINOR__),
	.begin = adaptive_begin,
	.end = locks_end,
	.body = { LOCKS_BODIES(LOCKS_SET) },
};
#else
const struct bench_scheme bench_adaptive = { .name = "glibc, adaptive" };
#endif
