/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/domain_policy.c - which thread runs what, and when
 *
 * The table of hazptr/domain.h, line by line; that functions are never nested;
 * back pressure; the time bound. What frees is seen by a free() of our own
 * (the program is linked with --wrap=free).
 */
#include "test.h"

#include <hazptr/domain.h>

/* Who ran the functions of the last run, how deep, at which stack depth. */
static struct {
	pthread_mutex_t lock;
	size_t by_caller;
	size_t by_others;
	pthread_t other; /* the last one */
	bool several;	 /* more than one other thread */
	bool nested;
	uintptr_t lowest, highest; /* addresses of locals, of others */
	uintptr_t caller_lowest, caller_highest;
} log_ = { PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, false, false, 0, 0, 0, 0 };

static pthread_t caller;
static __thread int depth;

static void log_reset(void)
{
	pthread_mutex_lock(&log_.lock);
	caller = pthread_self();
	log_.by_caller = log_.by_others = 0;
	log_.several = log_.nested = false;
	log_.lowest = log_.caller_lowest = UINTPTR_MAX;
	log_.highest = log_.caller_highest = 0;
	pthread_mutex_unlock(&log_.lock);
}

static void widen(uintptr_t *lowest, uintptr_t *highest, uintptr_t at)
{
	if (at < *lowest)
		*lowest = at;
	if (at > *highest)
		*highest = at;
}

static void log_call(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	pthread_mutex_lock(&log_.lock);
	if (pthread_equal(pthread_self(), caller)) {
		log_.by_caller++;
		widen(&log_.caller_lowest, &log_.caller_highest, here);
	} else {
		if (log_.by_others &&
		    !pthread_equal(log_.other, pthread_self()))
			log_.several = true;
		log_.other = pthread_self();
		log_.by_others++;
		widen(&log_.lowest, &log_.highest, here);
	}
	log_.nested |= depth > 0;
	pthread_mutex_unlock(&log_.lock);
}

static size_t calls_by_caller(void)
{
	size_t n;

	pthread_mutex_lock(&log_.lock);
	n = log_.by_caller;
	pthread_mutex_unlock(&log_.lock);
	return n;
}

static size_t calls_by_others(void)
{
	size_t n;

	pthread_mutex_lock(&log_.lock);
	n = log_.by_others;
	pthread_mutex_unlock(&log_.lock);
	return n;
}

static void logged(struct hazptr_head *head)
{
	log_call();
	depth++;
	item_reclaim(head);
	depth--;
}

static void retire_logged(struct hazptr_domain *d, struct item *items, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		hazptr_retire(d, &items[i], head, logged);
}

/* User functions */

static void background_never_runs_in_the_caller(void **state)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_BACKGROUND, 16, 1);
	struct item *items = items_new(1000);

	(void)state;
	log_reset();
	retire_logged(d, items, 500);
	hazptr_flush(d);
	retire_logged(d, items + 500, 500);
	hazptr_barrier(d);
	assert_int_equal(items_gone(items, 1000), 1000);
	assert_int_equal(calls_by_caller(), 0);
	assert_int_equal(calls_by_others(), 1000);
	assert_false(log_.several);
	assert_false(log_.nested);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void inline_runs_in_retire_at_the_bound(void **state)
{
	static const size_t bounds[] = { 1, 4, 16, 1000 };
	struct item *items = items_new(4000);
	struct hazptr_domain *d;
	size_t i, j;

	(void)state;
	for (i = 0; i < TEST_COUNT(bounds); i++) {
		d = test_domain(HAZPTR_RECLAIM_INLINE, bounds[i],
				TEST_NEVER_MS);
		log_reset();
		for (j = 0; j < 2 * bounds[i]; j++)
			retire_logged(d, &items[j], 1);
		assert_true(calls_by_caller() >= bounds[i]);
		assert_int_equal(calls_by_others(), 0);
		assert_int_equal(hazptr_domain_destroy(d), 0);
		assert_int_equal(calls_by_caller(), 2 * bounds[i]);
	}
	free(items);
}

