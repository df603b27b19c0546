/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/cond_race.c - hazptr/cond.h: signals against time-outs and others
 *
 * Directed first: a thread is held at a named point, and something happens
 * meanwhile. Then stress, also while the table of waiters is replaced.
 */
#include "locks.h"

static struct hazptr_mutex mutex;
static struct hazptr_cond cond;

static bool is_unused(void)
{
	return !__atomic_load_n(&cond.mutex, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&mutex.word, __ATOMIC_RELAXED);
}

static bool is_waited_for(void)
{
	return __atomic_load_n(&cond.mutex, __ATOMIC_RELAXED) != NULL;
}

/* Between the unlock and the sleep */

/* It is in the queue, and sleeps not yet. */
static void a_signal_before_the_sleep_counts(void **state)
{
	struct waiter w;

	(void)state;
	waiter_start(&w, &cond, &mutex, NULL);
	stop_arm(&stops[0], "park:queued");
	hand_begin(&w.hand, waiter_run, &w);
	stop_wait(&stops[0]);
	assert_false(hazptr_mutex_trylock(&mutex));
	if (*state)
		hazptr_cond_broadcast(&cond);
	else
		hazptr_cond_signal(&cond);
	stop_go(&stops[0]);
	assert_int_equal(waiter_result(&w), 0);
	waiter_stop(&w);
	assert_true(is_unused());
}

/* Time-outs */

/* Its deadline has passed, and it is still in the queue. */
static void a_signal_at_the_deadline_is_not_lost(void **state)
{
	bool held = *state != NULL;
	struct timespec soon = test_time_after_ms(10);
	struct waiter late, other;

	waiter_start(&late, &cond, &mutex, &soon);
	waiter_start(&other, &cond, &mutex, NULL);
	stop_arm(&stops[0], "unqueue:guarded");
	waiter_waits(&late);
	waiter_waits(&other);
	stop_wait(&stops[0]);
	if (held)
		hazptr_mutex_lock(&mutex);
	hazptr_cond_signal(&cond);
	stop_go(&stops[0]);
	if (held)
		hazptr_mutex_unlock(&mutex);
	if (waiter_result(&late) == -ETIMEDOUT)
		assert_true(test_eventually(flag_is_set(&other.is_back)));
	hazptr_cond_broadcast(&cond);
	assert_int_equal(waiter_result(&other), 0);
	waiter_stop(&late);
	waiter_stop(&other);
	assert_true(is_unused());
}

/* It was moved to the mutex before its deadline, which passes while it waits. */
static void who_was_signalled_in_time_has_not_timed_out(void **state)
{
	struct timespec soon = test_time_after_ms(20);
	struct waiter w;

	(void)state;
	waiter_start(&w, &cond, &mutex, &soon);
	waiter_waits(&w);
	hazptr_mutex_lock(&mutex);
	stop_arm(&stops[0], "unqueue:guarded");
	hazptr_cond_signal(&cond);
	stop_wait(&stops[0]);
	assert_null(__atomic_load_n(&cond.mutex, __ATOMIC_RELAXED));
	stop_go(&stops[0]);
	test_sleep_ms(5);
	assert_false(flag_is_set(&w.is_back));
	hazptr_mutex_unlock(&mutex);
	assert_int_equal(waiter_result(&w), 0);
	waiter_stop(&w);
	assert_true(is_unused());
}

/* Wakes that a signal handler leaves to the call that it interrupted */

static uint32_t words[4096];

static void handler_that_wakes_everywhere(int number)
{
	size_t i;

	(void)number;
	for (i = 0; i < TEST_COUNT(words); i++)
		hazptr_futex_wake(&words[i], 1);
}

static void raises_at_table_found(const char *point)
{
	if (strcmp(point, "table:found") != 0)
		return;
	at_points_do(NULL);
	raise(SIGUSR1);
}

