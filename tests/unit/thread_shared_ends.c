/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/thread_shared_ends.c - ends of threads, and fork
 *
 * Whoever ends with thread-shared pointers is named on stderr, and what they
 * refer to is not lost. The child of a fork keeps its own thread's.
 */
#include "nodes.h"

#include <limits.h>
#include <sys/syscall.h>

#define MANY 40

struct holder {
	struct hazptr_thread_shared ts[MANY];
	size_t n;
	struct hazptr_sync_shared place;
	struct box box;
	bool borrow;
	bool named; /* say on stdout who it is */
};

static void holder_new(struct holder *h, size_t n)
{
	struct hazptr_shared sp;

	memset(h, 0, sizeof(*h));
	h->n = n;
	sp = box_new(&h->box);
	hazptr_sync_shared_store(&h->place, &sp);
}

static void *holds(void *arg)
{
	struct holder *h = (struct holder *)arg;
	struct hazptr_shared sp = hazptr_sync_shared_load(&h->place);
	char line[64];
	size_t i;
	int n;

	for (i = 0; i < h->n; i++) {
		if (h->borrow)
			hazptr_thread_shared_borrow(&h->ts[i], sp);
		else
			hazptr_thread_shared_load(&h->ts[i], &h->place);
		must(hazptr_thread_shared_get(&h->ts[i]) == node_of(&h->box));
	}
	hazptr_shared_drop(&sp);
	if (h->named) {
		n = snprintf(line, sizeof(line), "%p: thread %d ",
			     (void *)node_of(&h->box),
			     (int)syscall(SYS_gettid));
		must(write(1, line, (size_t)n) == n);
	}
	return NULL;
}

/* What is left behind is counted, and whoever likes drops it. */
static void ends_well(struct holder *h)
{
	size_t i;

	must(box_references(&h->box) == 1 + h->n);
	hazptr_sync_shared_drop(&h->place);
	settle();
	for (i = 0; i < h->n; i++) {
		must(box_gone(&h->box) == 0);
		hazptr_thread_shared_drop(&h->ts[i]);
	}
	settle();
	must(box_gone(&h->box) == 1);
}

static void ends_with(size_t n, bool borrow)
{
	struct holder h;

	hazptr_thread_shared_set_max_age_ms(0);
	holder_new(&h, n);
	h.named = true;
	h.borrow = borrow;
	test_join(test_start(holds, &h));
	must(promotions().promoted_by_exit > 0);
	must(promotions().promoted_by_exit <= n);
	ends_well(&h);
}

static void child_ends_with_one(void)
{
	ends_with(1, false);
}

static void child_ends_with_a_borrowed_one(void)
{
	ends_with(1, true);
}

static void child_ends_with_many(void)
{
	ends_with(MANY, false);
}

/* Its record, and its slots, are others' then: each has its own. */
static void child_is_followed_by_others(void)
{
	struct holder first, others[3];
	size_t i, turn;

	hazptr_thread_shared_set_max_age_ms(0);
	holder_new(&first, 3);
	first.named = true;
	test_join(test_start(holds, &first));
	must(!close(2)); /* the others' messages */
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < 3; i++) {
			holder_new(&others[i], 5);
			test_join(test_start(holds, &others[i]));
		}
		for (i = 0; i < 3; i++)
			ends_well(&others[i]);
	}
	must(box_gone(&first.box) == 0);
	ends_well(&first);
}

/* The main thread's end is the process's: nothing to say. */
static void child_exits(void)
{
	static struct holder h;

	holder_new(&h, 3);
	holds(&h);
	exit(0);
}

/* Nothing is said of these. */

static void child_ends_with_none(void)
{
	struct holder h;
	size_t i;

	hazptr_thread_shared_set_max_age_ms(0);
	holder_new(&h, 0);
	for (i = 0; i < 10; i++)
		test_join(test_start(holds, &h));
	must(promotions().promoted_by_exit == 0);
	ends_well(&h);
}

static void *holds_counted_ones(void *arg)
{
	struct holder *h = (struct holder *)arg;
	size_t i, n = 0;

	must(pin_to(0));
	holds(h);
	for (i = 0; i < MANY; i++) {
		if (h->ts[i].slot == HAZPTR_COUNTED_)
			n++;
		else
			hazptr_thread_shared_drop(&h->ts[i]);
	}
	must(n > 0);
	must(box_references(&h->box) == 1 + n);
	return NULL;
}

static void child_ends_with_counted_ones(void)
{
	struct holder h;
	size_t i;

	hazptr_thread_shared_set_max_age_ms(0);
	holder_new(&h, MANY);
	test_join(test_start(holds_counted_ones, &h));
	must(promotions().promoted_by_exit == 0);
	for (i = 0; i < MANY; i++)
		hazptr_thread_shared_drop(&h.ts[i]);
	must(box_references(&h.box) == 1);
	h.n = 0;
	ends_well(&h);
}

