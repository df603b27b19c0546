/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/guard_detach.c - guards that another thread releases
 *
 * From hazptr_detach() on any thread may release a guard, also when the thread
 * that took it has ended, wherever the guard's slot is.
 */
#include "test.h"

#include <hazptr/guard.h>

static void *release_it(void *arg)
{
	hazptr_release((struct hazptr_guard *)arg);
	return NULL;
}

static void detached_guard_still_keeps(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_hold(&g, &x);
	hazptr_detach(&g);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&g); /* any thread: this one too */
	assert_gone(&x);
	hazptr_hold(&g, &x); /* and then it can be used again */
	hazptr_release(&g);
}

static void another_thread_releases(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_hold(&g, &x);
	hazptr_detach(&g);
	retire_item(&x);
	assert_kept(&x);
	test_join(test_start(release_it, &g));
	assert_gone(&x);
	hazptr_release(&g); /* empty by now */
	hazptr_hold(&g, &y);
	retire_item(&y);
	assert_kept(&y);
	hazptr_release(&g);
	assert_gone(&y);
}

static void detach_of_an_empty_guard(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_detach(&g);
	test_join(test_start(release_it, &g));
	hazptr_release(&g);
	hazptr_hold(&g, &x);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
}

static void detach_twice_is_detach(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_hold(&g, &x);
	hazptr_detach(&g);
	hazptr_detach(&g);
	retire_item(&x);
	assert_kept(&x);
	test_join(test_start(release_it, &g));
	assert_gone(&x);
}

/* The slot of a detached guard is not given to anybody else meanwhile. */
static void detached_slot_is_not_taken(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_guard others[12];
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };
	int i;

	(void)state;
	memset(others, 0, sizeof(others));
	hazptr_hold(&g, &x);
	hazptr_detach(&g);
	retire_item(&x);
	for (i = 0; i < 12; i++)
		hazptr_hold(&others[i], &y);
	assert_kept(&x);
	for (i = 0; i < 12; i++)
		hazptr_release(&others[i]);
	assert_kept(&x);
	test_join(test_start(release_it, &g));
	assert_gone(&x);
}

/* The owner ends first; `crowd` says in which kind of slot the guard is. */

static void owner_ended(size_t crowd)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;

	reader_start(&r, &x, crowd, true);
	assert_true(reader_stop(&r));
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&r.guard);
	assert_gone(&x);
}

static void release_after_the_owner_ended(void **state)
{
	size_t crowd;

	(void)state;
	for (crowd = 0; crowd <= 12; crowd++)
		owner_ended(crowd);
}

/* Threads that come after get other slots, or wait with those of the dead. */
static void *busy_run(void *arg)
{
	struct hazptr_guard guards[12];
	struct item *items = items_new(12);
	struct item *source;
	int i;

	(void)arg;
	memset(guards, 0, sizeof(guards));
	for (i = 0; i < 12; i++) {
		source = &items[i];
		must(hazptr_protect(&guards[i], &source) == source);
		retire_item(&items[i]);
	}
	hazptr_flush(test_manual);
	must(items_gone(items, 12) == 0);
	for (i = 0; i < 12; i++)
		hazptr_release(&guards[i]);
	hazptr_flush(test_manual);
	must(items_gone(items, 12) == 12);
	free(items);
	return NULL;
}

static void later_threads_do_not_disturb(void **state)
{
	static const size_t crowds[] = { 0, 1, 3, 7, 8, 20 };
	enum { N = 6 };
	struct item *items = items_new(N);
	struct reader r[N];
	int i;

	(void)state;
	for (i = 0; i < N; i++) {
		reader_start(&r[i], &items[i], crowds[i], true);
		assert_true(reader_stop(&r[i]));
		retire_item(&items[i]);
	}
	for (i = 0; i < 50; i++)
		test_join(test_start(busy_run, NULL));
	for (i = 0; i < N; i++) {
		assert_kept(&items[i]);
		hazptr_release(&r[i].guard);
		assert_gone(&items[i]);
	}
	/* what was left waiting is used again */
	for (i = 0; i < 50; i++)
		test_join(test_start(busy_run, NULL));
	free(items);
}

