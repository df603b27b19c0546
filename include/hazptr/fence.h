/* SPDX-License-Identifier: MIT */
/*
 * hazptr/fence.h - a fence in two halves: cheap for readers, dear for updaters
 *
 * Two threads that each store one word and then read the other's need a full
 * fence between the two steps, or both may miss what the other stored. Readers
 * take that step millions of times a second and updaters rarely, so the cost
 * is moved: the light half only holds the compiler, and the heavy half asks
 * the kernel, by membarrier(2), to run a full fence in every running thread of
 * this process.
 *
 *	reader				updater
 *	hazard = p;			source = q;
 *	hazptr_fence_light();		hazptr_fence_heavy();
 *	if (source != p) retry;		if (hazard == p) wait;
 *
 * At least one of the two sees what the other stored.
 *
 * Where the kernel has no membarrier both halves are full fences. The mode is
 * chosen once, at first use: membarrier when QUERY and REGISTER succeed, else
 * full. HAZPTR_FENCE=membarrier|full|marker in the environment forces one:
 * `full` makes no membarrier call at all, for sandboxes that kill a process
 * for an unknown system call; `marker` replaces the reader's fence by an
 * atomic or with acquire (Jann Horn's marker bit), for machines where that is
 * cheap. set-user-ID programs ignore the variable. An unknown value, and a
 * forced membarrier that the kernel refuses, are reported once on stderr.
 *
 * Cost: light: nothing (membarrier), or one full fence. Heavy: 0.3 us alone,
 * about 1 us with one busy thread, more on an overcommitted machine.
 */
#ifndef HAZPTR_FENCE_H
#define HAZPTR_FENCE_H

#include <hazptr/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hazptr_fence_mode {
	HAZPTR_FENCE_MEMBARRIER,
	HAZPTR_FENCE_FULL,
	HAZPTR_FENCE_MARKER
};

/* 0 until chosen, then 1 + mode. */
extern int hazptr_fence_chosen_;
int hazptr_fence_choose_slow_(void);

/**
 * hazptr_fence_mode - which of the three is in use
 *
 * Context: any thread; the first call in a process is not signal-safe.
 * Order: none.
 * Return: the mode; it never changes afterwards, not even in a forked child.
 */
static inline enum hazptr_fence_mode hazptr_fence_mode(void)
{
	/* order FM1: sees the registration that preceded the choice; FM2 */
	int chosen = hazptr_load_(&hazptr_fence_chosen_, acquire);

	if (hazptr_unlikely_(!chosen))
		chosen = hazptr_fence_choose_slow_();
	return (enum hazptr_fence_mode)(chosen - 1);
}

/**
 * hazptr_fence_light - the reader's half
 *
 * Context: any thread; wait-free; signal-safe after the first use in the
 * process.
 * Order: against hazptr_fence_heavy() of any other thread, a full fence.
 * Between two light halves it orders nothing.
 */
static inline void hazptr_fence_light(void)
{
	if (hazptr_likely_(hazptr_fence_mode() == HAZPTR_FENCE_MEMBARRIER))
		hazptr_compiler_fence_(); /* order FM3: FM4 */
	else
		hazptr_fence_(seq_cst); /* order FM3: FM4 */
}

/**
 * hazptr_fence_heavy - the updater's half
 *
 * Context: any thread; makes a system call; not signal-safe. Aborts with a
 * message when the kernel refuses a membarrier that it granted before (a
 * sandbox that was locked later: set HAZPTR_FENCE=full for such programs).
 * Order: a full fence in the caller and, in effect, in every other thread.
 * Source: membarrier(2); Desnoyers' sys_membarrier, 2010.
 */
void hazptr_fence_heavy(void);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_FENCE_H */
