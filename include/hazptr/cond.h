/* SPDX-License-Identifier: MIT */
/*
 * hazptr/cond.h - wait, with a mutex let go, until something may have changed
 *
 *	hazptr_mutex_lock(&m);
 *	while (queue_is_empty())
 *		hazptr_cond_wait(&c, &m);
 *	...
 *	hazptr_mutex_unlock(&m);
 *
 * and where something is put into the queue:
 *
 *	hazptr_mutex_lock(&m);
 *	put_into_queue();
 *	hazptr_mutex_unlock(&m);
 *	hazptr_cond_signal(&c);
 *
 * A signal or broadcast of which the mutex is held wakes nobody who could not
 * go on: the waiters are moved to the mutex and come one by one, as it is
 * unlocked. With nobody waiting, either is one load.
 *
 * All who wait at the same time use the same mutex. The condition variable may
 * be freed once nobody waits any more, so also right after a broadcast: who
 * has been woken does not look at it.
 *
 * Source: U. Drepper, "Futexes Are Tricky", on the requeue of a broadcast;
 * known as wait morphing; parking_lot's form of it.
 */
#ifndef HAZPTR_COND_H
#define HAZPTR_COND_H

#include <hazptr/mutex.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct hazptr_cond - a condition variable; zeroed memory is one */
struct hazptr_cond {
	struct hazptr_mutex *mutex; /* of those who wait; NULL: nobody */
};

#define HAZPTR_COND_INIT \
	{                \
		0        \
	}

int hazptr_cond_wait_(struct hazptr_cond *c, struct hazptr_mutex *m,
		      const struct timespec *deadline, bool debug);
int hazptr_cond_wake_(struct hazptr_cond *c, int n);

/**
 * hazptr_cond_wait - unlock the mutex and sleep; lock it before returning
 * @m: the mutex, which the caller holds
 *
 * Nothing that happens after the mutex is unlocked is missed. It may return
 * for nothing. Aborts when others wait there with another mutex, or when @m is
 * not locked.
 *
 * Context: any thread, not a signal handler; blocks.
 * Order: as an unlock and a lock of the mutex.
 */
static inline void hazptr_cond_wait(struct hazptr_cond *c,
				    struct hazptr_mutex *m)
{
	hazptr_cond_wait_(c, m, NULL, HAZPTR_MUTEX_DEBUG_);
}

/**
 * hazptr_cond_wait_until - the same, until the deadline
 * @deadline: CLOCK_MONOTONIC; NULL: none
 *
 * Context, Order: as hazptr_cond_wait().
 * Return: 0; -ETIMEDOUT: nobody has signalled it; -EINVAL: @deadline is no
 * time, and the mutex was not unlocked. The mutex is locked in any case.
 */
static inline int hazptr_cond_wait_until(struct hazptr_cond *c,
					 struct hazptr_mutex *m,
					 const struct timespec *deadline)
{
	return hazptr_cond_wait_(c, m, deadline, HAZPTR_MUTEX_DEBUG_);
}

/**
 * hazptr_cond_signal - let one of those who wait go on
 *
 * Context: any thread, with the mutex or without, not a signal handler.
 * Order: none of its own; what was changed under the mutex is seen under it.
 */
static inline void hazptr_cond_signal(struct hazptr_cond *c)
{
	/* order CV1: who waited before our last unlock; pairs with CV2 */
	if (hazptr_load_(&c->mutex, relaxed))
		hazptr_cond_wake_(c, 1);
}

/**
 * hazptr_cond_broadcast - let all of those who wait go on
 *
 * Context, Order: as hazptr_cond_signal().
 */
static inline void hazptr_cond_broadcast(struct hazptr_cond *c)
{
	/* order CV1: who waited before our last unlock; pairs with CV2 */
	if (hazptr_load_(&c->mutex, relaxed))
		hazptr_cond_wake_(c, INT32_MAX);
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HAZPTR_COND_H */
