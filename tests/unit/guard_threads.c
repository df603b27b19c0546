/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/guard_threads.c - guards against writers in other threads
 *
 * The long runs of this kind are in tests/torture; these here are the short
 * ones that a broken protocol would not survive.
 */
#include "test.h"

#include <hazptr/guard.h>

/* Objects of a few places, replaced all the time; freed ones are poisoned. */

#define PLACES 3
#define GOOD 0x600dL
#define BAD 0x0badL

struct thing {
	long magic;
	struct hazptr_head head;
};

static struct thing *places[PLACES];
static uintptr_t link_place;
static struct hazptr_domain *domain;
static int stop_now;

static struct thing *thing_new(void)
{
	struct thing *t = (struct thing *)malloc(sizeof(*t));

	must(t != NULL);
	t->magic = GOOD;
	return t;
}

static void thing_reclaim(struct hazptr_head *head)
{
	struct thing *t =
		(struct thing *)(void *)((char *)head -
					 offsetof(struct thing, head));

	must(t->magic == GOOD);
	t->magic = BAD;
	free(t);
}

static bool running(void)
{
	return !__atomic_load_n(&stop_now, __ATOMIC_RELAXED);
}

static void *writer_run(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct thing *old;
	uintptr_t link;

	while (running()) {
		old = __atomic_exchange_n(&places[test_random(&seed) % PLACES],
					  thing_new(), __ATOMIC_ACQ_REL);
		if (old)
			hazptr_retire(domain, old, head, thing_reclaim);
		link = (uintptr_t)thing_new() | (test_random(&seed) & 1);
		link = __atomic_exchange_n(&link_place, link, __ATOMIC_ACQ_REL);
		old = (struct thing *)(link & ~(uintptr_t)1);
		if (old)
			hazptr_retire(domain, old, head, thing_reclaim);
	}
	return NULL;
}

static void look_at(struct hazptr_guard *guards, unsigned *seed, size_t crowd)
{
	struct thing **place = &places[test_random(seed) % PLACES];
	struct thing *t, *seen;
	uintptr_t link;

	t = hazptr_protect(&guards[crowd], place);
	must(!t || t->magic == GOOD);
	seen = __atomic_load_n(place, __ATOMIC_RELAXED);
	if (hazptr_try_protect(&guards[crowd + 1], &seen, place))
		must(!seen || seen->magic == GOOD);
	hazptr_swap(&guards[crowd], &guards[crowd + 1]);
	must(!t || t->magic == GOOD);
	link = hazptr_protect_tagged(&guards[crowd], &link_place, 1);
	if (link & ~(uintptr_t)1)
		must(((struct thing *)(link & ~(uintptr_t)1))->magic == GOOD);
	must(!t || t->magic == GOOD);
	hazptr_release(&guards[crowd]);
	must(!t || t->magic == GOOD);
	hazptr_release(&guards[crowd + 1]);
}

static void *look_run(void *arg)
{
	struct hazptr_guard guards[16];
	static struct item dummy;
	unsigned seed = (unsigned)(uintptr_t)arg;
	size_t crowd, i;

	memset(guards, 0, sizeof(guards));
	while (running()) {
		crowd = test_random(&seed) % 14;
		for (i = 0; i < crowd; i++)
			hazptr_hold(&guards[i], &dummy);
		for (i = 0; i < 100; i++)
			look_at(guards, &seed, crowd);
		for (i = 0; i < crowd; i++)
			hazptr_release(&guards[i]);
	}
	return NULL;
}

static void readers_and_writers(enum hazptr_reclaim policy)
{
	pthread_t threads[4];
	uintptr_t i;

	domain = test_domain(policy, 8, 1);
	__atomic_store_n(&stop_now, 0, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		threads[i] = test_start(i < 2 ? writer_run : look_run,
					(void *)(i + 1));
	test_sleep_ms(150);
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		test_join(threads[i]);
	for (i = 0; i < PLACES; i++) {
		free(places[i]);
		places[i] = NULL;
	}
	free((void *)(link_place & ~(uintptr_t)1));
	link_place = 0;
	assert_int_equal(hazptr_domain_destroy(domain), 0);
}

static void readers_and_writers_inline(void **state)
{
	(void)state;
	readers_and_writers(HAZPTR_RECLAIM_INLINE);
}

static void readers_and_writers_background(void **state)
{
	(void)state;
	readers_and_writers(HAZPTR_RECLAIM_BACKGROUND);
}

/* What one thread keeps, all other threads' retirements respect. */

static void kept_by_another_thread(size_t crowd)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;

	reader_start(&r, &x, crowd, false);
	retire_item(&x);
	assert_kept(&x);
	assert_true(reader_stop(&r));
	assert_gone(&x);
}

static void another_thread_keeps_it(void **state)
{
	size_t crowd;

	(void)state;
	for (crowd = 0; crowd <= 12; crowd++)
		kept_by_another_thread(crowd);
}

static void two_threads_keep_it(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader a, b;

	(void)state;
	reader_start(&a, &x, 0, false);
	reader_start(&b, &x, 10, false);
	retire_item(&x);
	assert_kept(&x);
	assert_true(reader_stop(&a));
	assert_kept(&x);
	assert_true(reader_stop(&b));
	assert_gone(&x);
}

/* Guards know no domains. */
static void guard_keeps_in_every_domain(void **state)
{
	struct hazptr_domain *other = test_domain(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_hold(&g, &x);
	hazptr_retire(other, &x, head, item_reclaim);
	assert_int_equal(hazptr_flush(other), 0);
	assert_int_equal(item_gone(&x), 0);
	hazptr_release(&g);
	assert_int_equal(hazptr_flush(other), 1);
	assert_int_equal(item_gone(&x), 1);
	assert_int_equal(hazptr_domain_destroy(other), 0);
}

/* A thread's first call may be any of these. */

static struct item *first_source;

static void *first_protect(void *arg)
{
	HAZPTR_GUARD(g);
	must(hazptr_protect(&g, &first_source) == arg);
	return NULL;
}

static void *first_try_protect(void *arg)
{
	struct item *seen = (struct item *)arg;
	HAZPTR_GUARD(g);
	must(hazptr_try_protect(&g, &seen, &first_source));
	return NULL;
}

static void *first_tagged(void *arg)
{
	uintptr_t link = (uintptr_t)arg | 1;
	HAZPTR_GUARD(g);
	must(hazptr_protect_tagged(&g, &link, 1) == link);
	return NULL;
}

static void *first_hold(void *arg)
{
	HAZPTR_GUARD(g);
	hazptr_hold(&g, arg);
	retire_item((struct item *)arg);
	hazptr_flush(test_manual);
	must(!item_gone((struct item *)arg));
	return NULL;
}

static void *first_release(void *arg)
{
	HAZPTR_GUARD(g);
	(void)arg;
	hazptr_release(&g);
	return NULL;
}

static void any_call_is_a_threads_first(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	first_source = &x;
	test_join(test_start(first_protect, &x));
	test_join(test_start(first_try_protect, &x));
	test_join(test_start(first_tagged, &x));
	test_join(test_start(first_release, &x));
	first_source = NULL;
	test_join(test_start(first_hold, &x));
	assert_gone(&x);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_and_writers_inline),
		cmocka_unit_test(readers_and_writers_background),
		cmocka_unit_test(another_thread_keeps_it),
		cmocka_unit_test(two_threads_keep_it),
		cmocka_unit_test(guard_keeps_in_every_domain),
		cmocka_unit_test(any_call_is_a_threads_first),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
