/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/thread_shared_slots.c - where thread-shared pointers stand
 *
 * How many a processor has, what is done when they are taken, that they are
 * free again; age; that they are as many as before when threads come and go.
 *
 * Most tests run on one processor. What a thread can hold there without a
 * count is its *room*; each test must leave it as it was.
 */
#include "nodes.h"

#define HELD 40 /* more than the room is */

struct held {
	struct hazptr_thread_shared ts[HELD];
	struct hazptr_sync_shared place;
	struct box box;
	size_t n;
	size_t counted; /* how many are counted ones */
};

static bool by_cpu;
static size_t room;

static void place_new(struct held *h, void **state)
{
	struct hazptr_shared sp;

	memset(h, 0, sizeof(*h));
	sp = box_of_kind(&h->box, state);
	hazptr_sync_shared_store(&h->place, &sp);
}

static void hold(struct held *h, size_t n)
{
	uint64_t before = promotions().fallen_back;

	for (h->n = 0; h->n < n; h->n++)
		must(hazptr_thread_shared_load(&h->ts[h->n], &h->place) ==
		     node_of(&h->box));
	h->counted = (size_t)(promotions().fallen_back - before);
}

/* Neither in the order of taking, nor in the reverse one. */
static void let_go(struct held *h)
{
	size_t i;

	for (i = 0; i < h->n; i += 2)
		hazptr_thread_shared_drop(&h->ts[i]);
	for (i = 1; i < h->n; i += 2)
		hazptr_thread_shared_drop(&h->ts[i]);
	h->n = 0;
}

static void place_end(struct held *h)
{
	hazptr_sync_shared_drop(&h->place);
	assert_released(&h->box);
}

static size_t room_now(void)
{
	void *kind = NULL;
	struct held h;
	size_t n;

	place_new(&h, &kind);
	hold(&h, HELD);
	n = h.n - h.counted;
	let_go(&h);
	place_end(&h);
	return n;
}

/* Each test begins without aging, and ends with the room that was there. */
static int begin(void **state)
{
	(void)state;
	hazptr_thread_shared_set_max_age_ms(0);
	must(pin_to(0));
	return 0;
}

static int end(void **state)
{
	(void)state;
	hazptr_thread_shared_set_max_age_ms(0);
	must(pin_to(0));
	return test_eventually(room_now() == room) ? 0 : -1;
}

/* The room */

static void there_is_room_for_eight(void **state)
{
	struct held h;

	assert_true(room >= 8);
	assert_true(room < HELD);
	place_new(&h, state);
	hold(&h, 8);
	assert_int_equal(h.counted, 0);
	assert_int_equal(box_references(&h.box), 1);
	let_go(&h);
	place_end(&h);
}

static void beyond_it_they_are_counted(void **state)
{
	struct held h;
	int turn;

	place_new(&h, state);
	for (turn = 0; turn < 20; turn++) {
		hold(&h, HELD);
		assert_int_equal(h.n - h.counted, room);
		assert_int_equal(box_references(&h.box), 1 + h.counted);
		let_go(&h);
		assert_int_equal(box_references(&h.box), 1);
	}
	place_end(&h);
}

static void borrowed_beyond_it(void **state)
{
	struct hazptr_shared sp;
	struct held h;
	size_t i;

	place_new(&h, state);
	sp = hazptr_sync_shared_load(&h.place);
	for (i = 0; i < HELD; i++)
		assert_ptr_equal(hazptr_thread_shared_borrow(&h.ts[i], sp),
				 node_of(&h.box));
	h.n = HELD;
	assert_int_equal(box_references(&h.box), 2 + HELD - room);
	hazptr_shared_drop(&sp);
	let_go(&h);
	assert_int_equal(box_references(&h.box), 1);
	place_end(&h);
}

static void counted_ones_keep_the_node(void **state)
{
	struct held h;
	size_t i;

	place_new(&h, state);
	hold(&h, HELD);
	hazptr_sync_shared_drop(&h.place);
	settle();
	assert_int_equal(box_gone(&h.box), 0);
	assert_int_equal(box_references(&h.box), h.counted);
	for (i = HELD - 1; i > 0; i--) { /* those in slots are the last */
		hazptr_thread_shared_drop(&h.ts[i]);
		if (i % 4 == 0)
			settle();
	}
	settle();
	assert_int_equal(box_gone(&h.box), 0);
	assert_int_equal(box_references(&h.box), 1);
	hazptr_thread_shared_drop(&h.ts[0]);
	assert_released(&h.box);
}

