/* SPDX-License-Identifier: MIT */
/*
 * slot.h - a slot that stands for a reference, its holders and its promoter
 *
 * What promote.pml and ager.pml have in common; place.pml has slots that move.
 * The slot is three words of mem[]: the node, the holder, the request. TS1 ..
 * TS10 are the labels of src/ref/.
 *
 * Holders have a store buffer each. The slot belongs to one processor: a thread
 * that begins to claim aborts the claim of the thread that ran there before,
 * whose stores are out by then, as after any switch. The steps of a claim are
 * not one step for anybody else: a request may come in between.
 *
 * Counts are changed by RMWs of one word, so in one step here. A node ends as
 * in shared.pml. The promoters have a lock, which every scan has too; so one
 * process, `library`, is all of them, unless -DSYNC (ager.pml).
 *
 * The user defines L, CPUS, NODES and TURNS before the #include.
 */
#define SRC(i) (i)		/* sync pointers, 0 and 1 */
#define NODE 2
#define HOLDER 3
#define REQUEST 4
#define WORDS 5

#include "tso.h"

/* In the word `node`. */
#define TENTATIVE 1
#define word_of(x) ((x) << 1)
#define node_in(x) ((x) >> 1)

/* In the word `request`, below who is asked. */
#define ASKED 1
#define AGED 2
#define PROMOTED 3
#define kind_of(x) ((x) & 7)
#ifdef NOHOLDER
#define about(h, kind) (kind)
#define is_about(x, h) ((x) != 0)
#else
#define about(h, kind) (((h) << 3) | (kind))
#define is_about(x, h) ((x) >> 3 == (h))
#endif

byte refs[NODES + 1];
bool retired[NODES + 1];	/* the last one waits for a scan */
bool again[NODES + 1];		/* another one was dropped since */
bool listed[NODES + 1];		/* the library is to scan */
bool freed[NODES + 1];

byte running;			/* on the slot's processor */
byte claiming;			/* 1 + who is inside a sequence there */
byte done;			/* threads that are */

#define use(x) assert(!freed[x])

inline put(c, which)
{
	d_step {
		drained(c) ->
		assert(!freed[which] && refs[which] > 0);
		if
		:: retired[which] ->
			assert(refs[which] > 1);
			refs[which]--;
			again[which] = true
		:: !retired[which] && refs[which] == 1 ->
			retired[which] = true;
			listed[which] = true
		:: else -> refs[which]--
		fi
	}
}

/* CAS on the request; `was` becomes what was there. */
inline change_request(c, was, now)
{
	d_step {
		drained(c) ->
		if
		:: mem[REQUEST] == was -> mem[REQUEST] = now
		:: else -> was = mem[REQUEST]
		fi
	}
}

/* Holders */

#define goes_on (claiming == me + 1 && sb[me].n < DEPTH)

/* TS1, a restartable sequence; `mine` says whether it came to its end. */
inline claim(value)
{
	d_step {
		running == me || (drained(me) && drained(running)) ->
		running = me;
		claiming = me + 1
	};
	load(me, NODE, q);
	load(me, REQUEST, r);
	if
	:: q == 0 && r == 0 ->
		if
		:: atomic { goes_on -> store(me, HOLDER, me + 1) };
			if
			:: atomic {
					goes_on ->
					store(me, NODE, value);
					mine = true
				}
			:: claiming != me + 1
			fi
		:: claiming != me + 1
		fi
	:: else
	fi;
	d_step {
		if
		:: claiming == me + 1 -> claiming = 0
		:: else
		fi;
		q = 0;
		r = 0
	}
}

/* `which` is what the slot stood for. */
inline drop(which)
{
	store(me, NODE, 0);					/* TS5 */
	light(me);						/* TS6 */
	load(me, REQUEST, r);					/* TS9 */
	do
	:: !is_about(r, me + 1) -> break
	:: is_about(r, me + 1) ->
		q = r;
		change_request(me, r, 0);
		if
		:: q == r && kind_of(r) == PROMOTED -> put(me, which); break
		:: q == r && kind_of(r) != PROMOTED -> break
		:: q != r
		fi
	od;
	atomic { q = 0; r = 0; mine = false }
}

