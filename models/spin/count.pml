/* SPDX-License-Identifier: MIT */
/*
 * count.pml - tables kept alive by counts of references (HAZPTR_FUTEX=count)
 *
 * src/park/count.c, replace() and hazptr_table_replace_() of table.c, and
 * hazptr_rcuref. Operations take a reference and put it; the table has one of
 * its own, which is put by whoever wants another table and has published that
 * as `next`. Whoever finds the table dead moves its waiters, under a lock.
 *
 * A waiter that queues itself and may give up, a waker, RESIZERS threads that
 * want another table and wait for it. In the end nobody sleeps. Who has a
 * reference sees no dead bucket; so find() has nothing to go on to.
 *
 *	(none)			OK
 *	-DRESIZERS=2 -DNOWAKER	OK	the waiter gives up
 *	-DRESIZERS=2 -DNOWAKER -DMEM=2
 *				OK	memory is waited for
 *	-DNOCURRENT		BAD	not looked at again under the lock: is
 *					it the current table that is dead?
 *	-DNOPUTGUARD		BAD	the guard is released before the put
 *	-DNOGUARD		BAD	no guard in unqueue, which has no
 *					reference
 *	-DRESIZERS=2 -DNOWAKER -DNOREQUEST
 *				BAD	two put the table's own reference
 *	-DRESIZERS=2 -DREVIVE -DREREAD
 *				BAD	the reference is put before there is a
 *					new table; there is none, so the count
 *					is initialised anew; who fails to get a
 *					reference looks at the count again
 *	-DRESIZERS=2 -DREVIVE	OK	... decides by its own addition's value
 *	-DREVIVE -DNOTDEAD	BAD	... and it is not looked at again under
 *					the lock whether the table is dead still
 */
#ifndef RESIZERS
#define RESIZERS 1
#endif
#ifdef NOWAKER
#define WAKERS 0
#else
#define WAKERS 1
#endif
#define PROCS 4
#define WAITERS 1
#ifndef MEM
#define MEM 3
#endif

#include "table.h"

byte refs[MEM + 1];		/* the zones of hazptr_rcuref, in a byte */
#define DEAD 224
#define NONE 255
#define is_dead(n) (n >= 192 && n != NONE)

bool replacing;
#ifdef REVIVE
bool asked[MEM + 1];
#endif

inline lock_replacing()
{
	atomic { !replacing -> replacing = true }
}

inline retire(t)
{
	atomic { assert(!retired[t] && !freed[t]); retired[t] = true }
}

/* hazptr_rcuref_get(): r >= 128 when it is dead */
inline ref_get(t)
{
	atomic { use(t); refs[t]++; r = refs[t] };		/* RC1 */
#ifdef REREAD
	if
	:: r >= 128 ->
		atomic { use(t); r = refs[t] };
		if
		:: r >= 192 -> atomic { use(t); refs[t] = DEAD }
		:: else
		fi
	:: else
	fi
#endif
}

/* hazptr_rcuref_put(): r is DEAD when this one made it so */
inline ref_put(t)
{
	atomic { use(t); refs[t]--; r = refs[t] };		/* RC2 */
	if
	:: r < 128 -> r = 0
	:: r == NONE ->
		atomic {					/* RC3 */
			use(t);
			if
			:: refs[t] == NONE -> refs[t] = DEAD; r = DEAD
			:: else -> r = 0
			fi
		}
	:: r >= 128 && r != NONE -> assert(false)		/* none left */
	fi
}

/* move(), with the lock; `next` is there */
inline move(old)
{
	t = next[old];
	move_bucket(2 * old, t);
	if
	:: two[old] -> move_bucket(2 * old + 1, t)
	:: else
	fi;
	atomic { current = t; t = 0 }				/* FT2 */
}

