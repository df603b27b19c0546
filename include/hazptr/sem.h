/* SPDX-License-Identifier: MIT */
/*
 * hazptr/sem.h - a number of permits
 *
 *	struct hazptr_sem slots = HAZPTR_SEM_INIT(8);
 *
 *	hazptr_sem_wait(&slots);	// one of eight
 *	...
 *	hazptr_sem_post(&slots);
 *
 * Eight bytes: the permits, and how many threads wait for one. A post that
 * nobody waits for is one atomic operation. The semaphore may be freed by
 * whoever got the last permit that will be posted: a post does not look at it
 * again.
 *
 * Source: E. W. Dijkstra, 1962; the packing of both numbers is T. Riegel's in
 * the GNU C library.
 */
#ifndef HAZPTR_SEM_H
#define HAZPTR_SEM_H

#include <hazptr/atomic.h>

#include <stdbool.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct hazptr_sem - a semaphore; zeroed memory is one without permits */
struct hazptr_sem {
	/* low half: permits; high half: threads that wait */
	uint64_t word __attribute__((__aligned__(8)));
};

#define HAZPTR_SEM_INIT(permits) \
	{                        \
		(permits)        \
	}
#define HAZPTR_SEM_MAX 0x7FFFFFFFu

int hazptr_sem_wait_slow_(struct hazptr_sem *s,
			  const struct timespec *deadline);

/**
 * hazptr_sem_init - give it its permits, before anybody else sees it
 * @permits: up to HAZPTR_SEM_MAX
 */
static inline void hazptr_sem_init(struct hazptr_sem *s, uint32_t permits)
{
	hazptr_store_(&s->word, permits, relaxed); /* private: not published */
}

/**
 * hazptr_sem_trywait - take a permit if there is one
 *
 * Context: any thread; lock-free; signal-safe.
 * Order: acquire when true.
 */
bool hazptr_sem_trywait(struct hazptr_sem *s);

/**
 * hazptr_sem_wait_until - take a permit, or give up at the deadline
 * @deadline: CLOCK_MONOTONIC; NULL: none
 *
 * Context: any thread, not a signal handler; blocks.
 * Order: acquire: all that happened before the post of the permit.
 * Return: 0; -ETIMEDOUT; -EINVAL: @deadline is no time.
 */
static inline int hazptr_sem_wait_until(struct hazptr_sem *s,
					const struct timespec *deadline)
{
	return hazptr_sem_trywait(s) ? 0 : hazptr_sem_wait_slow_(s, deadline);
}

/**
 * hazptr_sem_wait - take a permit, and wait for it if need be
 *
 * Context, Order: as hazptr_sem_wait_until().
 */
static inline void hazptr_sem_wait(struct hazptr_sem *s)
{
	hazptr_sem_wait_until(s, 0);
}

/**
 * hazptr_sem_post - one permit more
 *
 * Context: any thread; signal-safe, as hazptr_futex_wake() is.
 * Order: release: with the wait that takes the permit.
 * Return: 0; -EOVERFLOW: there are HAZPTR_SEM_MAX already.
 */
int hazptr_sem_post(struct hazptr_sem *s);

/** hazptr_sem_value - the permits at some moment; for messages and tests */
static inline uint32_t hazptr_sem_value(const struct hazptr_sem *s)
{
	/* order SM3: a figure; pairs with SM1 */
	return (uint32_t)hazptr_load_(&s->word, relaxed);
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HAZPTR_SEM_H */
