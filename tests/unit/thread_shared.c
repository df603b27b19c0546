/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/thread_shared.c - references that touch no count
 *
 * What each call does; that a holder keeps the node and delays nobody; ends:
 * threads, and fork. Nothing is promoted by age here. Where the slots are, and
 * how many, is in thread_shared_slots.c; races are in thread_shared_race.c.
 */
#include "nodes.h"

#define OTHERS_MAX 40

/* Others that the thread holds already. */

static struct hazptr_thread_shared others[OTHERS_MAX];
static struct hazptr_sync_shared others_place;
static struct box others_box;

static int others_setup(void **state)
{
	size_t i, n = (size_t)(uintptr_t)*state;
	struct hazptr_shared sp = box_new(&others_box);

	hazptr_sync_shared_store(&others_place, &sp);
	for (i = 0; i < n; i++)
		must(hazptr_thread_shared_load(&others[i], &others_place));
	return 0;
}

static int others_teardown(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < OTHERS_MAX; i++)
		hazptr_thread_shared_drop(&others[i]);
	if (box_references(&others_box) != 1)
		return -1;
	hazptr_sync_shared_drop(&others_place);
	settle();
	return box_gone(&others_box) == 1 ? 0 : -1;
}

#define OTHERS(f, n)                                                 \
	{                                                            \
		BESIDE_NAME(f, n), f, others_setup, others_teardown, \
			(void *)(uintptr_t)(n)                       \
	}
/* A free inline slot; the second one; the last ones; none. */
#define BESIDE_OTHERS(f)                                                      \
	OTHERS(f, 0), OTHERS(f, 1), OTHERS(f, 2), OTHERS(f, 7), OTHERS(f, 8), \
		OTHERS(f, 15), OTHERS(f, 16), OTHERS(f, 40)

static void stored_new(struct hazptr_sync_shared *ssp, struct box *b,
		       void **state)
{
	struct hazptr_shared sp = box_of_kind(b, state);

	hazptr_sync_shared_store(ssp, &sp);
}

/* Null */

static void null_is_null(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT, zeroed;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared null = { NULL };

	(void)state;
	memset(&zeroed, 0, sizeof(zeroed));
	assert_memory_equal(&ts, &zeroed, sizeof(ts));
	assert_null(hazptr_thread_shared_get(&ts));
	assert_null(hazptr_thread_shared_load(&ts, &ssp));
	assert_null(hazptr_thread_shared_borrow(&ts, null));
	assert_true(hazptr_shared_is_null(hazptr_thread_shared_to_shared(&ts)));
	hazptr_thread_shared_drop(&ts);
	hazptr_thread_shared_drop(&ts);
	assert_null(hazptr_thread_shared_get(&ts));
}

static void load_of_null_drops_what_it_had(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL }, empty = { NULL };
	struct hazptr_shared null = { NULL };
	struct box b;

	stored_new(&ssp, &b, state);
	assert_non_null(hazptr_thread_shared_load(&ts, &ssp));
	hazptr_sync_shared_drop(&ssp);
	assert_alive(&b);
	assert_null(hazptr_thread_shared_load(&ts, &empty));
	assert_null(hazptr_thread_shared_get(&ts));
	assert_released(&b);
	stored_new(&ssp, &b, state);
	assert_non_null(hazptr_thread_shared_load(&ts, &ssp));
	hazptr_sync_shared_drop(&ssp);
	assert_null(hazptr_thread_shared_borrow(&ts, null));
	assert_null(hazptr_thread_shared_get(&ts));
	assert_released(&b);
}

/* Load, get, drop */

static void the_count_is_not_touched(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct box b;
	int i;

	stored_new(&ssp, &b, state);
	for (i = 0; i < 100; i++) {
		assert_ptr_equal(hazptr_thread_shared_load(&ts, &ssp),
				 node_of(&b));
		assert_ptr_equal(hazptr_thread_shared_get(&ts), node_of(&b));
		assert_int_equal(box_references(&b), 1);
		hazptr_thread_shared_drop(&ts);
		assert_null(hazptr_thread_shared_get(&ts));
		assert_int_equal(box_references(&b), 1);
	}
	hazptr_sync_shared_drop(&ssp);
	assert_released(&b);
}

