/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex.c - wait and wake
 */
#include "sleepers.h"

static uint32_t word, other;

/* What is refused. */

static const uint32_t *misaligned(size_t by)
{
	static uint32_t two[2];

	return (const uint32_t *)(const void *)((const char *)two + by);
}

static void bad_addresses(void **state)
{
	size_t i;

	(void)state;
	assert_int_equal(hazptr_futex_wait(NULL, 0, NULL), -EINVAL);
	assert_int_equal(hazptr_futex_wake(NULL, 1), -EINVAL);
	for (i = 1; i < 4; i++) {
		const uint32_t *p = misaligned(i);

		assert_int_equal(hazptr_futex_wait(p, 0, NULL), -EINVAL);
		assert_int_equal(hazptr_futex_wait_bitset(p, 0, NULL, 1),
				 -EINVAL);
		assert_int_equal(hazptr_futex_wake(p, 1), -EINVAL);
		assert_int_equal(hazptr_futex_wake_bitset(p, 1, 1), -EINVAL);
	}
	assert_int_equal(hazptr_futex_wait(misaligned(4), 1, NULL), -EAGAIN);
}

static void bad_numbers(void **state)
{
	(void)state;
	assert_int_equal(hazptr_futex_wake(&word, -1), -EINVAL);
	assert_int_equal(hazptr_futex_wake(&word, INT_MIN), -EINVAL);
	assert_int_equal(hazptr_futex_wake_bitset(&word, -1, 1), -EINVAL);
	assert_int_equal(hazptr_futex_wake_bitset(&word, 1, 0), -EINVAL);
	assert_int_equal(hazptr_futex_wait_bitset(&word, 0, NULL, 0), -EINVAL);
	assert_int_equal(hazptr_futex_wait_bitset(&word, 1, NULL, 0), -EINVAL);
}

static void bad_times(void **state)
{
	static const long bad[] = { -1, 1000000000, LONG_MAX, LONG_MIN };
	struct timespec t = test_time_after_ms(60000);
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(bad); i++) {
		t.tv_nsec = bad[i];
		assert_int_equal(hazptr_futex_wait(&word, 0, &t), -EINVAL);
		assert_int_equal(hazptr_futex_wait(&word, 1, &t), -EINVAL);
	}
}

/* What returns at once. */

static void another_value(void **state)
{
	struct timespec past = { 0, 0 };

	(void)state;
	word = 7;
	assert_int_equal(hazptr_futex_wait(&word, 8, NULL), -EAGAIN);
	assert_int_equal(hazptr_futex_wait(&word, 8, &past), -EAGAIN);
	assert_int_equal(hazptr_futex_wait_bitset(&word, 0, NULL, 1), -EAGAIN);
	word = 0;
}

/* Also a time before the machine was started, and before any clock. */
static void times_that_are_over(void **state)
{
	struct timespec past[] = { test_time_after_ms(0),
				   { 0, 0 },
				   { 0, 999999999 },
				   { -1, 0 },
				   { -1000000, 999999999 } };
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(past); i++)
		assert_int_equal(hazptr_futex_wait(&word, 0, &past[i]),
				 -ETIMEDOUT);
	/* And nobody is left in the queue. */
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 0);
}

static void nobody_waits(void **state)
{
	(void)state;
	assert_int_equal(hazptr_futex_wake(&word, 0), 0);
	assert_int_equal(hazptr_futex_wake(&word, 1), 0);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 0);
	assert_int_equal(hazptr_futex_wake_bitset(&word, 1, 4), 0);
}

/* It is not read: no memory needs to be there. */
static void waking_what_is_gone(void **state)
{
	uint32_t *page = (uint32_t *)mmap(NULL, 4096, PROT_NONE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(page != MAP_FAILED);
	assert_int_equal(hazptr_futex_wake(page, 1), 0);
	assert_int_equal(munmap(page, 4096), 0);
	assert_int_equal(hazptr_futex_wake(page, INT_MAX), 0);
}

static void a_deadline_is_kept(void **state)
{
	struct timespec t = test_time_after_ms(20);

	(void)state;
	assert_int_equal(hazptr_futex_wait(&word, 0, &t), -ETIMEDOUT);
	assert_true(test_time_reached(&t));
	t = test_time_after_ms(5);
	assert_int_equal(hazptr_futex_wait_bitset(&word, 0, &t, 2), -ETIMEDOUT);
	assert_true(test_time_reached(&t));
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 0);
}

