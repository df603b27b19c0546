/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/locks.h - what the tests of locks share
 *
 * Words: a *kind* is a lock seen as four functions, so that one test serves
 * the mutex, both sides of the rwlock, and a semaphore of one permit. A *user*
 * is a hand that comes in when it is told to, and leaves when it is told to. A
 * *mover* replaces the table of waiters every millisecond. The *tally* counts
 * how often threads came by points of the library.
 */
#ifndef HAZPTR_TESTS_UNIT_LOCKS_H
#define HAZPTR_TESTS_UNIT_LOCKS_H

#include "nodes.h"

#include <hazptr/cond.h>
#include <hazptr/futex.h>
#include <hazptr/mutex.h>
#include <hazptr/rwlock.h>
#include <hazptr/sem.h>

/* The tally */

static long tally_queued TEST_UNUSED; /* threads that began to sleep */
static long tally_taken TEST_UNUSED;  /* threads that were woken */
static __thread long tally_taken_here TEST_UNUSED; /* by this thread */

/* What else is to happen at a point; in the thread that comes by. */
static void (*at_point)(const char *point) TEST_UNUSED;

static inline void locks_at_point(const char *point)
{
	void (*also)(const char *) =
		__atomic_load_n(&at_point, __ATOMIC_ACQUIRE);

	if (!strcmp(point, "park:queued"))
		__atomic_fetch_add(&tally_queued, 1, __ATOMIC_ACQ_REL);
	if (!strcmp(point, "wake:taken")) {
		tally_taken_here++;
		__atomic_fetch_add(&tally_taken, 1, __ATOMIC_ACQ_REL);
	}
	if (also)
		also(point);
	stop_at_point(point);
}

/* NULL: nothing any more. */
static inline void at_points_do(void (*what)(const char *point))
{
	__atomic_store_n(&at_point, what, __ATOMIC_RELEASE);
}

static inline void locks_init(void)
{
	stops_init();
	hazptr_test_point_ = locks_at_point;
}

static inline long tally(const long *count)
{
	return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

/* So many more than before are in a queue, or have been. */
static inline void wait_queued(long before, long n)
{
	must(test_eventually(tally(&tally_queued) >= before + n));
}

/* Flags of other threads */

static inline void flag_set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

static inline bool flag_is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline struct timespec time_of(time_t s, long ns)
{
	struct timespec t;

	t.tv_sec = s;
	t.tv_nsec = ns;
	return t;
}

static inline const struct timespec *bad_times(size_t i)
{
	static struct timespec bad[3];

	bad[0] = time_of(1, -1);
	bad[1] = time_of(1, 1000000000);
	bad[2] = time_of(0, 2000000000);
	return i < TEST_COUNT(bad) ? &bad[i] : NULL;
}

/* Kinds */

struct kind {
	void (*init)(void *lock);
	void (*hold)(void *lock); /* keeps those out who enter */
	int (*enter_until)(void *lock, const struct timespec *deadline);
	bool (*try_enter)(void *lock);
	void (*leave)(void *lock);
	bool (*is_free)(const void *lock); /* as after init */
	bool (*is_held)(const void *lock); /* once, and nobody waits */
	bool is_shared;			   /* many may enter */
};

#define LOCK_SIZE 16 /* more than any has */

union any_lock {
	char bytes[LOCK_SIZE];
	uint64_t aligned;
};

static inline const struct kind *kind_of(void **state)
{
	return (const struct kind *)*state;
}

/* Users */

struct user {
	struct hand hand;
	const struct kind *kind;
	void *lock;
	const struct timespec *deadline;
	int result;
	int is_in;
};

static inline void user_enters(void *arg)
{
	struct user *u = (struct user *)arg;

	u->result = u->kind->enter_until(u->lock, u->deadline);
	if (!u->result)
		flag_set(&u->is_in);
}

static inline void user_holds(void *arg)
{
	struct user *u = (struct user *)arg;

	u->kind->hold(u->lock);
}

static inline void user_leaves(void *arg)
{
	struct user *u = (struct user *)arg;

	u->kind->leave(u->lock);
}

static inline void user_start(struct user *u, const struct kind *kind,
			      void *lock)
{
	memset(u, 0, sizeof(*u));
	u->kind = kind;
	u->lock = lock;
	hand_start(&u->hand);
}

/* Returns when the user is in the lock's queue. */
static inline void user_waits(struct user *u, const struct timespec *deadline)
{
	long before = tally(&tally_queued);

	u->deadline = deadline;
	u->is_in = 0;
	hand_begin(&u->hand, user_enters, u);
	wait_queued(before, 1);
}

static inline int user_result(struct user *u)
{
	hand_end(&u->hand);
	return u->result;
}

static inline void user_ends(struct user *u)
{
	hand_do(&u->hand, user_leaves, u);
}

static inline void user_stop(struct user *u)
{
	hand_stop(&u->hand);
}

/* Waiters: hands that wait once at a condition variable. */

struct waiter {
	struct hand hand;
	struct hazptr_cond *cond;
	struct hazptr_mutex *mutex;
	const struct timespec *deadline;
	int result;
	int is_back; /* set with the mutex held */
};

static inline void waiter_run(void *arg)
{
	struct waiter *w = (struct waiter *)arg;

	hazptr_mutex_lock(w->mutex);
	w->result = hazptr_cond_wait_until(w->cond, w->mutex, w->deadline);
	must(!hazptr_mutex_trylock(w->mutex));
	flag_set(&w->is_back);
	hazptr_mutex_unlock(w->mutex);
}

static inline void waiter_start(struct waiter *w, struct hazptr_cond *c,
				struct hazptr_mutex *m,
				const struct timespec *deadline)
{
	memset(w, 0, sizeof(*w));
	w->cond = c;
	w->mutex = m;
	w->deadline = deadline;
	hand_start(&w->hand);
}

/* Returns when it waits, and the mutex is free. */
static inline void waiter_waits(struct waiter *w)
{
	long before = tally(&tally_queued);

	w->is_back = 0;
	hand_begin(&w->hand, waiter_run, w);
	wait_queued(before, 1);
	hazptr_mutex_lock(w->mutex);
	hazptr_mutex_unlock(w->mutex);
}

static inline int waiter_result(struct waiter *w)
{
	hand_end(&w->hand);
	return w->result;
}

static inline void waiter_stop(struct waiter *w)
{
	hand_stop(&w->hand);
}

/* Movers */

struct mover {
	pthread_t thread;
	int stop;
};

static inline void *mover_run(void *arg)
{
	struct mover *m = (struct mover *)arg;
	unsigned i;

	for (i = 0; !flag_is_set(&m->stop); i++) {
		must(!hazptr_futex_hash_resize(i % 2 ? 2u : 256u));
		test_sleep_ms(1);
	}
	must(!hazptr_futex_hash_resize(0));
	return NULL;
}

static inline void mover_start(struct mover *m)
{
	m->stop = 0;
	m->thread = test_start(mover_run, m);
}

static inline void mover_stop(struct mover *m)
{
	flag_set(&m->stop);
	test_join(m->thread);
}

/* Handlers */

static inline void handle(int number, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	must(!sigaction(number, &action, NULL));
}

static inline void handler_that_does_nothing(int number)
{
	(void)number;
}

/* Forks: what a child does returns true when all is well. */

static inline bool fine_in_a_child(bool (*run)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		alarm(20);
		_exit(run(arg) ? 0 : 1);
	}
	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

#endif /* HAZPTR_TESTS_UNIT_LOCKS_H */