static void inline_runs_in_flush_and_barrier(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_INLINE, 0, TEST_NEVER_MS);
	struct item *items = items_new(20);

	(void)state;
	log_reset();
	retire_logged(d, items, 10);
	assert_int_equal(calls_by_caller(), 0);
	assert_int_equal(hazptr_flush(d), 10);
	assert_int_equal(calls_by_caller(), 10);
	retire_logged(d, items + 10, 10);
	assert_int_equal(calls_by_caller(), 10);
	hazptr_barrier(d);
	assert_int_equal(calls_by_caller(), 20);
	assert_int_equal(calls_by_others(), 0);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void manual_runs_in_flush_and_barrier_only(void **state)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_MANUAL, 4, 1);
	struct item *items = items_new(1000);

	(void)state;
	log_reset();
	retire_logged(d, items, 500);
	test_sleep_ms(60); /* neither the bound nor the time does anything */
	assert_int_equal(items_gone(items, 500), 0);
	assert_int_equal(test_stats(d).pending, 500);
	assert_int_equal(test_stats(d).scans, 0);
	assert_int_equal(hazptr_flush(d), 500);
	assert_int_equal(calls_by_caller(), 500);
	retire_logged(d, items + 500, 500);
	hazptr_barrier(d);
	assert_int_equal(calls_by_caller(), 1000);
	assert_int_equal(calls_by_others(), 0);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

/* Plain free: objects of a place of our own, so that free() is seen. */

struct freed {
	long gone;
	struct hazptr_head head;
};

#define FREED 4000

static struct freed freed[FREED];

#ifdef __cplusplus
extern "C" {
#endif
void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	struct freed *f = (struct freed *)p;

	if (f < freed || f >= freed + FREED) {
		__real_free(p);
		return;
	}
	must(((uintptr_t)p - (uintptr_t)freed) % sizeof(*f) == 0);
	must(f->gone == 0);
	f->gone = 1;
	log_call();
}
#ifdef __cplusplus
}
#endif

static void retire_freed(struct hazptr_domain *d, size_t from, size_t n)
{
	size_t i;

	for (i = from; i < from + n; i++) {
		memset(&freed[i], 0, sizeof(freed[i]));
		hazptr_retire_free(d, &freed[i], head);
	}
}

/* Whoever scans frees; so retire() does at the bound, in every policy. */
static void retire_frees_at_the_bound(enum hazptr_reclaim policy)
{
	struct hazptr_domain *d = test_domain(policy, 16, TEST_NEVER_MS);

	log_reset();
	retire_freed(d, 0, 100);
	assert_true(calls_by_caller() >= 100 - 16);
	assert_int_equal(calls_by_others(), 0);
	assert_int_equal(test_stats(d).reclaimed, calls_by_caller());
	hazptr_flush(d);
	assert_int_equal(calls_by_caller(), 100);
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

static void frees_run_in_retire(void **state)
{
	(void)state;
	retire_frees_at_the_bound(HAZPTR_RECLAIM_BACKGROUND);
	retire_frees_at_the_bound(HAZPTR_RECLAIM_INLINE);
}

static void manual_frees_in_flush_only(void **state)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_MANUAL, 4, 1);

	(void)state;
	log_reset();
	retire_freed(d, 0, 1000);
	test_sleep_ms(60);
	assert_int_equal(calls_by_caller() + calls_by_others(), 0);
	assert_int_equal(hazptr_flush(d), 1000);
	assert_int_equal(calls_by_caller(), 1000);
	retire_freed(d, 1000, 1000);
	hazptr_barrier(d);
	assert_int_equal(calls_by_caller(), 2000);
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

/* A free that is due waits for no function, not even one that blocks. */

static sem_t function_may_go;

static void blocks(struct hazptr_head *head)
{
	test_wait(&function_may_go);
	item_reclaim(head);
}

static void frees_do_not_wait_for_functions(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, 16, TEST_NEVER_MS);
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	assert_int_equal(sem_init(&function_may_go, 0, 0), 0);
	hazptr_retire(d, &x, head, blocks);
	assert_int_equal(hazptr_flush(d), 1); /* now it blocks */
	log_reset();
	retire_freed(d, 0, 1000);
	assert_true(calls_by_caller() >= 1000 - 16);
	assert_int_equal(item_gone(&x), 0);
	sem_post(&function_may_go);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	assert_int_equal(item_gone(&x), 1);
}

/* A function may retire: chains, without recursion. */

static struct {
	struct hazptr_domain *domain;
	struct item *items;
	long n;
} chain;

