/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/retire_bound.c - how many objects may wait
 *
 * Whatever readers do, max_retired plus the slots in use. Counted here, not by
 * the library: an object counts from the return of its retire() until its
 * function, or free(), begins. Plain frees are seen by a free() of our own
 * (the program is linked with --wrap=free).
 */
#include "test.h"

#include <hazptr/domain.h>
#include <hazptr/retire.h>

#define MANY TEST_MANY(100000)
#define KEPT_MAX 100

struct thing {
	long number;
	struct hazptr_head head;
	int gone;
};

static struct thing things[MANY];
static long alive; /* retired and not reclaimed */
static size_t used;

static struct hazptr_guard kept[KEPT_MAX];

static void thing_gone(struct thing *t)
{
	must(!t->gone);
	t->gone = 1;
	__atomic_fetch_sub(&alive, 1, __ATOMIC_ACQ_REL);
}

static void thing_reclaim(struct hazptr_head *head)
{
	thing_gone((struct thing *)(void *)((char *)head -
					    offsetof(struct thing, head)));
}

#ifdef __cplusplus
extern "C" {
#endif
void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	if ((struct thing *)p < things || (struct thing *)p >= things + MANY)
		__real_free(p);
	else
		thing_gone((struct thing *)p);
}
#ifdef __cplusplus
}
#endif

static struct thing *thing_new(void)
{
	size_t i = __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED);

	must(i < MANY);
	things[i].number = (long)i;
	things[i].gone = 0;
	return &things[i];
}

static void retire_thing(struct hazptr_domain *d, struct thing *t,
			 hazptr_reclaim_fn fn)
{
	hazptr_retire(d, t, head, fn);
	__atomic_fetch_add(&alive, 1, __ATOMIC_ACQ_REL);
}

static long alive_now(void)
{
	return __atomic_load_n(&alive, __ATOMIC_ACQUIRE);
}

/* The first k objects are kept; they are retired with the others. */
static void begin(size_t k)
{
	size_t i;

	alive = 0;
	used = 0;
	for (i = 0; i < k; i++)
		hazptr_hold(&kept[i], &things[i]);
}

static void end(struct hazptr_domain *d, size_t k, size_t n)
{
	size_t i;

	for (i = 0; i < k; i++)
		assert_int_equal(things[i].gone, 0);
	for (i = 0; i < k; i++)
		hazptr_release(&kept[i]);
	hazptr_barrier(d);
	assert_int_equal(used, n);
	assert_int_equal(alive_now(), 0);
	assert_int_equal(test_stats(d).pending, 0);
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

/* All of them at one bound, fewer at the others. */
static size_t some_of(size_t bound)
{
	return bound == 16 ? MANY : MANY / 8;
}

static void one_thread(enum hazptr_reclaim policy, size_t bound, size_t k,
		       hazptr_reclaim_fn fn)
{
	struct hazptr_domain *d = test_domain(policy, bound, TEST_NEVER_MS);
	size_t n = some_of(bound);
	long most = 0;
	size_t i;

	begin(k);
	for (i = 0; i < n; i++) {
		retire_thing(d, thing_new(), fn);
		if (alive_now() > most)
			most = alive_now();
	}
	assert_in_range(most, k, bound + k);
	assert_true(test_stats(d).pending_peak <= bound + k);
	end(d, k, n);
}

static const size_t bounds[] = { 4, 16, 1000 };
static const size_t keeps[] = { 0, 1, 8, KEPT_MAX };

static void one_thread_all(enum hazptr_reclaim policy, hazptr_reclaim_fn fn)
{
	size_t i, j;

	for (i = 0; i < TEST_COUNT(bounds); i++)
		for (j = 0; j < TEST_COUNT(keeps); j++)
			one_thread(policy, bounds[i], keeps[j], fn);
}

static void inline_functions_on_one_thread(void **state)
{
	(void)state;
	one_thread_all(HAZPTR_RECLAIM_INLINE, thing_reclaim);
}

static void inline_frees_on_one_thread(void **state)
{
	(void)state;
	one_thread_all(HAZPTR_RECLAIM_INLINE, NULL);
}

static void background_frees_on_one_thread(void **state)
{
	(void)state;
	one_thread_all(HAZPTR_RECLAIM_BACKGROUND, NULL);
}

/* Functions that do not get on: what waits for readers is bounded still. */

static pthread_mutex_t user_lock = PTHREAD_MUTEX_INITIALIZER;

static void needs_the_lock(struct hazptr_head *head)
{
	pthread_mutex_lock(&user_lock);
	thing_reclaim(head);
	pthread_mutex_unlock(&user_lock);
}

static void background_functions_on_one_thread(void **state)
{
	enum { BOUND = 16, KEPT = 8, N = 400 };
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, BOUND, TEST_NEVER_MS);
	struct hazptr_stats s;
	size_t i;

	(void)state;
	begin(KEPT);
	pthread_mutex_lock(&user_lock);
	for (i = 0; i < N; i++) {
		retire_thing(d, thing_new(), needs_the_lock);
		s = test_stats(d);
		assert_int_equal(s.pending, i + 1);
		assert_true(s.waiting <= BOUND + KEPT);
	}
	pthread_mutex_unlock(&user_lock);
	end(d, KEPT, N);
}

