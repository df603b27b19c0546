/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/parking_fork.c - fork in the middle of waits, wakes and resizes
 *
 * The child has one thread and that one does not sleep: its table is empty, and
 * what others were in the middle of, with a bucket's lock or the table's in
 * hand, does not hold it up. What the thread that forked had locked it unlocks.
 */
#undef HAZPTR_DEBUG /* a thread tries what it holds, and gives up */
#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define CHILD_SECONDS 60u
#define SLEEPERS 6
#define GENERATIONS 4

static uint32_t stop, word, other, flag;
static struct hazptr_mutex mutex, held;
static struct hazptr_rwlock rwlock, read_held, write_held;
static struct hazptr_sem sem;
static struct hazptr_cond cond;
static struct hazptr_mutex cond_mutex;
static int asleep;

static bool is_over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void needs_fork_with_threads(void)
{
	fault_needs_threads_after_fork();
	if (fault_is_asan())
		fault_skip("the sanitizer's own allocator does not survive "
			   "a fork while other threads allocate");
}

/* Nothing is there, and all of it works. */
_Noreturn static void be_child(void)
{
	alarm(fault_is_sanitized() ? 5 * CHILD_SECONDS : CHILD_SECONDS);
	CHECK_EQ(hazptr_futex_wake(&word, INT_MAX), 0);
	CHECK_EQ(hazptr_futex_wake(&other, INT_MAX), 0);
	CHECK_EQ(hazptr_unpark_all(&flag, 0), 0);
	parking_use(true);
	hazptr_barrier(NULL);
	CHECK_EQ(domain_stats(NULL).pending, 0);
	_exit(0);
}

/* Sleeps at `word` and at the mutex, again and again. */
static void *sleep_at_both(void *unused)
{
	struct timespec t;

	(void)unused;
	while (!is_over()) {
		t = parking_deadline(50); /* a wake may come before it */
		hazptr_futex_wait(&word, 0, &t);
		hazptr_mutex_lock(&mutex);
		hazptr_mutex_unlock(&mutex);
	}
	return NULL;
}

/* Until the other one sleeps at the mutex, or the fork is over anyway. */
static void unlock_contended(void)
{
	int i;

	hazptr_mutex_lock(&mutex);
	for (i = 0;
	     i < 200 && !(__atomic_load_n(&mutex.word, __ATOMIC_RELAXED) &
			  HAZPTR_MUTEX_PARKED_);
	     i++) {
		hazptr_futex_wake(&word, 1);
		nap_ms(1);
	}
	hazptr_mutex_unlock(&mutex);
}

