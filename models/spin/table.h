/* SPDX-License-Identifier: MIT */
/*
 * table.h - the tables of src/park/table.c, their buckets, and waiters
 *
 * What futex.pml, requeue.pml and count.pml have in common.
 *
 * MEM pieces of memory for tables, numbered from 1. A table that is retired is
 * freed as soon as no guard names it, in a step of its own at any time, and its
 * memory serves again: whoever then comes with the old address touches a free
 * table, or one that is not meant. A table has one bucket or two; the bucket of
 * key 0 is the first, that of key 1 the first or the second.
 *
 * A chain is a set here: what is ordered by the bucket's lock needs no order of
 * stores. The count stands for the marks in `keys`: a superset of who waits.
 * Memory is sequentially consistent; futex_wake.pml has the store buffers. A
 * protect (guard stored, source read again) is one step, as is a scan:
 * protect.pml shows that they behave so.
 *
 * The user defines PROCS (with guards), WAITERS and MEM before the #include,
 * and runs reclaimer().
 */
#define NIL 0
#define TAKEN 1			/* no bucket has that number */
#define bucket_of(t, k) (2 * (t) + (two[t] & (k)))
#define table_of(b) ((b) / 2)
#define BUCKETS (2 * MEM + 2)

typedef bucket {
	bool locked;
	bool dead;
	byte count;
	byte chain		/* a bit for each waiter */
};

byte current = MEM;
byte next[MEM + 1];
bit two[MEM + 1];		/* the table has two buckets */
bool freed[MEM + 1];
bool retired[MEM + 1];
bucket bkt[BUCKETS];

byte guard[2 * PROCS];

byte word[2];
byte key[WAITERS];
bool frame[WAITERS];		/* the call has not returned */
bool awake[WAITERS];
byte at[WAITERS];		/* w->bucket */
byte in[WAITERS];		/* w->table */
byte done;			/* processes */
hidden byte k_;

#define use(t) assert(!freed[t])
#define touch(w) assert(frame[w])

#if PROCS > 3
#define is_guarded(t) (guard[0] == t || guard[1] == t || guard[2] == t || \
		       guard[3] == t || guard[4] == t || guard[5] == t || \
		       guard[6] == t || guard[7] == t)
#else
#define is_guarded(t) (guard[0] == t || guard[1] == t || guard[2] == t || \
		       guard[3] == t || guard[4] == t || guard[5] == t)
#endif

inline free_it(t)
{
	d_step {
		retired[t] && !is_guarded(t) ->
		retired[t] = false;
		freed[t] = true;
		next[t] = NIL;
		bkt[2 * t].dead = false;
		bkt[2 * t + 1].dead = false;
		bkt[2 * t].count = 0;
		bkt[2 * t + 1].count = 0;
		assert(!bkt[2 * t].chain && !bkt[2 * t + 1].chain);
		assert(!bkt[2 * t].locked && !bkt[2 * t + 1].locked)
	}
}

active proctype reclaimer()
{
end:	do
	:: free_it(1)
#if MEM > 1
	:: free_it(2)
#endif
#if MEM > 2
	:: free_it(3)
#endif
	od
}

/* Bucket locks */

inline lock(b)
{
	atomic {
		freed[table_of(b)] || !bkt[b].locked ->
		use(table_of(b));
		bkt[b].locked = true
	}
}

inline unlock(b)
{
	atomic { use(table_of(b)); bkt[b].locked = false }
}

/* Leases: g is the first of the two guards; l, n are the tables. */

inline acquire()
{
	atomic { guard[g] = current; l = guard[g] }
}

inline release()
{
	guard[g + 1] = NIL;
	guard[g] = NIL
}

/* n is NIL when it is not to be used */
inline lease_next()
{
	atomic {
		use(l);
		n = next[l];
		guard[g + 1] = n
	};
#ifndef NORECHECK
	if							/* FT3 */
	:: current != l -> n = NIL
	:: else
	fi
#endif
}

/* b is where the key is; it may be dead. `again`: l is another one. */
inline find(k, b)
{
	do
	:: true ->
		atomic {
			use(l);
			b = bucket_of(l, k);
			n = bkt[b].dead				/* FB1 */
		};
		if
		:: !n -> break
		:: else
		fi;
		lease_next();
		if
		:: atomic { n -> use(n); b = bucket_of(n, k); n = NIL };
			break
		:: atomic { !n -> b = 0 };
			release();
			acquire();
			again = true
		fi
	od
}

