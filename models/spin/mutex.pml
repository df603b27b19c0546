/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - the mutex when it is not free, and broadcast
 *
 * src/sync/mutex.c and cond.c on an abstract park: a queue is a set with a
 * lock, validate() and decide() run with that, and whoever is taken out of the
 * set is woken afterwards. Anybody may be first in a queue (priorities), and
 * any unlock that wakes may hand over (time). While one is on the way (WOKEN) an
 * unlock may leave the others asleep, each time or never. No store buffers.
 *
 * LOCKERS threads lock, are alone, and unlock, TURNS times; each may give up.
 * WAITERS threads wait until a flag is set and may give up as well; one thread
 * sets it and broadcasts, with the mutex or without. In the end nobody sleeps.
 *
 *	(none)			OK	three that lock
 *	-DLOCKERS=2 -DTURNS=2	OK
 *	-DNOCLEAR		OK	who gives up leaves PARKED: it is a hint
 *	-DNOVALIDATE		BAD	parked without a look at the word
 *	-DNOMORE		BAD	unlock forgets who else is parked
 *	-DCLEARALWAYS		BAD	PARKED is cleared by who is not the last
 *	-DOPEN			BAD	handed over, but not locked
 *	-DTAKE_KEEPS		BAD	who was woken takes it and leaves WOKEN
 *	-DANNOUNCE_KEEPS	BAD	who was woken sleeps again and leaves it
 *	-DPARK_ANYWAY		BAD	sleeps although the announcement failed,
 *					and WOKEN stays
 *	-DSTALE			BAD	a WOKEN that nobody has, as in the child
 *					of a fork
 *	-DSTALE -DLOOK		OK	each unlock that finds PARKED looks
 *	-DWAITERS=1 -DLOCKERS=1	OK	one waits, one locks, one wakes
 *	-DWAITERS=2 -DLOCKERS=0	OK	two wait
 *	-DWAITERS=2 -DLOCKERS=1 -DPATIENT
 *				OK	nobody gives up
 *	-DWAITERS=2 -DLOCKERS=0 -DSIGNAL
 *				OK	one is woken, and then another one
 *	-DWAITERS=2 -DLOCKERS=0 -DNOMARK
 *				BAD	moved to the mutex without a mark
 *	-DWAITERS=1 -DLOCKERS=1 -DMARK_EARLY
 *				BAD	the mark is made before the queues are
 *					locked
 *	-DWAITERS=2 -DLOCKERS=0 -DNOMARKALWAYS
 *				BAD	one is woken, the other one is moved
 *					without a mark, as nobody holds it
 */
#ifndef WAITERS
#define WAITERS 0
#endif
#ifndef LOCKERS
#define LOCKERS 3
#endif
#ifndef TURNS
#define TURNS 1
#endif
#if WAITERS
#define THREADS (LOCKERS + WAITERS + 1)
#else
#define THREADS LOCKERS
#endif
#define MAX 4
#define NOBODY MAX

#define LOCKED 1
#define PARKED 2
#define WOKEN 4

#define HANDED_OVER 1		/* tokens */
#define ON_THE_WAY 2

#define M 0			/* keys */
#define C 1

#ifdef STALE
byte word = WOKEN;
#else
byte word;
#endif
bool at_cond;			/* c->mutex is the mutex, or NULL */
bool flag;
bool inside;
byte q[2];			/* a bit for each thread */
bool busy[2];			/* the queue's lock */
bool awake[MAX];
byte token[MAX];
byte done;

#define is_in(k, t) (q[k] & (1 << t))

inline qlock(k)
{
	atomic { !busy[k] -> busy[k] = true }
}

inline qunlock(k)
{
	busy[k] = false
}

/* v is what the word was seen to be */
inline cas(new)
{
	atomic {
		if
		:: word == v -> word = new; ok = true
		:: else -> v = word; ok = false
		fi
	}
}

#ifdef TAKE_KEEPS
#define taken_of(v) (v | LOCKED)
#else
#define taken_of(v) ((v & ~(woken -> WOKEN : 0)) | LOCKED)
#endif
#ifdef ANNOUNCE_KEEPS
#define parked_of(v) (v | PARKED)
#else
#define parked_of(v) ((v & ~(woken -> WOKEN : 0)) | PARKED)
#endif

/* take(): ok when it is taken */
inline take()
{
	ok = false;
	do
	:: !ok && !(v & LOCKED) -> cas(taken_of(v))		/* MX1 */
	:: ok || (v & LOCKED) -> break
	od
}

/* announce(): ok when it is said, or was so already */
inline announce()
{
	if
	:: parked_of(v) == v -> ok = true
	:: else -> cas(parked_of(v))				/* MX6 */
	fi
}

