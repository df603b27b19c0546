/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_signal.c - wakes from signal handlers
 *
 * A handler that interrupts a call which works at the table leaves its wake
 * for the end of that call. Each call is made with a handler at each of its
 * points, which wakes a thread that sleeps elsewhere: when the call has ended,
 * that thread is awake. Then by a timer, at any instruction.
 */
#include "sleepers.h"

#include <sys/time.h>

static uint32_t theirs, mine, mine2;

/* With counted references a wake is none for handlers. */
#define skip_by_count()                                     \
	do {                                                \
		if (by_count()) {                           \
			print_message("not signal-safe\n"); \
			skip();                             \
		}                                           \
	} while (0)

/* What the handler does. */

static volatile sig_atomic_t handled;
static int woken; /* as the handler was told */
static void (*in_handler)(void);

static void on_signal(int signal_)
{
	(void)signal_;
	handled++;
	in_handler();
}

static void wakes_theirs(void)
{
	int n = hazptr_futex_wake(&theirs, 1);

	must(n >= 0);
	woken += n;
}

static void handle(int signal_, void (*what)(void))
{
	struct sigaction action;

	in_handler = what;
	handled = 0;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	assert_int_equal(sigaction(signal_, &action, NULL), 0);
}

/* Points: the nth that this thread passes raises the signal. */

static __thread bool is_raiser;
static int points_passed, raise_at;

static void raises(const char *point)
{
	(void)point;
	if (!is_raiser)
		return;
	if (++points_passed == raise_at)
		raise(SIGUSR1);
}

/* The calls */

static struct timespec past;

static void waits_late(void)
{
	assert_in_range(-hazptr_futex_wait(&mine, 0, &past), 0, ETIMEDOUT);
}

static void waits_for_another_value(void)
{
	assert_int_equal(hazptr_futex_wait(&mine, 1, NULL), -EAGAIN);
}

static void wakes_nobody(void)
{
	assert_int_equal(hazptr_futex_wake(&mine, 1), 0);
}

static void wakes_somebody(void)
{
	struct sleeper s;

	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, &mine);
	assert_in_range(hazptr_futex_wake(&mine, 1), 0, 1);
	/* The handler's may have been for it, too. */
	assert_int_equal(sleeper_end(&s), 0);
}

static void requeues(void)
{
	struct sleeper s;

	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, &mine);
	assert_in_range(hazptr_futex_requeue(&mine, 0, 1, &mine2), 0, 1);
	hazptr_futex_wake(&mine2, 1);
	assert_int_equal(sleeper_end(&s), 0);
}

static void cmp_requeues(void)
{
	assert_int_equal(hazptr_futex_cmp_requeue(&mine, 0, 1, 1, &mine2), 0);
	assert_int_equal(hazptr_futex_cmp_requeue(&mine, 1, 1, 1, &mine2),
			 -EAGAIN);
}

static void wake_ops(void)
{
	assert_int_equal(hazptr_futex_wake_op(&mine, 1, &mine2, 1, 0), 0);
}

static void waits_at_several(void)
{
	struct hazptr_futex_waitv v[3] = { { &mine, 0 },
					   { &mine2, 0 },
					   { &mine, 0 } };
	int result = hazptr_futex_waitv(v, 3, &past);

	assert_true(result == -ETIMEDOUT || (result >= 0 && result < 3));
}

static void parks_late(void)
{
	assert_int_equal(hazptr_park(&mine, NULL, NULL, NULL, NULL, &past),
			 -ETIMEDOUT);
}

static void unparks(void)
{
	assert_int_equal(hazptr_unpark_one(&mine, NULL, NULL), 0);
	assert_int_equal(hazptr_unpark_all(&mine, 1), 0);
}

static bool chooses(void *arg, struct hazptr_requeue *n)
{
	(void)arg;
	n->wake = n->requeue = 1;
	return true;
}

static void unparks_and_requeues(void)
{
	assert_int_equal(
		hazptr_unpark_requeue(&mine, &mine2, chooses, NULL, NULL), 0);
}

static void resizes(void)
{
	unsigned now = hazptr_futex_hash_buckets();

	assert_int_equal(hazptr_futex_hash_resize(now == 16 ? 8 : 16), 0);
}

static void (*const calls[])(void) = {
	waits_late,   waits_for_another_value,
	wakes_nobody, wakes_somebody,
	requeues,     cmp_requeues,
	wake_ops,     waits_at_several,
	parks_late,   unparks,
	resizes,      unparks_and_requeues,
};

