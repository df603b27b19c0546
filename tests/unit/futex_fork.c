/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_fork.c - the child of a fork has an empty table
 */
#include "sleepers.h"

static uint32_t word, other;

/*
 * TSan does not know a child's threads; ASan's locks are as fork met them, and
 * so are those of qemu.
 */
#define skip_without_fork()                            \
	do {                                           \
		if (TEST_SANITIZED || test_emulator()) \
			skip();                        \
	} while (0)

/* Everything works there, with threads of its own. */
static void all_works(void)
{
	struct timespec past = { 0, 0 };
	struct sleeper s[4];

	must(hazptr_futex_wait(&word, 0, &past) == -ETIMEDOUT);
	sleepers_start(s, 4, sleeper_waits, &word);
	must(!hazptr_futex_hash_resize(64));
	must(hazptr_futex_hash_buckets() == 64);
	must(hazptr_futex_requeue(&word, 1, 1, &other) == 2);
	must(hazptr_futex_wake(&word, INT_MAX) == 2);
	must(!hazptr_futex_hash_resize(16));
	must(hazptr_futex_wake(&other, INT_MAX) == 1);
	sleepers_end(s, 4, 0);
	sleepers_start(s, 2, sleeper_parks, &word);
	must(hazptr_unpark_all(&word, 3) == 2);
	sleepers_end(s, 2, 3);
}

static void check_child(void)
{
	must(hazptr_futex_hash_buckets() == 16);
	must(hazptr_futex_wake(&word, INT_MAX) == 0);
	must(hazptr_futex_wake(&other, INT_MAX) == 0);
	must(hazptr_unpark_all(&word, 1) == 0);
	all_works();
}

/* It grows by the number of threads, as if nobody had said how large. */
static void grows_in_the_child(void)
{
	static struct sleeper s[40];

	check_child();
	must(!hazptr_futex_hash_resize(0));
	sleepers_start(s, 40, sleeper_waits, &word);
	must(hazptr_futex_hash_buckets() >= 4 * 40);
	must(hazptr_futex_wake(&word, INT_MAX) == 40);
	sleepers_end(s, 40, 0);
}

/* What the parent's user has said of the size is not said of the child's. */
static void grows_without_a_word(void)
{
	static struct sleeper s[40];

	must(hazptr_futex_hash_buckets() == 16);
	sleepers_start(s, 40, sleeper_waits, &word);
	must(hazptr_futex_hash_buckets() >= 4 * 40);
	must(hazptr_futex_wake(&word, INT_MAX) == 40);
	sleepers_end(s, 40, 0);
}

static void an_empty_table(void **state)
{
	static const unsigned sizes[] = { 16, 2, 64, 1024 };
	struct sleeper s[5];
	size_t i;

	(void)state;
	skip_without_fork();
	sleepers_start(s, 5, sleeper_waits, &word);
	assert_int_equal(hazptr_futex_requeue(&word, 0, 2, &other), 2);
	for (i = 0; i < TEST_COUNT(sizes); i++) {
		assert_int_equal(hazptr_futex_hash_resize(sizes[i]), 0);
		in_child(check_child());
		/* And here nothing has changed. */
		assert_int_equal(hazptr_futex_hash_buckets(), sizes[i]);
		assert_int_equal(sleepers_back(s, 5), 0);
	}
	in_child(grows_in_the_child());
	in_child(grows_without_a_word());
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 3);
	assert_int_equal(hazptr_futex_wake(&other, INT_MAX), 2);
	sleepers_end(s, 5, 0);
}

/* Children of children. */
static void fork_again(void)
{
	pid_t child;
	int status;

	check_child();
	child = fork();
	must(child >= 0);
	if (!child) {
		alarm(60);
		check_child();
		_exit(0);
	}
	must(waitpid(child, &status, 0) == child && !status);
	all_works();
}

static void of_a_child(void **state)
{
	(void)state;
	skip_without_fork();
	assert_int_equal(hazptr_futex_hash_resize(128), 0);
	in_child(fork_again());
	all_works();
}

/* Another thread replaces the table, and is held there; or has a lock. */
static void while_another_is_at_it(void **state)
{
	static const char *const points[] = { "table:published", "table:moved",
					      "move:moved" };
	struct sleeper s[3];
	struct hand resizer;
	size_t i;

	(void)state;
	skip_without_fork();
	hand_start(&resizer);
	sleepers_start(s, 3, sleeper_waits, &word);
	for (i = 0; i < TEST_COUNT(points); i++) {
		assert_int_equal(hazptr_futex_hash_resize(32), 0);
		stop_arm(&stops[0], points[i]);
		hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
		stop_wait(&stops[0]);
		in_child(check_child());
		stop_go(&stops[0]);
		hand_end(&resizer);
		assert_int_equal(hazptr_futex_hash_buckets(), 64);
	}
	hand_stop(&resizer);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 3);
	sleepers_end(s, 3, 0);
}

/* Another one has a bucket's lock: of a wait, of a park. */
static void while_another_has_a_bucket(void **state)
{
	struct sleeper s[2];

	(void)state;
	skip_without_fork();
	memset(s, 0, sizeof(s));
	stop_arm(&stops[0], "wait:counted");
	sleeper_begin(&s[0], sleeper_waits, &word);
	stop_wait(&stops[0]);
	stop_arm(&stops[1], "park:locked");
	sleeper_begin(&s[1], sleeper_parks, &other);
	if (bucket_of(&word, hazptr_futex_hash_buckets()) !=
	    bucket_of(&other, hazptr_futex_hash_buckets()))
		stop_wait(&stops[1]);
	in_child(check_child());
	stop_go(&stops[0]);
	stop_go(&stops[1]);
	sleeper_await(&s[0]);
	sleeper_await(&s[1]);
	assert_int_equal(hazptr_futex_wake(&word, INT_MAX), 1);
	assert_int_equal(hazptr_unpark_all(&other, 0), 1);
	sleepers_end(s, 2, 0);
}

/* At any moment of another thread's work. */

static int busy;

static void *works(void *arg)
{
	struct timespec past = { 0, 0 };
	unsigned i = 0;

	while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE)) {
		must(!hazptr_futex_hash_resize(16u << (i++ % 3)));
		hazptr_futex_wait(&word, 0, &past);
		hazptr_futex_requeue(&word, 1, 1, &other);
	}
	return arg;
}

static void at_any_moment(void **state)
{
	pthread_t t;
	int i;

	(void)state;
	skip_without_fork();
	if (is_valgrind())
		skip(); /* it calls lost what another thread just allocated */
	busy = 1;
	t = test_start(works, NULL);
	for (i = 0; i < TEST_MANY(60); i++)
		in_child(all_works());
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	test_join(t);
	all_works();
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_table),
		cmocka_unit_test(of_a_child),
		cmocka_unit_test(while_another_is_at_it),
		cmocka_unit_test(while_another_has_a_bucket),
		cmocka_unit_test(at_any_moment),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
