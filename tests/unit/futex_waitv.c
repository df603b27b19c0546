/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_waitv.c - waiting at several words
 */
#include "sleepers.h"

static uint32_t words[HAZPTR_FUTEX_WAITV_MAX + 1];

/* A sleeper's argument: the words, and how many. */
struct list {
	struct hazptr_futex_waitv v[HAZPTR_FUTEX_WAITV_MAX + 1];
	unsigned n;
};

static int waits_at_several(struct sleeper *s)
{
	const struct list *l = (const struct list *)s->arg;

	return hazptr_futex_waitv(l->v, l->n, s->deadline);
}

/* The first n words. */
static void list_of(struct list *l, unsigned n)
{
	unsigned i;

	memset(l, 0, sizeof(*l));
	l->n = n;
	for (i = 0; i < n; i++)
		l->v[i].addr = &words[i];
}

static void start(struct sleeper *s, struct list *l)
{
	s->arg = l;
	sleeper_begin(s, waits_at_several, NULL);
	must(test_eventually(__atomic_load_n(&s->queued, __ATOMIC_ACQUIRE) ==
				     (int)l->n ||
			     sleeper_order(s)));
}

static int setup(void **state)
{
	(void)state;
	memset(words, 0, sizeof(words));
	return 0;
}

/* Nobody is left in any queue. */
static int teardown(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(words); i++)
		if (hazptr_futex_wake(&words[i], INT_MAX))
			return -1;
	return 0;
}

static void refused(void **state)
{
	struct timespec bad = { 0, 1000000000 };
	struct list l;
	unsigned i;

	(void)state;
	list_of(&l, HAZPTR_FUTEX_WAITV_MAX + 1);
	assert_int_equal(hazptr_futex_waitv(l.v, 0, NULL), -EINVAL);
	assert_int_equal(hazptr_futex_waitv(NULL, 1, NULL), -EINVAL);
	assert_int_equal(hazptr_futex_waitv(l.v, HAZPTR_FUTEX_WAITV_MAX + 1,
					    NULL),
			 -EINVAL);
	assert_int_equal(hazptr_futex_waitv(l.v, UINT_MAX, NULL), -EINVAL);
	assert_int_equal(hazptr_futex_waitv(l.v, 1, &bad), -EINVAL);
	bad.tv_nsec = -1;
	assert_int_equal(hazptr_futex_waitv(l.v, 1, &bad), -EINVAL);
	for (i = 0; i < 3; i++) {
		list_of(&l, 3);
		l.v[i].addr = NULL;
		assert_int_equal(hazptr_futex_waitv(l.v, 3, NULL), -EINVAL);
		l.v[i].addr = (uint32_t *)(void *)((char *)&words[i] + 2);
		assert_int_equal(hazptr_futex_waitv(l.v, 3, NULL), -EINVAL);
	}
}

static void another_value(void **state)
{
	struct list l;
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		list_of(&l, 5);
		l.v[i].expected = 1;
		assert_int_equal(hazptr_futex_waitv(l.v, 5, NULL), -EAGAIN);
	}
}

static void times_that_are_over(void **state)
{
	struct timespec past[] = { { 0, 0 }, { -1, 0 }, test_time_after_ms(5) };
	struct list l;
	size_t i;

	(void)state;
	list_of(&l, HAZPTR_FUTEX_WAITV_MAX);
	for (i = 0; i < TEST_COUNT(past); i++) {
		assert_int_equal(hazptr_futex_waitv(l.v, l.n, &past[i]),
				 -ETIMEDOUT);
		assert_true(test_time_reached(&past[i]));
	}
}

static void each_word_wakes(void **state)
{
	static const unsigned n[] = { 1, 2, 5, HAZPTR_FUTEX_WAITV_MAX };
	struct timespec t = test_time_after_ms(3600000);
	struct sleeper s;
	struct list l;
	unsigned i, j;

	(void)state;
	for (i = 0; i < TEST_COUNT(n); i++) {
		for (j = 0; j < n[i]; j += 1 + n[i] / 6) {
			list_of(&l, n[i]);
			memset(&s, 0, sizeof(s));
			s.deadline = j % 2 ? &t : NULL;
			start(&s, &l);
			assert_int_equal(hazptr_futex_wake(&words[j], 1), 1);
			assert_int_equal(sleeper_end(&s), (int)j);
			assert_int_equal(teardown(NULL), 0);
		}
	}
}

