/* SPDX-License-Identifier: MIT */
/*
 * futex.pml - waiting at a word while the table is replaced (policy guard)
 *
 * hazptr_futex_wait(), hazptr_futex_wake() of all, and hazptr_unqueue_() of
 * who gives up, as in src/park/{futex,park,table,bucket}.c.
 *
 * WAITERS waiters, which queue themselves unless the word has changed, and may
 * give up; a waker that changes the word and wakes; a thread that replaces the
 * table RESIZES times. In the end nobody sleeps. What is freed is not touched:
 * neither a table nor the waiter of a call that has returned.
 *
 *	(none)			OK
 *	-DRESIZES=2		OK
 *	-DRESIZES=2 -DMEM=3	OK	memory that need not be waited for
 *	-DWAITERS=2		OK
 *	-DNODEAD		BAD	old buckets are not marked
 *	-DCLEARCOUNT		BAD	the count goes with the waiters
 *	-DRESIZES=2 -DMEM=3 -DNORECHECK
 *				BAD	without FT3
 *	-DNOGUARD		BAD	without FQ2
 *	-DNOTAKEN		BAD	without FQ5
 *	-DLASTACCESS		BAD	FQ3 before FS1
 *	-DSWAPWAKE		BAD	the table is replaced by an empty one,
 *					and then all are woken in the old one
 *
 * A wake for nothing is allowed, so SWAPWAKE fails by who comes late: it has
 * the old table still, and queues itself where all have been woken.
 */
#ifndef RESIZES
#define RESIZES 1
#endif
#ifndef WAITERS
#define WAITERS 1
#endif
#ifndef MEM
#define MEM 2
#endif
#define PROCS 3

#include "table.h"

/* hazptr_futex_wait(): w is the call's own */
proctype waiter(byte w, g)
{
	byte l, n, b;
	bool timed, again;

	if
	:: timed = true
	:: timed = false
	fi;
	acquire();
	place_lock(0, b);
	insert(b, w);
	/* FW1: memory is sequentially consistent here */
	if
	:: word[0] ->						/* FW6 */
		d_step { remove(b, w) };
		unlock(b);
		release()
	:: !word[0] ->
		unlock(b);
		release();
		atomic { l = 0; n = 0; b = 0; again = false };
		if
		:: awake[w] -> at[w] == NIL			/* FS2, FQ4 */
		:: timed -> unqueue(w);
			guard[g] = NIL;
			if
			:: b == NIL -> at[w] == NIL		/* FQ4 */
			:: else
			fi
		fi
	fi;
	atomic {
		frame[w] = false;
		l = 0; n = 0; b = 0; timed = false; again = false;
		done++
	}
}

proctype waker(byte g)
{
	byte l, n, b, list, w;
	bool again;

	/* The user's store may be seen as late as FW3: after the table. */
	acquire();
	word[0] = 1;						/* FW3 */
	atomic {
		use(l);
		b = bucket_of(l, 0);
		n = bkt[b].count + bkt[b].dead			/* FW2 */
	};
	guard[g] = NIL;
	if
	:: n ->
		atomic { n = 0; b = 0 };
		acquire();
		place_lock(0, b);
		take(b, 0, list);
		unlock(b);
		release();
		wake_taken(list)
	:: else
	fi;
	atomic { l = 0; n = 0; b = 0; again = false; done++ }
}

#ifdef SWAPWAKE
inline wake_all(from)
{
	lock(from);
	take(from, 0, list);
	unlock(from);
	wake_taken(list)
}

inline replace_()
{
	table_new(t);
	old = current;
	current = t;
	wake_all(2 * old);
	if
	:: two[old] -> wake_all(2 * old + 1)
	:: else
	fi;
	atomic { retired[old] = true; old = 0; t = 0 }
}
#else
#define replace_() replace()
#endif

proctype resizer()
{
	byte old, t, b, w, turn, list;

	do
	:: turn < RESIZES -> replace_(); turn++
	:: else -> break
	od;
	done++
}

init {
	atomic {
		start();
		frame[0] = true;
		run waiter(0, 0);
#if WAITERS > 1
		frame[1] = true;
		run waiter(1, 4);
#endif
		run waker(2);
		run resizer()
	};
	timeout;
	assert(done == WAITERS + 2)
}
