/* SPDX-License-Identifier: MIT */
/*
 * model.h - the library's atomic accesses, as a checker is to see them
 *
 * Named by -DHAZPTR_ATOMIC_BACKEND='"model.h"', it stands for the second half
 * of hazptr/atomic.h: the code under test is the inline code of the public
 * headers as users compile it, and the source that a client includes, access by
 * access.
 *
 * membarrier(2) is a request that each reader answers with a full fence at one
 * point of its program, which is what an interrupt does. The point is fixed
 * when the program is compiled: -DINTERRUPT=k, before the reader's k-th access.
 * All k together are all the moments at which the interrupt can come. 0: the
 * program has no fences.
 *
 * -DWEAK_RELEASE and -DWEAK_ACQUIRE make every release, or acquire, relaxed;
 * -DNOHEAVY leaves membarrier out; -DFULL makes the light fence a full one, and
 * membarrier too.
 *
 * Without GENMC the same programs run natively, for a look at whether they are
 * programs at all.
 */
#ifndef HAZPTR_MODEL_H
#define HAZPTR_MODEL_H

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#ifdef GENMC
#include <genmc.h>
#else
#include <sched.h>
#endif

#ifndef INTERRUPT
#define INTERRUPT 1
#endif

#if defined(WEAK_RELEASE)
#define HAZPTR_ORDER_release __ATOMIC_RELAXED
#define HAZPTR_ORDER_acquire __ATOMIC_ACQUIRE
#define HAZPTR_ORDER_acq_rel __ATOMIC_ACQUIRE
#elif defined(WEAK_ACQUIRE)
#define HAZPTR_ORDER_release __ATOMIC_RELEASE
#define HAZPTR_ORDER_acquire __ATOMIC_RELAXED
#define HAZPTR_ORDER_acq_rel __ATOMIC_RELEASE
#else
#define HAZPTR_ORDER_release __ATOMIC_RELEASE
#define HAZPTR_ORDER_acquire __ATOMIC_ACQUIRE
#define HAZPTR_ORDER_acq_rel __ATOMIC_ACQ_REL
#endif
#define HAZPTR_ORDER_relaxed __ATOMIC_RELAXED
#define HAZPTR_ORDER_seq_cst __ATOMIC_SEQ_CST

#define hazptr_load_(p, order) \
	(model_point(), __atomic_load_n((p), HAZPTR_ORDER_##order))
#define hazptr_store_(p, v, order) \
	(model_point(), __atomic_store_n((p), (v), HAZPTR_ORDER_##order))
#define hazptr_exchange_(p, v, order) \
	(model_point(), __atomic_exchange_n((p), (v), HAZPTR_ORDER_##order))
#define hazptr_fetch_add_(p, v, order) \
	(model_point(), __atomic_fetch_add((p), (v), HAZPTR_ORDER_##order))
#define hazptr_fetch_sub_(p, v, order) \
	(model_point(), __atomic_fetch_sub((p), (v), HAZPTR_ORDER_##order))
#define hazptr_cas_(p, expected, desired, success, failure)         \
	(model_point(),                                             \
	 __atomic_compare_exchange_n((p), (expected), (desired), 0, \
				     HAZPTR_ORDER_##success,        \
				     HAZPTR_ORDER_##failure))
#define hazptr_fence_(order) __atomic_thread_fence(HAZPTR_ORDER_##order)
#ifdef FULL
#define hazptr_compiler_fence_() hazptr_fence_(seq_cst)
#else
#define hazptr_compiler_fence_() ((void)0)
#endif

/* Wait for a condition; a checker drops the other executions. */
#ifdef GENMC
#define model_wait_for(condition) __VERIFIER_assume(condition)
#else
#define model_wait_for(condition)      \
	do {                           \
		while (!(condition))   \
			sched_yield(); \
	} while (0)
#endif

/* Wait until the word is set. Acquire. */
static inline int model_wait_set(const int *word)
{
	int value;

	model_wait_for((value = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != 0);
	return value;
}

static int model_request, model_answer;
static __thread int model_is_reader;

static inline void model_interrupt(void)
{
	model_is_reader = 0;
	model_wait_set(&model_request);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&model_answer, 1, __ATOMIC_RELAXED);
}

static inline void model_point(void)
{
#if INTERRUPT
	static __thread int model_clock;

	if (model_is_reader && ++model_clock == INTERRUPT)
		model_interrupt();
#endif
}

/* Around the reader's program: one membarrier reaches it. */
static inline void model_reader_begin(void)
{
#if !defined(FULL) && !defined(NOHEAVY)
	model_is_reader = 1;
#endif
}

static inline void model_reader_end(void)
{
	if (model_is_reader)
		model_interrupt();
}

/* HP7, once. */
static inline void model_heavy(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#if !defined(FULL) && !defined(NOHEAVY)
	__atomic_store_n(&model_request, 1, __ATOMIC_RELAXED);
	model_wait_set(&model_answer);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/*
 * An object; to free it is to write it, so that a late use is a race too. Alone
 * in its 8 bytes: ThreadSanitizer remembers four accesses of each.
 */
struct object {
	int value;
} __attribute__((__aligned__(8)));

static inline void object_init(struct object *o)
{
	*(volatile int *)&o->value = 1;
}

static inline void object_use(struct object *o)
{
	int value = *(volatile int *)&o->value;

	assert(value == 1);
	(void)value;
}

static inline void object_free(struct object *o)
{
	*(volatile int *)&o->value = 0;
}

#endif /* HAZPTR_MODEL_H */
