/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_table_race.c - operations against another table
 *
 * Directed: an operation is held at a named point while the table is replaced,
 * or whoever replaces it is held while operations go on. Nobody is lost, nobody
 * is woken for it, and no table is freed while somebody looks into it.
 *
 * With counted references a table is replaced when the last operation has left
 * it: then the others wait, and what is checked is that all of it ends.
 */
#include "tables.h"

static uint32_t *low, *high, *low2, *high2; /* in the first and last bucket */

static int setup(void **state)
{
	(void)state;
	memset(pool, 0, sizeof(pool));
	low = word_in(0, 16, 0);
	low2 = word_in(0, 16, 1);
	high = word_in(15, 16, 0);
	high2 = word_in(15, 16, 1);
	/* So that the table is not the first one, which is never freed. */
	must(!hazptr_futex_hash_resize(32));
	must(!hazptr_futex_hash_resize(16));
	settle();
	return 0;
}

/* Nobody waits anywhere, and one table is left. */
static int teardown(void **state)
{
	int i, found = 0;

	(void)state;
	for (i = 0; i < POOL; i++)
		found += hazptr_futex_wake(&pool[i], INT_MAX);
	return found || tables_left() != 1 ? -1 : 0;
}

/* The table is replaced while an operation is held at its point. */

struct replacing {
	struct hand hand;
	bool waits; /* for the operation */
	int times;
};

static void does_replace(void *arg)
{
	struct replacing *r = (struct replacing *)arg;
	int i;

	for (i = 0; i < r->times; i++)
		must(!hazptr_futex_hash_resize(i % 2 ? 16 : 64));
}

/* `inside`: the operation has a reference, or a bucket's lock if `locked`. */
static void replace_begin(struct replacing *r, int times, bool inside,
			  bool locked)
{
	r->times = times;
	r->waits = locked || (inside && by_count());
	hand_start(&r->hand);
	hand_begin(&r->hand, does_replace, r);
	if (r->waits) {
		test_sleep_ms(1);
		return;
	}
	hand_end(&r->hand);
	hazptr_flush(NULL);
	hazptr_flush(NULL);
}

static void replace_end(struct replacing *r)
{
	if (r->waits)
		hand_end(&r->hand);
	hand_stop(&r->hand);
}

/* A waiter: it is in the new table's queue, wherever it was held. */

struct waiting {
	const char *point;
	int (*call)(struct sleeper *s);
	bool inside;
	bool locked;
};

static const struct waiting waits[] = {
	{ "table:found", sleeper_waits, true, false },
	{ "wait:counted", sleeper_waits, true, true },
	{ "wait:queued", sleeper_waits, false, false },
	{ "table:found", sleeper_parks, true, false },
	{ "park:locked", sleeper_parks, true, true },
	{ "park:queued", sleeper_parks, false, false },
};

/* All that wait at the word, in either way. */
static int wakes_any(const uint32_t *word)
{
	return hazptr_futex_wake(word, INT_MAX) + hazptr_unpark_all(word, 0);
}

static void replaced_beside_a_waiter(const struct waiting *w, int times)
{
	struct replacing r;
	struct sleeper s;

	memset(&s, 0, sizeof(s));
	stop_arm(&stops[0], w->point);
	sleeper_begin(&s, w->call, high);
	stop_wait(&stops[0]);
	replace_begin(&r, times, w->inside, w->locked);
	stop_go(&stops[0]);
	replace_end(&r);
	sleeper_await(&s);
	if (sleepers_wake(high) != 1)
		fail_msg("lost: %s, %d", w->point, times);
	assert_int_equal(sleeper_end(&s), 0);
	setup(NULL);
}

static void while_one_queues(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(waits); i++) {
		replaced_beside_a_waiter(&waits[i], 1);
		replaced_beside_a_waiter(&waits[i], 2);
		replaced_beside_a_waiter(&waits[i], 5);
	}
}

/*
 * The race that was found in the first scheme: one processor has looked up
 * its bucket, another one swaps the table, changes the word and wakes.
 */

static int woken;

static void does_wake(void *arg)
{
	uint32_t *word = (uint32_t *)arg;

	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	woken = hazptr_futex_wake(word, INT_MAX);
}

