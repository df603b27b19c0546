/* SPDX-License-Identifier: MIT */
/* tests/unit/cond.c - hazptr/cond.h: who is woken, and with what held */
#undef HAZPTR_DEBUG /* it would say who has the mutex: mutex_debug.c */
#include "locks.h"

#define LOCKED 1u

static struct hazptr_mutex mutex;
static struct hazptr_cond cond;

#define CROWD 6

static struct waiter crowd[CROWD];

static void crowd_waits(struct hazptr_cond *c, struct hazptr_mutex *m)
{
	size_t i;

	for (i = 0; i < CROWD; i++) {
		waiter_start(&crowd[i], c, m, NULL);
		waiter_waits(&crowd[i]);
	}
}

static size_t crowd_back(void)
{
	size_t i, n = 0;

	for (i = 0; i < CROWD; i++)
		n += flag_is_set(&crowd[i].is_back);
	return n;
}

static void crowd_ends(void)
{
	size_t i;

	for (i = 0; i < CROWD; i++) {
		assert_int_equal(waiter_result(&crowd[i]), 0);
		waiter_stop(&crowd[i]);
	}
}

static uint32_t word_of(const struct hazptr_mutex *m)
{
	return __atomic_load_n(&m->word, __ATOMIC_RELAXED);
}

static void assert_unused(void)
{
	assert_null(__atomic_load_n(&cond.mutex, __ATOMIC_RELAXED));
	assert_int_equal(word_of(&mutex), 0);
}

/* Alone */

static void zeroed_memory_is_one(void **state)
{
	struct hazptr_cond initialized = HAZPTR_COND_INIT;
	static struct hazptr_cond zeroed;

	(void)state;
	assert_true(sizeof(struct hazptr_cond) <= 8);
	assert_memory_equal(&zeroed, &initialized, sizeof(zeroed));
	hazptr_cond_signal(&zeroed);
	hazptr_cond_broadcast(&zeroed);
	assert_memory_equal(&zeroed, &initialized, sizeof(zeroed));
}

static void a_signal_for_nobody_is_lost(void **state)
{
	struct timespec soon = test_time_after_ms(5);

	(void)state;
	hazptr_cond_signal(&cond);
	hazptr_cond_broadcast(&cond);
	hazptr_mutex_lock(&mutex);
	hazptr_cond_signal(&cond);
	hazptr_cond_broadcast(&cond);
	assert_int_equal(hazptr_cond_wait_until(&cond, &mutex, &soon),
			 -ETIMEDOUT);
	hazptr_mutex_unlock(&mutex);
	assert_unused();
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct timespec t[5];
	size_t i;

	(void)state;
	t[0] = time_of(0, 0);
	t[1] = time_of(0, 999999999);
	t[2] = time_of(-1, 0);
	t[3] = test_time_after_ms(0);
	t[4] = test_time_after_ms(20);
	hazptr_mutex_lock(&mutex);
	for (i = 0; i < TEST_COUNT(t); i++) {
		assert_int_equal(hazptr_cond_wait_until(&cond, &mutex, &t[i]),
				 -ETIMEDOUT);
		assert_true(test_time_reached(&t[i]));
		assert_int_equal(word_of(&mutex), LOCKED);
		assert_null(cond.mutex);
	}
	hazptr_mutex_unlock(&mutex);
	assert_unused();
}

static void locks(void *arg)
{
	hazptr_mutex_lock(&mutex);
	flag_set((int *)arg);
	hazptr_mutex_unlock(&mutex);
}

/* Somebody who waits for the mutex for long would be handed it. */
static void what_is_no_time_unlocks_nothing(void **state)
{
	struct hand h;
	long before;
	int got = 0;
	size_t i;

	(void)state;
	hand_start(&h);
	hazptr_mutex_lock(&mutex);
	before = tally(&tally_queued);
	hand_begin(&h, locks, &got);
	wait_queued(before, 1);
	test_sleep_ms(3);
	for (i = 0; bad_times(i); i++)
		assert_int_equal(hazptr_cond_wait_until(&cond, &mutex,
							bad_times(i)),
				 -EINVAL);
	assert_false(flag_is_set(&got));
	hazptr_mutex_unlock(&mutex);
	hand_end(&h);
	assert_true(flag_is_set(&got));
	hand_stop(&h);
	assert_unused();
}