/* Returns false when the call has fewer points. */
static bool raised_at(void (*call)(void), int at)
{
	struct sleeper s;

	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, &theirs);
	handled = woken = points_passed = 0;
	raise_at = at;
	sleepers_at_points(raises);
	call();
	sleepers_at_points(NULL);
	if (handled) {
		/* Nobody else wakes it. */
		if (!test_eventually(sleeper_order(&s)))
			fail_msg("lost: at point %d", at);
	} else {
		assert_int_equal(hazptr_futex_wake(&theirs, 1), 1);
	}
	assert_int_equal(sleeper_end(&s), 0);
	return handled;
}

/* In tables of fewer and of more parts than a handler tells apart. */
static void at_each_point(void **state)
{
	static const unsigned sizes[] = { 16, 2, 1024 };
	size_t i, j;
	int at, most = 0;

	(void)state;
	skip_by_count();
	handle(SIGUSR1, wakes_theirs);
	for (j = 0; j < TEST_COUNT(sizes); j++) {
		for (i = 0; i < TEST_COUNT(calls); i++) {
			must(!hazptr_futex_hash_resize(sizes[j]));
			for (at = 1; raised_at(calls[i], at); at++) {
				if (at > 40)
					break; /* a bucket is like another */
				must(!hazptr_futex_hash_resize(sizes[j]));
			}
			most = at > most ? at : most;
		}
	}
	assert_true(most > 16);
}

/* A handler's wake of the very word at which the thread is going to sleep. */

static void changes_mine(void)
{
	__atomic_store_n(&mine, 1, __ATOMIC_RELEASE);
	must(hazptr_futex_wake(&mine, 1) >= 0);
}

static void of_its_own_word(void **state)
{
	int at, result;

	(void)state;
	skip_by_count();
	handle(SIGUSR1, changes_mine);
	for (at = 1;; at++) {
		mine = 0;
		handled = points_passed = 0;
		raise_at = at;
		sleepers_at_points(raises);
		/* Where it has no such point, somebody has to wake it. */
		result = at > 8 ? hazptr_futex_wait(&mine, 0, &past)
				: hazptr_futex_wait(&mine, 0, NULL);
		sleepers_at_points(NULL);
		if (!handled)
			break;
		assert_true(result == 0 || result == -EAGAIN ||
			    (result == -ETIMEDOUT && at > 8));
		if (at == 3) /* found, counted, queued, and no more */
			break;
	}
	assert_true(at >= 2);
	mine = 0;
}

/* Its own, while it sleeps. */
static void while_it_sleeps(void **state)
{
	struct sleeper s;

	(void)state;
	skip_by_count();
	skip_without_signals();
	handle(SIGUSR1, changes_mine);
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, &mine);
	must(!pthread_kill(s.thread, SIGUSR1));
	assert_int_equal(sleeper_end(&s), 0);
	assert_int_equal(handled, 1);
	mine = 0;
}

/* Many of them, in one call, for many words. */

static void wakes_the_pool(void)
{
	int i;

	for (i = 0; i < 16; i++)
		must(hazptr_futex_wake(&pool[i * 100], INT_MAX) >= 0);
}

static void for_many_words(void **state)
{
	static const unsigned sizes[] = { 4, 64, 256 };
	struct sleeper s[16];
	size_t i;
	int k;

	(void)state;
	skip_by_count();
	handle(SIGUSR1, wakes_the_pool);
	for (i = 0; i < TEST_COUNT(sizes); i++) {
		must(!hazptr_futex_hash_resize(sizes[i]));
		memset(s, 0, sizeof(s));
		for (k = 0; k < 16; k++)
			sleeper_start(&s[k], sleeper_waits, &pool[k * 100]);
		points_passed = 0;
		raise_at = 2;
		sleepers_at_points(raises);
		requeues();
		sleepers_at_points(NULL);
		sleepers_end(s, 16, 0);
	}
}

/* One that was left reaches those who are being moved meanwhile. */
static void left_while_another_resizes(void **state)
{
	static const char *const points[] = { "table:published",
					      "table:moved" };
	struct hand resizer;
	struct sleeper s[2];
	size_t i;
	int skips;

	(void)state;
	skip_by_count();
	handle(SIGUSR1, wakes_theirs);
	hand_start(&resizer);
	for (i = 0; i < 2; i++) {
		for (skips = 0; skips < (i ? 16 : 1); skips++) {
			must(!hazptr_futex_hash_resize(16));
			memset(s, 0, sizeof(s));
			sleeper_start(&s[0], sleeper_waits, &theirs);
			stop_arm_after(&stops[0], points[i], skips);
			hand_begin(&resizer, does_resize,
				   (void *)(uintptr_t)128);
			stop_wait(&stops[0]);
			points_passed = 0;
			raise_at = 1;
			sleepers_at_points(raises);
			cmp_requeues();
			sleepers_at_points(NULL);
			sleepers_end(s, 1, 0);
			stop_go(&stops[0]);
			hand_end(&resizer);
		}
	}
	hand_stop(&resizer);
}

