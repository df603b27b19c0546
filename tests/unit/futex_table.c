/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_table.c - how large the table is, and who has its memory
 */
#include "tables.h"

static uint32_t word;

static int resize(unsigned buckets)
{
	return hazptr_futex_hash_resize(buckets);
}

/* Before anything else: the first table is there, and took no memory. */
static void the_first_table(void **state)
{
	struct sleeper s;

	(void)state;
	assert_int_equal(hazptr_futex_hash_buckets(), 16);
	assert_int_equal(hazptr_futex_wake(&word, 1), 0);
	assert_int_equal(hazptr_futex_wait(&word, 1, NULL), -EAGAIN);
	assert_int_equal(tables_all(), 0);
	/* It can sleep without memory, too. */
	tables_memory(false);
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, &word);
	assert_int_equal(hazptr_futex_wake(&word, 1), 1);
	assert_int_equal(sleeper_end(&s), 0);
	tables_memory(true);
	assert_int_equal(hazptr_futex_hash_buckets(), 16);
}

static void refused(void **state)
{
	static const unsigned bad[] = { 3,	  5,	    17,
					31,	  1u << 21, (1u << 20) + 1,
					1u << 31, UINT_MAX, 0x60 };
	unsigned before = hazptr_futex_hash_buckets();
	int made = tables_all();
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(bad); i++)
		assert_int_equal(resize(bad[i]), -EINVAL);
	assert_int_equal(hazptr_futex_hash_buckets(), before);
	assert_int_equal(tables_all(), made);
}

/* Each power of two; at each, sleepers are found. */
static void every_size(void **state)
{
	struct sleeper s[4];
	unsigned bits;

	(void)state;
	for (bits = 0; bits <= 20; bits += bits < 12 ? 1 : 4) {
		assert_int_equal(resize(1u << bits), 0);
		assert_int_equal(hazptr_futex_hash_buckets(), 1u << bits);
		sleepers_start(s, 4, sleeper_waits, &pool[bits]);
		assert_int_equal(hazptr_futex_requeue(&pool[bits], 1, 2,
						      &pool[bits + 100]),
				 3);
		assert_int_equal(hazptr_futex_wake(&pool[bits + 100], 9), 2);
		assert_int_equal(hazptr_futex_wake(&pool[bits], 9), 1);
		sleepers_end(s, 4, 0);
	}
	assert_int_equal(resize(16), 0);
}

static void the_same_size(void **state)
{
	int left;

	(void)state;
	assert_int_equal(resize(64), 0);
	left = tables_left();
	assert_int_equal(resize(64), 0);
	assert_int_equal(resize(64), 0);
	assert_int_equal(tables_left(), left);
}

/* Old tables are freed; the one in use is left. */
static void old_tables_are_freed(void **state)
{
	struct sleeper s[5];
	unsigned i;

	(void)state;
	assert_int_equal(resize(32), 0);
	assert_int_equal(tables_left(), 1);
	sleepers_start(s, 5, sleeper_waits, &word);
	for (i = 0; i < 40; i++) {
		assert_int_equal(resize(i % 3 ? 16 : 1024), 0);
		hazptr_futex_wake(&pool[i], 1);
	}
	assert_int_equal(tables_left(), 1); /* sleepers keep none */
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 5);
	sleepers_end(s, 5, 0);
}

/* Sleepers are moved, in their order, and not woken for it. */

#define KEYS 24
#define EACH 3

static void moved_and_not_woken(void **state)
{
	static const unsigned sizes[] = { 64, 16, 4, 512, 2, 16, 1024, 16 };
	static struct sleeper s[EACH][KEYS];
	struct sleeper *first = &s[0][0];
	size_t i, k, r, before;

	(void)state;
	assert_int_equal(resize(16), 0);
	memset(s, 0, sizeof(s));
	for (r = 0; r < EACH; r++)
		for (k = 0; k < KEYS; k++)
			sleeper_start(&s[r][k],
				      k % 2 ? sleeper_waits : sleeper_parks,
				      &pool[k * 31]);
	before = (size_t)sleepers_returned;
	for (r = 0; r < EACH; r++) {
		for (i = 0; i < TEST_COUNT(sizes); i++)
			assert_int_equal(resize(sizes[i]), 0);
		assert_int_equal(sleepers_back(first, EACH * KEYS), r * KEYS);
		assert_int_equal(sleepers_returned, before + r * KEYS);
		/* First come, first served, after all those moves. */
		for (k = 0; k < KEYS; k++) {
			if (k % 2)
				assert_int_equal(
					hazptr_futex_wake(&pool[k * 31], 1), 1);
			else
				assert_int_equal(
					hazptr_unpark_one(&pool[k * 31], NULL,
							  NULL),
					1);
			assert_int_equal(sleeper_end(&s[r][k]), 0);
		}
	}
	for (k = 0; k < KEYS; k++)
		assert_int_equal(hazptr_futex_wake(&pool[k * 31], 1), 0);
}