static void holds_it(void (*drop)(struct hazptr_sync_shared *ssp))
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box b;

	sp = box_new(&b);
	hazptr_sync_shared_store(&ssp, &sp);
	assert_ptr_equal(hazptr_thread_shared_load(&ts, &ssp), node_of(&b));
	drop(&ssp);
	settle(); /* it waits for no holder */
	assert_int_equal(box_gone(&b), 0);
	assert_int_equal(box_references(&b), 1); /* a counted one by now */
	assert_ptr_equal(hazptr_thread_shared_get(&ts), node_of(&b));
	hazptr_thread_shared_drop(&ts);
	assert_released(&b);
}

static void holder_keeps_it(void **state)
{
	(void)state;
	holds_it(hazptr_sync_shared_drop);
	holds_it(hazptr_sync_shared_drop_sync);
}

static void holder_keeps_a_count_first_one(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box b;
	int turn;

	(void)state;
	for (turn = 0; turn < 2; turn++) {
		sp = box_new_count_first(&b);
		hazptr_sync_shared_store(&ssp, &sp);
		assert_non_null(hazptr_thread_shared_load(&ts, &ssp));
		if (turn)
			hazptr_sync_shared_drop_sync(&ssp);
		else
			hazptr_sync_shared_drop(&ssp);
		settle();
		assert_int_equal(box_gone(&b), 0);
		assert_int_equal(box_references(&b), 1);
		hazptr_thread_shared_drop(&ts);
		assert_released(&b);
	}
}

static void dropped_before_the_scan(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct box b;

	stored_new(&ssp, &b, state);
	assert_non_null(hazptr_thread_shared_load(&ts, &ssp));
	hazptr_sync_shared_drop(&ssp);
	hazptr_thread_shared_drop(&ts);
	assert_released(&b);
}

static void a_second_load_drops_the_first(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared first = { NULL }, second = { NULL };
	struct box a, b;

	stored_new(&first, &a, state);
	stored_new(&second, &b, state);
	assert_ptr_equal(hazptr_thread_shared_load(&ts, &first), node_of(&a));
	hazptr_sync_shared_drop(&first);
	assert_alive(&a);
	assert_ptr_equal(hazptr_thread_shared_load(&ts, &second), node_of(&b));
	assert_released(&a);
	hazptr_sync_shared_drop(&second);
	assert_alive(&b);
	hazptr_thread_shared_drop(&ts);
	assert_released(&b);
}

/* The same node, again and again, from a pointer that has changed meanwhile. */
static void loads_see_what_is_stored(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	static struct box boxes[1000];
	size_t i;

	for (i = 0; i < TEST_COUNT(boxes); i++) {
		stored_new(&ssp, &boxes[i], state);
		assert_ptr_equal(hazptr_thread_shared_load(&ts, &ssp),
				 node_of(&boxes[i]));
	}
	hazptr_thread_shared_drop(&ts);
	hazptr_sync_shared_drop(&ssp);
	settle();
	for (i = 0; i < TEST_COUNT(boxes); i++)
		assert_int_equal(box_gone(&boxes[i]), 1);
}

static void errno_is_left_alone(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct box b;

	errno = 12345;
	stored_new(&ssp, &b, state);
	hazptr_thread_shared_load(&ts, &ssp);
	hazptr_sync_shared_drop(&ssp);
	hazptr_thread_shared_drop(&ts);
	hazptr_thread_shared_set_max_age_ms(0);
	promotions();
	assert_int_equal(errno, 12345);
	assert_released(&b);
}

/* Borrow */

static void borrow_then_drop_the_shared(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state);

	assert_ptr_equal(hazptr_thread_shared_borrow(&ts, sp), node_of(&b));
	assert_ptr_equal(hazptr_thread_shared_get(&ts), node_of(&b));
	assert_int_equal(box_references(&b), 1);
	hazptr_shared_drop(&sp);
	settle();
	assert_int_equal(box_gone(&b), 0);
	assert_int_equal(box_references(&b), 1);
	hazptr_thread_shared_drop(&ts);
	assert_released(&b);
}

static void borrow_then_drop_sync_the_shared(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state);

	hazptr_thread_shared_borrow(&ts, sp);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(box_gone(&b), 0);
	assert_int_equal(box_references(&b), 1);
	hazptr_thread_shared_drop(&ts);
	assert_released(&b);
}