/* The mutex is free while it waits, and held (waiter_run) when it returns. */
static void a_wait_lets_the_mutex_go(void **state)
{
	struct timespec in_an_hour = test_time_after_ms(3600000);
	struct waiter w;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		waiter_start(&w, &cond, &mutex, i % 2 ? &in_an_hour : NULL);
		waiter_waits(&w);
		assert_true(hazptr_mutex_trylock(&mutex));
		assert_false(flag_is_set(&w.is_back));
		if (i / 2)
			hazptr_cond_signal(&cond);
		hazptr_mutex_unlock(&mutex);
		if (!(i / 2))
			hazptr_cond_signal(&cond);
		assert_int_equal(waiter_result(&w), 0);
		waiter_stop(&w);
	}
	assert_unused();
}

static void signals_of_the_system_do_not_end_a_wait(void **state)
{
	struct timespec soon = test_time_after_ms(30);
	struct waiter w;

	(void)state;
	handle(SIGUSR1, handler_that_does_nothing);
	waiter_start(&w, &cond, &mutex, &soon);
	waiter_waits(&w);
	while (!flag_is_set(&w.is_back)) {
		pthread_kill(w.hand.thread, SIGUSR1);
		test_sleep_ms(1);
	}
	assert_int_equal(waiter_result(&w), -ETIMEDOUT);
	assert_true(test_time_reached(&soon));
	waiter_stop(&w);
	assert_unused();
}

/* Several */

static void a_signal_lets_one_go(void **state)
{
	bool held = *state != NULL;
	size_t i;

	crowd_waits(&cond, &mutex);
	for (i = 1; i <= CROWD; i++) {
		if (held)
			hazptr_mutex_lock(&mutex);
		hazptr_cond_signal(&cond);
		if (held)
			hazptr_mutex_unlock(&mutex);
		assert_true(test_eventually(crowd_back() >= i));
		test_sleep_ms(1);
		assert_int_equal(crowd_back(), i);
	}
	crowd_ends();
	assert_unused();
}

static void many_signals_let_as_many_go(void **state)
{
	bool held = *state != NULL;
	size_t i;

	crowd_waits(&cond, &mutex);
	if (held)
		hazptr_mutex_lock(&mutex);
	for (i = 0; i < CROWD; i++)
		hazptr_cond_signal(&cond);
	if (held)
		hazptr_mutex_unlock(&mutex);
	crowd_ends();
	assert_unused();
}

static void a_broadcast_lets_all_go(void **state)
{
	bool held = *state != NULL;

	crowd_waits(&cond, &mutex);
	if (held)
		hazptr_mutex_lock(&mutex);
	hazptr_cond_broadcast(&cond);
	if (held)
		hazptr_mutex_unlock(&mutex);
	crowd_ends();
	assert_unused();
}

/* They are moved to the mutex, and nobody is woken who could not go on. */
static void nobody_is_woken_while_the_mutex_is_held(void **state)
{
	long before;

	crowd_waits(&cond, &mutex);
	hazptr_mutex_lock(&mutex);
	before = tally(&tally_taken);
	if (*state)
		hazptr_cond_signal(&cond);
	else
		hazptr_cond_broadcast(&cond);
	test_sleep_ms(5);
	assert_int_equal(tally(&tally_taken), before);
	assert_int_equal(crowd_back(), 0);
	hazptr_mutex_unlock(&mutex);
	if (*state) {
		assert_true(test_eventually(crowd_back() == 1));
		hazptr_cond_broadcast(&cond);
	}
	crowd_ends();
	assert_int_equal(tally(&tally_taken), before + CROWD);
	assert_unused();
}

/* A mutex that is free: one is woken, and the others follow as it unlocks. */
static void a_broadcast_wakes_no_herd(void **state)
{
	long before, here = tally_taken_here;

	(void)state;
	crowd_waits(&cond, &mutex);
	before = tally(&tally_taken);
	hazptr_cond_broadcast(&cond);
	assert_int_equal(tally_taken_here, here + 1);
	crowd_ends();
	assert_int_equal(tally(&tally_taken), before + CROWD);
	assert_unused();
}

