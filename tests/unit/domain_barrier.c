/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/domain_barrier.c - flush and barrier
 *
 * What they cover, of which threads, and that they end.
 */
#include "test.h"

#include <hazptr/domain.h>

/* hazptr_flush() */

static void flush_says_how_many(void **state)
{
	struct hazptr_guard guards[3];
	struct item *items = items_new(10);
	int i;

	(void)state;
	memset(guards, 0, sizeof(guards));
	assert_int_equal(hazptr_flush(test_manual), 0);
	for (i = 0; i < 3; i++)
		hazptr_hold(&guards[i], &items[3 * i]);
	for (i = 0; i < 10; i++)
		retire_item(&items[i]);
	assert_int_equal(hazptr_flush(test_manual), 7);
	assert_int_equal(items_gone(items, 10), 7);
	assert_int_equal(hazptr_flush(test_manual), 0);
	hazptr_release(&guards[1]);
	assert_int_equal(hazptr_flush(test_manual), 1);
	assert_int_equal(item_gone(&items[3]), 1);
	hazptr_release(&guards[0]);
	hazptr_release(&guards[2]);
	assert_int_equal(hazptr_flush(test_manual), 2);
	assert_int_equal(items_gone(items, 10), 10);
	free(items);
}

static void flush_of_a_background_domain(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, 0, TEST_NEVER_MS);
	struct item *items = items_new(10);
	int i;

	(void)state;
	for (i = 0; i < 10; i++)
		hazptr_retire(d, &items[i], head, item_reclaim);
	assert_int_equal(hazptr_flush(d), 10); /* they wait for no reader */
	assert_true(test_eventually(items_gone(items, 10) == 10));
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

/* What other threads have retired, sleeping or ended, is taken over. */

struct retirer {
	struct hazptr_domain *domain;
	struct item *items;
	size_t n;
	sem_t retired;
	sem_t stop;
	pthread_t thread;
};

static void *retirer_run(void *arg)
{
	struct retirer *r = (struct retirer *)arg;
	size_t i;

	for (i = 0; i < r->n; i++)
		hazptr_retire(r->domain, &r->items[i], head, item_reclaim);
	must(!sem_post(&r->retired));
	test_wait(&r->stop);
	return NULL;
}

static void retirer_start(struct retirer *r, struct hazptr_domain *d,
			  struct item *items, size_t n)
{
	r->domain = d;
	r->items = items;
	r->n = n;
	must(!sem_init(&r->retired, 0, 0));
	must(!sem_init(&r->stop, 0, 0));
	r->thread = test_start(retirer_run, r);
	test_wait(&r->retired);
}

static void retirer_stop(struct retirer *r)
{
	must(!sem_post(&r->stop));
	test_join(r->thread);
}

static void flush_takes_over_from_others(void **state)
{
	struct item *items = items_new(9);
	struct retirer r[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		retirer_start(&r[i], test_manual, &items[3 * i], 3);
	retirer_stop(&r[1]); /* this one has ended */
	assert_int_equal(test_stats(test_manual).pending, 9);
	assert_int_equal(hazptr_flush(test_manual), 9);
	assert_int_equal(items_gone(items, 9), 9);
	retirer_stop(&r[0]);
	retirer_stop(&r[2]);
	free(items);
}

/* hazptr_barrier() */

static void barrier_covers_other_threads(enum hazptr_reclaim policy)
{
	struct hazptr_domain *d = test_domain(policy, 0, TEST_NEVER_MS);
	struct item *items = items_new(12);
	struct retirer r[3];
	int i;

	for (i = 0; i < 3; i++)
		retirer_start(&r[i], d, &items[3 * i], 3);
	retirer_stop(&r[1]);
	for (i = 9; i < 12; i++)
		hazptr_retire(d, &items[i], head, item_reclaim);
	hazptr_barrier(d);
	assert_int_equal(items_gone(items, 12), 12);
	assert_int_equal(test_stats(d).pending, 0);
	hazptr_barrier(d); /* of nothing */
	retirer_stop(&r[0]);
	retirer_stop(&r[2]);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void barrier_in_every_policy(void **state)
{
	(void)state;
	barrier_covers_other_threads(HAZPTR_RECLAIM_BACKGROUND);
	barrier_covers_other_threads(HAZPTR_RECLAIM_INLINE);
	barrier_covers_other_threads(HAZPTR_RECLAIM_MANUAL);
}

/* Others go on retiring; and several threads want a barrier at once. */

struct churn {
	struct hazptr_domain *domain;
	int stop;
};

static void *churn_run(void *arg)
{
	struct churn *c = (struct churn *)arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		struct item *i = items_new(1);

		hazptr_retire_free(c->domain, i, head);
	}
	return NULL;
}

static void *barriers_run(void *arg)
{
	struct churn *c = (struct churn *)arg;
	struct item *items = items_new(100);
	int i;

	for (i = 0; i < 100; i++) {
		hazptr_retire(c->domain, &items[i], head, item_reclaim);
		hazptr_barrier(c->domain);
		must(item_gone(&items[i]) == 1);
	}
	free(items);
	return NULL;
}

static void barriers_beside_retirers(enum hazptr_reclaim policy)
{
	struct churn c = { test_domain(policy, 64, 1), 0 };
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		threads[i] = test_start(i < 2 ? churn_run : barriers_run, &c);
	test_join(threads[2]);
	test_join(threads[3]);
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELAXED);
	test_join(threads[0]);
	test_join(threads[1]);
	assert_int_equal(hazptr_domain_destroy(c.domain), 0);
}

static void barriers_end_while_others_retire(void **state)
{
	(void)state;
	barriers_beside_retirers(HAZPTR_RECLAIM_INLINE);
	barriers_beside_retirers(HAZPTR_RECLAIM_BACKGROUND);
}

/* Domains come and go, also at an address where one was before. */
static void domains_come_and_go(void **state)
{
	struct item *items = items_new(20);
	struct hazptr_domain *d;
	struct retirer r;
	int i, j;

	(void)state;
	for (i = 0; i < TEST_MANY(200); i++) {
		d = test_domain((enum hazptr_reclaim)(i % 3), 16,
				TEST_NEVER_MS);
		assert_int_equal(test_stats(d).retired, 0);
		retirer_start(&r, d, items, 10);
		for (j = 10; j < 20; j++)
			hazptr_retire(d, &items[j], head, item_reclaim);
		assert_int_equal(test_stats(d).retired, 20);
		assert_int_equal(hazptr_domain_destroy(d), 0);
		assert_int_equal(items_gone(items, 20), 20 * (i + 1));
		retirer_stop(&r);
	}
	free(items);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(flush_says_how_many),
		cmocka_unit_test(flush_of_a_background_domain),
		cmocka_unit_test(flush_takes_over_from_others),
		cmocka_unit_test(barrier_in_every_policy),
		cmocka_unit_test(barriers_end_while_others_retire),
		cmocka_unit_test(domains_come_and_go),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
