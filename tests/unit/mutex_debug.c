/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/mutex_debug.c - hazptr/mutex.h with HAZPTR_DEBUG
 *
 * The word says who has it, and misuse is reported. Plain: by a file that is
 * built without it (mutex_plain.c).
 */
#ifndef HAZPTR_DEBUG
#define HAZPTR_DEBUG
#endif
#include "lock_kinds.h"

#ifdef __cplusplus
extern "C" {
#endif
void mutex_plain_lock(struct hazptr_mutex *m);
bool mutex_plain_trylock(struct hazptr_mutex *m);
int mutex_plain_lock_until(struct hazptr_mutex *m,
			   const struct timespec *deadline);
void mutex_plain_unlock(struct hazptr_mutex *m);
#ifdef __cplusplus
}
#endif

#define LOCKED 1u
#define FLAGS 3u

static struct hazptr_mutex *mutex_of(void *lock)
{
	return (struct hazptr_mutex *)lock;
}

static uint32_t word_of(const void *lock)
{
	return __atomic_load_n(&((const struct hazptr_mutex *)lock)->word,
			       __ATOMIC_RELAXED);
}

static uint32_t owner_of(const void *lock)
{
	return word_of(lock) & ~FLAGS;
}

static void debug_init(void *lock)
{
	memset(lock, 0, sizeof(struct hazptr_mutex));
}

static void debug_hold(void *lock)
{
	hazptr_mutex_lock(mutex_of(lock));
}

static int debug_enter_until(void *lock, const struct timespec *deadline)
{
	return hazptr_mutex_lock_until(mutex_of(lock), deadline);
}

static bool debug_try_enter(void *lock)
{
	return hazptr_mutex_trylock(mutex_of(lock));
}

static void debug_leave(void *lock)
{
	hazptr_mutex_unlock(mutex_of(lock));
}

static bool debug_is_free(const void *lock)
{
	return word_of(lock) == 0;
}

/* By anybody, and nobody waits. */
static bool debug_is_held(const void *lock)
{
	return owner_of(lock) && (word_of(lock) & FLAGS) == LOCKED;
}

static const struct kind debug = {
	debug_init,  debug_hold,    debug_enter_until, debug_try_enter,
	debug_leave, debug_is_free, debug_is_held,     false,
};

/* By turns with and without. */
static unsigned turns;

static bool is_plain_turn(void)
{
	return __atomic_fetch_add(&turns, 1, __ATOMIC_RELAXED) % 2;
}

static void mixed_hold(void *lock)
{
	if (is_plain_turn())
		mutex_plain_lock(mutex_of(lock));
	else
		hazptr_mutex_lock(mutex_of(lock));
}

static int mixed_enter_until(void *lock, const struct timespec *deadline)
{
	return is_plain_turn()
		       ? mutex_plain_lock_until(mutex_of(lock), deadline)
		       : hazptr_mutex_lock_until(mutex_of(lock), deadline);
}

static bool mixed_try_enter(void *lock)
{
	return is_plain_turn() ? mutex_plain_trylock(mutex_of(lock))
			       : hazptr_mutex_trylock(mutex_of(lock));
}

static void mixed_leave(void *lock)
{
	if (is_plain_turn())
		mutex_plain_unlock(mutex_of(lock));
	else
		hazptr_mutex_unlock(mutex_of(lock));
}

static bool mixed_is_held(const void *lock)
{
	return (word_of(lock) & FLAGS) == LOCKED;
}

static const struct kind mixed = {
	debug_init,  mixed_hold,    mixed_enter_until, mixed_try_enter,
	mixed_leave, debug_is_free, mixed_is_held,     false,
};

/* The owner */

