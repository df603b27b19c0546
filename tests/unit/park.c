/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/park.c - park and unpark: who decides what, and when
 */
#include "sleepers.h"

static char key, other_key;

/* What is refused; the functions are not called. */

static bool never_asked(void *arg)
{
	(void)arg;
	must(!"validate");
	return true;
}

static void never_called(void *arg)
{
	(void)arg;
	must(!"before_sleep");
}

static void never_late(void *arg, const void *at, bool was_last)
{
	(void)arg;
	must(!"timed_out" || (at && was_last));
}

static void refused(void **state)
{
	static const long bad[] = { -1, 1000000000, LONG_MAX, LONG_MIN };
	struct timespec t = test_time_after_ms(0);
	size_t i;

	(void)state;
	assert_int_equal(hazptr_park(NULL, never_asked, never_called,
				     never_late, NULL, NULL),
			 -EINVAL);
	for (i = 0; i < TEST_COUNT(bad); i++) {
		t.tv_nsec = bad[i];
		assert_int_equal(hazptr_park(&key, never_asked, never_called,
					     never_late, NULL, &t),
				 -EINVAL);
	}
}

/* validate */

struct calls {
	int validated;
	int before;
	int late;
	const void *key;
	bool was_last;
	bool valid;
	void (*before_sleep)(struct calls *c);
	int result;
};

static bool validates(void *arg)
{
	struct calls *c = (struct calls *)arg;

	must(!c->before && !c->late);
	c->validated++;
	return c->valid;
}

static void goes_to_sleep(void *arg)
{
	struct calls *c = (struct calls *)arg;

	must(c->validated == 1 && !c->late);
	c->before++;
	if (c->before_sleep)
		c->before_sleep(c);
}

static void is_late(void *arg, const void *at, bool was_last)
{
	struct calls *c = (struct calls *)arg;

	must(c->before == 1);
	c->late++;
	c->key = at;
	c->was_last = was_last;
}

static int parks_with_calls(struct sleeper *s)
{
	return hazptr_park(s->at, validates, goes_to_sleep, is_late, s->arg,
			   s->deadline);
}

static void validate_says_no(void **state)
{
	struct timespec past = { 0, 0 };
	struct calls c;

	(void)state;
	memset(&c, 0, sizeof(c));
	assert_int_equal(hazptr_park(&key, validates, never_called, never_late,
				     &c, NULL),
			 -EAGAIN);
	assert_int_equal(hazptr_park(&key, validates, NULL, NULL, &c, &past),
			 -EAGAIN);
	assert_int_equal(c.validated, 2);
	assert_int_equal(hazptr_unpark_one(&key, NULL, NULL), 0);
}

/* Each at its time, once; and none that is not due. */
static void called_in_turn(void **state)
{
	struct sleeper s;
	struct calls c;

	(void)state;
	memset(&c, 0, sizeof(c));
	memset(&s, 0, sizeof(s));
	c.valid = true;
	s.arg = &c;
	sleeper_start(&s, parks_with_calls, &key);
	assert_int_equal(hazptr_unpark_one(&key, NULL, NULL), 1);
	assert_int_equal(sleeper_end(&s), 0);
	assert_int_equal(c.validated, 1);
	assert_int_equal(c.before, 1);
	assert_int_equal(c.late, 0);
}

/* None of the functions needs to be there. */
static void without_functions(void **state)
{
	struct timespec past[] = { { 0, 0 }, { -1, 0 } };
	struct sleeper s;

	(void)state;
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_parks, &key);
	assert_int_equal(hazptr_unpark_one(&key, NULL, NULL), 1);
	assert_int_equal(sleeper_end(&s), 0);
	assert_int_equal(hazptr_park(&key, NULL, NULL, NULL, NULL, &past[0]),
			 -ETIMEDOUT);
	assert_int_equal(hazptr_park(&key, NULL, NULL, NULL, NULL, &past[1]),
			 -ETIMEDOUT);
}

/* Validate or unpark: one of the two sees the other. */

