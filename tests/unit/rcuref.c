/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/rcuref.c - the count with zones
 *
 * What the zones are is said in hazptr/ref.h; the tests write the field, as
 * nobody waits for 2^29 calls.
 */
#include "test.h"

#include <hazptr/ref.h>

#define TOO_MANY 0x80000000u
#define RELEASED 0xC0000000u
#define NONE UINT32_MAX

static struct hazptr_rcuref with_field(uint32_t count)
{
	struct hazptr_rcuref r = { count };

	return r;
}

static struct hazptr_rcuref dead(void)
{
	struct hazptr_rcuref r;

	hazptr_rcuref_init(&r, 1);
	assert_true(hazptr_rcuref_put(&r));
	return r;
}

static void a_count_is_a_word(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct hazptr_rcuref), 4);
}

static void init_sets_what_read_gives(void **state)
{
	static const uint32_t counts[] = { 1, 2, 1000, TOO_MANY - 1, TOO_MANY };
	struct hazptr_rcuref r;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(counts); i++) {
		hazptr_rcuref_init(&r, counts[i]);
		assert_int_equal(hazptr_rcuref_read(&r), counts[i]);
		assert_false(hazptr_rcuref_is_dead(&r));
	}
}

static void get_adds_one_and_put_takes_one(void **state)
{
	struct hazptr_rcuref r;

	(void)state;
	hazptr_rcuref_init(&r, 3);
	assert_true(hazptr_rcuref_get(&r));
	assert_int_equal(hazptr_rcuref_read(&r), 4);
	assert_false(hazptr_rcuref_put(&r));
	assert_int_equal(hazptr_rcuref_read(&r), 3);
}

static void put_is_true_for_the_last_only(void **state)
{
	struct hazptr_rcuref r;
	uint32_t n, i;

	(void)state;
	for (n = 1; n < 20; n++) {
		hazptr_rcuref_init(&r, n);
		for (i = 1; i < n; i++) {
			assert_false(hazptr_rcuref_put(&r));
			assert_false(hazptr_rcuref_is_dead(&r));
		}
		assert_true(hazptr_rcuref_put(&r));
		assert_true(hazptr_rcuref_is_dead(&r));
		assert_int_equal(hazptr_rcuref_read(&r), 0);
	}
}

static void get_of_a_dead_one_fails(void **state)
{
	struct hazptr_rcuref r = dead();
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_false(hazptr_rcuref_get(&r));
		assert_true(hazptr_rcuref_is_dead(&r));
		assert_int_equal(hazptr_rcuref_read(&r), 0);
	}
}

static void its_owner_can_revive_it(void **state)
{
	struct hazptr_rcuref r = dead();

	(void)state;
	assert_false(hazptr_rcuref_get(&r));
	hazptr_rcuref_init(&r, 2);
	assert_false(hazptr_rcuref_is_dead(&r));
	assert_true(hazptr_rcuref_get(&r));
	assert_int_equal(hazptr_rcuref_read(&r), 3);
	assert_false(hazptr_rcuref_put(&r));
	assert_false(hazptr_rcuref_put(&r));
	assert_true(hazptr_rcuref_put(&r));
}

/* Too many */

static void never_ends(struct hazptr_rcuref *r)
{
	unsigned seed = 1;
	int i;

	for (i = 0; i < 100000; i++) {
		if (test_random(&seed) % 3 == 0)
			assert_true(hazptr_rcuref_get(r));
		else
			assert_false(hazptr_rcuref_put(r));
		assert_false(hazptr_rcuref_is_dead(r));
		assert_in_range(r->count, TOO_MANY, RELEASED - 1);
	}
}

static void get_over_the_limit_stays(void **state)
{
	struct hazptr_rcuref r;

	(void)state;
	hazptr_rcuref_init(&r, TOO_MANY - 1);
	assert_true(hazptr_rcuref_get(&r));
	assert_int_equal(hazptr_rcuref_read(&r), TOO_MANY);
	assert_true(hazptr_rcuref_get(&r));
	never_ends(&r);
}

