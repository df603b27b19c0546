/* SPDX-License-Identifier: MIT */
/* tests/unit/sem.c - hazptr/sem.h: permits, handlers, and freed memory */
#include "lock_kinds.h"

static struct hazptr_sem *sem_of(void *lock)
{
	return (struct hazptr_sem *)lock;
}

static uint64_t word_of(const void *lock)
{
	return __atomic_load_n(&((const struct hazptr_sem *)lock)->word,
			       __ATOMIC_RELAXED);
}

/* A semaphore of one permit as a lock. */

static void one_init(void *lock)
{
	hazptr_sem_init(sem_of(lock), 1);
}

static void one_hold(void *lock)
{
	hazptr_sem_wait(sem_of(lock));
}

static int one_enter_until(void *lock, const struct timespec *deadline)
{
	return hazptr_sem_wait_until(sem_of(lock), deadline);
}

static bool one_try_enter(void *lock)
{
	return hazptr_sem_trywait(sem_of(lock));
}

static void one_leave(void *lock)
{
	must(!hazptr_sem_post(sem_of(lock)));
}

static bool one_is_free(const void *lock)
{
	return word_of(lock) == 1;
}

static bool one_is_held(const void *lock)
{
	return word_of(lock) == 0;
}

static const struct kind permit = {
	one_init,  one_hold,	one_enter_until, one_try_enter,
	one_leave, one_is_free, one_is_held,	 false,
};

/* Alone */

static void zeroed_memory_has_no_permit(void **state)
{
	struct hazptr_sem initialized = HAZPTR_SEM_INIT(0);
	static struct hazptr_sem zeroed;

	(void)state;
	assert_int_equal(sizeof(struct hazptr_sem), 8);
	assert_memory_equal(&zeroed, &initialized, sizeof(zeroed));
	assert_int_equal(hazptr_sem_value(&zeroed), 0);
	assert_false(hazptr_sem_trywait(&zeroed));
	assert_int_equal(hazptr_sem_post(&zeroed), 0);
	assert_true(hazptr_sem_trywait(&zeroed));
	assert_false(hazptr_sem_trywait(&zeroed));
}

static void it_has_as_many_permits_as_were_posted(void **state)
{
	struct hazptr_sem s = HAZPTR_SEM_INIT(3);
	struct timespec past = time_of(0, 0);
	uint32_t i;

	(void)state;
	assert_int_equal(hazptr_sem_value(&s), 3);
	for (i = 0; i < 4; i++)
		assert_int_equal(hazptr_sem_post(&s), 0);
	for (i = 7; i > 0; i--) {
		assert_int_equal(hazptr_sem_value(&s), i);
		if (i % 3 == 0)
			hazptr_sem_wait(&s);
		else if (i % 3 == 1)
			assert_true(hazptr_sem_trywait(&s));
		else
			assert_int_equal(hazptr_sem_wait_until(&s, &past), 0);
	}
	assert_false(hazptr_sem_trywait(&s));
	assert_int_equal(hazptr_sem_wait_until(&s, &past), -ETIMEDOUT);
	assert_int_equal(word_of(&s), 0);
}

static void there_are_not_more_than_the_most(void **state)
{
	struct hazptr_sem s;

	(void)state;
	hazptr_sem_init(&s, HAZPTR_SEM_MAX - 1);
	assert_int_equal(hazptr_sem_post(&s), 0);
	assert_int_equal(hazptr_sem_value(&s), HAZPTR_SEM_MAX);
	assert_int_equal(hazptr_sem_post(&s), -EOVERFLOW);
	assert_int_equal(hazptr_sem_post(&s), -EOVERFLOW);
	assert_int_equal(hazptr_sem_value(&s), HAZPTR_SEM_MAX);
	assert_true(hazptr_sem_trywait(&s));
	assert_int_equal(hazptr_sem_value(&s), HAZPTR_SEM_MAX - 1);
	assert_int_equal(hazptr_sem_post(&s), 0);
}

/* Several */

static struct user users[6];

static void users_wait(struct hazptr_sem *s)
{
	size_t i;

	for (i = 0; i < TEST_COUNT(users); i++) {
		user_start(&users[i], &permit, s);
		user_waits(&users[i], NULL);
	}
}

static size_t users_in(void)
{
	size_t i, n = 0;

	for (i = 0; i < TEST_COUNT(users); i++)
		n += flag_is_set(&users[i].is_in);
	return n;
}

static void users_stop(void)
{
	size_t i;

	for (i = 0; i < TEST_COUNT(users); i++) {
		assert_int_equal(user_result(&users[i]), 0);
		user_stop(&users[i]);
	}
}

