/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/park_race.c - time-outs against wakes
 *
 * Directed: the waker is held when it has taken the sleeper out of the queue,
 * when it has told it, and when it has let it go; the sleeper meanwhile gives
 * up. Whoever was counted as woken returns as woken. Then stress.
 */
#include "sleepers.h"

static uint32_t word;

/* The two kinds of sleepers and their wakers. */

struct kind {
	const char *name;
	int (*call)(struct sleeper *s);
	void (*wake)(void *arg);
	const char *queued;
	int result;
};

static int woken;

static void futex_wakes(void *arg)
{
	woken = hazptr_futex_wake((uint32_t *)arg, 1);
}

static void unparks(void *arg)
{
	woken = hazptr_unpark_all(arg, 6);
}

static const struct kind kinds[] = {
	{ "futex", sleeper_waits, futex_wakes, "wait:queued", 0 },
	{ "park", sleeper_parks, unparks, "park:queued", 6 },
};

static const char *const waking[] = { "wake:taken", "wake:awake",
				      "wake:released" };

/*
 * The sleeper's deadline has passed; it is held before it looks. The waker is
 * at its point: up to the last one the sleeper must wait for it.
 */
static void late_at(const struct kind *k, const char *point)
{
	struct timespec past = { 0, 0 };
	struct sleeper s;
	struct hand hand;

	memset(&s, 0, sizeof(s));
	s.deadline = &past;
	hand_start(&hand);
	stop_arm(&stops[0], k->queued);
	sleeper_begin(&s, k->call, &word);
	stop_wait(&stops[0]);
	stop_arm(&stops[1], point);
	hand_begin(&hand, k->wake, &word);
	stop_wait(&stops[1]);
	stop_go(&stops[0]);
	if (strcmp(point, "wake:released") != 0) {
		test_sleep_ms(3);
		if (sleeper_order(&s))
			fail_msg("%s: gone at %s", k->name, point);
		stop_go(&stops[1]);
		hand_end(&hand);
		assert_int_equal(sleeper_end(&s), k->result);
	} else {
		/* Its frame is its own: it need not wait for the waker. */
		assert_int_equal(sleeper_end(&s), k->result);
		memset(&s, 0xee, sizeof(s));
		stop_go(&stops[1]);
		hand_end(&hand);
	}
	assert_int_equal(woken, 1);
	hand_stop(&hand);
}

static void late_while_it_is_woken(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < TEST_COUNT(kinds); i++)
		for (j = 0; j < TEST_COUNT(waking); j++)
			late_at(&kinds[i], waking[j]);
}

/* The sleeper has looked for its bucket; the wake comes first. */
static void woken_while_it_gives_up(void **state)
{
	struct timespec past = { 0, 0 };
	struct sleeper s;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(kinds); i++) {
		memset(&s, 0, sizeof(s));
		s.deadline = &past;
		stop_arm(&stops[0], "unqueue:guarded");
		sleeper_begin(&s, kinds[i].call, &word);
		stop_wait(&stops[0]);
		kinds[i].wake(&word);
		assert_int_equal(woken, 1);
		stop_go(&stops[0]);
		assert_int_equal(sleeper_end(&s), kinds[i].result);
	}
}

/* The sleeper goes first: the wake is for the next one. */
static void gives_up_before_the_wake(void **state)
{
	struct timespec past = { 0, 0 };
	struct sleeper s[2];
	struct hand hand;
	size_t i;

	(void)state;
	hand_start(&hand);
	for (i = 0; i < TEST_COUNT(kinds); i++) {
		memset(s, 0, sizeof(s));
		s[0].deadline = &past;
		stop_arm(&stops[0], kinds[i].queued);
		sleeper_begin(&s[0], kinds[i].call, &word);
		stop_wait(&stops[0]);
		sleeper_start(&s[1], kinds[i].call, &word);
		stop_arm(&stops[1], "table:found");
		hand_begin(&hand, kinds[i].wake, &word);
		stop_wait(&stops[1]);
		stop_go(&stops[0]);
		assert_int_equal(sleeper_end(&s[0]), -ETIMEDOUT);
		stop_go(&stops[1]);
		hand_end(&hand);
		assert_int_equal(woken, 1);
		assert_int_equal(sleeper_end(&s[1]), kinds[i].result);
	}
	hand_stop(&hand);
}