static void borrow_and_give_back(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state);

	hazptr_thread_shared_borrow(&ts, sp);
	hazptr_thread_shared_drop(&ts);
	assert_int_equal(box_references(&b), 1);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(box_gone(&b), 1);
	assert_true(pthread_equal(b.by, pthread_self()));
}

static void borrow_drops_what_it_had(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_shared sp, other;
	struct box a, b;

	sp = box_of_kind(&a, state);
	other = box_of_kind(&b, state);
	hazptr_thread_shared_borrow(&ts, sp);
	hazptr_shared_drop(&sp);
	hazptr_thread_shared_borrow(&ts, other);
	assert_released(&a);
	hazptr_shared_drop(&other);
	assert_alive(&b);
	hazptr_thread_shared_drop(&ts);
	assert_released(&b);
}

/* to_shared */

static void to_shared_is_a_reference_more(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	uint64_t before = promotions().promoted_by_request;
	struct hazptr_shared sp;
	struct box b;

	stored_new(&ssp, &b, state);
	hazptr_thread_shared_load(&ts, &ssp);
	sp = hazptr_thread_shared_to_shared(&ts);
	assert_ptr_equal(sp.node, node_of(&b));
	assert_ptr_equal(hazptr_thread_shared_get(&ts), node_of(&b));
	assert_int_equal(box_references(&b), 2);
	assert_int_equal(promotions().promoted_by_request, before + 1);
	hazptr_sync_shared_drop(&ssp);
	hazptr_thread_shared_drop(&ts);
	settle();
	assert_int_equal(box_gone(&b), 0);
	assert_int_equal(box_references(&b), 1);
	hazptr_shared_drop(&sp);
	assert_released(&b);
}

static void to_shared_first_dropped_later(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box b;

	stored_new(&ssp, &b, state);
	hazptr_thread_shared_load(&ts, &ssp);
	hazptr_sync_shared_drop(&ssp);
	sp = hazptr_thread_shared_to_shared(&ts); /* while the scan waits */
	settle();
	hazptr_shared_drop(&sp);
	settle();
	assert_int_equal(box_gone(&b), 0);
	sp = hazptr_thread_shared_to_shared(&ts); /* when it is promoted */
	hazptr_thread_shared_drop(&ts);
	settle();
	assert_int_equal(box_gone(&b), 0);
	hazptr_shared_drop(&sp);
	assert_released(&b);
}

/* Also when nothing but the slot is left. */
static void to_shared_of_the_last_one(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared a, b;
	struct box box;

	stored_new(&ssp, &box, state);
	hazptr_thread_shared_load(&ts, &ssp);
	hazptr_sync_shared_drop(&ssp);
	a = hazptr_thread_shared_to_shared(&ts);
	b = hazptr_thread_shared_to_shared(&ts);
	hazptr_thread_shared_drop(&ts);
	hazptr_shared_drop(&a);
	settle();
	assert_int_equal(box_gone(&box), 0);
	assert_int_equal(box_references(&box), 1);
	hazptr_shared_drop(&b);
	assert_released(&box);
}

/* Promotion by a scan */

struct holder {
	struct hazptr_thread_shared ts;
	struct hazptr_sync_shared *place;
};

static void does_load(void *arg)
{
	struct holder *h = (struct holder *)arg;

	must(hazptr_thread_shared_load(&h->ts, h->place) != NULL);
}

static void does_ts_drop(void *arg)
{
	hazptr_thread_shared_drop(&((struct holder *)arg)->ts);
}

/* They sleep, and delay nobody. */
static void sleeping_holders_are_promoted(void **state)
{
	enum { HOLDERS = 3 };
	struct hazptr_sync_shared ssp = { NULL };
	uint64_t before = promotions().promoted_by_scan;
	struct holder holders[HOLDERS];
	struct hand hands[HOLDERS];
	struct box b;
	size_t i;

	stored_new(&ssp, &b, state);
	memset(holders, 0, sizeof(holders));
	for (i = 0; i < HOLDERS; i++) {
		holders[i].place = &ssp;
		hand_start(&hands[i]);
		hand_do(&hands[i], does_load, &holders[i]);
	}
	assert_int_equal(box_references(&b), 1);
	hazptr_sync_shared_drop(&ssp);
	settle();
	assert_int_equal(promotions().promoted_by_scan, before + HOLDERS);
	assert_int_equal(box_references(&b), HOLDERS);
	for (i = 0; i < HOLDERS; i++) {
		settle();
		assert_int_equal(box_gone(&b), 0);
		hand_do(&hands[i], does_ts_drop, &holders[i]);
		hand_stop(&hands[i]);
	}
	assert_released(&b);
	assert_int_equal(promotions().promoted_by_scan, before + HOLDERS);
}

