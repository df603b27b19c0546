/* SPDX-License-Identifier: MIT */
/*
 * lane.pml - a retire list that its owner fills without an atomic operation
 *
 * Each thread has a lane, a list of what it retired. The owner pushes with
 * plain stores; any other thread may take the whole list, also from an owner
 * that sleeps for ever. The two exclude each other by a word each:
 *
 *	owner: retire(h)		taker, one at a time (lock)
 *	LN1 busy = 1			LN5 steal = 1
 *	LN2 light fence			LN6 heavy fence
 *	LN3 steal?			LN7 busy?
 *	    no:  push h, n++		    no:  take list, n = 0
 *	LN4      busy = 0		    yes: leave it for another time
 *	    yes: busy = 0, push h	LN8 steal = 0
 *	         on the shared stack
 *
 * It is the store buffering shape of protect.pml once more. Without LN6 both
 * read 0 and work on the list at once.
 *
 * Why a second heavy fence. The taker scans the slots for what it took, and the
 * unlink of an object that came through the lane is a plain store of its owner.
 * LN6 is not the HP7 of that object, because it interrupts one CPU after the
 * other:
 *
 *	reader			owner			taker
 *				src = NULL (buffered)	LN5
 *							LN6 begins
 *	(interrupted)
 *	HP5 p = src
 *	HP2 slot = p (buffered)
 *	HP4 src == p: mine
 *				LN1 .. LN4, all buffered
 *				(interrupted: all seen)
 *							LN6 ends
 *							LN7 not busy: takes p
 *							HP8 slot is empty
 *							free(p)
 *	use *p
 *
 * So the order is: LN6, take, HP7, HP8. One heavy fence per pass is enough when
 * a pass scans only what was taken before its fence, that is, in the pass
 * before (-DPIPELINED), and when an owner takes its own lane: nobody else's
 * stores come in. Whatever joins after HP7 waits for the next one: a lane, what
 * another thread appends meanwhile, and the shared stack too. A push there is
 * an atomic operation, so the unlink is seen; but a reader whose interrupt came
 * before that may hold a slot that is not.
 *
 * What is modelled: an owner that unlinks and retires OBJECTS objects one after
 * the other, each of which replaces the one before; one reader, twice; a taker
 * with two passes at any time and two at the end. That stands for any number
 * of takers: the lock orders them, and taking it is a full fence. Each object
 * is taken once and freed once, the owner never sees a list that is half taken
 * (head and n differ), no list is lost. Left out: the reservations (arm.pml),
 * the line of the domain (barrier.pml).
 *
 *	(none)			OK
 *	-DNOHEAVY		BAD	no LN6
 *	-DNOBUSY		BAD	no LN7 (or no LN1)
 *	-DNOSTEAL		BAD	no LN3
 *	-DSTEAL_EARLY		BAD	LN8 before the list is taken
 *	-DBUSY_EARLY		BAD	LN4 before the push
 *	-DONEFENCE		BAD	no HP7: the case above
 *	-DSTACK_LATE		BAD	the shared stack popped after HP7
 *	-DPIPELINED		OK	one fence, scan what was there before
 *	-DFULL			OK	full fences, no membarrier ...
 *	-DFULL -DONEFENCE	OK	... need no second one: LN2 is a fence
 *					then, the unlink is seen before the push
 */
#ifndef OBJECTS
#define OBJECTS 2
#endif
#ifndef TURNS
#define TURNS 2			/* of the reader */
#endif
#ifndef PASSES
#define PASSES 2		/* of the taker, before the last two */
#endif

#define O 0			/* CPUs: the owner, the reader, the taker */
#define R 1
#define T 2
#define CPUS 3

#define SRC 0
#define SLOT 1
#define BUSY 2
#define STEAL 3
#define HEAD 4
#define LENGTH 5
#define STACK 6
#define NEXT(h) (6 + (h))
#define WORDS (7 + OBJECTS)

#include "tso.h"

#define PUBLISHED 0
#define RETIRED 1		/* in the lane or in the shared stack */
#define TAKEN 2
#define FREED 3
byte state[OBJECTS + 1];
bool owner_done, reader_done;

inline push_lane(h)
{
	load(O, HEAD, first);
	load(O, LENGTH, n);
	/* never half taken: neither head nor length without the other */
	assert((first == 0) == (n == 0));
	assert(first == 0 || state[first] == RETIRED);
	store(O, NEXT(h), first);
	store(O, HEAD, h);
	store(O, LENGTH, n + 1);
	d_step { first = 0; n = 0 }
}

