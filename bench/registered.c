/* SPDX-License-Identifier: MIT */
/*
 * bench/registered.c - threads that are known to a scheme, and sleep
 *
 * How many, says BENCH_REGISTERED in the environment, so that each number has
 * a program of its own (remote.c): some libraries never forget how many
 * threads there were.
 */
#define _GNU_SOURCE
#include "run.h"

#include "crowd.h"

#include <limits.h>
#include <stdlib.h>

#define STACK (32 * 1024)
#define WAIT_NS 1000000L

static struct {
	const struct bench_scheme *scheme;
	pthread_t *id;
	unsigned room;
	unsigned n;
	unsigned ready;
	uint32_t over;
} crowd;

static void *run(void *arg)
{
	free(malloc(1)); /* malloc's own for a thread, whatever follows */
	if (crowd.scheme->enter)
		crowd.scheme->enter();
	bench_look(crowd.scheme);
	__atomic_fetch_add(&crowd.ready, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&crowd.over, __ATOMIC_ACQUIRE))
		bench_futex_wait(&crowd.over, 0);
	if (crowd.scheme->leave)
		crowd.scheme->leave();
	return arg;
}

/* Kept: a second crowd of the same size allocates nothing here. */
static void make_room(unsigned n)
{
	if (n <= crowd.room)
		return;
	free(crowd.id);
	crowd.id = bench_alloc(n * sizeof(*crowd.id));
	crowd.room = n;
}

bool bench_registered_begin(const struct bench_scheme *scheme, unsigned n)
{
	static const struct timespec moment = { 0, WAIT_NS };
	pthread_attr_t attr;

	crowd.scheme = scheme;
	crowd.ready = 0;
	crowd.over = 0;
	make_room(n);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setguardsize(&attr, 0);
	for (crowd.n = 0; crowd.n < n; crowd.n++)
		if (pthread_create(&crowd.id[crowd.n], &attr, run, NULL))
			break;
	pthread_attr_destroy(&attr);
	while (__atomic_load_n(&crowd.ready, __ATOMIC_RELAXED) < crowd.n)
		nanosleep(&moment, NULL);
	if (crowd.n == n)
		return true;
	bench_registered_end();
	return false;
}

bool bench_registered_start(const struct bench_scheme *scheme)
{
	const char *wanted = getenv("BENCH_REGISTERED");
	unsigned n = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 0;

	return !n || bench_registered_begin(scheme, n);
}

void bench_registered_end(void)
{
	__atomic_store_n(&crowd.over, 1, __ATOMIC_RELEASE);
	bench_futex_wake(&crowd.over, INT_MAX);
	while (crowd.n)
		pthread_join(crowd.id[--crowd.n], NULL);
}