static void swapped_and_woken(const struct waiting *w, const char *at,
			      int times)
{
	struct replacing r;
	struct sleeper s;
	struct hand hand;
	bool held;

	memset(&s, 0, sizeof(s));
	hand_start(&hand);
	stop_arm(&stops[0], w->point);
	sleeper_begin(&s, sleeper_waits, high);
	stop_wait(&stops[0]);
	replace_begin(&r, times, w->inside, w->locked);
	stop_arm(&stops[1], at);
	hand_begin(&hand, does_wake, high);
	held = stop_wait_or_end(&stops[1], &hand);
	stop_go(&stops[0]);
	if (held) {
		test_sleep_ms(1);
		stop_go(&stops[1]);
		hand_end(&hand);
	}
	replace_end(&r);
	hand_stop(&hand);
	/* It sleeps for ever, when it does not see the word or the wake. */
	if (sleeper_end(&s) != (woken ? 0 : -EAGAIN))
		fail_msg("%s, %s: %d, %d woken", w->point, at, s.result, woken);
	*high = 0;
	setup(NULL);
}

static void the_lost_waiter(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		swapped_and_woken(&waits[i], "wake:table", 1);
		swapped_and_woken(&waits[i], "wake:table", 2);
	}
	/* It may find nobody before it comes there. */
	swapped_and_woken(&waits[0], "table:found", 1);
	swapped_and_woken(&waits[0], "table:found", 2);
}

/* A waker, at each step. */

struct act {
	const char *name;
	const char *point;
	int skips;
	void (*run)(void *arg);
	int result;
	bool waker_has_them; /* when it is held there */
};

static int result;

static void wakes(void *arg)
{
	(void)arg;
	result = hazptr_futex_wake(low, INT_MAX);
}

static void unparks_one(void *arg)
{
	(void)arg;
	result = hazptr_unpark_one(low, NULL, NULL);
}

static void requeues(void *arg)
{
	(void)arg;
	result = hazptr_futex_requeue(low, 1, INT_MAX, high);
}

static void cmp_requeues(void *arg)
{
	(void)arg;
	result = hazptr_futex_cmp_requeue(low, 0, 0, INT_MAX, low2);
}

static void changes_and_wakes(void *arg)
{
	(void)arg;
	result = hazptr_futex_wake_op(high2, 1, low, 2,
				      FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ,
					       0));
}

static const struct act acts[] = {
	{ "wake", "wake:table", 0, wakes, 3, false },
	{ "wake", "table:found", 0, wakes, 3, false },
	{ "wake", "wake:taken", 0, wakes, 3, true },
	{ "wake", "wake:awake", 1, wakes, 3, true },
	{ "wake", "wake:released", 2, wakes, 3, true },
	{ "unpark", "table:found", 0, unparks_one, 1, false },
	{ "requeue", "table:found", 0, requeues, 3, false },
	{ "requeue", "table:found", 1, requeues, 3, false },
	{ "cmp_requeue", "table:found", 0, cmp_requeues, 3, false },
	{ "cmp_requeue", "table:found", 1, cmp_requeues, 3, false },
	{ "wake_op", "table:found", 0, changes_and_wakes, 2, false },
	{ "wake_op", "table:found", 1, changes_and_wakes, 2, false },
};

static void replaced_beside_a_waker(const struct act *a, int times)
{
	int rest, made = tables_all(), gone = tables_gone();
	bool has_reference = strcmp(a->point, "table:found") == 0;
	struct replacing r;
	struct sleeper s[3];
	struct hand hand;

	sleepers_start(s, 3, sleeper_waits, low);
	hand_start(&hand);
	stop_arm_after(&stops[0], a->point, a->skips);
	hand_begin(&hand, a->run, NULL);
	stop_wait(&stops[0]);
	replace_begin(&r, times, has_reference, false);
	/* The old one, and the one that is in use. */
	if (!a->waker_has_them && !r.waits)
		assert_int_equal(1 + tables_all() - made - tables_gone() + gone,
				 2);
	if (!a->waker_has_them)
		assert_int_equal(sleepers_back(s, 3), 0);
	stop_go(&stops[0]);
	hand_end(&hand);
	hand_stop(&hand);
	replace_end(&r);
	if (result != a->result)
		fail_msg("%s at %s: %d", a->name, a->point, result);
	rest = hazptr_futex_wake(low, INT_MAX) +
	       hazptr_futex_wake(low2, INT_MAX) +
	       hazptr_futex_wake(high, INT_MAX);
	sleepers_end(s, 3, 0);
	if (a->run == requeues)
		assert_int_equal(rest, 2);
	else if (a->run == cmp_requeues)
		assert_int_equal(rest, 3);
	else
		assert_int_equal(rest, 3 - a->result);
	setup(NULL);
}

static void while_one_wakes(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(acts); i++) {
		replaced_beside_a_waker(&acts[i], 1);
		replaced_beside_a_waker(&acts[i], 2);
	}
}