/* A slot that was given back is there for the next, whichever it is. */
static void every_slot_is_taken_again(void **state)
{
	struct held h;
	uint64_t before;
	size_t i, j;

	place_new(&h, state);
	hold(&h, room);
	assert_int_equal(h.counted, 0);
	before = promotions().fallen_back;
	for (i = 0; i < room; i++) {
		for (j = 0; j < 10; j++) {
			hazptr_thread_shared_drop(&h.ts[i]);
			hazptr_thread_shared_load(&h.ts[i], &h.place);
		}
	}
	assert_int_equal(promotions().fallen_back, before);
	assert_int_equal(box_references(&h.box), 1);
	let_go(&h);
	place_end(&h);
}

/* Promotion frees the slot, and not the drop. */
static void promoted_ones_leave_the_room(void **state)
{
	struct held a, b;
	uint64_t before;
	int turn;

	if (!by_cpu)
		skip();
	for (turn = 0; turn < 20; turn++) {
		place_new(&a, state);
		place_new(&b, state);
		hold(&a, room);
		assert_int_equal(a.counted, 0);
		before = promotions().promoted_by_scan;
		hazptr_sync_shared_drop(&a.place);
		settle();
		assert_int_equal(promotions().promoted_by_scan, before + room);
		assert_int_equal(box_references(&a.box), room);
		hold(&b, room);
		assert_int_equal(b.counted, 0);
		let_go(&a);
		assert_released(&a.box);
		let_go(&b);
		place_end(&b);
	}
}

/* They come back, however many: what a scan reads stays. */
static void promoted_again_and_again(void **state)
{
	uint64_t slots = promotions().slots;
	struct held h;
	int turn;

	for (turn = 0; turn < TEST_MANY(1000); turn++) {
		place_new(&h, state);
		hold(&h, 1 + (size_t)turn % room);
		hazptr_sync_shared_drop(&h.place);
		settle();
		must(box_gone(&h.box) == 0);
		let_go(&h);
		settle();
		must(box_gone(&h.box) == 1);
	}
	assert_int_equal(promotions().slots, slots);
}

/* Processors */

static void dropped_on_another_processor(void **state)
{
	struct held a, b;
	int turn;

	if (!pin_to(1))
		skip();
	for (turn = 0; turn < 20; turn++) {
		pin_to(0);
		place_new(&a, state);
		hold(&a, room);
		assert_int_equal(a.counted, 0);
		pin_to(1);
		place_new(&b, state);
		hold(&b, room); /* a room of its own, where there are such */
		assert_int_equal(b.counted, by_cpu ? 0 : room);
		assert_int_equal(box_references(&a.box), 1);
		let_go(&a);
		assert_int_equal(box_references(&a.box), 1);
		pin_to(0);
		let_go(&b);
		hold(&a, room);
		assert_int_equal(a.counted, 0);
		let_go(&a);
		place_end(&a);
		place_end(&b);
	}
}

static void promoted_while_elsewhere(void **state)
{
	struct held h;

	if (!pin_to(1))
		skip();
	pin_to(0);
	place_new(&h, state);
	hold(&h, room);
	pin_to(1);
	hazptr_sync_shared_drop(&h.place);
	settle();
	assert_int_equal(box_gone(&h.box), 0);
	assert_int_equal(box_references(&h.box), room);
	let_go(&h);
	assert_released(&h.box);
}

/* Carried to and fro by the scheduler, at any moment. */
static void moved_all_the_time(void **state)
{
	struct held h;
	size_t i;

	place_new(&h, state);
	for (i = 0; i < TEST_MANY(20000); i++) {
		if (i % 8 == 0)
			pin_to(i / 8 % 2);
		hazptr_thread_shared_drop(&h.ts[i * 7 % HELD]);
		must(hazptr_thread_shared_load(&h.ts[i * 5 % HELD], &h.place) !=
		     NULL);
	}
	h.n = HELD;
	let_go(&h);
	assert_int_equal(box_references(&h.box), 1);
	place_end(&h);
}

/* Age */

static uint64_t aged(void)
{
	return promotions().promoted_by_age;
}

