/* SPDX-License-Identifier: MIT */
/* tests/unit/retire_cohort.c - objects that can be waited for together */
#include "test.h"

#include <hazptr/retire.h>

static void cohort_retire_item(struct hazptr_cohort *c, struct item *i)
{
	hazptr_cohort_retire(c, i, head, item_reclaim);
}

static void init_in_any_domain(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_cohort c;

	(void)state;
	memset(&c, 0x5a, sizeof(c));
	assert_int_equal(hazptr_cohort_init(&c, NULL), 0); /* the default */
	cohort_retire_item(&c, &x);
	hazptr_cohort_barrier(&c);
	assert_int_equal(item_gone(&x), 1);
	hazptr_cohort_destroy(&c);
	assert_int_equal(hazptr_cohort_init(&c, test_manual), 0);
	cohort_retire_item(&c, &x);
	hazptr_cohort_barrier(&c);
	assert_int_equal(item_gone(&x), 2);
	hazptr_cohort_barrier(&c); /* of nothing */
	hazptr_cohort_destroy(&c);
}

static void barrier_in_every_policy(void **state)
{
	struct hazptr_domain *d;
	struct hazptr_cohort c;
	struct item *items = items_new(100);
	int policy, i;

	(void)state;
	for (policy = 0; policy < 3; policy++) {
		d = test_domain((enum hazptr_reclaim)policy, 16, TEST_NEVER_MS);
		assert_int_equal(hazptr_cohort_init(&c, d), 0);
		for (i = 0; i < 100; i++)
			cohort_retire_item(&c, &items[i]);
		hazptr_cohort_barrier(&c);
		assert_int_equal(items_gone(items, 100), 100 * (policy + 1));
		assert_int_equal(test_stats(d).retired, 100);
		assert_int_equal(test_stats(d).reclaimed, 100);
		hazptr_cohort_destroy(&c);
		assert_int_equal(hazptr_domain_destroy(d), 0);
	}
	free(items);
}

static void frees_and_functions(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_cohort c;
	struct item *p, *q;
	int i;

	(void)state;
	assert_int_equal(hazptr_cohort_init(&c, test_manual), 0);
	for (i = 0; i < 100; i++) {
		p = items_new(2);
		q = p;
		hazptr_cohort_retire(&c, q++, head, NULL); /* free(p) */
		assert_ptr_equal(q, p + 1);		   /* evaluated once */
	}
	cohort_retire_item(&c, &x);
	assert_int_equal(hazptr_flush(test_manual), 101);
	assert_int_equal(item_gone(&x), 1);
	hazptr_cohort_destroy(&c);
}

static void guards_keep_objects_of_cohorts(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_cohort c;

	(void)state;
	assert_int_equal(hazptr_cohort_init(&c, test_manual), 0);
	hazptr_hold(&g, &x);
	cohort_retire_item(&c, &x);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
	hazptr_cohort_destroy(&c);
}