/* Time-outs find the way to the table where they are now. */
static void time_outs_after_moves(void **state)
{
	struct timespec t = test_time_after_ms(60);
	struct sleeper s[6];
	size_t i;

	(void)state;
	memset(s, 0, sizeof(s));
	for (i = 0; i < 6; i++) {
		s[i].deadline = &t;
		sleeper_start(&s[i], i % 2 ? sleeper_waits : sleeper_parks,
			      &pool[i]);
	}
	for (i = 0; i < 10; i++)
		assert_int_equal(resize(i % 2 ? 16 : 128), 0);
	settle();
	for (i = 0; i < 6; i++)
		assert_int_equal(sleeper_end(&s[i]), -ETIMEDOUT);
	for (i = 0; i < 6; i++)
		assert_int_equal(hazptr_futex_wake(&pool[i], 1), 0);
	assert_int_equal(tables_left(), 1);
}

/* No memory */

static void no_memory_for_another(void **state)
{
	struct sleeper s[3];
	unsigned before;
	int made, i;

	(void)state;
	assert_int_equal(resize(32), 0);
	before = hazptr_futex_hash_buckets();
	sleepers_start(s, 3, sleeper_waits, &word);
	made = tables_all();
	tables_memory(false);
	for (i = 0; i < 20; i++)
		assert_int_equal(resize(1u << i), -ENOMEM);
	assert_int_equal(resize(0), -ENOMEM);
	assert_int_equal(tables_all(), made);
	assert_int_equal(hazptr_futex_hash_buckets(), before);
	/* The old one is in service: for wakes, waits, time-outs, moves. */
	assert_int_equal(hazptr_futex_wake(&word, 1), 1);
	assert_int_equal(sleeper_end(&s[0]), 0);
	sleeper_start(&s[0], sleeper_waits, &word);
	assert_int_equal(hazptr_futex_requeue(&word, 1, 1, &pool[1]), 2);
	assert_int_equal(sleeper_end(&s[1]), 0);
	assert_int_equal(hazptr_futex_wake(&pool[1], 1), 1);
	assert_int_equal(sleeper_end(&s[2]), 0);
	tables_memory(true);
	assert_int_equal(resize(256), 0);
	assert_int_equal(hazptr_futex_hash_buckets(), 256);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 1);
	assert_int_equal(sleeper_end(&s[0]), 0);
}

/* The number of threads */

#define THREADS 70

static struct sleeper crowd[THREADS];

static unsigned at_least(unsigned threads)
{
	unsigned n = 16;

	while (n < 4 * threads)
		n *= 2;
	return n;
}

/*
 * There is no memory when the number of threads first asks for a larger table:
 * one attempt for each step, and not one at each wait.
 */
static void no_memory_to_grow(void **state)
{
	unsigned before, i;
	int refused_before;

	(void)state;
	/* Nobody has said how many: no library call before but resize(0). */
	assert_int_equal(resize(0), 0);
	before = hazptr_futex_hash_buckets();
	refused_before = tables_denied();
	tables_memory(false);
	memset(crowd, 0, sizeof(crowd));
	for (i = 0; i < THREADS / 2; i++)
		sleeper_start(&crowd[i], sleeper_waits, &word);
	assert_int_equal(hazptr_futex_hash_buckets(), before);
	assert_true(tables_denied() - refused_before >= 1);
	/* 35 threads: from 16 buckets that were four steps at most. */
	assert_true(tables_denied() - refused_before <= 4);
	refused_before = tables_denied();
	for (i = 0; i < 50; i++) {
		struct timespec past = { 0, 0 };

		assert_int_equal(hazptr_futex_wait(&word, 0, &past),
				 -ETIMEDOUT);
	}
	assert_true(tables_denied() - refused_before <= 1);
	tables_memory(true);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), THREADS / 2);
	sleepers_end(crowd, THREADS / 2, 0);
}