static void *is_promoted_and_ends(void *arg)
{
	struct holder *h = (struct holder *)arg;

	holds(h);
	hazptr_sync_shared_drop(&h->place);
	settle();
	must(box_references(&h->box) == 1);
	return NULL;
}

static void child_ends_with_a_promoted_one(void)
{
	struct holder h;

	hazptr_thread_shared_set_max_age_ms(0);
	holder_new(&h, 1);
	test_join(test_start(is_promoted_and_ends, &h));
	must(promotions().promoted_by_exit == 0);
	settle();
	must(box_gone(&h.box) == 0);
	hazptr_thread_shared_drop(&h.ts[0]);
	settle();
	must(box_gone(&h.box) == 1);
}

/* Destructors that drop, in this round of them. */

static pthread_key_t late_key;
static int late_round;

static void drops_late(void *arg)
{
	static __thread int round;
	struct holder *h = (struct holder *)arg;
	size_t i;

	if (++round < late_round) {
		must(!pthread_setspecific(late_key, arg));
		return;
	}
	for (i = 0; i < h->n; i++)
		hazptr_thread_shared_drop(&h->ts[i]);
}

static void *leaves_it_to_a_destructor(void *arg)
{
	must(!pthread_setspecific(late_key, arg));
	return holds(arg);
}

static void drops_in_round(int round)
{
	struct holder h;

	hazptr_thread_shared_set_max_age_ms(0);
	late_round = round;
	holder_new(&h, 3);
	must(!pthread_key_create(&late_key, drops_late));
	test_join(test_start(leaves_it_to_a_destructor, &h));
	must(!h.ts[0].node && !h.ts[2].node);
	must(box_references(&h.box) == 1);
	h.n = 0;
	ends_well(&h);
}

static void child_drops_in_a_destructor(void)
{
	drops_in_round(1);
	must(promotions().promoted_by_exit == 0);
}

/* The library cannot come after the last of them. */
static void child_drops_in_the_last_round(void)
{
	drops_in_round(PTHREAD_DESTRUCTOR_ITERATIONS);
}

/* A thread that has ended for the library takes counted ones. */
static void takes_late(void *arg)
{
	static __thread int round;
	struct holder *h = (struct holder *)arg;
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	must(hazptr_thread_shared_load(&ts, &h->place) == node_of(&h->box));
	if (++round < PTHREAD_DESTRUCTOR_ITERATIONS)
		must(!pthread_setspecific(late_key, arg));
	hazptr_thread_shared_drop(&ts);
}

static void child_takes_in_every_round(void)
{
	struct holder h;

	hazptr_thread_shared_set_max_age_ms(0);
	holder_new(&h, 0);
	must(!pthread_key_create(&late_key, takes_late));
	test_join(test_start(leaves_it_to_a_destructor, &h));
	ends_well(&h);
}

/* The children's tests */

static void ends_silently(void **state)
{
	struct test_result r;

	test_child_run(&r, (const char *)*state, test_fence_assignment());
	if (r.status || *r.err)
		fail_msg("status %x: %s", (unsigned)r.status, r.err);
}

/* One line, that names the call, the object and the thread. */
static void ends_with_a_line(void **state)
{
	struct test_result r;

	test_child_run(&r, (const char *)*state, test_fence_assignment());
	if (r.status || test_lines(r.err) != 1)
		fail_msg("status %x: %s", (unsigned)r.status, r.err);
	if (!strstr(r.err, "hazptr: thread exit: ") || !*r.out ||
	    !strstr(r.err, r.out))
		fail_msg("does not name %s: %s", r.out, r.err);
}

static void ends_somehow(void **state)
{
	struct test_result r;

	if (TEST_TSAN)
		skip(); /* it forgets a thread before the last round */
	test_child_run(&r, (const char *)*state, test_fence_assignment());
	if (r.status)
		fail_msg("status %x: %s", (unsigned)r.status, r.err);
}

/* Fork */

#define skip_without_fork()                                          \
	do { /* it, or qemu, does not know the threads of a child */ \
		if (TEST_TSAN || test_emulator())                    \
			skip();                                      \
	} while (0)

static struct holder own, foreign;

/*
 * As settle(). What another thread was just retiring at the fork is lost to the
 * child, and stays in its figures.
 */
static void settle_in_child(void)
{
	int i;

	for (i = 0; i < 3; i++)
		hazptr_barrier(NULL);
}

static void does_hold(void *arg)
{
	holds(arg);
}

static void does_let_go(void *arg)
{
	struct holder *h = (struct holder *)arg;
	size_t i;

	for (i = 0; i < h->n; i++)
		hazptr_thread_shared_drop(&h->ts[i]);
}