static void the_word_says_who_has_it(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct user other;
	uint32_t mine;

	(void)state;
	user_start(&other, &debug, &m);
	hazptr_mutex_lock(&m);
	mine = owner_of(&m);
	assert_int_not_equal(mine, 0);
	hazptr_mutex_unlock(&m);
	assert_int_equal(word_of(&m), 0);
	assert_true(hazptr_mutex_trylock(&m));
	assert_int_equal(word_of(&m), mine | LOCKED);
	hazptr_mutex_unlock(&m);
	hand_do(&other.hand, user_enters, &other);
	assert_int_not_equal(owner_of(&m), 0);
	assert_int_not_equal(owner_of(&m), mine);
	user_ends(&other);
	user_stop(&other);
	assert_int_equal(word_of(&m), 0);
}

static void a_trylock_by_its_holder_fails(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;

	(void)state;
	hazptr_mutex_lock(&m);
	assert_false(hazptr_mutex_trylock(&m));
	hazptr_mutex_unlock(&m);
	assert_int_equal(word_of(&m), 0);
}

static void either_file_unlocks_what_the_other_locked(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;

	(void)state;
	hazptr_mutex_lock(&m);
	assert_false(mutex_plain_trylock(&m));
	mutex_plain_unlock(&m);
	assert_int_equal(word_of(&m), 0);
	mutex_plain_lock(&m);
	assert_int_equal(word_of(&m), LOCKED);
	assert_false(hazptr_mutex_trylock(&m));
	hazptr_mutex_unlock(&m);
	assert_int_equal(word_of(&m), 0);
}

/* The other thread holds it when this returns, and has got it by hand-over. */
static void handed_to(struct user *other, struct hazptr_mutex *m)
{
	user_start(other, &debug, m);
	hazptr_mutex_lock(m);
	user_waits(other, NULL);
	test_sleep_ms(3);
	hazptr_mutex_unlock(m);
	must(!user_result(other));
}

static void a_hand_over_is_written_down(void **state)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct user other;
	uint32_t theirs;

	(void)state;
	handed_to(&other, &m);
	theirs = owner_of(&m);
	assert_int_not_equal(theirs, 0);
	user_ends(&other);
	assert_int_equal(word_of(&m), 0);
	hand_do(&other.hand, user_enters, &other);
	assert_int_equal(owner_of(&m), theirs);
	user_ends(&other);
	user_stop(&other);
}

/* Condition variables */

static struct hazptr_cond cond;
static struct hazptr_mutex cond_mutex;

static void waits_for_cond(void *arg)
{
	hazptr_mutex_lock(&cond_mutex);
	hazptr_cond_wait(&cond, &cond_mutex);
	*(uint32_t *)arg = word_of(&cond_mutex);
	hazptr_mutex_unlock(&cond_mutex);
}

/* Woken with the mutex free, or moved to it: then it is handed over. */
static void who_returns_from_a_wait_is_the_owner(void **state)
{
	uint32_t word, mine;
	struct hand h;
	long before;
	int held;

	(void)state;
	hazptr_mutex_lock(&cond_mutex);
	mine = owner_of(&cond_mutex);
	hazptr_mutex_unlock(&cond_mutex);
	hand_start(&h);
	for (held = 0; held < 2; held++) {
		before = tally(&tally_queued);
		hand_begin(&h, waits_for_cond, &word);
		wait_queued(before, 1);
		hazptr_mutex_lock(&cond_mutex);
		if (!held)
			hazptr_mutex_unlock(&cond_mutex);
		hazptr_cond_signal(&cond);
		if (held) {
			test_sleep_ms(3);
			hazptr_mutex_unlock(&cond_mutex);
		}
		hand_end(&h);
		assert_true(word & LOCKED);
		assert_int_not_equal(word & ~FLAGS, 0);
		assert_int_not_equal(word & ~FLAGS, mine);
		assert_int_equal(word_of(&cond_mutex), 0);
	}
	hand_stop(&h);
}

/* Misuse */

static struct hazptr_mutex misused;

static void child_unlock_of_a_free_one(void)
{
	test_names(&misused);
	hazptr_mutex_unlock(&misused);
}

static void child_lock_twice(void)
{
	test_names(&misused);
	hazptr_mutex_lock(&misused);
	hazptr_mutex_lock(&misused);
}