static void below_the_limit_all_are_counted(void **state)
{
	struct hazptr_rcuref r;

	(void)state;
	hazptr_rcuref_init(&r, TOO_MANY);
	assert_false(hazptr_rcuref_put(&r));
	assert_int_equal(hazptr_rcuref_read(&r), TOO_MANY - 1);
}

/* As many threads between their step and its correction as there may be. */
static void too_many_comes_back_to_the_middle(void **state)
{
	static const uint32_t fields[] = { TOO_MANY + 1, 0x90000000u,
					   0xA0000000u, 0xB0000000u,
					   RELEASED - 2 };
	struct hazptr_rcuref r;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(fields); i++) {
		r = with_field(fields[i]);
		assert_true(hazptr_rcuref_get(&r));
		assert_int_equal(r.count, 0xA0000000u);
		r = with_field(fields[i]);
		assert_false(hazptr_rcuref_put(&r));
		assert_int_equal(r.count, 0xA0000000u);
		never_ends(&r);
	}
}

/* Dead: gets add up, and are taken back before they come near to the end. */
static void gets_do_not_wake_the_dead(void **state)
{
	static const uint32_t fields[] = { RELEASED, 0xE0000000u, 0xEFFFFFFEu,
					   0xF0000000u, NONE - 2 };
	struct hazptr_rcuref r;
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < TEST_COUNT(fields); i++) {
		r = with_field(fields[i]);
		for (j = 0; j < 1000; j++) {
			assert_false(hazptr_rcuref_get(&r));
			assert_true(hazptr_rcuref_is_dead(&r));
			assert_in_range(r.count, RELEASED, 0xF0000000u);
		}
	}
}

/* A put has subtracted, and looks again later. */

static void a_get_in_between_has_it(void **state)
{
	struct hazptr_rcuref r = with_field(NONE);

	(void)state;
	assert_false(hazptr_rcuref_is_dead(&r));
	assert_true(hazptr_rcuref_get(&r));
	assert_false(hazptr_rcuref_put_slow_(&r, NONE));
	assert_int_equal(hazptr_rcuref_read(&r), 1);
	assert_true(hazptr_rcuref_put(&r));
}

static void a_get_and_a_put_in_between_end_it_once(void **state)
{
	struct hazptr_rcuref r = with_field(NONE);

	(void)state;
	assert_true(hazptr_rcuref_get(&r));
	assert_true(hazptr_rcuref_put(&r));
	assert_false(hazptr_rcuref_put_slow_(&r, NONE));
	assert_true(hazptr_rcuref_is_dead(&r));
	/* And the other way round. */
	r = with_field(NONE);
	assert_true(hazptr_rcuref_put_slow_(&r, NONE));
	assert_false(hazptr_rcuref_put_slow_(&r, NONE));
}

/* It sees what it made, not what the others made of it meanwhile. */
static void a_late_put_blames_nobody(void **state)
{
	struct hazptr_rcuref r = dead();

	(void)state;
	assert_false(hazptr_rcuref_get(&r));
	assert_false(hazptr_rcuref_put_slow_(&r, NONE));
	assert_true(hazptr_rcuref_is_dead(&r));
	hazptr_rcuref_init(&r, 1);
	assert_false(hazptr_rcuref_put_slow_(&r, NONE));
	assert_int_equal(hazptr_rcuref_read(&r), 1);
}

/* A get that saw it dead, and an init: the count is the init's. */
static void a_late_get_does_not_undo_an_init(void **state)
{
	struct hazptr_rcuref r;

	(void)state;
	hazptr_rcuref_init(&r, 5);
	assert_false(hazptr_rcuref_get_slow_(&r, 0xE0000001u));
	assert_false(hazptr_rcuref_get_slow_(&r, NONE - 1));
	assert_int_equal(hazptr_rcuref_read(&r), 5);
}

/* Misuse */

static void child_put_of_a_dead_one(void)
{
	struct hazptr_rcuref r;

	hazptr_rcuref_init(&r, 1);
	hazptr_rcuref_put(&r);
	test_names(&r);
	hazptr_rcuref_put(&r);
}

static void child_put_after_gets_that_failed(void)
{
	struct hazptr_rcuref r;

	hazptr_rcuref_init(&r, 1);
	hazptr_rcuref_put(&r);
	hazptr_rcuref_get(&r);
	hazptr_rcuref_get(&r);
	test_names(&r);
	hazptr_rcuref_put(&r);
}

