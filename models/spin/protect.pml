/* SPDX-License-Identifier: MIT */
/*
 * protect.pml - protect, clear, scan: does a guard keep its object alive?
 *
 * A reader stores the address that it saw into a slot, then looks at the source
 * again. An updater takes the object out of the source, then looks at the
 * slots. Each stores one word and loads the other's; when both loads are served
 * before both stores are seen, the reader uses an object that is freed:
 *
 *	reader				updater
 *	HP5 p = src
 *	HP2 slot = p	(buffered)
 *	HP4 src == p, so it is mine
 *					src = NULL, seen by all
 *					HP8 slot is empty
 *	    slot = p	(seen)		free(p)
 *	    use *p
 *
 * HP3, the light fence, stands between HP2 and HP4 and is nothing at run time;
 * HP7, the heavy fence, stands between the unlink and HP8 and makes up for it.
 *
 * Places and their order. A guard stands in one of two slots of its thread, or,
 * when both are taken, in its own embedded word, which is linked into a list:
 *
 *	    own = p
 *	    (list lock)
 *	OV1 count of linked guards ++	(RMW)
 *	OV2 link
 *	    (unlock)
 *	OV3 full fence
 *	HP4 src == p
 *
 * The scan reads the slots first, then OV4 the count, and walks the lists, each
 * under its lock, only when the count is not 0. With -DMOVE a guard may wander
 * while it is held, from a slot to the list: it is linked there first and then
 * the slot is cleared. So the scan must visit slots before the list: a guard
 * that is not in the slot any more is in the list already.
 *
 * A thread has two lists; the second is for detached guards. A guard goes from
 * one to the other under the lock (-DDETACH), in two stores. Who walks under
 * the lock sees both or none of them. A look without the lock, first list,
 * second list, "both are empty, no need to walk" (-DHINT), may come in between.
 * So the guard must be in the second list before it leaves the first; the other
 * way round (-DUNLINK_FIRST) it is in neither for a moment:
 *
 *	owner				scanner
 *	(lock) first list = NULL
 *					first list: empty
 *					second list: empty; free(p)
 *	second list = guard (unlock)
 *	use *p
 *
 * What is modelled: one reader (or two, -DREADERS=2) that protects twice, in
 * any free place, with other guards in some slots at the start; an updater that
 * replaces the object and scans after each unlink, and that publishes freed
 * memory again, at the same address (ABA). Store buffers and membarrier as in
 * tso.h. Left out: registration (the records are walked after HP7), signals,
 * orders that TSO gives for nothing (HP2, HP6, OV6 release; HP4, HP8, OV4
 * acquire).
 *
 *	(none)			OK
 *	-DMOVE			OK
 *	-DDETACH		OK
 *	-DNOHEAVY		BAD	no HP7
 *	-DNORELOAD		BAD	no HP4
 *	-DSCAN_OVERFLOW_FIRST	OK	while no guard moves ...
 *	-DMOVE -DSCAN_OVERFLOW_FIRST
 *				BAD	... list empty; it moves; slot empty
 *	-DCOUNT_FIRST		OK	OV4 after HP7, but before the slots;
 *	-DMOVE -DCOUNT_FIRST	BAD	the same with a guard that moves
 *	-DCOUNT_BEFORE_SLOTS	BAD	OV4 before HP7: the unlink may still be
 *					buffered when a guard is linked
 *	-DMOVE -DCLEAR_FIRST	BAD	the slot is cleared, then the guard is
 *					linked
 *	-DMOVE_BACK		BAD	a guard moves from the list to a slot:
 *					slot: empty; guard moves; list: empty
 *	-DHINT -DDETACH		OK	empty lists are not locked
 *	-DHINT -DDETACH -DUNLINK_FIRST
 *				BAD	a guard that changes lists is in neither
 *	-DDETACH -DUNLINK_FIRST	OK	... which the lock hides
 *	-DHINT_BACK -DDETACH	BAD	the second list is looked at first
 *	-DNOOV3			OK	membarrier makes OV3 unnecessary ...
 *	-DFULL			OK	both fences full, no membarrier
 *	-DFULL -DNOLIGHT	BAD	... the slots then need HP3 as a fence,
 *	-DFULL -DNOOV3		BAD	... and the list OV3
 */
