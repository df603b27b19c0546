/* SPDX-License-Identifier: MIT */
/*
 * hazptr/futex.h - futex(2) without the kernel's table
 *
 * Wait until a 32-bit word has another value, and wake those who wait, with
 * the meaning of futex(2) and with queues in this process: a wake that finds
 * nobody, and a wait for a value that has changed already, make no system
 * call, and no other process' waiters stand in the way.
 *
 *	uint32_t ready;
 *
 *	while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
 *		hazptr_futex_wait(&ready, 0, NULL);
 *
 *	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
 *	hazptr_futex_wake(&ready, INT_MAX);
 *
 * The table. One per process: buckets of waiters, by a hash of the address. It
 * grows with the number of threads (at least four buckets for each that used
 * the library at one time, at least 16, a power of two) when one of them first
 * has to sleep, and while others sleep in it: they are moved and not woken.
 * When there is no memory for a larger one, the old one stays. A wake that
 * finds its bucket empty takes no lock and writes nothing but a guard's slot.
 *
 * What keeps a table alive while a thread looks into it and another replaces
 * it is a hazard guard, so no shared count is written. HAZPTR_FUTEX=count in
 * the environment takes a counted reference instead (the first scheme of the
 * Linux kernel, kept to compare with). HAZPTR_FUTEX_WAKE=asymmetric takes the
 * fence out of the wake, and puts a membarrier into each wait that sleeps.
 *
 * Private. An address means this process; memory that is shared with others
 * does not connect them, and NUMA nodes are not told apart. A word is not
 * read after the call that names it has found what to do: it may be freed as
 * soon as its owner knows that nobody waits.
 *
 * After fork the child's table is empty: it has one thread, and that one does
 * not sleep.
 *
 * Duties that nobody checks: as in hazptr/park.h; the words are 32 bits, at
 * multiples of 4, and changed by atomic operations only.
 *
 * Cost: a wake that finds nobody: a guard, a full fence and a load. A wait on
 * a stale value: a load. Memory: 128 bytes for each bucket.
 *
 * Source: the private futex hash of Linux (T. Gleixner, S. A. Siewior, P.
 * Zijlstra, 2025); hazard pointers instead of its reference count.
 */
#ifndef HAZPTR_FUTEX_H
#define HAZPTR_FUTEX_H

#include <hazptr/park.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAZPTR_FUTEX_BITSET_ANY UINT32_MAX
#define HAZPTR_FUTEX_WAITV_MAX 128

/**
 * hazptr_futex_wait - sleep while the word has this value
 * @addr: the word
 * @expected: the value
 * @deadline: CLOCK_MONOTONIC; NULL: none
 *
 * A return of 0 says that it was woken, not what the word is now: look again.
 *
 * Context: any thread, not a signal handler; blocks. Signals are handled and
 * it sleeps on.
 * Order: acquire: all that happened before the wake; with -EAGAIN, all that
 * happened before the word was given its other value.
 * Return: 0; -EAGAIN: the word has another value; -ETIMEDOUT; -EINVAL: @addr
 * is NULL or no multiple of 4, or @deadline is no time.
 */
int hazptr_futex_wait(const uint32_t *addr, uint32_t expected,
		      const struct timespec *deadline);

/**
 * hazptr_futex_wait_bitset - the same, for some wakes only
 * @bitset: is woken by wakes whose bitset has a bit in common; not 0
 *
 * Context, Order, Return: as hazptr_futex_wait(); -EINVAL for no bit, too.
 */
int hazptr_futex_wait_bitset(const uint32_t *addr, uint32_t expected,
			     const struct timespec *deadline, uint32_t bitset);

