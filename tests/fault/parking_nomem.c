/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/parking_nomem.c - no memory for another table
 *
 * The linker puts our allocator between the library and libc. A resize, or the
 * growth in front of a sleep, that gets none leaves the old table in service:
 * whoever sleeps there is woken there, and whoever comes finds it.
 */
#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>

#define SLEEPERS 40
#define GROWN 100 /* threads, for which 16 buckets are too few */
#define STORM_THREADS 4
#define RAN_WITHOUT_FAILURE 42

static int asked; /* how often the library has asked */
static int fail_from, fail_upto;
static int refusals;

static bool refused(void)
{
	int n = __atomic_add_fetch(&asked, 1, __ATOMIC_ACQ_REL);

	if (n < __atomic_load_n(&fail_from, __ATOMIC_RELAXED) ||
	    n > __atomic_load_n(&fail_upto, __ATOMIC_RELAXED))
		return false;
	__atomic_fetch_add(&refusals, 1, __ATOMIC_ACQ_REL);
	errno = ENOMEM;
	return true;
}

void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return refused() ? NULL : __real_aligned_alloc(alignment, size);
}

static void memory(bool there)
{
	__atomic_store_n(&fail_from, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&fail_upto, there ? 0 : INT_MAX, __ATOMIC_RELEASE);
}

/* Sleepers, and resizes that fail while they sleep. */

static struct sleeper {
	pthread_t thread;
	uint32_t word;
	int up;
	int result;
} sleepers[GROWN];

