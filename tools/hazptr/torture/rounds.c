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

/*
 * Handing over: a wake that is lost is a relay that stands still. Who has the
 * baton gives it back while the other one is on the way to sleep, if that one
 * runs. A wake of none clears what is left of the last one in the bucket.
 */
enum { NOBODY, RUN, END };
static struct runner {
	uint32_t baton, is_up;
} __attribute__((__aligned__(64))) runners[2];

static uint32_t await_baton(struct runner *r, const struct runner *other)
{
	unsigned turns = 20000;
	uint32_t value;

	while (turns-- && !__atomic_load_n(&other->is_up, __ATOMIC_RELAXED))
		;
	spin((unsigned)pick(1000));
	while (!(value = __atomic_load_n(&r->baton, __ATOMIC_ACQUIRE)))
		hazptr_futex_wait(&r->baton, NOBODY, NULL);
	__atomic_store_n(&r->baton, NOBODY, __ATOMIC_RELAXED);
	hazptr_futex_wake(&r->baton, 0);
	__atomic_store_n(&r->is_up, 1, __ATOMIC_RELAXED);
	return value;
}

static void hand_over(struct runner *r, struct runner *other, uint32_t value)
{
	spin((unsigned)pick(1000));
	crowd_stores(&other->baton);
	__atomic_store_n(&r->is_up, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&other->baton, value, __ATOMIC_RELEASE);
	hazptr_futex_wake(&other->baton, 1);
}

void relay(unsigned i)
{
	struct runner *r = &runners[i], *other = &runners[!i];
	uint32_t value = i ? await_baton(r, other) : RUN;

	while (value != END && !is_over()) {
		hand_over(r, other, RUN);
		did(&futex_ops[RELAY]);
		value = await_baton(r, other);
	}
	hand_over(r, other, END);
}