static void sleeping_holders_and_drop_sync(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct holder holder;
	struct hand hand;
	struct box b;

	stored_new(&ssp, &b, state);
	memset(&holder, 0, sizeof(holder));
	holder.place = &ssp;
	hand_start(&hand);
	hand_do(&hand, does_load, &holder);
	hazptr_sync_shared_drop_sync(&ssp);
	assert_int_equal(box_gone(&b), 0);
	assert_int_equal(box_references(&b), 1);
	hand_do(&hand, does_ts_drop, &holder);
	hand_stop(&hand);
	assert_released(&b);
}

/* Who holds another node is left alone. */
static void others_are_not_promoted(void **state)
{
	struct hazptr_thread_shared ts[4];
	struct hazptr_sync_shared place[4];
	uint64_t before = promotions().promoted_by_scan;
	struct box boxes[4];
	size_t i;

	memset(ts, 0, sizeof(ts));
	memset(place, 0, sizeof(place));
	for (i = 0; i < 4; i++) {
		stored_new(&place[i], &boxes[i], state);
		hazptr_thread_shared_load(&ts[i], &place[i]);
	}
	hazptr_sync_shared_drop(&place[2]);
	settle();
	assert_int_equal(promotions().promoted_by_scan, before + 1);
	for (i = 0; i < 4; i++) {
		hazptr_thread_shared_drop(&ts[i]);
		hazptr_sync_shared_drop(&place[i]);
	}
	settle();
	assert_int_equal(promotions().promoted_by_scan, before + 1);
	for (i = 0; i < 4; i++)
		assert_int_equal(box_gone(&boxes[i]), 1);
}

/* A store that leaves the node elsewhere ends no reference. */
static void the_node_stands_elsewhere_too(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared a = { NULL }, b = { NULL };
	struct hazptr_shared sp;
	struct box box;

	sp = box_of_kind(&box, state);
	hazptr_sync_shared_store_copy(&a, sp);
	hazptr_sync_shared_store(&b, &sp);
	hazptr_thread_shared_load(&ts, &a);
	hazptr_sync_shared_drop(&a);
	settle();
	hazptr_thread_shared_drop(&ts);
	settle();
	assert_int_equal(box_gone(&box), 0);
	assert_int_equal(box_references(&box), 1);
	hazptr_sync_shared_drop(&b);
	assert_released(&box);
}

/* A guard besides: the release waits for both. */
static void beside_a_guard(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct box b;
	int turn;

	for (turn = 0; turn < 2; turn++) {
		stored_new(&ssp, &b, state);
		hazptr_thread_shared_load(&ts, &ssp);
		must(hazptr_protect(&g, &ssp.node) == node_of(&b));
		hazptr_sync_shared_drop(&ssp);
		assert_alive(&b);
		if (turn)
			hazptr_release(&g);
		else
			hazptr_thread_shared_drop(&ts);
		assert_alive(&b);
		hazptr_release(&g);
		hazptr_thread_shared_drop(&ts);
		assert_released(&b);
	}
}

/* Threads use what contexts they like: the slots are others. */
static void across_a_context_switch(void **state)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_context c;
	struct box b;

	stored_new(&ssp, &b, state);
	assert_int_equal(hazptr_context_init(&c), 0);
	hazptr_context_switch(&c);
	hazptr_thread_shared_load(&ts, &ssp);
	hazptr_context_switch(NULL);
	hazptr_context_cleanup(&c);
	hazptr_sync_shared_drop(&ssp);
	settle();
	assert_int_equal(box_gone(&b), 0);
	hazptr_thread_shared_drop(&ts);
	assert_released(&b);
}

/* A thread's first call may be any of these. */

static struct hazptr_sync_shared first_place;

static void *first_load(void *arg)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	must(hazptr_thread_shared_load(&ts, &first_place) == arg);
	hazptr_thread_shared_drop(&ts);
	return NULL;
}

