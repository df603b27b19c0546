/* SPDX-License-Identifier: MIT */
/*
 * tso.h - store buffers and membarrier for models that Spin explores
 *
 * Spin interleaves whole statements on one memory, so by itself it shows only
 * what a sequentially consistent machine does. What hazard pointers are about
 * is the one thing that such a machine does not do: a thread stores, then
 * loads, and its load is served before its store is seen. This file adds it.
 *
 * Each CPU has a first-in-first-out buffer of DEPTH stores. store() appends to
 * it, load() takes the newest entry for the word or else the memory, and the
 * process `memory` moves the oldest entry of any CPU to the memory at any time.
 * fence() waits until the own buffer is empty; that is the same as to empty it,
 * as every way to empty it is explored too. An atomic read-modify-write begins
 * with a fence and works on mem[] in the same step. This is x86-TSO (Owens,
 * Sarkar, Sewell, TPHOLs 2009), but for the bound on the buffer.
 *
 * heavy() is membarrier(2): fence; then each other CPU is interrupted once, in
 * any order and at any time, which empties its buffer at that moment; then
 * heavy() returns. Between the interrupt of one CPU and that of the next, all
 * processes go on. light() holds the compiler only and is no step at all.
 *
 * -DFULL is the mode without membarrier: light() and heavy() are both fence().
 *
 * Left out: machines that reorder more than a store with a later load. Those
 * orders (release, acquire) are the business of the models in C11.
 *
 * The user defines CPUS and WORDS before the #include, declares `byte ipi` in
 * each process that calls heavy(), and runs memory().
 */
#ifndef DEPTH
#define DEPTH 2
#endif

typedef store_buffer {
	byte n;
	byte word[DEPTH];
	byte value[DEPTH]
};

byte mem[WORDS];
store_buffer sb[CPUS];
hidden byte k_;

inline store(c, w, x)
{
	d_step {
		sb[c].n < DEPTH ->
		sb[c].word[sb[c].n] = w;
		sb[c].value[sb[c].n] = x;
		sb[c].n++
	}
}

inline load(c, w, r)
{
	d_step {
		r = mem[w];
		k_ = 0;
		do
		:: k_ < sb[c].n ->
			if
			:: sb[c].word[k_] == w -> r = sb[c].value[k_]
			:: else
			fi;
			k_++
		:: else -> break
		od
	}
}

inline drain(c)
{
	d_step {
		sb[c].n > 0 ->
		mem[sb[c].word[0]] = sb[c].value[0];
		k_ = 1;
		do
		:: k_ < sb[c].n ->
			sb[c].word[k_ - 1] = sb[c].word[k_];
			sb[c].value[k_ - 1] = sb[c].value[k_];
			k_++
		:: else -> break
		od;
		sb[c].n--;
		sb[c].word[sb[c].n] = 0;
		sb[c].value[sb[c].n] = 0
	}
}

#define drained(c)	(sb[c].n == 0)

inline fence(c)
{
	drained(c)
}

#define interrupt(c)	d_step { (ipi & (1 << c)) && drained(c) -> \
				 ipi = ipi & ~(1 << c) }

#ifdef FULL
#define light(c)	fence(c)
#define heavy(c)	fence(c)
#else
#define light(c)	skip
inline heavy(c)
{
	d_step {
		drained(c) ->
		ipi = ((1 << CPUS) - 1) & ~(1 << c)
	};
	do
	:: interrupt(0)
	:: interrupt(1)
#if CPUS > 2
	:: interrupt(2)
#endif
#if CPUS > 3
	:: interrupt(3)
#endif
	:: ipi == 0 -> break
	od
}
#endif

/* A lock in one word: taken by an RMW, dropped by a plain store. */
inline lock(c, w)
{
	d_step {
		drained(c) && mem[w] == 0 ->
		mem[w] = 1
	}
}

inline unlock(c, w)
{
	store(c, w, 0)
}

active proctype memory()
{
end:	do
	:: drain(0)
	:: drain(1)
#if CPUS > 2
	:: drain(2)
#endif
#if CPUS > 3
	:: drain(3)
#endif
	od
}
