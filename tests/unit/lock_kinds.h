/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/lock_kinds.h - tests that all kinds of locks pass
 *
 * Deadlines, waiting, exclusion, freed memory, fork: see struct kind in
 * locks.h. A program lists them by LOCK_TESTS(kind).
 */
#ifndef HAZPTR_TESTS_UNIT_LOCK_KINDS_H
#define HAZPTR_TESTS_UNIT_LOCK_KINDS_H

#include "locks.h"

/* Deadlines */

static void a_free_one_is_entered_whatever_the_deadline(void **state)
{
	const struct kind *k = kind_of(state);
	struct timespec past = time_of(0, 1), later = test_time_after_ms(20);
	union any_lock lock;

	k->init(&lock);
	assert_true(k->is_free(&lock));
	assert_int_equal(k->enter_until(&lock, NULL), 0);
	assert_true(k->is_held(&lock));
	k->leave(&lock);
	assert_int_equal(k->enter_until(&lock, &past), 0);
	k->leave(&lock);
	assert_int_equal(k->enter_until(&lock, &later), 0);
	k->leave(&lock);
	assert_true(k->try_enter(&lock));
	assert_true(k->is_held(&lock));
	k->leave(&lock);
	assert_true(k->is_free(&lock));
}

static void a_wait_ends_at_its_deadline(void **state)
{
	const struct kind *k = kind_of(state);
	struct timespec t[6];
	union any_lock lock;
	struct user holder;
	size_t i;

	t[0] = time_of(0, 0);
	t[1] = time_of(0, 999999999);
	t[2] = time_of(-1, 0);
	t[3] = time_of(-1, 999999999);
	t[4] = test_time_after_ms(0);
	t[5] = test_time_after_ms(20);
	k->init(&lock);
	user_start(&holder, k, &lock);
	hand_do(&holder.hand, user_holds, &holder);
	for (i = 0; i < TEST_COUNT(t); i++) {
		assert_false(k->try_enter(&lock));
		assert_int_equal(k->enter_until(&lock, &t[i]), -ETIMEDOUT);
		assert_true(test_time_reached(&t[i]));
		assert_true(k->is_held(&lock)); /* and nothing is left */
	}
	user_ends(&holder);
	user_stop(&holder);
	assert_true(k->is_free(&lock));
}

static void what_is_no_time_is_refused(void **state)
{
	const struct kind *k = kind_of(state);
	union any_lock lock;
	struct user holder;
	size_t i;

	k->init(&lock);
	user_start(&holder, k, &lock);
	hand_do(&holder.hand, user_holds, &holder);
	for (i = 0; bad_times(i); i++)
		assert_int_equal(k->enter_until(&lock, bad_times(i)), -EINVAL);
	assert_false(k->try_enter(&lock));
	user_ends(&holder);
	user_stop(&holder);
	assert_true(k->is_free(&lock));
}

/* Waiting */

static void who_waits_comes_in_when_it_is_left(void **state)
{
	const struct kind *k = kind_of(state);
	struct timespec in_an_hour = test_time_after_ms(3600000);
	union any_lock lock;
	struct user u;
	int i;

	k->init(&lock);
	user_start(&u, k, &lock);
	for (i = 0; i < 20; i++) {
		k->hold(&lock);
		user_waits(&u, i % 2 ? &in_an_hour : NULL);
		assert_false(flag_is_set(&u.is_in));
		k->leave(&lock);
		assert_int_equal(user_result(&u), 0);
		assert_true(k->is_held(&lock));
		user_ends(&u);
		assert_true(k->is_free(&lock));
	}
	user_stop(&u);
}

