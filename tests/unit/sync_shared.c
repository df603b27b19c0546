/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/sync_shared.c - sync pointers
 *
 * What each call does, alone; guards that keep a node beyond its last
 * reference. The races are in sync_shared_race.c.
 */
#include "nodes.h"

#define TOO_MANY 0x40000000u

/* The only reference is the sync pointer's. */
static void stored_new(struct hazptr_sync_shared *ssp, struct box *b,
		       void **state)
{
	struct hazptr_shared sp = box_of_kind(b, state);

	hazptr_sync_shared_store(ssp, &sp);
	assert_true(hazptr_shared_is_null(sp));
}

/* Null */

static void null_gives_null(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = { NULL };

	(void)state;
	assert_true(hazptr_shared_is_null(hazptr_sync_shared_load(&ssp)));
	hazptr_sync_shared_drop(&ssp);
	hazptr_sync_shared_drop_sync(&ssp);
	hazptr_sync_shared_store(&ssp, &sp);
	hazptr_sync_shared_store_copy(&ssp, sp);
	sp = hazptr_sync_shared_exchange(&ssp, &sp);
	assert_true(hazptr_shared_is_null(sp));
	assert_true(hazptr_sync_shared_compare_exchange(&ssp, sp, &sp));
	assert_null(ssp.node);
}

/* One call each */

static void load_is_a_reference_more(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared a, b;
	struct box box;

	stored_new(&ssp, &box, state);
	assert_int_equal(box_references(&box), 1);
	a = hazptr_sync_shared_load(&ssp);
	assert_ptr_equal(a.node, node_of(&box));
	assert_int_equal(box_references(&box), 2);
	b = hazptr_sync_shared_load(&ssp);
	assert_int_equal(box_references(&box), 3);
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
	hazptr_shared_drop(&a);
	hazptr_shared_drop(&b);
	assert_int_equal(box_references(&box), 1);
	assert_alive(&box);
	hazptr_sync_shared_drop(&ssp);
	assert_released(&box);
}

/* Its guard is a guard like all. */
static void load_and_drop(void **state)
{
	void *kind = NULL, **no_state = &kind;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box box;

	(void)state;
	stored_new(&ssp, &box, no_state);
	sp = hazptr_sync_shared_load(&ssp);
	assert_int_equal(box_references(&box), 2);
	hazptr_sync_shared_drop(&ssp);
	assert_alive(&box);
	hazptr_shared_drop(&sp);
	assert_released(&box);
}

static void store_drops_what_was_there(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box a, b;

	stored_new(&ssp, &a, state);
	assert_alive(&a);
	stored_new(&ssp, &b, state);
	assert_released(&a);
	assert_alive(&b);
	hazptr_sync_shared_drop(&ssp);
	assert_null(ssp.node);
	assert_released(&b);
}

static void a_loaded_one_outlives_a_store(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box a, b;

	stored_new(&ssp, &a, state);
	sp = hazptr_sync_shared_load(&ssp);
	stored_new(&ssp, &b, state);
	settle();
	assert_int_equal(box_gone(&a), 0);
	assert_int_equal(box_references(&a), 1);
	hazptr_shared_drop(&sp);
	assert_released(&a);
	hazptr_sync_shared_drop(&ssp);
	assert_released(&b);
}

static void store_of_the_same_node(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box box;
	int i;

	stored_new(&ssp, &box, state);
	for (i = 0; i < 100; i++) {
		sp = hazptr_sync_shared_load(&ssp);
		hazptr_sync_shared_store(&ssp, &sp);
	}
	settle();
	assert_int_equal(box_gone(&box), 0);
	assert_int_equal(box_references(&box), 1);
	hazptr_sync_shared_drop(&ssp);
	assert_released(&box);
}

static void store_copy_leaves_the_source(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box a, b;
	struct hazptr_shared sp = box_of_kind(&a, state);

	stored_new(&ssp, &b, state);
	hazptr_sync_shared_store_copy(&ssp, sp);
	assert_ptr_equal(sp.node, node_of(&a));
	assert_ptr_equal(ssp.node, node_of(&a));
	assert_int_equal(box_references(&a), 2);
	assert_released(&b);
	hazptr_sync_shared_drop(&ssp);
	settle();
	assert_int_equal(box_gone(&a), 0);
	assert_int_equal(box_references(&a), 1);
	hazptr_shared_drop(&sp);
	assert_released(&a);
}

