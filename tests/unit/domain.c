/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/domain.c - the sentences of hazptr/domain.h about domains
 *
 * Making and destroying them, and their figures. Flush and barrier:
 * domain_barrier.c. Who runs what: domain_policy.c.
 */
#include "test.h"

#include <hazptr/domain.h>

static struct hazptr_domain_opts good_opts(void)
{
	struct hazptr_domain_opts opts;

	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	return opts;
}

static struct hazptr_domain *must_create(const struct hazptr_domain_opts *opts)
{
	struct hazptr_domain *d = NULL;

	assert_int_equal(hazptr_domain_create(&d, opts), 0);
	assert_non_null(d);
	return d;
}

/* hazptr_domain_create() */

static void create_with_all_defaults(void **state)
{
	struct hazptr_domain_opts opts = good_opts();
	struct hazptr_domain *d = must_create(NULL);
	struct hazptr_domain *e = must_create(&opts);
	struct hazptr_stats s = test_stats(d);

	(void)state;
	assert_ptr_not_equal(d, e);
	assert_int_equal(s.max_retired,
			 2 * s.slots > 1000 ? 2 * s.slots : 1000);
	assert_int_equal(test_stats(e).max_retired, s.max_retired);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	assert_int_equal(hazptr_domain_destroy(e), 0);
}

static void bad_size_is_refused(void **state)
{
	static const size_t bad[] = {
		0,
		1,
		sizeof(struct hazptr_domain_opts) - 1,
		sizeof(struct hazptr_domain_opts) + 8,
		SIZE_MAX,
	};
	struct hazptr_domain_opts opts = good_opts();
	struct hazptr_domain *d = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(bad); i++) {
		opts.size = bad[i];
		assert_int_equal(hazptr_domain_create(&d, &opts), -EINVAL);
		assert_null(d);
	}
}

static void bad_policy_is_refused(void **state)
{
	static const int bad[] = { 3, 4, -1, 99, INT32_MAX };
	struct hazptr_domain_opts opts = good_opts();
	struct hazptr_domain *d = NULL;
	size_t i;

	(void)state;
	assert_int_equal(sizeof(opts.reclaim), sizeof(int));
	for (i = 0; i < TEST_COUNT(bad); i++) {
		memcpy(&opts.reclaim, &bad[i], sizeof(int));
		assert_int_equal(hazptr_domain_create(&d, &opts), -EINVAL);
		assert_null(d);
	}
}