static void other_words_do_not_wake(void **state)
{
	struct sleeper s;
	struct list l;

	(void)state;
	list_of(&l, 3);
	memset(&s, 0, sizeof(s));
	start(&s, &l);
	assert_int_equal(hazptr_futex_wake(&words[3], INT_MAX), 0);
	assert_int_equal(hazptr_futex_wake(&words[0], 0), 0);
	assert_int_equal(sleeper_order(&s), 0);
	assert_int_equal(hazptr_futex_wake(&words[2], 1), 1);
	assert_int_equal(sleeper_end(&s), 2);
}

/* It stands in the queue twice, and each of the two counts. */
static void one_word_twice(void **state)
{
	struct sleeper s;
	struct list l;
	int result;

	(void)state;
	list_of(&l, 4);
	l.v[3].addr = l.v[1].addr;
	memset(&s, 0, sizeof(s));
	start(&s, &l);
	assert_int_equal(hazptr_futex_wake(&words[1], INT_MAX), 2);
	result = sleeper_end(&s);
	assert_true(result == 1 || result == 3);

	memset(&s, 0, sizeof(s));
	start(&s, &l);
	assert_int_equal(hazptr_futex_wake(&words[1], 1), 1);
	assert_int_equal(sleeper_end(&s), 1);
}

static void one_word_very_often(void **state)
{
	struct sleeper s;
	struct list l;
	unsigned i;

	(void)state;
	list_of(&l, HAZPTR_FUTEX_WAITV_MAX);
	for (i = 0; i < l.n; i++)
		l.v[i].addr = &words[0];
	memset(&s, 0, sizeof(s));
	start(&s, &l);
	assert_int_equal(hazptr_futex_wake(&words[0], INT_MAX), (int)l.n);
	assert_in_range(sleeper_end(&s), 0, l.n - 1);
}

/* Wakers at several words at once, held before they touch the thread. */

struct wake {
	uint32_t *word;
	int woken;
};

static void does_wake(void *arg)
{
	struct wake *w = (struct wake *)arg;

	w->woken = hazptr_futex_wake(w->word, INT_MAX);
}

/*
 * Both wakes count it, it returns once, and not before both wakers are through
 * with its frame: whoever goes on first.
 */
static void woken_at_two(const char *point, bool second_first)
{
	struct wake w[2] = { { &words[1], 0 }, { &words[3], 0 } };
	struct hand hands[2];
	struct sleeper s;
	struct list l;
	int i, result;

	list_of(&l, 5);
	memset(&s, 0, sizeof(s));
	start(&s, &l);
	for (i = 0; i < 2; i++) {
		hand_start(&hands[i]);
		stop_arm(&stops[i], point);
		hand_begin(&hands[i], does_wake, &w[i]);
		stop_wait(&stops[i]);
	}
	stop_go(&stops[second_first]);
	hand_end(&hands[second_first]);
	if (strcmp(point, "wake:released") != 0) {
		test_sleep_ms(2);
		assert_int_equal(sleeper_order(&s), 0);
	}
	stop_go(&stops[!second_first]);
	hand_end(&hands[!second_first]);
	result = sleeper_end(&s);
	assert_true(result == 1 || result == 3);
	for (i = 0; i < 2; i++) {
		assert_int_equal(w[i].woken, 1);
		hand_stop(&hands[i]);
	}
	assert_int_equal(teardown(NULL), 0);
}

static void woken_at_two_words(void **state)
{
	static const char *const points[] = { "wake:taken", "wake:awake",
					      "wake:released" };
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(points); i++) {
		woken_at_two(points[i], false);
		woken_at_two(points[i], true);
	}
}

/* While it still queues itself at the others. */

/* The sleeper is held when it stands in the queues of the first so many. */
static void start_and_hold(struct sleeper *s, struct list *l, int queued)
{
	memset(s, 0, sizeof(*s));
	s->arg = l;
	stop_arm_after(&stops[0], "waitv:queued", queued - 1);
	sleeper_begin(s, waits_at_several, NULL);
	stop_wait(&stops[0]);
}

