/* SPDX-License-Identifier: MIT */
/*
 * promote.pml - a slot becomes a counted reference while its holder drops it
 *
 * A slot that holds a node stands for a reference. A scan that wants to let go
 * of the node gives the holder a counted one instead (src/ref/promote.c):
 *
 *	holder drops				promoter, with the lock
 *	TS5 node = 0				TS8 request = asked, by CAS
 *	TS6 light fence				TS8 heavy fence
 *	TS9 request? then CAS to 0		TS7 node still there?
 *						    count + 1
 *						TS8 asked -> promoted, by CAS
 *
 * Store buffering once more: at least one of the two sees the other. When both
 * do, the CAS on the request decides who takes a count back.
 *
 * The request names the holder, because the slot is another thread's as soon as
 * its node is 0. What the promoter has read may be of two tenancies; that of
 * the one that it asks is checked by the second look at node and holder. A
 * claim that had looked at the request before it was asked may end after it:
 * then its tenancy is the one that is promoted, which is as good.
 *
 * What is modelled: one slot, two threads that take it from two sync pointers
 * and give it back, a thread that clears these, a library that scans. The sync
 * pointers lead to one node, or to two (-DOTHER). Nobody uses a freed node,
 * each is freed once, no count is left over or missing, the slot is free in the
 * end. Left out: guards (shared.pml), the ager (ager.pml), spare slots
 * (place.pml), slots that are borrowed.
 *
 *	(none)			OK
 *	-DOTHER			OK	two nodes
 *	-DNOFENCE2		BAD	no second heavy fence
 *	-DLATECOUNT		BAD	promoted before it is counted
 *	-DNOHOLDER		BAD	a request names nobody
 *	-DNOSAMEHOLDER		BAD	the holder is not read again
 *	-DASKONCE		OK	an answer in between is no answer; see
 *					ager.pml, where it is BAD
 *	-DFULL			OK	no membarrier
 */
#ifndef TURNS
#define TURNS 2			/* of each holder */
#endif
#define L 2
#define CPUS 3
#define SECOND
#ifdef OTHER
#define NODES 2
#define any_listed (listed[1] || listed[2])
#else
#define NODES 1
#define any_listed listed[1]
#endif

#include "slot.h"

proctype library()
{
	byte v, h, r, was, ipi;
	bool asked;

	do
	:: listed[1] -> scan(1)
#ifdef OTHER
	:: listed[2] -> scan(2)
#endif
	:: done == 3 && drained(0) && drained(1) && !any_listed -> break
	od;
	assert(mem[NODE] == 0 && mem[REQUEST] == 0);
	assert(freed[1] && refs[1] == 0);
	assert(freed[NODES] && refs[NODES] == 0)
}

/* Its steps are RMWs: no store buffer. */
proctype deleter()
{
	mem[SRC(0)] = 0;					/* SP8 */
	put(L, 1);						/* SP4 */
	mem[SRC(1)] = 0;
	put(L, NODES);
	done++
}

init {
	atomic {
		mem[SRC(0)] = 1;
		refs[1] = 1;
		mem[SRC(1)] = NODES;
		refs[NODES] = refs[NODES] + 1;
		run holder(0);
		run holder(1);
		run deleter();
		run library()
	}
}