/* Another mutex, when nobody waits with the first one any more. */
static void another_mutex_later(void **state)
{
	struct hazptr_mutex mutexes[3];
	struct timespec past = time_of(0, 0);
	size_t i;

	(void)state;
	memset(mutexes, 0, sizeof(mutexes));
	for (i = 0; i < TEST_COUNT(mutexes); i++) {
		crowd_waits(&cond, &mutexes[i]);
		hazptr_cond_broadcast(&cond);
		crowd_ends();
		hazptr_mutex_lock(&mutexes[i]);
		assert_int_equal(hazptr_cond_wait_until(&cond, &mutexes[i],
							&past),
				 -ETIMEDOUT);
		hazptr_mutex_unlock(&mutexes[i]);
		assert_int_equal(word_of(&mutexes[i]), 0);
	}
	assert_unused();
}

/* Moved while they wait, at the condition variable and at the mutex. */
static void who_waits_is_moved_to_other_tables(void **state)
{
	(void)state;
	crowd_waits(&cond, &mutex);
	assert_int_equal(hazptr_futex_hash_resize(256), 0);
	hazptr_mutex_lock(&mutex);
	hazptr_cond_broadcast(&cond);
	assert_int_equal(hazptr_futex_hash_resize(2), 0);
	hazptr_mutex_unlock(&mutex);
	crowd_ends();
	assert_int_equal(hazptr_futex_hash_resize(0), 0);
	assert_unused();
}

/* Freed memory */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static struct hazptr_cond *cond_new(void)
{
	void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(page != MAP_FAILED);
	return (struct hazptr_cond *)page;
}

/* Nobody waits after a broadcast; those who come back do not look at it. */
static void it_may_be_freed_after_a_broadcast(void **state)
{
	struct hazptr_cond *c = cond_new();
	bool held = *state != NULL;

	crowd_waits(c, &mutex);
	if (held)
		hazptr_mutex_lock(&mutex);
	hazptr_cond_broadcast(c);
	must(!mprotect(c, page_size(), PROT_NONE));
	if (held)
		hazptr_mutex_unlock(&mutex);
	crowd_ends();
	must(!munmap(c, page_size()));
	assert_unused();
}

/* A deadline that passes meanwhile is that of a wait at the mutex. */
static void it_may_be_freed_although_deadlines_pass(void **state)
{
	struct timespec soon = test_time_after_ms(20);
	struct hazptr_cond *c = cond_new();
	struct waiter w[2];

	(void)state;
	waiter_start(&w[0], c, &mutex, &soon);
	waiter_start(&w[1], c, &mutex, &soon);
	waiter_waits(&w[0]);
	waiter_waits(&w[1]);
	hazptr_mutex_lock(&mutex);
	hazptr_cond_broadcast(c);
	must(!mprotect(c, page_size(), PROT_NONE));
	while (!test_time_reached(&soon))
		test_sleep_ms(1);
	test_sleep_ms(5);
	hazptr_mutex_unlock(&mutex);
	waiter_result(&w[0]);
	waiter_result(&w[1]);
	waiter_stop(&w[0]);
	waiter_stop(&w[1]);
	must(!munmap(c, page_size()));
	assert_unused();
}

/* The same memory at once for the next one, while the last ones come back. */

#define GENERATIONS TEST_MANY(300)

static struct hazptr_cond reused;
static long generation;

static void *waits_for_generations(void *arg)
{
	long seen;

	(void)arg;
	hazptr_mutex_lock(&mutex);
	while (generation < GENERATIONS) {
		seen = generation;
		while (generation == seen)
			hazptr_cond_wait(&reused, &mutex);
	}
	hazptr_mutex_unlock(&mutex);
	return NULL;
}

