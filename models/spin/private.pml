/* SPDX-License-Identifier: MIT */
/*
 * private.pml - an owner scans what its lane held by itself
 *
 * When its lane (lane.pml) is full, the owner takes the list out of it, into
 * its record, and scans that: nobody else sees these objects until they are
 * freed, or stand in the shared list because a reader holds them. A barrier
 * finds the lane empty, passes it over, and must know:
 *
 *	owner				barrier
 *	PS1 activity odd
 *	LN1 .. LN3 into the lane
 *	take the list, quota = 0 LN9	LN10 quota is 0: pass over
 *	LN4 leave			     or LN5 .. LN8 take
 *	HP7 heavy fence			PS2 activity odd: wait
 *	HP8 look at the slots		...
 *	    held: to the shared list	RT3 shared list into the line, then
 *	    else: free			    the marker
 *	PS1 activity even		scan until the marker leaves
 *
 * The lane first, then the activity: who leaves its lane empty has begun.
 *
 * Of the fences one is enough. Unlinks of what an owner takes itself are its
 * own stores, or were seen by it, so they come before HP7. A taker's LN6 that
 * ends after the retire() does not serve (ONEFENCE): it was for the lanes of
 * others, so the owner saw no steal; and it may have passed the reader before
 * the unlink was seen, as in lane.pml.
 *
 * What is modelled: an owner that retires OBJECTS objects, each of which
 * replaces the one before. At any retire() at which its lane is not empty it
 * may take that for full, so a quota has any size; with one object, when it has
 * retired that one. A reader. A CPU that flushes at any time (PASSES), and
 * leaves a busy lane with steal set, then makes a barrier, and another one when
 * all others are done: who takes lanes holds a lock, who scans the line another
 * one, so it stands for many. The barrier's promise is for each retire() whose
 * return it has seen, in a word that is written then. Checked: nothing is freed
 * that the reader holds; each object is taken and freed once; the barrier's
 * promise; nothing is left. Left out: two owners (-DOWNERS=2 is too large to be
 * explored to the end), others' scans and functions (barrier.pml -DPRIVATE),
 * room (arm.pml -DPRIVATE).
 *
 *	(none), -DOBJECTS=1	OK
 *	-DODD_INSIDE		OK	PS1 once the owner is in its lane
 *	-DQUOTA_LATE		OK	quota stays: takers stop at the lane
 *	-DNOWAIT		BAD	PS2 after the marker only
 *	-DWAIT_FIRST		BAD	PS2 before the lanes are looked at
 *	-DODD_LATE		BAD	PS1 after LN4
 *	-DPUSH_LATE		BAD	what is held is pushed after the last PS1
 *	-DEVEN_EARLY		BAD	last PS1 before the frees
 *	-DNOHEAVY		BAD	no HP7
 *	-DONEFENCE		BAD	LN6 serves as HP7
 *	-DNOBUSY		BAD	the list is taken without LN1
 *	-DNOSTEAL		BAD	... without LN3
 *	-DFULL			OK	full fences, no membarrier ...
 *	-DFULL -DONEFENCE	OK	... need none: LN2 is one
 */
#ifndef OWNERS
#define OWNERS 1
#endif
#ifndef OBJECTS
#define OBJECTS 2		/* of each owner */
#endif
#ifndef TURNS
#define TURNS 1			/* of the reader */
#endif
#ifndef PASSES
#define PASSES 1		/* flushes before the barrier */
#endif

#define R OWNERS		/* CPUs: the owners, the reader, the taker */
#define T (OWNERS + 1)
#define CPUS (OWNERS + 2)

#define SLOT 0
#define SHARED 1		/* a set, as all lists here */
#define FENCED 2		/* fences of takers that have ended */
#define SRC(o)		(3 + 7 * (o))
#define BUSY(o)		(4 + 7 * (o))
#define STEAL(o)	(5 + 7 * (o))
#define LANE(o)		(6 + 7 * (o))
#define QUOTA(o)	(7 + 7 * (o))
#define PASS(o)		(8 + 7 * (o))
#define LAST(o)		(9 + 7 * (o))	/* retire() has returned */
#define WORDS (3 + 7 * OWNERS)

#include "tso.h"

#define ALL (OWNERS * OBJECTS)
#define bit(h)	(1 << (h))

#define PUBLISHED 0
#define RETIRED 1		/* in a lane or in the shared list */
#define TAKEN 2
#define FREED 3
byte state[ALL + 1];
byte done;
hidden byte h_;