inline sleep(me)
{
	atomic { awake[me] -> awake[me] = false }
}

/* hazptr_unqueue_(), up to timed_out(): ok when it is in key's locked queue */
inline unqueue(me)
{
	do
	:: is_in(M, me) ->
		qlock(M);
		if
		:: is_in(M, me) -> ok = true; key = M; break
		:: else -> qunlock(M)
		fi
	:: is_in(C, me) ->
		qlock(C);
		if
		:: is_in(C, me) -> ok = true; key = C; break
		:: else -> qunlock(C)
		fi
	:: atomic { !is_in(M, me) && !is_in(C, me) -> ok = false };
		break
	od;
	if
	:: ok -> q[key] = q[key] & ~(1 << me)
	:: else
	fi
}

/* hazptr_mutex_lock_more_(): ok, or it has given up */
inline lock_more(me, timed)
{
	v = word;						/* MX5 */
	do
	:: true ->
		take();
		if
		:: ok -> break
		:: else
		fi;
		if
		:: !(v & PARKED) -> v = word; goto again	/* spin */
		:: true
		fi;
		announce();
#ifndef PARK_ANYWAY
		if
		:: !ok -> goto again
		:: else
		fi;
#endif
		ok = false;
		qlock(M);
#ifndef NOVALIDATE
		if
		:: (word & 3) != 3 ->				/* MX5 */
			qunlock(M);
			woken = false;
			v = word;
			goto again
		:: else
		fi;
#endif
		q[M] = q[M] | (1 << me);
		qunlock(M);
		v = 0;
		if
		:: sleep(me)
		:: timed ->
			unqueue(me);
			if
			:: ok ->
#ifndef NOCLEAR
#ifdef CLEARALWAYS
				word = word & ~PARKED;
#else
				if
				:: !q[M] -> word = word & ~PARKED /* MX6 */
				:: else
				fi;
#endif
#endif
				qunlock(M);
				ok = false;
				break
			:: else -> sleep(me)
			fi
		fi;
		atomic {
			ok = (token[me] == HANDED_OVER);
			woken = (token[me] == ON_THE_WAY);
			token[me] = 0
		};
		if
		:: ok -> break
		:: else -> v = word				/* MX5 */
		fi;
again:		skip
	od;
	atomic { v = 0; key = 0; woken = false }
}

/* hazptr_mutex_lock_until(): ok, or it has given up */
inline mutex_lock(me, timed)
{
	v = 0;
	cas(LOCKED);						/* MX1 */
	if
	:: ok -> v = 0
	:: else -> lock_more(me, timed)
	fi
}

/* hazptr_unpark_one() with pass_on() */
inline pass_on()
{
	qlock(M);
	atomic {
		if
		:: is_in(M, 0) -> x = 0
		:: is_in(M, 1) -> x = 1
		:: is_in(M, 2) -> x = 2
		:: is_in(M, 3) -> x = 3
		:: !q[M] -> x = NOBODY
		fi;
		if
		:: x != NOBODY -> q[M] = q[M] & ~(1 << x)
		:: else
		fi;
		if
		:: x != NOBODY -> fair = true
		:: fair = false
		fi
	};
#ifdef NOMORE
	v = 0;
#else
	v = (q[M] -> PARKED : 0);
#endif
	if
	:: x == NOBODY -> skip
	:: x != NOBODY && fair ->
#ifndef OPEN
		v = v | LOCKED
#endif
	:: x != NOBODY && !fair -> v = v | WOKEN
	fi;
	word = v;						/* MX4 */
	qunlock(M);
	if
	:: x != NOBODY ->
		atomic {
			token[x] = (fair -> HANDED_OVER : ON_THE_WAY);
			awake[x] = true
		}
	:: else
	fi;
	atomic { x = 0; fair = false; v = 0 }
}

#ifdef LOOK
#define may_leave_them(v) (!(v & PARKED))
#else
#define may_leave_them(v) (!(v & PARKED) || (v & WOKEN))
#endif

/* Each LOOK_TURNS-th time it looks all the same: any time here. */
inline mutex_unlock()
{
	v = LOCKED;
	cas(0);							/* MX2 */
	if
	:: ok -> skip
	:: else ->
		v = word;					/* MX5 */
		do
		:: may_leave_them(v) ->
			cas(v & (PARKED | WOKEN));		/* MX2 */
			if
			:: ok -> break
			:: else
			fi
		:: v & PARKED -> pass_on(); break
		od
	fi;
	atomic { v = 0; ok = false }
}

inline enter()
{
	assert(!inside);
	inside = true
}

inline leave()
{
	inside = false
}