static void options_are_taken(void **state)
{
	struct hazptr_domain_opts opts = good_opts();
	struct hazptr_domain *d;
	char name[8] = "cache";

	(void)state;
	opts.max_retired = 77;
	opts.name = name;
	d = must_create(&opts);
	memset(name, 'x', sizeof(name) - 1); /* it was copied */
	assert_int_equal(test_stats(d).max_retired, 77);
	assert_string_equal(test_stats(d).name, "cache");
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

static void long_name_is_cut(void **state)
{
	struct hazptr_domain_opts opts = good_opts();
	struct hazptr_domain *d;
	struct hazptr_stats s;

	(void)state;
	opts.name = "0123456789012345678901234567890123456789";
	d = must_create(&opts);
	s = test_stats(d);
	assert_int_equal(strlen(s.name), sizeof(s.name) - 1);
	assert_memory_equal(s.name, opts.name, sizeof(s.name) - 1);
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

static void no_name_is_a_name(void **state)
{
	struct hazptr_domain *d = must_create(NULL);
	struct hazptr_stats s = test_stats(d);

	(void)state;
	assert_non_null(memchr(s.name, 0, sizeof(s.name)));
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

static void the_default_domain(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_stats before = test_stats(NULL), s;

	(void)state;
	assert_int_equal(before.max_retired,
			 2 * before.slots > 1000 ? 2 * before.slots : 1000);
	assert_true(strlen(before.name) > 0);
	hazptr_retire(NULL, &x, head, item_reclaim);
	hazptr_barrier(NULL);
	assert_int_equal(item_gone(&x), 1);
	s = test_stats(NULL);
	assert_int_equal(s.retired, before.retired + 1);
	assert_int_equal(s.reclaimed, before.reclaimed + 1);
	assert_int_equal(hazptr_domain_destroy(NULL), -EINVAL);
	assert_int_equal(hazptr_flush(NULL), 0);
}

/* hazptr_domain_destroy() */

static void destroy_reclaims_everything(enum hazptr_reclaim policy)
{
	struct hazptr_domain *d = test_domain(policy, 16, TEST_NEVER_MS);
	struct item *items = items_new(100);
	int i;

	for (i = 0; i < 100; i++)
		hazptr_retire(d, &items[i], head, item_reclaim);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	assert_int_equal(items_gone(items, 100), 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(item_gone(&items[i]), 1);
	free(items);
}

static void destroy_in_every_policy(void **state)
{
	(void)state;
	destroy_reclaims_everything(HAZPTR_RECLAIM_BACKGROUND);
	destroy_reclaims_everything(HAZPTR_RECLAIM_INLINE);
	destroy_reclaims_everything(HAZPTR_RECLAIM_MANUAL);
}

struct waiter {
	struct hazptr_domain *domain;
	int result;
	int done;
};

static void *destroy_run(void *arg)
{
	struct waiter *w = (struct waiter *)arg;

	w->result = hazptr_domain_destroy(w->domain);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *barrier_run(void *arg)
{
	struct waiter *w = (struct waiter *)arg;

	hazptr_barrier(w->domain);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(const struct waiter *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_ACQUIRE);
}

/* While a reader keeps an object, neither barrier nor destroy returns. */
static void waits_for_a_reader(enum hazptr_reclaim policy, void *(*run)(void *))
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct waiter w = { test_domain(policy, 0, 1), 0, 0 };
	struct reader r;
	pthread_t thread;

	reader_start(&r, &x, 0, false);
	hazptr_retire(w.domain, &x, head, item_reclaim);
	thread = test_start(run, &w);
	test_sleep_ms(30);
	assert_false(is_done(&w));
	assert_int_equal(item_gone(&x), 0);
	assert_true(reader_stop(&r));
	test_join(thread);
	assert_int_equal(w.result, 0);
	assert_int_equal(item_gone(&x), 1);
	if (run != destroy_run)
		assert_int_equal(hazptr_domain_destroy(w.domain), 0);
}

static void destroy_waits_for_readers(void **state)
{
	(void)state;
	waits_for_a_reader(HAZPTR_RECLAIM_BACKGROUND, destroy_run);
	waits_for_a_reader(HAZPTR_RECLAIM_INLINE, destroy_run);
	waits_for_a_reader(HAZPTR_RECLAIM_MANUAL, destroy_run);
}

static void barrier_waits_for_readers(void **state)
{
	(void)state;
	waits_for_a_reader(HAZPTR_RECLAIM_BACKGROUND, barrier_run);
	waits_for_a_reader(HAZPTR_RECLAIM_INLINE, barrier_run);
	waits_for_a_reader(HAZPTR_RECLAIM_MANUAL, barrier_run);
}

/* What a reclaim function may not do, or may. */

static struct hazptr_domain *used_inside;
static int inside_result;

static void destroys(struct hazptr_head *head)
{
	inside_result = hazptr_domain_destroy(used_inside);
	item_reclaim(head);
}

static void destroy_inside_a_function_is_busy(void **state)
{
	struct hazptr_domain *other = must_create(NULL);
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };

	(void)state;
	used_inside = test_manual;
	inside_result = 0;
	hazptr_retire(test_manual, &x, head, destroys);
	hazptr_barrier(test_manual);
	assert_int_equal(item_gone(&x), 1);
	assert_int_equal(inside_result, -EBUSY);
	used_inside = other; /* not its own domain either */
	inside_result = 0;
	hazptr_retire(test_manual, &y, head, destroys);
	hazptr_barrier(test_manual);
	assert_int_equal(inside_result, -EBUSY);
	assert_int_equal(hazptr_domain_destroy(other), 0);
}

static void destroy_inside_a_background_function(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	used_inside = must_create(NULL);
	inside_result = 0;
	hazptr_retire(used_inside, &x, head, destroys);
	hazptr_barrier(used_inside);
	assert_int_equal(inside_result, -EBUSY);
	assert_int_equal(hazptr_domain_destroy(used_inside), 0);
}

static int inside_depth;

static void flushes(struct hazptr_head *head)
{
	must(++inside_depth == 1);
	hazptr_flush(test_manual);
	item_reclaim(head);
	inside_depth--;
}

static void flush_inside_a_function_runs_none(void **state)
{
	struct item *items = items_new(3);
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		hazptr_retire(test_manual, &items[i], head, flushes);
	hazptr_barrier(test_manual);
	assert_int_equal(items_gone(items, 3), 3);
	free(items);
}

/* hazptr_domain_stats() */

static void check_sums(const struct hazptr_stats *s)
{
	assert_int_equal(s->size, sizeof(*s));
	assert_int_equal(s->retired, s->reclaimed + s->pending);
	assert_int_equal(s->pending, s->waiting + s->ready);
	assert_true(s->pending_peak >= s->pending);
}

static void figures_follow_the_objects(void **state)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item *items = items_new(300);
	struct hazptr_stats s, before = test_stats(d);
	int i;

	(void)state;
	check_sums(&before);
	assert_int_equal(before.retired, 0);
	assert_int_equal(before.pending_peak, 0);
	hazptr_hold(&g, &items[0]);
	for (i = 0; i < 300; i++) {
		hazptr_retire(d, &items[i], head, item_reclaim);
		s = test_stats(d);
		check_sums(&s);
		assert_int_equal(s.retired, i + 1);
		assert_int_equal(s.waiting, i + 1);
	}
	assert_int_equal(hazptr_flush(d), 299);
	s = test_stats(d);
	check_sums(&s);
	assert_int_equal(s.retired, 300);
	assert_int_equal(s.reclaimed, 299);
	assert_int_equal(s.waiting, 1);
	assert_int_equal(s.pending_peak, 300);
	assert_true(s.scans > before.scans);
	assert_true(s.heavy_fences > before.heavy_fences);
	hazptr_release(&g);
	hazptr_flush(d);
	s = test_stats(d);
	check_sums(&s);
	assert_int_equal(s.pending, 0);
	assert_int_equal(s.pending_peak, 300); /* the peak stays */
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static sem_t hold_back;

static void waits_first(struct hazptr_head *head)
{
	test_wait(&hold_back);
	item_reclaim(head);
}

static void ready_ones_wait_for_their_function(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, 0, TEST_NEVER_MS);
	struct item *items = items_new(5);
	struct hazptr_stats s;
	int i;

	(void)state;
	assert_int_equal(sem_init(&hold_back, 0, 0), 0);
	for (i = 0; i < 5; i++)
		hazptr_retire(d, &items[i], head, waits_first);
	assert_int_equal(hazptr_flush(d), 5);
	s = test_stats(d);
	check_sums(&s);
	assert_int_equal(s.ready, 5);
	assert_int_equal(s.waiting, 0);
	assert_int_equal(s.reclaimed, 0);
	for (i = 0; i < 5; i++)
		sem_post(&hold_back);
	hazptr_barrier(d);
	s = test_stats(d);
	check_sums(&s);
	assert_int_equal(s.ready, 0);
	assert_int_equal(s.reclaimed, 5);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void stats_writes_no_more_than_asked(void **state)
{
	static const size_t sizes[] = {
		offsetof(struct hazptr_stats, reclaimed),
		offsetof(struct hazptr_stats, waiting),
		offsetof(struct hazptr_stats, name),
		sizeof(struct hazptr_stats),
	};
	struct {
		struct hazptr_stats s;
		unsigned char behind[64];
	} u;
	unsigned char *bytes = (unsigned char *)&u;
	size_t i, j;

	(void)state;
	for (i = 0; i < TEST_COUNT(sizes); i++) {
		memset(&u, 0xa5, sizeof(u));
		u.s.size = sizes[i];
		hazptr_domain_stats(NULL, &u.s);
		assert_true(u.s.retired != UINT64_C(0xa5a5a5a5a5a5a5a5));
		for (j = sizes[i]; j < sizeof(u); j++)
			assert_int_equal(bytes[j], 0xa5);
	}
	memset(&u, 0xa5, sizeof(u));
	u.s.size = sizeof(u); /* a later, larger one: this much is known */
	hazptr_domain_stats(NULL, &u.s);
	for (j = sizeof(u.s); j < sizeof(u); j++)
		assert_int_equal(bytes[j], 0xa5);
}

/* Misuse */

static void child_destroy_with_cohort(void)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_INLINE, 0, 0);
	struct hazptr_cohort cohort;

	must(!hazptr_cohort_init(&cohort, d));
	test_names(d);
	hazptr_domain_destroy(d);
}

static void barriers(struct hazptr_head *head)
{
	hazptr_barrier(used_inside);
	item_reclaim(head);
}

static void child_barrier_inside(void)
{
	static struct item x;

	used_inside = test_domain(HAZPTR_RECLAIM_INLINE, 0, 0);
	test_names(used_inside);
	hazptr_retire(used_inside, &x, head, barriers);
	hazptr_flush(used_inside);
}

static void child_barrier_inside_background(void)
{
	static struct item x;

	used_inside = test_domain(HAZPTR_RECLAIM_BACKGROUND, 0, 0);
	test_names(used_inside);
	hazptr_retire(used_inside, &x, head, barriers);
	hazptr_barrier(used_inside);
}

static const struct test_child children[] = {
	{ "destroy with cohort", child_destroy_with_cohort },
	{ "barrier inside", child_barrier_inside },
	{ "barrier inside background", child_barrier_inside_background },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_with_all_defaults),
		cmocka_unit_test(bad_size_is_refused),
		cmocka_unit_test(bad_policy_is_refused),
		cmocka_unit_test(options_are_taken),
		cmocka_unit_test(long_name_is_cut),
		cmocka_unit_test(no_name_is_a_name),
		cmocka_unit_test(the_default_domain),
		cmocka_unit_test(destroy_in_every_policy),
		cmocka_unit_test(destroy_waits_for_readers),
		cmocka_unit_test(barrier_waits_for_readers),
		cmocka_unit_test(destroy_inside_a_function_is_busy),
		cmocka_unit_test(destroy_inside_a_background_function),
		cmocka_unit_test(flush_inside_a_function_runs_none),
		cmocka_unit_test(figures_follow_the_objects),
		cmocka_unit_test(ready_ones_wait_for_their_function),
		cmocka_unit_test(stats_writes_no_more_than_asked),
		MISUSE("destroy with cohort", "hazptr_domain_destroy"),
		MISUSE("barrier inside", "hazptr_barrier"),
		MISUSE("barrier inside background", "hazptr_barrier"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
