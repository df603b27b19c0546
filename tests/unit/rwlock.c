/* SPDX-License-Identifier: MIT */
/* tests/unit/rwlock.c - hazptr/rwlock.h: readers, writers, and who is next */
#include "lock_kinds.h"

#define WRITER 1u
#define PARKED 2u
#define READER 4u

static struct hazptr_rwlock *rwlock_of(void *lock)
{
	return (struct hazptr_rwlock *)lock;
}

static uint32_t word_of(const void *lock)
{
	return __atomic_load_n(&((const struct hazptr_rwlock *)lock)->word,
			       __ATOMIC_RELAXED);
}

static void rwlock_init(void *lock)
{
	memset(lock, 0, sizeof(struct hazptr_rwlock));
}

static void rwlock_hold(void *lock)
{
	hazptr_rwlock_wrlock(rwlock_of(lock));
}

static int rwlock_read_until(void *lock, const struct timespec *deadline)
{
	if (deadline)
		return hazptr_rwlock_rdlock_until(rwlock_of(lock), deadline);
	hazptr_rwlock_rdlock(rwlock_of(lock));
	return 0;
}

static int rwlock_write_until(void *lock, const struct timespec *deadline)
{
	return hazptr_rwlock_wrlock_until(rwlock_of(lock), deadline);
}

static bool rwlock_try_read(void *lock)
{
	return hazptr_rwlock_tryrdlock(rwlock_of(lock));
}

static bool rwlock_try_write(void *lock)
{
	return hazptr_rwlock_trywrlock(rwlock_of(lock));
}

static void rwlock_leave(void *lock)
{
	hazptr_rwlock_unlock(rwlock_of(lock));
}

static bool rwlock_is_free(const void *lock)
{
	return word_of(lock) == 0;
}

static bool rwlock_is_held(const void *lock)
{
	return word_of(lock) == READER || word_of(lock) == WRITER;
}

static const struct kind reads = {
	rwlock_init,  rwlock_hold,    rwlock_read_until, rwlock_try_read,
	rwlock_leave, rwlock_is_free, rwlock_is_held,	 true,
};

static const struct kind writes = {
	rwlock_init,  rwlock_hold,    rwlock_write_until, rwlock_try_write,
	rwlock_leave, rwlock_is_free, rwlock_is_held,	  false,
};

/* Users in order: 'r' and 'w'. */
#define CROWD 8

static struct user users[CROWD];

static void users_start(struct hazptr_rwlock *l, const char *who)
{
	size_t i;

	for (i = 0; who[i]; i++)
		user_start(&users[i], who[i] == 'r' ? &reads : &writes, l);
}

static void users_wait(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		user_waits(&users[i], NULL);
}

static void users_stop(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		user_stop(&users[i]);
}

/* Alone */

static void zeroed_memory_is_a_free_one(void **state)
{
	struct hazptr_rwlock initialized = HAZPTR_RWLOCK_INIT;
	static struct hazptr_rwlock zeroed;

	(void)state;
	assert_true(sizeof(struct hazptr_rwlock) <= 8);
	assert_memory_equal(&zeroed, &initialized, sizeof(zeroed));
	assert_true(hazptr_rwlock_trywrlock(&zeroed));
	hazptr_rwlock_unlock(&zeroed);
	assert_true(hazptr_rwlock_tryrdlock(&zeroed));
	hazptr_rwlock_unlock(&zeroed);
	assert_memory_equal(&zeroed, &initialized, sizeof(zeroed));
}

static void readers_share_it(void **state)
{
	struct timespec past = time_of(0, 0);
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;

	(void)state;
	hazptr_rwlock_rdlock(&l);
	assert_true(hazptr_rwlock_tryrdlock(&l));
	assert_int_equal(hazptr_rwlock_rdlock_until(&l, &past), 0);
	assert_int_equal(word_of(&l), 3 * READER);
	assert_false(hazptr_rwlock_trywrlock(&l));
	assert_int_equal(hazptr_rwlock_wrlock_until(&l, &past), -ETIMEDOUT);
	assert_int_equal(word_of(&l), 3 * READER);
	hazptr_rwlock_unlock(&l);
	hazptr_rwlock_unlock(&l);
	assert_false(hazptr_rwlock_trywrlock(&l));
	hazptr_rwlock_unlock(&l);
	assert_true(hazptr_rwlock_trywrlock(&l));
	hazptr_rwlock_unlock(&l);
}

