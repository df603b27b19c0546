/* SPDX-License-Identifier: MIT */
/* tests/unit/mutex.c - hazptr/mutex.h: who gets it, and what the word says */
#undef HAZPTR_DEBUG /* it would say who has the mutex: mutex_debug.c */
#include "lock_kinds.h"

#define LOCKED 1u

static void mutex_init(void *lock)
{
	memset(lock, 0, sizeof(struct hazptr_mutex));
}

static void mutex_hold(void *lock)
{
	hazptr_mutex_lock((struct hazptr_mutex *)lock);
}

static int mutex_enter_until(void *lock, const struct timespec *deadline)
{
	return hazptr_mutex_lock_until((struct hazptr_mutex *)lock, deadline);
}

static bool mutex_try_enter(void *lock)
{
	return hazptr_mutex_trylock((struct hazptr_mutex *)lock);
}

static void mutex_leave(void *lock)
{
	hazptr_mutex_unlock((struct hazptr_mutex *)lock);
}

static uint32_t word_of(const struct hazptr_mutex *m)
{
	return __atomic_load_n(&m->word, __ATOMIC_RELAXED);
}

static bool mutex_is_free(const void *lock)
{
	return word_of((const struct hazptr_mutex *)lock) == 0;
}

static bool mutex_is_held(const void *lock)
{
	return word_of((const struct hazptr_mutex *)lock) == LOCKED;
}

static const struct kind mutex = {
	mutex_init,  mutex_hold,    mutex_enter_until, mutex_try_enter,
	mutex_leave, mutex_is_free, mutex_is_held,     false,
};

/* Alone */

static void it_has_four_bytes(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct hazptr_mutex), 4);
}

static void zeroed_memory_is_a_free_one(void **state)
{
	struct hazptr_mutex initialized = HAZPTR_MUTEX_INIT;
	static struct hazptr_mutex zeroed;

	(void)state;
	assert_memory_equal(&zeroed, &initialized, sizeof(zeroed));
	hazptr_mutex_lock(&zeroed);
	assert_false(hazptr_mutex_trylock(&zeroed));
	hazptr_mutex_unlock(&zeroed);
	assert_true(hazptr_mutex_trylock(&zeroed));
	hazptr_mutex_unlock(&zeroed);
	assert_memory_equal(&zeroed, &initialized, sizeof(zeroed));
}

/* Who gets it */

/* It has waited for more than a millisecond: it need not be there to get it. */
static void who_has_waited_is_handed_the_lock(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct user holder, waiter;

	(void)state;
	user_start(&holder, &mutex, &m);
	user_start(&waiter, &mutex, &m);
	hand_do(&holder.hand, user_enters, &holder);
	user_waits(&waiter, NULL);
	test_sleep_ms(3);
	stop_arm(&stops[0], "wake:taken");
	hand_begin(&holder.hand, user_leaves, &holder);
	stop_wait(&stops[0]);
	assert_false(flag_is_set(&waiter.is_in));
	assert_true(mutex_is_held(&m));
	assert_false(hazptr_mutex_trylock(&m));
	stop_go(&stops[0]);
	hand_end(&holder.hand);
	assert_int_equal(user_result(&waiter), 0);
	user_ends(&waiter);
	user_stop(&holder);
	user_stop(&waiter);
	assert_int_equal(word_of(&m), 0);
}

/* Nobody comes in while the next one is looked for. */
static void it_is_held_until_it_is_passed_on(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct user holder, waiter;

	(void)state;
	user_start(&holder, &mutex, &m);
	user_start(&waiter, &mutex, &m);
	hand_do(&holder.hand, user_enters, &holder);
	user_waits(&waiter, NULL);
	stop_arm(&stops[0], "mutex:passing");
	hand_begin(&holder.hand, user_leaves, &holder);
	stop_wait(&stops[0]);
	assert_false(hazptr_mutex_trylock(&m));
	assert_false(flag_is_set(&waiter.is_in));
	stop_go(&stops[0]);
	hand_end(&holder.hand);
	assert_int_equal(user_result(&waiter), 0);
	user_ends(&waiter);
	user_stop(&holder);
	user_stop(&waiter);
	assert_int_equal(word_of(&m), 0);
}