static void *sleep_once(void *arg)
{
	struct sleeper *s = arg;

	do
		s->result = hazptr_futex_wait(&s->word, 0, NULL);
	while (!s->result && !__atomic_load_n(&s->word, __ATOMIC_ACQUIRE));
	__atomic_store_n(&s->up, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void start_sleepers(int n)
{
	int i;

	memset(sleepers, 0, sizeof(sleepers));
	for (i = 0; i < n; i++)
		sleepers[i].thread = spawn(sleep_once, &sleepers[i]);
}

/* Until a wake finds it, so that it was asleep; it sleeps again. */
static void await_asleep(struct sleeper *s)
{
	double end = now() + 60;

	while (!hazptr_futex_wake(&s->word, 1)) {
		CHECK(now() < end);
		nap_ms(1);
	}
}

/* One wake each, after the word has changed. */
static void wake_sleepers(int from, int to)
{
	int i;

	for (i = from; i < to; i++) {
		__atomic_store_n(&sleepers[i].word, 1, __ATOMIC_RELEASE);
		hazptr_futex_wake(&sleepers[i].word, 1);
	}
	for (i = from; i < to; i++)
		CHECK(wait_for(&sleepers[i].up, 1, 60));
	for (i = from; i < to; i++)
		join(sleepers[i].thread);
}

static void fail_to_resize(unsigned buckets)
{
	static const unsigned sizes[] = { 0, 1, 16, 64, 1024, 1u << 20 };
	unsigned i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CHECK_EQ(hazptr_futex_hash_resize(sizes[i]), -ENOMEM);
		CHECK_EQ(hazptr_futex_hash_buckets(), buckets);
	}
}

static void resizes_fail_while_threads_sleep(void)
{
	int i;

	CHECK_EQ(hazptr_futex_hash_resize(32), 0);
	start_sleepers(SLEEPERS);
	for (i = 0; i < SLEEPERS; i++)
		await_asleep(&sleepers[i]);
	memory(false);
	fail_to_resize(32);
	wake_sleepers(0, SLEEPERS / 2);
	fail_to_resize(32);
	CHECK(refusals >= 12);
	memory(true);
	CHECK_EQ(hazptr_futex_hash_resize(128), 0);
	memory(false);
	fail_to_resize(128);
	wake_sleepers(SLEEPERS / 2, SLEEPERS);
	parking_use(false);
	memory(true);
	parking_use(true);
	hazptr_barrier(NULL);
	CHECK_EQ(domain_stats(NULL).pending, 0);
}

/* What threads ask for in front of their sleep. */
static void growth_fails(void)
{
	int i;

	/* Threads that could not be known are not counted, so: later. */
	start_sleepers(1);
	await_asleep(&sleepers[0]);
	wake_sleepers(0, 1);
	CHECK_EQ(hazptr_futex_hash_buckets(), 16);
	memory(false);
	start_sleepers(GROWN);
	for (i = 0; i < GROWN; i++)
		await_asleep(&sleepers[i]);
	CHECK_EQ(hazptr_futex_hash_buckets(), 16);
	fail_to_resize(16);
	wake_sleepers(0, GROWN / 2);
	memory(true);
	CHECK_EQ(hazptr_futex_hash_resize(0), 0);
	wake_sleepers(GROWN / 2, GROWN);
	start_sleepers(GROWN);
	for (i = 0; i < GROWN; i++)
		await_asleep(&sleepers[i]);
	CHECK(hazptr_futex_hash_buckets() >= 256);
	wake_sleepers(0, GROWN);
	hazptr_barrier(NULL);
	CHECK_EQ(domain_stats(NULL).pending, 0);
}

/* Turns are handed on while resizes succeed and fail by turns. */

static uint32_t turn;
static int laps;
static unsigned rounds;

static void *take_turns(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg, t;
	unsigned n;

	for (n = rounds; n; n--) {
		while ((t = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != me)
			hazptr_futex_wait(&turn, t, NULL);
		__atomic_store_n(&turn, (me + 1) % STORM_THREADS,
				 __ATOMIC_RELEASE);
		hazptr_futex_wake(&turn, INT_MAX);
	}
	__atomic_fetch_add(&laps, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

static void every_other_resize_fails(void)
{
	pthread_t threads[STORM_THREADS];
	double end = now() + 60;
	unsigned i, size = 16, done = 0, failed = 0;

	rounds = fault_scaled(5000);
	CHECK_EQ(hazptr_futex_hash_resize(16), 0);
	for (i = 0; i < STORM_THREADS; i++)
		threads[i] = spawn(take_turns, (void *)(uintptr_t)i);
	for (i = 0; __atomic_load_n(&laps, __ATOMIC_ACQUIRE) < STORM_THREADS ||
		    failed < 10;
	     i++) {
		CHECK(now() < end);
		memory(i & 1);
		if (hazptr_futex_hash_resize(16u << i / 2 % 7)) {
			failed++;
		} else {
			done++;
			size = 16u << i / 2 % 7;
		}
		CHECK_EQ(hazptr_futex_hash_buckets(), size);
	}
	memory(true);
	for (i = 0; i < STORM_THREADS; i++)
		join(threads[i]);
	fprintf(stderr, "%u resizes, %u failed\n", done, failed);
	CHECK(done);
	hazptr_barrier(NULL);
	CHECK_EQ(domain_stats(NULL).pending, 0);
}

/* Everything, while the n-th allocation fails, and perhaps all that follow. */

static bool use_with_failures(int from, int upto)
{
	int status;
	pid_t child = fault_fork();

	CHECK(child >= 0);
	if (!child) {
		fail_from = from;
		fail_upto = upto;
		parking_use(false);
		if (!refusals)
			_exit(RAN_WITHOUT_FAILURE);
		memory(true);
		parking_use(true);
		hazptr_barrier(NULL);
		CHECK_EQ(domain_stats(NULL).pending, 0);
		exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK(!WEXITSTATUS(status) ||
	      WEXITSTATUS(status) == RAN_WITHOUT_FAILURE);
	return !WEXITSTATUS(status);
}

static void run_up(bool alone)
{
	int n = 1, stride = fault_is_sanitized() ? 3 : 1;

	/* Growth and resizes in a loop ask as often as they like. */
	for (; n < 16 && use_with_failures(n, alone ? n : INT_MAX); n += stride)
		;
	CHECK(n > 5);
}

static void each_allocation_fails_alone(void)
{
	run_up(true);
}

static void each_allocation_fails_with_all_that_follow(void)
{
	run_up(false);
}

#define IN_EACH_POLICY(run)                                             \
	{ #run "_by_guard", run, .prepare = parking_by_guard },         \
		{ #run "_by_count", run, .prepare = parking_by_count }, \
	{                                                               \
#run "_asymmetric", run, .prepare = parking_asymmetric  \
	}

static const struct fault_case cases[] = {
	IN_EACH_POLICY(resizes_fail_while_threads_sleep),
	IN_EACH_POLICY(growth_fails),
	IN_EACH_POLICY(every_other_resize_fails),
	{ "each_allocation_fails_alone", each_allocation_fails_alone,
	  .prepare = parking_by_guard },
	{ "each_allocation_fails_with_all_that_follow",
	  each_allocation_fails_with_all_that_follow,
	  .prepare = parking_by_count },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