static void who_gives_up_leaves_the_others(void **state)
{
	const struct kind *k = kind_of(state);
	struct timespec soon;
	struct user first, second;
	union any_lock lock;
	int i;

	k->init(&lock);
	user_start(&first, k, &lock);
	user_start(&second, k, &lock);
	for (i = 0; i < 10; i++) {
		k->hold(&lock);
		soon = test_time_after_ms(i);
		user_waits(i % 2 ? &first : &second, &soon);
		user_waits(i % 2 ? &second : &first, NULL);
		assert_int_equal(user_result(i % 2 ? &first : &second),
				 -ETIMEDOUT);
		k->leave(&lock);
		assert_int_equal(user_result(i % 2 ? &second : &first), 0);
		assert_true(k->is_held(&lock));
		user_ends(i % 2 ? &second : &first);
		assert_true(k->is_free(&lock));
	}
	user_stop(&first);
	user_stop(&second);
}

/* At its deadline, but before it has left the queue, it is woken. */
static void who_is_woken_at_its_deadline_has_it(void **state)
{
	const struct kind *k = kind_of(state);
	struct timespec soon = test_time_after_ms(5);
	union any_lock lock;
	struct user u;

	k->init(&lock);
	user_start(&u, k, &lock);
	k->hold(&lock);
	stop_arm(&stops[0], "unqueue:guarded");
	user_waits(&u, &soon);
	stop_wait(&stops[0]);
	k->leave(&lock);
	stop_go(&stops[0]);
	assert_int_equal(user_result(&u), 0);
	assert_true(k->is_held(&lock));
	user_ends(&u);
	assert_true(k->is_free(&lock));
	user_stop(&u);
}

/* It is left after it was seen taken, and before anybody is in the queue. */
static void who_is_late_to_the_queue_comes_in(void **state)
{
	const struct kind *k = kind_of(state);
	union any_lock lock;
	struct user u;

	k->init(&lock);
	user_start(&u, k, &lock);
	k->hold(&lock);
	stop_arm(&stops[0], "table:found");
	hand_begin(&u.hand, user_enters, &u);
	stop_wait(&stops[0]);
	k->leave(&lock);
	stop_go(&stops[0]);
	assert_int_equal(user_result(&u), 0);
	assert_true(k->is_held(&lock));
	user_ends(&u);
	user_stop(&u);
	assert_true(k->is_free(&lock));
}

static void signals_do_not_end_a_wait(void **state)
{
	const struct kind *k = kind_of(state);
	union any_lock lock;
	struct user u;
	int i;

	handle(SIGUSR1, handler_that_does_nothing);
	k->init(&lock);
	k->hold(&lock);
	user_start(&u, k, &lock);
	user_waits(&u, NULL);
	for (i = 0; i < 10; i++) {
		must(!pthread_kill(u.hand.thread, SIGUSR1));
		test_sleep_ms(1);
	}
	assert_false(flag_is_set(&u.is_in));
	k->leave(&lock);
	assert_int_equal(user_result(&u), 0);
	user_ends(&u);
	user_stop(&u);
}

static void who_waits_is_moved_to_other_tables(void **state)
{
	static const unsigned sizes[] = { 1, 1024, 2, 64 };
	const struct kind *k = kind_of(state);
	struct user users[4];
	union any_lock lock;
	size_t i;

	k->init(&lock);
	k->hold(&lock);
	for (i = 0; i < TEST_COUNT(users); i++) {
		user_start(&users[i], k, &lock);
		user_waits(&users[i], NULL);
		assert_int_equal(hazptr_futex_hash_resize(sizes[i]), 0);
	}
	k->leave(&lock);
	for (i = 0; i < TEST_COUNT(users); i++) {
		assert_int_equal(user_result(&users[i]), 0);
		user_ends(&users[i]);
	}
	assert_true(k->is_free(&lock));
	for (i = 0; i < TEST_COUNT(users); i++)
		user_stop(&users[i]);
	assert_int_equal(hazptr_futex_hash_resize(0), 0);
}

/* Exclusion */

#define THREADS 6
#define ROUNDS TEST_MANY(4000)

struct crossing {
	const struct kind *kind;
	union any_lock lock;
	long plain; /* changed by who holds it */
	long times; /* how often somebody did */
	int turn;
};

