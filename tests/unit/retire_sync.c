/* SPDX-License-Identifier: MIT */
/* tests/unit/retire_sync.c - the three hazptr_synchronize() */
#include "test.h"

#include <hazptr/context.h>
#include <hazptr/retire.h>

/* A thread that synchronizes, and says when it has. */

struct waiter {
	const void *objects[3];
	size_t n;			 /* 0: objects[0] by the plain call */
	const struct timespec *deadline; /* when `until` */
	bool until;
	int result;
	int done;
	pthread_t thread;
};

static void *waiter_run(void *arg)
{
	struct waiter *w = (struct waiter *)arg;

	if (w->until)
		w->result =
			hazptr_synchronize_until(w->objects[0], w->deadline);
	else if (w->n)
		hazptr_synchronize_many(w->objects, w->n);
	else
		hazptr_synchronize(w->objects[0]);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void waiter_start(struct waiter *w, const void *object)
{
	memset(w, 0, sizeof(*w));
	w->objects[0] = object;
	w->thread = test_start(waiter_run, w);
}

static bool is_done(const struct waiter *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_ACQUIRE);
}

static void idle_returns_at_once(void **state)
{
	struct item *items = items_new(3);
	const void *objects[3];
	struct timespec past = { 0, 0 };
	struct timespec future = test_time_after_ms(60000);
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		objects[i] = &items[i];
	hazptr_synchronize(&items[0]);
	assert_int_equal(hazptr_synchronize_until(&items[0], NULL), 0);
	assert_int_equal(hazptr_synchronize_until(&items[0], &past), 0);
	assert_int_equal(hazptr_synchronize_until(&items[0], &future), 0);
	hazptr_synchronize_many(objects, 3);
	hazptr_synchronize_many(objects, 1);
	hazptr_synchronize_many(objects, 0);
	hazptr_synchronize_many(NULL, 0);
	assert_false(test_time_reached(&future));
	free(items);
}

/* No guard holds NULL, though free slots look like it. */
static void null_returns_at_once(void **state)
{
	struct hazptr_slot *idle = hazptr_slot_alloc(NULL);
	const void *objects[2] = { NULL, NULL };
	struct timespec soon = test_time_after_ms(1);

	(void)state;
	hazptr_synchronize(NULL);
	assert_int_equal(hazptr_synchronize_until(NULL, &soon), 0);
	hazptr_synchronize_many(objects, 2);
	hazptr_slot_free(NULL, idle);
}

static void other_objects_do_not_matter(void **state)
{
	struct item *items = items_new(3);
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct reader r, s;

	(void)state;
	reader_start(&r, &items[0], 0, false);
	reader_start(&s, &items[0], 12, false);
	hazptr_hold(&g, &items[1]);
	hazptr_synchronize(&items[2]);
	hazptr_release(&g);
	assert_true(reader_stop(&r));
	assert_true(reader_stop(&s));
	free(items);
}

/* `crowd`: which kind of slot the reader's guard has. */
static void waits_for_the_reader(size_t crowd, bool detach)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;
	struct waiter w;

	reader_start(&r, &x, crowd, detach);
	waiter_start(&w, &x);
	test_sleep_ms(10);
	assert_false(is_done(&w));
	assert_true(reader_stop(&r));
	if (detach) {
		test_sleep_ms(10);
		assert_false(is_done(&w)); /* it keeps without its thread */
		hazptr_release(&r.guard);
	}
	test_join(w.thread);
	assert_true(is_done(&w));
}

static void waits_for_every_kind_of_guard(void **state)
{
	static const size_t crowds[] = { 0, 1, 2, 7, 8, 30 };
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(crowds); i++) {
		waits_for_the_reader(crowds[i], false);
		waits_for_the_reader(crowds[i], true);
	}
}

