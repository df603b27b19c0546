/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_requeue.c - wake some, and let others wait elsewhere
 */
#include "sleepers.h"

static uint32_t from, to;

static void refused(void **state)
{
	uint32_t *odd = (uint32_t *)(void *)((char *)&from + 1);

	(void)state;
	assert_int_equal(hazptr_futex_requeue(NULL, 1, 1, &to), -EINVAL);
	assert_int_equal(hazptr_futex_requeue(&from, 1, 1, NULL), -EINVAL);
	assert_int_equal(hazptr_futex_requeue(odd, 1, 1, &to), -EINVAL);
	assert_int_equal(hazptr_futex_requeue(&from, 1, 1, odd), -EINVAL);
	assert_int_equal(hazptr_futex_requeue(&from, -1, 1, &to), -EINVAL);
	assert_int_equal(hazptr_futex_requeue(&from, 1, -1, &to), -EINVAL);
	assert_int_equal(hazptr_futex_cmp_requeue(NULL, 0, 1, 1, &to), -EINVAL);
	assert_int_equal(hazptr_futex_cmp_requeue(&from, 0, -1, 1, &to),
			 -EINVAL);
	assert_int_equal(hazptr_futex_cmp_requeue(&from, 0, 1, -1, &to),
			 -EINVAL);
	assert_int_equal(hazptr_futex_cmp_requeue(&from, 0, 1, 1, NULL),
			 -EINVAL);
}

static void nobody(void **state)
{
	(void)state;
	assert_int_equal(hazptr_futex_requeue(&from, 1, 1, &to), 0);
	assert_int_equal(hazptr_futex_cmp_requeue(&from, 0, 1, 1, &to), 0);
	assert_int_equal(hazptr_futex_cmp_requeue(&from, 1, 1, 1, &to),
			 -EAGAIN);
	/* No count is left behind for those who were expected. */
	assert_int_equal(hazptr_futex_wake(&to, 1), 0);
}

/* In which words, and by which of the two calls. */
struct pair {
	uint32_t *from;
	uint32_t *to;
	bool cmp;
};

static struct pair pair;

static int requeue(int nwake, int nrequeue)
{
	if (pair.cmp)
		return hazptr_futex_cmp_requeue(pair.from, 0, nwake, nrequeue,
						pair.to);
	return hazptr_futex_requeue(pair.from, nwake, nrequeue, pair.to);
}

static int wakes(uint32_t *word)
{
	return hazptr_futex_wake(word, INT_MAX);
}

#define N 8

static void woken_then_moved(void)
{
	struct sleeper s[N];
	size_t i;

	sleepers_start(s, N, sleeper_waits, pair.from);
	assert_int_equal(requeue(0, 0), 0);
	assert_int_equal(requeue(2, 3), 5);
	sleepers_end(s, 2, 0);
	/* Those who were moved come in their order, and for nobody else. */
	for (i = 2; i < 5; i++) {
		assert_int_equal(hazptr_futex_wake(pair.to, 1), 1);
		assert_int_equal(sleeper_end(&s[i]), 0);
	}
	assert_int_equal(wakes(pair.to), 0);
	assert_int_equal(requeue(1, 0), 1);
	sleepers_end(&s[5], 1, 0);
	assert_int_equal(requeue(0, 1), 1);
	assert_int_equal(wakes(pair.from), 1);
	sleepers_end(&s[7], 1, 0);
	assert_int_equal(wakes(pair.to), 1);
	sleepers_end(&s[6], 1, 0);
}

static void all_moved(void)
{
	struct sleeper s[N];

	sleepers_start(s, N, sleeper_waits, pair.from);
	assert_int_equal(requeue(1, INT_MAX), N);
	sleepers_end(s, 1, 0);
	assert_int_equal(wakes(pair.from), 0);
	assert_int_equal(sleepers_back(s, N), 1);
	assert_int_equal(wakes(pair.to), N - 1);
	sleepers_end(&s[1], N - 1, 0);
}

static void all_woken(void)
{
	struct sleeper s[N];

	sleepers_start(s, N, sleeper_waits, pair.from);
	assert_int_equal(requeue(INT_MAX, INT_MAX), N);
	sleepers_end(s, N, 0);
	assert_int_equal(wakes(pair.to), 0);
}

/* Behind who waits there. */
static void at_the_end(void)
{
	struct sleeper s[4];
	size_t i;

	memset(s, 0, sizeof(s));
	sleeper_start(&s[2], sleeper_waits, pair.from);
	sleeper_start(&s[3], sleeper_waits, pair.from);
	sleeper_start(&s[0], sleeper_waits, pair.to);
	sleeper_start(&s[1], sleeper_waits, pair.to);
	assert_int_equal(requeue(0, INT_MAX), 2);
	for (i = 0; i < 4; i++) {
		assert_int_equal(hazptr_futex_wake(pair.to, 1), 1);
		assert_int_equal(sleeper_end(&s[i]), 0);
	}
}