static void exchange_moves_both_ways(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box a, b;
	struct hazptr_shared sp = box_of_kind(&b, state), out;

	stored_new(&ssp, &a, state);
	out = hazptr_sync_shared_exchange(&ssp, &sp);
	assert_true(hazptr_shared_is_null(sp));
	assert_ptr_equal(out.node, node_of(&a));
	assert_ptr_equal(ssp.node, node_of(&b));
	assert_int_equal(box_references(&a), 1);
	assert_int_equal(box_references(&b), 1);
	settle();
	assert_int_equal(box_gone(&a), 0);
	hazptr_shared_drop(&out);
	assert_released(&a);
	out = hazptr_sync_shared_exchange(&ssp, &out); /* takes it out */
	assert_null(ssp.node);
	assert_int_equal(box_references(&b), 1);
	hazptr_shared_drop(&out);
	assert_released(&b);
}

static void compare_exchange_moves_on_success(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box a, b;
	struct hazptr_shared desired = box_of_kind(&b, state), expected;

	stored_new(&ssp, &a, state);
	expected = hazptr_sync_shared_load(&ssp);
	assert_true(
		hazptr_sync_shared_compare_exchange(&ssp, expected, &desired));
	assert_true(hazptr_shared_is_null(desired));
	assert_ptr_equal(ssp.node, node_of(&b));
	assert_int_equal(box_references(&b), 1);
	settle();
	assert_int_equal(box_gone(&a), 0); /* expected is valid still */
	assert_int_equal(box_references(&a), 1);
	hazptr_shared_drop(&expected);
	assert_released(&a);
	hazptr_sync_shared_drop(&ssp);
	assert_released(&b);
}

static void compare_exchange_leaves_all_on_failure(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box a, b, c;
	struct hazptr_shared desired = box_of_kind(&b, state);
	struct hazptr_shared expected = box_of_kind(&c, state);
	struct hazptr_shared null = { NULL };

	stored_new(&ssp, &a, state);
	assert_false(
		hazptr_sync_shared_compare_exchange(&ssp, expected, &desired));
	assert_false(hazptr_sync_shared_compare_exchange(&ssp, null, &desired));
	assert_ptr_equal(desired.node, node_of(&b));
	assert_ptr_equal(ssp.node, node_of(&a));
	settle();
	assert_int_equal(box_references(&a), 1);
	assert_int_equal(box_references(&b), 1);
	assert_int_equal(box_references(&c), 1);
	hazptr_shared_drop(&desired);
	hazptr_shared_drop(&expected);
	hazptr_sync_shared_drop(&ssp);
	assert_released(&a);
	assert_released(&b);
	assert_released(&c);
}

static void compare_exchange_with_null(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box box;
	struct hazptr_shared sp = box_of_kind(&box, state);
	struct hazptr_shared null = { NULL };

	assert_true(hazptr_sync_shared_compare_exchange(&ssp, null, &sp));
	assert_true(hazptr_shared_is_null(sp));
	assert_ptr_equal(ssp.node, node_of(&box));
	sp = hazptr_sync_shared_load(&ssp);
	assert_true(hazptr_sync_shared_compare_exchange(&ssp, sp, &null));
	assert_null(ssp.node);
	settle();
	assert_int_equal(box_references(&box), 1);
	hazptr_shared_drop(&sp);
	assert_released(&box);
}

static void compare_exchange_of_a_node_with_itself(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared expected, desired;
	struct box box;

	stored_new(&ssp, &box, state);
	expected = hazptr_sync_shared_load(&ssp);
	desired = hazptr_shared_copy(expected);
	assert_true(
		hazptr_sync_shared_compare_exchange(&ssp, expected, &desired));
	assert_true(hazptr_shared_is_null(desired));
	settle();
	assert_int_equal(box_references(&box), 2);
	hazptr_shared_drop(&expected);
	hazptr_sync_shared_drop(&ssp);
	assert_released(&box);
}

static void drop_sync_releases_here(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box box;

	stored_new(&ssp, &box, state);
	hazptr_sync_shared_drop_sync(&ssp);
	assert_null(ssp.node);
	assert_int_equal(box_gone(&box), 1);
	assert_true(pthread_equal(box.by, pthread_self()));
}