/* All of a set go from one state to the next, each from the one before. */
inline become(set, from, to)
{
	d_step {
		h_ = 1;
		do
		:: h_ <= ALL ->
			if
			:: (set) & bit(h_) ->
				assert(state[h_] == from);
				state[h_] = to
			:: else
			fi;
			h_++
		:: else -> break
		od;
		h_ = 0
	}
}

inline push_shared(c, set)					/* RT2 */
{
	d_step { drained(c) -> mem[SHARED] = mem[SHARED] | (set) }
}

#define turn(which)	store(me, PASS(me), pass + 1); pass++	/* PS1 */

inline scan_own()
{
#if !defined(ODD_LATE) && !defined(ODD_INSIDE)
	turn(odd);
#endif
#ifndef NOBUSY
	store(me, BUSY(me), 1);					/* LN1 */
	light(me);						/* LN2 */
#endif
#ifndef NOSTEAL
	load(me, STEAL(me), steal);				/* LN3 */
#endif
	if
	:: steal ->
		store(me, BUSY(me), 0);
#if defined(ODD_LATE) || defined(ODD_INSIDE)
		turn(odd)
#endif
	:: else ->
#ifdef ODD_INSIDE
		turn(odd);
#endif
		load(me, LANE(me), own);
		store(me, LANE(me), 0);
#ifndef QUOTA_LATE
		store(me, QUOTA(me), 0);			/* LN9 */
#endif
		store(me, BUSY(me), 0);				/* LN4 */
		become(own, RETIRED, TAKEN);
#ifdef ODD_LATE
		turn(odd);
#endif
#ifdef ONEFENCE
		load(me, FENCED, seen);
		if
		:: seen != fenced -> skip
		:: else -> skip; heavy(me)			/* HP7 */
		fi;
#elif !defined(NOHEAVY)
		heavy(me);					/* HP7 */
#endif
		load(me, SLOT, seen);				/* HP8 */
		d_step {
			held = (seen -> own & bit(seen) : 0);
			own = own & ~held;
			seen = 0
		};
#ifndef PUSH_LATE
		become(held, TAKEN, RETIRED);
		push_shared(me, held);
#endif
#ifdef EVEN_EARLY
		turn(even);
#endif
		become(own, TAKEN, FREED)
	fi;
#ifndef EVEN_EARLY
	turn(even);
#else
	if
	:: pass & 1 -> turn(even)
	:: else
	fi;
#endif
#ifdef PUSH_LATE
	become(held, TAKEN, RETIRED);
	push_shared(me, held);
#endif
	d_step { own = 0; held = 0; steal = 0 }
}

inline retire()
{
	do
	:: store(me, BUSY(me), 1);				/* LN1 */
		light(me);					/* LN2 */
		load(me, STEAL(me), steal);			/* LN3 */
		if
		:: steal ->
			store(me, BUSY(me), 0);
			push_shared(me, bit(h));
			break
		:: else ->
			load(me, LANE(me), own);
			if
			:: true ->
				store(me, LANE(me), own | bit(h));
				store(me, QUOTA(me), 1);
				store(me, BUSY(me), 0);		/* LN4 */
				break
			:: own != 0 ->				/* it is full */
				store(me, BUSY(me), 0);
				own = 0;
				scan_own()
			fi
		fi
	od
}

proctype owner(byte me)
{
	byte h, next, own, held, steal, seen, pass, ipi;
#ifdef ONEFENCE
	byte fenced;
#endif

	h = me * OBJECTS + 1;
	do
	:: h <= (me + 1) * OBJECTS ->
		next = (h < (me + 1) * OBJECTS -> h + 1 : 0);
		store(me, SRC(me), next);			/* unlink h */
		state[h] = RETIRED;
		retire();
		store(me, LAST(me), h);
#ifdef ONEFENCE
		load(me, FENCED, fenced);
#endif
		d_step { h++; next = 0; own = 0; steal = 0 }
	:: else -> break
	od;
#if OBJECTS == 1
	if
	:: scan_own()
	:: skip
	fi;
#endif
	drained(me);
	done++
}

