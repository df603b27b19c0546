/* SPDX-License-Identifier: MIT */
/* bench/crowd.c - see crowd.h */
#define _GNU_SOURCE
#include "crowd.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK (64 * 1024)
#define SETTLE_NS 20000000L /* the last one goes to sleep */

long bench_futex_wait(const uint32_t *word, uint32_t value)
{
	return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL,
		       0);
}

long bench_futex_wake(const uint32_t *word, int n)
{
	return syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

void bench_flag_set(uint32_t *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
	bench_futex_wake(flag, INT_MAX);
}

void bench_flag_await(uint32_t *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		bench_futex_wait(flag, 0);
	__atomic_store_n(flag, 0, __ATOMIC_RELAXED);
}

void bench_crowd_start(struct bench_crowd *c, unsigned n,
		       void *(*run)(void *arg), void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (c->n = 0; c->n < n; c->n++) {
		if (!pthread_create(&c->id[c->n], &attr, run, arg))
			continue;
		fprintf(stderr, "hazptr-bench: cannot start %u threads\n", n);
		exit(1);
	}
	pthread_attr_destroy(&attr);
}

void bench_crowd_join(struct bench_crowd *c)
{
	while (c->n)
		pthread_join(c->id[--c->n], NULL);
}

static void *sleep_on(void *arg)
{
	struct bench_sleepers *s = arg;
	uint32_t *word;

	word = &s->word[__atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED)];
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		s->wait(word);
	return NULL;
}

void bench_sleepers_start(struct bench_sleepers *s,
			  void (*wait)(uint32_t *word),
			  void (*wake)(uint32_t *word))
{
	static const struct timespec settle = { 0, SETTLE_NS };
	static const struct timespec moment = { 0, SETTLE_NS / 20 };

	s->next = 0;
	s->wait = wait;
	s->wake = wake;
	for (unsigned i = 0; i < BENCH_CROWD; i++)
		s->word[i] = 0;
	bench_crowd_start(&s->crowd, BENCH_CROWD, sleep_on, s);
	while (__atomic_load_n(&s->next, __ATOMIC_RELAXED) < BENCH_CROWD)
		nanosleep(&moment, NULL);
	nanosleep(&settle, NULL);
}

void bench_sleepers_end(struct bench_sleepers *s)
{
	for (unsigned i = 0; i < BENCH_CROWD; i++) {
		__atomic_store_n(&s->word[i], 1, __ATOMIC_RELEASE);
		s->wake(&s->word[i]);
	}
	bench_crowd_join(&s->crowd);
}