static void waits_for_parked_contexts_and_slots(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	struct hazptr_context c;
	struct hazptr_slot *s;
	struct waiter w;

	(void)state;
	assert_int_equal(hazptr_context_init(&c), 0);
	s = hazptr_slot_alloc(&c);
	assert_ptr_equal(hazptr_slot_protect(s, &source), &x);
	waiter_start(&w, &x);
	test_sleep_ms(10);
	assert_false(is_done(&w));
	hazptr_slot_clear(s); /* idle, not free */
	test_join(w.thread);
	assert_ptr_equal(hazptr_slot_protect(s, &source), &x);
	waiter_start(&w, &x);
	test_sleep_ms(10);
	assert_false(is_done(&w));
	hazptr_context_cleanup(&c);
	test_join(w.thread);
}

static void waits_for_all_of_several_readers(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r[3];
	struct waiter w;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		reader_start(&r[i], &x, 7 * (size_t)i, false);
	waiter_start(&w, &x);
	for (i = 0; i < 3; i++) {
		test_sleep_ms(5);
		assert_false(is_done(&w));
		assert_true(reader_stop(&r[2 - i]));
	}
	test_join(w.thread);
}

/* _until */

static void until_a_past_time(size_t crowd)
{
	static const struct timespec past[] = {
		{ 0, 0 },
		{ 1, 999999999 },
		{ -1, 0 },
	};
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;
	size_t i;

	reader_start(&r, &x, crowd, false);
	for (i = 0; i < TEST_COUNT(past); i++)
		assert_int_equal(hazptr_synchronize_until(&x, &past[i]),
				 -ETIMEDOUT);
	assert_true(reader_stop(&r));
	assert_int_equal(hazptr_synchronize_until(&x, &past[0]), 0);
}

static void until_a_time_that_comes(size_t crowd)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct timespec t;
	struct reader r;

	reader_start(&r, &x, crowd, false);
	t = test_time_after_ms(20);
	assert_int_equal(hazptr_synchronize_until(&x, &t), -ETIMEDOUT);
	assert_true(test_time_reached(&t)); /* and not before */
	assert_true(reader_stop(&r));
	assert_int_equal(hazptr_synchronize_until(&x, &t), 0);
}

static void until_the_reader_ends(size_t crowd, const struct timespec *deadline)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;
	struct waiter w;

	reader_start(&r, &x, crowd, false);
	memset(&w, 0, sizeof(w));
	w.objects[0] = &x;
	w.until = true;
	w.deadline = deadline;
	w.thread = test_start(waiter_run, &w);
	test_sleep_ms(10);
	assert_false(is_done(&w));
	assert_true(reader_stop(&r));
	test_join(w.thread);
	assert_int_equal(w.result, 0);
}

static void until_a_deadline(void **state)
{
	struct timespec later = test_time_after_ms(600000);
	struct timespec never;
	size_t crowd;

	(void)state;
	never.tv_sec = INT32_MAX;
	never.tv_nsec = 999999999;
	for (crowd = 0; crowd <= 8; crowd += 4) {
		until_a_past_time(crowd);
		until_a_time_that_comes(crowd);
		until_the_reader_ends(crowd, &later);
		until_the_reader_ends(crowd, &never);
		until_the_reader_ends(crowd, NULL);
	}
}

static void until_bad_nanoseconds(void **state)
{
	static const long bad[] = { -1, 1000000000, 2000000000, -1000000000 };
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct timespec t = { 1, 0 };
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(bad); i++) {
		t.tv_nsec = bad[i];
		assert_int_equal(hazptr_synchronize_until(&x, &t), -EINVAL);
	}
}

/* _many */

static void many_waits_for_each(void **state)
{
	struct item *items = items_new(3);
	struct reader r[3];
	struct waiter w;
	int i;

	(void)state;
	memset(&w, 0, sizeof(w));
	for (i = 0; i < 3; i++) {
		w.objects[i] = &items[i];
		reader_start(&r[i], &items[i], i == 1 ? 12 : 0, false);
	}
	w.n = 3;
	w.thread = test_start(waiter_run, &w);
	for (i = 0; i < 3; i++) {
		test_sleep_ms(5);
		assert_false(is_done(&w));
		assert_true(reader_stop(&r[i]));
	}
	test_join(w.thread);
	free(items);
}