/* At least four for each thread, and only by waits. */
static void grows_with_the_threads(void **state)
{
	unsigned i, before;
	int made = tables_all();

	(void)state;
	assert_int_equal(resize(0), 0);
	before = hazptr_futex_hash_buckets();
	memset(crowd, 0, sizeof(crowd));
	for (i = 0; i < THREADS; i++) {
		sleeper_start(&crowd[i], sleeper_waits, &pool[i % 7]);
		assert_true(hazptr_futex_hash_buckets() >= at_least(i + 2));
	}
	assert_true(hazptr_futex_hash_buckets() > before);
	assert_true(hazptr_futex_hash_buckets() <= at_least(THREADS + 40));
	assert_true(tables_all() - made <= 6); /* once for each step */
	assert_int_equal(sleepers_back(crowd, THREADS), 0);
	for (i = 0; i < 7; i++)
		assert_int_equal(hazptr_futex_wake(&pool[i], INT_MAX),
				 THREADS / 7);
	sleepers_end(crowd, THREADS, 0);
	/* It does not shrink by itself. */
	assert_true(hazptr_futex_hash_buckets() >= at_least(THREADS));
}

/* What the user has said holds, until resize(0). */
static void fixed_by_the_user(void **state)
{
	unsigned i;

	(void)state;
	assert_int_equal(resize(16), 0);
	memset(crowd, 0, sizeof(crowd));
	for (i = 0; i < THREADS; i++)
		sleeper_start(&crowd[i], sleeper_parks, &word);
	assert_int_equal(hazptr_futex_hash_buckets(), 16);
	assert_int_equal(resize(0), 0);
	assert_true(hazptr_futex_hash_buckets() >= at_least(THREADS));
	assert_int_equal(sleepers_back(crowd, THREADS), 0);
	assert_int_equal(hazptr_unpark_all(&word, 2), THREADS);
	sleepers_end(crowd, THREADS, 2);
	assert_int_equal(tables_left(), 1);
}

/* Several at once: each returns when a table of its making was in use. */

static void *resizes_often(void *arg)
{
	int i;

	for (i = 0; i < TEST_MANY(200); i++)
		must(!resize(16u << (i + (int)(intptr_t)arg) % 4));
	return NULL;
}

static void resized_by_several(void **state)
{
	struct sleeper s[8];
	pthread_t t[3];
	int i;

	(void)state;
	memset(s, 0, sizeof(s));
	for (i = 0; i < 8; i++)
		sleeper_start(&s[i], i % 2 ? sleeper_waits : sleeper_parks,
			      &pool[i * 77]);
	for (i = 0; i < 3; i++)
		t[i] = test_start(resizes_often, (void *)(intptr_t)i);
	for (i = 0; i < 3; i++)
		test_join(t[i]);
	assert_int_equal(sleepers_back(s, 8), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(hazptr_unpark_all(&pool[i * 77], 0), 1);
	sleepers_end(s, 8, 0);
	assert_true(tables_left() <= 1);
}

/* Threads that come, sleep and end while others resize. */

static void *sleeps_and_ends(void *arg)
{
	struct timespec past = { 0, 0 };

	must(hazptr_futex_wait((uint32_t *)arg, 0, &past) == -ETIMEDOUT);
	must(hazptr_futex_wake((uint32_t *)arg, 1) == 0);
	return NULL;
}

static void threads_end_meanwhile(void **state)
{
	pthread_t resizer, t[4];
	int i, j;

	(void)state;
	resizer = test_start(resizes_often, NULL);
	for (i = 0; i < TEST_MANY(50); i++) {
		for (j = 0; j < 4; j++)
			t[j] = test_start(sleeps_and_ends, &pool[i * 4 + j]);
		for (j = 0; j < 4; j++)
			test_join(t[j]);
	}
	test_join(resizer);
	assert_true(tables_left() <= 1);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_table),
		cmocka_unit_test(no_memory_to_grow),
		cmocka_unit_test(grows_with_the_threads),
		cmocka_unit_test(refused),
		cmocka_unit_test(every_size),
		cmocka_unit_test(the_same_size),
		cmocka_unit_test(old_tables_are_freed),
		cmocka_unit_test(moved_and_not_woken),
		cmocka_unit_test(time_outs_after_moves),
		cmocka_unit_test(no_memory_for_another),
		cmocka_unit_test(fixed_by_the_user),
		cmocka_unit_test(resized_by_several),
		cmocka_unit_test(threads_end_meanwhile),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
