/* SPDX-License-Identifier: MIT */
/*
 * barrier.pml - when barrier() returns, is all reclaimed that was retired?
 *
 * What is retired goes through three places. Whoever takes lanes pushes what
 * they hold on the list `retired` (lock `taking`); a scan, or a barrier, moves
 * that to the end of the domain's line (scan lock); a scan removes from
 * anywhere in the line what no guard keeps. The barrier takes all lanes, then
 * puts a marker at the end of the line, and waits for the marker's function:
 *
 *	line:	f1  p2  f3  M  f4	f: with a function of the user's
 *	ready:  ... f1  f3  M		p: plain free
 *
 * Why that is enough. A scan removes the marker only when it is the first of
 * the line, when all that is older has left it. What left the line is either
 * in `ready`, a queue that a thread takes as a whole and runs in its order, or
 * it is a plain object, freed without the lock by the scanner that removed it.
 * Each thread has a pass counter for either work, odd from before it removes or
 * takes until after the last of it is done (PS1). The barrier reads the
 * counters when the marker has run (BR1) and waits until each that was odd has
 * changed (PS2):
 *
 *	scanner				barrier
 *	PS1 pass odd
 *	(lock) removes p2 (unlock)
 *					BR1 the marker ran
 *					PS2 pass odd: wait
 *	free(p2)
 *	PS1 pass even
 *					PS2 changed: returns
 *
 * The orders: the first PS1 happens before the removal, that before the removal
 * of the marker (same lock), that before BR1 (`ready` is under the lock, BR1 is
 * release), so the barrier reads odd, or a later value; the second PS1 is
 * release and PS2 acquire. No store buffering: between PS1 and PS2 is a lock.
 *
 * The counter of a thread that takes one list after the other from `ready` has
 * to change in between, or a barrier that waits for it waits for all that is
 * retired meanwhile, perhaps for ever.
 *
 * Two things that the barrier must not do as a pass does: it must not skip a
 * lane whose owner is busy, because what was retired before may be in it, or on
 * the way from it to `retired`; and nobody may leave the lock `taking` between
 * the taking of a lane and the push, because a barrier would put its marker in
 * front of what is in flight.
 *
 * What is modelled: a thread that retires OBJECTS objects (f1, p2, f3), at any
 * time a barrier, which makes one pass itself (two barriers: -DBARRIERS=2); a
 * thread that makes a pass; the background thread, which makes passes while
 * something waits and runs what is ready; a reader that keeps one of the
 * objects, or none, up to some moment. Checked: the barrier's promise for each
 * object whose retire() had returned before; each is reclaimed once; when all
 * are at rest, nothing is left. Statements are sequentially consistent; the
 * lane, the fences and the wake-ups are those of the other models.
 *
 *	(none)			OK
 *	-DBARRIERS=2		OK
 *	-DTWO_RUNNERS		OK	a second thread runs functions (INLINE)
 *	-DTWO_RUNNERS -DNORUNNING
 *				BAD	... without a counter for that:
 *					the marker overtakes a function
 *	-DNORUNNING		OK	one runner needs none: ready is in order
 *	-DMARKER_ANYWHERE	BAD	the marker leaves before older objects
 *	-DNOGRACE		BAD	no PS2
 *	-DODD_LATE		BAD	first PS1 after the removal
 *	-DEVEN_EARLY		BAD	second PS1 before the frees
 *	-DSKIP_BUSY		BAD	the barrier skips a busy lane
 *	-DIN_FLIGHT		BAD	no lock between the take and the push
 *	-DPRIVATE ..		OK	owners scan what their lane held, at
 *					any time (private.pml); -DOWNERS=2
 *	-DPRIVATE .. -DNOWAIT	BAD	no PS2 before the marker is placed
 *	-DPRIVATE .. -DOWN_ODD_LATE
 *				BAD	the owner's PS1 after the take
 *	-DPRIVATE .. -DPUSH_LATE
 *				BAD	what is held is pushed after it
 */
#ifndef BARRIERS
#define BARRIERS 1
#endif
#ifndef PASSES
#define PASSES 1		/* of the helper */
#endif
#ifndef OBJECTS
#define OBJECTS 2
#endif
#ifndef OWNERS
#define OWNERS 1
#endif
#define MARKER (OBJECTS + 1)	/* and the next for a second barrier */
#define LENGTH (OBJECTS + BARRIERS)
#define is_marker(x)	((x) >= MARKER)
#define is_plain(x)	((x) == 2 && !is_marker(x))