static bool cross_by(struct crossing *c, unsigned *seed)
{
	struct timespec t;

	switch (test_random(seed) % 8) {
	case 0:
		return c->kind->try_enter(&c->lock);
	case 1:
	case 2:
		t = test_time_after_ms(test_random(seed) % 2);
		return !c->kind->enter_until(&c->lock, &t);
	default:
		c->kind->enter_until(&c->lock, NULL);
		return true;
	}
}

static void *crosses(void *arg)
{
	struct crossing *c = (struct crossing *)arg;
	unsigned seed =
		(unsigned)__atomic_add_fetch(&c->turn, 1, __ATOMIC_RELAXED);
	long i, seen, times = 0;

	for (i = 0; i < ROUNDS; i++) {
		if (!cross_by(c, &seed))
			continue;
		seen = c->plain;
		if (test_random(&seed) % 64 == 0)
			sched_yield();
		if (!c->kind->is_shared)
			c->plain = seen + 1;
		c->kind->leave(&c->lock);
		times++;
	}
	__atomic_fetch_add(&c->times, times, __ATOMIC_RELAXED);
	return NULL;
}

static void cross(struct crossing *c)
{
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		threads[i] = test_start(crosses, c);
	for (i = 0; i < THREADS; i++)
		test_join(threads[i]);
	assert_true(c->kind->is_free(&c->lock));
	if (!c->kind->is_shared)
		assert_int_equal(c->plain, c->times);
}

static void one_at_a_time(void **state)
{
	struct crossing c;

	memset(&c, 0, sizeof(c));
	c.kind = kind_of(state);
	c.kind->init(&c.lock);
	cross(&c);
}

static void one_at_a_time_while_tables_change(void **state)
{
	struct crossing c;
	struct mover m;

	memset(&c, 0, sizeof(c));
	c.kind = kind_of(state);
	c.kind->init(&c.lock);
	mover_start(&m);
	cross(&c);
	mover_stop(&m);
}

/* Freed memory: a page that nobody may touch any more. */