static void a_writer_is_alone(void **state)
{
	struct timespec past = time_of(0, 0);
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;

	(void)state;
	hazptr_rwlock_wrlock(&l);
	assert_false(hazptr_rwlock_tryrdlock(&l));
	assert_false(hazptr_rwlock_trywrlock(&l));
	assert_int_equal(hazptr_rwlock_rdlock_until(&l, &past), -ETIMEDOUT);
	assert_int_equal(hazptr_rwlock_wrlock_until(&l, &past), -ETIMEDOUT);
	assert_int_equal(word_of(&l), WRITER);
	hazptr_rwlock_unlock(&l);
	assert_int_equal(word_of(&l), 0);
}

/* Who is next */

static void readers_wait_behind_a_writer(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	struct timespec past = time_of(0, 0);

	(void)state;
	users_start(&l, "w");
	hazptr_rwlock_rdlock(&l);
	users_wait(1);
	assert_int_equal(word_of(&l), READER | PARKED);
	assert_false(hazptr_rwlock_tryrdlock(&l));
	assert_int_equal(hazptr_rwlock_rdlock_until(&l, &past), -ETIMEDOUT);
	assert_int_equal(word_of(&l), READER | PARKED);
	hazptr_rwlock_unlock(&l);
	assert_int_equal(user_result(&users[0]), 0);
	assert_false(hazptr_rwlock_tryrdlock(&l));
	user_ends(&users[0]);
	users_stop(1);
	assert_int_equal(word_of(&l), 0);
}

static void readers_share_it_again_when_the_writer_gives_up(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	struct timespec soon = test_time_after_ms(5);

	(void)state;
	users_start(&l, "w");
	hazptr_rwlock_rdlock(&l);
	user_waits(&users[0], &soon);
	assert_int_equal(user_result(&users[0]), -ETIMEDOUT);
	assert_int_equal(word_of(&l), READER);
	assert_true(hazptr_rwlock_tryrdlock(&l));
	hazptr_rwlock_unlock(&l);
	hazptr_rwlock_unlock(&l);
	users_stop(1);
	assert_int_equal(word_of(&l), 0);
}

/* They waited behind the writer, and have no reason to any more. */
static void readers_come_in_when_the_writer_gives_up(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	struct timespec soon = test_time_after_ms(50);
	size_t i;

	(void)state;
	users_start(&l, "wrrwr");
	hazptr_rwlock_rdlock(&l);
	user_waits(&users[0], &soon);
	for (i = 1; i < 5; i++)
		user_waits(&users[i], NULL);
	assert_int_equal(user_result(&users[0]), -ETIMEDOUT);
	assert_int_equal(user_result(&users[1]), 0);
	assert_int_equal(user_result(&users[2]), 0);
	assert_int_equal(word_of(&l), 3 * READER | PARKED);
	assert_false(flag_is_set(&users[3].is_in));
	assert_false(flag_is_set(&users[4].is_in));
	hazptr_rwlock_unlock(&l);
	user_ends(&users[1]);
	user_ends(&users[2]);
	for (i = 3; i < 5; i++) {
		assert_int_equal(user_result(&users[i]), 0);
		user_ends(&users[i]);
	}
	users_stop(5);
	assert_int_equal(word_of(&l), 0);
}

/* It is theirs before they run. */
static void a_writer_hands_it_to_all_readers(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	struct user writer;
	size_t i;

	(void)state;
	user_start(&writer, &writes, &l);
	users_start(&l, "rrrrr");
	hand_do(&writer.hand, user_enters, &writer);
	users_wait(5);
	stop_arm(&stops[0], "wake:taken");
	hand_begin(&writer.hand, user_leaves, &writer);
	stop_wait(&stops[0]);
	assert_int_equal(word_of(&l), 5 * READER);
	assert_true(hazptr_rwlock_tryrdlock(&l));
	assert_false(hazptr_rwlock_trywrlock(&l));
	hazptr_rwlock_unlock(&l);
	stop_go(&stops[0]);
	hand_end(&writer.hand);
	for (i = 0; i < 5; i++)
		assert_int_equal(user_result(&users[i]), 0);
	assert_int_equal(word_of(&l), 5 * READER);
	for (i = 0; i < 5; i++)
		user_ends(&users[i]);
	assert_int_equal(word_of(&l), 0);
	users_stop(5);
	user_stop(&writer);
}