static void drop_sync_of_one_of_two(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box box;

	stored_new(&ssp, &box, state);
	sp = hazptr_sync_shared_load(&ssp);
	hazptr_sync_shared_drop_sync(&ssp);
	assert_int_equal(box_gone(&box), 0);
	assert_int_equal(box_references(&box), 1);
	assert_alive(&box);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(box_gone(&box), 1);
	assert_true(pthread_equal(box.by, pthread_self()));
}

/* What the sync pointer had is a reference like any other. */
static void taken_out_and_dropped_sync(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared null = { NULL }, sp;
	struct box box;

	stored_new(&ssp, &box, state);
	sp = hazptr_sync_shared_exchange(&ssp, &null);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(box_gone(&box), 1);
	assert_true(pthread_equal(box.by, pthread_self()));
}

/* Too many */

static void loads_of_too_many_do_not_add_up(void **state)
{
	static struct box box; /* for ever */
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	uint32_t first;
	int i;

	stored_new(&ssp, &box, state);
	box_set_references(&box, TOO_MANY - 1);
	for (i = 0; i < 3; i++) {
		sp = hazptr_sync_shared_load(&ssp);
		assert_ptr_equal(sp.node, node_of(&box));
	}
	assert_in_range(box_references(&box), TOO_MANY, 2 * TOO_MANY - 1);
	first = box_references(&box);
	for (i = 0; i < 100000; i++) {
		sp = hazptr_sync_shared_load(&ssp);
		hazptr_shared_drop(&sp);
	}
	/* Else 2^29 loads would make it a dead one. */
	assert_in_range(box_references(&box), TOO_MANY, first + 1);
	hazptr_sync_shared_drop(&ssp);
	settle();
	assert_int_equal(box_gone(&box), 0);
	assert_true(box_references(&box) >= TOO_MANY);
}

/* Guards: who has found it may look at it until the guard is gone. */

static void does_barrier(void *arg)
{
	(void)arg;
	hazptr_barrier(NULL);
}

static void guard_keeps_it(void **kind)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hand waits;
	struct box box;

	stored_new(&ssp, &box, kind);
	assert_ptr_equal(hazptr_protect(&g, &ssp.node), node_of(&box));
	hazptr_sync_shared_drop(&ssp);
	assert_alive(&box);
	hand_start(&waits);
	hand_begin(&waits, does_barrier, NULL);
	assert_alive(&box);
	hazptr_release(&g);
	hand_end(&waits);
	hand_stop(&waits);
	assert_released(&box);
}

static void guard_keeps_a_node(void **state)
{
	void *kind = NULL;

	(void)state;
	guard_keeps_it(&kind);
}

static void guard_keeps_a_count_first_node(void **state)
{
	void *kind = &kind;

	(void)state;
	guard_keeps_it(&kind);
}

static void guard_keeps_what_was_taken_out(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared null = { NULL }, sp, copy;
	struct box box;

	stored_new(&ssp, &box, state);
	assert_non_null(hazptr_protect(&g, &ssp.node));
	sp = hazptr_sync_shared_exchange(&ssp, &null);
	copy = hazptr_shared_copy(sp);
	hazptr_shared_drop(&sp);
	hazptr_shared_drop(&copy);
	assert_alive(&box);
	hazptr_release(&g);
	assert_released(&box);
}

static void drop_sync_waits_for_a_guard(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hand drops;
	struct box box;

	stored_new(&ssp, &box, state);
	assert_non_null(hazptr_protect(&g, &ssp.node));
	hand_start(&drops);
	hand_begin(&drops, does_sync_drop_sync, &ssp);
	while (__atomic_load_n(&ssp.node, __ATOMIC_ACQUIRE))
		sched_yield();
	assert_alive(&box);
	hazptr_release(&g);
	hand_end(&drops);
	assert_int_equal(box_gone(&box), 1);
	assert_true(pthread_equal(box.by, drops.thread));
	hand_stop(&drops);
}

/* Under its guard, a reference can be had beyond the last one. */
static void copied_while_the_last_drop_waits(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = { NULL };
	struct box box;

	(void)state;
	sp = box_new(&box);
	hazptr_sync_shared_store(&ssp, &sp);
	sp.node = hazptr_protect(&g, &ssp.node);
	hazptr_sync_shared_drop(&ssp);
	assert_alive(&box);
	sp = hazptr_shared_copy(sp); /* as a load does */
	hazptr_release(&g);
	settle();
	assert_int_equal(box_gone(&box), 0);
	assert_int_equal(box_references(&box), 1);
	hazptr_shared_drop(&sp);
	assert_released(&box);
}

