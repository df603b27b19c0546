/* SPDX-License-Identifier: MIT */
/*
 * hazptr/park.h - put a thread to sleep on an address, and wake it there
 *
 * For authors of locks of any word size. A lock keeps a few bits of state; who
 * has to wait is put into a queue that belongs to the lock's address and
 * stands elsewhere, in a hash table that the process has one of. So a lock
 * needs no room for a queue, and none at all while nobody waits.
 *
 *	static bool is_locked(void *arg)
 *	{
 *		return __atomic_load_n((char *)arg, __ATOMIC_RELAXED) == 2;
 *	}
 *
 *	char *lock;				// 0 free, 1 held, 2 contended
 *	while (__atomic_exchange_n(lock, 2, __ATOMIC_ACQUIRE))
 *		hazptr_park(lock, is_locked, NULL, NULL, lock, NULL);
 *	...
 *	if (__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE) == 2)
 *		hazptr_unpark_one(lock, NULL, NULL);
 *
 * How no wake-up is lost. `validate` looks at the lock's state while the queue
 * of that address is locked, and unpark looks at the queue under the same
 * lock, after it has changed the state. Either validate sees the change, or
 * unpark finds the waiter.
 *
 * The key is an address of this process; it is compared and never read, so
 * memory that is shared with other processes does not connect them. Threads
 * of equal priority are woken first come, first served; those of SCHED_FIFO and
 * SCHED_RR before others, by their priority when a second one came.
 *
 * Duties that nobody checks
 * - validate, choose, decide and timed_out run with the queue locked: they
 *   neither call the library nor wait, and take as few steps as they can.
 * - One address is one lock's: a struct and its first member are one key.
 * - The first sleep of a thread may allocate, so no allocator sleeps here.
 * - Nobody parks in a signal handler, or leaves hazptr_park() by longjmp; a
 *   thread that sleeps in it is no point of cancellation.
 * - A child that was forked by a signal handler which interrupted one of
 *   these calls does not return to it.
 *
 * Cost: park: two bucket locks and futex(2); some 600 bytes of stack.
 * unpark: one bucket lock, and one system call for each thread that is woken.
 * The tables: hazptr/futex.h.
 *
 * Source: the parking lot of WebKit (F. Pizlo, "Locking in WebKit", 2016),
 * with the three callbacks of A. d'Antras' parking_lot.
 */
#ifndef HAZPTR_PARK_H
#define HAZPTR_PARK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * hazptr_park - sleep until somebody unparks the key
 * @key: any address; not NULL
 * @validate: with the queue locked, before the thread is queued: false: do not
 *	sleep. NULL: sleep in any case
 * @before_sleep: after the thread was queued, with no lock held: may unlock,
 *	unpark and call the library, but not park. NULL: nothing
 * @timed_out: with the queue locked, after the thread left it at its deadline:
 *	the key where it stood (a requeue may have changed it) and whether it
 *	was the last one there. NULL: nothing
 * @arg: for all three
 * @deadline: CLOCK_MONOTONIC; NULL: none
 *
 * Context: any thread, not a signal handler; blocks. Signals are handled and
 * it sleeps on.
 * Order: acquire: all that happened before the unpark.
 * Return: the token that unpark gave, 0 or more; -EAGAIN: validate said no;
 * -ETIMEDOUT; -EINVAL: @key is NULL, or @deadline is no time.
 */
int hazptr_park(const void *key, bool (*validate)(void *arg),
		void (*before_sleep)(void *arg),
		void (*timed_out)(void *arg, const void *key, bool was_last),
		void *arg, const struct timespec *deadline);

/** struct hazptr_unparked - what `decide` is told */
struct hazptr_unparked {
	int unparked;	/* threads that will be woken */
	int requeued;	/* threads that were moved to the other key */
	bool have_more; /* others wait at the (first) key */
	/* the woken one has waited for more than 1 ms; said no more than once
	 * in 0.5 ms of all keys that share a bucket */
	bool be_fair;
};

/**
 * hazptr_unpark_one - wake the thread that has waited longest
 * @decide: with the queue locked, also when nobody was found: the token for
 *	hazptr_park() to return, 0 or more. NULL: 0
 * @arg: for decide
 *
 * Context: any thread; not signal-safe.
 * Order: release: with the park that returns the token.
 * Return: 1 or 0.
 */
int hazptr_unpark_one(const void *key,
		      int (*decide)(void *arg,
				    const struct hazptr_unparked *what),
		      void *arg);

/**
 * hazptr_unpark_all - wake all that wait at the key
 * @token: what hazptr_park() returns to them, 0 or more
 *
 * Context: any thread; not signal-safe.
 * Order: release: with the parks that return.
 * Return: how many.
 */
int hazptr_unpark_all(const void *key, int token);

/** struct hazptr_requeue - how many threads to wake, and then to move */
struct hazptr_requeue {
	int wake;
	int requeue;
};

/**
 * hazptr_unpark_requeue - wake some, and move others to another key
 * @from: the key where they wait; @to: where they will wait
 * @choose: with both queues locked: says how many; false: nothing is done
 * @decide: with both queues locked, afterwards: the token for those who are
 *	woken. NULL: 0
 *
 * Context: any thread; not signal-safe.
 * Order: release: with the parks that return.
 * Return: how many were woken or moved; -EAGAIN: choose said no; -EINVAL: a
 * key is NULL, or both are the same.
 */
int hazptr_unpark_requeue(const void *from, const void *to,
			  bool (*choose)(void *arg, struct hazptr_requeue *n),
			  int (*decide)(void *arg,
					const struct hazptr_unparked *what),
			  void *arg);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_PARK_H */