/* True: it was unlocked within the millisecond, and taken by who came first. */
static bool overtaken(struct user *holder, struct user *waiter)
{
	long before = tally(&tally_queued);

	hand_do(&holder->hand, user_enters, holder);
	stop_arm(&stops[0], "wake:taken");
	hand_begin(&waiter->hand, user_enters, waiter);
	while (tally(&tally_queued) == before)
		sched_yield();
	hand_begin(&holder->hand, user_leaves, holder);
	stop_wait(&stops[0]);
	if (hazptr_mutex_trylock((struct hazptr_mutex *)holder->lock))
		return true;
	stop_go(&stops[0]);
	hand_end(&holder->hand);
	assert_int_equal(user_result(waiter), 0);
	user_ends(waiter);
	return false;
}

/* It has the lock at its next turn, although that comes soon. */
static void who_was_overtaken_keeps_its_time(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct user holder, waiter;
	int tries = 0;
	long before;

	(void)state;
	user_start(&holder, &mutex, &m);
	user_start(&waiter, &mutex, &m);
	while (!overtaken(&holder, &waiter))
		if (++tries == 1000)
			goto out; /* too slow a machine */
	test_sleep_ms(3);
	before = tally(&tally_queued);
	stop_go(&stops[0]);
	hand_end(&holder.hand);
	while (tally(&tally_queued) == before)
		sched_yield();
	hazptr_mutex_unlock(&m);
	assert_false(hazptr_mutex_trylock(&m));
	assert_int_equal(user_result(&waiter), 0);
	user_ends(&waiter);
out:
	user_stop(&holder);
	user_stop(&waiter);
	assert_int_equal(word_of(&m), 0);
	if (tries == 1000)
		skip();
}

static void comes_and_goes(void *arg)
{
	struct user *u = (struct user *)arg;

	user_enters(u);
	user_leaves(u);
}

/* Waiters come in although the holder wants it again at once. */
static void who_locks_again_at_once_lets_others_in(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct user users[3];
	size_t i;

	(void)state;
	hazptr_mutex_lock(&m);
	for (i = 0; i < TEST_COUNT(users); i++) {
		user_start(&users[i], &mutex, &m);
		hand_begin(&users[i].hand, comes_and_goes, &users[i]);
	}
	for (i = 0; i < TEST_COUNT(users); i++) {
		while (!flag_is_set(&users[i].is_in)) {
			hazptr_mutex_unlock(&m);
			hazptr_mutex_lock(&m);
		}
	}
	hazptr_mutex_unlock(&m);
	for (i = 0; i < TEST_COUNT(users); i++) {
		assert_int_equal(user_result(&users[i]), 0);
		user_stop(&users[i]);
	}
	assert_int_equal(word_of(&m), 0);
}

/* First come, first served. */
static void the_first_in_the_queue_is_the_first_to_get_it(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct user users[4];
	size_t i, j;

	(void)state;
	hazptr_mutex_lock(&m);
	for (i = 0; i < TEST_COUNT(users); i++) {
		user_start(&users[i], &mutex, &m);
		user_waits(&users[i], NULL);
	}
	test_sleep_ms(3);
	hazptr_mutex_unlock(&m);
	for (i = 0; i < TEST_COUNT(users); i++) {
		assert_int_equal(user_result(&users[i]), 0);
		for (j = i + 1; j < TEST_COUNT(users); j++)
			assert_false(flag_is_set(&users[j].is_in));
		user_ends(&users[i]);
	}
	for (i = 0; i < TEST_COUNT(users); i++)
		user_stop(&users[i]);
	assert_int_equal(word_of(&m), 0);
}

/* PARKED */