/* hazptr_table_replace_() */
inline replace_dead(old)
{
	lock_replacing();
#if defined(REVIVE)
	/* no memory */
	if
#ifdef NOTDEAD
	:: current == old ->
#else
	:: current == old && is_dead(refs[old]) ->
#endif
		use(old);
		refs[old] = 0;					/* RC4 */
		asked[old] = false
	:: else
	fi;
	replacing = false
#else
	atomic {
#ifdef NOCURRENT
		r = 1
#else
		r = (current == old -> 1 : 0)
#endif
	};
	if
	:: r -> atomic { use(old); r = (next[old] -> 1 : 0) }
	:: else
	fi;
	if
	:: r -> move(old); replacing = false; retire(old)
	:: else -> replacing = false
	fi;
	r = 0
#endif
}

/* hazptr_count_get_() */
inline count_get()
{
	do
	:: true ->
		atomic { guard[g] = current; l = guard[g] };
		ref_get(l);
		if
		:: r < 128 -> break
		:: else -> r = 0; replace_dead(l)
		fi
	od;
	r = 0
}

/* hazptr_count_put_() */
inline count_put(t_)
{
	ref_put(t_);
	if
	:: r == DEAD -> r = 0; replace_dead(t_)
	:: else
	fi
}

/* release() */
inline give_back()
{
#ifdef NOPUTGUARD
	guard[g] = NIL;
#endif
	count_put(l);
	guard[g] = NIL
}

inline lock_key(k, b)
{
	atomic { use(l); b = bucket_of(l, k) };
	assert(!bkt[b].dead);
	lock(b);
	assert(!bkt[b].dead)
}

proctype waiter(byte me, g)
{
	byte l, b, r, t, w;
	bool timed;

	if
	:: timed = true
#ifndef NOWAKER
	:: timed = false
#endif
	fi;
	count_get();
	lock_key(0, b);
	insert(b, me);
	if
	:: word[0] ->						/* FW6 */
		d_step { remove(b, me) };
		unlock(b);
		b = 0;
		give_back()
	:: !word[0] ->
		unlock(b);
		b = 0;
		give_back();
		l = 0;
		if
		:: awake[me] -> at[me] == NIL
		:: timed -> unqueue(me);
			guard[g] = NIL;
			if
			:: b == NIL -> at[me] == NIL
			:: else
			fi
		fi
	fi;
	atomic { frame[me] = false; l = 0; b = 0; timed = false; done++ }
}

proctype waker(byte g)
{
	byte l, n, b, r, t, w, list;

	word[0] = 1;						/* FW3 */
	atomic { guard[g] = current; l = guard[g] };
	atomic {
		use(l);
		b = bucket_of(l, 0);
		n = bkt[b].count + bkt[b].dead			/* FW2 */
	};
	atomic { guard[g] = NIL; l = 0; b = 0 };
	if
	:: n ->
		n = 0;
		count_get();
		lock_key(0, b);
		take(b, 0, list);
		unlock(b);
		b = 0;
		give_back();
		wake_taken(list)
	:: else
	fi;
	atomic { l = 0; done++ }
}

/* hazptr_futex_hash_resize() */
proctype resizer(byte g)
{
	byte old, new, b, r, t, w;

#ifndef REVIVE
	table_new(new);
	refs[new] = 0;
#endif
	do
	:: true ->
		lock_replacing();
		atomic { guard[g] = current; old = guard[g] };
#if defined(REVIVE)
		if
		:: !asked[old] -> asked[old] = true; break
		:: asked[old] ->
#elif defined(NOREQUEST)
		use(old);
		if
		:: true -> next[old] = new; break
		:: false ->
#else
		use(old);
		if
		:: !next[old] -> next[old] = new; break		/* FT1 */
		:: next[old] ->
#endif
			replacing = false;
			atomic { guard[g] = NIL; old = 0 }
		fi
	od;
	replacing = false;
	count_put(old);			/* the table's own */
#ifndef REVIVE
	current != old;
#endif
	guard[g] = NIL;
	atomic { old = 0; new = 0; done++ }
}

init {
	atomic {
		start();
		frame[0] = true;
		run waiter(0, 0);
#ifndef NOWAKER
		run waker(2);
#endif
		run resizer(4);
#if RESIZERS > 1
		run resizer(6);
#endif
	};
	timeout;
	assert(done == RESIZERS + WAKERS + 1)
}
