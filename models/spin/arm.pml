/* SPDX-License-Identifier: MIT */
/*
 * arm.pml - does the background thread wake for what is retired?
 *
 * The background thread sleeps without a time-out while nothing waits, so that
 * who retires must wake it; but retire() must not look at shared words each
 * time. It looks once per reservation: `reserved` counts the objects that wait
 * for readers, and the room that lanes have reserved for those to come.
 *
 *	owner, quota used up			background thread, pass done
 *	BG1 reserved += quota	(RMW)		(lock)
 *	    push; the rest is the lane's	BG3 armed = 0
 *	    quota				BG4 full fence
 *	BG2 armed?				BG5 reserved?
 *	    no: (lock) BG3 armed = 1,		    not 0: armed = 1, stay
 *	        wake (unlock)			(unlock) sleep if not armed
 *
 * Store buffering again: without BG4 (BG1 is a fence by itself) the owner may
 * read the old armed while the background thread reads the old reserved, and
 * nobody wakes it. Within its quota an owner pushes without a look at anything.
 * That is safe while the room is counted in `reserved`; therefore who takes the
 * lane takes the quota too, and gives back what is unused: from then on the
 * owner has to reserve again, and to look.
 *
 * An object leaves `reserved` when it is reclaimed, not when it is taken from
 * the lane: what readers keep must keep the thread awake.
 *
 * On x86 the RMW of BG1 is a full fence. In C11 it is not: BG2 must be seq_cst
 * as well, or follow a fence; a relaxed load may be served before the store of
 * a seq_cst RMW is seen (AArch64 without LSE does that).
 *
 * What is modelled: two owners, each with a lane, that retire 2 objects and 1;
 * the background thread for ever; a reader that keeps one object up to some
 * moment. Store buffers as in tso.h. The lane is what lane.pml shows it to be:
 * while its owner is busy, takers leave it alone; while a taker has it (steal),
 * the owner's objects go to the shared list, with a reservation of their own.
 * The wake-up is a futex: compare and sleep is one step of the kernel.
 *
 * Checked: when all are at rest, nothing is retired and nothing is reserved;
 * `reserved` never falls below what waits; and the thread does come to rest:
 * after all others are done, the third pass finds nothing more to do. Left out:
 * several domains, functions (`ready`, which BG5 reads after `reserved`), time
 * between passes, failure to start the thread.
 *
 *	(none)			OK
 *	-DNORECHECK		BAD	no BG5
 *	-DNOFENCE		BAD	no BG4
 *	-DQUOTA_KEPT		BAD	the taker gives the room back, the owner
 *					goes on to use it
 *	-DQUOTA_OUTSIDE		BAD	the owner looks at its quota before it
 *					is busy; then the lane is taken
 *	-DCOUNT_EARLY		BAD	objects leave `reserved` when taken
 *	-DNOUNUSED		BAD	the taker keeps the room: the thread
 *					never sleeps again
 *	-DPRIVATE		OK	owners scan what their full lane held
 *					(private.pml): each of these objects
 *					has its room, until it is freed or
 *					leaves the shared list
 *	-DPRIVATE -DROOM_STAYS	BAD	the room stays with the lane, and is
 *					taken with it, while objects are left
 */
#ifndef OBJECTS
#define OBJECTS 2		/* of the first owner; the second: one less */
#endif
#ifndef QUOTA
#define QUOTA 2
#endif
#define OWNERS 2

#define B OWNERS		/* the background thread's CPU */
#define CPUS (OWNERS + 1)

#define RESERVED 0
#define ARMED 1
#define LOCK 2
#define WORDS 3

#include "tso.h"

typedef lane_t {
	byte length;
	byte quota;
	bool busy;
	bool steal;
	byte kept		/* QUOTA_KEPT: given back, used nevertheless */
};
lane_t lane[OWNERS];
byte stack;			/* objects on the shared stack */
byte waiting;			/* objects retired, not reclaimed */
bool held;			/* the reader keeps one of them */
bool asleep;			/* in the futex */
byte done;			/* owners and readers that are gone */
#define ALL_DONE (done == OWNERS + 1)

inline reserve(c, k)
{
	d_step {
		drained(c) ->
		mem[RESERVED] = mem[RESERVED] + (k)		/* BG1 */
	}
}

inline give_back(c, k)
{
	d_step {
		drained(c) ->
		assert(mem[RESERVED] >= (k));
		mem[RESERVED] = mem[RESERVED] - (k);
		assert(mem[RESERVED] >= waiting)
	}
}

inline arm()
{
	load(me, ARMED, armed);					/* BG2 */
	if
	:: !armed ->
		lock(me, LOCK);
		store(me, ARMED, 1);				/* BG3 */
		d_step { drained(me) -> asleep = false };	/* wake */
		unlock(me, LOCK)
	:: else
	fi;
	armed = 0
}

