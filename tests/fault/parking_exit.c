/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/parking_exit.c - the process ends, and threads sleep
 *
 * Nothing of the table is destroyed at exit: detached threads sleep on, or wake
 * and go on, until there is no process any more; and no table is lost to a leak
 * checker. Threads that end leave nothing in it either.
 */
#define _GNU_SOURCE
#undef HAZPTR_DEBUG /* a thread tries what it holds, and gives up */
#include "parking.h"

#include <errno.h>
#include <limits.h>

#define KINDS 8
#define EACH 3

static uint32_t word, other, key;
static struct hazptr_mutex mutex, cond_mutex;
static struct hazptr_cond cond;
static struct hazptr_sem sem;
static struct hazptr_rwlock rwlock;
static int asleep;

static void count_me(void)
{
	__atomic_fetch_add(&asleep, 1, __ATOMIC_ACQ_REL);
}

static void *sleep_for_ever(void *arg)
{
	struct hazptr_futex_waitv v[2] = { { &word, 0 }, { &other, 0 } };

	count_me();
	for (;;) {
		struct timespec t = parking_deadline(2);

		switch ((intptr_t)arg % KINDS) {
		case 0:
			hazptr_futex_wait(&word, 0, NULL);
			break;
		case 1:
			hazptr_futex_waitv(v, 2, NULL);
			break;
		case 2:
			hazptr_park(&key, NULL, NULL, NULL, NULL, NULL);
			break;
		case 3:
			hazptr_mutex_lock(&mutex);
			break;
		case 4:
			hazptr_mutex_lock(&cond_mutex);
			hazptr_cond_wait(&cond, &cond_mutex);
			hazptr_mutex_unlock(&cond_mutex);
			break;
		case 5:
			hazptr_sem_wait(&sem);
			break;
		case 6:
			hazptr_rwlock_rdlock(&rwlock);
			break;
		default:
			hazptr_futex_wait(&other, 0, &t);
		}
	}
	return NULL;
}

static void *disturb_for_ever(void *unused)
{
	unsigned turn;

	(void)unused;
	for (turn = 0;; turn++) {
		CHECK_EQ(hazptr_futex_hash_resize(16u << turn % 5), 0);
		hazptr_futex_wake(&word, 1);
		hazptr_futex_requeue(&other, 1, 1, &word);
		hazptr_cond_signal(&cond);
		hazptr_unpark_all(&key, 0);
	}
	return NULL;
}

/* Sleepers of each kind, in a table that was replaced under them. */
static void start_sleepers(void)
{
	intptr_t i;

	hazptr_mutex_lock(&mutex);
	hazptr_rwlock_wrlock(&rwlock);
	for (i = 0; i < KINDS * EACH; i++)
		pthread_detach(spawn(sleep_for_ever, (void *)i));
	CHECK(wait_for(&asleep, KINDS * EACH, 60));
	nap_ms(20);
	CHECK_EQ(hazptr_futex_hash_resize(1024), 0);
	CHECK_EQ(hazptr_futex_hash_resize(32), 0);
}

static void main_returns_while_threads_sleep(void)
{
	start_sleepers();
	hazptr_barrier(NULL);
	CHECK_EQ(domain_stats(NULL).pending, 0);
}

static void main_returns_while_all_goes_on(void)
{
	start_sleepers();
	pthread_detach(spawn(disturb_for_ever, NULL));
	nap_ms(50);
}

static void *call_exit(void *unused)
{
	(void)unused;
	exit(0);
}

static void thread_calls_exit(void)
{
	start_sleepers();
	pthread_detach(spawn(disturb_for_ever, NULL));
	nap_ms(10);
	spawn(call_exit, NULL);
	for (;;)
		hazptr_futex_wait(&key, 0, NULL); /* the main thread, too */
}

static void thread_calls_quick_exit(void)
{
	start_sleepers();
	pthread_detach(spawn(disturb_for_ever, NULL));
	nap_ms(10);
	quick_exit(0);
}

static void use_at_exit(void)
{
	struct timespec t = parking_deadline(2);

	CHECK_EQ(hazptr_futex_hash_resize(256), 0);
	CHECK_EQ(hazptr_futex_wait(&key, 0, &t), -ETIMEDOUT);
	CHECK(hazptr_futex_wake(&word, INT_MAX) >= 1);
	hazptr_mutex_unlock(&mutex); /* somebody gets it */
	hazptr_sem_post(&sem);
	nap_ms(5);
	parking_use(true);
	_Exit(42);
}

static void table_used_in_an_exit_handler(void)
{
	atexit(use_at_exit);
	start_sleepers();
}

static void *wait_and_end(void *unused)
{
	struct timespec t = parking_deadline(1);

	(void)unused;
	hazptr_futex_wait(&word, 0, &t);
	hazptr_futex_hash_resize(64);
	hazptr_futex_wake(&word, 1);
	return NULL;
}

/* A thread's end while others resize, many times over. */
static void threads_end_while_others_resize(void)
{
	pthread_t threads[8];
	unsigned i, n;

	pthread_detach(spawn(disturb_for_ever, NULL));
	for (n = fault_scaled(100); n; n--) {
		for (i = 0; i < 8; i++)
			threads[i] = spawn(wait_and_end, NULL);
		for (i = 0; i < 8; i++)
			join(threads[i]);
	}
}

static void child_exits_with_what_it_took_over(void)
{
	pid_t child;

	fault_needs_threads_after_fork();
	start_sleepers();
	child = fault_fork();
	if (!child) {
		CHECK_EQ(hazptr_futex_hash_resize(64), 0);
		hazptr_barrier(NULL);
		exit(0);
	}
	CHECK(child_ok(child));
}

#define IN_BOTH_POLICIES(run)                                      \
	{ #run "_by_guard", run, .prepare = parking_by_guard },    \
	{                                                          \
#run "_by_count", run, .prepare = parking_by_count \
	}

static const struct fault_case cases[] = {
	IN_BOTH_POLICIES(main_returns_while_threads_sleep),
	IN_BOTH_POLICIES(main_returns_while_all_goes_on),
	IN_BOTH_POLICIES(thread_calls_exit),
	IN_BOTH_POLICIES(thread_calls_quick_exit),
	{ "table_used_in_an_exit_handler", table_used_in_an_exit_handler,
	  .fences = FENCE_DEFAULT, .status = 42 },
	IN_BOTH_POLICIES(threads_end_while_others_resize),
	IN_BOTH_POLICIES(child_exits_with_what_it_took_over),
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