proctype holder(byte me)
{
	byte p, q, r, src, turn;
	bool mine;

	do
	:: turn < TURNS ->
		if
		:: src = SRC(0)
#ifdef SECOND
		:: src = SRC(1)
#endif
		fi;
		load(me, src, p);				/* TS2 */
		if
		:: p -> claim(word_of(p) | TENTATIVE)
		:: else
		fi;
		if
		:: mine ->
			light(me);				/* TS3 */
			load(me, src, q);			/* TS4 */
			if
			:: q == p ->
				q = 0;
				use(p);
				store(me, NODE, word_of(p));	/* TS10 */
				use(p)
			:: else
			fi;
			drop(p)
		:: else
		fi;
		d_step { p = 0; src = 0; turn++ }
	:: else -> break
	od;
	done++
}

/* The promoter */

/* What is there, not all at once: the node first, the request last. */
inline look()
{
	load(L, NODE, v);					/* TS7 */
	load(L, HOLDER, h);
	load(L, REQUEST, r);
	if
	:: kind_of(r) == PROMOTED -> v = 0
	:: else
	fi
}

/* From r, and from nothing else. */
inline ask_once()
{
	was = r;
	change_request(L, r, about(h, ASKED));			/* TS8 */
	asked = (r == was)
}

/* Whatever stands there: it may be about who had the slot before. */
inline ask()
{
#ifdef ASKONCE
	ask_once()
#else
	do
	:: asked -> break
	:: else -> ask_once()
	od
#endif
}

inline give_count()
{
	d_step { use(node_in(v)); refs[node_in(v)]++ }
}

/* The request was answered meanwhile: nobody needs the count. */
inline take_count_back(has_reference)
{
	if
#ifndef UNDO
	:: !has_reference -> put(L, node_in(v))
#endif
	:: else -> d_step {
			assert(refs[node_in(v)] > 0);
			refs[node_in(v)]--
		}
	fi
}

inline answer(has_reference)
{
	r = about(h, ASKED);
	was = r;
#ifdef LATECOUNT
	change_request(L, r, about(h, PROMOTED));		/* TS8 */
	if
	:: r == was -> give_count()
	:: else
	fi
#else
	give_count();
	change_request(L, r, about(h, PROMOTED));		/* TS8 */
	if
	:: r == was
	:: else -> take_count_back(has_reference)
	fi
#endif
}

/* After ask(): v and h are what was asked about. */
inline settle(has_reference)
{
#ifdef NOFENCE2
	fence(L);
#else
	heavy(L);						/* TS8 */
#endif
	load(L, NODE, was);					/* TS7 */
	asked = (has_reference -> node_in(was) == node_in(v) : was == v);
#ifndef NOSAMEHOLDER
	load(L, HOLDER, was);
	asked = asked && was == h;
#endif
#ifndef NORECHECK
	if
	:: !has_reference ->
		load(L, REQUEST, was);
		asked = asked && was == about(h, ASKED)
	:: else
	fi;
#endif
	if
	:: asked -> answer(has_reference)
	:: else ->
		r = about(h, ASKED);
		change_request(L, r, 0)
	fi
}

inline forget()
{
	d_step { v = 0; h = 0; r = 0; was = 0; asked = false }
}

/* The promoter of a scan: the retired reference is its own. */
inline promote(which)
{
	look();
	if
	:: v && node_in(v) == which ->
		load(L, REQUEST, r);
		ask();
		if
		:: asked -> settle(true)
		:: else
		fi
	:: else
	fi;
	forget()
}

/* With -DSYNC there is another one who lets go of it. */
inline let_go(which)
{
	assert(refs[which] > 0);
	retired[which] = false;
	again[which] = false;
	listed[which] = false;
	refs[which]--;
	freed[which] = (refs[which] == 0)
}

inline scan(which)
{
	again[which] = false;					/* SP5 */
	heavy(L);						/* HP7 */
	promote(which);
	d_step {						/* SP6 */
		if
		:: again[which] && refs[which] == 1 -> again[which] = false
		:: else -> let_go(which)
		fi
	}
}
