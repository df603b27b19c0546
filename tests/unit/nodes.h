/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/nodes.h - what the tests of shared pointers share
 *
 * Words: a *box* has a node, is never freed, and counts how often it was
 * released and by which thread. A *kind* is a way to make nodes. A *hand* is
 * another thread that does what it is told, one thing at a time. A *stop*
 * holds the next thread that comes to a named point of the library, until it
 * is told to go on.
 */
#ifndef HAZPTR_TESTS_UNIT_NODES_H
#define HAZPTR_TESTS_UNIT_NODES_H

#include "test.h"

#include <hazptr/shared.h>
#include <hazptr/thread_shared.h>

#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#endif
#endif
#ifndef TEST_TSAN
#define TEST_TSAN 0
#endif

/* Boxes */

struct box {
	long number;
	struct hazptr_weak_node weak; /* its node is the box's */
	struct hazptr_shared next;    /* dropped by the release */
	struct hazptr_weak other;     /* the same, a weak pointer */
	int expired;
	int gone;
	pthread_t by; /* who released it last */
};

static __thread int box_depth TEST_UNUSED; /* release functions that run */

static inline struct box *box_of(struct hazptr_shared_node *node)
{
	return (struct box *)(void *)((char *)node -
				      offsetof(struct box, weak));
}

static inline struct hazptr_shared_node *node_of(struct box *b)
{
	return &b->weak.node;
}

static inline void box_release(struct hazptr_shared_node *node)
{
	struct box *b = box_of(node);

	must(box_depth++ == 0); /* release functions are not nested */
	b->by = pthread_self();
	hazptr_shared_drop(&b->next);
	hazptr_weak_drop(&b->other);
	__atomic_fetch_add(&b->gone, 1, __ATOMIC_RELEASE);
	box_depth--;
}

static inline int box_gone(const struct box *b)
{
	return __atomic_load_n(&b->gone, __ATOMIC_ACQUIRE);
}

/* A box as new, in the hands of its only owner. */
static inline struct hazptr_shared box_new(struct box *b)
{
	memset(b, 0, sizeof(*b));
	return hazptr_shared_create(node_of(b), box_release);
}

static inline struct hazptr_shared box_new_count_first(struct box *b)
{
	memset(b, 0, sizeof(*b));
	return hazptr_shared_create_count_first(node_of(b), box_release);
}

/* Which scheme a test is about is its state. */
static inline struct hazptr_shared box_of_kind(struct box *b, void **state)
{
	return *state ? box_new_count_first(b) : box_new(b);
}

#define COUNT_FIRST_NAME(f) #f ", count first"
#define BOTH_KINDS(f)                                                    \
	{ #f, f, NULL, NULL, NULL },                                     \
	{                                                                \
		COUNT_FIRST_NAME(f), f, NULL, NULL, (void *)(uintptr_t)1 \
	}

/* How many references there are, retired ones included. */
static inline uint32_t box_references(struct box *b)
{
	return (uint32_t)__atomic_load_n(&node_of(b)->counts, __ATOMIC_RELAXED);
}

/* As the library would have them after very many calls. */
static inline void box_set_references(struct box *b, uint32_t n)
{
	uint64_t *counts = &node_of(b)->counts;

	__atomic_store_n(counts, (*counts & ~(uint64_t)UINT32_MAX) | n,
			 __ATOMIC_RELAXED);
}

/* What is due is done; nothing of the default domain waits any more. */
static inline void settle(void)
{
	do
		hazptr_barrier(NULL);
	while (test_stats(NULL).pending);
}

/* Two barriers: the functions of the first may have dropped something. */
#define assert_released(box)                                            \
	do {                                                            \
		hazptr_barrier(NULL);                                   \
		hazptr_barrier(NULL);                                   \
		assert_int_equal(box_gone(box), 1);                     \
		assert_false(pthread_equal((box)->by, pthread_self())); \
	} while (0)

#define assert_alive(box)                           \
	do {                                        \
		hazptr_flush(NULL);                 \
		hazptr_flush(NULL);                 \
		assert_int_equal(box_gone(box), 0); \
	} while (0)

/* The group's teardown: nothing is left behind. */
static inline int nodes_teardown(void **state)
{
	struct hazptr_stats s;

	(void)state;
	settle();
	s = test_stats(NULL);
	return s.pending || s.retired != s.reclaimed ? -1 : 0;
}

/* Thread-shared pointers */

static inline struct hazptr_promotion_stats promotions(void)
{
	struct hazptr_promotion_stats s;

	memset(&s, 0, sizeof(s));
	s.size = sizeof(s);
	hazptr_thread_shared_stats(&s);
	return s;
}

static inline bool is_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* Slots are the processors'; else each thread has its own. */
static inline bool slots_by_cpu(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_shared sp;
	struct box b;

	sp = box_new(&b);
	hazptr_thread_shared_borrow(&ts, sp);
	hazptr_thread_shared_drop(&ts);
	hazptr_shared_drop_sync(&sp);
	return hazptr_ref_self_.rseq != NULL;
}

/* On the first processor that it may use, or the second, ... False: none. */
static inline bool pin_to(size_t nth)
{
	static cpu_set_t allowed;
	cpu_set_t one;
	int cpu;

	if (!CPU_COUNT(&allowed))
		must(!sched_getaffinity(0, sizeof(allowed), &allowed));
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && nth-- == 0)
			break;
	if (cpu == CPU_SETSIZE)
		return false;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return !sched_setaffinity(0, sizeof(one), &one);
}