/* Its barrier waits for its own objects, and for no others. */
static void barrier_waits_for_its_own_only(enum hazptr_reclaim policy)
{
	struct hazptr_domain *d = test_domain(policy, 0, 1);
	struct hazptr_guard guards[2];
	struct hazptr_cohort c, other;
	struct item *items = items_new(3);

	memset(guards, 0, sizeof(guards));
	assert_int_equal(hazptr_cohort_init(&c, d), 0);
	assert_int_equal(hazptr_cohort_init(&other, d), 0);
	hazptr_hold(&guards[0], &items[0]);
	hazptr_hold(&guards[1], &items[1]);
	hazptr_retire(d, &items[0], head, item_reclaim);
	cohort_retire_item(&other, &items[1]);
	cohort_retire_item(&c, &items[2]);
	hazptr_cohort_barrier(&c); /* returns, though two others are kept */
	assert_int_equal(item_gone(&items[2]), 1);
	assert_int_equal(items_gone(items, 3), 1);
	hazptr_cohort_destroy(&c);
	hazptr_release(&guards[1]);
	hazptr_cohort_barrier(&other);
	assert_int_equal(item_gone(&items[1]), 1);
	assert_int_equal(item_gone(&items[0]), 0);
	hazptr_cohort_destroy(&other);
	hazptr_release(&guards[0]);
	hazptr_barrier(d);
	assert_int_equal(item_gone(&items[0]), 1);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void barrier_returns_while_others_are_kept(void **state)
{
	(void)state;
	barrier_waits_for_its_own_only(HAZPTR_RECLAIM_MANUAL);
	barrier_waits_for_its_own_only(HAZPTR_RECLAIM_INLINE);
	barrier_waits_for_its_own_only(HAZPTR_RECLAIM_BACKGROUND);
}

struct waiter {
	struct hazptr_cohort *cohort;
	bool destroy;
	int done;
};

static void *waiter_run(void *arg)
{
	struct waiter *w = (struct waiter *)arg;

	if (w->destroy)
		hazptr_cohort_destroy(w->cohort);
	else
		hazptr_cohort_barrier(w->cohort);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void waits_for_a_reader(enum hazptr_reclaim policy, bool destroy)
{
	struct hazptr_domain *d = test_domain(policy, 0, 1);
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_cohort c;
	struct waiter w = { &c, destroy, 0 };
	struct reader r;
	pthread_t thread;

	assert_int_equal(hazptr_cohort_init(&c, d), 0);
	reader_start(&r, &x, 0, false);
	cohort_retire_item(&c, &x);
	thread = test_start(waiter_run, &w);
	test_sleep_ms(20);
	assert_false(__atomic_load_n(&w.done, __ATOMIC_ACQUIRE));
	assert_int_equal(item_gone(&x), 0);
	assert_true(reader_stop(&r));
	test_join(thread);
	assert_int_equal(item_gone(&x), 1);
	if (!destroy)
		hazptr_cohort_destroy(&c);
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

static void barrier_and_destroy_wait_for_readers(void **state)
{
	int policy;

	(void)state;
	for (policy = 0; policy < 3; policy++) {
		waits_for_a_reader((enum hazptr_reclaim)policy, false);
		waits_for_a_reader((enum hazptr_reclaim)policy, true);
	}
}

/* "have returned": the function's last instruction, not its first. */

static int function_state; /* 1: inside, 2: about to return */

static void slow_reclaim(struct hazptr_head *head)
{
	__atomic_store_n(&function_state, 1, __ATOMIC_RELAXED);
	test_sleep_ms(20);
	item_reclaim(head);
	__atomic_store_n(&function_state, 2, __ATOMIC_RELAXED);
}

static void barrier_waits_until_functions_return(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, 0, TEST_NEVER_MS);
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_cohort c;
	int i;

	(void)state;
	assert_int_equal(hazptr_cohort_init(&c, d), 0);
	for (i = 0; i < 3; i++) {
		__atomic_store_n(&function_state, 0, __ATOMIC_RELAXED);
		hazptr_cohort_retire(&c, &x, head, slow_reclaim);
		hazptr_flush(d);
		if (i > 0) /* it has begun, its object left the cohort */
			while (!__atomic_load_n(&function_state,
						__ATOMIC_RELAXED))
				sched_yield();
		hazptr_cohort_barrier(&c);
		assert_int_equal(
			__atomic_load_n(&function_state, __ATOMIC_RELAXED), 2);
	}
	hazptr_cohort_destroy(&c);
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

/* The same when another thread, not the library's, is at the function. */

static void *flush_run(void *arg)
{
	hazptr_flush((struct hazptr_domain *)arg);
	return NULL;
}

static void another_thread_runs_it(enum hazptr_reclaim policy, bool cohort)
{
	struct hazptr_domain *d = test_domain(policy, 0, TEST_NEVER_MS);
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_cohort c;
	pthread_t thread;

	assert_int_equal(hazptr_cohort_init(&c, d), 0);
	__atomic_store_n(&function_state, 0, __ATOMIC_RELAXED);
	if (cohort)
		hazptr_cohort_retire(&c, &x, head, slow_reclaim);
	else
		hazptr_retire(d, &x, head, slow_reclaim);
	thread = test_start(flush_run, d);
	while (!__atomic_load_n(&function_state, __ATOMIC_RELAXED))
		sched_yield();
	if (cohort)
		hazptr_cohort_barrier(&c);
	else
		hazptr_barrier(d);
	assert_int_equal(__atomic_load_n(&function_state, __ATOMIC_RELAXED), 2);
	test_join(thread);
	hazptr_cohort_destroy(&c);
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

static void barriers_wait_for_functions_in_other_threads(void **state)
{
	(void)state;
	another_thread_runs_it(HAZPTR_RECLAIM_INLINE, true);
	another_thread_runs_it(HAZPTR_RECLAIM_INLINE, false);
	another_thread_runs_it(HAZPTR_RECLAIM_MANUAL, true);
	another_thread_runs_it(HAZPTR_RECLAIM_MANUAL, false);
}

static void the_domains_barrier_covers_its_cohorts(void **state)
{
	enum { COHORTS = 20 };
	struct hazptr_domain *d;
	struct hazptr_cohort c[COHORTS];
	struct item *items = items_new(2 * COHORTS);
	int policy, i;

	(void)state;
	for (policy = 0; policy < 3; policy++) {
		d = test_domain((enum hazptr_reclaim)policy, 0, TEST_NEVER_MS);
		for (i = 0; i < COHORTS; i++)
			assert_int_equal(hazptr_cohort_init(&c[i], d), 0);
		for (i = 0; i < COHORTS; i++) {
			cohort_retire_item(&c[i], &items[2 * i]);
			hazptr_retire(d, &items[2 * i + 1], head, item_reclaim);
		}
		hazptr_barrier(d);
		assert_int_equal(items_gone(items, 2 * COHORTS),
				 2 * COHORTS * (policy + 1));
		assert_int_equal(test_stats(d).pending, 0);
		for (i = 0; i < COHORTS; i++)
			hazptr_cohort_destroy(&c[(i * 7) % COHORTS]);
		assert_int_equal(hazptr_domain_destroy(d), 0);
	}
	free(items);
}

static void flush_covers_the_cohorts(void **state)
{
	struct hazptr_cohort c[6];
	struct item *items = items_new(6);
	int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		assert_int_equal(hazptr_cohort_init(&c[i], test_manual), 0);
		cohort_retire_item(&c[i], &items[i]);
	}
	assert_int_equal(test_stats(test_manual).pending, 6);
	assert_int_equal(hazptr_flush(test_manual), 6);
	assert_int_equal(items_gone(items, 6), 6);
	for (i = 0; i < 6; i++)
		hazptr_cohort_destroy(&c[i]);
	free(items);
}

/* Its memory can be reused afterwards. */
static void destroyed_cohort_is_forgotten(void **state)
{
	struct hazptr_cohort *c;
	struct item *items = items_new(400);
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		c = (struct hazptr_cohort *)malloc(sizeof(*c));
		assert_non_null(c);
		assert_int_equal(
			hazptr_cohort_init(c, i % 2 ? NULL : test_manual), 0);
		cohort_retire_item(c, &items[2 * i]);
		hazptr_cohort_destroy(c);
		assert_int_equal(item_gone(&items[2 * i]), 1);
		memset(c, 0xa5, sizeof(*c));
		free(c);
		retire_item(&items[2 * i + 1]);
		assert_gone(&items[2 * i + 1]);
	}
	hazptr_barrier(test_manual);
	hazptr_barrier(NULL);
	free(items);
}

/* Many cohorts and domains by one thread, and one cohort by many threads. */

static void many_cohorts_by_one_thread(void **state)
{
	enum { DOMAINS = 3, COHORTS = 5, ROUNDS = 200 };
	struct hazptr_domain *d[DOMAINS];
	struct hazptr_cohort c[DOMAINS][COHORTS];
	struct item *items = items_new(DOMAINS * COHORTS * ROUNDS);
	struct item *next = items;
	int i, j, k;

	(void)state;
	for (i = 0; i < DOMAINS; i++) {
		d[i] = test_domain((enum hazptr_reclaim)i, 64, 5);
		for (j = 0; j < COHORTS; j++)
			assert_int_equal(hazptr_cohort_init(&c[i][j], d[i]), 0);
	}
	for (k = 0; k < ROUNDS; k++)
		for (i = 0; i < DOMAINS; i++)
			for (j = 0; j < COHORTS; j++)
				cohort_retire_item(&c[i][j], next++);
	for (i = 0; i < DOMAINS; i++)
		for (j = 0; j < COHORTS; j++)
			hazptr_cohort_barrier(&c[i][j]);
	assert_int_equal(items_gone(items, DOMAINS * COHORTS * ROUNDS),
			 DOMAINS * COHORTS * ROUNDS);
	for (i = 0; i < DOMAINS; i++) {
		assert_int_equal(test_stats(d[i]).retired, COHORTS * ROUNDS);
		for (j = 0; j < COHORTS; j++)
			hazptr_cohort_destroy(&c[i][j]);
		assert_int_equal(hazptr_domain_destroy(d[i]), 0);
	}
	free(items);
}

struct retirer {
	struct hazptr_cohort *cohort;
	struct item *items;
	size_t n;
	sem_t *retired;
	sem_t *stop;
	pthread_t thread;
};

static void *retirer_run(void *arg)
{
	struct retirer *r = (struct retirer *)arg;
	size_t i;

	for (i = 0; i < r->n; i++)
		cohort_retire_item(r->cohort, &r->items[i]);
	must(!sem_post(r->retired));
	test_wait(r->stop);
	return NULL;
}

static void one_cohort_by_many_threads(void **state)
{
	enum { THREADS = 4, EACH = 500 };
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, 64, TEST_NEVER_MS);
	struct item *items = items_new(THREADS * EACH);
	struct retirer r[THREADS];
	struct hazptr_cohort c;
	sem_t retired, stop;
	int i;

	(void)state;
	assert_int_equal(hazptr_cohort_init(&c, d), 0);
	assert_int_equal(sem_init(&retired, 0, 0), 0);
	assert_int_equal(sem_init(&stop, 0, 0), 0);
	for (i = 0; i < THREADS; i++) {
		r[i].cohort = &c;
		r[i].items = items + i * EACH;
		r[i].n = EACH;
		r[i].retired = &retired;
		r[i].stop = &stop;
		r[i].thread = test_start(retirer_run, &r[i]);
	}
	for (i = 0; i < THREADS; i++)
		test_wait(&retired);
	hazptr_cohort_barrier(&c); /* the retirers sleep */
	assert_int_equal(items_gone(items, THREADS * EACH), THREADS * EACH);
	for (i = 0; i < THREADS; i++)
		sem_post(&stop);
	for (i = 0; i < THREADS; i++)
		test_join(r[i].thread);
	hazptr_cohort_destroy(&c);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

/* Cohorts come and go while barriers of the domain and of others run. */

static struct hazptr_domain *shared;
static int cohorts_stop;

static void *cohorts_come_and_go(void *arg)
{
	struct item *items = items_new(10);
	struct hazptr_cohort c;
	size_t turn, i;

	for (turn = 1; turn <= *(size_t *)arg; turn++) {
		must(!hazptr_cohort_init(&c, shared));
		for (i = 0; i < 10; i++)
			cohort_retire_item(&c, &items[i]);
		hazptr_cohort_destroy(&c);
		must(items_gone(items, 10) == 10 * turn);
		memset(&c, 0xa5, sizeof(c));
	}
	free(items);
	return NULL;
}

static void *barriers_all_the_time(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&cohorts_stop, __ATOMIC_RELAXED)) {
		hazptr_barrier(shared);
		hazptr_flush(shared);
	}
	return NULL;
}