/* Synchronize instead of retire: the object is the caller's again. */

static struct item *published;
static int sync_stop;

static void *sync_reader(void *arg)
{
	struct hazptr_guard guards[10];
	static struct item dummy;
	struct item *i;
	size_t n = (size_t)(uintptr_t)arg, j;

	memset(guards, 0, sizeof(guards));
	for (j = 0; j < n; j++)
		hazptr_hold(&guards[j], &dummy);
	while (!__atomic_load_n(&sync_stop, __ATOMIC_RELAXED)) {
		i = hazptr_protect(&guards[n], &published);
		must(!i || i->number == 1);
		hazptr_release(&guards[n]);
	}
	for (j = 0; j < n; j++)
		hazptr_release(&guards[j]);
	return NULL;
}

static void object_is_the_callers_afterwards(void **state)
{
	pthread_t readers[2];
	struct item *old, *now;
	int i;

	(void)state;
	sync_stop = 0;
	readers[0] = test_start(sync_reader, (void *)0);
	readers[1] = test_start(sync_reader, (void *)9);
	for (i = 0; i < TEST_MANY(1000); i++) {
		now = items_new(1);
		now->number = 1;
		old = __atomic_exchange_n(&published, now, __ATOMIC_ACQ_REL);
		if (!old)
			continue;
		hazptr_synchronize(old);
		old->number = 2;
		free(old);
	}
	__atomic_store_n(&sync_stop, 1, __ATOMIC_RELAXED);
	test_join(readers[0]);
	test_join(readers[1]);
	free(published);
	published = NULL;
}

/* Who waits for a sleeping reader delays nobody. */

static void *thread_that_uses_it(void *arg)
{
	struct hazptr_guard guards[10];
	static struct item dummy;
	size_t i;

	memset(guards, 0, sizeof(guards));
	for (i = 0; i < 10; i++)
		hazptr_hold(&guards[i], &dummy);
	hazptr_retire(test_manual, (struct item *)arg, head, item_reclaim);
	for (i = 0; i < 10; i++)
		hazptr_release(&guards[i]);
	return NULL;
}

static void waiting_delays_nobody(size_t crowd)
{
	struct item *items = items_new(4);
	struct hazptr_domain *d;
	struct hazptr_context c;
	struct reader r;
	struct waiter w;

	reader_start(&r, &items[0], crowd, false);
	waiter_start(&w, &items[0]);
	test_sleep_ms(10);
	hazptr_synchronize(&items[1]);
	retire_item(&items[2]);
	assert_gone(&items[2]);
	hazptr_barrier(test_manual);
	hazptr_barrier(NULL);
	test_join(test_start(thread_that_uses_it, &items[3]));
	assert_gone(&items[3]);
	assert_int_equal(hazptr_context_init(&c), 0);
	hazptr_context_cleanup(&c);
	d = test_domain(HAZPTR_RECLAIM_INLINE, 4, 1);
	hazptr_retire(d, &items[3], head, item_reclaim);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	assert_false(is_done(&w));
	assert_true(reader_stop(&r));
	test_join(w.thread);
	free(items);
}

static void one_synchronizer_delays_nobody(void **state)
{
	(void)state;
	waiting_delays_nobody(0);
	waiting_delays_nobody(12);
}

/* Nor does a barrier that waits for its reader. */
static void *barrier_run(void *arg)
{
	hazptr_barrier((struct hazptr_domain *)arg);
	return NULL;
}