static void retires_the_next(struct hazptr_head *head)
{
	struct item *i = item_of(head);

	log_call();
	depth++;
	if (i->number + 1 < chain.n)
		hazptr_retire(chain.domain, &chain.items[i->number + 1], head,
			      retires_the_next);
	item_reclaim(head);
	depth--;
}

/* Each round of `drive` must bring the chain on. */
static void chain_ends(enum hazptr_reclaim policy, size_t max_retired, long n)
{
	chain.domain = test_domain(policy, max_retired, TEST_NEVER_MS);
	chain.items = items_new((size_t)n);
	chain.n = n;
	log_reset();
	hazptr_retire(chain.domain, &chain.items[0], head, retires_the_next);
	while (!item_gone(&chain.items[n - 1]))
		hazptr_barrier(chain.domain);
	assert_int_equal(items_gone(chain.items, (size_t)n), n);
	assert_false(log_.nested);
	assert_true(log_.caller_highest < log_.caller_lowest ||
		    log_.caller_highest - log_.caller_lowest < 65536);
	assert_true(log_.highest < log_.lowest || log_.several ||
		    log_.highest - log_.lowest < 65536);
	assert_int_equal(hazptr_domain_destroy(chain.domain), 0);
	free(chain.items);
}

static void long_chain_inline(void **state)
{
	(void)state;
	chain_ends(HAZPTR_RECLAIM_INLINE, 4, TEST_MANY(100000));
	chain_ends(HAZPTR_RECLAIM_INLINE, 0, TEST_MANY(10000));
}

static void long_chain_manual(void **state)
{
	(void)state;
	chain_ends(HAZPTR_RECLAIM_MANUAL, 0, TEST_MANY(100000));
}

static void long_chain_background(void **state)
{
	(void)state;
	chain_ends(HAZPTR_RECLAIM_BACKGROUND, 4, TEST_MANY(20000));
}

/* destroy "reclaims everything in it", what functions retire included. */
static void destroy_ends_a_chain(enum hazptr_reclaim policy, size_t max_retired,
				 long n)
{
	chain.domain = test_domain(policy, max_retired, TEST_NEVER_MS);
	chain.items = items_new((size_t)n);
	chain.n = n;
	log_reset();
	hazptr_retire(chain.domain, &chain.items[0], head, retires_the_next);
	assert_int_equal(hazptr_domain_destroy(chain.domain), 0);
	assert_int_equal(items_gone(chain.items, (size_t)n), n);
	assert_false(log_.nested);
	free(chain.items);
}

static void destroy_ends_chains(void **state)
{
	(void)state;
	destroy_ends_a_chain(HAZPTR_RECLAIM_MANUAL, 0, 2);
	destroy_ends_a_chain(HAZPTR_RECLAIM_MANUAL, 0, TEST_MANY(1000));
	destroy_ends_a_chain(HAZPTR_RECLAIM_INLINE, 0, TEST_MANY(1000));
	destroy_ends_a_chain(HAZPTR_RECLAIM_INLINE, 4, TEST_MANY(1000));
	destroy_ends_a_chain(HAZPTR_RECLAIM_BACKGROUND, 0, TEST_MANY(1000));
}

/* Each function retires two more: a tree, level by level. */
static void retires_two(struct hazptr_head *head)
{
	struct item *i = item_of(head);
	long next;

	log_call();
	depth++;
	for (next = 2 * i->number + 1; next <= 2 * i->number + 2; next++)
		if (next < chain.n)
			hazptr_retire(chain.domain, &chain.items[next], head,
				      retires_two);
	item_reclaim(head);
	depth--;
}

static void tree_ends(enum hazptr_reclaim policy)
{
	size_t n = TEST_MANY(65535);

	chain.domain = test_domain(policy, 4, TEST_NEVER_MS);
	chain.items = items_new(n);
	chain.n = (long)n;
	log_reset();
	hazptr_retire(chain.domain, &chain.items[0], head, retires_two);
	while (test_stats(chain.domain).pending)
		hazptr_barrier(chain.domain);
	assert_int_equal(items_gone(chain.items, n), n);
	assert_false(log_.nested);
	assert_int_equal(hazptr_domain_destroy(chain.domain), 0);
	free(chain.items);
}

static void functions_retire_trees(void **state)
{
	(void)state;
	tree_ends(HAZPTR_RECLAIM_INLINE);
	tree_ends(HAZPTR_RECLAIM_MANUAL);
	tree_ends(HAZPTR_RECLAIM_BACKGROUND);
}

