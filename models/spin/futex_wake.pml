/* SPDX-License-Identifier: MIT */
/*
 * futex_wake.pml - a wake that finds no count takes no lock
 *
 * src/park/futex.c with store buffers and one bucket:
 *
 *	wait				wake
 *	lock				word = 1
 *	count++		FW5		fence		FW3
 *	chain				count == 0? done	FW2
 *	fence		FW1		lock, take all
 *	word == 0? sleep		wake them
 *
 * WAITERS waiters, each on a processor of its own, and a waker of all. A waiter
 * may give up. In the end nobody sleeps.
 *
 * HAZPTR_FUTEX_WAKE=asymmetric: wake holds the compiler only, and wait is where
 * the membarrier is.
 *
 *	(none)			OK
 *	-DWAITERS=2		OK
 *	-DNOFW1			BAD	the waiter's fence is missing
 *	-DNOFW3			BAD	the waker's
 *	-DASYMMETRIC		OK
 *	-DASYMMETRIC -DWAITERS=2
 *				OK
 *	-DASYMMETRIC -DNOFW1	BAD	the waiter's fence is missing
 *	-DASYMMETRIC -DPLAIN	BAD	the waiter's is an ordinary one
 *	-DASYMMETRIC -DEARLY	BAD	membarrier before the count
 *
 * The guard of the table is left out: it is stored before FW3 (futex.pml), and
 * only the count must not be read before FW3. The lock is taken by an RMW, a full fence, but
 * before the count.
 */
#ifndef WAITERS
#define WAITERS 1
#endif
#define CPUS (WAITERS + 1)
#define WORDS 6
#define LOCK 0
#define WORD 1
#define COUNT 2
#define CHAIN 3			/* a bit for each waiter */
#define AWAKE 4			/* and 5 */
#define WAKER WAITERS

#include "tso.h"

byte done;

#if defined(NOFW1)
#define wait_fence(c)	skip
#elif defined(ASYMMETRIC) && !defined(PLAIN)
#define wait_fence(c)	heavy(c)
#else
#define wait_fence(c)	fence(c)
#endif

#if defined(NOFW3)
#define wake_fence(c)	skip
#elif defined(ASYMMETRIC)
#define wake_fence(c)	light(c)
#else
#define wake_fence(c)	fence(c)
#endif

/* hazptr_bucket_insert_() */
inline insert(c)
{
	load(c, CHAIN, r);
	store(c, CHAIN, r | (1 << c));
	load(c, COUNT, r);
	store(c, COUNT, r + 1)					/* FW5 */
}

/* hazptr_bucket_remove_() */
inline remove(c)
{
	load(c, CHAIN, r);
	store(c, CHAIN, r & ~(1 << c));
	load(c, COUNT, r);
	store(c, COUNT, r - 1)
}

proctype waiter(byte c)
{
	byte r, ipi;
	bool timed;

	if
	:: timed = true
	:: timed = false
	fi;
	lock(c, LOCK);
#ifdef EARLY
	wait_fence(c);
	insert(c);
#else
	insert(c);
	wait_fence(c);						/* FW1 */
#endif
	load(c, WORD, r);					/* FW6 */
	if
	:: r -> remove(c); unlock(c, LOCK)
	:: !r ->
		unlock(c, LOCK);
		do
		:: load(c, AWAKE + c, r);
			if
			:: r -> break
			:: !r && timed ->
				lock(c, LOCK);
				load(c, CHAIN, r);
				if
				:: r & (1 << c) -> remove(c)
				:: else
				fi;
				unlock(c, LOCK);
				break
			:: !r && !timed -> mem[AWAKE + c]	/* futex(2) */
			fi
		od
	fi;
	atomic { r = 0; timed = false; done++ }
}

proctype waker(byte c)
{
	byte r, i, list;

	store(c, WORD, 1);
	wake_fence(c);						/* FW3 */
	load(c, COUNT, r);					/* FW2 */
	if
	:: r ->
		lock(c, LOCK);
		load(c, CHAIN, list);
		load(c, COUNT, r);
		d_step {
			i = 0;
			do
			:: i < WAITERS ->
				r = r - ((list >> i) & 1);
				i++
			:: else -> break
			od;
			i = 0
		};
		store(c, CHAIN, 0);
		store(c, COUNT, r);
		unlock(c, LOCK);
		do
		:: i < WAITERS && (list & (1 << i)) ->
			store(c, AWAKE + i, 1);			/* FS1 */
			i++
		:: i < WAITERS && !(list & (1 << i)) -> i++
		:: i >= WAITERS -> break
		od
	:: else
	fi;
	atomic { r = 0; i = 0; list = 0; done++ }
}

init {
	atomic {
		run waiter(0);
#if WAITERS > 1
		run waiter(1);
#endif
		run waker(WAKER)
	};
	timeout;
	assert(done == WAITERS + 1);
	assert(mem[COUNT] == 0 && mem[CHAIN] == 0 && mem[LOCK] == 0)
}
