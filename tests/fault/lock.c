/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/lock.c - who may wait for whom
 *
 * Findings: a reclaim function that takes the lock of whoever calls retire(),
 * and a cleanup() that returned while another thread still reclaimed (folly);
 * a dead-lock when a thread joins another inside a read section (liburcu); a
 * lock held while waiting for one sleeping reader, which blocked every other
 * waiter (the kernel patches of 2026).
 */
#include "fault.h"

#include <errno.h>

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;

static void with_users_lock(struct thing *t)
{
	(void)t;
	CHECK_EQ(pthread_mutex_lock(&users_lock), 0);
	CHECK_EQ(pthread_mutex_unlock(&users_lock), 0);
}

static struct thing *locking_thing(void)
{
	struct thing *t = thing_new(0);

	t->at_reclaim = with_users_lock;
	return t;
}

static void reclaim_takes_the_lock_of_the_retirer(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_BACKGROUND, 4, 10);
	int i;

	for (i = 0; i < 20; i++) {
		CHECK_EQ(pthread_mutex_lock(&users_lock), 0);
		thing_retire(d, locking_thing());
		thing_retire(NULL, locking_thing());
		if (i == 10)
			for (; i < 200; i++)
				thing_retire(d, locking_thing());
		CHECK_EQ(pthread_mutex_unlock(&users_lock), 0);
	}
	hazptr_barrier(d);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

/* A plain free is run by whoever scans, in every policy: no lock is needed. */
static void retire_free_under_any_lock(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_INLINE, 4, 10);
	int i;

	CHECK_EQ(pthread_mutex_lock(&users_lock), 0);
	for (i = 0; i < 1000; i++) {
		struct thing *t = malloc(sizeof(*t));

		CHECK(t);
		hazptr_retire_free(i & 1 ? d : NULL, t, head);
	}
	CHECK_EQ(pthread_mutex_unlock(&users_lock), 0);
	hazptr_barrier(NULL);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static int functions_begun, functions_done, function_may_end;

static void slow_function(struct thing *t)
{
	(void)t;
	__atomic_store_n(&functions_begun, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&function_may_end, 1, 60));
	__atomic_store_n(&functions_done, 1, __ATOMIC_RELEASE);
}

static void *flush_it(void *d)
{
	hazptr_flush(d);
	return NULL;
}

static int waiter_is_in;

static void *barrier_and_see(void *d)
{
	__atomic_store_n(&waiter_is_in, 1, __ATOMIC_RELEASE);
	hazptr_barrier(d);
	CHECK(__atomic_load_n(&functions_done, __ATOMIC_ACQUIRE));
	return NULL;
}

static void *destroy_and_see(void *d)
{
	__atomic_store_n(&waiter_is_in, 1, __ATOMIC_RELEASE);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
	CHECK(__atomic_load_n(&functions_done, __ATOMIC_ACQUIRE));
	return NULL;
}

static struct hazptr_cohort cohort;

static void *cohort_barrier_and_see(void *unused)
{
	(void)unused;
	__atomic_store_n(&waiter_is_in, 1, __ATOMIC_RELEASE);
	hazptr_cohort_barrier(&cohort);
	CHECK(__atomic_load_n(&functions_done, __ATOMIC_ACQUIRE));
	return NULL;
}