/* Functions that call retire(), flush() and frees, in other domains too. */

static struct hazptr_domain *second;

static void retires_elsewhere(struct hazptr_head *head)
{
	struct item *i = items_new(1);
	struct item *logged_one = &chain.items[item_of(head)->number + 1000];

	log_call();
	depth++;
	hazptr_retire_free(second, i, head);
	hazptr_retire(second, logged_one, head, logged);
	hazptr_flush(second);
	item_reclaim(head);
	depth--;
}

static void functions_are_never_nested_across_domains(void **state)
{
	struct hazptr_domain *first =
		test_domain(HAZPTR_RECLAIM_INLINE, 4, TEST_NEVER_MS);
	long i;

	(void)state;
	second = test_domain(HAZPTR_RECLAIM_INLINE, 1, TEST_NEVER_MS);
	chain.items = items_new(2000);
	log_reset();
	for (i = 0; i < 1000; i++)
		hazptr_retire(first, &chain.items[i], head, retires_elsewhere);
	hazptr_barrier(first);
	hazptr_barrier(second);
	assert_int_equal(items_gone(chain.items, 2000), 2000);
	assert_false(log_.nested);
	assert_int_equal(hazptr_domain_destroy(first), 0);
	assert_int_equal(hazptr_domain_destroy(second), 0);
	free(chain.items);
}

/* User functions run without any lock of the library. */
static void uses_everything(struct hazptr_head *head)
{
	struct hazptr_guard guards[12];
	struct hazptr_context c;
	size_t i;

	memset(guards, 0, sizeof(guards));
	for (i = 0; i < 12; i++)
		hazptr_hold(&guards[i], &freed[i]);
	must(!hazptr_domain_create(&second, NULL));
	must(!hazptr_context_init(&c));
	hazptr_synchronize(item_of(head));
	hazptr_flush(chain.domain);
	hazptr_flush(NULL);
	test_stats(chain.domain);
	hazptr_context_cleanup(&c);
	for (i = 0; i < 12; i++)
		hazptr_release(&guards[i]);
	item_reclaim(head);
}

static void functions_may_use_the_library(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	int policy;

	(void)state;
	for (policy = 0; policy < 3; policy++) {
		chain.domain = test_domain((enum hazptr_reclaim)policy, 4,
					   TEST_NEVER_MS);
		hazptr_retire(chain.domain, &x, head, uses_everything);
		hazptr_barrier(chain.domain);
		assert_int_equal(item_gone(&x), policy + 1);
		assert_int_equal(hazptr_domain_destroy(second), 0);
		assert_int_equal(hazptr_domain_destroy(chain.domain), 0);
	}
}

/*
 * Back pressure. The functions need a lock that the retiring thread holds; it
 * retires far beyond 8 x the bound, is lent a little time for each, and never
 * waits for ever.
 */

static pthread_mutex_t user_lock = PTHREAD_MUTEX_INITIALIZER;

static void needs_the_lock(struct hazptr_head *head)
{
	pthread_mutex_lock(&user_lock);
	item_reclaim(head);
	pthread_mutex_unlock(&user_lock);
}

static void background_retire_under_a_lock_does_not_hang(void **state)
{
	enum { BOUND = 16, N = 8 * BOUND + 300 };
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, BOUND, 1);
	struct item *items = items_new(N);
	size_t i;

	(void)state;
	pthread_mutex_lock(&user_lock);
	for (i = 0; i < N; i++)
		hazptr_retire(d, &items[i], head, needs_the_lock);
	hazptr_flush(d);
	assert_int_equal(items_gone(items, N), 0);
	assert_int_equal(test_stats(d).pending, N);
	pthread_mutex_unlock(&user_lock);
	hazptr_barrier(d);
	assert_int_equal(items_gone(items, N), N);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

/* The time bound: an unprotected object goes without any further call. */

