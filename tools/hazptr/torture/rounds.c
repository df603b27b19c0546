/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/rounds.c - does everybody wake up?
 *
 * A round changes every word and then wakes all who wait at each, once.
 * Whoever slept before has to come back; the next round begins when all have.
 * So one who was forgotten stays asleep, and the watch finds it.
 *
 *	sleeper				round
 *	value = word			epoch = e
 *	knows = epoch			change all words
 *	asleep = 1 + knows		wake all, word after word
 *	wait(word, value)		everybody: awake, or knows e
 *	asleep = 0
 */
#include "futex.h"

#include <errno.h>
#include <limits.h>

#define SMALLEST_BITS 4 /* tables of 16 to 4096 buckets */
#define SIZES 9
#define RUNNERS 3
#define END UINT32_MAX

uint64_t futex_epoch;

static void wake_words(uint32_t *of, unsigned n, uint64_t *sum)
{
	unsigned i;

	for (i = 0; i < n; i++)
		add(sum, futex_count(hazptr_futex_wake(&of[i], INT_MAX), "w"));
}

static void change_all(uint32_t *of, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		futex_change(&of[i]);
}

static bool all_know(uint64_t epoch)
{
	struct worker *w;
	unsigned i, n = each_worker(&w);
	uint64_t asleep;

	for (i = 0; i < n; i++) {
		asleep = get(&w[i].asleep);
		if (asleep && asleep - 1 < epoch)
			return false;
	}
	return true;
}

static void whole_round(void)
{
	uint64_t epoch = __atomic_add_fetch(&futex_epoch, 1, __ATOMIC_ACQ_REL);
	unsigned i;

	change_all(futex_words, WORDS);
	change_all(futex_several, SEVERAL);
	change_all(futex_keys, KEYS);
	wake_words(futex_words, WORDS, &futex_sums.woken);
	wake_words(futex_several, SEVERAL, &futex_sums.woken_several);
	for (i = 0; i < KEYS; i++)
		add(&futex_sums.tokens_given,
		    3 * (uint64_t)futex_count(
				hazptr_unpark_all(&futex_keys[i], 3), "u"));
	while (!all_know(epoch))
		nap_us(300);
}

void conduct(unsigned unused)
{
	(void)unused;
	while (!is_over_late()) {
		whole_round();
		did(&futex_ops[ROUND]);
		nap_us(pick(5000));
	}
	whole_round();
}

void resize(unsigned unused)
{
	unsigned buckets;
	int error;

	(void)unused;
	while (!is_over_late()) {
		buckets = pick(16) ? 1u << (SMALLEST_BITS + pick(SIZES)) : 0;
		error = hazptr_futex_hash_resize(buckets);
		if (error && !(error == -ENOMEM && has_fault(NOMEM)))
			failed("hash_resize", NULL);
		if (!error && buckets && hazptr_futex_hash_buckets() != buckets)
			failed("resized, and of another size", NULL);
		did(&futex_ops[RESIZE]);
		nap_us(pick(2000));
	}
}

/* Handing over: a wake that is lost is a relay that stands still. */
static uint32_t baton;

void relay(unsigned i)
{
	uint32_t value;

	for (;;) {
		while ((value = __atomic_load_n(&baton, __ATOMIC_ACQUIRE)),
		       value != END && value % RUNNERS != i)
			hazptr_futex_wait(&baton, value, NULL);
		if (value == END)
			return;
		if (is_over()) {
			__atomic_store_n(&baton, END, __ATOMIC_RELEASE);
			hazptr_futex_wake(&baton, INT_MAX);
			return;
		}
		spin((unsigned)pick(400));
		if (value % 4 == 0)
			crowd_stores(&baton);
		value = (value + 1) % (RUNNERS * 1000000u);
		__atomic_store_n(&baton, value, __ATOMIC_RELEASE);
		hazptr_futex_wake(&baton, INT_MAX);
		did(&futex_ops[RELAY]);
	}
}