/* Who makes passes: the barriers, then these two. */
#define HELPER BARRIERS
#define BACKGROUND (BARRIERS + 1)
#ifdef PRIVATE
#define OWNER(o) (BARRIERS + 2 + (o))
#define SCANNERS (BARRIERS + 2 + OWNERS)
#else
#define SCANNERS (BARRIERS + 2)
#endif

#define bit(x)	(1 << (x))
#if OWNERS > 1
#define any_lane	(lane[0] || lane[1])
#else
#define any_lane	lane[0]
#endif

/* Queues, where the order counts; sets, where it does not. */
chan line = [LENGTH] of { byte };
chan ready = [LENGTH] of { byte };
chan batch[SCANNERS] = [LENGTH] of { byte };	/* taken from ready */
byte mine[SCANNERS];			/* removed, to be freed in the pass */
byte lane[OWNERS], on_list;

bool taking, locked, steal;
byte busy;				/* set of owners */

/*
 * Two counters of each thread; all that counts is whether they are odd, and to
 * which barriers, of those that saw them odd, they have not changed since.
 */
typedef counter {
	bool is_odd;
	byte seen_by
};
counter freeing[SCANNERS], running[SCANNERS];
byte held;			/* by the reader; 0: none */
byte retired, reclaimed;	/* sets of objects */
byte signalled;			/* set of markers that ran */
hidden byte k_, x_, kept_;

inline reclaim(x)
{
	d_step {
		if
		:: is_marker(x) ->				/* BR1 */
			signalled = signalled | bit(x)
		:: else ->
			assert(!(reclaimed & bit(x)) && held != x);
			reclaimed = reclaimed | bit(x)
		fi
	}
}

#define begin_taking()	d_step { !taking -> taking = true; steal = true }
#define end_taking()	steal = false; taking = false

/* Each that its owner is not at. */
inline take()
{
	d_step {
		k_ = 0;
		do
		:: k_ < OWNERS ->
			if
			:: !(busy & bit(k_)) ->
				taken = taken | lane[k_];
				lane[k_] = 0
			:: else
			fi;
			k_++
		:: else -> break
		od;
#ifdef IN_FLIGHT
		end_taking()
	};
	d_step {
#endif
		on_list = on_list | taken;
		taken = 0;
#ifndef IN_FLIGHT
		end_taking()
#endif
	}
}

inline take_lanes()
{
	begin_taking();
	take()
}

/* A barrier tries again until it has all. */
inline take_lanes_and_wait()
{
	begin_taking();
#ifndef SKIP_BUSY
	busy == 0;
#endif
	take()
}

/* Under the scan lock: to the end of the line. */
inline collect()
{
	x_ = 1;
	do
	:: x_ <= OBJECTS ->
		if
		:: on_list & bit(x_) -> line!x_
		:: else
		fi;
		x_++
	:: else -> break
	od;
	x_ = 0;
	on_list = 0
}

inline odd(pass)						/* PS1 */
{
	d_step { assert(!pass.is_odd); pass.is_odd = true }
}

inline even(pass)						/* PS1 */
{
	d_step { assert(pass.is_odd); pass.is_odd = false; pass.seen_by = 0 }
}

/* Under the scan lock: remove what no guard keeps. */
inline scan(me)
{
	d_step {
		k_ = len(line);
		kept_ = 0;
		do
		:: k_ > 0 ->
			line?x_;
			if
			:: !is_marker(x_) && x_ == held ->
				line!x_; kept_++
#ifndef MARKER_ANYWHERE
			:: is_marker(x_) && kept_ > 0 ->
				line!x_; kept_++
#endif
			:: else ->
				if
				:: !is_plain(x_) -> ready!x_
				:: else -> mine[me] = mine[me] | bit(x_)
				fi
			fi;
			k_--
		:: else -> break
		od;
		x_ = 0;
		kept_ = 0
	}
}

inline reclaim_mine(me)
{
	do
	:: mine[me] != 0 ->
		d_step {
			x = 1;
			do
			:: !(mine[me] & bit(x)) -> x++
			:: else -> break
			od;
			mine[me] = mine[me] & ~bit(x);
			reclaim(x);
			x = 0
		}
	:: else -> break
	od
}

inline make_pass(me)
{
	take_lanes();
#ifndef ODD_LATE
	odd(freeing[me]);
#endif
	d_step { !locked -> locked = true; collect() };
	scan(me);
	locked = false;
#ifdef ODD_LATE
	odd(freeing[me]);
#endif
#ifdef EVEN_EARLY
	even(freeing[me]);
#endif
	reclaim_mine(me);
#ifndef EVEN_EARLY
	even(freeing[me])
#endif
}