static void *first_borrow(void *arg)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_shared sp = { (struct hazptr_shared_node *)arg };

	must(hazptr_thread_shared_borrow(&ts, sp) == arg);
	hazptr_thread_shared_drop(&ts);
	return NULL;
}

static void *first_stats(void *arg)
{
	promotions();
	hazptr_thread_shared_set_max_age_ms(0);
	return arg;
}

static void any_call_is_a_threads_first(void **state)
{
	struct box b;

	stored_new(&first_place, &b, state);
	test_join(test_start(first_load, node_of(&b)));
	test_join(test_start(first_borrow, node_of(&b)));
	test_join(test_start(first_stats, NULL));
	assert_int_equal(box_references(&b), 1);
	hazptr_sync_shared_drop(&first_place);
	assert_released(&b);
}

/* Figures */

static void stats_of_other_sizes(void **state)
{
	struct hazptr_promotion_stats s;

	(void)state;
	memset(&s, 0xAA, sizeof(s));
	s.size = offsetof(struct hazptr_promotion_stats, fallen_back);
	hazptr_thread_shared_stats(&s);
	assert_int_equal(s.size,
			 offsetof(struct hazptr_promotion_stats, fallen_back));
	assert_true(s.taken != 0xAAAAAAAAAAAAAAAAu);
	assert_true(s.fallen_back == 0xAAAAAAAAAAAAAAAAu);
	assert_true(s.slots == 0xAAAAAAAAAAAAAAAAu);
}

static void slots_are_there(void **state)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	(void)state;
	if (slots_by_cpu())
		assert_true(promotions().slots >= 8 * (uint64_t)cpus);
	else
		assert_true(promotions().slots >= 8);
}

/* Taking one is counted when the environment wants it. */
static void child_counts_all(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	void *kind = NULL;
	struct box b;
	unsigned i;

	stored_new(&ssp, &b, &kind);
	for (i = 1; i <= 100; i++) {
		hazptr_thread_shared_load(&ts, &ssp);
		must(box_references(&b) == 1);
		hazptr_thread_shared_drop(&ts);
		must(promotions().taken == i);
		must(promotions().fallen_back == 0);
	}
}

static void stats_on_demand(void **state)
{
	struct test_result r;

	(void)state;
	assert_int_equal(setenv("HAZPTR_STATS", "1", 1), 0);
	test_child_run(&r, "counts all", test_fence_assignment());
	unsetenv("HAZPTR_STATS");
	if (r.status)
		fail_msg("status %x: %s", (unsigned)r.status, r.err);
}

static const struct test_child children[] = {
	{ "counts all", child_counts_all },
};

static int group_setup(void **state)
{
	(void)state;
	hazptr_thread_shared_set_max_age_ms(0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_is_null),
		BOTH_KINDS(load_of_null_drops_what_it_had),
		BOTH_KINDS(the_count_is_not_touched),
		BESIDE_OTHERS(holder_keeps_it),
		BESIDE_OTHERS(holder_keeps_a_count_first_one),
		BOTH_KINDS(dropped_before_the_scan),
		BOTH_KINDS(a_second_load_drops_the_first),
		BOTH_KINDS(loads_see_what_is_stored),
		BOTH_KINDS(errno_is_left_alone),
		BOTH_KINDS(borrow_then_drop_the_shared),
		BOTH_KINDS(borrow_then_drop_sync_the_shared),
		BOTH_KINDS(borrow_and_give_back),
		BOTH_KINDS(borrow_drops_what_it_had),
		BOTH_KINDS(to_shared_is_a_reference_more),
		BOTH_KINDS(to_shared_first_dropped_later),
		BOTH_KINDS(to_shared_of_the_last_one),
		BOTH_KINDS(sleeping_holders_are_promoted),
		BOTH_KINDS(sleeping_holders_and_drop_sync),
		BOTH_KINDS(others_are_not_promoted),
		BOTH_KINDS(the_node_stands_elsewhere_too),
		BOTH_KINDS(beside_a_guard),
		BOTH_KINDS(across_a_context_switch),
		BOTH_KINDS(any_call_is_a_threads_first),
		cmocka_unit_test(stats_of_other_sizes),
		cmocka_unit_test(slots_are_there),
		cmocka_unit_test(stats_on_demand),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, group_setup, nodes_teardown);
}