static void records_of_the_dead_are_used_again(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;
	uint64_t slots;
	int i;

	(void)state;
	for (i = 0; i < 40; i++)
		test_join(test_start(busy_run, NULL));
	slots = test_stats(test_manual).slots;
	for (i = 0; i < 400; i++) {
		reader_start(&r, &x, (size_t)i % 12, true);
		assert_true(reader_stop(&r));
		hazptr_release(&r.guard);
	}
	assert_int_equal(test_stats(test_manual).slots, slots);
}

/* Many guards of one thread, released by several threads at once. */

enum { MANY = 1000, RELEASERS = 4 };

struct detached {
	struct hazptr_guard *guards;
	struct item *items;
};

static void *take_and_detach(void *arg)
{
	struct detached *d = (struct detached *)arg;
	size_t i;

	for (i = 0; i < MANY; i++) {
		struct item *source = &d->items[i];

		must(hazptr_protect(&d->guards[i], &source) == source);
		hazptr_detach(&d->guards[i]);
	}
	return NULL;
}

struct releaser {
	struct hazptr_guard *guards;
	pthread_t thread;
	size_t first;
};

static void *release_share(void *arg)
{
	struct releaser *r = (struct releaser *)arg;
	size_t i;

	for (i = r->first; i < MANY; i += RELEASERS) {
		hazptr_release(&r->guards[i]);
		memset(&r->guards[i], 0xa5, sizeof(r->guards[i]));
	}
	return NULL;
}

static void many_are_released_by_many(bool owner_first)
{
	struct releaser releasers[RELEASERS];
	struct hazptr_guard *guards =
		(struct hazptr_guard *)calloc(MANY, sizeof(*guards));
	struct detached d = { guards, items_new(MANY) };
	size_t i;

	assert_non_null(guards);
	if (owner_first)
		test_join(test_start(take_and_detach, &d));
	else
		take_and_detach(&d);
	for (i = 0; i < MANY; i++)
		retire_item(&d.items[i]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(d.items, MANY), 0);
	for (i = 0; i < RELEASERS; i++) {
		releasers[i].guards = guards;
		releasers[i].first = i;
		releasers[i].thread = test_start(release_share, &releasers[i]);
	}
	for (i = 0; i < 20; i++)
		hazptr_flush(test_manual);
	for (i = 0; i < RELEASERS; i++)
		test_join(releasers[i].thread);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(d.items, MANY), MANY);
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
	free(d.items);
	free(guards);
}

static void many_guards_of_a_living_thread(void **state)
{
	(void)state;
	many_are_released_by_many(false);
}

static void many_guards_of_an_ended_thread(void **state)
{
	(void)state;
	many_are_released_by_many(true);
}

/* The first call of a thread is a detach, and a release of nothing. */
static void *detach_first(void *arg)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;

	(void)arg;
	hazptr_detach(&g);
	hazptr_release(&g);
	return NULL;
}

static void detach_is_a_threads_first_call(void **state)
{
	(void)state;
	test_join(test_start(detach_first, NULL));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		CROWDED(detached_guard_still_keeps),
		CROWDED(another_thread_releases),
		CROWDED(detach_of_an_empty_guard),
		CROWDED(detach_twice_is_detach),
		CROWDED(detached_slot_is_not_taken),
		cmocka_unit_test(release_after_the_owner_ended),
		cmocka_unit_test(later_threads_do_not_disturb),
		cmocka_unit_test(records_of_the_dead_are_used_again),
		cmocka_unit_test(many_guards_of_a_living_thread),
		cmocka_unit_test(many_guards_of_an_ended_thread),
		cmocka_unit_test(detach_is_a_threads_first_call),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