proctype reader()
{
	byte p, q, turns, from;

	do
	:: turns < TURNS ->
#if OWNERS > 1
		if
		:: true
		:: from = 1
		fi;
#endif
		load(R, SRC(from), p);				/* HP5 */
again:		if
		:: p == 0 -> goto out
		:: else
		fi;
		store(R, SLOT, p);				/* HP2 */
		light(R);					/* HP3 */
		load(R, SRC(from), q);				/* HP4 */
		if
		:: q != p -> d_step { p = q; q = 0 }; goto again
		:: else
		fi;
		d_step { q = 0; assert(state[p] != FREED) };
		assert(state[p] != FREED);
out:		skip;
		store(R, SLOT, 0);				/* HP6 */
		d_step { turns++; p = 0; from = 0 }
	:: else -> break
	od;
	drained(R);
	done++
}

/* A barrier waits for owners that are busy; a flush leaves them. */
inline take_lanes(wait)
{
	do
	:: o < OWNERS ->
		load(T, QUOTA(o), x);				/* LN10 */
		if
		:: x -> store(T, STEAL(o), 1); any = true	/* LN5 */
		:: else
		fi;
		d_step { o++; x = 0 }
	:: else -> break
	od;
	o = 0;
#ifdef ONEFENCE
	any = true;		/* some lane of somebody */
#endif
	if
	:: any ->
		heavy(T);					/* LN6 */
#ifdef ONEFENCE
		mem[FENCED]++;
#endif
		any = false
	:: else
	fi;
	do
	:: o < OWNERS ->
		load(T, STEAL(o), x);
		if
		:: x && wait -> mem[BUSY(o)] == 0		/* LN7 */
		:: x && !wait ->
			load(T, BUSY(o), x);			/* LN7 */
			x = !x
		:: else
		fi;
		if
		:: x ->
			load(T, LANE(o), x);
			push_shared(T, x);
			store(T, LANE(o), 0);
			store(T, QUOTA(o), 0);			/* LN9 */
			store(T, STEAL(o), 0)			/* LN8 */
		:: else
		fi;
		d_step { o++; x = 0 }
	:: else -> break
	od;
	o = 0
}

inline collect()						/* RT3 */
{
	d_step {
		drained(T);
		x = mem[SHARED];
		mem[SHARED] = 0
	};
	become(x, RETIRED, TAKEN);
	d_step { line = line | x; x = 0 }
}

inline scan()
{
	collect();
	if
	:: line ->
		heavy(T);					/* HP7 */
		load(T, SLOT, x);				/* HP8 */
		d_step {
			x = line & ~(x -> bit(x) : 0);
			line = line & ~x
		};
		become(x, TAKEN, FREED);
		x = 0
	:: else
	fi
}

inline wait_activities()
{
	do
	:: o < OWNERS ->
		load(T, PASS(o), x);				/* PS2 */
		if
		:: x & 1 -> mem[PASS(o)] != x			/* PS2 */
		:: else
		fi;
		d_step { o++; x = 0 }
	:: else -> break
	od;
	o = 0
}

inline barrier()
{
	do
	:: o < OWNERS ->
		load(T, LAST(o), x);
		d_step {
			before[o] = x;
			o++;
			x = 0
		}
	:: else -> break
	od;
	o = 0;
#ifdef WAIT_FIRST
	wait_activities();
#endif
	take_lanes(true);
#if !defined(NOWAIT) && !defined(WAIT_FIRST)
	wait_activities();
#endif
	collect();
	ahead = line;						/* the marker */
	do
	:: line & ahead -> scan()
	:: else -> break
	od;
#ifdef NOWAIT
	wait_activities();
#endif
	ahead = 0;
	d_step {
		do
		:: o < OWNERS ->
			x = o * OBJECTS + 1;
			do
			:: x <= before[o] ->
				assert(state[x] == FREED);
				x++
			:: else -> break
			od;
			before[o] = 0;
			o++
		:: else -> break
		od;
		o = 0;
		x = 0
	}
}

proctype taker()
{
	byte o, x, n, line, ahead, before[OWNERS], ipi;
	bool any;

	do
	:: n < PASSES ->
		take_lanes(false);
		scan();
		n++
	:: else -> break
	od;
	barrier();
	done == OWNERS + 1;
	barrier();
	d_step {
		x = 1;
		do
		:: x <= ALL -> assert(state[x] == FREED); x++
		:: else -> break
		od
	}
}

init {
	atomic {
		mem[SRC(0)] = 1;
		run owner(0);
#if OWNERS > 1
		mem[SRC(1)] = OBJECTS + 1;
		run owner(1);
#endif
		run reader();
		run taker()
	}
}
