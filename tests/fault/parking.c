/* SPDX-License-Identifier: MIT */
/* tests/fault/parking.c - what the tests of the futex hash share */
#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <time.h>

#define THREADS 3
#define LOOPS 50
#define PATIENCE_S 60

static struct scene {
	uint32_t word, from, to, one_of[2], key, second;
	struct hazptr_mutex mutex;
	struct hazptr_cond cond;
	struct hazptr_sem sem;
	struct hazptr_rwlock rwlock;
	int passed, inside;
	int sum, sum_read;
	bool go;
} s;

struct timespec parking_deadline(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static bool choose_policy(const char *futex, const char *wake)
{
	return !setenv("HAZPTR_FUTEX", futex, 1) &&
	       !setenv("HAZPTR_FUTEX_WAKE", wake, 1);
}

bool parking_by_guard(void)
{
	return choose_policy("guard", "fence");
}

bool parking_by_count(void)
{
	return choose_policy("count", "fence");
}

bool parking_asymmetric(void)
{
	return choose_policy("guard", "asymmetric");
}

bool parking_by_count_asymmetric(void)
{
	return choose_policy("count", "asymmetric");
}

static bool is_zero(const uint32_t *word)
{
	return !__atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool key_is_zero(void *word)
{
	return is_zero(word);
}

static void set(uint32_t *word)
{
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
}

static void pass(void)
{
	__atomic_fetch_add(&s.passed, 1, __ATOMIC_ACQ_REL);
}

static void wait_while_zero(uint32_t *word)
{
	int result;

	while (is_zero(word)) {
		result = hazptr_futex_wait(word, 0, NULL);
		CHECK(!result || result == -EAGAIN);
	}
	CHECK_EQ(hazptr_futex_wait(word, 0, NULL), -EAGAIN);
	pass();
}

static void wait_for_several(void)
{
	struct hazptr_futex_waitv v[2] = { { &s.one_of[0], 0 },
					   { &s.one_of[1], 0 } };
	int result;

	while (is_zero(&s.one_of[1])) {
		result = hazptr_futex_waitv(v, 2, NULL);
		CHECK(result == 1 || result == -EAGAIN);
	}
	pass();
}

static void park(void)
{
	int result = 0;

	while (is_zero(&s.key)) {
		result = hazptr_park(&s.key, key_is_zero, NULL, NULL, &s.key,
				     NULL);
		CHECK(result == 7 || result == -EAGAIN);
	}
	pass();
}

static void time_out(void)
{
	struct timespec t = parking_deadline(2);
	struct hazptr_futex_waitv v[2] = { { &s.second, 0 }, { &s.second, 0 } };

	CHECK_EQ(hazptr_futex_wait(&s.second, 0, &t), -ETIMEDOUT);
	CHECK_EQ(hazptr_futex_waitv(v, 2, &t), -ETIMEDOUT);
	CHECK_EQ(hazptr_park(&s.second, NULL, NULL, NULL, NULL, &t),
		 -ETIMEDOUT);
}

static void use_locks(void)
{
	struct timespec t;
	int i;

	for (i = 0; i < LOOPS; i++) {
		hazptr_mutex_lock(&s.mutex);
		s.sum++;
		if (i % 16 == 0)
			nap_ms(1); /* the others must sleep */
		hazptr_mutex_unlock(&s.mutex);
		hazptr_sem_wait(&s.sem);
		CHECK(__atomic_add_fetch(&s.inside, 1, __ATOMIC_ACQ_REL) <= 2);
		__atomic_sub_fetch(&s.inside, 1, __ATOMIC_ACQ_REL);
		CHECK_EQ(hazptr_sem_post(&s.sem), 0);
		hazptr_rwlock_wrlock(&s.rwlock);
		s.sum_read++;
		hazptr_rwlock_unlock(&s.rwlock);
		hazptr_rwlock_rdlock(&s.rwlock);
		CHECK(s.sum_read > i);
		hazptr_rwlock_unlock(&s.rwlock);
	}
	hazptr_mutex_lock(&s.mutex);
	pass();
	while (!s.go)
		hazptr_cond_wait(&s.cond, &s.mutex);
	t = parking_deadline(1);
	CHECK_EQ(hazptr_cond_wait_until(&s.cond, &s.mutex, &t), -ETIMEDOUT);
	hazptr_mutex_unlock(&s.mutex);
}

static void *take_part(void *unused)
{
	(void)unused;
	wait_while_zero(&s.word);
	wait_while_zero(&s.from);
	wait_for_several();
	park();
	time_out();
	use_locks();
	return NULL;
}

static void resize(unsigned buckets, bool memory)
{
	int result = hazptr_futex_hash_resize(buckets);

	if (memory || result != -ENOMEM)
		CHECK_EQ(result, 0);
	if (memory && buckets)
		CHECK_EQ(hazptr_futex_hash_buckets(), buckets);
}

static void await_passed(int n)
{
	CHECK(wait_for(&s.passed, n * THREADS, PATIENCE_S));
}

/* The words were changed: one wake for each word is enough. */
static void lead(bool memory)
{
	uint32_t op = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);
	double end = now() + PATIENCE_S;

	nap_ms(2); /* most of them sleep now, or not */
	resize(64, memory);
	set(&s.word);
	hazptr_futex_wake(&s.word, INT_MAX);
	await_passed(1);
	nap_ms(2);
	resize(16, memory);
	CHECK_EQ(hazptr_futex_cmp_requeue(&s.from, 5, 1, 1, &s.to), -EAGAIN);
	hazptr_futex_cmp_requeue(&s.from, 0, 0, 1, &s.to);
	set(&s.from);
	hazptr_futex_requeue(&s.from, 1, INT_MAX, &s.to);
	resize(256, memory);
	hazptr_futex_wake(&s.to, INT_MAX);
	await_passed(2);
	nap_ms(2);
	resize(32, memory);
	hazptr_futex_wake_op(&s.word, 0, &s.one_of[1], INT_MAX, op);
	await_passed(3);
	nap_ms(2);
	resize(128, memory);
	set(&s.key);
	hazptr_unpark_all(&s.key, 7);
	await_passed(4);
	while (__atomic_load_n(&s.passed, __ATOMIC_ACQUIRE) < 5 * THREADS) {
		CHECK(now() < end);
		resize(64, memory);
		resize(1024, memory);
	}
	hazptr_mutex_lock(&s.mutex);
	s.go = true;
	hazptr_cond_broadcast(&s.cond);
	hazptr_mutex_unlock(&s.mutex);
	resize(0, memory);
}

void parking_use(bool memory)
{
	pthread_t threads[THREADS];
	int i;

	memset(&s, 0, sizeof(s));
	hazptr_sem_init(&s.sem, 2);
	for (i = 0; i < THREADS; i++)
		threads[i] = spawn(take_part, NULL);
	lead(memory);
	for (i = 0; i < THREADS; i++)
		join(threads[i]);
	CHECK_EQ(s.sum, THREADS * LOOPS);
	CHECK_EQ(s.sum_read, THREADS * LOOPS);
	CHECK_EQ(hazptr_sem_value(&s.sem), 2);
	CHECK_EQ(s.mutex.word, 0);
	CHECK_EQ(s.rwlock.word, 0);
	CHECK(!s.cond.mutex);
	CHECK_EQ(hazptr_futex_wake(&s.word, INT_MAX), 0);
	CHECK_EQ(hazptr_unpark_all(&s.key, 0), 0);
}