/*
 * And when the table is replaced at the end of a look for those who are left:
 * the sleeper was gone from the old one, and that is no longer the current one.
 */
static void does_requeue_and_raise(void *arg)
{
	is_raiser = true;
	must(hazptr_futex_cmp_requeue((uint32_t *)arg, 0, 1, 1,
				      (uint32_t *)arg) == 0);
	is_raiser = false;
}

static void wakes_low(void)
{
	must(hazptr_futex_wake(word_in(0, 16, 0), 1) == 0);
}

static void replaced_while_it_looks(void **state)
{
	struct hand resizer, hand;
	struct sleeper s;

	(void)state;
	skip_by_count();
	is_raiser = false;
	handle(SIGUSR1, wakes_low);
	hand_start(&resizer);
	hand_start(&hand);
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, word_in(0, 16, 0));
	stop_arm_after(&stops[0], "table:moved", 0);
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)128);
	stop_wait(&stops[0]); /* it is in the next table */
	points_passed = 0;
	raise_at = 1;
	sleepers_at_points(raises);
	stop_arm_after(&stops[1], "table:next", 0);
	hand_begin(&hand, does_requeue_and_raise, word_in(15, 16, 0));
	stop_wait(&stops[1]); /* it has not found it in the old one */
	sleepers_at_points(NULL);
	stop_go(&stops[0]);
	hand_end(&resizer);
	stop_go(&stops[1]);
	hand_end(&hand);
	assert_int_equal(handled, 1);
	assert_int_equal(sleeper_end(&s), 0);
	hand_stop(&resizer);
	hand_stop(&hand);
	is_raiser = true;
}

/* At any instruction. */

#define BATON_TURNS 400

static uint32_t baton;

/* Odd: theirs; even: the handler's. */
static void passes_the_baton(void)
{
	uint32_t now = __atomic_load_n(&baton, __ATOMIC_ACQUIRE);

	if (now % 2 || now >= BATON_TURNS)
		return;
	__atomic_store_n(&baton, now + 1, __ATOMIC_RELEASE);
	must(hazptr_futex_wake(&baton, 1) >= 0);
}

static int takes_the_baton(struct sleeper *s)
{
	uint32_t now;
	sigset_t all;

	(void)s;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (;;) {
		now = __atomic_load_n(&baton, __ATOMIC_ACQUIRE);
		if (now >= BATON_TURNS)
			return 0;
		if (now % 2)
			__atomic_store_n(&baton, now + 1, __ATOMIC_RELEASE);
		else
			must(hazptr_futex_wait(&baton, now, NULL) !=
			     -ETIMEDOUT);
	}
}

static void quick_work(unsigned turn)
{
	struct timespec soon = { 0, 0 };

	hazptr_futex_requeue(&mine, 1, 1, &mine2);
	hazptr_futex_wait(&mine, 0, &soon);
	hazptr_unpark_all(&mine2, 1);
	if (turn % 16 == 0)
		must(!hazptr_futex_hash_resize(turn % 32 ? 32 : 16));
}

/* Nobody but the handler wakes the other thread. */
static void at_any_instruction(void **state)
{
	struct itimerval timer;
	struct sleeper s;
	unsigned turn = 0;

	(void)state;
	skip_by_count();
	baton = 0;
	memset(&s, 0, sizeof(s));
	sleeper_begin(&s, takes_the_baton, &baton);
	handle(SIGALRM, passes_the_baton);
	memset(&timer, 0, sizeof(timer));
	timer.it_value.tv_usec = timer.it_interval.tv_usec = 500;
	must(!setitimer(ITIMER_REAL, &timer, NULL));
	while (__atomic_load_n(&baton, __ATOMIC_ACQUIRE) < BATON_TURNS)
		quick_work(turn++);
	memset(&timer, 0, sizeof(timer));
	must(!setitimer(ITIMER_REAL, &timer, NULL));
	/* The last word was its own. */
	assert_int_equal(sleeper_end(&s), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(at_each_point, sleepers_setup),
		cmocka_unit_test(of_its_own_word),
		cmocka_unit_test(while_it_sleeps),
		cmocka_unit_test_setup(for_many_words, sleepers_setup),
		cmocka_unit_test(left_while_another_resizes),
		cmocka_unit_test_setup(replaced_while_it_looks, sleepers_setup),
		cmocka_unit_test(at_any_instruction),
	};

	is_raiser = true;
	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