static void one_barrier_delays_nobody(void **state)
{
	struct hazptr_domain *d =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, 4, TEST_NEVER_MS);
	struct item *items = items_new(4);
	struct reader r;
	pthread_t barrier;

	(void)state;
	reader_start(&r, &items[0], 0, false);
	hazptr_retire(d, &items[0], head, item_reclaim);
	barrier = test_start(barrier_run, d);
	test_sleep_ms(10);
	hazptr_synchronize(&items[1]);
	hazptr_retire(d, &items[2], head, item_reclaim);
	hazptr_flush(d);
	assert_true(test_eventually(item_gone(&items[2]) == 1));
	test_join(test_start(thread_that_uses_it, &items[3]));
	assert_gone(&items[3]);
	assert_true(reader_stop(&r));
	test_join(barrier);
	assert_int_equal(item_gone(&items[0]), 1);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

/* Misuse: the caller's own guards. */

static struct item mine;
static struct hazptr_guard own;

static void hold_mine(size_t crowd)
{
	static struct hazptr_context c;

	if (crowd >= CROWD_IN_CONTEXT) {
		crowd -= CROWD_IN_CONTEXT;
		must(!hazptr_context_init(&c));
		hazptr_context_switch(&c);
	}
	crowd_hold(crowd);
	hazptr_hold(&own, &mine);
	test_names(&mine);
}

static void child_own_guard(void)
{
	hold_mine(0);
	hazptr_synchronize(&mine);
}

static void child_own_last_slot(void)
{
	hold_mine(7);
	hazptr_synchronize(&mine);
}

static void child_own_embedded(void)
{
	hold_mine(8);
	hazptr_synchronize(&mine);
}

static void child_own_in_context(void)
{
	hold_mine(CROWD_IN_CONTEXT);
	hazptr_synchronize(&mine);
}

static void child_own_in_context_embedded(void)
{
	hold_mine(CROWD_IN_CONTEXT + 8);
	hazptr_synchronize(&mine);
}

/* The guard is in the thread's own context, the thread uses another. */
static void child_own_behind_context(void)
{
	struct hazptr_context c;

	hold_mine(0);
	must(!hazptr_context_init(&c));
	hazptr_context_switch(&c);
	hazptr_synchronize(&mine);
}

static void child_own_many(void)
{
	const void *objects[2] = { &crowd_items[0], &mine };

	hold_mine(0);
	hazptr_synchronize_many(objects, 2);
}

static void child_own_until_ever(void)
{
	hold_mine(0);
	hazptr_synchronize_until(&mine, NULL);
}

static const struct test_child children[] = {
	{ "own guard", child_own_guard },
	{ "own last slot", child_own_last_slot },
	{ "own embedded", child_own_embedded },
	{ "own in context", child_own_in_context },
	{ "own in context embedded", child_own_in_context_embedded },
	{ "own behind context", child_own_behind_context },
	{ "own many", child_own_many },
	{ "own until ever", child_own_until_ever },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_returns_at_once),
		cmocka_unit_test(null_returns_at_once),
		cmocka_unit_test(other_objects_do_not_matter),
		cmocka_unit_test(waits_for_every_kind_of_guard),
		cmocka_unit_test(waits_for_parked_contexts_and_slots),
		cmocka_unit_test(waits_for_all_of_several_readers),
		cmocka_unit_test(until_a_deadline),
		cmocka_unit_test(until_bad_nanoseconds),
		cmocka_unit_test(many_waits_for_each),
		cmocka_unit_test(object_is_the_callers_afterwards),
		cmocka_unit_test(one_synchronizer_delays_nobody),
		cmocka_unit_test(one_barrier_delays_nobody),
		MISUSE("own guard", "hazptr_synchronize"),
		MISUSE("own last slot", "hazptr_synchronize"),
		MISUSE("own embedded", "hazptr_synchronize"),
		MISUSE("own in context", "hazptr_synchronize"),
		MISUSE("own in context embedded", "hazptr_synchronize"),
		MISUSE("own behind context", "hazptr_synchronize"),
		MISUSE("own many", "hazptr_synchronize_many"),
		MISUSE("own until ever", "hazptr_synchronize_until"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