inline place_lock(k, b)
{
	do
	:: true ->
		find(k, b);
		lock(b);
		if
		:: !bkt[b].dead -> break
		:: else -> unlock(b)
		fi
	od
}

/* Chains: with the lock. */

inline insert(b, w)
{
	atomic {
		assert(b == bucket_of(table_of(b), key[w]));
		assert(!(bkt[b].chain & (1 << w)));
		bkt[b].chain = bkt[b].chain | (1 << w);
		bkt[b].count++
	};
	at[w] = b;						/* FQ1 */
	in[w] = table_of(b)					/* FQ1 */
}

inline remove(b, w)
{
	assert(bkt[b].chain & (1 << w));
	bkt[b].chain = bkt[b].chain & ~(1 << w);
	assert(bkt[b].count > 0);
	bkt[b].count--
}

/* All that wait for the key; the set goes to `list`. */
inline take(b, k, list)
{
	d_step {
		k_ = 0;
		do
		:: k_ < WAITERS ->
			if
			:: (bkt[b].chain & (1 << k_)) && key[k_] == k ->
				touch(k_);
				remove(b, k_);
#ifndef NOTAKEN
				at[k_] = TAKEN;			/* FQ5 */
#endif
				list = list | (1 << k_)
			:: else
			fi;
			k_++
		:: else -> break
		od
	}
}

inline wake_taken(list)
{
	w = 0;
	do
	:: list & (1 << w) ->
#ifdef LASTACCESS
		atomic { touch(w); at[w] = NIL };
		atomic { touch(w); awake[w] = true };
#else
		atomic { touch(w); awake[w] = true };		/* FS1 */
		atomic { touch(w); at[w] = NIL };		/* FQ3 */
#endif
		list = list & ~(1 << w)
	:: !(list & (1 << w)) && list -> w++
	:: !list -> break
	od;
	w = 0
}

/* Another table in its place: hazptr_bucket_move_() and move(). */

inline move_bucket(from, to)
{
	lock(from);
#ifdef CLEARCOUNT
	bkt[from].count = 0;
#endif
	w = 0;
	do
	:: w < WAITERS && (bkt[from].chain & (1 << w)) ->
		atomic { touch(w); b = bucket_of(to, key[w]) };
		lock(b);
		bkt[from].chain = bkt[from].chain & ~(1 << w);
		insert(b, w);
		unlock(b);
		w++
	:: w < WAITERS && !(bkt[from].chain & (1 << w)) -> w++
	:: w >= WAITERS -> break
	od;
	atomic { w = 0; b = 0 };
#ifndef NODEAD
	bkt[from].dead = true;					/* FW4 */
#endif
	unlock(from)
}

/* A new table in free memory. */
inline table_new(t)
{
	atomic {
		if
		:: freed[1] -> t = 1
#if MEM > 1
		:: freed[2] -> t = 2
#endif
#if MEM > 2
		:: freed[3] -> t = 3
#endif
		fi;
		freed[t] = false;
		if
		:: two[t] = 0
		:: two[t] = 1
		fi
	}
}

inline replace()
{
	table_new(t);
	next[current] = t;					/* FT1 */
	old = current;
	move_bucket(2 * old, t);
	if
	:: two[old] -> move_bucket(2 * old + 1, t)
	:: else
	fi;
	current = t;						/* FT2 */
	atomic { retired[old] = true; old = 0; t = 0 }
}

inline start()
{
	for (k_ : 1 .. MEM - 1) {
		freed[k_] = true
	}
	if
	:: two[MEM] = 0
	:: two[MEM] = 1
	fi
}

/* w->bucket, locked, or NIL: hazptr_unqueue_() */
inline unqueue(w)
{
	do
	:: true ->
#ifndef NOGUARD
		atomic { guard[g] = in[w] };			/* FQ2 */
#endif
		b = at[w];					/* FQ4 */
		if
		:: b == NIL || b == TAKEN -> b = NIL; break
#ifndef NOGUARD
		:: b > TAKEN && table_of(b) != guard[g] -> skip
		:: b > TAKEN && table_of(b) == guard[g] ->
#else
		:: b > TAKEN ->
#endif
			lock(b);
			if
			:: at[w] == b ->
				d_step { remove(b, w) };
				unlock(b);
				break
			:: else -> unlock(b)
			fi
		fi
	od
}