/* It was set for somebody who has given up while the unlock was on its way. */
static void an_unlock_that_finds_nobody_clears_the_mark(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct timespec soon;
	struct user holder, waiter;

	(void)state;
	user_start(&holder, &mutex, &m);
	user_start(&waiter, &mutex, &m);
	hand_do(&holder.hand, user_enters, &holder);
	/* Not before the unlock has seen its mark, else nothing stops there. */
	soon = test_time_after_ms(1000);
	user_waits(&waiter, &soon);
	stop_arm(&stops[0], "table:found");
	hand_begin(&holder.hand, user_leaves, &holder);
	stop_wait(&stops[0]);
	assert_int_equal(user_result(&waiter), -ETIMEDOUT);
	assert_true(mutex_is_held(&m));
	stop_go(&stops[0]);
	hand_end(&holder.hand);
	assert_int_equal(word_of(&m), 0);
	user_stop(&holder);
	user_stop(&waiter);
}

/* WOKEN */

#define WOKEN 4u

/* As if somebody had been woken and had not come yet. */
static void somebody_is_on_the_way(struct hazptr_mutex *m)
{
	__atomic_fetch_or(&m->word, WOKEN, __ATOMIC_RELAXED);
}

static void while_one_is_on_the_way_no_other_is_woken(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	long before = tally(&tally_taken);
	struct user holder, waiter;
	int i;

	(void)state;
	user_start(&holder, &mutex, &m);
	user_start(&waiter, &mutex, &m);
	hand_do(&holder.hand, user_enters, &holder);
	user_waits(&waiter, NULL);
	somebody_is_on_the_way(&m);
	for (i = 1; i < 32; i++) {
		hand_do(&holder.hand, user_leaves, &holder);
		assert_int_equal(tally(&tally_taken), before);
		hand_do(&holder.hand, user_enters, &holder);
	}
	hand_do(&holder.hand, user_leaves, &holder);
	assert_int_equal(tally(&tally_taken), before + 1);
	assert_int_equal(user_result(&waiter), 0);
	user_ends(&waiter);
	user_stop(&holder);
	user_stop(&waiter);
	assert_int_equal(word_of(&m), 0);
}

static bool wakes_one_in_a_child(void *arg)
{
	struct hazptr_mutex *m = (struct hazptr_mutex *)arg;
	struct user u;

	user_start(&u, &mutex, m);
	user_waits(&u, NULL);
	hazptr_mutex_unlock(m);
	return !user_result(&u);
}

/* The thread that was on the way in the parent never comes. */
static void in_a_child_nobody_is_on_the_way(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;

	(void)state;
	if (TEST_TSAN)
		skip(); /* it starts no thread in a child */
	hazptr_mutex_lock(&m);
	somebody_is_on_the_way(&m);
	assert_true(fine_in_a_child(wakes_one_in_a_child, &m));
}

/* Misuse */

static struct hazptr_mutex misused;

static void child_unlock_of_a_free_one(void)
{
	test_names(&misused);
	hazptr_mutex_unlock(&misused);
}

static void child_unlock_twice(void)
{
	test_names(&misused);
	hazptr_mutex_lock(&misused);
	hazptr_mutex_unlock(&misused);
	hazptr_mutex_unlock(&misused);
}

static const struct test_child children[] = {
	{ "unlock of a free one", child_unlock_of_a_free_one },
	{ "unlock twice", child_unlock_twice },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_four_bytes),
		cmocka_unit_test(zeroed_memory_is_a_free_one),
		LOCK_TESTS(mutex),
		cmocka_unit_test(who_has_waited_is_handed_the_lock),
		cmocka_unit_test(it_is_held_until_it_is_passed_on),
		cmocka_unit_test(who_was_overtaken_keeps_its_time),
		cmocka_unit_test(who_locks_again_at_once_lets_others_in),
		cmocka_unit_test(the_first_in_the_queue_is_the_first_to_get_it),
		cmocka_unit_test(an_unlock_that_finds_nobody_clears_the_mark),
		cmocka_unit_test(while_one_is_on_the_way_no_other_is_woken),
		cmocka_unit_test(in_a_child_nobody_is_on_the_way),
		MISUSE("unlock of a free one", "hazptr_mutex_unlock"),
		MISUSE("unlock twice", "hazptr_mutex_unlock"),
	};

	locks_init();
	test_main(argc, argv, children, TEST_COUNT(children));
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