static void each_post_lets_one_go(void **state)
{
	struct hazptr_sem s = HAZPTR_SEM_INIT(0);
	size_t i;

	(void)state;
	users_wait(&s);
	assert_int_equal(word_of(&s) >> 32, TEST_COUNT(users));
	for (i = 1; i <= TEST_COUNT(users); i++) {
		assert_int_equal(hazptr_sem_post(&s), 0);
		assert_true(test_eventually(users_in() == i));
		assert_int_equal(hazptr_sem_value(&s), 0);
	}
	users_stop();
	assert_int_equal(word_of(&s), 0);
}

/* In one go: no wake is swallowed by the others. */
static void many_posts_let_as_many_go(void **state)
{
	struct hazptr_sem s = HAZPTR_SEM_INIT(0);
	size_t i;

	(void)state;
	users_wait(&s);
	for (i = 0; i < TEST_COUNT(users) + 2; i++)
		assert_int_equal(hazptr_sem_post(&s), 0);
	users_stop();
	assert_int_equal(word_of(&s), 2);
}

#define PAIRS 4
#define PERMITS TEST_MANY(10000)

static struct hazptr_sem sum;
static long taken_permits;

static void *posts(void *arg)
{
	long i;

	(void)arg;
	for (i = 0; i < PERMITS; i++)
		must(!hazptr_sem_post(&sum));
	return NULL;
}

static void *takes(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct timespec t;
	long n = 0;
	bool got;

	while (n < PERMITS) {
		switch (test_random(&seed) % 4) {
		case 0:
			got = hazptr_sem_trywait(&sum);
			break;
		case 1:
			t = test_time_after_ms(test_random(&seed) % 2);
			got = !hazptr_sem_wait_until(&sum, &t);
			break;
		default:
			hazptr_sem_wait(&sum);
			got = true;
		}
		n += got;
	}
	__atomic_fetch_add(&taken_permits, n, __ATOMIC_RELAXED);
	return NULL;
}

static void none_is_lost_or_made(void **state)
{
	pthread_t threads[2 * PAIRS];
	struct mover m;
	size_t i;

	taken_permits = 0;
	hazptr_sem_init(&sum, 0);
	if (*state)
		mover_start(&m);
	for (i = 0; i < TEST_COUNT(threads); i++)
		threads[i] = test_start(i % 2 ? posts : takes, (void *)i);
	for (i = 0; i < TEST_COUNT(threads); i++)
		test_join(threads[i]);
	if (*state)
		mover_stop(&m);
	assert_int_equal(taken_permits, PAIRS * PERMITS);
	assert_int_equal(word_of(&sum), 0);
}

/* Freed memory */

/* The permit is there, and whoever takes it may free the semaphore. */
static void a_post_does_not_look_at_it_again(void **state)
{
	struct timespec soon;
	struct user waiter, poster;
	struct hazptr_sem *s = sem_of(page_new(1));

	(void)state;
	hazptr_sem_init(s, 0);
	user_start(&waiter, &permit, s);
	user_start(&poster, &permit, s);
	soon = test_time_after_ms(10);
	user_waits(&waiter, &soon);
	stop_arm(&stops[0], "sem:posted");
	hand_begin(&poster.hand, user_leaves, &poster);
	stop_wait(&stops[0]);
	user_result(&waiter);
	assert_true(!waiter.result || hazptr_sem_trywait(s));
	assert_int_equal(word_of(s), 0);
	page_close(s);
	stop_go(&stops[0]);
	hand_end(&poster.hand);
	user_stop(&waiter);
	user_stop(&poster);
	page_free(s, 1);
}

/* Handlers */

static struct hazptr_sem handled[2];
static const char *raise_at;
static int handler_posts;

static void handler_that_posts(int number)
{
	(void)number;
	must(!hazptr_sem_post(&handled[0]));
	must(!hazptr_sem_post(&handled[1]));
	must(hazptr_sem_trywait(&handled[0]));
	must(!hazptr_sem_post(&handled[0]));
	__atomic_fetch_add(&handler_posts, 1, __ATOMIC_RELAXED);
}

static __thread bool may_raise;

/* In the thread that was chosen, when it comes by for the first time. */
static void raises(const char *point)
{
	if (!may_raise || strcmp(point, raise_at) != 0)
		return;
	may_raise = false;
	raise(SIGUSR1);
}

static void raise_when(const char *point)
{
	raise_at = point;
	handler_posts = 0;
	handle(SIGUSR1, handler_that_posts);
	at_points_do(raises);
}

static void raise_no_more(void)
{
	at_points_do(NULL);
}

static void waits_and_is_interrupted(void *arg)
{
	may_raise = true;
	hazptr_sem_wait(sem_of(arg));
	may_raise = false;
}