/* The function runs in another thread; whoever waits must wait for it. */
static void waiting_for_function(enum hazptr_reclaim policy,
				 void *(*wait)(void *), bool in_cohort)
{
	struct hazptr_domain *d = domain_new(policy, 0, 10);
	struct thing *t = thing_new(0);
	pthread_t flusher, waiter;

	functions_begun = functions_done = function_may_end = 0;
	waiter_is_in = 0;
	t->at_reclaim = slow_function;
	if (in_cohort) {
		CHECK_EQ(hazptr_cohort_init(&cohort, d), 0);
		hazptr_cohort_retire(&cohort, t, head, thing_reclaim);
	} else {
		thing_retire(d, t);
	}
	flusher = spawn(flush_it, d);
	CHECK(wait_for(&functions_begun, 1, 60));
	if (policy == HAZPTR_RECLAIM_BACKGROUND)
		join(flusher); /* it waits for no function */
	waiter = spawn(wait, d);
	CHECK(wait_for(&waiter_is_in, 1, 60));
	nap_ms(30); /* it has time to return too early */
	__atomic_store_n(&function_may_end, 1, __ATOMIC_RELEASE);
	if (policy != HAZPTR_RECLAIM_BACKGROUND)
		join(flusher);
	join(waiter);
	CHECK_EQ(alive(), 0);
	if (in_cohort)
		hazptr_cohort_destroy(&cohort);
	if (wait != destroy_and_see)
		CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void barrier_returned_while_another_thread_reclaims(void)
{
	enum hazptr_reclaim p;

	for (p = HAZPTR_RECLAIM_BACKGROUND; p <= HAZPTR_RECLAIM_MANUAL; p++) {
		waiting_for_function(p, barrier_and_see, false);
		waiting_for_function(p, cohort_barrier_and_see, true);
	}
}

static void destroy_returned_while_another_thread_reclaims(void)
{
	/* In the other policies the flusher would still be using the domain. */
	waiting_for_function(HAZPTR_RECLAIM_BACKGROUND, destroy_and_see, false);
}

static void *come_and_go(void *arg)
{
	struct thing *const *source = arg;
	HAZPTR_GUARD(g);

	thing_protect(&g, source);
	thing_retire(NULL, thing_new(1));
	hazptr_flush(NULL);
	return NULL;
}

static void *synchronize_with(void *t)
{
	hazptr_synchronize(t);
	thing_destroy(t);
	return NULL;
}

static void *barrier_on(void *d)
{
	hazptr_barrier(d);
	return NULL;
}

static void thread_joined_inside_a_read_section(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_INLINE, 10, 10);
	struct thing *other = thing_new(2);
	struct hazptr_guard g[2] = { HAZPTR_GUARD_INIT };
	struct thing *held = thing_guarded(&g[0], 0);
	pthread_t synchronizer = spawn(synchronize_with, held);
	pthread_t waiter;
	unsigned n;

	thing_retire(d, thing_guarded(&g[1], 1));
	waiter = spawn(barrier_on, d);
	nap_ms(20); /* both may be waiting now */
	for (n = fault_scaled(300); n; n--)
		join(spawn(come_and_go, &other));
	thing_check(held);
	hazptr_release(&g[0]);
	hazptr_release(&g[1]);
	join(synchronizer);
	join(waiter);
	thing_destroy(other);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

/* One reader sleeps; every other kind of waiter gets past. */
static void sleeping_reader_blocks_other_waiters(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_BACKGROUND, 10, 10);
	struct timespec past = { 0, 0 };
	struct hazptr_guard g[2] = { HAZPTR_GUARD_INIT };
	struct thing *held = thing_guarded(&g[0], 0);
	struct thing *free_one = thing_new(1);
	const void *many[2] = { free_one, free_one };
	pthread_t synchronizer = spawn(synchronize_with, held);
	struct hazptr_domain *other;
	pthread_t waiter;
	int i;

	thing_retire(d, thing_guarded(&g[1], 1));
	waiter = spawn(barrier_on, d);
	nap_ms(20);
	hazptr_synchronize(free_one);
	hazptr_synchronize_many(many, 2);
	thing_destroy(free_one);
	for (i = 0; i < 100; i++)
		thing_retire(d, thing_new(2));
	hazptr_flush(d);
	CHECK(wait_for(&things_reclaimed, 101, 60));
	other = domain_new(HAZPTR_RECLAIM_BACKGROUND, 0, 0);
	thing_retire(other, thing_new(3));
	hazptr_barrier(other);
	CHECK_EQ(hazptr_domain_destroy(other), 0);
	CHECK_EQ(alive(), 2);
	hazptr_release(&g[0]);
	join(synchronizer);
	hazptr_hold(&g[0], &past);
	hazptr_release(&g[0]);
	hazptr_release(&g[1]);
	join(waiter);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void *until_the_past(void *object)
{
	struct timespec past = { 0, 0 };

	CHECK_EQ(hazptr_synchronize_until(object, &past), -ETIMEDOUT);
	return NULL;
}

static void synchronizer_gives_up_and_leaves_nothing_locked(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct thing *held = thing_guarded(&g, 0);
	int i;

	for (i = 0; i < 10; i++)
		join(spawn(until_the_past, held));
	thing_retire(NULL, held);
	hazptr_release(&g);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
}

static int grandchildren;

static void retire_another(struct thing *t)
{
	struct thing *next;

	if (!t->id)
		return;
	next = thing_new(t->id - 1);
	next->at_reclaim = retire_another;
	thing_retire(NULL, next);
	__atomic_fetch_add(&grandchildren, 1, __ATOMIC_ACQ_REL);
}

/* folly: counts that drifted kept one thread reclaiming for ever. */
static void counts_are_back_where_they_were(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_INLINE, 7, 10);
	struct hazptr_stats stats;
	int i;

	for (i = 0; i < 1000; i++) {
		struct thing *t = thing_new(i % 50 ? 0 : 20);

		t->at_reclaim = retire_another;
		thing_retire(i & 1 ? d : NULL, t);
	}
	hazptr_barrier(d);
	for (i = 0; i < 22; i++) /* each brings one generation to its end */
		hazptr_barrier(NULL);
	CHECK_EQ(grandchildren, 20 * 20);
	CHECK_EQ(alive(), 0);
	stats = domain_stats(d);
	CHECK_EQ(stats.retired, stats.reclaimed);
	CHECK_EQ(stats.pending, 0);
	stats = domain_stats(NULL);
	CHECK_EQ(stats.retired, stats.reclaimed);
	CHECK_EQ(stats.pending, 0);
	CHECK_EQ(stats.waiting, 0);
	CHECK_EQ(stats.ready, 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static struct hazptr_cohort chained;

/* Three things, each of which retires the next. */
static void retire_next(struct thing *t)
{
	struct thing *next = thing_new(t->id - 1);

	if (t->id > 1)
		next->at_reclaim = retire_next;
	hazptr_cohort_retire(&chained, next, head, thing_reclaim);
}

static void *end_chained(void *done)
{
	gate_me = true;
	hazptr_cohort_destroy(&chained);
	__atomic_store_n((int *)done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * The first has been run, the second was found in its lane; another thread
 * runs it, and the third stands in that one's lane, while the cohort ends.
 */
static void cohort_waits_for_what_functions_retired(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_INLINE, 100, 60000);
	struct thing *first = thing_new(2);
	pthread_t ender;
	int done = 0;

	CHECK_EQ(hazptr_cohort_init(&chained, d), 0);
	first->at_reclaim = retire_next;
	hazptr_cohort_retire(&chained, first, head, thing_reclaim);
	gate_arm("cohort:gathered");
	ender = spawn(end_chained, &done);
	gate_wait();
	CHECK_EQ(reclaimed(), 1);
	CHECK_EQ(hazptr_flush(d), 1);
	CHECK_EQ(reclaimed(), 2);
	gate_open();
	join(ender);
	CHECK_EQ(done, 1);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static const struct fault_case cases[] = {
	{ "reclaim_takes_the_lock_of_the_retirer",
	  reclaim_takes_the_lock_of_the_retirer, .fences = FENCE_DEFAULT },
	{ "retire_free_under_any_lock", retire_free_under_any_lock,
	  .fences = FENCE_DEFAULT },
	{ "barrier_returned_while_another_thread_reclaims",
	  barrier_returned_while_another_thread_reclaims,
	  .fences = FENCE_DEFAULT },
	{ "destroy_returned_while_another_thread_reclaims",
	  destroy_returned_while_another_thread_reclaims,
	  .fences = FENCE_DEFAULT },
	{ "thread_joined_inside_a_read_section",
	  thread_joined_inside_a_read_section, .fences = FENCE_ALL },
	{ "sleeping_reader_blocks_other_waiters",
	  sleeping_reader_blocks_other_waiters, .fences = FENCE_ALL },
	{ "synchronizer_gives_up_and_leaves_nothing_locked",
	  synchronizer_gives_up_and_leaves_nothing_locked,
	  .fences = FENCE_ALL },
	{ "counts_are_back_where_they_were", counts_are_back_where_they_were,
	  .fences = FENCE_DEFAULT },
	{ "cohort_waits_for_what_functions_retired",
	  cohort_waits_for_what_functions_retired, .fences = FENCE_ALL },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