static void goes_in_time(enum hazptr_reclaim policy, unsigned max_delay_ms)
{
	struct hazptr_domain *d = test_domain(policy, 0, max_delay_ms);
	struct item *items = items_new(3);

	log_reset();
	retire_logged(d, items, 3);
	assert_true(test_eventually(items_gone(items, 3) == 3));
	assert_int_equal(calls_by_others(), 3); /* it was not this thread */
	retire_freed(d, 0, 3);
	assert_true(test_eventually(calls_by_others() == 6));
	assert_int_equal(calls_by_caller(), 0);
	assert_true(test_eventually(test_stats(d).pending == 0));
	retire_logged(d, items, 1); /* and again, after a rest */
	assert_true(test_eventually(items_gone(items, 3) == 4));
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void nothing_waits_longer_than_its_delay(void **state)
{
	(void)state;
	goes_in_time(HAZPTR_RECLAIM_BACKGROUND, 0);
	goes_in_time(HAZPTR_RECLAIM_BACKGROUND, 1);
	goes_in_time(HAZPTR_RECLAIM_INLINE, 0);
	goes_in_time(HAZPTR_RECLAIM_INLINE, 1);
}

/* A reader that ends late: the object goes then, still without a call. */
static void kept_object_goes_when_its_reader_ends(void **state)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_INLINE, 0, 2);
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;

	(void)state;
	reader_start(&r, &x, 0, false);
	hazptr_retire(d, &x, head, item_reclaim);
	test_sleep_ms(30);
	assert_int_equal(item_gone(&x), 0);
	assert_true(reader_stop(&r));
	assert_true(test_eventually(item_gone(&x) == 1));
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

static void long_delay_is_not_cut_short(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_INLINE, 0, TEST_NEVER_MS);
	struct hazptr_domain *busy = test_domain(HAZPTR_RECLAIM_INLINE, 0, 1);
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_retire(d, &x, head, item_reclaim);
	hazptr_retire(busy, &y, head, item_reclaim);
	assert_true(test_eventually(item_gone(&y) == 1));
	assert_int_equal(item_gone(&x), 0);
	hazptr_flush(d);
	assert_int_equal(item_gone(&x), 1);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	assert_int_equal(hazptr_domain_destroy(busy), 0);
}

static void *retire_and_end(void *arg)
{
	hazptr_retire(second, (struct item *)arg, head, item_reclaim);
	return NULL;
}

static void objects_of_ended_threads_go_in_time(void **state)
{
	struct item *items = items_new(20);
	int i;

	(void)state;
	second = test_domain(HAZPTR_RECLAIM_BACKGROUND, 0, 5);
	for (i = 0; i < 20; i++)
		test_join(test_start(retire_and_end, &items[i]));
	assert_true(test_eventually(items_gone(items, 20) == 20));
	assert_int_equal(hazptr_domain_destroy(second), 0);
	free(items);
}

/* More domains than the thread looks after at a time. */
static void many_domains_go_in_time(void **state)
{
	enum { N = 40 };
	struct hazptr_domain *d[N];
	struct item *items = items_new(N);
	int i;

	(void)state;
	for (i = 0; i < N; i++)
		d[i] = test_domain((enum hazptr_reclaim)(i % 2), 0, 3);
	for (i = 0; i < N; i++)
		hazptr_retire(d[i], &items[i], head, item_reclaim);
	assert_true(test_eventually(items_gone(items, N) == N));
	for (i = 0; i < N; i++)
		assert_int_equal(hazptr_domain_destroy(d[i]), 0);
	free(items);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(background_never_runs_in_the_caller),
		cmocka_unit_test(inline_runs_in_retire_at_the_bound),
		cmocka_unit_test(inline_runs_in_flush_and_barrier),
		cmocka_unit_test(manual_runs_in_flush_and_barrier_only),
		cmocka_unit_test(frees_run_in_retire),
		cmocka_unit_test(manual_frees_in_flush_only),
		cmocka_unit_test(frees_do_not_wait_for_functions),
		cmocka_unit_test(long_chain_inline),
		cmocka_unit_test(long_chain_manual),
		cmocka_unit_test(long_chain_background),
		cmocka_unit_test(functions_retire_trees),
		cmocka_unit_test(functions_are_never_nested_across_domains),
		cmocka_unit_test(functions_may_use_the_library),
		cmocka_unit_test(background_retire_under_a_lock_does_not_hang),
		cmocka_unit_test(nothing_waits_longer_than_its_delay),
		cmocka_unit_test(kept_object_goes_when_its_reader_ends),
		cmocka_unit_test(long_delay_is_not_cut_short),
		cmocka_unit_test(objects_of_ended_threads_go_in_time),
		cmocka_unit_test(many_domains_go_in_time),
		cmocka_unit_test(destroy_ends_chains),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