/* Those may wake anybody for nothing; the rest has to be right nevertheless. */
static void a_wake_for_nothing_leaves_it_sound(void **state)
{
	struct timespec past = time_of(0, 0);
	struct hazptr_mutex second = HAZPTR_MUTEX_INIT;
	struct waiter w;

	(void)state;
	handle(SIGUSR1, handler_that_wakes_everywhere);
	waiter_start(&w, &cond, &mutex, NULL);
	waiter_waits(&w);
	at_points_do(raises_at_table_found);
	assert_int_equal(hazptr_unpark_one(&words[1], NULL, NULL), 0);
	test_sleep_ms(20);
	if (flag_is_set(&w.is_back)) {
		assert_int_equal(waiter_result(&w), 0);
		assert_true(is_unused());
		hazptr_mutex_lock(&second);
		assert_int_equal(hazptr_cond_wait_until(&cond, &second, &past),
				 -ETIMEDOUT);
		hazptr_mutex_unlock(&second);
	} else {
		hazptr_cond_signal(&cond);
		assert_int_equal(waiter_result(&w), 0);
	}
	waiter_stop(&w);
	assert_true(is_unused());
}

/* Signals and those who came later */

/* Who waits after the signal does not get what is meant for who was there. */
static void a_later_one_does_not_steal_the_signal(void **state)
{
	struct waiter first, later;

	waiter_start(&first, &cond, &mutex, NULL);
	waiter_start(&later, &cond, &mutex, NULL);
	waiter_waits(&first);
	if (*state) { /* the later one comes before the first one runs */
		hazptr_mutex_lock(&mutex);
		hazptr_cond_signal(&cond);
		hand_begin(&later.hand, waiter_run, &later);
		test_sleep_ms(5);
		hazptr_mutex_unlock(&mutex);
	} else {
		hazptr_cond_signal(&cond);
		hand_begin(&later.hand, waiter_run, &later);
	}
	assert_int_equal(waiter_result(&first), 0);
	assert_true(test_eventually(is_waited_for()));
	assert_false(flag_is_set(&later.is_back));
	hazptr_mutex_lock(&mutex);
	hazptr_mutex_unlock(&mutex);
	hazptr_cond_signal(&cond);
	assert_int_equal(waiter_result(&later), 0);
	waiter_stop(&first);
	waiter_stop(&later);
	assert_true(is_unused());
}

/* Stress */

#define BALLS TEST_MANY(5000)

static long balls;
static long caught;
static bool held_signals;

/* A ball is thrown by one signal, which nobody else is sent for. */
static void *throws(void *arg)
{
	long i;

	(void)arg;
	for (i = 0; i < BALLS; i++) {
		hazptr_mutex_lock(&mutex);
		balls++;
		if (held_signals)
			hazptr_cond_signal(&cond);
		hazptr_mutex_unlock(&mutex);
		if (!held_signals)
			hazptr_cond_signal(&cond);
		if (i % 4 == 0)
			sched_yield();
	}
	return NULL;
}

static bool all_caught(void)
{
	return caught == BALLS;
}

static void catch_one(void)
{
	if (balls > 0) {
		balls--;
		if (++caught == BALLS)
			hazptr_cond_broadcast(&cond);
	}
}

/* Catches only when it is told that there is one. */
static void *catches_in_time(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct timespec t;

	hazptr_mutex_lock(&mutex);
	while (!all_caught()) {
		t = test_time_after_ms(0);
		t.tv_nsec += (long)(test_random(&seed) % 200) * 1000;
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
		if (!hazptr_cond_wait_until(&cond, &mutex, &t))
			catch_one();
	}
	hazptr_mutex_unlock(&mutex);
	return NULL;
}

/* If a signal went to somebody who timed out, this one would sleep for ever. */
static void *catches_for_ever(void *arg)
{
	(void)arg;
	hazptr_mutex_lock(&mutex);
	while (!all_caught()) {
		while (!balls && !all_caught())
			hazptr_cond_wait(&cond, &mutex);
		catch_one();
	}
	hazptr_mutex_unlock(&mutex);
	return NULL;
}

