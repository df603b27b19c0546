/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_count.c - tables kept by counted references, mended
 *
 * A directed test for each repair of the first scheme, in the order in which
 * src/park/count.c names them. With HAZPTR_FUTEX=count only.
 */
#include "tables.h"

static uint32_t *word;

static int setup(void **state)
{
	(void)state;
	memset(pool, 0, sizeof(pool));
	word = word_in(3, 16, 0);
	must(!hazptr_futex_hash_resize(32));
	must(!hazptr_futex_hash_resize(16));
	settle();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return hazptr_futex_wake(word, INT_MAX) || tables_left() != 1 ? -1 : 0;
}

#define skip_unless_counted()                                      \
	do {                                                       \
		if (!by_count()) {                                 \
			print_message("not HAZPTR_FUTEX=count\n"); \
			skip();                                    \
		}                                                  \
	} while (0)

/* Requeues look up their buckets in any case, also when nobody is there. */
static void does_look(void *arg)
{
	must(hazptr_futex_requeue(word, 0, 0, word) == 0);
	(void)arg;
}

static void wakes_one(struct sleeper *s)
{
	assert_int_equal(hazptr_futex_wake(word, 1), 1);
	assert_int_equal(sleeper_end(s), 0);
}

/*
 * Under the lock: is the dead table still the current one? One thread found it
 * dead and comes to the lock late, when two others have replaced the table
 * already, and the one after it.
 */
static void found_dead_long_ago(void **state)
{
	struct hand resizer, late;
	struct sleeper s;
	unsigned after;

	(void)state;
	skip_unless_counted();
	memset(&s, 0, sizeof(s));
	hand_start(&resizer);
	hand_start(&late);
	stop_arm(&stops[0], "count:died");
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	stop_wait(&stops[0]); /* it is dead, and nobody has replaced it */
	stop_arm(&stops[1], "count:dead");
	hand_begin(&late, does_look, NULL);
	stop_wait(&stops[1]);
	stop_go(&stops[0]);
	hand_end(&resizer);
	hand_do(&resizer, does_resize, (void *)(uintptr_t)128);
	after = hazptr_futex_hash_buckets();
	sleeper_start(&s, sleeper_waits, word);
	stop_go(&stops[1]);
	hand_end(&late);
	assert_int_equal(hazptr_futex_hash_buckets(), after);
	wakes_one(&s);
	hand_stop(&resizer);
	hand_stop(&late);
}

/* The same of the thread whose put made it dead. */
static void died_long_ago(void **state)
{
	struct hand resizer, other;
	struct sleeper s;
	unsigned after;

	(void)state;
	skip_unless_counted();
	memset(&s, 0, sizeof(s));
	hand_start(&resizer);
	hand_start(&other);
	stop_arm(&stops[0], "count:died");
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	stop_wait(&stops[0]);
	hand_do(&other, does_look, NULL); /* replaces it */
	hand_do(&other, does_resize, (void *)(uintptr_t)128);
	after = hazptr_futex_hash_buckets();
	assert_int_equal(after, 128);
	sleeper_start(&s, sleeper_waits, word);
	stop_go(&stops[0]);
	hand_end(&resizer);
	assert_int_equal(hazptr_futex_hash_buckets(), after);
	wakes_one(&s);
	hand_stop(&resizer);
	hand_stop(&other);
}

/*
 * A guard over put. The last put has found that no reference is left; before
 * it decides, another operation comes and goes, has the table declared dead,
 * replaced and retired.
 */
static void looks_again_after_its_put(void **state)
{
	struct hand resizer, puts;
	int gone;

	(void)state;
	skip_unless_counted();
	hand_start(&resizer);
	hand_start(&puts);
	stop_arm(&stops[0], "table:found");
	hand_begin(&puts, does_look, NULL);
	stop_wait(&stops[0]); /* it has a reference */
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	assert_true(test_eventually(tables_all() - tables_gone() >= 2));
	test_sleep_ms(2); /* the table's own reference is put */
	gone = tables_gone();
	stop_arm(&stops[1], "rcuref:none");
	stop_go(&stops[0]);
	if (!stop_wait_or_end(&stops[1], &puts)) {
		hand_end(&resizer);
		hand_stop(&resizer);
		hand_stop(&puts);
		print_message("no such point of the library\n");
		skip();
	}
	does_look(NULL);
	hand_end(&resizer);
	hazptr_flush(NULL);
	hazptr_flush(NULL);
	assert_int_equal(tables_gone(), gone);
	stop_go(&stops[1]);
	hand_end(&puts);
	hand_stop(&resizer);
	hand_stop(&puts);
	assert_int_equal(tables_left(), 1);
}

/* It is not dead before its last operation has put its reference. */
static void alive_until_the_last_put(void **state)
{
	struct hand resizer, looks;
	struct sleeper s;

	(void)state;
	skip_unless_counted();
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, word);
	hand_start(&resizer);
	hand_start(&looks);
	stop_arm(&stops[0], "count:put");
	hand_begin(&looks, does_look, NULL);
	stop_wait(&stops[0]);
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	test_sleep_ms(2);
	assert_int_equal(hazptr_futex_hash_buckets(), 16);
	/* Others go on in it meanwhile. */
	wakes_one(&s);
	sleeper_start(&s, sleeper_waits, word);
	assert_int_equal(hazptr_futex_hash_buckets(), 16);
	stop_go(&stops[0]);
	hand_end(&looks);
	hand_end(&resizer);
	assert_int_equal(hazptr_futex_hash_buckets(), 64);
	wakes_one(&s);
	hand_stop(&resizer);
	hand_stop(&looks);
}