static void cohorts_beside_barriers(void **state)
{
	size_t turns = TEST_MANY(300);
	pthread_t threads[4];
	int policy, i;

	(void)state;
	for (policy = 0; policy < 3; policy++) {
		shared = test_domain((enum hazptr_reclaim)policy, 16, 1);
		__atomic_store_n(&cohorts_stop, 0, __ATOMIC_RELAXED);
		for (i = 0; i < 4; i++)
			threads[i] = test_start(i < 3 ? cohorts_come_and_go
						      : barriers_all_the_time,
						&turns);
		for (i = 0; i < 3; i++)
			test_join(threads[i]);
		__atomic_store_n(&cohorts_stop, 1, __ATOMIC_RELAXED);
		test_join(threads[3]);
		assert_int_equal(hazptr_domain_destroy(shared), 0);
	}
}

/* A function may retire into the cohort; destroy comes when that is over. */

static struct hazptr_cohort chain_cohort;

static void retires_the_next(struct hazptr_head *head)
{
	struct item *i = item_of(head);

	if (i->number < 99)
		hazptr_cohort_retire(&chain_cohort, i + 1, head,
				     retires_the_next);
	item_reclaim(head);
}

static void functions_retire_into_the_cohort(void **state)
{
	struct item *items = items_new(100);

	(void)state;
	assert_int_equal(hazptr_cohort_init(&chain_cohort, test_manual), 0);
	hazptr_cohort_retire(&chain_cohort, &items[0], head, retires_the_next);
	while (!item_gone(&items[99]))
		hazptr_cohort_barrier(&chain_cohort);
	assert_int_equal(items_gone(items, 100), 100);
	hazptr_cohort_retire(&chain_cohort, &items[0], head, retires_the_next);
	hazptr_cohort_destroy(&chain_cohort);
	assert_int_equal(items_gone(items, 100), 200);
	free(items);
}