/* There and back. */
static void moved_twice(void)
{
	struct sleeper s[3];

	sleepers_start(s, 3, sleeper_waits, pair.from);
	assert_int_equal(requeue(0, 2), 2);
	assert_int_equal(hazptr_futex_requeue(pair.to, 0, 1, pair.from), 1);
	assert_int_equal(hazptr_futex_wake(pair.from, 1), 1);
	sleepers_end(&s[2], 1, 0);
	assert_int_equal(wakes(pair.to), 1);
	sleepers_end(&s[1], 1, 0);
	assert_int_equal(wakes(pair.from), 1);
	sleepers_end(&s[0], 1, 0);
}

static void a_moved_one_times_out(void)
{
	struct timespec t = test_time_after_ms(30);
	struct sleeper s[2];

	memset(s, 0, sizeof(s));
	s[0].deadline = &t;
	sleeper_start(&s[0], sleeper_waits, pair.from);
	sleeper_start(&s[1], sleeper_waits, pair.from);
	assert_in_range(requeue(0, INT_MAX), 1, 2); /* 1: too late */
	assert_int_equal(sleeper_end(&s[0]), -ETIMEDOUT);
	assert_int_equal(wakes(pair.to), 1);
	sleepers_end(&s[1], 1, 0);
	assert_int_equal(wakes(pair.from), 0);
}

/* The bits that a sleeper has stay its own. */
static void bits_stay(void)
{
	struct sleeper s[2];

	memset(s, 0, sizeof(s));
	s[0].bitset = 1;
	s[1].bitset = 2;
	sleeper_start(&s[0], sleeper_waits, pair.from);
	sleeper_start(&s[1], sleeper_waits, pair.from);
	assert_int_equal(requeue(0, INT_MAX), 2);
	assert_int_equal(hazptr_futex_wake_bitset(pair.to, INT_MAX, 2), 1);
	sleepers_end(&s[1], 1, 0);
	assert_int_equal(hazptr_futex_wake_bitset(pair.to, INT_MAX, 1), 1);
	sleepers_end(&s[0], 1, 0);
}

static void play(void (*scene)(void))
{
	uint32_t *words[][2] = {
		{ word_in(2, 16, 0), word_in(9, 16, 0) },
		{ word_in(9, 16, 1), word_in(2, 16, 1) }, /* downwards */
		{ word_in(4, 16, 0), word_in(4, 16, 1) }, /* one bucket */
	};
	size_t i;

	for (i = 0; i < 2 * TEST_COUNT(words); i++) {
		pair.from = words[i / 2][0];
		pair.to = words[i / 2][1];
		pair.cmp = i % 2;
		scene();
	}
}

static void woken_then_moved_everywhere(void **state)
{
	(void)state;
	play(woken_then_moved);
}

static void all_moved_everywhere(void **state)
{
	(void)state;
	play(all_moved);
	play(all_woken);
}

static void order_everywhere(void **state)
{
	(void)state;
	play(at_the_end);
	play(moved_twice);
	play(bits_stay);
}

static void time_outs_everywhere(void **state)
{
	(void)state;
	play(a_moved_one_times_out);
}

/* To the word where they are: they count, and stay in their order. */
static void the_same_word(void **state)
{
	struct sleeper s[5];
	size_t i;

	(void)state;
	sleepers_start(s, 5, sleeper_waits, &from);
	assert_int_equal(hazptr_futex_requeue(&from, 1, 2, &from), 3);
	sleepers_end(s, 1, 0);
	assert_int_equal(hazptr_futex_requeue(&from, 0, INT_MAX, &from), 4);
	for (i = 1; i < 5; i++) {
		assert_int_equal(hazptr_futex_wake(&from, 1), 1);
		assert_int_equal(sleeper_end(&s[i]), 0);
	}
	assert_int_equal(hazptr_futex_wake(&from, 1), 0);
}

static void another_value(void **state)
{
	struct sleeper s[3];

	(void)state;
	from = 0;
	sleepers_start(s, 3, sleeper_waits, &from);
	__atomic_store_n(&from, 5, __ATOMIC_SEQ_CST);
	assert_int_equal(hazptr_futex_cmp_requeue(&from, 0, 1, INT_MAX, &to),
			 -EAGAIN);
	assert_int_equal(hazptr_futex_wake(&to, INT_MAX), 0);
	assert_int_equal(sleepers_back(s, 3), 0);
	assert_int_equal(hazptr_futex_cmp_requeue(&from, 5, 1, 1, &to), 2);
	sleepers_end(s, 1, 0);
	assert_int_equal(hazptr_futex_wake(&to, INT_MAX), 1);
	assert_int_equal(hazptr_futex_wake(&from, INT_MAX), 1);
	sleepers_end(&s[1], 2, 0);
	from = 0;
}