static struct {
	int lock; /* 0 free, 1 held, 2 contended */
	long sum;
} locked;

static bool is_contended(void *arg)
{
	return __atomic_load_n((int *)arg, __ATOMIC_RELAXED) == 2;
}

static void *locks(void *arg)
{
	int i, *lock = &locked.lock;

	for (i = 0; i < TEST_MANY(3000); i++) {
		while (__atomic_exchange_n(lock, 2, __ATOMIC_ACQUIRE))
			hazptr_park(lock, is_contended, NULL, NULL, lock, NULL);
		locked.sum++;
		if (i % 16 == 0)
			sched_yield(); /* so that others find it locked */
		if (__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE) == 2)
			hazptr_unpark_one(lock, NULL, NULL);
	}
	return arg;
}

/* The header's example. */
static void the_example(void **state)
{
	pthread_t t[4];
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		t[i] = test_start(locks, NULL);
	for (i = 0; i < 4; i++)
		test_join(t[i]);
	assert_int_equal(locked.sum, 4 * TEST_MANY(3000));
}

/* before_sleep */

static void unparks_itself(struct calls *c)
{
	c->result = hazptr_unpark_one(&key, NULL, NULL);
}

static void unparks_all(struct calls *c)
{
	c->result = hazptr_unpark_all(&key, 9);
}

static void resizes(struct calls *c)
{
	c->result = hazptr_futex_hash_resize(
		hazptr_futex_hash_buckets() == 16 ? 256 : 16);
	must(hazptr_unpark_all(&key, 7) == 1);
}

/* It is in the queue by then, and no lock is held. */
static void unpark_before_sleep(void **state)
{
	struct calls c;

	(void)state;
	memset(&c, 0, sizeof(c));
	c.valid = true;
	c.before_sleep = unparks_itself;
	assert_int_equal(hazptr_park(&key, validates, goes_to_sleep, never_late,
				     &c, NULL),
			 0);
	assert_int_equal(c.result, 1);
	memset(&c, 0, sizeof(c));
	c.valid = true;
	c.before_sleep = unparks_all;
	assert_int_equal(hazptr_park(&key, validates, goes_to_sleep, never_late,
				     &c, NULL),
			 9);
	assert_int_equal(c.result, 1);
	memset(&c, 0, sizeof(c));
	c.valid = true;
	c.before_sleep = resizes;
	assert_int_equal(hazptr_park(&key, validates, goes_to_sleep, never_late,
				     &c, NULL),
			 7);
	assert_int_equal(c.result, 0);
}

/* Even when its deadline has passed: it was woken. */
static void woken_before_sleep_and_late(void **state)
{
	struct timespec past = { 0, 0 };
	struct calls c;

	(void)state;
	memset(&c, 0, sizeof(c));
	c.valid = true;
	c.before_sleep = unparks_all;
	assert_int_equal(hazptr_park(&key, validates, goes_to_sleep, never_late,
				     &c, &past),
			 9);
}

/* timed_out */

static void too_late(void **state)
{
	struct timespec t = test_time_after_ms(20);
	struct calls c;

	(void)state;
	memset(&c, 0, sizeof(c));
	c.valid = true;
	assert_int_equal(hazptr_park(&key, validates, goes_to_sleep, is_late,
				     &c, &t),
			 -ETIMEDOUT);
	assert_true(test_time_reached(&t));
	assert_int_equal(c.late, 1);
	assert_ptr_equal(c.key, &key);
	assert_true(c.was_last);
	assert_int_equal(hazptr_unpark_one(&key, NULL, NULL), 0);
}