static void its_memory_may_be_used_again_at_once(void **state)
{
	pthread_t threads[4];
	long i;

	(void)state;
	generation = 0;
	for (i = 0; i < 4; i++)
		threads[i] = test_start(waits_for_generations, NULL);
	for (i = 0; i < GENERATIONS; i++) {
		hazptr_mutex_lock(&mutex);
		generation++;
		hazptr_cond_broadcast(&reused);
		memset(&reused, 0xA5, sizeof(reused));
		memset(&reused, 0, sizeof(reused));
		hazptr_mutex_unlock(&mutex);
		if (i % 4 == 0)
			sched_yield();
		if (i % 64 == 0)
			test_sleep_ms(1);
	}
	for (i = 0; i < 4; i++)
		test_join(threads[i]);
	assert_null(reused.mutex);
	assert_int_equal(word_of(&mutex), 0);
}

/* Fork: the child has none of those who waited. */

static bool waits_in_a_child(void *arg)
{
	struct timespec soon = test_time_after_ms(5);

	(void)arg;
	hazptr_cond_signal(&cond);
	hazptr_cond_broadcast(&cond);
	if (hazptr_cond_wait_until(&cond, &mutex, &soon) != -ETIMEDOUT)
		return false;
	hazptr_mutex_unlock(&mutex);
	return word_of(&mutex) == 0 && !cond.mutex;
}

static void a_child_waits_alone(void **state)
{
	(void)state;
	if (TEST_TSAN)
		skip(); /* it starts no thread in a child */
	crowd_waits(&cond, &mutex);
	hazptr_mutex_lock(&mutex);
	assert_true(fine_in_a_child(waits_in_a_child, NULL));
	hazptr_cond_broadcast(&cond);
	hazptr_mutex_unlock(&mutex);
	crowd_ends();
	assert_unused();
}

/* Misuse */

static struct hazptr_mutex second;

static void child_wait_with_another_mutex(void)
{
	struct waiter w;

	test_names(&cond);
	waiter_start(&w, &cond, &mutex, NULL);
	waiter_waits(&w);
	hazptr_mutex_lock(&second);
	hazptr_cond_wait(&cond, &second);
}

static void child_wait_with_a_free_mutex(void)
{
	test_names(&mutex);
	hazptr_cond_wait(&cond, &mutex);
}

static const struct test_child children[] = {
	{ "wait with another mutex", child_wait_with_another_mutex },
	{ "wait with a free mutex", child_wait_with_a_free_mutex },
};

#define HELD(f)                                          \
	{                                                \
#f ", mutex held", f, NULL, NULL, &mutex \
	}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_memory_is_one),
		cmocka_unit_test(a_signal_for_nobody_is_lost),
		cmocka_unit_test(a_wait_ends_at_its_deadline),
		cmocka_unit_test(what_is_no_time_unlocks_nothing),
		cmocka_unit_test(a_wait_lets_the_mutex_go),
		cmocka_unit_test(signals_of_the_system_do_not_end_a_wait),
		cmocka_unit_test(a_signal_lets_one_go),
		HELD(a_signal_lets_one_go),
		cmocka_unit_test(many_signals_let_as_many_go),
		HELD(many_signals_let_as_many_go),
		cmocka_unit_test(a_broadcast_lets_all_go),
		HELD(a_broadcast_lets_all_go),
		cmocka_unit_test(nobody_is_woken_while_the_mutex_is_held),
		{ "nobody_is_woken_while_the_mutex_is_held, by signal",
		  nobody_is_woken_while_the_mutex_is_held, NULL, NULL, &mutex },
		cmocka_unit_test(a_broadcast_wakes_no_herd),
		cmocka_unit_test(another_mutex_later),
		cmocka_unit_test(who_waits_is_moved_to_other_tables),
		cmocka_unit_test(it_may_be_freed_after_a_broadcast),
		HELD(it_may_be_freed_after_a_broadcast),
		cmocka_unit_test(it_may_be_freed_although_deadlines_pass),
		cmocka_unit_test(its_memory_may_be_used_again_at_once),
		cmocka_unit_test(a_child_waits_alone),
		MISUSE("wait with another mutex", "hazptr_cond_wait"),
		MISUSE("wait with a free mutex", "hazptr_mutex_unlock"),
	};

	locks_init();
	test_main(argc, argv, children, TEST_COUNT(children));
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