/* hazptr_mutex_mark_(): ok, or it is free */
inline mark()
{
	v = word;						/* MX5 */
	ok = false;
	do
	:: !ok && (v & LOCKED) && !(v & PARKED) ->
		cas(v | PARKED)					/* MX6 */
	:: ok -> break
	:: !ok && (!(v & LOCKED) || (v & PARKED)) ->
		ok = (v & LOCKED); break
	od;
	v = 0
}

/* hazptr_cond_wake_(): of n */
inline cond_wake(n)
{
	do
	:: !at_cond -> break					/* CV1 */
	:: at_cond ->
#ifdef MARK_EARLY
		mark();
#endif
		qlock(M);
		qlock(C);
		if
		:: at_cond -> skip
		:: else -> qunlock(M); qunlock(C); goto none
		fi;
#if defined(NOMARK)
		ok = (word & LOCKED);
#elif !defined(MARK_EARLY)
		mark();
#endif
		atomic {
			taken = NOBODY;
			moved = 0;
			x = 0;
			do
			:: q[C] && moved + (taken != NOBODY) < n ->
				if
				:: is_in(C, 0) -> x = 0
				:: is_in(C, 1) -> x = 1
				fi;
				q[C] = q[C] & ~(1 << x);
				if
				:: !ok && taken == NOBODY -> taken = x
				:: else -> q[M] = q[M] | (1 << x); moved++
				fi
			:: !q[C] || moved + (taken != NOBODY) >= n -> break
			od;
			x = 0
		};
		if
		:: !q[C] -> at_cond = false			/* CV2 */
		:: else
		fi;
#ifndef NOMARKALWAYS
		if
		:: taken != NOBODY && moved -> word = word | PARKED /* MX6 */
		:: else
		fi;
#endif
		qunlock(M);
		qunlock(C);
		if
		:: taken != NOBODY ->
			atomic { token[taken] = 0; awake[taken] = true }
		:: else
		fi;
		break;
none:		skip
	od;
	atomic { ok = false; taken = 0; moved = 0 }
}

proctype locker(byte me)
{
	byte v, x, turn, key;
	bool ok, timed, fair, woken;

	if
#ifndef PATIENT
	:: timed = true
#endif
	:: timed = false
	fi;
	do
	:: turn < TURNS ->
		mutex_lock(me, timed);
		if
		:: ok ->
			enter();
			leave();
			mutex_unlock()
		:: else
		fi;
		turn++
	:: else -> break
	od;
	atomic { turn = 0; timed = false; done++ }
}

#if WAITERS
/* while (!flag && !hazptr_cond_wait(..)); */
proctype waiter(byte me)
{
	byte v, x, key;
	bool ok, timed, fair, woken, gave_up;

	if
#ifndef PATIENT
	:: timed = true
#endif
	:: timed = false
	fi;
	mutex_lock(me, false);
	do
	:: !flag && !gave_up ->
		enter();
		qlock(C);
		at_cond = true;					/* CV2 */
		q[C] = q[C] | (1 << me);
		qunlock(C);
		leave();
		mutex_unlock();
		if
		:: sleep(me)
		:: timed ->
			unqueue(me);
			if
			:: ok ->
				if
				:: key == C && !q[C] -> /* CV2 */
					at_cond = false
				:: else
				fi;
				qunlock(key);
				gave_up = true
			:: else -> sleep(me)
			fi
		fi;
		atomic {
			key = 0;
			ok = (token[me] == HANDED_OVER);
			woken = (token[me] == ON_THE_WAY);
			token[me] = 0
		};
		if
		:: ok -> skip
		:: else -> lock_more(me, false)
		fi
	:: flag || gave_up -> break
	od;
	enter();
	leave();
	mutex_unlock();
	atomic { timed = false; gave_up = false; done++ }
}

inline wake_waiters()
{
#ifdef SIGNAL
	cond_wake(1);
	cond_wake(1)
#else
	cond_wake(WAITERS)
#endif
}

proctype waker(byte me)
{
	byte v, x, key, taken, moved;
	bool ok, fair, woken;

	mutex_lock(me, false);
	enter();
	flag = true;
	if
	:: true -> wake_waiters(); leave(); mutex_unlock()
	:: true -> leave(); mutex_unlock(); wake_waiters()
	fi;
	done++
}
#endif

init {
	byte i;

	atomic {
#if WAITERS
		for (i : 0 .. WAITERS - 1) {
			run waiter(i)
		}
		run waker(WAITERS);
		for (i : WAITERS + 1 .. THREADS - 1) {
			run locker(i)
		}
#else
		for (i : 0 .. LOCKERS - 1) {
			run locker(i)
		}
#endif
		i = 0
	};
	timeout;
	assert(done == THREADS);
	assert(!q[M] && !q[C] && !at_cond && !(word & LOCKED));
#ifndef STALE
	assert(!(word & WOKEN))
#endif
}
