/* SPDX-License-Identifier: MIT */
/*
 * place.pml - slots that leave their place, and come back for another one
 *
 * A slot that was promoted is of no use until its holder drops. So its place
 * gets a spare slot, and the slot is nobody's but the holder's (MOVED), who
 * gives it back (src/ref/slots.c):
 *
 *	promoter, with the lock			holder drops
 *	TS8 asked -> moved, by CAS		TS5 node = 0
 *	TS12 place = spare			TS6 light fence
 *						TS9 request? moved -> returned
 *						TS11 push on the returned list
 *	TS11 take the returned list
 *	TS8 heavy fence
 *	TS12 abort all sequences
 *	TS12 request = 0: a spare
 *
 * A thread that was about to claim may have read the place before that; when it
 * goes on only now, it finds the slot free, and takes it for a processor where
 * it does not run. So the sequences are aborted between the last use of a slot
 * and the next one (-DNOABORT: two threads claim one slot).
 *
 * With -DSIGNAL a signal handler comes between a drop's TS5 and TS9 and takes a
 * slot, perhaps the very same one, and gives it back. It has the same name as
 * the thread. So the answer to one of the two must not be left standing for the
 * other: who has read MOVED replaces it by RETURNED, which names nobody.
 *
 * What is modelled: two processors with one place each, three slots, two
 * threads that claim and drop anywhere, a library that promotes what it finds
 * at any time and moves slots as soon as it has spares. No slot has two
 * holders, nobody gives a slot back twice, counted references are dropped by
 * whom they were given to, and all of them. Left out: the node's end, sources
 * (promote.pml); the ager's marks.
 *
 *	(none)			OK
 *	-DNOABORT		BAD	TS12 without the abort
 *	-DSIGNAL		OK
 *	-DSIGNAL -DMOVED_STAYS	BAD	MOVED stays until the slot is reused ...
 *	-DMOVED_STAYS		OK	... which is right without handlers
 */
#ifndef TURNS
#define TURNS 3			/* of the first holder */
#endif
#ifndef OTHERS
#define OTHERS 1		/* of the second */
#endif
#define SLOTS 3

#define L 2
#define CPUS 3

#define PLACE(c) (c)
#define NODE(s) (3 * (s) - 1)
#define HOLDER(s) (3 * (s))
#define REQUEST(s) (3 * (s) + 1)
#define WORDS (2 + 3 * SLOTS)

#include "tso.h"

#define N 1
#define ASKED 1
#define PROMOTED 2
#define MOVED 3
#define RETURNED 4
#define kind_of(r) ((r) & 7)
#define about(h, kind) (((h) << 3) | (kind))
#define is_about(r, h) ((r) >> 3 == (h))

byte refs = 1;			/* the library's own */
byte spares = 1 << SLOTS;	/* sets of slots */
byte returned;
byte owner[SLOTS + 1];		/* who holds it, as the program has it */
byte given[2];			/* counted references that a thread has */
byte running[2] = L;		/* the thread on a processor */
byte claiming[2];		/* who is inside a sequence there */
byte at[2];			/* the processor where a thread was last */
byte done;

#define goes_on	(claiming[cpu] == me + 1 && sb[me].n < DEPTH)

#define can_run(cpu) \
	((at[me] == cpu && running[cpu] == me) || \
	 (drained(me) && drained(running[cpu])))

/* Move to a processor; whoever runs there is interrupted. */
inline move_to(cpu)
{
	d_step {
		can_run(cpu) ->
		if
		:: running[at[me]] == me -> running[at[me]] = L
		:: else
		fi;
		running[cpu] = me;
		at[me] = cpu;
		claiming[cpu] = me + 1
	}
}

/* The slot that was claimed; 0: none. */
inline claim(s, cpu)
{
	if
	:: cpu = 0
	:: cpu = 1
	fi;
	move_to(cpu);
	load(me, PLACE(cpu), s);
	load(me, NODE(s), q);
	load(me, REQUEST(s), r);
	if
	:: q == 0 && r == 0 ->
		if
		:: atomic { goes_on -> store(me, HOLDER(s), me + 1) };
			if
			:: atomic { goes_on ->
					store(me, NODE(s), N);
					assert(owner[s] == 0);
					owner[s] = me + 1
				}
			:: claiming[cpu] != me + 1 -> s = 0
			fi
		:: claiming[cpu] != me + 1 -> s = 0
		fi
	:: else -> s = 0
	fi;
	d_step {
		if
		:: claiming[cpu] == me + 1 -> claiming[cpu] = 0
		:: else
		fi;
		cpu = 0;
		q = 0;
		r = 0
	}
}

inline put()
{
	d_step {
		drained(me) ->
		assert(given[me] > 0 && refs > 1);
		given[me]--;
		refs--
	}
}

inline store_zero(s)
{
	atomic {
		sb[me].n < DEPTH ->
		store(me, NODE(s), 0);				/* TS5 */
		assert(owner[s] == me + 1);
		owner[s] = 0
	};
	light(me)						/* TS6 */
}