#ifndef READERS
#define READERS 1
#endif
#ifndef TURNS
#define TURNS 2			/* of each reader */
#endif
#ifndef UPDATES
#define UPDATES 3
#endif
#define OBJECTS 2
#define OTHER 9			/* what an unrelated guard keeps */

#define U READERS		/* the updater's CPU */
#define CPUS (READERS + 1)

#define SRC 0
#define COUNT 1
#define LOCK 2
#define SLOT0 (3 + 5 * me)
#define SLOT1 (4 + 5 * me)
#define OWN (5 + 5 * me)
#define LINK (6 + 5 * me)	/* the guard is in the first list */
#define DETACHED (7 + 5 * me)	/* in the second */
#define WORDS (3 + 5 * READERS)

#include "tso.h"

/* What the allocator knows. */
#define FREED 0
#define PUBLISHED 1
#define RETIRED 2
byte state[OBJECTS + 1];
byte age[OBJECTS + 1];		/* how often the memory was allocated */

#ifdef NOLIGHT
#define reader_fence(c)	skip
#else
#define reader_fence(c)	light(c)
#endif
#ifdef NOOV3
#define overflow_fence(c) skip
#else
#define overflow_fence(c) fence(c)
#endif

inline link_own()
{
	store(me, OWN, p);
	lock(me, LOCK);
	d_step { drained(me) -> mem[COUNT] = mem[COUNT] + 1 };	/* OV1 */
	store(me, LINK, 1);					/* OV2 */
	unlock(me, LOCK)
}

inline unlink_own()
{
	lock(me, LOCK);
	store(me, LINK, 0);
#ifdef DETACH
	store(me, DETACHED, 0);
#endif
	d_step { drained(me) -> mem[COUNT] = mem[COUNT] - 1 };	/* OV6 */
	unlock(me, LOCK)
}

inline detach()
{
	lock(me, LOCK);
#ifdef UNLINK_FIRST
	store(me, LINK, 0);
	store(me, DETACHED, 1);
#else
	store(me, DETACHED, 1);
	store(me, LINK, 0);
#endif
	unlock(me, LOCK)
}

/* HP1: the first place that is free */
inline find_place()
{
	load(me, SLOT0, q);
	place = SLOT0;
	if
	:: q == 0
	:: else ->
		load(me, SLOT1, q);
		place = SLOT1;
		if
		:: q == 0
		:: else -> place = OWN
		fi
	fi;
	q = 0
}

inline publish()
{
	if
	:: place != OWN ->
		store(me, place, p);				/* HP2 */
		reader_fence(me)				/* HP3 */
	:: place == OWN && !linked ->
		link_own();
		linked = true;
		overflow_fence(me)				/* OV3 */
	:: place == OWN && linked ->
		store(me, OWN, p);
		overflow_fence(me)				/* OV3 */
	fi
}

inline release()
{
	if
	:: place != OWN -> store(me, place, 0)			/* HP6 */
	:: place == OWN && linked -> unlink_own(); linked = false
	:: else
	fi
}

inline move_guard()
{
#ifdef CLEAR_FIRST
	store(me, place, 0);
	link_own();
#else
	link_own();
	store(me, place, 0);
#endif
	d_step { place = OWN; linked = true }
}

inline move_back()
{
	store(me, SLOT0, p);
	unlink_own();
	d_step { place = SLOT0; linked = false }
}