/* Of the other scheme it is not: the load has to look at its source again. */
static void count_first_is_dead_with_the_last_drop(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	struct box box, next;

	(void)state;
	sp = box_new_count_first(&box);
	hazptr_sync_shared_store(&ssp, &sp);
	assert_non_null(hazptr_protect(&g, &ssp.node));
	sp = box_new_count_first(&next);
	hazptr_sync_shared_store(&ssp, &sp);
	assert_true(node_of(&box)->counts & HAZPTR_DEAD_);
	sp.node = hazptr_sync_shared_load_slow_(&ssp);
	assert_ptr_equal(sp.node, node_of(&next));
	hazptr_release(&g);
	assert_released(&box);
	hazptr_shared_drop(&sp);
	hazptr_sync_shared_drop(&ssp);
	assert_released(&next);
}

/* The same node in many places. */

static void many_sync_pointers_to_one_node(void **state)
{
	struct hazptr_sync_shared places[1000];
	struct hazptr_shared sp;
	struct box box;
	size_t i;

	memset(places, 0, sizeof(places));
	sp = box_of_kind(&box, state);
	for (i = 0; i < TEST_COUNT(places); i++)
		hazptr_sync_shared_store_copy(&places[i], sp);
	hazptr_shared_drop(&sp);
	assert_int_equal(box_references(&box), TEST_COUNT(places));
	for (i = 0; i + 1 < TEST_COUNT(places); i++)
		hazptr_sync_shared_drop(&places[i]);
	settle();
	assert_int_equal(box_gone(&box), 0);
	assert_int_equal(box_references(&box), 1);
	hazptr_sync_shared_drop(&places[i]);
	assert_released(&box);
}

/* Misuse */

static struct box victim;

static void child_sync_drop_of_none(void)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = box_new(&victim), again = sp;

	hazptr_sync_shared_store(&ssp, &sp);
	hazptr_shared_drop(&again);
	test_names(node_of(&victim));
	hazptr_sync_shared_drop(&ssp);
}

static void child_sync_drop_sync_of_none(void)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = box_new(&victim), again = sp;

	hazptr_sync_shared_store(&ssp, &sp);
	hazptr_shared_drop_sync(&again);
	test_names(node_of(&victim));
	hazptr_sync_shared_drop_sync(&ssp);
}

static const struct test_child children[] = {
	{ "sync drop of none", child_sync_drop_of_none },
	{ "sync drop_sync of none", child_sync_drop_sync_of_none },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_gives_null),
		BOTH_KINDS(load_is_a_reference_more),
		CROWDED(load_and_drop),
		BOTH_KINDS(store_drops_what_was_there),
		BOTH_KINDS(a_loaded_one_outlives_a_store),
		BOTH_KINDS(store_of_the_same_node),
		BOTH_KINDS(store_copy_leaves_the_source),
		BOTH_KINDS(exchange_moves_both_ways),
		BOTH_KINDS(compare_exchange_moves_on_success),
		BOTH_KINDS(compare_exchange_leaves_all_on_failure),
		BOTH_KINDS(compare_exchange_with_null),
		BOTH_KINDS(compare_exchange_of_a_node_with_itself),
		BOTH_KINDS(drop_sync_releases_here),
		BOTH_KINDS(drop_sync_of_one_of_two),
		BOTH_KINDS(taken_out_and_dropped_sync),
		BOTH_KINDS(loads_of_too_many_do_not_add_up),
		CROWDED(guard_keeps_a_node),
		CROWDED(guard_keeps_a_count_first_node),
		BOTH_KINDS(guard_keeps_what_was_taken_out),
		BOTH_KINDS(drop_sync_waits_for_a_guard),
		cmocka_unit_test(copied_while_the_last_drop_waits),
		cmocka_unit_test(count_first_is_dead_with_the_last_drop),
		BOTH_KINDS(many_sync_pointers_to_one_node),
		MISUSE("sync drop of none", "hazptr_sync_shared_drop"),
		MISUSE("sync drop_sync of none",
		       "hazptr_sync_shared_drop_sync"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
