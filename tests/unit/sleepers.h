/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/sleepers.h - what the tests of the private futex hash share
 *
 * Words: a *sleeper* is a thread that waits once, at a word or a key, and
 * keeps what that returned. It is *queued* from the moment at which a wake
 * must find it.
 */
#ifndef HAZPTR_TESTS_UNIT_SLEEPERS_H
#define HAZPTR_TESTS_UNIT_SLEEPERS_H

#include "nodes.h"

#include <hazptr/futex.h>
#include <hazptr/park.h>

#include <limits.h>

#ifndef FUTEX_OP
#include <linux/futex.h>
#endif

/* The policies of this process. */

static inline bool setting_is(const char *name, const char *value)
{
	const char *now = getenv(name);

	return now && strcmp(now, value) == 0;
}

static inline bool by_count(void)
{
	return setting_is("HAZPTR_FUTEX", "count");
}

/* Sleepers */

struct sleeper {
	int (*call)(struct sleeper *s);
	const void *at; /* the word, or the key */
	uint32_t expected;
	uint32_t bitset; /* 0: all */
	const struct timespec *deadline;
	void *arg;  /* of park's functions */
	int policy; /* SCHED_OTHER, or of real time */
	int priority;
	int result;
	int queued; /* how often */
	int order;  /* the how many-th that returned; 0: has not */
	pthread_t thread;
};

static __thread struct sleeper *sleeper_self TEST_UNUSED;
static int sleepers_returned TEST_UNUSED;

/* Before a stop holds somebody, so many pass. */
static int stop_skips[STOPS] TEST_UNUSED;
/* What a test itself does at each point. */
static void (*sleepers_at_point)(const char *point) TEST_UNUSED;

static inline void sleepers_point(const char *point)
{
	void (*own)(const char *) =
		__atomic_load_n(&sleepers_at_point, __ATOMIC_ACQUIRE);
	size_t n = strlen(point);
	const char *wanted;
	int i;

	if (sleeper_self && n > 7 && strcmp(point + n - 7, ":queued") == 0)
		__atomic_fetch_add(&sleeper_self->queued, 1, __ATOMIC_RELEASE);
	if (own)
		own(point);
	for (i = 0; i < STOPS; i++) {
		wanted = __atomic_load_n(&stops[i].point, __ATOMIC_ACQUIRE);
		if (wanted && strcmp(wanted, point) == 0 &&
		    __atomic_fetch_sub(&stop_skips[i], 1, __ATOMIC_RELAXED) > 0)
			return;
	}
	stop_at_point(point);
}

static inline void sleepers_at_points(void (*what)(const char *point))
{
	__atomic_store_n(&sleepers_at_point, what, __ATOMIC_RELEASE);
}

static inline void sleepers_init(void)
{
	stops_init();
	hazptr_test_point_ = sleepers_point;
}

/* The (skips + 1)-th that comes is held. */
static inline void stop_arm_after(struct stop *s, const char *point, int skips)
{
	__atomic_store_n(&stop_skips[s - stops], skips, __ATOMIC_RELAXED);
	stop_arm(s, point);
}

static inline int sleeper_waits(struct sleeper *s)
{
	return hazptr_futex_wait_bitset(
		(const uint32_t *)s->at, s->expected, s->deadline,
		s->bitset ? s->bitset : HAZPTR_FUTEX_BITSET_ANY);
}

static inline int sleeper_parks(struct sleeper *s)
{
	return hazptr_park(s->at, NULL, NULL, NULL, s->arg, s->deadline);
}

static inline void *sleeper_run(void *arg)
{
	struct sleeper *s = (struct sleeper *)arg;
	struct sched_param param;

	memset(&param, 0, sizeof(param));
	param.sched_priority = s->priority;
	if (s->policy)
		must(!pthread_setschedparam(pthread_self(), s->policy, &param));
	sleeper_self = s;
	s->result = s->call(s);
	sleeper_self = NULL;
	__atomic_store_n(&s->order,
			 __atomic_add_fetch(&sleepers_returned, 1,
					    __ATOMIC_ACQ_REL),
			 __ATOMIC_RELEASE);
	return NULL;
}

static inline bool sleeper_is_queued(const struct sleeper *s)
{
	return __atomic_load_n(&s->queued, __ATOMIC_ACQUIRE) > 0;
}

static inline int sleeper_order(const struct sleeper *s)
{
	return __atomic_load_n(&s->order, __ATOMIC_ACQUIRE);
}

/* Does not wait until it is queued. */
static inline void sleeper_begin(struct sleeper *s,
				 int (*call)(struct sleeper *s), const void *at)
{
	s->call = call;
	s->at = at;
	s->result = s->queued = s->order = 0;
	s->thread = test_start(sleeper_run, s);
}

/* All who sleep there, whichever way. */
static inline int sleepers_wake(const uint32_t *at)
{
	return hazptr_futex_wake(at, INT_MAX) + hazptr_unpark_all(at, 0);
}

static inline void sleeper_await(struct sleeper *s)
{
	must(test_eventually(sleeper_is_queued(s) || sleeper_order(s)));
}

static inline void sleeper_start(struct sleeper *s,
				 int (*call)(struct sleeper *s), const void *at)
{
	sleeper_begin(s, call, at);
	sleeper_await(s);
}

/* What its call returned; somebody has woken it, or is about to. */
static inline int sleeper_end(struct sleeper *s)
{
	must(test_eventually(sleeper_order(s)));
	test_join(s->thread);
	return s->result;
}

static inline void sleepers_start(struct sleeper *s, size_t n,
				  int (*call)(struct sleeper *s),
				  const void *at)
{
	size_t i;

	memset(s, 0, n * sizeof(*s));
	for (i = 0; i < n; i++)
		sleeper_start(&s[i], call, at);
}

/* All have returned, and this. */
static inline void sleepers_end(struct sleeper *s, size_t n, int result)
{
	size_t i;

	for (i = 0; i < n; i++)
		must(sleeper_end(&s[i]) == result);
}

static inline size_t sleepers_back(const struct sleeper *s, size_t n)
{
	size_t i, back = 0;

	for (i = 0; i < n; i++)
		back += sleeper_order(&s[i]) != 0;
	return back;
}

/* Words, and which bucket they are in */

#define POOL 4096

static uint32_t pool[POOL] TEST_UNUSED;

static inline unsigned bucket_of(const void *key, unsigned buckets)
{
	uint64_t hash = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
	unsigned bits = (unsigned)__builtin_ctz(buckets);

	return (unsigned)(hash >> 1 >> (63 - bits));
}

/* The nth word in this bucket. */
static inline uint32_t *word_in(unsigned bucket, unsigned buckets, unsigned nth)
{
	size_t i;

	for (i = 0; i < POOL; i++)
		if (bucket_of(&pool[i], buckets) == bucket && nth-- == 0)
			return &pool[i];
	must(!"a word in that bucket");
	return NULL;
}

static inline int sleepers_setup(void **state)
{
	(void)state;
	sleepers_at_points(NULL);
	memset(pool, 0, sizeof(pool));
	return hazptr_futex_hash_resize(16);
}

/* TSan lets no handler run in a thread that sleeps in a system call. */
#define skip_without_signals()                                     \
	do {                                                       \
		if (TEST_TSAN) {                                   \
			print_message("no signals to sleepers\n"); \
			skip();                                    \
		}                                                  \
	} while (0)

/* Hands that make a table of so many buckets. */
static inline void does_resize(void *arg)
{
	must(!hazptr_futex_hash_resize((unsigned)(uintptr_t)arg));
}

#endif /* HAZPTR_TESTS_UNIT_SLEEPERS_H */