/* A deadline that is far away is none. */
static void woken_before_the_deadline(void **state)
{
	struct timespec t = test_time_after_ms(3600000);
	struct sleeper s;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.deadline = &t;
	sleeper_start(&s, sleeper_waits, &word);
	assert_int_equal(hazptr_futex_wake(&word, 1), 1);
	assert_int_equal(sleeper_end(&s), 0);
	memset(&s, 0, sizeof(s));
	t.tv_sec = INT32_MAX;
	s.deadline = &t;
	sleeper_start(&s, sleeper_waits, &word);
	assert_int_equal(hazptr_futex_wake(&word, 1), 1);
	assert_int_equal(sleeper_end(&s), 0);
}

/* Who is woken. */

#define MANY 12

static void first_come_first_served(void **state)
{
	struct sleeper s[MANY];
	int before;
	size_t i;

	(void)state;
	sleepers_start(s, MANY, sleeper_waits, &word);
	before = sleepers_returned;
	for (i = 0; i < MANY; i++) {
		assert_int_equal(hazptr_futex_wake(&word, 1), 1);
		assert_int_equal(sleeper_end(&s[i]), 0);
		assert_int_equal(s[i].order, before + (int)i + 1);
	}
	assert_int_equal(hazptr_futex_wake(&word, 1), 0);
}

static void so_many_are_woken(void **state)
{
	struct sleeper s[MANY];
	size_t i;

	(void)state;
	sleepers_start(s, MANY, sleeper_waits, &word);
	assert_int_equal(hazptr_futex_wake(&word, 0), 0);
	assert_int_equal(hazptr_futex_wake(&word, 3), 3);
	sleepers_end(s, 3, 0);
	assert_int_equal(hazptr_futex_wake(&word, 2), 2);
	sleepers_end(&s[3], 2, 0);
	assert_int_equal(sleepers_back(s, MANY), 5);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), MANY - 5);
	for (i = 5; i < MANY; i++)
		assert_int_equal(sleeper_end(&s[i]), 0);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 0);
}

/* Two words of one bucket: the others of it are not touched. */
static void the_word_is_told_apart(void **state)
{
	uint32_t *a = word_in(3, 16, 0), *b = word_in(3, 16, 1);
	struct sleeper s[6];
	size_t i;

	(void)state;
	memset(s, 0, sizeof(s));
	for (i = 0; i < 6; i++)
		sleeper_start(&s[i], sleeper_waits, i % 2 ? b : a);
	assert_int_equal(hazptr_futex_wake(word_in(3, 16, 2), INT_MAX), 0);
	assert_int_equal(hazptr_futex_wake(b, INT_MAX), 3);
	for (i = 1; i < 6; i += 2)
		assert_int_equal(sleeper_end(&s[i]), 0);
	assert_int_equal(sleepers_back(s, 6), 3);
	assert_int_equal(hazptr_futex_wake(a, 1), 1);
	assert_int_equal(sleeper_end(&s[0]), 0);
	assert_int_equal(hazptr_futex_wake(a, INT_MAX), 2);
	assert_int_equal(sleeper_end(&s[2]), 0);
	assert_int_equal(sleeper_end(&s[4]), 0);
}

/* Nor those that are parked there. */
static void parked_threads_are_not_woken(void **state)
{
	struct sleeper s[2];

	(void)state;
	memset(s, 0, sizeof(s));
	sleeper_start(&s[0], sleeper_parks, &word);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 0);
	sleeper_start(&s[1], sleeper_waits, &word);
	assert_int_equal(hazptr_futex_requeue(&word, 0, 0, &other), 0);
	assert_int_equal(hazptr_futex_wake_op(&word, 0, &other, 1, 0), 0);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 1);
	assert_int_equal(sleeper_end(&s[1]), 0);
	assert_int_equal(hazptr_futex_requeue(&word, 1, 1, &other), 0);
	assert_int_equal(hazptr_futex_wake_op(&word, 1, &word, 1, 0), 0);
	assert_int_equal(hazptr_unpark_all(&word, 5), 1);
	assert_int_equal(sleeper_end(&s[0]), 5);
	word = other = 0;
}