/* Misuse: inside a reclaim function, which would wait for itself. */

static struct hazptr_cohort misused;

static void cohort_barriers(struct hazptr_head *head)
{
	(void)head;
	hazptr_cohort_barrier(&misused);
}

static void cohort_destroys(struct hazptr_head *head)
{
	(void)head;
	hazptr_cohort_destroy(&misused);
}

static void misuse(hazptr_reclaim_fn fn)
{
	static struct item x;

	must(!hazptr_cohort_init(&misused, NULL));
	test_names(&misused);
	hazptr_cohort_retire(&misused, &x, head, fn);
	hazptr_barrier(NULL);
}

static void child_barrier_inside(void)
{
	misuse(cohort_barriers);
}

static void child_destroy_inside(void)
{
	misuse(cohort_destroys);
}

static const struct test_child children[] = {
	{ "barrier inside", child_barrier_inside },
	{ "destroy inside", child_destroy_inside },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_in_any_domain),
		cmocka_unit_test(barrier_in_every_policy),
		cmocka_unit_test(frees_and_functions),
		cmocka_unit_test(guards_keep_objects_of_cohorts),
		cmocka_unit_test(barrier_returns_while_others_are_kept),
		cmocka_unit_test(barrier_and_destroy_wait_for_readers),
		cmocka_unit_test(barrier_waits_until_functions_return),
		cmocka_unit_test(barriers_wait_for_functions_in_other_threads),
		cmocka_unit_test(the_domains_barrier_covers_its_cohorts),
		cmocka_unit_test(flush_covers_the_cohorts),
		cmocka_unit_test(destroyed_cohort_is_forgotten),
		cmocka_unit_test(many_cohorts_by_one_thread),
		cmocka_unit_test(one_cohort_by_many_threads),
		cmocka_unit_test(cohorts_beside_barriers),
		cmocka_unit_test(functions_retire_into_the_cohort),
		MISUSE("barrier inside", "hazptr_cohort_barrier"),
		MISUSE("destroy inside", "hazptr_cohort_destroy"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