inline give_back(s)
{
	d_step {
		drained(me) ->
		assert(!(returned & (1 << s)));
		returned = returned | (1 << s)			/* TS11 */
	}
}

#ifdef MOVED_STAYS
#define AFTER_MOVED r
#else
#define AFTER_MOVED RETURNED
#endif

inline look_at_request(s)
{
	load(me, REQUEST(s), r);				/* TS9 */
	do
	:: !is_about(r, me + 1) -> break
	:: is_about(r, me + 1) ->
		d_step {
			drained(me) ->
			q = r;
			if
			:: mem[REQUEST(s)] == r && kind_of(r) == MOVED ->
				mem[REQUEST(s)] = AFTER_MOVED
			:: mem[REQUEST(s)] == r && kind_of(r) != MOVED ->
				mem[REQUEST(s)] = 0
			:: else -> r = mem[REQUEST(s)]
			fi
		};
		if
		:: q == r && kind_of(r) == MOVED ->
			give_back(s);
			put();
			break
		:: q == r && kind_of(r) == PROMOTED -> put(); break
		:: q == r && kind_of(r) == ASKED -> break
		:: q != r
		fi
	od;
	atomic { q = 0; r = 0 }
}

proctype holder(byte me; byte turns)
{
	byte slot, inner, cpu, q, r;

	do
	:: turns > 0 ->
		claim(slot, cpu);
		if
		:: slot ->
			store_zero(slot);
#ifdef SIGNAL
			if
			:: true
			:: true ->
				claim(inner, cpu);
				if
				:: inner ->
					store_zero(inner);
					look_at_request(inner)
				:: else
				fi;
				inner = 0
			fi;
#endif
			look_at_request(slot)
		:: else
		fi;
		d_step { slot = 0; turns-- }
	:: else -> break
	od;
	done++
}

inline fences()
{
	d_step { list = returned; returned = 0 };		/* TS11 */
	heavy(L);						/* TS8 */
#ifdef NOABORT
	skip;
#else
	if
	:: list -> claiming[0] = 0; claiming[1] = 0		/* TS12 */
	:: else
	fi;
#endif
	d_step {
		s = 1;
		do
		:: s <= SLOTS ->
			if
			:: list & (1 << s) ->
				assert(mem[NODE(s)] == 0);
				mem[REQUEST(s)] = 0
			:: else
			fi;
			s++
		:: else -> break
		od;
		s = 0;
		spares = spares | list;
		list = 0
	}
}

inline take_spare()
{
	d_step {
		s = 0;
		do
		:: s < SLOTS && !(spares & (1 << s)) -> s++
		:: else -> break
		od;
		if
		:: spares & (1 << s) -> spares = spares & ~(1 << s)
		:: else -> s = 0
		fi
	}
}

/* CAS; the spare goes into the place, or stays one. */
inline move(from, to, given_now)
{
	d_step {
		asked = (mem[REQUEST(slot)] == from);
		if
		:: asked ->
			mem[REQUEST(slot)] = to;
			given[h - 1] = given[h - 1] + given_now
		:: !asked && s -> spares = spares | (1 << s)
		:: else
		fi
	};
	if
	:: asked && s -> mem[PLACE(place)] = s			/* TS12 */
	:: else
	fi
}

inline promote()
{
	/* TS8; nobody else asks, and there are no marks */
	mem[REQUEST(slot)] = about(h, ASKED);
	fences();
	v = mem[NODE(slot)];					/* TS7 */
	was = mem[HOLDER(slot)];
	if
	:: v && was == h ->
		take_spare();
		refs++;
		move(about(h, ASKED), about(h, (s -> MOVED : PROMOTED)), 1);
		if
		:: !asked -> refs--
		:: else
		fi
	:: else ->
		d_step {
			if
			:: mem[REQUEST(slot)] == about(h, ASKED) ->
				mem[REQUEST(slot)] = 0
			:: else
			fi
		}
	fi
}

proctype library()
{
	byte slot, v, h, r, was, s, list, place, ipi;
	bool asked;

	do
	:: done < 2 ->
		if
		:: place = 0
		:: place = 1
		fi;
		slot = mem[PLACE(place)];
		v = mem[NODE(slot)];				/* TS7 */
		h = mem[HOLDER(slot)];
		r = mem[REQUEST(slot)];
		if
		:: v && kind_of(r) < PROMOTED -> promote()
		:: kind_of(r) == PROMOTED ->
			h = r >> 3;
			take_spare();
			if
			:: s -> move(r, about(h, MOVED), 0)
			:: else
			fi
		:: else
		fi;
		d_step {
			slot = 0;
			v = 0;
			h = 0;
			r = 0;
			was = 0;
			s = 0;
			place = 0;
			asked = false
		}
	:: done == 2 && drained(0) && drained(1) -> break
	od;
	assert(refs == 1 && given[0] == 0 && given[1] == 0)
}

init {
	atomic {
		mem[PLACE(0)] = 1;
		mem[PLACE(1)] = 2;
		run holder(0, TURNS);
		run holder(1, OTHERS);
		run library()
	}
}