/* The permit that the handler posts ends the very wait that it interrupted. */
static void a_handler_posts_during_a_wait(void **state)
{
	static const char *const points[] = { "table:found", "park:locked",
					      "park:queued" };
	struct hand h;
	size_t i;

	(void)state;
	hand_start(&h);
	for (i = 0; i < TEST_COUNT(points); i++) {
		hazptr_sem_init(&handled[0], 0);
		hazptr_sem_init(&handled[1], 0);
		raise_when(points[i]);
		hand_do(&h, waits_and_is_interrupted, &handled[0]);
		raise_no_more();
		assert_int_equal(handler_posts, 1);
		assert_int_equal(word_of(&handled[0]), 0);
		assert_int_equal(word_of(&handled[1]), 1);
	}
	hand_stop(&h);
}

static void a_handler_posts_during_the_sleep(void **state)
{
	struct user u;

	(void)state;
	handle(SIGUSR1, handler_that_posts);
	hazptr_sem_init(&handled[0], 0);
	hazptr_sem_init(&handled[1], 0);
	user_start(&u, &permit, &handled[0]);
	user_waits(&u, NULL);
	test_sleep_ms(5);
	must(!pthread_kill(u.hand.thread, SIGUSR1));
	assert_int_equal(user_result(&u), 0);
	assert_int_equal(word_of(&handled[0]), 0);
	assert_int_equal(hazptr_sem_value(&handled[1]), 1);
	user_stop(&u);
}

static void posts_and_is_interrupted(void *arg)
{
	may_raise = true;
	must(!hazptr_sem_post(sem_of(arg)));
	may_raise = false;
}

/* Both permits, its own and the handler's, find their waiters. */
static void a_handler_posts_during_a_post(void **state)
{
	static const char *const points[] = { "sem:posted", "table:found",
					      "wake:taken", "wake:awake",
					      "wake:released" };
	struct user w[3];
	struct hand h;
	size_t i, j;

	(void)state;
	hand_start(&h);
	for (i = 0; i < TEST_COUNT(w); i++)
		user_start(&w[i], &permit, &handled[i / 2]);
	for (i = 0; i < TEST_COUNT(points); i++) {
		hazptr_sem_init(&handled[0], 0);
		hazptr_sem_init(&handled[1], 0);
		for (j = 0; j < TEST_COUNT(w); j++)
			user_waits(&w[j], NULL);
		raise_when(points[i]);
		hand_do(&h, posts_and_is_interrupted, &handled[0]);
		raise_no_more();
		for (j = 0; j < TEST_COUNT(w); j++)
			assert_int_equal(user_result(&w[j]), 0);
		assert_int_equal(handler_posts, 1);
		assert_int_equal(word_of(&handled[0]), 0);
		assert_int_equal(word_of(&handled[1]), 0);
	}
	for (j = 0; j < TEST_COUNT(w); j++)
		user_stop(&w[j]);
	hand_stop(&h);
}

static struct hazptr_sem ticks;
static int ticked;

static void handler_that_ticks(int number)
{
	(void)number;
	must(!hazptr_sem_post(&ticks));
	__atomic_fetch_add(&ticked, 1, __ATOMIC_RELAXED);
}

static void *takes_ticks(void *arg)
{
	struct timespec t;
	int n;

	for (n = 0; n < *(int *)arg;) {
		t = test_time_after_ms(1);
		n += !hazptr_sem_wait_until(&ticks, n % 2 ? &t : NULL);
	}
	return NULL;
}

/* Signals whenever they come: in waits, posts, and between. */
static void a_storm_of_handlers(void **state)
{
	int wanted = TEST_MANY(1000), i, before;
	pthread_t taker;

	(void)state;
	ticked = 0;
	hazptr_sem_init(&ticks, 0);
	handle(SIGUSR1, handler_that_ticks);
	taker = test_start(takes_ticks, &wanted);
	for (i = 0; i < wanted; i++) {
		before = __atomic_load_n(&ticked, __ATOMIC_RELAXED);
		must(!pthread_kill(taker, SIGUSR1));
		while (__atomic_load_n(&ticked, __ATOMIC_RELAXED) == before)
			sched_yield();
	}
	test_join(taker);
	assert_int_equal(word_of(&ticks), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_memory_has_no_permit),
		cmocka_unit_test(it_has_as_many_permits_as_were_posted),
		cmocka_unit_test(there_are_not_more_than_the_most),
		LOCK_TESTS(permit),
		cmocka_unit_test(each_post_lets_one_go),
		cmocka_unit_test(many_posts_let_as_many_go),
		cmocka_unit_test(none_is_lost_or_made),
		{ "none_is_lost_while_tables_change", none_is_lost_or_made,
		  NULL, NULL, &sum },
		cmocka_unit_test(a_post_does_not_look_at_it_again),
		cmocka_unit_test(a_handler_posts_during_a_wait),
		cmocka_unit_test(a_handler_posts_during_the_sleep),
		cmocka_unit_test(a_handler_posts_during_a_post),
		cmocka_unit_test(a_storm_of_handlers),
	};

	locks_init();
	test_main(argc, argv, NULL, 0);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