/* Others at this key, before or behind it; those at other keys are none. */
static void too_late_and_not_the_last(void **state)
{
	struct timespec past = { 0, 0 };
	struct sleeper s[2];
	struct calls c;

	(void)state;
	memset(s, 0, sizeof(s));
	sleeper_start(&s[0], sleeper_parks, word_in(5, 16, 0));
	sleeper_start(&s[1], sleeper_parks, word_in(5, 16, 1));
	memset(&c, 0, sizeof(c));
	c.valid = true;
	assert_int_equal(hazptr_park(word_in(5, 16, 0), validates,
				     goes_to_sleep, is_late, &c, &past),
			 -ETIMEDOUT);
	assert_ptr_equal(c.key, word_in(5, 16, 0));
	assert_false(c.was_last);
	memset(&c, 0, sizeof(c));
	c.valid = true;
	assert_int_equal(hazptr_park(word_in(5, 16, 2), validates,
				     goes_to_sleep, is_late, &c, &past),
			 -ETIMEDOUT);
	assert_true(c.was_last);
	assert_int_equal(hazptr_unpark_all(word_in(5, 16, 0), 0), 1);
	assert_int_equal(hazptr_unpark_all(word_in(5, 16, 1), 0), 1);
	sleepers_end(s, 2, 0);
}

/* unpark: tokens, and what decide is told */

static struct hazptr_unparked told;

static int decides(void *arg, const struct hazptr_unparked *what)
{
	told = *what;
	return *(int *)arg;
}

static void tokens(void **state)
{
	static int token[] = { 0, 1, 77, INT_MAX };
	struct sleeper s[TEST_COUNT(token)];
	size_t i, n = TEST_COUNT(token);

	(void)state;
	sleepers_start(s, n, sleeper_parks, &key);
	for (i = 0; i < n; i++) {
		assert_int_equal(hazptr_unpark_one(&key, decides, &token[i]),
				 1);
		assert_int_equal(told.unparked, 1);
		assert_int_equal(told.requeued, 0);
		assert_int_equal(told.have_more, i < n - 1);
		assert_int_equal(sleeper_end(&s[i]), token[i]);
	}
}

static void nobody_is_there(void **state)
{
	struct sleeper s;
	int token = 3;

	(void)state;
	memset(&told, 0xff, sizeof(told));
	assert_int_equal(hazptr_unpark_one(&key, decides, &token), 0);
	assert_int_equal(told.unparked, 0);
	assert_int_equal(told.requeued, 0);
	assert_false(told.have_more);
	assert_false(told.be_fair);
	assert_int_equal(hazptr_unpark_all(&key, 1), 0);
	assert_int_equal(hazptr_unpark_one(&key, NULL, NULL), 0);
	/* Nor is who waits at another key of the same bucket. */
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_parks, word_in(6, 16, 0));
	memset(&told, 0xff, sizeof(told));
	assert_int_equal(hazptr_unpark_one(word_in(6, 16, 1), decides, &token),
			 0);
	assert_int_equal(told.unparked, 0);
	assert_false(told.have_more);
	assert_int_equal(hazptr_unpark_one(word_in(6, 16, 0), decides, &token),
			 1);
	assert_false(told.have_more);
	assert_int_equal(sleeper_end(&s), 3);
}

static void all_of_them(void **state)
{
	struct sleeper s[9];

	(void)state;
	sleepers_start(s, 9, sleeper_parks, &key);
	assert_int_equal(hazptr_unpark_all(&other_key, 5), 0);
	assert_int_equal(hazptr_unpark_all(&key, 5), 9);
	sleepers_end(s, 9, 5);
}

static void first_come_first_served(void **state)
{
	struct sleeper s[7];
	int before;
	size_t i;

	(void)state;
	sleepers_start(s, 7, sleeper_parks, &key);
	before = sleepers_returned;
	for (i = 0; i < 7; i++) {
		assert_int_equal(hazptr_unpark_one(&key, NULL, NULL), 1);
		assert_int_equal(sleeper_end(&s[i]), 0);
		assert_int_equal(s[i].order, before + (int)i + 1);
	}
}

/* Any address is a key, whatever is there, and is compared as a whole. */
static void any_key(void **state)
{
	const char *base = (const char *)(uintptr_t)0x1000;
	struct sleeper s[8];
	int i;

	(void)state;
	memset(s, 0, sizeof(s));
	for (i = 0; i < 8; i++)
		sleeper_start(&s[i], sleeper_parks, base + i);
	for (i = 7; i >= 0; i--) {
		assert_int_equal(hazptr_unpark_all(base + i, i), 1);
		assert_int_equal(sleeper_end(&s[i]), i);
	}
}