static void bits_in_common(void **state)
{
	static const uint32_t bits[] = { 1, 2, 3, 0x80000000, 0 /* all */ };
	struct sleeper s[TEST_COUNT(bits)];
	size_t i;

	(void)state;
	memset(s, 0, sizeof(s));
	for (i = 0; i < TEST_COUNT(bits); i++) {
		s[i].bitset = bits[i];
		sleeper_start(&s[i], sleeper_waits, &word);
	}
	assert_int_equal(hazptr_futex_wake_bitset(&word, 0, 1), 0);
	assert_int_equal(hazptr_futex_wake_bitset(&word, 1, 2), 1);
	assert_int_equal(sleeper_end(&s[1]), 0);
	assert_int_equal(hazptr_futex_wake_bitset(&word, 2, 2), 2);
	assert_int_equal(sleeper_end(&s[2]), 0);
	assert_int_equal(sleeper_end(&s[4]), 0);
	assert_int_equal(hazptr_futex_wake_bitset(&word, INT_MAX, 6), 0);
	assert_int_equal(hazptr_futex_wake_bitset(&word, INT_MAX, 0xFFFFFFFE),
			 1);
	assert_int_equal(sleeper_end(&s[3]), 0);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 1);
	assert_int_equal(sleeper_end(&s[0]), 0);
}

/* Real time. */

static bool may_be_real_time(void)
{
	struct sched_param param;
	bool may;

	memset(&param, 0, sizeof(param));
	param.sched_priority = 1;
	may = !pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	param.sched_priority = 0;
	must(!pthread_setschedparam(pthread_self(), SCHED_OTHER, &param));
	return may;
}

static void by_priority(void **state)
{
	static const int priority[] = { 0, 2, 0, 1, 3, 1, 2, 0 };
	static const size_t expected[] = { 4, 1, 6, 3, 5, 0, 2, 7 };
	struct sleeper s[TEST_COUNT(priority)];
	size_t i;

	(void)state;
	if (!may_be_real_time()) {
		print_message("no permission for SCHED_FIFO\n");
		skip();
	}
	memset(s, 0, sizeof(s));
	for (i = 0; i < TEST_COUNT(priority); i++) {
		s[i].priority = priority[i];
		if (priority[i])
			s[i].policy = i % 2 ? SCHED_FIFO : SCHED_RR;
		sleeper_start(&s[i], sleeper_waits, &word);
	}
	for (i = 0; i < TEST_COUNT(priority); i++) {
		assert_int_equal(hazptr_futex_wake(&word, 1), 1);
		assert_int_equal(sleeper_end(&s[expected[i]]), 0);
		assert_int_equal(sleepers_back(s, TEST_COUNT(priority)), i + 1);
	}
}

/* The one that it had when it went to sleep. */
static void by_priority_at_the_time(void **state)
{
	struct sched_param param;
	struct sleeper s[2];

	(void)state;
	if (!may_be_real_time()) {
		print_message("no permission for SCHED_FIFO\n");
		skip();
	}
	sleepers_start(s, 2, sleeper_waits, &word);
	memset(&param, 0, sizeof(param));
	param.sched_priority = 1;
	must(!pthread_setschedparam(s[1].thread, SCHED_FIFO, &param));
	assert_int_equal(hazptr_futex_wake(&word, 1), 1);
	assert_int_equal(sleeper_end(&s[0]), 0);
	assert_int_equal(hazptr_futex_wake(&word, 1), 1);
	assert_int_equal(sleeper_end(&s[1]), 0);
}

/* Signals. */

static int handled;

static void on_signal(int signal_)
{
	(void)signal_;
	__atomic_fetch_add(&handled, 1, __ATOMIC_ACQ_REL);
}

static void handle_with(void (*handler)(int), int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

/* With and without SA_RESTART; it sleeps on, and keeps its place. */
static void sleeps_on_after_signals(void **state)
{
	static const int flags[] = { 0, SA_RESTART };
	struct sleeper s[2];
	size_t f;
	int i;

	(void)state;
	skip_without_signals();
	for (f = 0; f < TEST_COUNT(flags); f++) {
		handle_with(on_signal, flags[f]);
		handled = 0;
		sleepers_start(s, 2, sleeper_waits, &word);
		for (i = 0; i < 20; i++) {
			must(!pthread_kill(s[0].thread, SIGUSR1));
			assert_true(test_eventually(
				__atomic_load_n(&handled, __ATOMIC_ACQUIRE) >
				i));
		}
		assert_int_equal(sleepers_back(s, 2), 0);
		assert_int_equal(hazptr_futex_wake(&word, 1), 1);
		assert_int_equal(sleeper_end(&s[0]), 0);
		assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 1);
		assert_int_equal(sleeper_end(&s[1]), 0);
	}
}