/*
 * Who gives up has no reference, and looks for its bucket in a table that is
 * replaced meanwhile: the guard keeps it.
 */
static void replaced_beside_one_who_gives_up(int times, bool requeue)
{
	struct timespec past = { 0, 0 };
	int made, gone;
	struct sleeper s[2];
	struct replacing r;

	memset(s, 0, sizeof(s));
	sleeper_start(&s[1], sleeper_waits, high);
	made = tables_all();
	gone = tables_gone();
	s[0].deadline = &past;
	stop_arm(&stops[0], "unqueue:guarded");
	sleeper_begin(&s[0], sleeper_waits, high);
	stop_wait(&stops[0]);
	replace_begin(&r, times, false, false);
	assert_int_equal(1 + tables_all() - made - tables_gone() + gone, 2);
	if (requeue)
		assert_int_equal(hazptr_futex_requeue(high, 0, INT_MAX, low),
				 2);
	stop_go(&stops[0]);
	replace_end(&r);
	assert_int_equal(sleeper_end(&s[0]), -ETIMEDOUT);
	assert_int_equal(hazptr_futex_wake(requeue ? low : high, INT_MAX), 1);
	assert_int_equal(sleeper_end(&s[1]), 0);
	setup(NULL);
}

static void while_one_gives_up(void **state)
{
	(void)state;
	replaced_beside_one_who_gives_up(1, false);
	replaced_beside_one_who_gives_up(2, false);
	replaced_beside_one_who_gives_up(3, false);
	replaced_beside_one_who_gives_up(1, true);
	replaced_beside_one_who_gives_up(2, true);
}

/* Whoever replaces the table is held; operations go on. */

struct beside {
	uint32_t *a;
	uint32_t *b;
};

/* Three sleep at `a`: two stay, one of them at `b`. */
static void does_everything(void *arg)
{
	struct beside *w = (struct beside *)arg;
	struct timespec past = { 0, 0 };
	uint32_t *a = w->a, *b = w->b;
	struct hazptr_futex_waitv v[2] = { { a, 0 }, { b, 0 } };

	must(hazptr_futex_wait(a, 1, NULL) == -EAGAIN);
	must(hazptr_futex_wait(a, 0, &past) == -ETIMEDOUT);
	must(hazptr_park(b, NULL, NULL, NULL, NULL, &past) == -ETIMEDOUT);
	must(hazptr_futex_waitv(v, 2, &past) == -ETIMEDOUT);
	must(hazptr_futex_wake(a, 1) == 1);
	must(hazptr_futex_requeue(a, 0, 1, b) == 1);
	must(hazptr_futex_requeue(b, 0, 1, a) == 1);
	must(hazptr_futex_cmp_requeue(a, 1, 0, 1, b) == -EAGAIN);
	must(hazptr_futex_cmp_requeue(a, 0, 0, 1, b) == 1);
	must(hazptr_futex_wake_op(a, 0, b, 0, 0) == 0);
	must(hazptr_futex_wake_bitset(b, 0, 1) == 0);
}

static void beside_the_replacing(const char *point, int skips, uint32_t *at,
				 uint32_t *at2)
{
	struct beside words = { at, at2 };
	struct hand resizer, hand;
	struct sleeper s[3], others[2], late;
	bool all_wait = by_count() && strcmp(point, "table:published") != 0;

	sleepers_start(s, 3, sleeper_waits, at);
	sleepers_start(others, 2, sleeper_parks, low2);
	memset(&late, 0, sizeof(late));
	hand_start(&resizer);
	hand_start(&hand);
	stop_arm_after(&stops[0], point, skips);
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	stop_wait(&stops[0]);
	hand_begin(&hand, does_everything, &words);
	sleeper_begin(&late, sleeper_waits, at);
	if (!all_wait) {
		hand_end(&hand);
		sleeper_await(&late);
		assert_int_equal(sleeper_end(&s[0]), 0);
		assert_int_equal(sleepers_back(s, 3), 1);
	}
	stop_go(&stops[0]);
	hand_end(&resizer);
	if (all_wait) {
		hand_end(&hand);
		sleeper_await(&late);
		assert_int_equal(sleeper_end(&s[0]), 0);
	}
	hand_stop(&resizer);
	hand_stop(&hand);
	assert_int_equal(hazptr_futex_hash_buckets(), 64);
	assert_int_equal(hazptr_futex_wake(at, INT_MAX) +
				 hazptr_futex_wake(at2, INT_MAX),
			 3);
	sleepers_end(&s[1], 2, 0);
	sleepers_end(&late, 1, 0);
	assert_int_equal(hazptr_unpark_all(low2, 4), 2);
	sleepers_end(others, 2, 4);
	setup(NULL);
}