/* A bound of one: nothing waits that is not kept. */
static void the_smallest_bound(void **state)
{
	(void)state;
	one_thread(HAZPTR_RECLAIM_INLINE, 1, 0, thing_reclaim);
	one_thread(HAZPTR_RECLAIM_INLINE, 1, 3, NULL);
}

/* Several domains, round robin: each has its own bound. */
static void domains_have_bounds_of_their_own(void **state)
{
	enum { DOMAINS = 7 };
	struct hazptr_domain *d[DOMAINS];
	size_t i, n = MANY / DOMAINS * DOMAINS;

	(void)state;
	begin(0);
	for (i = 0; i < DOMAINS; i++)
		d[i] = test_domain(HAZPTR_RECLAIM_INLINE, 16, TEST_NEVER_MS);
	for (i = 0; i < n; i++) {
		retire_thing(d[i % DOMAINS], thing_new(), thing_reclaim);
		assert_true(alive_now() <= 16 * DOMAINS);
	}
	for (i = 0; i + 1 < DOMAINS; i++)
		assert_int_equal(hazptr_domain_destroy(d[i]), 0);
	end(d[DOMAINS - 1], 0, n);
}

/* A list that is longer than the bound: scanned before the call returns. */
static void long_lists(void **state)
{
	enum { BOUND = 16, N = 1000 };
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_INLINE, BOUND, TEST_NEVER_MS);
	size_t i;
	int turn;

	(void)state;
	for (turn = 0; turn < 20; turn++) {
		begin(3);
		for (i = 0; i < N; i++) {
			struct thing *t = thing_new();

			hazptr_head_init(&t->head, t,
					 i % 2 ? thing_reclaim : NULL);
			if (i > 0)
				things[i - 1].head.next = &t->head;
		}
		alive = N;
		hazptr_retire_list(d, &things[0].head, &things[N - 1].head);
		assert_true(alive_now() <= BOUND + 3);
		for (i = 0; i < 3; i++)
			hazptr_release(&kept[i]);
		hazptr_barrier(d);
		assert_int_equal(alive_now(), 0);
	}
	assert_int_equal(hazptr_domain_destroy(d), 0);
}

/*
 * Four threads. One at a time: what the others' lists hold counts as well. At
 * once: each thread may besides be at the functions, or frees, of what its own
 * last scan found, and these wait for no reader any more.
 */

#define THREADS 4

struct retirer {
	struct hazptr_domain *domain;
	hazptr_reclaim_fn fn;
	pthread_mutex_t *one_at_a_time;
	size_t n;
	pthread_t thread;
	long most;
};

static void *retirer_run(void *arg)
{
	struct retirer *r = (struct retirer *)arg;
	size_t i;
	long n;

	for (i = 0; i < r->n; i++) {
		if (r->one_at_a_time)
			pthread_mutex_lock(r->one_at_a_time);
		retire_thing(r->domain, thing_new(), r->fn);
		n = alive_now();
		if (n > r->most)
			r->most = n;
		if (r->one_at_a_time)
			pthread_mutex_unlock(r->one_at_a_time);
	}
	return NULL;
}