static void *page_new(size_t n)
{
	void *page = mmap(NULL, n * (size_t)sysconf(_SC_PAGESIZE),
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	must(page != MAP_FAILED);
	return page;
}

static void page_close(void *page)
{
	must(!mprotect(page, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE));
}

static void page_free(void *page, size_t n)
{
	must(!munmap(page, n * (size_t)sysconf(_SC_PAGESIZE)));
}

/*
 * Who leaves has said so, and stands in front of the system call that wakes
 * the next one; who comes in at its deadline, and is the last.
 */
static void who_left_does_not_look_at_it(void **state)
{
	const struct kind *k = kind_of(state);
	struct user leaves, follows;
	struct timespec soon;
	void *lock;

	if (is_valgrind())
		skip(); /* it minds the address of a word that is gone */
	lock = page_new(1);
	k->init(lock);
	user_start(&leaves, k, lock);
	user_start(&follows, k, lock);
	hand_do(&leaves.hand, user_holds, &leaves);
	soon = test_time_after_ms(20);
	user_waits(&follows, &soon);
	stop_arm(&stops[0], "wake:released");
	hand_begin(&leaves.hand, user_leaves, &leaves);
	stop_wait(&stops[0]);
	assert_int_equal(user_result(&follows), 0);
	user_ends(&follows);
	page_close(lock);
	stop_go(&stops[0]);
	hand_end(&leaves.hand);
	user_stop(&leaves);
	user_stop(&follows);
	page_free(lock, 1);
}

#define LIVES TEST_MANY(2000)
#define LAST_USERS 4

struct life {
	union any_lock lock;
	int users;
};

struct lives {
	const struct kind *kind;
	char *pages;
	size_t size; /* of a page */
};

/* Whoever is the last to say that it is done takes the memory away. */
static void *lives_through(void *arg)
{
	struct lives *all = (struct lives *)arg;
	const struct kind *k = all->kind;
	struct life *one;
	bool is_last;
	int i;

	for (i = 0; i < LIVES; i++) {
		one = (struct life *)(void *)(all->pages +
					      (size_t)i * all->size);
		k->enter_until(&one->lock, NULL);
		k->leave(&one->lock);
		k->hold(&one->lock);
		is_last = --one->users == 0;
		if (i % 8 == 0)
			sched_yield();
		k->leave(&one->lock);
		if (is_last)
			page_close(one);
	}
	return NULL;
}

static void the_last_one_may_free_it(void **state)
{
	pthread_t threads[LAST_USERS];
	struct lives all;
	struct life *one;
	int i;

	all.kind = kind_of(state);
	all.size = (size_t)sysconf(_SC_PAGESIZE);
	all.pages = (char *)page_new(LIVES);
	for (i = 0; i < LIVES; i++) {
		one = (struct life *)(void *)(all.pages + (size_t)i * all.size);
		one->users = LAST_USERS;
		all.kind->init(&one->lock);
	}
	for (i = 0; i < LAST_USERS; i++)
		threads[i] = test_start(lives_through, &all);
	for (i = 0; i < LAST_USERS; i++)
		test_join(threads[i]);
	page_free(all.pages, LIVES);
}

/* Fork: the child leaves what the thread that forked had entered. */

static bool leaves_and_comes_again(void *arg)
{
	struct user *u = (struct user *)arg;
	const struct kind *k = u->kind;
	struct timespec past = time_of(0, 0);

	k->leave(u->lock);
	if (k->enter_until(u->lock, &past))
		return false;
	k->leave(u->lock);
	k->hold(u->lock);
	if (k->try_enter(u->lock))
		return false;
	k->leave(u->lock);
	return k->try_enter(u->lock);
}

static void a_child_leaves_what_its_parent_held(void **state)
{
	const struct kind *k = kind_of(state);
	union any_lock lock;
	struct user u;

	k->init(&lock);
	user_start(&u, k, &lock);
	k->hold(&lock);
	assert_true(fine_in_a_child(leaves_and_comes_again, &u));
	user_waits(&u, NULL);
	test_sleep_ms(3); /* it would be handed over, were it there */
	assert_true(fine_in_a_child(leaves_and_comes_again, &u));
	assert_false(flag_is_set(&u.is_in));
	k->leave(&lock);
	assert_int_equal(user_result(&u), 0);
	user_ends(&u);
	user_stop(&u);
	assert_true(k->is_free(&lock));
}

#define OF_KIND(f, kind)                                    \
	{                                                   \
#f ", " #kind, f, NULL, NULL, (void *)&kind \
	}

#define LOCK_TESTS(kind)                                            \
	OF_KIND(a_free_one_is_entered_whatever_the_deadline, kind), \
		OF_KIND(a_wait_ends_at_its_deadline, kind),         \
		OF_KIND(what_is_no_time_is_refused, kind),          \
		OF_KIND(who_waits_comes_in_when_it_is_left, kind),  \
		OF_KIND(who_gives_up_leaves_the_others, kind),      \
		OF_KIND(who_is_woken_at_its_deadline_has_it, kind), \
		OF_KIND(who_is_late_to_the_queue_comes_in, kind),   \
		OF_KIND(signals_do_not_end_a_wait, kind),           \
		OF_KIND(who_waits_is_moved_to_other_tables, kind),  \
		OF_KIND(one_at_a_time, kind),                       \
		OF_KIND(one_at_a_time_while_tables_change, kind),   \
		OF_KIND(who_left_does_not_look_at_it, kind),        \
		OF_KIND(the_last_one_may_free_it, kind),            \
		OF_KIND(a_child_leaves_what_its_parent_held, kind)

#endif /* HAZPTR_TESTS_UNIT_LOCK_KINDS_H */