static void old_ones_are_promoted(void **state)
{
	struct held h, others;
	uint64_t before = aged();

	place_new(&h, state);
	place_new(&others, state);
	hazptr_thread_shared_set_max_age_ms(1);
	hold(&h, 1);
	assert_true(test_eventually(aged() == before + 1));
	hazptr_thread_shared_set_max_age_ms(0);
	assert_ptr_equal(hazptr_thread_shared_get(&h.ts[0]), node_of(&h.box));
	assert_int_equal(box_references(&h.box), 2);
	hold(&others, room); /* the slot is free */
	if (by_cpu)
		assert_int_equal(others.counted, 0);
	let_go(&others);
	let_go(&h);
	assert_int_equal(box_references(&h.box), 1);
	place_end(&h);
	place_end(&others);
}

static void all_that_are_old(void **state)
{
	uint64_t before = aged();
	struct held h;

	place_new(&h, state);
	hold(&h, HELD);
	hazptr_thread_shared_set_max_age_ms(1);
	assert_true(test_eventually(aged() == before + room));
	hazptr_thread_shared_set_max_age_ms(0);
	assert_int_equal(box_references(&h.box), 1 + HELD);
	hazptr_sync_shared_drop(&h.place);
	settle();
	assert_int_equal(aged(), before + room);
	assert_int_equal(box_gone(&h.box), 0);
	assert_int_equal(box_references(&h.box), HELD);
	let_go(&h);
	assert_released(&h.box);
}

static void borrowed_ones_are_promoted(void **state)
{
	uint64_t before = aged();
	struct hazptr_shared sp;
	struct held h;

	place_new(&h, state);
	sp = hazptr_sync_shared_load(&h.place);
	hazptr_thread_shared_set_max_age_ms(1);
	hazptr_thread_shared_borrow(&h.ts[0], sp);
	hazptr_shared_drop(&sp);
	assert_true(test_eventually(aged() == before + 1));
	assert_int_equal(box_references(&h.box), 2);
	h.n = 1;
	let_go(&h);
	place_end(&h);
}

static void never_means_never(void **state)
{
	uint64_t before = aged();
	struct held h;

	place_new(&h, state);
	hold(&h, 1);
	test_sleep_ms(60);
	assert_int_equal(aged(), before);
	assert_int_equal(box_references(&h.box), 1);
	let_go(&h);
	place_end(&h);
}

/* From a maximum that nobody lives to see. */
static void a_lower_maximum_counts_at_once(void **state)
{
	uint64_t before = aged();
	struct held h;

	place_new(&h, state);
	hazptr_thread_shared_set_max_age_ms(TEST_NEVER_MS);
	hold(&h, 1);
	test_sleep_ms(30); /* the library's thread has gone to sleep */
	assert_int_equal(aged(), before);
	hazptr_thread_shared_set_max_age_ms(1);
	assert_true(test_eventually(aged() == before + 1));
	let_go(&h);
	place_end(&h);
}

/* Nothing was held for long; then something is. */
static void aging_begins_again(void **state)
{
	uint64_t before = aged();
	struct held h;
	unsigned turn;

	place_new(&h, state);
	for (turn = 1; turn <= 5; turn++) {
		hazptr_thread_shared_set_max_age_ms(1);
		test_sleep_ms(20);
		hold(&h, 1);
		assert_true(test_eventually(aged() == before + turn));
		let_go(&h);
	}
	place_end(&h);
}

/* The room is not lost while free slots wait for somebody. */
static void there_is_room_after_a_rest(void **state)
{
	struct held h;
	int turn;

	place_new(&h, state);
	for (turn = 0; turn < 10; turn++) {
		hazptr_thread_shared_set_max_age_ms(1);
		test_sleep_ms(turn);
		hazptr_thread_shared_set_max_age_ms(TEST_NEVER_MS);
		hold(&h, room);
		assert_int_equal(h.counted, 0);
		let_go(&h);
	}
	place_end(&h);
}

/* A young process, without the age's help. */
static void child_promotes_first(void)
{
	void *kind = NULL;
	struct held a, b;
	size_t n;

	hazptr_thread_shared_set_max_age_ms(0);
	must(pin_to(0));
	n = room_now();
	must(n >= 8);
	place_new(&a, &kind);
	place_new(&b, &kind);
	hold(&a, n);
	must(a.counted == 0);
	hazptr_sync_shared_drop(&a.place);
	settle();
	must(box_references(&a.box) == n);
	hold(&b, n);
	must(b.counted == 0 || !slots_by_cpu());
}

