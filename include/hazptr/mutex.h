/* SPDX-License-Identifier: MIT */
/*
 * hazptr/mutex.h - a lock of four bytes
 *
 *	struct hazptr_mutex lock = HAZPTR_MUTEX_INIT;	// or zeroed
 *
 *	hazptr_mutex_lock(&lock);
 *	...
 *	hazptr_mutex_unlock(&lock);
 *
 * Free or taken, it is one atomic operation each way, inline. Who finds it
 * taken spins for a moment and then sleeps in the table of hazptr/park.h.
 *
 * The word:	bit 0	LOCKED
 *		bit 1	PARKED: somebody may sleep. May be set for nothing: the
 *			next unlock then looks, and clears it
 *		bit 2	WOKEN: somebody was woken and is on the way: no unlock
 *			wakes another one meanwhile
 *		bit 3-	who has it, in debug builds; else 0
 *
 * Who comes first gets it: a thread that is awake may overtake one that has
 * just been woken, which is what makes locks fast. But who has waited for more
 * than a millisecond is handed the lock by the unlock itself, one such thread
 * in half a millisecond.
 *
 * Freeing it. A thread that has got the lock may unlock, and free the memory,
 * as soon as it knows that nobody else wants it: who unlocked before does not
 * look at the mutex again.
 *
 * Debug builds. Compile with -DHAZPTR_DEBUG, and the thread that holds it is
 * written into the word: a lock by its holder, an unlock by another thread and
 * an unlock of a free mutex abort with a line that names call and mutex. Files
 * that are built with and without it may share mutexes.
 *
 * Duties that nobody checks: it is not locked in a signal handler and not
 * shared between processes; a child of fork may unlock what the thread that
 * forked held, and knows nothing of what others held.
 *
 * Source: A. d'Antras, parking_lot; F. Pizlo, WTF::Lock.
 */
#ifndef HAZPTR_MUTEX_H
#define HAZPTR_MUTEX_H

#include <hazptr/atomic.h>

#include <stdbool.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct hazptr_mutex - a lock; zeroed memory is a free one */
struct hazptr_mutex {
	uint32_t word;
};

#define HAZPTR_MUTEX_INIT \
	{                 \
		0         \
	}

#define HAZPTR_MUTEX_LOCKED_ 1u
#define HAZPTR_MUTEX_PARKED_ 2u

int hazptr_mutex_lock_slow_(struct hazptr_mutex *m,
			    const struct timespec *deadline, const char *call,
			    bool debug);
bool hazptr_mutex_trylock_slow_(struct hazptr_mutex *m, bool debug);
void hazptr_mutex_unlock_slow_(struct hazptr_mutex *m);

#ifdef HAZPTR_DEBUG
#define HAZPTR_MUTEX_DEBUG_ true
#else
#define HAZPTR_MUTEX_DEBUG_ false
#endif

/* The whole of the fast path. */
static inline bool hazptr_mutex_take_(struct hazptr_mutex *m)
{
	uint32_t unlocked = 0;

	/* order MX1: what the last holder wrote; pairs with MX2, MX4 */
	return !HAZPTR_MUTEX_DEBUG_ &&
	       hazptr_likely_(hazptr_cas_(&m->word, &unlocked,
					  HAZPTR_MUTEX_LOCKED_, acquire,
					  relaxed));
}

/**
 * hazptr_mutex_lock - take the lock, and wait for it if need be
 *
 * Context: any thread, not a signal handler; blocks.
 * Order: acquire: all that was done under the lock before.
 */
static inline void hazptr_mutex_lock(struct hazptr_mutex *m)
{
	if (!hazptr_mutex_take_(m))
		hazptr_mutex_lock_slow_(m, NULL, "hazptr_mutex_lock",
					HAZPTR_MUTEX_DEBUG_);
}

/**
 * hazptr_mutex_trylock - take the lock if it is free
 *
 * Context: any thread, not a signal handler; lock-free.
 * Order: acquire when true.
 */
static inline bool hazptr_mutex_trylock(struct hazptr_mutex *m)
{
	return hazptr_mutex_take_(m) ||
	       hazptr_mutex_trylock_slow_(m, HAZPTR_MUTEX_DEBUG_);
}

/**
 * hazptr_mutex_lock_until - take the lock, or give up at the deadline
 * @deadline: CLOCK_MONOTONIC; NULL: none
 *
 * Context, Order: as hazptr_mutex_lock().
 * Return: 0; -ETIMEDOUT; -EINVAL: @deadline is no time.
 */
static inline int hazptr_mutex_lock_until(struct hazptr_mutex *m,
					  const struct timespec *deadline)
{
	if (hazptr_mutex_take_(m))
		return 0;
	return hazptr_mutex_lock_slow_(m, deadline, "hazptr_mutex_lock_until",
				       HAZPTR_MUTEX_DEBUG_);
}

/**
 * hazptr_mutex_unlock - give the lock back
 *
 * Does not look at the mutex after it can be taken by another thread. Aborts
 * when the mutex is free.
 *
 * Context: the thread that holds it; does not block.
 * Order: release: all that was done under the lock.
 */
static inline void hazptr_mutex_unlock(struct hazptr_mutex *m)
{
	uint32_t locked = HAZPTR_MUTEX_LOCKED_;

	/* order MX2: all that was done under the lock; pairs with MX1 */
	if (hazptr_unlikely_(
		    !hazptr_cas_(&m->word, &locked, 0, release, relaxed)))
		hazptr_mutex_unlock_slow_(m);
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HAZPTR_MUTEX_H */
