/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/futex.h - what futex.c and rounds.c share */
#ifndef HAZPTR_TORTURE_FUTEX_H
#define HAZPTR_TORTURE_FUTEX_H

#include "torture.h"

#define WORDS 24   /* for one word at a time */
#define SEVERAL 12 /* for hazptr_futex_waitv() */
#define KEYS 8	   /* for hazptr_park() */

extern uint32_t futex_words[WORDS], futex_several[SEVERAL], futex_keys[KEYS];

/* What wakers count, and what waiters do. */
extern struct futex_sums {
	uint64_t woken, returned;
	uint64_t woken_several, returned_several, most_several;
	uint64_t tokens_given, tokens;
	uint64_t moved, stale, timed_out;
} futex_sums;

static inline void futex_change(uint32_t *word)
{
	__atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
}

/* Not less than 0, or it failed. */
static inline unsigned futex_count(int result, const char *what)
{
	if (result < 0)
		failed(what, NULL);
	return (unsigned)result;
}

/* rounds.c */
extern uint64_t futex_epoch;
void conduct(unsigned unused);
void resize(unsigned unused);
void relay(unsigned i);
extern struct op futex_ops[]; /* these three come first */
enum { ROUND, RESIZE, RELAY, FIRST };

#endif /* HAZPTR_TORTURE_FUTEX_H */
