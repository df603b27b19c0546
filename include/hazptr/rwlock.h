/* SPDX-License-Identifier: MIT */
/*
 * hazptr/rwlock.h - many readers or one writer
 *
 *	struct hazptr_rwlock lock = HAZPTR_RWLOCK_INIT;	// or zeroed
 *
 *	hazptr_rwlock_rdlock(&lock);
 *	...
 *	hazptr_rwlock_unlock(&lock);
 *
 * Who gets it. Readers come in while no writer holds it and nobody waits; then
 * they wait, too, so that the readers who are in leave, and a writer comes in.
 * A writer that leaves hands the lock to all readers that wait when a reader
 * has waited longest. So neither keeps the other out for ever. A writer that
 * was woken may be overtaken, until it has waited for more than a millisecond.
 *
 * It is not recursive: a thread that holds it as a reader and asks again may
 * wait for a writer that waits for it.
 *
 * Every reader writes the word. Where reads are frequent and short, a guard
 * (hazptr/guard.h) costs a tenth and stands in no writer's way.
 *
 * The word:	bit 0	WRITER
 *		bit 1	PARKED: somebody may sleep
 *		bit 2-	how many readers
 *
 * Source: phases after B. B. Brandenburg and J. H. Anderson, "Spin-Based
 * Reader-Writer Synchronization", 2010.
 */
#ifndef HAZPTR_RWLOCK_H
#define HAZPTR_RWLOCK_H

#include <hazptr/atomic.h>

#include <stdbool.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct hazptr_rwlock - a lock; zeroed memory is a free one */
struct hazptr_rwlock {
	uint32_t word;
};

#define HAZPTR_RWLOCK_INIT \
	{                  \
		0          \
	}

/**
 * hazptr_rwlock_rdlock_until - come in as a reader, or give up
 * @deadline: CLOCK_MONOTONIC; NULL: none
 *
 * Context: any thread, not a signal handler; blocks.
 * Order: acquire: all that writers did under the lock before.
 * Return: 0; -ETIMEDOUT; -EINVAL: @deadline is no time.
 */
int hazptr_rwlock_rdlock_until(struct hazptr_rwlock *l,
			       const struct timespec *deadline);

/**
 * hazptr_rwlock_wrlock_until - come in as the writer, or give up
 *
 * Context, Return: as hazptr_rwlock_rdlock_until().
 * Order: acquire: all that was done under the lock before.
 */
int hazptr_rwlock_wrlock_until(struct hazptr_rwlock *l,
			       const struct timespec *deadline);

/** hazptr_rwlock_rdlock - as _until, without a deadline */
static inline void hazptr_rwlock_rdlock(struct hazptr_rwlock *l)
{
	hazptr_rwlock_rdlock_until(l, 0);
}

/** hazptr_rwlock_wrlock - as _until, without a deadline */
static inline void hazptr_rwlock_wrlock(struct hazptr_rwlock *l)
{
	hazptr_rwlock_wrlock_until(l, 0);
}

/**
 * hazptr_rwlock_tryrdlock - come in as a reader if that needs no waiting
 *
 * Context: any thread, not a signal handler; lock-free.
 * Order: acquire when true.
 */
bool hazptr_rwlock_tryrdlock(struct hazptr_rwlock *l);

/** hazptr_rwlock_trywrlock - come in as the writer if that needs no waiting */
bool hazptr_rwlock_trywrlock(struct hazptr_rwlock *l);

/**
 * hazptr_rwlock_unlock - leave, as whatever one came in
 *
 * Aborts when nobody holds it. Does not look at the lock after another thread
 * may have it.
 *
 * Context: the thread that came in; does not block.
 * Order: release: all that was done under the lock.
 */
void hazptr_rwlock_unlock(struct hazptr_rwlock *l);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HAZPTR_RWLOCK_H */