/* A value has changed at the third, after the first or second was woken. */
static void woken_then_changed(void **state)
{
	struct sleeper s;
	struct list l;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		setup(NULL);
		list_of(&l, 4);
		start_and_hold(&s, &l, 2);
		assert_int_equal(hazptr_futex_wake(&words[i], INT_MAX), 1);
		__atomic_store_n(&words[2], 1, __ATOMIC_SEQ_CST);
		assert_int_equal(hazptr_futex_wake(&words[2], INT_MAX), 0);
		stop_go(&stops[0]);
		assert_int_equal(sleeper_end(&s), i); /* not lost */
		assert_int_equal(teardown(NULL), 0);
	}
}

static void changed_meanwhile(void **state)
{
	struct sleeper s;
	struct list l;

	(void)state;
	list_of(&l, 4);
	start_and_hold(&s, &l, 3);
	__atomic_store_n(&words[3], 1, __ATOMIC_SEQ_CST);
	stop_go(&stops[0]);
	assert_int_equal(sleeper_end(&s), -EAGAIN);
}

static void woken_meanwhile(void **state)
{
	struct sleeper s;
	struct list l;

	(void)state;
	list_of(&l, 4);
	start_and_hold(&s, &l, 1);
	assert_int_equal(hazptr_futex_wake(&words[0], INT_MAX), 1);
	stop_go(&stops[0]);
	assert_int_equal(sleeper_end(&s), 0);
}

/* Its queue is another one by then. */
static void requeued(void **state)
{
	struct sleeper s;
	struct list l;

	(void)state;
	list_of(&l, 3);
	memset(&s, 0, sizeof(s));
	start(&s, &l);
	assert_int_equal(hazptr_futex_requeue(&words[1], 0, INT_MAX, &words[9]),
			 1);
	assert_int_equal(hazptr_futex_wake(&words[1], INT_MAX), 0);
	assert_int_equal(hazptr_futex_wake(&words[9], INT_MAX), 1);
	assert_int_equal(sleeper_end(&s), 1);
}

static void tables_replaced(void **state)
{
	struct sleeper s;
	struct list l;
	unsigned n;

	(void)state;
	list_of(&l, HAZPTR_FUTEX_WAITV_MAX);
	for (n = 2; n <= 1024; n *= 8) {
		memset(&s, 0, sizeof(s));
		start(&s, &l);
		assert_int_equal(hazptr_futex_hash_resize(n), 0);
		assert_int_equal(sleeper_order(&s), 0);
		assert_int_equal(hazptr_futex_wake(&words[n % 128], 1), 1);
		assert_int_equal(sleeper_end(&s), (int)n % 128);
	}
}

/* Time-outs beside wakes at all of the words: each wake is accounted for. */

static int waking, woken_in_all;

static void *wakes_all(void *arg)
{
	int i, woken = 0;

	while (__atomic_load_n(&waking, __ATOMIC_ACQUIRE))
		for (i = 0; i < 8; i++)
			woken += hazptr_futex_wake(&words[i], 1);
	__atomic_fetch_add(&woken_in_all, woken, __ATOMIC_RELAXED);
	return arg;
}

static void time_outs_beside_wakes(void **state)
{
	int i, result, back = 0;
	struct timespec t;
	pthread_t thread;
	struct list l;

	(void)state;
	list_of(&l, 8);
	waking = 1;
	woken_in_all = 0;
	thread = test_start(wakes_all, NULL);
	for (i = 0; i < TEST_MANY(2000); i++) {
		t = test_time_after_ms(0);
		t.tv_nsec += i * 37 % 20000;
		if (t.tv_nsec >= 1000000000)
			continue;
		result = hazptr_futex_waitv(l.v, l.n, &t);
		must(result == -ETIMEDOUT || (result >= 0 && result < 8));
		back += result >= 0;
	}
	__atomic_store_n(&waking, 0, __ATOMIC_RELEASE);
	test_join(thread);
	assert_true(woken_in_all >= back); /* several may wake it at once */
}

#define BETWEEN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		BETWEEN(refused),
		BETWEEN(another_value),
		BETWEEN(times_that_are_over),
		BETWEEN(each_word_wakes),
		BETWEEN(other_words_do_not_wake),
		BETWEEN(one_word_twice),
		BETWEEN(one_word_very_often),
		BETWEEN(woken_at_two_words),
		BETWEEN(woken_then_changed),
		BETWEEN(changed_meanwhile),
		BETWEEN(woken_meanwhile),
		BETWEEN(requeued),
		BETWEEN(tables_replaced),
		BETWEEN(time_outs_beside_wakes),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