/* All readers, also those who came after the writer that waits. */
static void the_reader_who_came_first_brings_all_readers(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	size_t i;

	(void)state;
	users_start(&l, "rwrr");
	hazptr_rwlock_wrlock(&l);
	users_wait(4);
	hazptr_rwlock_unlock(&l);
	for (i = 0; i < 4; i++)
		if (i != 1)
			assert_int_equal(user_result(&users[i]), 0);
	assert_int_equal(word_of(&l), 3 * READER | PARKED);
	assert_false(flag_is_set(&users[1].is_in));
	assert_false(hazptr_rwlock_tryrdlock(&l));
	for (i = 0; i < 4; i++) {
		assert_false(flag_is_set(&users[1].is_in));
		if (i != 1)
			user_ends(&users[i]);
	}
	assert_int_equal(user_result(&users[1]), 0);
	assert_int_equal(word_of(&l), WRITER);
	user_ends(&users[1]);
	users_stop(4);
	assert_int_equal(word_of(&l), 0);
}

static void the_writer_who_came_first_is_alone(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	size_t i;

	(void)state;
	users_start(&l, "wrwr");
	hazptr_rwlock_wrlock(&l);
	users_wait(4);
	test_sleep_ms(3);
	hazptr_rwlock_unlock(&l);
	assert_int_equal(user_result(&users[0]), 0);
	assert_int_equal(word_of(&l), WRITER | PARKED);
	for (i = 1; i < 4; i++)
		assert_false(flag_is_set(&users[i].is_in));
	user_ends(&users[0]); /* to both readers */
	assert_int_equal(user_result(&users[1]), 0);
	assert_int_equal(user_result(&users[3]), 0);
	assert_false(flag_is_set(&users[2].is_in));
	user_ends(&users[1]);
	user_ends(&users[3]);
	assert_int_equal(user_result(&users[2]), 0);
	user_ends(&users[2]);
	users_stop(4);
	assert_int_equal(word_of(&l), 0);
}

/* It has waited for more than a millisecond: nobody overtakes it. */
static void a_writer_that_has_waited_is_handed_the_lock(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	struct user reader;

	(void)state;
	user_start(&reader, &reads, &l);
	users_start(&l, "w");
	hand_do(&reader.hand, user_enters, &reader);
	users_wait(1);
	test_sleep_ms(3);
	stop_arm(&stops[0], "wake:taken");
	hand_begin(&reader.hand, user_leaves, &reader);
	stop_wait(&stops[0]);
	assert_int_equal(word_of(&l), WRITER);
	assert_false(hazptr_rwlock_tryrdlock(&l));
	stop_go(&stops[0]);
	hand_end(&reader.hand);
	assert_int_equal(user_result(&users[0]), 0);
	user_ends(&users[0]);
	user_stop(&reader);
	users_stop(1);
}

/*
 * The last reader is about to pass the lock on when the writer gives up, and
 * another reader comes in. The lock is that one's.
 */
static void a_reader_who_comes_in_meanwhile_has_it(void **state)
{
	struct hazptr_rwlock l = HAZPTR_RWLOCK_INIT;
	struct timespec soon = test_time_after_ms(10);
	struct user reader;
	bool came_in;

	(void)state;
	user_start(&reader, &reads, &l);
	users_start(&l, "w");
	hand_do(&reader.hand, user_enters, &reader);
	user_waits(&users[0], &soon);
	stop_arm(&stops[0], "table:found");
	hand_begin(&reader.hand, user_leaves, &reader);
	stop_wait(&stops[0]);
	assert_int_equal(user_result(&users[0]), -ETIMEDOUT);
	came_in = hazptr_rwlock_tryrdlock(&l);
	stop_go(&stops[0]);
	hand_end(&reader.hand);
	if (came_in) {
		assert_int_equal(word_of(&l), READER);
		hazptr_rwlock_unlock(&l);
	}
	assert_int_equal(word_of(&l), 0);
	user_stop(&reader);
	users_stop(1);
}

/* Storms: neither keeps the other out. */

#define GUESTS 20

struct storm {
	struct hazptr_rwlock lock;
	const struct kind *kind;
	int stop;
	long a, b; /* equal, but while a writer changes them */
};

static void storm_visit(struct storm *s, const struct kind *kind)
{
	must(!kind->enter_until(&s->lock, NULL));
	must(s->a == s->b);
	if (!kind->is_shared) {
		s->a++;
		sched_yield();
		s->b++;
	} else {
		sched_yield();
	}
	must(s->a == s->b);
	kind->leave(&s->lock);
}

static void *storms(void *arg)
{
	struct storm *s = (struct storm *)arg;

	while (!flag_is_set(&s->stop))
		storm_visit(s, s->kind);
	return NULL;
}

