/* SPDX-License-Identifier: MIT */
/*
 * explore/explore.h - what a client says, and may call
 *
 * A client is a small program of 2 to 4 threads over the real library. Its
 * parts run in this order; only `thread` runs under all interleavings:
 *
 *	setup		alone, in thread 0
 *	enter		in each thread, one after the other
 *	thread[]	all at once
 *	leave		in each thread, one after the other; then thread exit
 *	finish		alone, in thread 0; then its exit, and the leak check
 *
 * Shared words are accessed through hazptr/atomic.h, or plainly where threads
 * are ordered: a plain access that races is an error.
 */
#ifndef EX_EXPLORE_H
#define EX_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>

#define EX_CLIENTS 4

enum ex_flags {
	EX_BACKGROUND = 1, /* the library's thread can be started */
	EX_EXITS = 2,	   /* threads exit among the others */
	EX_REUSE = 4,	   /* freed memory serves again at once */
	EX_WARNS = 8,	   /* warnings are no errors */
	EX_KEEPS = 16	   /* the library's own memory may be left */
};

struct ex_client {
	void (*setup)(void);
	void (*enter)(void);
	void (*thread[EX_CLIENTS])(void);
	void (*leave)(void);
	void (*finish)(void);
	unsigned flags;
	unsigned timeouts; /* waits that may end early, in a run */
};

/* Each client defines it. */
extern const struct ex_client ex_client;

void *ex_new(size_t size); /* filled with garbage; must be freed */
void ex_free(void *p);
bool ex_option(const char *word);	   /* --option WORD was given */
unsigned long ex_number(const char *word); /* --option WORD=N; else 0 */
int ex_self(void); /* 0: setup; the threads are 1, 2, ... */
/* Litmus: what may come out. Counted over all runs, see --outcomes. */
void ex_outcome(const char *text);
_Noreturn void ex_fail(const char *file, int line, const char *what);

#define EX_ASSERT(x) ((x) ? (void)0 : ex_fail(__FILE__, __LINE__, #x))

#endif /* EX_EXPLORE_H */
