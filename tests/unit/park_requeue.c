/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/park_requeue.c - unpark some, and let others wait elsewhere
 */
#include "sleepers.h"

static char from, to;

/* What choose and decide are told and say. */
struct plan {
	struct hazptr_requeue n;
	bool refuse;
	int token;
	int chosen;
	int decided;
	struct hazptr_unparked told;
};

static bool chooses(void *arg, struct hazptr_requeue *n)
{
	struct plan *p = (struct plan *)arg;

	must(!p->decided);
	p->chosen++;
	*n = p->n;
	return !p->refuse;
}

static int decides(void *arg, const struct hazptr_unparked *what)
{
	struct plan *p = (struct plan *)arg;

	must(p->chosen == 1);
	p->decided++;
	p->told = *what;
	return p->token;
}

static int unpark(struct plan *p, const void *at, const void *at2, int wake,
		  int requeue, int token)
{
	memset(p, 0, sizeof(*p));
	p->n.wake = wake;
	p->n.requeue = requeue;
	p->token = token;
	return hazptr_unpark_requeue(at, at2, chooses, decides, p);
}

#define assert_told(p, unparked_, requeued_, more_)              \
	do {                                                     \
		assert_int_equal((p)->chosen, 1);                \
		assert_int_equal((p)->decided, 1);               \
		assert_int_equal((p)->told.unparked, unparked_); \
		assert_int_equal((p)->told.requeued, requeued_); \
		assert_int_equal((p)->told.have_more, more_);    \
	} while (0)

static void refused(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(unpark(&p, NULL, &to, 1, 1, 0), -EINVAL);
	assert_int_equal(unpark(&p, &from, NULL, 1, 1, 0), -EINVAL);
	assert_int_equal(unpark(&p, &from, &from, 1, 1, 0), -EINVAL);
	assert_int_equal(p.chosen, 0);
	assert_int_equal(p.decided, 0);
}

/* Nothing is done, and decide is not asked. */
static void choose_says_no(void **state)
{
	struct sleeper s[3];
	struct plan p;

	(void)state;
	sleepers_start(s, 3, sleeper_parks, &from);
	memset(&p, 0, sizeof(p));
	p.n.wake = p.n.requeue = 3;
	p.refuse = true;
	assert_int_equal(hazptr_unpark_requeue(&from, &to, chooses, decides,
					       &p),
			 -EAGAIN);
	assert_int_equal(p.chosen, 1);
	assert_int_equal(p.decided, 0);
	assert_int_equal(hazptr_unpark_all(&to, 0), 0);
	assert_int_equal(hazptr_unpark_all(&from, 1), 3);
	sleepers_end(s, 3, 1);
}

static void nobody(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(unpark(&p, &from, &to, 1, INT_MAX, 0), 0);
	assert_told(&p, 0, 0, false);
	assert_false(p.told.be_fair);
}

static void woken_then_moved(const void *at, const void *at2)
{
	struct sleeper s[8];
	struct plan p;
	size_t i;

	sleepers_start(s, 8, sleeper_parks, at);
	assert_int_equal(unpark(&p, at, at2, 0, 0, 3), 0);
	assert_told(&p, 0, 0, true);
	assert_int_equal(unpark(&p, at, at2, 2, 3, 5), 5);
	assert_told(&p, 2, 3, true);
	sleepers_end(s, 2, 5);
	/* In their order, with the token of who wakes them. */
	for (i = 2; i < 5; i++) {
		assert_int_equal(hazptr_unpark_one(at2, NULL, NULL), 1);
		assert_int_equal(sleeper_end(&s[i]), 0);
	}
	assert_int_equal(unpark(&p, at, at2, 1, INT_MAX, 8), 3);
	assert_told(&p, 1, 2, false);
	sleepers_end(&s[5], 1, 8);
	assert_int_equal(hazptr_unpark_all(at, 0), 0);
	assert_int_equal(hazptr_unpark_all(at2, 6), 2);
	sleepers_end(&s[6], 2, 6);
}

static void woken_then_moved_everywhere(void **state)
{
	(void)state;
	woken_then_moved(word_in(2, 16, 0), word_in(12, 16, 0));
	woken_then_moved(word_in(12, 16, 0), word_in(2, 16, 0));
	woken_then_moved(word_in(8, 16, 0), word_in(8, 16, 1));
}

static void all_woken(void **state)
{
	struct sleeper s[4];
	struct plan p;

	(void)state;
	sleepers_start(s, 4, sleeper_parks, &from);
	assert_int_equal(unpark(&p, &from, &to, INT_MAX, INT_MAX, 2), 4);
	assert_told(&p, 4, 0, false);
	sleepers_end(s, 4, 2);
}

/* Without decide the token is 0. */
static void no_decision(void **state)
{
	struct sleeper s[2];
	struct plan p;

	(void)state;
	sleepers_start(s, 2, sleeper_parks, &from);
	memset(&p, 0, sizeof(p));
	p.n.wake = p.n.requeue = 1;
	assert_int_equal(hazptr_unpark_requeue(&from, &to, chooses, NULL, &p),
			 2);
	sleepers_end(s, 1, 0);
	assert_int_equal(hazptr_unpark_all(&to, 3), 1);
	sleepers_end(&s[1], 1, 3);
}

/* Behind who waits there; and those are not what have_more is about. */
static void at_the_end(void **state)
{
	struct sleeper s[4];
	struct plan p;
	size_t i;

	(void)state;
	memset(s, 0, sizeof(s));
	sleeper_start(&s[2], sleeper_parks, &from);
	sleeper_start(&s[3], sleeper_parks, &from);
	sleeper_start(&s[0], sleeper_parks, &to);
	sleeper_start(&s[1], sleeper_parks, &to);
	assert_int_equal(unpark(&p, &from, &to, 0, INT_MAX, 0), 2);
	assert_told(&p, 0, 2, false);
	for (i = 0; i < 4; i++) {
		assert_int_equal(hazptr_unpark_one(&to, NULL, NULL), 1);
		assert_int_equal(sleeper_end(&s[i]), 0);
	}
}