static void while_it_is_replaced(void **state)
{
	(void)state;
	/* Not begun; in buckets that are dead, and that are not. */
	beside_the_replacing("table:published", 0, low, high);
	beside_the_replacing("table:published", 0, high, low);
	beside_the_replacing("table:moved", 0, low, high);
	beside_the_replacing("table:moved", 0, high, low);
	beside_the_replacing("table:moved", 0, low, word_in(0, 16, 2));
	beside_the_replacing("table:moved", 14, low, high);
	beside_the_replacing("table:moved", 14, high, low);
	beside_the_replacing("table:moved", 15, low, high);
	beside_the_replacing("table:moved", 15, high, low);
	/* One bucket is locked, its waiters half moved; others are not. */
	beside_the_replacing("move:moved", 0, high, high2);
	beside_the_replacing("move:moved", 0, high, word_in(9, 16, 0));
	beside_the_replacing("move:moved", 1, word_in(9, 16, 0), high2);
}

/*
 * An operation has met a dead bucket and is on its way to the next table, when
 * that one becomes the current one, or is replaced itself.
 */
static void on_the_way(const struct act *a, int times)
{
	struct hand resizer, hand;
	struct replacing r;
	struct sleeper s[3];
	int rest;

	sleepers_start(s, 3, sleeper_waits, low);
	hand_start(&resizer);
	hand_start(&hand);
	stop_arm(&stops[0], "table:moved");
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	stop_wait(&stops[0]);
	stop_arm(&stops[1], "table:next");
	hand_begin(&hand, a->run, NULL);
	stop_wait(&stops[1]);
	stop_go(&stops[0]);
	hand_end(&resizer);
	replace_begin(&r, times, false, false);
	stop_go(&stops[1]);
	hand_end(&hand);
	replace_end(&r);
	hand_stop(&resizer);
	hand_stop(&hand);
	if (result != a->result)
		fail_msg("%s on the way: %d", a->name, result);
	rest = hazptr_futex_wake(low, INT_MAX) +
	       hazptr_futex_wake(low2, INT_MAX) +
	       hazptr_futex_wake(high, INT_MAX);
	sleepers_end(s, 3, 0);
	assert_in_range(rest, 0, 3);
	setup(NULL);
}

static void on_the_way_to_the_next_table(void **state)
{
	size_t i;
	int times;

	(void)state;
	if (by_count()) {
		print_message("nobody is on that way by counts\n");
		skip();
	}
	for (i = 0; i < TEST_COUNT(acts); i++)
		for (times = 0; !acts[i].skips && times < 3; times++)
			on_the_way(&acts[i], times);
}

/* And a waiter. */
static void waits_on_the_way(void **state)
{
	struct hand resizer;
	struct sleeper s;
	int times;

	(void)state;
	if (by_count())
		skip();
	for (times = 0; times < 3; times++) {
		struct replacing r;

		memset(&s, 0, sizeof(s));
		hand_start(&resizer);
		stop_arm(&stops[0], "table:moved");
		hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
		stop_wait(&stops[0]);
		stop_arm(&stops[1], "table:next");
		sleeper_begin(&s, sleeper_waits, low);
		stop_wait(&stops[1]);
		stop_go(&stops[0]);
		hand_end(&resizer);
		replace_begin(&r, times, false, false);
		stop_go(&stops[1]);
		replace_end(&r);
		hand_stop(&resizer);
		sleeper_await(&s);
		assert_int_equal(hazptr_futex_wake(low, INT_MAX), 1);
		assert_int_equal(sleeper_end(&s), 0);
		setup(NULL);
	}
}

/*
 * A sleeper that gives up while it is being moved: its bucket is one of the
 * next table, which is not in use yet.
 */
static void gives_up_in_the_next_table(void **state)
{
	static const char *const points[] = { "table:moved", "move:moved" };
	struct timespec past = { 0, 0 };
	struct sleeper s[2];
	struct hand resizer;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(points); i++) {
		memset(s, 0, sizeof(s));
		s[0].deadline = &past;
		hand_start(&resizer);
		stop_arm(&stops[1], "wait:queued");
		sleeper_begin(&s[0], sleeper_waits, low);
		stop_wait(&stops[1]);
		sleeper_start(&s[1], sleeper_waits, low);
		stop_arm(&stops[0], points[i]);
		hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
		stop_wait(&stops[0]);
		stop_go(&stops[1]);
		/* Its lock is the new one's only. */
		assert_int_equal(sleeper_end(&s[0]), -ETIMEDOUT);
		stop_go(&stops[0]);
		hand_end(&resizer);
		hand_stop(&resizer);
		assert_int_equal(hazptr_futex_wake(low, INT_MAX), 1);
		assert_int_equal(sleeper_end(&s[1]), 0);
		setup(NULL);
	}
}