static void four_threads(enum hazptr_reclaim policy, size_t bound, size_t k,
			 hazptr_reclaim_fn fn, bool at_once)
{
	struct hazptr_domain *d = test_domain(policy, bound, TEST_NEVER_MS);
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct retirer r[THREADS];
	size_t limit = bound + k;
	int i;

	if (at_once) /* objects in retire() calls; and what each reclaims */
		limit = (limit + THREADS) * (1 + THREADS);
	begin(k);
	for (i = 0; i < THREADS; i++) {
		r[i].domain = d;
		r[i].fn = fn;
		r[i].n = some_of(bound) / THREADS;
		r[i].one_at_a_time = at_once ? NULL : &lock;
		r[i].most = 0;
		r[i].thread = test_start(retirer_run, &r[i]);
	}
	for (i = 0; i < THREADS; i++) {
		test_join(r[i].thread);
		assert_in_range(r[i].most, 0, limit);
	}
	end(d, k, some_of(bound) / THREADS * THREADS);
}

static void four_threads_all(enum hazptr_reclaim policy, hazptr_reclaim_fn fn,
			     bool at_once)
{
	size_t i;

	for (i = 0; i < TEST_COUNT(bounds); i++) {
		four_threads(policy, bounds[i], 0, fn, at_once);
		four_threads(policy, bounds[i], 8, fn, at_once);
	}
}

static void inline_functions_on_four_threads(void **state)
{
	(void)state;
	four_threads_all(HAZPTR_RECLAIM_INLINE, thing_reclaim, false);
}

static void frees_on_four_threads(void **state)
{
	(void)state;
	four_threads_all(HAZPTR_RECLAIM_INLINE, NULL, false);
	four_threads_all(HAZPTR_RECLAIM_BACKGROUND, NULL, false);
}

static void inline_functions_on_four_threads_at_once(void **state)
{
	(void)state;
	four_threads_all(HAZPTR_RECLAIM_INLINE, thing_reclaim, true);
}

static void frees_on_four_threads_at_once(void **state)
{
	(void)state;
	four_threads_all(HAZPTR_RECLAIM_INLINE, NULL, true);
	four_threads_all(HAZPTR_RECLAIM_BACKGROUND, NULL, true);
}

/* Readers that come and go keep what they like: the bound follows them. */

static struct thing *shelf[16];
static int readers_stop;

static void *keeper_run(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct hazptr_guard guards[4];
	size_t i;

	memset(guards, 0, sizeof(guards));
	while (!__atomic_load_n(&readers_stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < 4; i++) {
			struct thing *t = hazptr_protect(
				&guards[i], &shelf[test_random(&seed) % 16]);

			must(!t ||
			     !__atomic_load_n(&t->gone, __ATOMIC_RELAXED));
		}
		sched_yield();
	}
	for (i = 0; i < 4; i++)
		hazptr_release(&guards[i]);
	return NULL;
}

static void readers_come_and_go(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_INLINE, 16, TEST_NEVER_MS);
	pthread_t readers[2];
	struct thing *old;
	uintptr_t i;

	(void)state;
	begin(0);
	readers_stop = 0;
	for (i = 0; i < 2; i++)
		readers[i] = test_start(keeper_run, (void *)(i + 1));
	for (i = 0; i < MANY; i++) {
		old = __atomic_exchange_n(&shelf[i % 16], thing_new(),
					  __ATOMIC_ACQ_REL);
		if (old)
			retire_thing(d, old, thing_reclaim);
		assert_true(alive_now() <= 16 + 2 * 4);
	}
	__atomic_store_n(&readers_stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		test_join(readers[i]);
	for (i = 0; i < 16; i++)
		shelf[i] = NULL;
	end(d, 0, MANY);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(inline_functions_on_one_thread),
		cmocka_unit_test(inline_frees_on_one_thread),
		cmocka_unit_test(background_frees_on_one_thread),
		cmocka_unit_test(background_functions_on_one_thread),
		cmocka_unit_test(the_smallest_bound),
		cmocka_unit_test(domains_have_bounds_of_their_own),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(inline_functions_on_four_threads),
		cmocka_unit_test(frees_on_four_threads),
		cmocka_unit_test(inline_functions_on_four_threads_at_once),
		cmocka_unit_test(frees_on_four_threads_at_once),
		cmocka_unit_test(readers_come_and_go),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