/* Hands */

struct hand {
	pthread_t thread;
	sem_t begin;
	sem_t end;
	void (*todo)(void *);
	void *arg;
};

static inline void *hand_run(void *arg)
{
	struct hand *h = (struct hand *)arg;
	static int known;
	HAZPTR_GUARD(g);

	hazptr_hold(&g, &known); /* the library knows the thread from now on */
	hazptr_release(&g);
	for (;;) {
		must(!sem_post(&h->end));
		test_wait(&h->begin);
		if (!h->todo)
			return NULL;
		h->todo(h->arg);
	}
}

static inline void hand_end(struct hand *h)
{
	test_wait(&h->end);
}

static inline void hand_begin(struct hand *h, void (*todo)(void *), void *arg)
{
	h->todo = todo;
	h->arg = arg;
	must(!sem_post(&h->begin));
}

static inline void hand_do(struct hand *h, void (*todo)(void *), void *arg)
{
	hand_begin(h, todo, arg);
	hand_end(h);
}

static inline void hand_start(struct hand *h)
{
	memset(h, 0, sizeof(*h));
	must(!sem_init(&h->begin, 0, 0));
	must(!sem_init(&h->end, 0, 0));
	h->thread = test_start(hand_run, h);
	hand_end(h);
}

static inline void hand_stop(struct hand *h)
{
	hand_begin(h, NULL, NULL);
	test_join(h->thread);
	sem_destroy(&h->begin);
	sem_destroy(&h->end);
}

/* What hands are told most often. */
static inline void does_flush(void *arg)
{
	(void)arg;
	hazptr_flush(NULL);
}

static inline void does_drop(void *arg)
{
	hazptr_shared_drop((struct hazptr_shared *)arg);
}

static inline void does_sync_drop(void *arg)
{
	hazptr_sync_shared_drop((struct hazptr_sync_shared *)arg);
}

static inline void does_sync_drop_sync(void *arg)
{
	hazptr_sync_shared_drop_sync((struct hazptr_sync_shared *)arg);
}

/* Stops */

#ifdef __cplusplus
extern "C" {
#endif
extern void (*hazptr_test_point_)(const char *point);
#ifdef __cplusplus
}
#endif

struct stop {
	const char *point; /* NULL: nobody is to be held */
	sem_t reached;
	sem_t go;
};

#define STOPS 2

static struct stop stops[STOPS] TEST_UNUSED;

static inline void stop_at_point(const char *point)
{
	const char *wanted;
	int i;

	for (i = 0; i < STOPS; i++) {
		wanted = __atomic_load_n(&stops[i].point, __ATOMIC_ACQUIRE);
		if (!wanted || strcmp(wanted, point) != 0 ||
		    !__atomic_compare_exchange_n(
			    &stops[i].point, &wanted, (const char *)NULL, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		must(!sem_post(&stops[i].reached));
		test_wait(&stops[i].go);
		return;
	}
}

/* Before the first call of the library. */
static inline void stops_init(void)
{
	int i;

	for (i = 0; i < STOPS; i++) {
		must(!sem_init(&stops[i].reached, 0, 0));
		must(!sem_init(&stops[i].go, 0, 0));
	}
	hazptr_test_point_ = stop_at_point;
}

static inline void stop_arm(struct stop *s, const char *point)
{
	__atomic_store_n(&s->point, point, __ATOMIC_RELEASE);
}

static inline void stop_wait(struct stop *s)
{
	test_wait(&s->reached);
}

static inline void stop_go(struct stop *s)
{
	must(!sem_post(&s->go));
}

/* True: somebody had come. From now on nobody is held. */
static inline bool stop_disarm(struct stop *s)
{
	return !__atomic_exchange_n(&s->point, (const char *)NULL,
				    __ATOMIC_ACQ_REL);
}

/* False: the hand has done what it was told, and did not come by. */
static inline bool stop_wait_or_end(struct stop *s, struct hand *h)
{
	while (sem_trywait(&s->reached)) {
		if (!sem_trywait(&h->end)) {
			must(!stop_disarm(s));
			return false;
		}
		test_sleep_ms(1);
	}
	return true;
}

#endif /* HAZPTR_TESTS_UNIT_NODES_H */