static void child_lock_until_twice(void)
{
	struct timespec later = test_time_after_ms(1000);

	test_names(&misused);
	hazptr_mutex_lock(&misused);
	hazptr_mutex_lock_until(&misused, &later);
}

static void child_trylock_and_lock(void)
{
	test_names(&misused);
	if (hazptr_mutex_trylock(&misused))
		hazptr_mutex_lock(&misused);
}

static void *locks_it(void *arg)
{
	hazptr_mutex_lock(mutex_of(arg));
	return NULL;
}

static void child_unlock_by_a_stranger(void)
{
	test_names(&misused);
	test_join(test_start(locks_it, &misused));
	hazptr_mutex_unlock(&misused);
}

static void child_plain_unlock_by_a_stranger(void)
{
	test_names(&misused);
	test_join(test_start(locks_it, &misused));
	mutex_plain_unlock(&misused);
}

static void locks_again(void *arg)
{
	hazptr_mutex_lock(mutex_of(arg));
}

static void child_lock_by_whom_it_was_handed_to(void)
{
	struct user other;

	test_names(&misused);
	handed_to(&other, &misused);
	hand_do(&other.hand, locks_again, &misused);
}

static void child_unlock_by_who_handed_it_over(void)
{
	struct user other;

	test_names(&misused);
	handed_to(&other, &misused);
	hazptr_mutex_unlock(&misused);
}

static void child_lock_after_a_wait(void)
{
	struct timespec past = time_of(0, 0);

	test_names(&misused);
	hazptr_mutex_lock(&misused);
	must(hazptr_cond_wait_until(&cond, &misused, &past) == -ETIMEDOUT);
	hazptr_mutex_lock(&misused);
}

static void child_wait_with_the_mutex_of_another(void)
{
	test_names(&misused);
	test_join(test_start(locks_it, &misused));
	hazptr_cond_wait(&cond, &misused);
}

static const struct test_child children[] = {
	{ "unlock of a free one", child_unlock_of_a_free_one },
	{ "lock twice", child_lock_twice },
	{ "lock_until twice", child_lock_until_twice },
	{ "trylock and lock", child_trylock_and_lock },
	{ "unlock by a stranger", child_unlock_by_a_stranger },
	{ "plain unlock by a stranger", child_plain_unlock_by_a_stranger },
	{ "lock by whom it was handed to",
	  child_lock_by_whom_it_was_handed_to },
	{ "unlock by who handed it over", child_unlock_by_who_handed_it_over },
	{ "lock after a wait", child_lock_after_a_wait },
	{ "wait with the mutex of another",
	  child_wait_with_the_mutex_of_another },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_word_says_who_has_it),
		cmocka_unit_test(a_trylock_by_its_holder_fails),
		cmocka_unit_test(either_file_unlocks_what_the_other_locked),
		cmocka_unit_test(a_hand_over_is_written_down),
		cmocka_unit_test(who_returns_from_a_wait_is_the_owner),
		LOCK_TESTS(debug),
		LOCK_TESTS(mixed),
		MISUSE("unlock of a free one", "hazptr_mutex_unlock"),
		MISUSE("lock twice", "hazptr_mutex_lock"),
		MISUSE("lock_until twice", "hazptr_mutex_lock_until"),
		MISUSE("trylock and lock", "hazptr_mutex_lock"),
		MISUSE("unlock by a stranger", "hazptr_mutex_unlock"),
		MISUSE("plain unlock by a stranger", "hazptr_mutex_unlock"),
		MISUSE("lock by whom it was handed to", "hazptr_mutex_lock"),
		MISUSE("unlock by who handed it over", "hazptr_mutex_unlock"),
		MISUSE("lock after a wait", "hazptr_mutex_lock"),
		MISUSE("wait with the mutex of another", "hazptr_mutex_unlock"),
	};

	locks_init();
	test_main(argc, argv, children, TEST_COUNT(children));
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