static void storm_around(const struct kind *many, const struct kind *one)
{
	pthread_t threads[4];
	struct storm s;
	size_t i;

	memset(&s, 0, sizeof(s));
	s.kind = many;
	for (i = 0; i < TEST_COUNT(threads); i++)
		threads[i] = test_start(storms, &s);
	for (i = 0; i < GUESTS; i++)
		storm_visit(&s, one);
	flag_set(&s.stop);
	for (i = 0; i < TEST_COUNT(threads); i++)
		test_join(threads[i]);
	assert_int_equal(word_of(&s.lock), 0);
}

static void a_writer_comes_in_between_readers(void **state)
{
	(void)state;
	storm_around(&reads, &writes);
}

static void a_reader_comes_in_between_writers(void **state)
{
	(void)state;
	storm_around(&writes, &reads);
}

/* Both, with all ways to come in. */

struct mixed {
	struct storm storm;
	int turn;
};

static bool comes_in(struct hazptr_rwlock *l, bool to_write, unsigned *seed)
{
	const struct kind *k = to_write ? &writes : &reads;
	struct timespec t;

	switch (test_random(seed) % 4) {
	case 0:
		return k->try_enter(l);
	case 1:
		t = test_time_after_ms(test_random(seed) % 2);
		return !k->enter_until(l, &t);
	default:
		return !k->enter_until(l, NULL);
	}
}

static void *mixes(void *arg)
{
	struct mixed *m = (struct mixed *)arg;
	unsigned seed =
		(unsigned)__atomic_add_fetch(&m->turn, 1, __ATOMIC_RELAXED);
	struct storm *s = &m->storm;
	bool to_write;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		to_write = test_random(&seed) % 4 == 0;
		if (!comes_in(&s->lock, to_write, &seed))
			continue;
		must(s->a == s->b);
		if (to_write)
			s->a++;
		if (test_random(&seed) % 32 == 0)
			sched_yield();
		if (to_write)
			s->b++;
		hazptr_rwlock_unlock(&s->lock);
	}
	return NULL;
}

static void writers_are_alone_among_many(void **state)
{
	pthread_t threads[THREADS];
	struct mixed m;
	struct mover mover;
	int i;

	memset(&m, 0, sizeof(m));
	if (*state)
		mover_start(&mover);
	for (i = 0; i < THREADS; i++)
		threads[i] = test_start(mixes, &m);
	for (i = 0; i < THREADS; i++)
		test_join(threads[i]);
	if (*state)
		mover_stop(&mover);
	assert_int_equal(word_of(&m.storm.lock), 0);
}

/* Misuse */

static struct hazptr_rwlock misused;

static void child_unlock_of_a_free_one(void)
{
	test_names(&misused);
	hazptr_rwlock_unlock(&misused);
}

static void child_unlock_once_too_often(void)
{
	test_names(&misused);
	hazptr_rwlock_rdlock(&misused);
	hazptr_rwlock_rdlock(&misused);
	hazptr_rwlock_unlock(&misused);
	hazptr_rwlock_unlock(&misused);
	hazptr_rwlock_unlock(&misused);
}

static const struct test_child children[] = {
	{ "unlock of a free one", child_unlock_of_a_free_one },
	{ "unlock once too often", child_unlock_once_too_often },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_memory_is_a_free_one),
		cmocka_unit_test(readers_share_it),
		cmocka_unit_test(a_writer_is_alone),
		LOCK_TESTS(reads),
		LOCK_TESTS(writes),
		cmocka_unit_test(readers_wait_behind_a_writer),
		cmocka_unit_test(
			readers_share_it_again_when_the_writer_gives_up),
		cmocka_unit_test(readers_come_in_when_the_writer_gives_up),
		cmocka_unit_test(a_writer_hands_it_to_all_readers),
		cmocka_unit_test(the_reader_who_came_first_brings_all_readers),
		cmocka_unit_test(the_writer_who_came_first_is_alone),
		cmocka_unit_test(a_writer_that_has_waited_is_handed_the_lock),
		cmocka_unit_test(a_reader_who_comes_in_meanwhile_has_it),
		cmocka_unit_test(a_writer_comes_in_between_readers),
		cmocka_unit_test(a_reader_comes_in_between_writers),
		cmocka_unit_test(writers_are_alone_among_many),
		{ "writers_are_alone_while_tables_change",
		  writers_are_alone_among_many, NULL, NULL, (void *)&reads },
		MISUSE("unlock of a free one", "hazptr_rwlock_unlock"),
		MISUSE("unlock once too often", "hazptr_rwlock_unlock"),
	};

	locks_init();
	test_main(argc, argv, children, TEST_COUNT(children));
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
