/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/atomic.c - the operations of hazptr/atomic.h
 *
 * Each does what it says, on integers and on pointers, and gives back what the
 * library expects of it. That they are atomic, and in which order, only a
 * model or a race can show.
 */
#include "test.h"

#include <hazptr/atomic.h>

static void loads_and_stores(void **state)
{
	uintptr_t word = 1;
	int x = 0;
	int *pointer = NULL;

	(void)state;
	assert_int_equal(hazptr_load_(&word, relaxed), 1);
	assert_int_equal(hazptr_load_(&word, acquire), 1);
	assert_int_equal(hazptr_load_(&word, seq_cst), 1);
	hazptr_store_(&word, 2, relaxed);
	assert_int_equal(word, 2);
	hazptr_store_(&word, 3, release);
	assert_int_equal(word, 3);
	hazptr_store_(&word, 4, seq_cst);
	assert_int_equal(word, 4);
	hazptr_store_(&pointer, &x, release);
	assert_ptr_equal(hazptr_load_(&pointer, acquire), &x);
}

static void read_modify_writes_return_what_was(void **state)
{
	uint32_t n = 12;

	(void)state;
	assert_int_equal(hazptr_exchange_(&n, 5, acq_rel), 12);
	assert_int_equal(hazptr_fetch_add_(&n, 3, relaxed), 5);
	assert_int_equal(hazptr_fetch_sub_(&n, 2, release), 8);
	assert_int_equal(hazptr_fetch_or_(&n, 9, acquire), 6);
	assert_int_equal(hazptr_fetch_and_(&n, 12, acq_rel), 15);
	assert_int_equal(hazptr_fetch_xor_(&n, 5, seq_cst), 12);
	assert_int_equal(hazptr_load_(&n, relaxed), 9);
}

static void compare_and_swap(void **state)
{
	uint64_t word = 7, expected = 7;

	(void)state;
	assert_true(hazptr_cas_(&word, &expected, 8, acq_rel, relaxed));
	assert_int_equal(word, 8);
	assert_int_equal(expected, 7);
	assert_false(hazptr_cas_(&word, &expected, 9, release, acquire));
	assert_int_equal(word, 8);
	assert_int_equal(expected, 8); /* what was seen */
	assert_true(hazptr_cas_(&word, &expected, 9, seq_cst, seq_cst));
	assert_int_equal(word, 9);
}

static void fences(void **state)
{
	(void)state;
	hazptr_fence_(acquire);
	hazptr_fence_(release);
	hazptr_fence_(seq_cst);
	hazptr_compiler_fence_();
}

static void hints_are_transparent(void **state)
{
	(void)state;
	assert_true(hazptr_likely_(2) && hazptr_unlikely_(2));
	assert_false(hazptr_likely_(0) || hazptr_unlikely_(0));
}

/* A word may be read where any pointer was written. */
static void words_alias_pointers(void **state)
{
	int x = 0;
	int *pointer = &x;
	hazptr_word_ *word = (hazptr_word_ *)(void *)&pointer;

	(void)state;
	assert_int_equal(sizeof(hazptr_word_), sizeof(void *));
	assert_true(hazptr_load_(word, acquire) == (uintptr_t)&x);
	hazptr_store_(word, 0, release);
	assert_null(pointer);
}

/* Lost updates would show. */

#define TURNS TEST_MANY(100000)

static uint32_t counter;

static void *count_up(void *arg)
{
	uint32_t seen;
	int i;

	(void)arg;
	for (i = 0; i < TURNS; i++) {
		hazptr_fetch_add_(&counter, 1, relaxed);
		seen = hazptr_load_(&counter, relaxed);
		while (!hazptr_cas_(&counter, &seen, seen + 1, relaxed,
				    relaxed))
			;
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	pthread_t threads[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		threads[i] = test_start(count_up, NULL);
	for (i = 0; i < 3; i++)
		test_join(threads[i]);
	assert_int_equal(counter, 6 * TURNS);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_and_stores),
		cmocka_unit_test(read_modify_writes_return_what_was),
		cmocka_unit_test(compare_and_swap),
		cmocka_unit_test(fences),
		cmocka_unit_test(hints_are_transparent),
		cmocka_unit_test(words_alias_pointers),
		cmocka_unit_test(nothing_is_lost_between_threads),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
