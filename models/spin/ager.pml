/* SPDX-License-Identifier: MIT */
/*
 * ager.pml - promotion by somebody who has no reference
 *
 * The ager promotes what is held for long. On its first pass it marks the slot
 * (AGED), on a later one it asks, as the promoter of a scan does (promote.pml).
 * It has no reference of its own. What it relies on:
 *
 * - It has the lock that every scan needs, so what is alive stays.
 * - It takes only slots whose holder has looked at its source again (TS10). A
 *   tentative one may hold a node that was freed long ago.
 * - The count that it gives may be the last one when it takes it back: it is
 *   dropped as any other, not just taken away:
 *
 *	holder			owner of a reference	ager
 *							count: 2
 *	drops: CAS to 0
 *				drops: 1, not the last
 *							CAS fails: count: 0,
 *							and nobody knows
 *
 * The mark of the ager may be about a thread that has given the slot back, and
 * that is about to remove it. So the promoter of a scan asks until it has
 * asked; one CAS that fails says nothing about who has the slot now:
 *
 *	thread A		thread B		library
 *							ager: p in the slot,
 *							A's, no request
 *	node = 0
 *				claim: node 0,
 *				  request 0
 *							request = A, aged
 *	request: A, aged
 *				node = p, mine
 *							(p unpublished)
 *							scan: p in the slot,
 *							  B's; request: A, aged
 *	CAS to 0
 *							CAS to B, asked fails:
 *							  not held; free(p)
 *				use *p
 *
 * What is modelled: as in promote.pml, with one sync pointer and an ager that
 * passes at any time. With -DSYNC the thread that clears the sync pointer scans
 * itself; it has the lock for the promotion only.
 *
 *	(none)			OK
 *	-DSYNC			OK	and hazptr_shared_drop_sync()
 *	-DASKONCE		BAD	the case above
 *	-DUNDO			BAD	the ager takes its count away: lost
 *	-DNOTENTATIVE		BAD	tentative slots too
 *	-DNOFENCE2		BAD	as in promote.pml
 *	-DLATECOUNT		BAD
 *	-DNOHOLDER		BAD
 *	-DNOSAMEHOLDER		BAD
 *	-DNORECHECK		OK	the request is not read again after the
 *					node: the lock and the CAS are enough
 */
#ifndef TURNS
#define TURNS 2			/* of each holder */
#endif
#define L 2
#define CPUS 3
#define NODES 1

#include "slot.h"

#ifdef NOTENTATIVE
#define is_known(x) true
#else
#define is_known(x) (!((x) & TENTATIVE))
#endif

#ifdef SYNC
bool locked;
#define take_lock() atomic { !locked -> locked = true }
#define leave_lock() locked = false
#else
#define take_lock() skip
#define leave_lock() skip
#endif

inline grow_old()
{
	look();
	was = r;
	if
	:: kind_of(r) == AGED && (v == 0 || !is_about(r, h)) ->
		change_request(L, r, 0)				/* TS8 */
	:: v && r == 0 -> change_request(L, r, about(h, AGED))	/* TS8 */
	:: v && kind_of(r) == AGED && is_about(r, h) && is_known(v) ->
		ask_once();
		if
		:: asked -> settle(false)
		:: else
		fi
	:: else
	fi;
	forget()
}

proctype library()
{
	byte v, h, r, was, ipi;
	bool asked;

	do
	:: listed[1] ->
		take_lock();
		scan(1);
		leave_lock()
	:: done < 3 ->
		take_lock();
		grow_old();
		leave_lock()
	:: done == 3 && drained(0) && drained(1) && !listed[1] -> break
	od;
	assert(mem[NODE] == 0);
	assert(freed[1] && refs[1] == 0)
}

/* Its steps are RMWs: no store buffer. */
proctype deleter()
{
#ifdef SYNC
	byte v, h, r, was, ipi;
	bool asked, own;

	mem[SRC(0)] = 0;					/* SP8 */
	d_step {						/* SP4 */
		own = (refs[1] == 1 && !retired[1]);
		if
		:: own -> retired[1] = true
		:: else -> refs[1]--; again[1] = retired[1]
		fi
	};
	do
	:: !own -> break
	:: own && refs[1] > 1 -> d_step {			/* SP6 */
			if
			:: refs[1] > 1 -> let_go(1); own = false
			:: else
			fi
		}
	:: own && refs[1] == 1 ->
		again[1] = false;				/* SP5 */
		heavy(L);					/* HP7 */
		take_lock();
		promote(1);
		leave_lock();
		d_step {					/* SP6 */
			if
			:: again[1] && refs[1] == 1
			:: else -> let_go(1); own = false
			fi
		}
	od;
#else
	mem[SRC(0)] = 0;					/* SP8 */
	put(L, 1);						/* SP4 */
#endif
	done++
}

init {
	atomic {
		mem[SRC(0)] = 1;
		refs[1] = 1;
		run holder(0);
		run holder(1);
		run deleter();
		run library()
	}
}