/* Comes past every point there is, unless it is in luck. */
static void *pass_all_points(void *done)
{
	struct hazptr_futex_waitv v[2] = { { &other, 0 }, { &flag, 0 } };
	struct timespec t;
	unsigned turn;

	gate_me = true;
	for (turn = 0; !is_over(); turn++) {
		hazptr_futex_hash_resize(turn & 1 ? 16 : 64);
		t = parking_deadline(1);
		hazptr_futex_wait(&other, 0, &t);
		hazptr_futex_waitv(v, 2, &t);
		hazptr_park(&other, NULL, NULL, NULL, NULL, &t);
		hazptr_futex_wake(&word, 1);
		hazptr_futex_requeue(&word, 1, 1, &other);
		hazptr_futex_wake(&other, INT_MAX);
		unlock_contended();
		hazptr_sem_post(&sem);
	}
	__atomic_store_n((int *)done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *open_later(void *unused)
{
	(void)unused;
	nap_ms(20);
	gate_open();
	return NULL;
}

static void fork_at(const char *point)
{
	pthread_t sleeper, stopped, opener;
	int done = 0;
	pid_t child;

	stop = 0;
	gate_arm(point);
	sleeper = spawn(sleep_at_both, NULL);
	stopped = spawn(pass_all_points, &done);
	gate_wait();
	opener = spawn(open_later, NULL);
	fflush(NULL);
	child = fork();
	if (!child)
		be_child();
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	join(opener);
	join(stopped);
	join(sleeper);
	CHECK(done);
	CHECK(child_ok(child));
}

static void fork_with_a_thread_at_each_point(void)
{
	static const char *const points[] = {
		"table:published", "move:moved",    "table:moved",
		"table:found",	   "wait:counted",  "wait:queued",
		"waitv:queued",	   "park:locked",   "park:queued",
		"unqueue:guarded", "wake:table",    "wake:taken",
		"wake:awake",	   "wake:released", "mutex:passing",
		"sem:posted",
	};
	const char *futex = getenv("HAZPTR_FUTEX");
	unsigned i;

	needs_fork_with_threads();
	for (i = 0; i < sizeof(points) / sizeof(*points); i++)
		fork_at(points[i]);
	parking_use(true); /* the parent has lost nothing */
	if (!futex || strcmp(futex, "count") != 0)
		return;
	fork_at("count:put");
	fork_at("count:died");
}

/* Sleepers of each kind, and what they wait for is never given. */

static bool count_me(void *unused)
{
	(void)unused;
	__atomic_fetch_add(&asleep, 1, __ATOMIC_ACQ_REL);
	return true;
}

static void *sleep_in(void *arg)
{
	struct hazptr_futex_waitv v[2] = { { &word, 0 }, { &other, 0 } };

	if ((intptr_t)arg)
		count_me(NULL);
	switch ((intptr_t)arg) {
	case 0:
		hazptr_park(&flag, count_me, NULL, NULL, NULL, NULL);
		break;
	case 1:
		hazptr_futex_wait(&word, 0, NULL);
		break;
	case 2:
		hazptr_futex_waitv(v, 2, NULL);
		break;
	case 3:
		hazptr_mutex_lock(&held);
		hazptr_mutex_unlock(&held);
		break;
	case 4:
		hazptr_rwlock_rdlock(&write_held);
		hazptr_rwlock_unlock(&write_held);
		break;
	default:
		hazptr_rwlock_wrlock(&read_held);
		hazptr_rwlock_unlock(&read_held);
	}
	return NULL;
}

static void unlock_all(void)
{
	hazptr_mutex_unlock(&held);
	hazptr_rwlock_unlock(&write_held);
	hazptr_rwlock_unlock(&read_held);
}

static void lock_all(void)
{
	hazptr_mutex_lock(&held);
	hazptr_rwlock_wrlock(&write_held);
	hazptr_rwlock_rdlock(&read_held);
}

/* The locks that this thread holds show that others wait. They do not. */
static void use_what_was_held(void)
{
	struct timespec t = parking_deadline(1);

	CHECK_EQ(hazptr_mutex_lock_until(&held, &t), -ETIMEDOUT);
	CHECK_EQ(hazptr_rwlock_rdlock_until(&write_held, &t), -ETIMEDOUT);
	CHECK_EQ(hazptr_rwlock_wrlock_until(&read_held, &t), -ETIMEDOUT);
	unlock_all();
	CHECK_EQ(held.word | write_held.word | read_held.word, 0);
	lock_all();
	unlock_all();
	CHECK_EQ(held.word | write_held.word | read_held.word, 0);
}

/* Children of children, each with tables of its own. */
_Noreturn static void be_descendant(void)
{
	unsigned left = GENERATIONS;
	pid_t child = 0;

	for (; left && !child; left--) {
		alarm(fault_is_sanitized() ? 5 * CHILD_SECONDS : CHILD_SECONDS);
		CHECK_EQ(hazptr_futex_hash_buckets(), 16);
		CHECK_EQ(hazptr_futex_hash_resize(1024), 0);
		child = fault_fork();
	}
	if (child)
		CHECK(child_ok(child));
	use_what_was_held();
	CHECK_EQ(hazptr_futex_hash_resize(16), 0);
	parking_use(true);
	hazptr_barrier(NULL);
	CHECK_EQ(domain_stats(NULL).pending, 0);
	exit(0);
}

static bool all_marked(void)
{
	return held.word & write_held.word & read_held.word & 2;
}

static void children_of_a_process_that_sleeps(void)
{
	pthread_t threads[SLEEPERS];
	intptr_t i;
	int round;

	fault_needs_threads_after_fork();
	asleep = 0;
	lock_all();
	for (i = 0; i < SLEEPERS; i++)
		threads[i] = spawn(sleep_in, (void *)i);
	CHECK(wait_for(&asleep, SLEEPERS, 60));
	while (!all_marked())
		nap_ms(1);
	nap_ms(20); /* the others sleep, in all likelihood */
	for (round = 0; round < 3; round++) {
		pid_t child;

		CHECK_EQ(hazptr_futex_hash_resize(round & 1 ? 16 : 256), 0);
		child = fault_fork();
		if (!child)
			be_descendant();
		CHECK(child_ok(child));
	}
	__atomic_store_n(&word, 1, __ATOMIC_RELEASE);
	hazptr_futex_wake(&word, INT_MAX);
	CHECK_EQ(hazptr_unpark_all(&flag, 0), 1);
	unlock_all();
	for (i = 0; i < SLEEPERS; i++)
		join(threads[i]);
	word = 0;
}

/* All at once, flat out. */

static void *resize_flat_out(void *unused)
{
	unsigned turn;

	(void)unused;
	for (turn = 0; !is_over(); turn++)
		CHECK_EQ(hazptr_futex_hash_resize(16u << turn % 6), 0);
	return NULL;
}

static void *wake_flat_out(void *unused)
{
	unsigned turn;

	(void)unused;
	for (turn = 0; !is_over(); turn++) {
		hazptr_futex_wake(turn & 1 ? &word : &other, 1);
		hazptr_futex_requeue(&word, 1, 1, &other);
		hazptr_cond_broadcast(&cond);
		hazptr_sem_post(&sem);
	}
	return NULL;
}

static void *wait_flat_out(void *unused)
{
	struct hazptr_futex_waitv v[2] = { { &other, 0 }, { &word, 0 } };
	struct timespec t;

	(void)unused;
	while (!is_over()) {
		t = parking_deadline(1);
		hazptr_futex_wait(&word, 0, &t);
		hazptr_futex_waitv(v, 2, &t);
		hazptr_sem_wait_until(&sem, &t);
		hazptr_mutex_lock(&cond_mutex);
		hazptr_cond_wait_until(&cond, &cond_mutex, &t);
		hazptr_mutex_unlock(&cond_mutex);
		hazptr_rwlock_wrlock(&rwlock);
		hazptr_rwlock_unlock(&rwlock);
	}
	return NULL;
}

static void fork_while_all_run_flat_out(void)
{
	static void *(*const work[])(void *) = {
		resize_flat_out, wake_flat_out, wait_flat_out,
		wait_flat_out,	 wait_flat_out,
	};
	pthread_t threads[5];
	unsigned i, n;
	pid_t child;

	needs_fork_with_threads();
	hazptr_futex_wake(&word, 0); /* not its first use at the same time */
	stop = 0;
	for (i = 0; i < 5; i++)
		threads[i] = spawn(work[i], NULL);
	for (n = fault_scaled(12); n; n--) {
		hazptr_mutex_lock(&held);
		child = fork();
		if (!child) {
			hazptr_mutex_unlock(&held);
			be_child();
		}
		hazptr_mutex_unlock(&held);
		CHECK(child_ok(child));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 5; i++)
		join(threads[i]);
	parking_use(true);
	hazptr_barrier(NULL);
	CHECK_EQ(domain_stats(NULL).pending, 0);
}

#define IN_EACH_POLICY(run)                                             \
	{ #run "_by_guard", run, .prepare = parking_by_guard,           \
	  .seconds = 200 },                                             \
		{ #run "_by_count", run, .prepare = parking_by_count,   \
		  .seconds = 200 },                                     \
	{                                                               \
#run "_asymmetric", run, .prepare = parking_asymmetric, \
					 .seconds = 200                 \
	}

static const struct fault_case cases[] = {
	IN_EACH_POLICY(fork_with_a_thread_at_each_point),
	IN_EACH_POLICY(children_of_a_process_that_sleeps),
	IN_EACH_POLICY(fork_while_all_run_flat_out),
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