/* Its own stay, whatever becomes of the node; the others' are forgotten. */
static void check_in_child(void)
{
	size_t i;

	for (i = 0; i < own.n; i++)
		must(own.ts[i].node == node_of(&own.box));
	hazptr_sync_shared_drop(&foreign.place);
	hazptr_sync_shared_drop(&own.place);
	settle_in_child();
	must(box_gone(&foreign.box) == 1);
	must(box_gone(&own.box) == 0);
	must(box_references(&own.box) == own.n);
	for (i = 0; i < own.n; i++)
		hazptr_thread_shared_drop(&own.ts[i]);
	settle_in_child();
	must(box_gone(&own.box) == 1);
}

static void the_child_keeps_its_own(void **state)
{
	struct hand hand;
	size_t n;

	(void)state;
	skip_without_fork();
	hazptr_thread_shared_set_max_age_ms(0);
	hand_start(&hand);
	for (n = 1; n <= 4; n++) {
		holder_new(&own, n);
		holder_new(&foreign, n);
		holds(&own);
		hand_do(&hand, does_hold, &foreign);
		in_child(check_in_child());
		/* And here nothing has changed. */
		hazptr_sync_shared_drop(&foreign.place);
		hazptr_sync_shared_drop(&own.place);
		settle();
		assert_int_equal(box_gone(&foreign.box), 0);
		assert_int_equal(box_gone(&own.box), 0);
		does_let_go(&own);
		hand_do(&hand, does_let_go, &foreign);
		settle();
		assert_int_equal(box_gone(&foreign.box), 1);
		assert_int_equal(box_gone(&own.box), 1);
	}
	hand_stop(&hand);
}

/* A promoted one is a counted reference in the child as well. */
static void check_promoted_in_child(void)
{
	must(box_references(&own.box) == 1);
	settle_in_child();
	must(box_gone(&own.box) == 0);
	hazptr_thread_shared_drop(&own.ts[0]);
	settle_in_child();
	must(box_gone(&own.box) == 1);
}

static void promoted_before_the_fork(void **state)
{
	(void)state;
	skip_without_fork();
	holder_new(&own, 1);
	holds(&own);
	hazptr_sync_shared_drop(&own.place);
	settle();
	in_child(check_promoted_in_child());
	assert_int_equal(box_references(&own.box), 1);
	hazptr_thread_shared_drop(&own.ts[0]);
	assert_released(&own.box);
}

/* Without counted ones: as many as there is room for. */
static void does_hold_all_slots(void *arg)
{
	struct holder *h = (struct holder *)arg;

	must(pin_to(0));
	for (h->n = 0; h->n < MANY; h->n++) {
		must(hazptr_thread_shared_load(&h->ts[h->n], &h->place));
		if (h->ts[h->n].slot == HAZPTR_COUNTED_)
			break;
	}
	must(h->n < MANY);
	hazptr_thread_shared_drop(&h->ts[h->n]);
}

static void check_room_in_child(void)
{
	size_t room = foreign.n;

	does_hold_all_slots(&own);
	must(own.n == room);
	in_child(check_in_child()); /* a child of its own */
}

/* What others held is free in the child. */
static void the_child_has_room(void **state)
{
	struct hand hand;

	(void)state;
	skip_without_fork();
	assert_true(pin_to(0));
	hand_start(&hand); /* on the same processor */
	holder_new(&own, 0);
	holder_new(&foreign, 0);
	hand_do(&hand, does_hold_all_slots, &foreign);
	in_child(check_room_in_child());
	hand_do(&hand, does_let_go, &foreign);
	hand_stop(&hand);
	hazptr_sync_shared_drop(&own.place);
	hazptr_sync_shared_drop(&foreign.place);
	settle();
	assert_int_equal(box_gone(&own.box), 1);
	assert_int_equal(box_gone(&foreign.box), 1);
}

/* Old ones are promoted in a child, too, once it has called the library. */
static void check_aging_in_child(bool create)
{
	uint64_t before = promotions().promoted_by_age;
	struct hazptr_shared sp;
	struct box b;

	if (create)
		sp = box_new(&b);
	else
		hazptr_thread_shared_set_max_age_ms(1);
	must(hazptr_thread_shared_load(&own.ts[0], &own.place));
	/* One that was held at the fork may have been promoted before. */
	must(test_eventually(box_references(&own.box) == 2));
	must(promotions().promoted_by_age > before);
	hazptr_thread_shared_drop(&own.ts[0]);
	must(box_references(&own.box) == 1);
	if (create)
		hazptr_shared_drop_sync(&sp);
}

static void the_child_ages(bool create)
{
	skip_without_fork();
	hazptr_thread_shared_set_max_age_ms(1);
	holder_new(&own, 1);
	in_child(check_aging_in_child(create));
	holds(&own); /* and one that is held already */
	in_child(check_aging_in_child(create));
	does_let_go(&own);
	hazptr_sync_shared_drop(&own.place);
	settle();
	assert_int_equal(box_gone(&own.box), 1);
	hazptr_thread_shared_set_max_age_ms(0);
}

