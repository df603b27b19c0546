/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/guard_many.c - guards nest to any depth, also past all tables
 *
 * Nine guards, or a thousand, each on its own object, released in order, in
 * reverse and at random: after each release exactly the objects of the other
 * guards are kept.
 */
#include "test.h"

#include <hazptr/guard.h>

enum order { OLDEST_FIRST, YOUNGEST_FIRST, RANDOM };

static void order_make(size_t *order, size_t n, enum order how)
{
	unsigned seed = (unsigned)n;
	size_t i, j, k;

	for (i = 0; i < n; i++)
		order[i] = how == YOUNGEST_FIRST ? n - 1 - i : i;
	if (how != RANDOM)
		return;
	for (i = n - 1; i > 0; i--) {
		j = test_random(&seed) % (i + 1);
		k = order[i];
		order[i] = order[j];
		order[j] = k;
	}
}

/* Check after every `step` releases. */
static void nest(size_t n, enum order how, size_t step)
{
	struct hazptr_guard *guards =
		(struct hazptr_guard *)calloc(n, sizeof(*guards));
	size_t *order = (size_t *)calloc(n, sizeof(*order));
	struct item *items = items_new(n);
	struct item *source;
	size_t i;

	assert_true(guards && order);
	order_make(order, n, how);
	for (i = 0; i < n; i++) {
		source = &items[i];
		assert_ptr_equal(hazptr_protect(&guards[i], &source),
				 &items[i]);
	}
	for (i = 0; i < n; i++)
		retire_item(&items[i]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, n), 0);
	for (i = 0; i < n; i++) {
		hazptr_release(&guards[order[i]]);
		memset(&guards[order[i]], 0xa5, sizeof(*guards));
		if (i % step != 0)
			continue;
		assert_gone(&items[order[i]]);
		assert_int_equal(items_gone(items, n), i + 1);
	}
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, n), n);
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
	free(items);
	free(order);
	free(guards);
}

static void in_every_order(size_t n, size_t step)
{
	nest(n, OLDEST_FIRST, step);
	nest(n, YOUNGEST_FIRST, step);
	nest(n, RANDOM, step);
}

static void up_to_sixteen_guards(void **state)
{
	size_t n;

	(void)state;
	for (n = 1; n <= 16; n++)
		in_every_order(n, 1);
}

static void a_hundred_guards(void **state)
{
	(void)state;
	in_every_order(100, 1);
}

static void more_than_a_thousand_guards(void **state)
{
	(void)state;
	in_every_order(1100, TEST_SANITIZED ? 50 : 5);
}

/* A scan goes in rounds when its table is too small for all guards. */
static void five_thousand_guards_and_ten_thousand_objects(void **state)
{
	enum { GUARDS = 5000, OBJECTS = 10000 };
	struct hazptr_guard *guards =
		(struct hazptr_guard *)calloc(GUARDS, sizeof(*guards));
	struct item *items = items_new(OBJECTS);
	struct item *source;
	size_t i;

	(void)state;
	assert_non_null(guards);
	for (i = 0; i < GUARDS; i++) {
		source = &items[2 * i];
		assert_ptr_equal(hazptr_protect(&guards[i], &source),
				 &items[2 * i]);
	}
	for (i = 0; i < OBJECTS; i++)
		retire_item(&items[i]);
	assert_int_equal(hazptr_flush(test_manual), OBJECTS - GUARDS);
	for (i = 0; i < OBJECTS; i++)
		assert_int_equal(item_gone(&items[i]), i % 2);
	/* every third guard goes; the scan meets the others again */
	for (i = 0; i < GUARDS; i += 3)
		hazptr_release(&guards[i]);
	hazptr_flush(test_manual);
	for (i = 0; i < OBJECTS; i++)
		assert_int_equal(item_gone(&items[i]), i % 2 || i / 2 % 3 == 0);
	for (i = GUARDS; i > 0; i--)
		hazptr_release(&guards[i - 1]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, OBJECTS), OBJECTS);
	free(items);
	free(guards);
}