/* The second word's value is nobody's business. */
static void the_second_words_value(void **state)
{
	struct sleeper s;

	(void)state;
	to = 12345;
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, &from);
	assert_int_equal(hazptr_futex_requeue(&from, 0, 1, &to), 1);
	assert_int_equal(hazptr_futex_wake(&to, 1), 1);
	sleepers_end(&s, 1, 0);
	to = 0;
}

/* A moved one is woken after its old word is gone. */
static void the_old_word_is_gone(void **state)
{
	uint32_t *page = (uint32_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sleeper s[2];

	(void)state;
	assert_true(page != MAP_FAILED);
	sleepers_start(s, 2, sleeper_waits, page);
	assert_int_equal(hazptr_futex_requeue(page, 1, 1, &to), 2);
	sleepers_end(s, 1, 0);
	assert_int_equal(munmap(page, 4096), 0);
	assert_int_equal(hazptr_futex_wake(&to, 1), 1);
	sleepers_end(&s[1], 1, 0);
}

/* Two that move in opposite directions lock the buckets in one order. */

struct mover {
	uint32_t *from;
	uint32_t *to;
	int stop;
};

static void *moves(void *arg)
{
	struct mover *m = (struct mover *)arg;
	int moved = 0;

	while (!__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE))
		moved += hazptr_futex_requeue(m->from, 0, 3, m->to);
	must(moved >= 0);
	return NULL;
}

static void to_and_fro(void **state)
{
	uint32_t *a = word_in(1, 16, 0), *b = word_in(14, 16, 0);
	struct mover m[2] = { { a, b, 0 }, { b, a, 0 } };
	struct sleeper s[6];
	pthread_t t[2];
	int woken = 0, i;

	(void)state;
	sleepers_start(s, 6, sleeper_waits, a);
	for (i = 0; i < 2; i++)
		t[i] = test_start(moves, &m[i]);
	for (i = 0; i < 20; i++) {
		must(!hazptr_futex_hash_resize(i % 2 ? 16 : 64));
		test_sleep_ms(1);
	}
	for (i = 0; i < 2; i++)
		__atomic_store_n(&m[i].stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		test_join(t[i]);
	assert_int_equal(sleepers_back(s, 6), 0);
	woken = hazptr_futex_wake(a, INT_MAX) + hazptr_futex_wake(b, INT_MAX);
	assert_int_equal(woken, 6);
	sleepers_end(s, 6, 0);
}

/*
 * Both words in one bucket, and one sleeper: while it is in neither queue, the
 * word is changed and the second one woken. Who moves it had not seen that, so
 * who wakes must not believe that nobody is there.
 */
static struct hand waker;
static struct pair now_moving;
static __thread bool is_mover;
static int between, woken;

static void changes_and_wakes(void *arg)
{
	(void)arg;
	__atomic_store_n(now_moving.from, 1, __ATOMIC_RELEASE);
	woken = hazptr_futex_wake(now_moving.to, 1);
}

static void wakes_between(const char *point)
{
	int i;

	if (!is_mover || strcmp(point, "requeue:removed") != 0)
		return;
	is_mover = false;
	between = 1;
	hand_begin(&waker, changes_and_wakes, NULL);
	for (i = 0; i < 20 && between == 1; i++) {
		between += !sem_trywait(&waker.end);
		test_sleep_ms(1); /* it may have to wait for the bucket */
	}
}

static void woken_between_two_queues(void **state)
{
	struct sleeper s;

	(void)state;
	now_moving.from = word_in(4, 16, 0);
	now_moving.to = word_in(4, 16, 1);
	between = woken = 0;
	is_mover = true;
	hand_start(&waker);
	memset(&s, 0, sizeof(s));
	sleeper_start(&s, sleeper_waits, now_moving.from);
	sleepers_at_points(wakes_between);
	assert_int_equal(hazptr_futex_cmp_requeue(now_moving.from, 0, 0, 1,
						  now_moving.to),
			 1);
	sleepers_at_points(NULL);
	if (between == 1)
		hand_end(&waker);
	hand_stop(&waker);
	is_mover = false;
	if (!between)
		print_message("no such point of the library\n");
	assert_int_equal(woken, between != 0);
	assert_int_equal(hazptr_futex_wake(now_moving.to, 1), !between);
	assert_int_equal(sleeper_end(&s), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(nobody),
		cmocka_unit_test_setup(woken_then_moved_everywhere,
				       sleepers_setup),
		cmocka_unit_test_setup(all_moved_everywhere, sleepers_setup),
		cmocka_unit_test_setup(order_everywhere, sleepers_setup),
		cmocka_unit_test_setup(time_outs_everywhere, sleepers_setup),
		cmocka_unit_test(the_same_word),
		cmocka_unit_test(another_value),
		cmocka_unit_test(the_second_words_value),
		cmocka_unit_test(the_old_word_is_gone),
		cmocka_unit_test_setup(to_and_fro, sleepers_setup),
		cmocka_unit_test_setup(woken_between_two_queues,
				       sleepers_setup),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