static void the_child_ages_after_a_create(void **state)
{
	(void)state;
	the_child_ages(true);
}

static void the_child_ages_after_a_setting(void **state)
{
	(void)state;
	the_child_ages(false);
}

/* Forks at any moment of others' loads, stores and promotions. */

static struct hazptr_sync_shared busy_place;
static int busy_stop;

static void *busy_loads(void *arg)
{
	struct hazptr_thread_shared ts[3];
	unsigned i = 0;

	memset(ts, 0, sizeof(ts));
	while (!__atomic_load_n(&busy_stop, __ATOMIC_ACQUIRE))
		hazptr_thread_shared_load(&ts[i++ % 3], &busy_place);
	for (i = 0; i < 3; i++)
		hazptr_thread_shared_drop(&ts[i]);
	return arg;
}

static void *busy_stores(void *arg)
{
	struct hazptr_shared sp;

	while (!__atomic_load_n(&busy_stop, __ATOMIC_ACQUIRE)) {
		sp = hazptr_shared_create(
			(struct hazptr_shared_node *)malloc(sizeof(*sp.node)),
			NULL);
		hazptr_sync_shared_store(&busy_place, &sp);
	}
	return arg;
}

static void check_busy_in_child(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	check_in_child();
	holder_new(&own, 2);
	holds(&own);
	hazptr_thread_shared_load(&ts, &busy_place);
	hazptr_sync_shared_drop(&busy_place);
	settle_in_child();
	hazptr_thread_shared_drop(&ts);
	does_let_go(&own);
	hazptr_sync_shared_drop(&own.place);
	settle_in_child();
	must(box_gone(&own.box) == 1);
}

static void forks_at_any_moment(void **state)
{
	pthread_t threads[2];
	int i;

	(void)state;
	skip_without_fork();
	if (is_valgrind())
		skip(); /* it calls lost what another thread just stored */
	holder_new(&own, 1);
	holder_new(&foreign, 0);
	holds(&own);
	busy_stop = 0;
	threads[0] = test_start(busy_loads, NULL);
	threads[1] = test_start(busy_stores, NULL);
	for (i = 0; i < TEST_MANY(100); i++) {
		hazptr_thread_shared_set_max_age_ms((unsigned)i % 3);
		in_child(check_busy_in_child());
	}
	__atomic_store_n(&busy_stop, 1, __ATOMIC_RELEASE);
	test_join(threads[0]);
	test_join(threads[1]);
	hazptr_thread_shared_set_max_age_ms(0);
	does_let_go(&own);
	hazptr_sync_shared_drop(&own.place);
	hazptr_sync_shared_drop(&foreign.place);
	hazptr_sync_shared_drop(&busy_place);
	settle();
	assert_int_equal(box_gone(&own.box), 1);
	assert_int_equal(box_gone(&foreign.box), 1);
}

static const struct test_child children[] = {
	{ "ends with one", child_ends_with_one },
	{ "ends with a borrowed one", child_ends_with_a_borrowed_one },
	{ "ends with many", child_ends_with_many },
	{ "is followed by others", child_is_followed_by_others },
	{ "exits", child_exits },
	{ "ends with none", child_ends_with_none },
	{ "ends with counted ones", child_ends_with_counted_ones },
	{ "ends with a promoted one", child_ends_with_a_promoted_one },
	{ "drops in a destructor", child_drops_in_a_destructor },
	{ "drops in the last round", child_drops_in_the_last_round },
	{ "takes in every round", child_takes_in_every_round },
};

#define CHILD(f, name)                              \
	{                                           \
		name, f, NULL, NULL, (void *)(name) \
	}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		CHILD(ends_with_a_line, "ends with one"),
		CHILD(ends_with_a_line, "ends with a borrowed one"),
		CHILD(ends_with_a_line, "ends with many"),
		CHILD(ends_with_a_line, "is followed by others"),
		CHILD(ends_silently, "exits"),
		CHILD(ends_silently, "ends with none"),
		CHILD(ends_silently, "ends with counted ones"),
		CHILD(ends_silently, "ends with a promoted one"),
		CHILD(ends_silently, "drops in a destructor"),
		CHILD(ends_somehow, "drops in the last round"),
		CHILD(ends_silently, "takes in every round"),
		cmocka_unit_test(the_child_keeps_its_own),
		cmocka_unit_test(promoted_before_the_fork),
		cmocka_unit_test(the_child_has_room),
		cmocka_unit_test(the_child_ages_after_a_create),
		cmocka_unit_test(the_child_ages_after_a_setting),
		cmocka_unit_test(forks_at_any_moment),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