static void each_ball_is_caught(bool held, bool move)
{
	pthread_t threads[5];
	struct mover m;
	uintptr_t i;

	balls = caught = 0;
	held_signals = held;
	if (move)
		mover_start(&m);
	for (i = 0; i < 3; i++)
		threads[i] = test_start(catches_in_time, (void *)i);
	threads[3] = test_start(catches_for_ever, NULL);
	threads[4] = test_start(throws, NULL);
	for (i = 0; i < TEST_COUNT(threads); i++)
		test_join(threads[i]);
	if (move)
		mover_stop(&m);
	assert_int_equal(balls, 0);
	assert_true(is_unused());
}

static void signals_race_with_deadlines(void **state)
{
	(void)state;
	each_ball_is_caught(false, false);
	each_ball_is_caught(true, false);
}

static void signals_race_while_tables_change(void **state)
{
	(void)state;
	each_ball_is_caught(false, true);
	each_ball_is_caught(true, true);
}

/* Two take turns: a wake-up that is lost stops both. */

static int turn_of;

static void *takes_turns(void *arg)
{
	int me = arg != NULL, i;

	for (i = 0; i < TEST_MANY(5000); i++) {
		hazptr_mutex_lock(&mutex);
		while (turn_of != me)
			hazptr_cond_wait(&cond, &mutex);
		turn_of = !me;
		if (i % 2)
			hazptr_cond_signal(&cond);
		hazptr_mutex_unlock(&mutex);
		if (i % 2 == 0)
			hazptr_cond_signal(&cond);
	}
	return NULL;
}

static void two_take_turns(void **state)
{
	pthread_t other;

	(void)state;
	turn_of = 0;
	other = test_start(takes_turns, &mutex);
	takes_turns(NULL);
	test_join(other);
	assert_true(is_unused());
}

/* A generation ends with a broadcast; some wait for the next one at once. */

#define GENERATIONS TEST_MANY(1000)

static long generation;
static long arrived;

static void *meets(void *arg)
{
	long mine, i;

	(void)arg;
	for (i = 0; i < GENERATIONS; i++) {
		hazptr_mutex_lock(&mutex);
		mine = generation;
		if (++arrived == 4) {
			arrived = 0;
			generation++;
			hazptr_cond_broadcast(&cond);
		}
		while (generation == mine)
			hazptr_cond_wait(&cond, &mutex);
		must(generation == mine + 1);
		hazptr_mutex_unlock(&mutex);
	}
	return NULL;
}

static void all_meet_in_each_generation(void **state)
{
	pthread_t threads[4];
	struct mover m;
	size_t i;

	if (*state)
		mover_start(&m);
	generation = arrived = 0;
	for (i = 0; i < TEST_COUNT(threads); i++)
		threads[i] = test_start(meets, NULL);
	for (i = 0; i < TEST_COUNT(threads); i++)
		test_join(threads[i]);
	if (*state)
		mover_stop(&m);
	assert_int_equal(generation, GENERATIONS);
	assert_true(is_unused());
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_before_the_sleep_counts),
		{ "a_broadcast_before_the_sleep_counts",
		  a_signal_before_the_sleep_counts, NULL, NULL, &mutex },
		cmocka_unit_test(a_signal_at_the_deadline_is_not_lost),
		{ "a_signal_at_the_deadline_is_not_lost, mutex held",
		  a_signal_at_the_deadline_is_not_lost, NULL, NULL, &mutex },
		cmocka_unit_test(who_was_signalled_in_time_has_not_timed_out),
		cmocka_unit_test(a_wake_for_nothing_leaves_it_sound),
		cmocka_unit_test(a_later_one_does_not_steal_the_signal),
		{ "a_later_one_does_not_steal_the_signal, mutex held",
		  a_later_one_does_not_steal_the_signal, NULL, NULL, &mutex },
		cmocka_unit_test(signals_race_with_deadlines),
		cmocka_unit_test(signals_race_while_tables_change),
		cmocka_unit_test(two_take_turns),
		cmocka_unit_test(all_meet_in_each_generation),
		{ "all_meet_while_tables_change", all_meet_in_each_generation,
		  NULL, NULL, &mutex },
	};

	locks_init();
	test_main(argc, argv, NULL, 0);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