/* A guard over unqueue, which has no reference. */
static void gives_up_without_a_reference(void **state)
{
	struct timespec past = { 0, 0 };
	struct sleeper s;
	int made, gone;

	(void)state;
	skip_unless_counted();
	settle();
	made = tables_all();
	gone = tables_gone();
	memset(&s, 0, sizeof(s));
	s.deadline = &past;
	stop_arm(&stops[0], "unqueue:guarded");
	sleeper_begin(&s, sleeper_waits, word);
	stop_wait(&stops[0]);
	must(!hazptr_futex_hash_resize(64));
	must(!hazptr_futex_hash_resize(16));
	hazptr_flush(NULL);
	hazptr_flush(NULL);
	assert_int_equal(tables_all() - made, 2);
	assert_int_equal(tables_gone() - gone, 1); /* not the one it looks at */
	stop_go(&stops[0]);
	assert_int_equal(sleeper_end(&s), -ETIMEDOUT);
}

/*
 * `next` is the one request, so the table's own reference is put once. An
 * operation has a reference; two resize meanwhile. Were it put twice, the
 * operation's own would be gone.
 */
static void asked_for_twice(void **state)
{
	struct hand resizers[2], looks;
	struct sleeper s[2];
	int i;

	(void)state;
	skip_unless_counted();
	sleepers_start(s, 2, sleeper_waits, word);
	hand_start(&looks);
	stop_arm(&stops[0], "table:found");
	hand_begin(&looks, does_look, NULL);
	stop_wait(&stops[0]);
	for (i = 0; i < 2; i++) {
		hand_start(&resizers[i]);
		hand_begin(&resizers[i], does_resize,
			   (void *)(uintptr_t)(i ? 128 : 64));
		test_sleep_ms(3);
		assert_int_equal(hazptr_futex_hash_buckets(), 16);
	}
	wakes_one(&s[0]);
	assert_int_equal(hazptr_futex_hash_buckets(), 16);
	stop_go(&stops[0]);
	hand_end(&looks);
	hand_stop(&looks);
	for (i = 0; i < 2; i++) {
		hand_end(&resizers[i]);
		hand_stop(&resizers[i]);
	}
	assert_int_equal(hazptr_futex_hash_buckets(), 128);
	wakes_one(&s[1]);
}

/* Memory first: no dead table without a next one. */
static void no_memory_first(void **state)
{
	struct hand resizer, looks;
	struct sleeper s;
	int i;

	(void)state;
	skip_unless_counted();
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, word);
	hand_start(&resizer);
	hand_start(&looks);
	tables_memory(false);
	for (i = 0; i < 3; i++) {
		stop_arm(&stops[0], i ? "count:put" : "table:found");
		hand_begin(&looks, does_look, NULL);
		stop_wait(&stops[0]);
		assert_int_equal(hazptr_futex_hash_resize(256), -ENOMEM);
		assert_int_equal(hazptr_futex_hash_resize(256), -ENOMEM);
		stop_go(&stops[0]);
		hand_end(&looks);
	}
	tables_memory(true);
	assert_int_equal(hazptr_futex_hash_buckets(), 16);
	wakes_one(&s);
	hand_do(&resizer, does_resize, (void *)(uintptr_t)256);
	assert_int_equal(hazptr_futex_hash_buckets(), 256);
	hand_stop(&resizer);
	hand_stop(&looks);
}

/* All at once. */

static int busy;

static void *looks_often(void *arg)
{
	while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE))
		does_look(arg);
	return arg;
}

static void dies_at_any_moment(void **state)
{
	struct timespec past = { 0, 0 };
	struct sleeper s[3];
	pthread_t t[2];
	int i;

	(void)state;
	skip_unless_counted();
	sleepers_start(s, 3, sleeper_parks, word);
	busy = 1;
	for (i = 0; i < 2; i++)
		t[i] = test_start(looks_often, NULL);
	for (i = 0; i < TEST_MANY(300); i++) {
		must(!hazptr_futex_hash_resize(i % 2 ? 16 : 32));
		must(hazptr_futex_wait(&pool[0], 0, &past) == -ETIMEDOUT);
	}
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		test_join(t[i]);
	assert_int_equal(hazptr_unpark_all(word, 0), 3);
	sleepers_end(s, 3, 0);
}

#define BETWEEN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		BETWEEN(found_dead_long_ago),
		BETWEEN(died_long_ago),
		BETWEEN(looks_again_after_its_put),
		BETWEEN(alive_until_the_last_put),
		BETWEEN(gives_up_without_a_reference),
		BETWEEN(asked_for_twice),
		BETWEEN(no_memory_first),
		BETWEEN(dies_at_any_moment),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