/* Two threads */

#define LIVES TEST_MANY(100000)

static struct hazptr_rcuref shared_count;
static int turn;
static long deaths[2];

static void both_are_here(int round)
{
	__atomic_fetch_add(&turn, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) < 2 * round)
		sched_yield();
}

/* Each life ends by one put, of whichever thread. */
static void *lives_and_lets_die(void *arg)
{
	long *mine = (long *)arg;
	int i, j;

	for (i = 1; i <= LIVES / 10; i++) {
		both_are_here(4 * i - 3);
		if (arg == &deaths[0])
			hazptr_rcuref_init(&shared_count, 2);
		both_are_here(4 * i - 2);
		*mine += hazptr_rcuref_put(&shared_count);
		for (j = 0; j < 3; j++)
			if (hazptr_rcuref_get(&shared_count))
				*mine += hazptr_rcuref_put(&shared_count);
		both_are_here(4 * i - 1);
		must(hazptr_rcuref_is_dead(&shared_count));
		both_are_here(4 * i);
	}
	return NULL;
}

static void one_put_ends_a_life(void **state)
{
	pthread_t other;

	(void)state;
	turn = 0;
	deaths[0] = deaths[1] = 0;
	other = test_start(lives_and_lets_die, &deaths[1]);
	lives_and_lets_die(&deaths[0]);
	test_join(other);
	assert_int_equal(deaths[0] + deaths[1], LIVES / 10);
}

static long ended; /* lives, by whichever thread */
static int stop_now;

/* Its own references, and after the end no other. */
static void *gets_when_it_can(void *arg)
{
	long *got = (long *)arg;

	while (!__atomic_load_n(&stop_now, __ATOMIC_ACQUIRE)) {
		if (!hazptr_rcuref_get(&shared_count))
			continue;
		++*got;
		if (hazptr_rcuref_put(&shared_count))
			__atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* The owner knows that it is dead, and begins a new life, under gets. */
static void revived_under_gets(void **state)
{
	pthread_t other;
	long got = 0, life;

	(void)state;
	ended = 0;
	stop_now = 0;
	hazptr_rcuref_init(&shared_count, 1);
	other = test_start(gets_when_it_can, &got);
	for (life = 1; life <= LIVES; life++) {
		if (hazptr_rcuref_put(&shared_count))
			__atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < life)
			sched_yield();
		must(__atomic_load_n(&ended, __ATOMIC_ACQUIRE) == life);
		must(hazptr_rcuref_is_dead(&shared_count));
		hazptr_rcuref_init(&shared_count, 1);
	}
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELEASE);
	test_join(other);
	assert_int_equal(ended, LIVES);
	assert_int_equal(hazptr_rcuref_read(&shared_count), 1);
}

static const struct test_child children[] = {
	{ "put of a dead one", child_put_of_a_dead_one },
	{ "put after gets that failed", child_put_after_gets_that_failed },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_count_is_a_word),
		cmocka_unit_test(init_sets_what_read_gives),
		cmocka_unit_test(get_adds_one_and_put_takes_one),
		cmocka_unit_test(put_is_true_for_the_last_only),
		cmocka_unit_test(get_of_a_dead_one_fails),
		cmocka_unit_test(its_owner_can_revive_it),
		cmocka_unit_test(get_over_the_limit_stays),
		cmocka_unit_test(below_the_limit_all_are_counted),
		cmocka_unit_test(too_many_comes_back_to_the_middle),
		cmocka_unit_test(gets_do_not_wake_the_dead),
		cmocka_unit_test(a_get_in_between_has_it),
		cmocka_unit_test(a_get_and_a_put_in_between_end_it_once),
		cmocka_unit_test(a_late_put_blames_nobody),
		cmocka_unit_test(a_late_get_does_not_undo_an_init),
		MISUSE("put of a dead one", "hazptr_rcuref_put"),
		MISUSE("put after gets that failed", "hazptr_rcuref_put"),
		cmocka_unit_test(one_put_ends_a_life),
		cmocka_unit_test(revived_under_gets),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
