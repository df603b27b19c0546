/* SPDX-License-Identifier: MIT */
/*
 * requeue.pml - waiters go to another key while the table is replaced
 *
 * hazptr_futex_cmp_requeue(): two buckets, the older table's first and then
 * by address, so that nobody waits in a circle with whoever moves waiters from
 * one table to the next. Those who are moved are counted at their destination
 * before the word is looked at.
 *
 * A waiter at key 0, which gives up at any time; a requeuer from key 0 to key
 * 1, which wants the word to be 0; a waker that changes the word and wakes at
 * key 1; a thread that replaces the table RESIZES times. In the end nobody
 * sleeps at key 1, and but for who sleeps at key 0 all have returned.
 *
 *	(none)			OK
 *	-DOTHER_WAY		OK	from key 1 to key 0
 *	-DRESIZES=2		OK
 *	-DNOANNOUNCE		BAD	counted by the insertion only
 *	-DOTHER_WAY -DADDRESS	BAD	locked by address only: dead-lock
 *	-DRESIZES=2 -DSAME_ADDRESS
 *				BAD	a table is taken for the one of before:
 *					it is at the same address
 */
#ifndef RESIZES
#define RESIZES 1
#endif
#define PROCS 3
#define WAITERS 1
#define MEM 2

#include "table.h"

#ifdef OTHER_WAY
#define FROM 1
#define TO 0
#else
#define FROM 0
#define TO 1
#endif

/* It has been queued; futex.pml has how. */
proctype waiter(byte w, g)
{
	byte b;
	bool timed;

	if
	:: timed = true
	:: timed = false
	fi;
end_asleep:
	if
	:: awake[w] -> at[w] == NIL
	:: timed -> unqueue(w);
		if
		:: b == NIL -> at[w] == NIL
		:: else
		fi;
		guard[g] = NIL
	fi;
	atomic { frame[w] = false; b = 0; timed = false; done++ }
}

inline lock_two()
{
	do
	:: true ->
		do
		:: true ->
			t = l;
			find(FROM, b);
			again = false;
			find(TO, c);
			if
#ifdef SAME_ADDRESS
			:: l == t -> break
#else
			:: !again -> break
#endif
			:: else
			fi
		od;
		atomic {
			t = 0;
			again = false;
#ifdef ADDRESS
			swap = c < b
#else
			swap = (table_of(b) != table_of(c) ->
				table_of(c) == l : c < b)
#endif
		};
		if
		:: swap -> lock(c); lock(b)
		:: !swap && b != c -> lock(b); lock(c)
		:: !swap && b == c -> lock(b)
		fi;
		swap = false;
		if
		:: !bkt[b].dead && !bkt[c].dead -> break
		:: else -> unlock_two()
		fi
	od
}

inline unlock_two()
{
	unlock(b);
	if
	:: b != c -> unlock(c)
	:: else
	fi
}

proctype requeuer(byte g)
{
	byte l, n, t, b, c;
	bool swap, again, same;

	acquire();
	lock_two();
#ifndef NOANNOUNCE
	atomic { use(table_of(c)); bkt[c].count++ };		/* FW5, FW1 */
#endif
	same = !word[0];
	if
	:: same && (bkt[b].chain & 1) && key[0] == FROM ->
		atomic { touch(0); remove(b, 0); key[0] = TO };
		insert(c, 0)
	:: else
	fi;
#ifndef NOANNOUNCE
	atomic { use(table_of(c)); bkt[c].count-- };
#endif
	unlock_two();
	release();
	atomic { l = 0; n = 0; b = 0; c = 0; same = false; done++ }
}

proctype waker(byte g)
{
	byte l, n, b, list, w;
	bool again;

	word[0] = 1;						/* FW3 */
	acquire();
	atomic {
		use(l);
		b = bucket_of(l, TO);
		n = bkt[b].count + bkt[b].dead			/* FW2 */
	};
	guard[g] = NIL;
	if
	:: n ->
		atomic { n = 0; b = 0 };
		acquire();
		place_lock(TO, b);
		take(b, TO, list);
		unlock(b);
		release();
		wake_taken(list)
	:: else
	fi;
	atomic { l = 0; n = 0; b = 0; again = false; done++ }
}

proctype resizer()
{
	byte old, t, b, w, turn;

	do
	:: turn < RESIZES -> replace(); turn++
	:: else -> break
	od;
	done++
}

init {
	atomic {
		start();
		key[0] = FROM;
		in[0] = MEM;
		at[0] = bucket_of(MEM, FROM);
		bkt[at[0]].chain = 1;
		bkt[at[0]].count = 1;
		frame[0] = true;
		run waiter(0, 0);
		run requeuer(2);
		run waker(4);
		run resizer()
	};
	timeout;
	assert(done == 4 || (done == 3 && frame[0] && key[0] == FROM))
}