/* And its deadline stays where it was. */
static void the_deadline_after_signals(void **state)
{
	struct timespec t = test_time_after_ms(60);
	struct sleeper s;

	(void)state;
	skip_without_signals();
	handle_with(on_signal, 0);
	memset(&s, 0, sizeof(s));
	s.deadline = &t;
	sleeper_start(&s, sleeper_waits, &word);
	while (!test_time_reached(&t) && !sleeper_order(&s)) {
		must(!pthread_kill(s.thread, SIGUSR1));
		test_sleep_ms(5);
	}
	assert_int_equal(sleeper_end(&s), -ETIMEDOUT);
	assert_true(test_time_reached(&t));
}

/* errno is the caller's. */
static void errno_stays(void **state)
{
	struct timespec t = test_time_after_ms(2);

	(void)state;
	errno = 12345;
	hazptr_futex_wait(&word, 0, &t);
	hazptr_futex_wait(&word, 1, NULL);
	hazptr_futex_wake(&word, 1);
	hazptr_futex_requeue(&word, 1, 1, &other);
	assert_int_equal(errno, 12345);
}

/* What was stored before a wake is seen after the wait: that alone orders. */
static long plain;

static int reads_plain(struct sleeper *s)
{
	while (!__atomic_load_n((const uint32_t *)s->at, __ATOMIC_RELAXED))
		hazptr_futex_wait((const uint32_t *)s->at, 0, NULL);
	return (int)plain;
}

/* The header's example. */
static void the_example(void **state)
{
	struct sleeper s[4];

	(void)state;
	plain = 0;
	sleepers_start(s, 4, reads_plain, &other);
	plain = 42;
	__atomic_store_n(&other, 1, __ATOMIC_RELEASE);
	assert_int_equal(hazptr_futex_wake(&other, INT_MAX), 4);
	sleepers_end(s, 4, 42);
	other = 0;
}

static void child_wakes(void)
{
	hazptr_futex_wake(&word, 1);
	hazptr_futex_wake(&word, 1);
}

static void unknown_settings_are_reported_once(void **state)
{
	static const char *const names[] = { "HAZPTR_FUTEX",
					     "HAZPTR_FUTEX_WAKE" };
	struct test_result r;
	char assignment[40];
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(names); i++) {
		if (getenv(names[i]))
			skip(); /* the child would have both */
		snprintf(assignment, sizeof(assignment), "%s=bogus", names[i]);
		test_child_run(&r, "wakes", assignment);
		assert_int_equal(r.status, 0);
		assert_int_equal(test_lines(r.err), 1);
		assert_non_null(strstr(r.err, names[i]));
		assert_non_null(strstr(r.err, "bogus"));
	}
}

static const struct test_child children[] = {
	{ "wakes", child_wakes },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(bad_numbers),
		cmocka_unit_test(bad_times),
		cmocka_unit_test(another_value),
		cmocka_unit_test(times_that_are_over),
		cmocka_unit_test(nobody_waits),
		cmocka_unit_test(waking_what_is_gone),
		cmocka_unit_test(a_deadline_is_kept),
		cmocka_unit_test(woken_before_the_deadline),
		cmocka_unit_test(first_come_first_served),
		cmocka_unit_test(so_many_are_woken),
		cmocka_unit_test_setup(the_word_is_told_apart, sleepers_setup),
		cmocka_unit_test(parked_threads_are_not_woken),
		cmocka_unit_test(bits_in_common),
		cmocka_unit_test(by_priority),
		cmocka_unit_test(by_priority_at_the_time),
		cmocka_unit_test(sleeps_on_after_signals),
		cmocka_unit_test(the_deadline_after_signals),
		cmocka_unit_test(errno_stays),
		cmocka_unit_test(the_example),
		cmocka_unit_test(unknown_settings_are_reported_once),
	};

	sleepers_init();
	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