static void fair_after_a_millisecond(void **state)
{
	struct sleeper s[2];
	struct plan p;

	(void)state;
	sleepers_start(s, 2, sleeper_parks, &from);
	test_sleep_ms(3);
	assert_int_equal(unpark(&p, &from, &to, 0, 1, 0), 1);
	assert_false(p.told.be_fair); /* nobody is woken */
	assert_int_equal(unpark(&p, &from, &to, 1, 0, 0), 1);
	assert_true(p.told.be_fair);
	sleepers_end(&s[1], 1, 0);
	/* The time at the other key counts from the move on. */
	test_sleep_ms(3);
	assert_int_equal(unpark(&p, &to, &from, 1, 0, 0), 1);
	assert_true(p.told.be_fair);
	sleepers_end(&s[0], 1, 0);
}

/* Moved just now: whoever has waited at this key for a moment is not late. */
static void not_fair_after_a_move(void **state)
{
	struct timespec begin, end;
	bool unfair = false;
	struct sleeper s;
	struct plan p;
	long ns;
	int i;

	(void)state;
	for (i = 0; i < 50 && !unfair; i++) {
		memset(&s, 0, sizeof(s));
		sleeper_start(&s, sleeper_parks, &from);
		test_sleep_ms(2);
		begin = test_time_after_ms(0);
		assert_int_equal(unpark(&p, &from, &to, 0, 1, 0), 1);
		assert_int_equal(unpark(&p, &to, &from, 1, 0, 0), 1);
		end = test_time_after_ms(0);
		unfair = !p.told.be_fair;
		sleepers_end(&s, 1, 0);
		ns = (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec -
		     begin.tv_nsec;
		if (ns < 1000000)
			assert_true(unfair);
	}
}

/* A time-out after the move */

struct late {
	int calls;
	const void *key;
	bool was_last;
};

static void is_late(void *arg, const void *key, bool was_last)
{
	struct late *l = (struct late *)arg;

	l->calls++;
	l->key = key;
	l->was_last = was_last;
}

static int parks_late(struct sleeper *s)
{
	return hazptr_park(s->at, NULL, NULL, is_late, s->arg, s->deadline);
}

/* The sleeper is held before it sees how late it is. */
static void late_after_a_move(bool beside_another, bool replace)
{
	struct timespec past = { 0, 0 };
	struct sleeper s, other;
	struct late late;
	struct plan p;

	memset(&late, 0, sizeof(late));
	memset(&s, 0, sizeof(s));
	memset(&other, 0, sizeof(other));
	s.deadline = &past;
	s.arg = &late;
	stop_arm(&stops[0], "park:queued");
	sleeper_begin(&s, parks_late, &from);
	stop_wait(&stops[0]);
	if (beside_another)
		sleeper_start(&other, sleeper_parks, &to);
	assert_int_equal(unpark(&p, &from, &to, 0, 1, 0), 1);
	if (replace)
		assert_int_equal(hazptr_futex_hash_resize(128), 0);
	stop_go(&stops[0]);
	assert_int_equal(sleeper_end(&s), -ETIMEDOUT);
	assert_int_equal(late.calls, 1);
	assert_ptr_equal(late.key, &to);
	assert_int_equal(late.was_last, !beside_another);
	assert_int_equal(hazptr_unpark_all(&from, 0), 0);
	assert_int_equal(hazptr_unpark_all(&to, 0), beside_another);
	if (beside_another)
		sleepers_end(&other, 1, 0);
	assert_int_equal(hazptr_futex_hash_resize(16), 0);
}

static void late_after_moves(void **state)
{
	(void)state;
	late_after_a_move(false, false);
	late_after_a_move(true, false);
	late_after_a_move(false, true);
	late_after_a_move(true, true);
}

/*
 * It has found its bucket, and is moved to another one before it has the lock:
 * it looks again.
 */
static void moved_while_it_gives_up(void **state)
{
	struct timespec past = { 0, 0 };
	struct sleeper s;
	struct late late;
	struct plan p;

	(void)state;
	memset(&late, 0, sizeof(late));
	memset(&s, 0, sizeof(s));
	s.deadline = &past;
	s.arg = &late;
	stop_arm(&stops[0], "unqueue:guarded");
	sleeper_begin(&s, parks_late, word_in(1, 16, 0));
	stop_wait(&stops[0]);
	assert_int_equal(
		unpark(&p, word_in(1, 16, 0), word_in(13, 16, 0), 0, 1, 0), 1);
	stop_go(&stops[0]);
	assert_int_equal(sleeper_end(&s), -ETIMEDOUT);
	assert_ptr_equal(late.key, word_in(13, 16, 0));
	assert_true(late.was_last);
	assert_int_equal(hazptr_unpark_all(word_in(13, 16, 0), 0), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(choose_says_no),
		cmocka_unit_test(nobody),
		cmocka_unit_test_setup(woken_then_moved_everywhere,
				       sleepers_setup),
		cmocka_unit_test(all_woken),
		cmocka_unit_test(no_decision),
		cmocka_unit_test(at_the_end),
		cmocka_unit_test(fair_after_a_millisecond),
		cmocka_unit_test(not_fair_after_a_move),
		cmocka_unit_test_setup(late_after_moves, sleepers_setup),
		cmocka_unit_test_setup(moved_while_it_gives_up, sleepers_setup),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
