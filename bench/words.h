/* SPDX-License-Identifier: MIT */
/*
 * bench/words.h - two threads hand a word back and forth, for every scheme
 *
 * Who includes this defines, before it:
 *
 *	word_type		a 32-bit word that can be waited at
 *	word_load(w)		acquire
 *	word_store(w, value)	release
 *	word_wait(w, value)	sleep while it has this value, or for nothing
 *	word_wake(w)		wake one
 */
#ifndef BENCH_WORDS_H
#define BENCH_WORDS_H

#include "bench.h"

#define WORD_OVER 2

/* Says whose turn it is; on cache lines of its own. */
static struct {
	char before[128];
	word_type turn;
	char after[128];
} words;

/* False: the other one has ended it, and it can begin again. */
bench_inline bool words_await(int me)
{
	int turn;

	while ((turn = (int)word_load(&words.turn)) != me) {
		if (turn == WORD_OVER) {
			word_store(&words.turn, 0);
			return false;
		}
		word_wait(&words.turn, turn);
	}
	return true;
}

static uint64_t words_ping(struct bench_task *t)
{
	int me = (int)t->index;
	uint64_t n;

	for (n = 0; words_await(me); n++) {
		int next = !me && n && !bench_go(t) ? WORD_OVER : !me;

		word_store(&words.turn, next);
		word_wake(&words.turn);
		if (next == WORD_OVER)
			break;
	}
	return n + 1;
}

#endif /* BENCH_WORDS_H */