/* The waker has all of them, and is held at each in turn. */
static void several_are_woken_in_turn(void **state)
{
	struct sleeper s[3];
	struct hand hand;
	size_t i;

	(void)state;
	hand_start(&hand);
	for (i = 0; i < 3; i++) {
		sleepers_start(s, 3, sleeper_parks, &word);
		stop_arm_after(&stops[0], "wake:taken", (int)i);
		hand_begin(&hand, unparks, &word);
		stop_wait(&stops[0]);
		assert_true(test_eventually(sleepers_back(s, 3) == i));
		/* The rest is in no queue any more. */
		assert_int_equal(hazptr_unpark_all(&word, 0), 0);
		stop_go(&stops[0]);
		hand_end(&hand);
		assert_int_equal(woken, 3);
		sleepers_end(s, 3, 6);
	}
	hand_stop(&hand);
}

/* A lock that is freed by whoever was woken last: wakers do not look back. */
static void frees_its_word(void **state)
{
	struct sleeper s;
	struct hand hand;
	uint32_t *w;
	size_t i;

	(void)state;
	hand_start(&hand);
	for (i = 0; i < TEST_COUNT(kinds); i++) {
		w = (uint32_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(w != MAP_FAILED);
		memset(&s, 0, sizeof(s));
		sleeper_start(&s, kinds[i].call, w);
		stop_arm(&stops[0], "wake:released");
		hand_begin(&hand, kinds[i].wake, w);
		stop_wait(&stops[0]);
		assert_int_equal(munmap(w, 4096), 0);
		stop_go(&stops[0]);
		hand_end(&hand);
		assert_int_equal(woken, 1);
		assert_int_equal(sleeper_end(&s), kinds[i].result);
	}
	hand_stop(&hand);
}

/* Stress: each wake that was counted is a sleeper that returned as woken. */

#define SLEEPERS 3

struct racer {
	const struct kind *kind;
	unsigned seed;
	long woken;
	long late;
};

static int racing;

static void *races(void *arg)
{
	struct racer *r = (struct racer *)arg;
	struct timespec t;
	struct sleeper s;
	int i;

	memset(&s, 0, sizeof(s));
	s.at = &word;
	s.deadline = &t;
	for (i = 0; i < TEST_MANY(4000); i++) {
		t = test_time_after_ms(0);
		t.tv_nsec += (long)(test_random(&r->seed) % 60000);
		if (t.tv_nsec >= 1000000000)
			continue;
		s.result = r->kind->call(&s);
		must(s.result == r->kind->result || s.result == -ETIMEDOUT);
		if (s.result == -ETIMEDOUT)
			r->late++;
		else
			r->woken++;
	}
	__atomic_fetch_sub(&racing, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void race(const struct kind *k)
{
	struct racer r[SLEEPERS];
	pthread_t t[SLEEPERS];
	long sum = 0, back = 0;
	size_t i;

	racing = SLEEPERS;
	for (i = 0; i < SLEEPERS; i++) {
		r[i].kind = k;
		r[i].seed = (unsigned)i + 1;
		r[i].woken = r[i].late = 0;
		t[i] = test_start(races, &r[i]);
	}
	while (__atomic_load_n(&racing, __ATOMIC_ACQUIRE)) {
		k->wake(&word);
		sum += woken;
		if (sum % 64 == 0)
			sched_yield();
	}
	for (i = 0; i < SLEEPERS; i++) {
		test_join(t[i]);
		back += r[i].woken;
	}
	assert_int_equal(sum, back);
}

static void each_wake_is_accounted_for(void **state)
{
	(void)state;
	race(&kinds[0]);
	race(&kinds[1]);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_while_it_is_woken),
		cmocka_unit_test(woken_while_it_gives_up),
		cmocka_unit_test(gives_up_before_the_wake),
		cmocka_unit_test(several_are_woken_in_turn),
		cmocka_unit_test(frees_its_word),
		cmocka_unit_test(each_wake_is_accounted_for),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
