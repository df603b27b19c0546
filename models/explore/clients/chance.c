/* SPDX-License-Identifier: MIT */
/*
 * chance - programs by chance, to compare the search with one that tries all
 *
 * --option seed=N: two or three threads that load, store, exchange, fence and
 * lock at three words. What each saw is the outcome.
 */
#include <hazptr/hazptr.h>

#include "../../../src/port/port.h"
#include "explore.h"

#include <stdio.h>

#define THREADS 3
#define OPS 4
#define KINDS 18

static uint32_t words[3];
static struct hazptr_lock lock;
static uint32_t counter; /* under the lock */
static uint32_t seen[THREADS][OPS];
static __thread uint64_t state;

/* What to do is not part of the program: it is the same in all runs. */
static unsigned dice(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 20) % n);
}

static uint32_t write_at(uint32_t *p, uint32_t v, unsigned kind)
{
	uint32_t expected = v % 3;

	switch (kind) {
	case 0:
	case 1:
		hazptr_store_(p, v, relaxed);
		return 0;
	case 2:
	case 3:
		hazptr_store_(p, v, release);
		return 0;
	case 4:
		hazptr_store_(p, v, seq_cst);
		return 0;
	case 5:
		return hazptr_fetch_add_(p, 16, relaxed);
	case 6:
		return hazptr_exchange_(p, v, acq_rel);
	case 7:
		return hazptr_fetch_add_(p, 32, seq_cst);
	default:
		hazptr_cas_(p, &expected, v, acq_rel, relaxed);
		return expected;
	}
}

static uint32_t read_at(uint32_t *p, unsigned kind)
{
	uint32_t got;

	switch (kind) {
	case 9:
	case 10:
		return hazptr_load_(p, relaxed);
	case 11:
	case 12:
		return hazptr_load_(p, acquire);
	case 13:
		return hazptr_load_(p, seq_cst);
	case 14:
		hazptr_fence_(seq_cst);
		return 0;
	case 15:
		hazptr_fence_(acq_rel);
		return hazptr_load_(p, relaxed);
	case 16:
		hazptr_fence_heavy();
		return 0;
	default:
		hazptr_lock_(&lock);
		counter = counter * 4 + (uint32_t)ex_self();
		got = counter;
		hazptr_unlock_(&lock);
		return got;
	}
}

static void run(int thread, int n)
{
	/* each thread its own row of dice, whoever runs first */
	uint64_t own = (ex_number("seed") * 8 + (uint64_t)thread + 1) *
		       0x9E3779B97F4A7C15u;
	int i;

	for (i = 0; i < n; i++) {
		unsigned kind, word;

		state = own;
		kind = dice(KINDS);
		word = dice(2);
		own = state;
		if (kind < 9)
			seen[thread][i] =
				write_at(&words[word],
					 (uint32_t)(1 + thread * 4 + i), kind);
		else
			seen[thread][i] = read_at(&words[word], kind);
	}
}

static bool is_wide(void)
{
	return ex_number("seed") % 2;
}

static void first(void)
{
	run(0, is_wide() ? 2 : 3);
}

static void second(void)
{
	run(1, is_wide() ? 2 : 3);
}

static void third(void)
{
	if (is_wide())
		run(2, 2);
}

static void finish(void)
{
	char text[64];
	int used = 0, i, k;

	for (i = 0; i < THREADS; i++)
		for (k = 0; k < 3; k++)
			used += snprintf(text + used,
					 sizeof(text) - (size_t)used, "%x ",
					 seen[i][k]);
	snprintf(text + used, sizeof(text) - (size_t)used, ", %x %x %x",
		 hazptr_load_(&words[0], relaxed),
		 hazptr_load_(&words[1], relaxed),
		 hazptr_load_(&words[2], relaxed));
	ex_outcome(text);
}

const struct ex_client ex_client = {
	.thread = { first, second, third },
	.finish = finish,
};