static void promoted_ones_leave_the_room_at_first(void **state)
{
	struct test_result r;

	(void)state;
	test_child_run(&r, "promotes first", test_fence_assignment());
	if (r.status)
		fail_msg("status %x: %s", (unsigned)r.status, r.err);
}

/* Threads that come and go */

static void *loads_and_drops(void *arg)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct held *h = (struct held *)arg;
	int i;

	for (i = 0; i < 3; i++)
		must(hazptr_thread_shared_load(&ts, &h->place) ==
		     node_of(&h->box));
	hazptr_thread_shared_drop(&ts);
	return NULL;
}

static void threads_come_and_go(void **state)
{
	struct held h;
	uint64_t slots;
	int i;

	place_new(&h, state);
	test_join(test_start(loads_and_drops, &h));
	slots = promotions().slots;
	for (i = 0; i < TEST_MANY(10000); i++)
		test_join(test_start(loads_and_drops, &h));
	assert_int_equal(promotions().slots, slots);
	assert_int_equal(box_references(&h.box), 1);
	place_end(&h);
}

#define AT_ONCE 200

static sem_t has_it, may_go;

static void *holds_one(void *arg)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct held *h = (struct held *)arg;

	must(hazptr_thread_shared_load(&ts, &h->place) == node_of(&h->box));
	must(!sem_post(&has_it));
	test_wait(&may_go);
	must(box_gone(&h->box) == 0);
	hazptr_thread_shared_drop(&ts);
	return NULL;
}

/* All on one processor: few have a slot, and all have the node. */
static void many_threads_at_once(void **state)
{
	uint64_t slots = promotions().slots;
	pthread_t threads[AT_ONCE];
	struct held h;
	int i;

	assert_int_equal(sem_init(&has_it, 0, 0), 0);
	assert_int_equal(sem_init(&may_go, 0, 0), 0);
	place_new(&h, state);
	for (i = 0; i < AT_ONCE; i++)
		threads[i] = test_start(holds_one, &h);
	for (i = 0; i < AT_ONCE; i++)
		test_wait(&has_it);
	if (by_cpu) {
		assert_int_equal(promotions().slots, slots);
		assert_int_equal(box_references(&h.box), 1 + AT_ONCE - room);
	}
	hazptr_sync_shared_drop(&h.place);
	settle();
	assert_int_equal(box_gone(&h.box), 0);
	assert_int_equal(box_references(&h.box),
			 by_cpu ? AT_ONCE - room : AT_ONCE);
	for (i = 0; i < AT_ONCE; i++)
		must(!sem_post(&may_go));
	for (i = 0; i < AT_ONCE; i++)
		test_join(threads[i]);
	assert_released(&h.box);
}

static int group_setup(void **state)
{
	(void)state;
	begin(NULL);
	by_cpu = slots_by_cpu();
	room = room_now();
	return 0;
}

static const struct test_child children[] = {
	{ "promotes first", child_promotes_first },
};

#define ON_ONE(f)                                                        \
	{ #f, f, begin, end, NULL },                                     \
	{                                                                \
		COUNT_FIRST_NAME(f), f, begin, end, (void *)(uintptr_t)1 \
	}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		ON_ONE(there_is_room_for_eight),
		ON_ONE(beyond_it_they_are_counted),
		ON_ONE(borrowed_beyond_it),
		ON_ONE(counted_ones_keep_the_node),
		ON_ONE(every_slot_is_taken_again),
		ON_ONE(promoted_ones_leave_the_room),
		ON_ONE(promoted_again_and_again),
		ON_ONE(dropped_on_another_processor),
		ON_ONE(promoted_while_elsewhere),
		ON_ONE(moved_all_the_time),
		ON_ONE(old_ones_are_promoted),
		ON_ONE(all_that_are_old),
		ON_ONE(borrowed_ones_are_promoted),
		ON_ONE(never_means_never),
		ON_ONE(a_lower_maximum_counts_at_once),
		ON_ONE(aging_begins_again),
		ON_ONE(there_is_room_after_a_rest),
		cmocka_unit_test(promoted_ones_leave_the_room_at_first),
		ON_ONE(threads_come_and_go),
		ON_ONE(many_threads_at_once),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, group_setup, nodes_teardown);
}