/**
 * hazptr_futex_wake - wake up to so many who wait at the word
 * @addr: the word; it is not read, and may be freed already
 * @n: how many at most
 *
 * Only threads that wait by this header are woken, not those in hazptr_park().
 *
 * Context: any thread; waits for nothing but a bucket's lock. Signal-safe on
 * a thread that has called it before: when the handler interrupted a call of
 * this library that works at the table, the wake is done when that call ends,
 * may then wake more threads than @n and others than those at @addr (a
 * hazptr_futex_wait() may always return for nothing), and returns 0. Not
 * signal-safe with HAZPTR_FUTEX=count.
 * Order: a full fence before the queue is looked at: what the caller stored
 * before is seen by whoever queues afterwards. Release to those woken.
 * Return: how many were woken; -EINVAL: @n < 0, @addr as in wait.
 */
int hazptr_futex_wake(const uint32_t *addr, int n);

/**
 * hazptr_futex_wake_bitset - wake those whose bitset has a bit in common
 * @bitset: not 0
 *
 * Context, Order, Return: as hazptr_futex_wake().
 */
int hazptr_futex_wake_bitset(const uint32_t *addr, int n, uint32_t bitset);

/**
 * hazptr_futex_requeue - wake some, and let others wait at another word
 * @nwake: how many to wake; @nrequeue: how many of the rest to move
 * @addr2: where they wait then, behind who waits there
 *
 * Context: any thread; not signal-safe.
 * Order: as hazptr_futex_wake().
 * Return: how many were woken or moved; -EINVAL: a bad address or a negative
 * number.
 */
int hazptr_futex_requeue(const uint32_t *addr, int nwake, int nrequeue,
			 const uint32_t *addr2);

/**
 * hazptr_futex_cmp_requeue - the same, if the word still has this value
 *
 * Context, Order: as hazptr_futex_requeue().
 * Return: the same; -EAGAIN: *addr is not @expected, and nothing was done.
 */
int hazptr_futex_cmp_requeue(const uint32_t *addr, uint32_t expected, int nwake,
			     int nrequeue, const uint32_t *addr2);

/**
 * hazptr_futex_wake_op - change a second word, wake here and perhaps there
 * @addr: wake up to @nwake here
 * @addr2: this word is changed by one atomic operation; when its old value
 *	passes the comparison, up to @nwake2 are woken there
 * @op: as FUTEX_OP(op, oparg, cmp, cmparg) of <linux/futex.h>, with all of its
 *	operations, comparisons and FUTEX_OP_OPARG_SHIFT
 *
 * Context: any thread; not signal-safe.
 * Order: the operation is sequentially consistent; else as hazptr_futex_wake().
 * Return: how many were woken; -EINVAL: a bad address or a negative number;
 * -ENOSYS: no such operation or comparison. Then nothing was changed.
 */
int hazptr_futex_wake_op(const uint32_t *addr, int nwake, uint32_t *addr2,
			 int nwake2, uint32_t op);

/** struct hazptr_futex_waitv - one of several words to wait at */
struct hazptr_futex_waitv {
	const uint32_t *addr;
	uint32_t expected;
};

/**
 * hazptr_futex_waitv - sleep until one of several words is woken
 * @v: the words; one may stand there more than once
 * @n: 1 to HAZPTR_FUTEX_WAITV_MAX
 *
 * Each wake counts the thread as woken, although it wakes only once.
 *
 * Context, Order: as hazptr_futex_wait(); 10 KiB of stack.
 * Return: the index of a word that was woken; -EAGAIN: one has another value;
 * -ETIMEDOUT; -EINVAL.
 */
#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* the struct has the same name */
#endif
int hazptr_futex_waitv(const struct hazptr_futex_waitv *v, unsigned n,
		       const struct timespec *deadline);
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

/**
 * hazptr_futex_hash_resize - say how large the table shall be
 * @buckets: a power of two, up to 2^20; 0: by the number of threads again
 *
 * Returns when the new table is in use.
 *
 * Context: any thread, not a signal handler; allocates. Sleepers are moved and
 * not woken; others go on meanwhile.
 * Return: 0; -EINVAL; -ENOMEM: the old table stays in use.
 */
int hazptr_futex_hash_resize(unsigned buckets);

/**
 * hazptr_futex_hash_buckets - how large it is now
 *
 * Context: any thread; signal-safe.
 */
unsigned hazptr_futex_hash_buckets(void);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_FUTEX_H */