static void a_thousand_guards_on_one_object(void **state)
{
	enum { N = 1000 };
	struct hazptr_guard *guards =
		(struct hazptr_guard *)calloc(N, sizeof(*guards));
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	size_t order[N];
	size_t i;

	(void)state;
	assert_non_null(guards);
	order_make(order, N, RANDOM);
	for (i = 0; i < N; i++)
		assert_ptr_equal(hazptr_protect(&guards[i], &source), &x);
	retire_item(&x);
	for (i = 0; i < N; i++) {
		if (i % 50 == 0 || i == N - 1)
			assert_kept(&x);
		hazptr_release(&guards[order[i]]);
	}
	assert_gone(&x);
	free(guards);
}

/* Slots that get free are used again before embedded ones; all stay right. */
static void guards_come_and_go_at_random(void **state)
{
	enum { N = 24, TURNS = 5000 };
	struct hazptr_guard guards[N];
	struct item *items = items_new(TURNS);
	int keeps[N];
	unsigned seed = 7;
	struct item *source;
	int i, g;

	(void)state;
	memset(guards, 0, sizeof(guards));
	for (g = 0; g < N; g++)
		keeps[g] = -1;
	for (i = 0; i < TURNS; i++) {
		g = (int)(test_random(&seed) % N);
		if (keeps[g] >= 0 && test_random(&seed) % 2) {
			hazptr_release(&guards[g]);
			assert_gone(&items[keeps[g]]);
		}
		source = &items[i]; /* releases what was kept, if still so */
		assert_ptr_equal(hazptr_protect(&guards[g], &source), source);
		keeps[g] = i;
		retire_item(&items[i]);
		if (i % 16 != 0)
			continue;
		hazptr_flush(test_manual);
		for (g = 0; g < N; g++)
			if (keeps[g] >= 0)
				assert_int_equal(item_gone(&items[keeps[g]]),
						 0);
	}
	for (g = 0; g < N; g++)
		hazptr_release(&guards[g]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, TURNS), TURNS);
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
	free(items);
}

/* Recursion: each call holds a guard of its own on its stack. */
static size_t descend(struct item *items, size_t depth, size_t n)
{
	struct item *source = &items[depth];
	HAZPTR_GUARD(guard);

	if (depth == n)
		return 0;
	if (hazptr_protect(&guard, &source) != &items[depth])
		return 0;
	retire_item(&items[depth]);
	if (depth % 100 == 99) {
		hazptr_flush(test_manual);
		if (items_gone(items, n) != 0)
			return 0;
	}
	return 1 + descend(items, depth + 1, n);
}

static void recursion_takes_a_guard_per_call(void **state)
{
	enum { N = 1000 };
	struct item *items = items_new(N + 1);

	(void)state;
	assert_int_equal(descend(items, 0, N), N);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, N), N);
	free(items);
}

/* Overflowing guards of many threads at once, while a scan goes on. */

struct nester {
	pthread_t thread;
	size_t turns;
};

static void *nester_run(void *arg)
{
	struct nester *n = (struct nester *)arg;
	struct hazptr_guard guards[32];
	struct item *items;
	struct item *source;
	size_t turn, i;

	memset(guards, 0, sizeof(guards));
	for (turn = 0; turn < n->turns; turn++) {
		items = items_new(32);
		for (i = 0; i < 32; i++) {
			source = &items[i];
			must(hazptr_protect(&guards[i], &source) == source);
			hazptr_retire(test_manual, &items[i], head,
				      item_reclaim);
		}
		sched_yield();
		must(items_gone(items, 32) == 0);
		for (i = 0; i < 32; i++)
			hazptr_release(&guards[(i * 5) % 32]);
		hazptr_barrier(test_manual);
		must(items_gone(items, 32) == 32);
		free(items);
	}
	return NULL;
}

static void threads_nest_while_others_scan(void **state)
{
	enum { THREADS = 4 };
	struct nester n[THREADS];
	int i;

	(void)state;
	for (i = 0; i < THREADS; i++) {
		n[i].turns = TEST_MANY(200);
		n[i].thread = test_start(nester_run, &n[i]);
	}
	for (i = 0; i < THREADS; i++)
		test_join(n[i].thread);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_to_sixteen_guards),
		cmocka_unit_test(a_hundred_guards),
		cmocka_unit_test(more_than_a_thousand_guards),
		cmocka_unit_test(five_thousand_guards_and_ten_thousand_objects),
		cmocka_unit_test(a_thousand_guards_on_one_object),
		cmocka_unit_test(guards_come_and_go_at_random),
		cmocka_unit_test(recursion_takes_a_guard_per_call),
		cmocka_unit_test(threads_nest_while_others_scan),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