/*
 * Operations that wait for the lock of a bucket whose waiters are being moved:
 * it was alive when they found it, and is dead when they have the lock.
 */
static void at_a_bucket_that_dies(const struct act *a)
{
	struct hand resizer, hand;
	struct sleeper s[3];
	int rest;

	sleepers_start(s, 3, sleeper_waits, low);
	hand_start(&resizer);
	hand_start(&hand);
	stop_arm(&stops[0], "move:moved");
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	stop_wait(&stops[0]);
	hand_begin(&hand, a->run, NULL);
	test_sleep_ms(2); /* now it waits; were it late, no harm is done */
	stop_go(&stops[0]);
	hand_end(&resizer);
	hand_end(&hand);
	hand_stop(&resizer);
	hand_stop(&hand);
	if (result != a->result)
		fail_msg("%s at a dying bucket: %d", a->name, result);
	rest = hazptr_futex_wake(low, INT_MAX) +
	       hazptr_futex_wake(low2, INT_MAX) +
	       hazptr_futex_wake(high, INT_MAX);
	sleepers_end(s, 3, 0);
	assert_in_range(rest, 0, 3);
	setup(NULL);
}

static void waits_at_a_bucket_that_dies(const struct waiting *w)
{
	struct sleeper s, late;
	struct hand resizer;

	memset(&s, 0, sizeof(s));
	memset(&late, 0, sizeof(late));
	sleeper_start(&s, sleeper_waits, low);
	hand_start(&resizer);
	stop_arm(&stops[0], "move:moved");
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	stop_wait(&stops[0]);
	sleeper_begin(&late, w->call, low);
	test_sleep_ms(2);
	assert_false(sleeper_is_queued(&late));
	stop_go(&stops[0]);
	hand_end(&resizer);
	hand_stop(&resizer);
	sleeper_await(&late);
	assert_int_equal(sleepers_wake(low), 2);
	assert_int_equal(sleeper_end(&s), 0);
	assert_int_equal(sleeper_end(&late), 0);
	setup(NULL);
}

static void while_its_bucket_dies(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(acts); i++)
		if (!acts[i].skips)
			at_a_bucket_that_dies(&acts[i]);
	waits_at_a_bucket_that_dies(&waits[0]);
	waits_at_a_bucket_that_dies(&waits[3]);
}

/* Who gives up waits for the old bucket's lock, and is moved meanwhile. */
static void gives_up_while_it_is_moved(void **state)
{
	struct timespec past = { 0, 0 };
	struct sleeper s[3];
	struct hand resizer;

	(void)state;
	memset(s, 0, sizeof(s));
	s[1].deadline = &past;
	sleeper_start(&s[0], sleeper_waits, low);
	stop_arm(&stops[1], "wait:queued");
	sleeper_begin(&s[1], sleeper_waits, low);
	stop_wait(&stops[1]);
	hand_start(&resizer);
	stop_arm(&stops[0], "move:moved"); /* the first one is moved */
	hand_begin(&resizer, does_resize, (void *)(uintptr_t)64);
	stop_wait(&stops[0]);
	stop_go(&stops[1]);
	test_sleep_ms(2);
	assert_int_equal(sleeper_order(&s[1]), 0);
	stop_go(&stops[0]);
	hand_end(&resizer);
	hand_stop(&resizer);
	assert_int_equal(sleeper_end(&s[1]), -ETIMEDOUT);
	/* The queue ends where it ended before. */
	sleeper_start(&s[2], sleeper_waits, low);
	assert_int_equal(wakes_any(low), 2);
	assert_int_equal(sleeper_end(&s[0]), 0);
	assert_int_equal(sleeper_end(&s[2]), 0);
}

#define BETWEEN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		BETWEEN(while_one_queues),
		BETWEEN(the_lost_waiter),
		BETWEEN(while_one_wakes),
		BETWEEN(while_one_gives_up),
		BETWEEN(while_it_is_replaced),
		BETWEEN(on_the_way_to_the_next_table),
		BETWEEN(waits_on_the_way),
		BETWEEN(gives_up_in_the_next_table),
		BETWEEN(while_its_bucket_dies),
		BETWEEN(gives_up_while_it_is_moved),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