inline push_lane(room)
{
	d_step {
		lane[me].length++;
		lane[me].quota = lane[me].quota + (room) - 1;
		lane[me].busy = false;
		waiting++
	}
}

#define enter()	d_step { inside = !lane[me].steal; lane[me].busy = inside }

inline retire()
{
#ifdef QUOTA_OUTSIDE
	quota = lane[me].quota;
	enter();
#else
	enter();
	quota = (inside -> lane[me].quota : 0);
#endif
	if
#ifdef QUOTA_KEPT
	:: inside && lane[me].kept ->
		lane[me].kept--;
		push_lane(1)
#endif
	:: inside && quota -> push_lane(0)
	:: inside && !quota ->
		reserve(me, QUOTA);
		push_lane(QUOTA);
		arm()
	:: !inside ->
		reserve(me, 1);
		d_step { drained(me) -> stack++; waiting++ };
		arm()
	fi;
	d_step { inside = false; quota = 0 }
}

#ifdef PRIVATE
/*
 * A full lane: its quota is used up, so there is no room to give back. With
 * ROOM_STAYS it has its quota anew, and what is held reserves for itself.
 */
inline scan_own()
{
	enter();
	if
	:: inside && lane[me].length && !lane[me].quota ->
		d_step {
			own = lane[me].length;
			lane[me].length = 0;
#ifdef ROOM_STAYS
			lane[me].quota = own;
#endif
			lane[me].busy = false
		};
		d_step {
			freed = (held -> own - 1 : own);
			own = own - freed
		};
#ifdef ROOM_STAYS
		reserve(me, own);
		d_step { stack = stack + own; waiting = waiting - freed };
#else
		d_step { stack = stack + own; waiting = waiting - freed };
		give_back(me, freed);
#endif
		d_step { own = 0; freed = 0 }
	:: else -> lane[me].busy = false
	fi;
	inside = false
}
#endif

proctype owner(byte me)
{
	byte n, quota, armed;
	bool inside;
#ifdef PRIVATE
	byte own, freed;
#endif

	do
	:: n < OBJECTS - me -> retire(); n++
#ifdef PRIVATE
	:: lane[me].length && !lane[me].quota -> scan_own()
#endif
	:: n >= OBJECTS - me -> break
	od;
	drained(me);
	done++
}

proctype reader()
{
	held = false;
	done++
}

inline take_lanes()
{
	do
	:: i < OWNERS ->
		lane[i].steal = true;
		d_step {
			if
			:: !lane[i].busy ->
				line = line + lane[i].length;
				lane[i].length = 0;
				unused = lane[i].quota;
#ifdef QUOTA_KEPT
				lane[i].kept = lane[i].kept + unused;
#endif
				lane[i].quota = 0
			:: else
			fi
		};
		lane[i].steal = false;
#ifndef NOUNUSED
		if
		:: unused -> give_back(B, unused)
		:: else
		fi;
#endif
		d_step { unused = 0; i++ }
	:: else -> break
	od;
	i = 0;
	d_step { line = line + stack; stack = 0 }
}

inline pass()
{
	take_lanes();
#ifdef COUNT_EARLY
	d_step { mem[RESERVED] = mem[RESERVED] - line + kept; kept = line };
#endif
	d_step {
		freed = (held && line > 0 -> line - 1 : line);
		line = line - freed;
		waiting = waiting - freed
	};
#ifdef COUNT_EARLY
	kept = line;
#else
	if
	:: freed -> give_back(B, freed)
	:: else
	fi;
#endif
	freed = 0
}

inline go_to_sleep()
{
	lock(B, LOCK);
	store(B, ARMED, 0);					/* BG3 */
#ifndef NOFENCE
	fence(B);						/* BG4 */
#endif
#ifndef NORECHECK
	load(B, RESERVED, stay);				/* BG5 */
	if
	:: stay -> store(B, ARMED, 1)				/* BG3 */
	:: else
	fi;
#endif
	unlock(B, LOCK);
	/* futex_wait(&armed, 0) */
	d_step { drained(B) -> asleep = !mem[ARMED] };
end:	!asleep;
	stay = 0
}

proctype background()
{
	byte i, line, unused, freed, stay, late;
#ifdef COUNT_EARLY
	byte kept;
#endif

	do
	:: pass();
		go_to_sleep();
		if
		:: ALL_DONE -> late++; assert(late <= 3)
		:: else
		fi
	od
}

init {
	atomic {
		/* the thread has been started, and it sleeps */
		asleep = true;
		if
		:: held = true
		:: true
		fi;
		run owner(0);
		run owner(1);
		run reader();
		run background()
	};
	timeout;
	assert(ALL_DONE && waiting == 0 && mem[RESERVED] == 0 &&
	       !mem[ARMED] && asleep)
}
