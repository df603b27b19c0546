/* SPDX-License-Identifier: MIT */
/*
 * shared.pml - when may a counted node be freed that others find uncounted?
 *
 * A load from a sync pointer takes a guard, adds one, releases the guard. So a
 * count of zero does not say that nobody is about to add one. The rule of
 * src/ref/node.c: a node is freed only by a scan that began after its last
 * reference was dropped.
 *
 *	put, not the last	one less
 *	put, the last		retired: it stays counted
 *	put, while retired	one less, and AGAIN
 *	scan: SP5		no AGAIN
 *	      HP7		heavy fence
 *	      HP8		read the slots
 *	      SP6, by CAS	others have references: one less, not retired
 *				AGAIN: wait for the next scan
 *				in a slot: the same
 *				else: one less, free
 *
 * Who has found the node through a sync pointer is in a slot when the scan
 * reads it, or has added one before. Or he has found it in a pointer where it
 * was stored after that, by somebody who had a reference; and when it is not
 * there any more, that reference was dropped: AGAIN.
 *
 * The mailing list's second version (-DMAIL2) has no AGAIN. Whoever has the
 * last reference scans, then lets the count fall from 1 to 0 by CAS; but 1 may
 * be another 1:
 *
 *	first reader		second reader		deleter, has the last
 *							scan begins
 *	slot = p, count: 2
 *	slot empty
 *							slots are empty
 *	second pointer = p
 *				slot = p, looked again
 *	second pointer = NULL
 *	drops: count: 1
 *							count 1 -> 0: free(p)
 *				count of *p + 1
 *
 * The first version (-DMAIL1) lets the count fall to zero first and scans then;
 * who finds zero looks at his pointer again.
 *
 * What is modelled: one node, in the first sync pointer and in the hands of
 * the thread that clears this; a reader that stores its copy in the second one
 * and clears that again; a reader of both; a scanner. Nobody touches the node
 * after its end, it ends once, and it does end. Left out: the list of nodes
 * that wait, slots of thread-shared pointers (promote.pml), weak pointers.
 *
 *	(none)			OK
 *	-DMAIL1			OK	count first, scan later
 *	-DMAIL2			BAD	the case above
 *	-DNOAGAIN		BAD	AGAIN is what makes the difference
 *	-DPREPARE_LATE		BAD	SP5 after the slots were read
 *	-DPREPARE_FENCED	BAD	SP5 between the fence and the slots
 *	-DNOHEAVY		BAD	no HP7
 *	-DLASTNOSCAN		BAD	a thread's last reference: free at once
 *	-DWAIT			OK	it waits for slots while others have it
 *	-DSYNC			OK	a sync pointer retires what it had
 *	-DFULL			OK	no membarrier
 */
#ifndef TURNS
#define TURNS 2			/* of the reader that only reads */
#endif

#define S 2			/* the scanner's CPU */
#define CPUS 3

#define SSP(i) (i)
#define SLOT(r) (2 + (r))
#define WORDS 4

#include "tso.h"

byte refs;
bool retired;			/* it waits for a scan */
bool again;			/* and for the next one too */
bool freed;
byte done;

#ifdef MAIL2
#define NOAGAIN
#define WAIT
#endif
#ifdef SYNC
#define from_sync(x) (x)
#else
#define from_sync(x) false
#endif
#ifdef WAIT
#define has_others false
#else
#define has_others (refs > 1)
#endif

inline end()
{
	assert(!freed && refs == 0);
	freed = true
}

inline put(c, sync)
{
	d_step {
		drained(c) ->
		assert(!freed && refs > 0);
		if
#ifdef MAIL1
		:: refs--;
			retired = (refs == 0)
#else
		:: retired ->
			assert(refs > 1);
			refs--;
#ifndef NOAGAIN
			again = true
#endif
		:: !retired && refs == 1 ->
#ifdef LASTNOSCAN
			refs--;
			end()
#else
			retired = true
#endif
		:: !retired && refs > 1 && from_sync(sync) -> retired = true
		:: !retired && refs > 1 && !from_sync(sync) -> refs--
#endif
		fi
	}
}

/* One more, with a guard; `got` says whether. */
inline add()
{
	d_step {
		drained(me) ->
		assert(!freed);
#ifdef MAIL1
		got = (refs > 0);
#else
		assert(refs > 0);
		got = true;
#endif
		refs = refs + got
	}
}

/* hazptr_sync_shared_load() */
inline get(from)
{
	do
	:: got -> break
	:: else ->
		load(me, from, p);
		do
		:: p == q -> break	/* also when there is none */
		:: else ->
			store(me, SLOT(me), p);			/* HP2 */
			light(me);				/* HP3 */
			q = p;
			load(me, from, p)			/* HP4 */
		od;
		q = 0;
		if
		:: p -> add()					/* SP1 */
		:: else -> break
		fi;
		store(me, SLOT(me), 0)				/* HP6 */
	od;
	store(me, SLOT(me), 0);
	q = 0
}

/* Loads, publishes what it got in the second sync pointer, drops it there. */
proctype publisher(byte me)
{
	byte p, q;
	bool got;

	get(SSP(0));
	if
	:: got ->
		d_step { drained(me) -> mem[SSP(1)] = 1 };	/* SP8 */
		got = false;
		d_step { drained(me) -> mem[SSP(1)] = 0 };	/* SP8 */
		put(me, true)					/* SP4 */
	:: else
	fi;
	done++
}

proctype reader(byte me)
{
	byte p, q, src, turn;
	bool got;

	do
	:: turn < TURNS ->
		if
		:: src = SSP(0)
		:: src = SSP(1)
		fi;
		get(src);
		if
		:: got -> put(me, false)			/* SP2, SP4 */
		:: else
		fi;
		d_step { got = false; p = 0; src = 0; turn++ }
	:: else -> break
	od;
	done++
}

/* Its steps are RMWs: no store buffer. It has a reference of its own too. */
proctype deleter()
{
	mem[SSP(0)] = 0;					/* SP8 */
	put(S, true);						/* SP4 */
	put(S, false);						/* SP2, SP4 */
	done++
}

inline judge()
{
	d_step {
		if
#ifdef MAIL1
		:: seen
		:: !seen -> retired = false; end()
#else
		:: has_others ->
			retired = false;
			again = false;
			refs--
		:: !has_others && again -> again = false
		:: !has_others && !again && seen
		:: !has_others && !again && !seen ->
			retired = false;
			refs--;
			if
			:: refs == 0 -> end()
			:: else
			fi
#endif
		fi;
		seen = 0;
		v = 0
	}
}

proctype scanner()
{
	byte seen, v, ipi;

	do
	:: retired ->
#if !defined(PREPARE_LATE) && !defined(PREPARE_FENCED)
		again = false;					/* SP5 */
#endif
#ifdef NOHEAVY
		fence(S);
#else
		heavy(S);					/* HP7 */
#endif
#ifdef PREPARE_FENCED
		again = false;
#endif
		load(S, SLOT(0), v);				/* HP8 */
		seen = v;
		load(S, SLOT(1), v);
		seen = seen | v;
#ifdef PREPARE_LATE
		again = false;
#endif
		judge()						/* SP6 */
	:: done == 3 && !retired -> break
	od;
	assert(freed && refs == 0)
}

init {
	atomic {
		mem[SSP(0)] = 1;
		refs = 2;
		run publisher(0);
		run reader(1);
		run deleter();
		run scanner()
	}
}