inline run_ready(me)
{
#ifndef NORUNNING
	odd(running[me]);
#endif
	d_step {
		!locked ->
		do
		:: ready?x_ -> batch[me]!x_
		:: empty(ready) -> break
		od;
		x_ = 0
	};
	do
	:: batch[me]?x -> reclaim(x)
	:: empty(batch[me]) -> break
	od;
#ifndef NORUNNING
	even(running[me]);
#endif
	x = 0
}

inline wait_for(pass)
{
	d_step {						/* PS2 */
		if
		:: pass.is_odd -> pass.seen_by = pass.seen_by | bit(me)
		:: else
		fi
	};
	!(pass.seen_by & bit(me))				/* PS2 */
}

#define enter()	d_step { inside = !steal; busy = busy | (inside << me) }
#define leave()	busy = busy & ~bit(me)

#ifdef PRIVATE
/* Under the scan lock: what the owner took out of its lane. */
inline sift_own()
{
	d_step {
		!locked ->
		x_ = 1;
		do
		:: x_ <= OBJECTS ->
			if
			:: !(own & bit(x_)) || x_ == held
			:: else ->
				own = own & ~bit(x_);
				if
				:: !is_plain(x_) -> ready!x_
				:: else -> mine[OWNER(me)] =
						mine[OWNER(me)] | bit(x_)
				fi
			fi;
			x_++
		:: else -> break
		od;
		x_ = 0;
#ifdef PUSH_LATE
	}
#else
		on_list = on_list | own;
		own = 0
	}
#endif
}

inline scan_own()
{
#ifndef OWN_ODD_LATE
	odd(freeing[OWNER(me)]);
#endif
	enter();
	if
	:: inside ->
		d_step { own = lane[me]; lane[me] = 0; leave() };
#ifdef OWN_ODD_LATE
		odd(freeing[OWNER(me)]);
#endif
		sift_own();
		reclaim_mine(OWNER(me));
#ifdef OWN_ODD_LATE
		even(freeing[OWNER(me)])
#endif
	:: else
	fi;
#ifndef OWN_ODD_LATE
	even(freeing[OWNER(me)]);
#endif
#ifdef PUSH_LATE
	d_step { on_list = on_list | own; own = 0 };
#endif
	inside = false
}
#endif

inline retire()
{
	enter();
	if
	:: inside -> d_step { lane[me] = lane[me] | bit(n); leave() }
	:: else -> on_list = on_list | bit(n)
	fi;
	d_step { retired = retired | bit(n); n = n + OWNERS; inside = false }
}

proctype owner(byte me)
{
	byte n, x, own;
	bool inside;

	n = me + 1;
	do
	:: n <= OBJECTS -> retire()
#ifdef PRIVATE
	:: lane[me] -> scan_own()
#endif
	:: n > OBJECTS -> break
	od
}

proctype reader()
{
	held = 0
}

proctype helper()
{
	byte x, n, taken;

	do
	:: n < PASSES ->
		make_pass(HELPER);
#ifdef TWO_RUNNERS
		run_ready(HELPER);
#endif
		n++
	:: else -> break
	od
}

proctype background()
{
	byte x, taken;

end:	do
	:: nempty(line) || any_lane || on_list ->
		make_pass(BACKGROUND)
	:: nempty(ready) -> run_ready(BACKGROUND)
	od
}

proctype barrier(byte me)
{
	byte before, x, taken, i;

	before = retired;
	take_lanes_and_wait();
#if defined(PRIVATE) && !defined(NOWAIT)
	do
	:: i < SCANNERS -> wait_for(freeing[i]); i++
	:: else -> break
	od;
	i = 0;
#endif
	d_step { !locked -> collect(); line!(MARKER + me) };
	make_pass(me);
	signalled & bit(MARKER + me);				/* BR1 */
#ifndef NOGRACE
	do
	:: i < SCANNERS ->
		wait_for(freeing[i]);
		wait_for(running[i]);
		i++
	:: else -> break
	od;
#endif
	assert((before & ~reclaimed) == 0)
}

init {
	atomic {
		if
		:: held = 0
		:: held = 1
		:: held = 2
		:: held = OBJECTS
		fi;
		run background();	/* first: it never ends */
		run owner(0);
#if OWNERS > 1
		run owner(1);
#endif
		run reader();
		run helper();
		run barrier(0);
#if BARRIERS > 1
		run barrier(1)
#endif
	};
	/* all at rest: nothing is left anywhere */
	timeout;
	assert(_nr_pr == 2 && reclaimed == (bit(OBJECTS + 1) - 2))
}
