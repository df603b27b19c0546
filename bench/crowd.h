/* SPDX-License-Identifier: MIT */
/*
 * bench/crowd.h - threads that sleep while others are measured
 *
 * The same for all schemes: how they are started, and the word by which they
 * tell the measured thread that it can go on. That word is the kernel's.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "bench.h"

#include <pthread.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_CROWD 1000 /* threads, at most */

struct bench_crowd {
	unsigned n;
	pthread_t id[BENCH_CROWD];
};

static inline double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Exits when they cannot be started. */
void bench_crowd_start(struct bench_crowd *c, unsigned n,
		       void *(*run)(void *arg), void *arg);
void bench_crowd_join(struct bench_crowd *c);

/* Threads that only sleep, each at a word of its own, by these two. */
struct bench_sleepers {
	struct bench_crowd crowd;
	void (*wait)(uint32_t *word);
	void (*wake)(uint32_t *word);
	uint32_t next; /* who is the next to sleep */
	uint32_t word[BENCH_CROWD];
};

void bench_sleepers_start(struct bench_sleepers *s,
			  void (*wait)(uint32_t *word),
			  void (*wake)(uint32_t *word));
void bench_sleepers_end(struct bench_sleepers *s);

/* 0 until it is set. */
void bench_flag_set(uint32_t *flag);
/* Sleeps until it is set, and clears it. */
void bench_flag_await(uint32_t *flag);

/* futex(2), private */
long bench_futex_wait(const uint32_t *word, uint32_t value);
long bench_futex_wake(const uint32_t *word, int n);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_CROWD_H */