/* After a millisecond; one that has just come has waited for less. */
static void fair_after_a_millisecond(void **state)
{
	struct timespec begin, end;
	struct sleeper s;
	int i, token = 0;
	bool unfair = false;
	long ns;

	(void)state;
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_parks, &key);
	test_sleep_ms(3);
	assert_int_equal(hazptr_unpark_one(&key, decides, &token), 1);
	assert_true(told.be_fair);
	assert_int_equal(sleeper_end(&s), 0);
	for (i = 0; i < 200 && !unfair; i++) {
		begin = test_time_after_ms(0);
		sleeper_begin(&s, sleeper_parks, &key);
		while (!hazptr_unpark_one(&key, decides, &token))
			sched_yield();
		end = test_time_after_ms(0);
		unfair = !told.be_fair;
		assert_int_equal(sleeper_end(&s), 0);
		ns = (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec -
		     begin.tv_nsec;
		if (ns < 1000000)
			assert_false(told.be_fair);
	}
	if (!unfair)
		print_message("too slow a machine to be unfair on\n");
}

/* Priorities, and signals */

static int parks_in_real_time(struct sleeper *s)
{
	return hazptr_park(s->at, NULL, NULL, NULL, NULL, NULL);
}

static void real_time_first(void **state)
{
	struct sched_param param;
	struct sleeper s[2];

	(void)state;
	memset(&param, 0, sizeof(param));
	param.sched_priority = 1;
	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &param)) {
		print_message("no permission for SCHED_FIFO\n");
		skip();
	}
	param.sched_priority = 0;
	must(!pthread_setschedparam(pthread_self(), SCHED_OTHER, &param));
	memset(s, 0, sizeof(s));
	s[1].policy = SCHED_FIFO;
	s[1].priority = 1;
	sleeper_start(&s[0], sleeper_parks, &key);
	sleeper_start(&s[1], parks_in_real_time, &key);
	assert_int_equal(hazptr_unpark_one(&key, NULL, NULL), 1);
	assert_int_equal(sleeper_end(&s[1]), 0);
	assert_int_equal(hazptr_unpark_all(&key, 0), 1);
	assert_int_equal(sleeper_end(&s[0]), 0);
}

static int handled;

static void on_signal(int signal_)
{
	(void)signal_;
	__atomic_fetch_add(&handled, 1, __ATOMIC_ACQ_REL);
}

static void sleeps_on_after_signals(void **state)
{
	struct sigaction action;
	struct sleeper s;
	int i;

	(void)state;
	skip_without_signals();
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_parks, &key);
	for (i = 0; i < 20; i++) {
		must(!pthread_kill(s.thread, SIGUSR1));
		assert_true(test_eventually(
			__atomic_load_n(&handled, __ATOMIC_ACQUIRE) > i));
	}
	assert_int_equal(sleeper_order(&s), 0);
	assert_int_equal(hazptr_unpark_all(&key, 4), 1);
	assert_int_equal(sleeper_end(&s), 4);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(validate_says_no),
		cmocka_unit_test(called_in_turn),
		cmocka_unit_test(without_functions),
		cmocka_unit_test(the_example),
		cmocka_unit_test_setup(unpark_before_sleep, sleepers_setup),
		cmocka_unit_test(woken_before_sleep_and_late),
		cmocka_unit_test(too_late),
		cmocka_unit_test_setup(too_late_and_not_the_last,
				       sleepers_setup),
		cmocka_unit_test(tokens),
		cmocka_unit_test_setup(nobody_is_there, sleepers_setup),
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(first_come_first_served),
		cmocka_unit_test(any_key),
		cmocka_unit_test(fair_after_a_millisecond),
		cmocka_unit_test(real_time_first),
		cmocka_unit_test(sleeps_on_after_signals),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