inline push_stack(h)
{
	do
	:: load(O, STACK, first);
		store(O, NEXT(h), first);
		if
		:: d_step {
			drained(O) && mem[STACK] == first ->
			mem[STACK] = h
		   };
		   break
		:: drained(O) && mem[STACK] != first
		fi
	od;
	first = 0
}

proctype owner()
{
	byte h = 1, next, steal, first, n;

	do
	:: h <= OBJECTS ->
		next = (h < OBJECTS -> h + 1 : 0);
		store(O, SRC, next);				/* unlink h */
		state[h] = RETIRED;
		store(O, BUSY, 1);				/* LN1 */
		light(O);					/* LN2 */
#ifndef NOSTEAL
		load(O, STEAL, steal);				/* LN3 */
#endif
		if
		:: steal ->
			store(O, BUSY, 0);
			push_stack(h)
		:: else ->
#ifdef BUSY_EARLY
			store(O, BUSY, 0);
			push_lane(h)
#else
			push_lane(h);
			store(O, BUSY, 0)			/* LN4 */
#endif
		fi;
		d_step { h++; next = 0; steal = 0 }
	:: else -> break
	od;
	owner_done = true
}

proctype reader()
{
	byte p, q, turn;

	do
	:: turn < TURNS ->
		load(R, SRC, p);				/* HP5 */
again:		if
		:: p == 0 -> goto out
		:: else
		fi;
		store(R, SLOT, p);				/* HP2 */
		light(R);					/* HP3 */
		load(R, SRC, q);				/* HP4 */
		if
		:: q != p -> d_step { p = q; q = 0 }; goto again
		:: else
		fi;
		d_step { q = 0; assert(state[p] != FREED) };
		assert(state[p] != FREED);
out:		skip;
		store(R, SLOT, 0);				/* HP6 */
		d_step { turn++; p = 0 }
	:: else -> break
	od;
	reader_done = true
}

/* Walk a list that is ours now; each object once. */
inline collect(first)
{
	d_step {
		h = first;
		do
		:: h != 0 ->
			assert(state[h] == RETIRED);
			state[h] = TAKEN;
			line = line | (1 << h);
			h = mem[NEXT(h)]
		:: else -> break
		od;
		first = 0
	}
}

inline steal_done()
{
	store(T, STEAL, 0)					/* LN8 */
}

inline take_lane()
{
	store(T, STEAL, 1);					/* LN5 */
#ifdef NOHEAVY
	fence(T);
#else
	heavy(T);						/* LN6 */
#endif
#ifdef PIPELINED
	fresh = line;		/* what LN6 is the HP7 of */
#endif
#ifndef NOBUSY
	load(T, BUSY, busy);					/* LN7 */
#endif
#ifdef STEAL_EARLY
	steal_done();
#endif
	if
	:: !busy ->
		load(T, HEAD, list);
		store(T, HEAD, 0);
		store(T, LENGTH, 0)
	:: else
	fi;
#ifndef STEAL_EARLY
	steal_done();
#endif
	collect(list);
	busy = 0
}

inline take_stack()
{
	d_step { drained(T) -> list = mem[STACK]; mem[STACK] = 0 };
	collect(list)
}

inline pass()
{
	take_lane();
#ifndef STACK_LATE
	take_stack();
#endif
#ifndef PIPELINED
#ifndef ONEFENCE
	heavy(T);						/* HP7 */
#endif
#ifdef STACK_LATE
	take_stack();
#endif
	fresh = line;
#endif
	load(T, SLOT, seen);					/* HP8 */
	d_step {
		h = 1;
		do
		:: h <= OBJECTS ->
			if
			:: (fresh & (1 << h)) && h != seen ->
				assert(state[h] == TAKEN);
				state[h] = FREED;
				line = line & ~(1 << h)
			:: else
			fi;
			h++
		:: else -> break
		od;
		h = 0;
		seen = 0;
		fresh = 0;
		turn++
	}
}

proctype taker()
{
	byte h, list, line, fresh, busy, seen, turn, ipi;

	do
	:: turn == PASSES ->
		owner_done && reader_done && drained(O) && drained(R);
		pass()
	:: turn != PASSES && turn < PASSES + 2 -> pass()
	:: else -> break
	od;
	/* all came through, none twice */
	assert(line == 0);
	d_step {
		h = 1;
		do
		:: h <= OBJECTS -> assert(state[h] == FREED); h++
		:: else -> break
		od
	}
}

init {
	atomic {
		mem[SRC] = 1;
		run owner();
		run reader();
		run taker()
	}
}