proctype reader(byte me)
{
	byte p, q, born, place, turn;
	bool linked;

	do
	:: turn < TURNS ->
		find_place();
		load(me, SRC, p);				/* HP5 */
again:		if
		:: p == 0 -> goto out
		:: else
		fi;
		publish();
#ifndef NORELOAD
		load(me, SRC, q);				/* HP4 */
		if
		:: q != p -> d_step { p = q; q = 0 }; goto again
		:: else
		fi;
#endif
		d_step {
			q = 0;
			assert(state[p] != FREED);
			born = age[p]
		};
#ifdef MOVE
		if
		:: place != OWN -> move_guard()
		:: true
		fi;
#endif
#ifdef DETACH
		if
		:: place == OWN -> detach()
		:: true
		fi;
#endif
#ifdef MOVE_BACK
		if
		:: place == OWN && mem[SLOT0] == OTHER ->
			store(me, SLOT0, 0);	/* an unrelated guard ends */
			move_back()
		:: true
		fi;
#endif
		d_step {
			assert(state[p] != FREED && age[p] == born);
			born = 0
		};
out:		release();
		/* another guard of this thread ends */
		if
		:: mem[SLOT0] == OTHER -> store(me, SLOT0, 0)
		:: true
		fi;
		d_step { turn++; p = 0; place = 0 }
	:: else -> break
	od
}

#define keep(o)	seen = seen | (1 << (o))

inline scan_slots()
{
	me = 0;
	do
	:: me < READERS ->
		load(U, SLOT0, v);				/* HP8 */
		keep(v);
		load(U, SLOT1, v);
		d_step { keep(v); v = 0; me++ }
	:: else -> break
	od;
	me = 0
}

inline read_count()
{
	load(U, COUNT, count)					/* OV4 */
}

/* Is a list of the thread worth the lock? */
inline look_at_lists()
{
#if defined(HINT)
	load(U, LINK, v);
	if
	:: !v -> load(U, DETACHED, v)
	:: else
	fi
#elif defined(HINT_BACK)
	load(U, DETACHED, v);
	if
	:: !v -> load(U, LINK, v)
	:: else
	fi
#else
	v = 1
#endif
}

inline scan_list()
{
	if
	:: count != 0 ->
		do
		:: me < READERS ->
			look_at_lists();
			if
			:: v ->
				lock(U, LOCK);
				if
				:: mem[LINK] || mem[DETACHED] ->
					load(U, OWN, v);
					keep(v)
				:: else
				fi;
				unlock(U, LOCK)
			:: else
			fi;
			d_step { v = 0; me++ }
		:: else -> break
		od;
		me = 0
	:: else
	fi;
	count = 0
}

inline scan()
{
#ifdef COUNT_BEFORE_SLOTS
	read_count();
#endif
#ifdef NOHEAVY
	fence(U);
#else
	heavy(U);						/* HP7 */
#endif
#ifdef SCAN_OVERFLOW_FIRST
	read_count();
	scan_list();
	scan_slots()
#else
#ifdef COUNT_FIRST
	read_count();
#endif
	scan_slots();
#if !defined(COUNT_BEFORE_SLOTS) && !defined(COUNT_FIRST)
	read_count();
#endif
	scan_list()
#endif
}

proctype updater()
{
	byte old, new, v, me, count, turn, ipi;
	short seen;

	do
	:: turn < UPDATES ->
		/* NULL or any free object replaces what is published */
		atomic {
			old = mem[SRC];	/* the only one who stores there */
			if
			:: new = 0
			:: state[1] == FREED -> new = 1
			:: state[2] == FREED -> new = 2
			fi;
			if
			:: new -> state[new] = PUBLISHED; age[new]++
			:: else
			fi
		};
		store(U, SRC, new);
		d_step {
			if
			:: old -> state[old] = RETIRED
			:: else
			fi;
			old = 0;
			new = 0
		};
		scan();
		d_step {
			v = 1;
			do
			:: v <= OBJECTS ->
				if
				:: state[v] == RETIRED && !(seen & (1 << v)) ->
					state[v] = FREED
				:: else
				fi;
				v++
			:: else -> break
			od;
			v = 0;
			seen = 0;
			turn++
		}
	:: else -> break
	od
}

init {
	atomic {
		mem[SRC] = 1;
		state[1] = PUBLISHED;
		/* how many of the slots other guards of the thread keep */
		if
		:: true
		:: mem[3] = OTHER
		:: mem[3] = OTHER; mem[4] = OTHER
		fi;
		run reader(0);
#if READERS > 1
		run reader(1);
#endif
		run updater()
	}
}
