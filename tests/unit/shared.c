/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/shared.c - shared pointers, without sync pointers
 *
 * What is freed is seen by a free() of our own (the program is linked with
 * --wrap=free).
 */
#include "nodes.h"

#include <limits.h>

#define TOO_MANY 0x40000000u

/* Nodes that are freed: from a place of our own. */

#define FREED 100

static struct hazptr_shared_node freed[FREED];
static int freed_n[FREED];

#ifdef __cplusplus
extern "C" {
#endif
void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	struct hazptr_shared_node *node = (struct hazptr_shared_node *)p;

	if (node < freed || node >= freed + FREED)
		__real_free(p);
	else
		__atomic_fetch_add(&freed_n[node - freed], 1, __ATOMIC_RELEASE);
}
#ifdef __cplusplus
}
#endif

static int freed_times(size_t i)
{
	return __atomic_load_n(&freed_n[i], __ATOMIC_ACQUIRE);
}

/* Null */

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct hazptr_shared), sizeof(void *));
	assert_int_equal(sizeof(struct hazptr_sync_shared), sizeof(void *));
	assert_int_equal(sizeof(struct hazptr_shared_node),
			 2 * sizeof(void *) + sizeof(uint64_t));
}

static void null_owns_nothing(void **state)
{
	struct hazptr_shared null = { NULL }, copy;

	(void)state;
	assert_true(hazptr_shared_is_null(null));
	copy = hazptr_shared_copy(null);
	assert_true(hazptr_shared_is_null(copy));
	hazptr_shared_drop(&null);
	hazptr_shared_drop(&null);
	hazptr_shared_drop_sync(&null);
	assert_true(hazptr_shared_is_null(null));
}

static void no_node_gives_null(void **state)
{
	(void)state;
	assert_true(
		hazptr_shared_is_null(hazptr_shared_create(NULL, box_release)));
	assert_true(hazptr_shared_is_null(
		hazptr_shared_create_count_first(NULL, box_release)));
	assert_true(hazptr_shared_is_null(
		hazptr_shared_create_weak(NULL, NULL, box_release)));
}

/* One reference, two, many. */

static void the_last_drop_releases(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state);

	assert_false(hazptr_shared_is_null(sp));
	assert_ptr_equal(sp.node, node_of(&b));
	assert_int_equal(box_references(&b), 1);
	assert_alive(&b);
	hazptr_shared_drop(&sp);
	assert_true(hazptr_shared_is_null(sp));
	assert_released(&b);
}

static void a_copy_is_a_reference_more(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state), copy;

	copy = hazptr_shared_copy(sp);
	assert_ptr_equal(copy.node, sp.node);
	assert_int_equal(box_references(&b), 2);
	hazptr_shared_drop(&sp);
	assert_int_equal(box_references(&b), 1);
	assert_alive(&b);
	sp = hazptr_shared_copy(copy);
	hazptr_shared_drop(&copy);
	assert_alive(&b);
	hazptr_shared_drop(&sp);
	assert_released(&b);
}

static void many_copies(void **state)
{
	struct hazptr_shared copies[1000];
	struct box b;
	size_t i;

	copies[0] = box_of_kind(&b, state);
	for (i = 1; i < TEST_COUNT(copies); i++)
		copies[i] = hazptr_shared_copy(copies[i / 2]);
	assert_int_equal(box_references(&b), TEST_COUNT(copies));
	for (i = 1; i < TEST_COUNT(copies); i++)
		hazptr_shared_drop(&copies[i]);
	assert_alive(&b);
	hazptr_shared_drop(&copies[0]);
	assert_released(&b);
}

/* Assignment moves: of the two, one is used. */
static void assignment_moves(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state), other = sp;

	assert_int_equal(box_references(&b), 1);
	hazptr_shared_drop(&other);
	assert_released(&b);
}

/* Not even when the caller flushes and waits. */
static void no_release_in_the_caller(void **state)
{
	static struct box boxes[1000];
	struct hazptr_shared sp;
	size_t i;

	for (i = 0; i < TEST_COUNT(boxes); i++) {
		sp = box_of_kind(&boxes[i], state);
		hazptr_shared_drop(&sp);
		if (i % 100 == 0)
			hazptr_flush(NULL);
	}
	settle();
	for (i = 0; i < TEST_COUNT(boxes); i++) {
		assert_int_equal(box_gone(&boxes[i]), 1);
		assert_false(pthread_equal(boxes[i].by, pthread_self()));
		assert_true(pthread_equal(boxes[i].by, boxes[0].by));
	}
}

/* Each release drops the next; none runs within another. */
static void releases_are_not_nested(void **state)
{
	static struct box boxes[100];
	struct hazptr_shared sp = { NULL }, previous;
	size_t i;

	for (i = 0; i < TEST_COUNT(boxes); i++) {
		previous = sp;
		sp = box_of_kind(&boxes[i], state);
		boxes[i].next = previous;
	}
	hazptr_shared_drop(&sp);
	settle();
	for (i = 0; i < TEST_COUNT(boxes); i++)
		assert_int_equal(box_gone(&boxes[i]), 1);
}

/* The memory is the owner's again. */
static void a_node_lives_again(void **state)
{
	struct hazptr_shared sp;
	struct box b;
	int life;

	for (life = 0; life < 100; life++) {
		sp = box_of_kind(&b, state);
		assert_int_equal(box_references(&b), 1);
		hazptr_shared_drop(&sp);
		assert_released(&b);
	}
}

static struct hazptr_shared pool;

/* The release function makes a new object of the old one. */
static void back_into_the_pool(struct hazptr_shared_node *node)
{
	__atomic_fetch_add(&box_of(node)->gone, 1, __ATOMIC_RELEASE);
	pool = hazptr_shared_create(node, back_into_the_pool);
}

static void a_release_makes_it_anew(void **state)
{
	struct box b;
	int i;

	(void)state;
	memset(&b, 0, sizeof(b));
	pool = hazptr_shared_create(node_of(&b), back_into_the_pool);
	for (i = 1; i <= 20; i++) {
		hazptr_shared_drop(&pool);
		settle();
		assert_int_equal(box_gone(&b), i);
		assert_int_equal(box_references(&b), 1);
	}
	node_of(&b)->release = box_release;
	hazptr_shared_drop(&pool);
	settle();
	assert_int_equal(box_gone(&b), 21);
}

static void errno_is_left_alone(void **state)
{
	struct hazptr_shared sp;
	struct box b;

	errno = 12345;
	sp = box_of_kind(&b, state);
	hazptr_shared_drop(&sp);
	sp = hazptr_shared_create(&freed[FREED - 1], NULL);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(errno, 12345);
	assert_released(&b);
}

/* free() */

static struct hazptr_shared freed_new(size_t i, bool count_first)
{
	freed_n[i] = 0;
	return count_first ? hazptr_shared_create_count_first(&freed[i], NULL)
			   : hazptr_shared_create(&freed[i], NULL);
}

static void without_function_it_is_freed(void **state)
{
	struct hazptr_shared sp, copy;
	size_t i;

	for (i = 0; i < FREED; i++) {
		sp = freed_new(i, *state);
		copy = hazptr_shared_copy(sp);
		hazptr_shared_drop(&sp);
		hazptr_flush(NULL);
		assert_int_equal(freed_times(i), 0);
		hazptr_shared_drop(&copy);
	}
	settle();
	for (i = 0; i < FREED; i++)
		assert_int_equal(freed_times(i), 1);
}

/* Nobody can have found it: there is nothing to wait for. */
static void never_visible_it_is_freed_at_once(void **state)
{
	struct hazptr_shared sp = freed_new(0, *state);

	hazptr_shared_drop(&sp);
	assert_int_equal(freed_times(0), 1);
}

static void visible_it_is_freed_by_a_scan(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = freed_new(0, *state);

	hazptr_sync_shared_store(&ssp, &sp);
	assert_non_null(hazptr_protect(&g, &ssp.node));
	hazptr_sync_shared_drop(&ssp);
	hazptr_flush(NULL);
	assert_int_equal(freed_times(0), 0);
	hazptr_release(&g);
	settle();
	assert_int_equal(freed_times(0), 1);
}

static void memory_of_malloc_is_freed(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	int i;

	(void)state; /* the leak checker is the test */
	for (i = 0; i < 1000; i++) {
		sp = hazptr_shared_create(
			(struct hazptr_shared_node *)malloc(sizeof(*sp.node)),
			NULL);
		if (i % 2)
			hazptr_shared_drop(&sp);
		else
			hazptr_sync_shared_store(&ssp, &sp);
	}
	hazptr_sync_shared_drop(&ssp);
	settle();
}

/* drop_sync */

static void drop_sync_of_the_last_releases_here(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state);

	hazptr_shared_drop_sync(&sp);
	assert_true(hazptr_shared_is_null(sp));
	assert_int_equal(box_gone(&b), 1);
	assert_true(pthread_equal(b.by, pthread_self()));
}

static void drop_sync_of_another_only_drops(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state), copy;

	copy = hazptr_shared_copy(sp);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(box_gone(&b), 0);
	assert_int_equal(box_references(&b), 1);
	assert_alive(&b);
	hazptr_shared_drop_sync(&copy);
	assert_int_equal(box_gone(&b), 1);
	assert_true(pthread_equal(b.by, pthread_self()));
}

static void drop_sync_frees(void **state)
{
	struct hazptr_shared sp = freed_new(0, *state);

	hazptr_shared_drop_sync(&sp);
	assert_int_equal(freed_times(0), 1);
}

/* What the release drops, the library's thread releases: no recursion. */
static void drop_sync_of_a_chain(void **state)
{
	struct box a, b;
	struct hazptr_shared first = box_of_kind(&a, state);

	a.next = box_of_kind(&b, state);
	hazptr_shared_drop_sync(&first);
	assert_int_equal(box_gone(&a), 1);
	assert_true(pthread_equal(a.by, pthread_self()));
	assert_released(&b);
}

/* Release functions run without a lock: they may use the library. */

static struct hazptr_shared by_the_release;
static struct hazptr_sync_shared somewhere;

static void uses_everything(struct hazptr_shared_node *node)
{
	struct item *i = items_new(1);
	struct hazptr_shared sp;
	struct box b;
	HAZPTR_GUARD(g);

	sp = hazptr_sync_shared_load(&somewhere);
	hazptr_hold(&g, node);
	hazptr_shared_drop(&sp);
	sp = box_new(&b);
	hazptr_sync_shared_store_copy(&somewhere, sp);
	hazptr_sync_shared_drop(&somewhere);
	hazptr_shared_drop_sync(&by_the_release);
	hazptr_flush(NULL);
	hazptr_retire_free(NULL, i, head);
	hazptr_release(&g);
	hazptr_flush(NULL);
	while (box_references(&b) > 1) /* the retired one */
		hazptr_flush(NULL);
	hazptr_shared_drop_sync(&sp);
	must(box_gone(&b) == 1);
	__atomic_fetch_add(&box_of(node)->gone, 1, __ATOMIC_RELEASE);
}

static void a_release_may_use_the_library(void **state)
{
	struct box a, dropped, found;
	struct hazptr_shared sp;

	(void)state;
	by_the_release = box_new(&dropped);
	sp = box_new(&found);
	hazptr_sync_shared_store(&somewhere, &sp);
	memset(&a, 0, sizeof(a));
	sp = hazptr_shared_create(node_of(&a), uses_everything);
	hazptr_shared_drop(&sp);
	settle();
	assert_int_equal(box_gone(&a), 1);
	assert_int_equal(box_gone(&dropped), 1);
	assert_int_equal(box_gone(&found), 1);
}

/* Too many: for ever. */

static void too_many_stay(void **state)
{
	struct hazptr_shared sp, copy;
	static struct box b;
	int i;

	sp = box_of_kind(&b, state);
	box_set_references(&b, TOO_MANY - 2);
	copy = hazptr_shared_copy(sp);
	assert_int_equal(box_references(&b), TOO_MANY - 1);
	copy = hazptr_shared_copy(sp);
	for (i = 0; i < 100000; i++) {
		copy = sp;
		hazptr_shared_drop(&copy);
		assert_true(box_references(&b) >= TOO_MANY);
	}
	for (i = 0; i < 100000; i++) {
		copy = hazptr_shared_copy(sp);
		assert_in_range(box_references(&b), TOO_MANY, 2 * TOO_MANY - 1);
	}
	hazptr_shared_drop_sync(&sp);
	assert_alive(&b);
}

static void below_the_limit_all_are_counted(void **state)
{
	struct hazptr_shared sp, copy;
	struct box b;

	sp = box_of_kind(&b, state);
	box_set_references(&b, TOO_MANY - 1);
	copy = sp;
	hazptr_shared_drop(&copy);
	assert_int_equal(box_references(&b), TOO_MANY - 2);
	box_set_references(&b, 1);
	hazptr_shared_drop(&sp);
	assert_released(&b);
}

/* Threads */

static struct hazptr_shared everybodys;

static void *copies_and_drops(void *arg)
{
	struct hazptr_shared own = *(struct hazptr_shared *)arg, copy;
	int i;

	for (i = 0; i < TEST_MANY(100000); i++) {
		copy = hazptr_shared_copy(own);
		hazptr_shared_drop(&own);
		must(box_gone(box_of(copy.node)) == 0);
		own = copy;
	}
	hazptr_shared_drop(&own);
	return NULL;
}

static void threads_copy_and_drop(void **state)
{
	struct hazptr_shared own[4];
	pthread_t threads[4];
	struct box b;
	size_t i;

	everybodys = box_of_kind(&b, state);
	for (i = 0; i < 4; i++)
		own[i] = hazptr_shared_copy(everybodys);
	for (i = 0; i < 4; i++)
		threads[i] = test_start(copies_and_drops, &own[i]);
	hazptr_shared_drop(&everybodys);
	for (i = 0; i < 4; i++)
		test_join(threads[i]);
	assert_released(&b);
}

/* A reference may be dropped by a thread that the library has never seen. */
static void *drops_only(void *arg)
{
	hazptr_shared_drop((struct hazptr_shared *)arg);
	return NULL;
}

static void dropped_by_another_thread(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_kind(&b, state);

	test_join(test_start(drops_only, &sp));
	assert_released(&b);
}

/* By a destructor that runs after the library's own. */

static pthread_key_t late_key;

static void drops_late(void *arg)
{
	static __thread int round;

	if (++round < PTHREAD_DESTRUCTOR_ITERATIONS)
		pthread_setspecific(late_key, arg);
	else
		hazptr_shared_drop((struct hazptr_shared *)arg);
}

static void *leaves_it_to_a_destructor(void *arg)
{
	struct hazptr_shared copy =
		hazptr_shared_copy(*(struct hazptr_shared *)arg);

	must(!pthread_setspecific(late_key, arg));
	hazptr_shared_drop(&copy);
	return NULL;
}

static void dropped_by_a_late_destructor(void **state)
{
	struct box b;
	struct hazptr_shared sp;

	if (TEST_TSAN)
		skip(); /* it forgets a thread before the last destructor */
	sp = box_of_kind(&b, state);
	assert_int_equal(pthread_key_create(&late_key, drops_late), 0);
	test_join(test_start(leaves_it_to_a_destructor, &sp));
	pthread_key_delete(late_key);
	assert_true(hazptr_shared_is_null(sp));
	assert_released(&b);
}

/* Misuse */

static struct box victim;

static void child_misaligned(void)
{
	static struct box boxes[2];
	struct hazptr_shared_node *node =
		(struct hazptr_shared_node *)(void *)((char *)boxes + 4);

	test_names(node);
	hazptr_shared_create(node, box_release);
}

static void child_drop_of_none(void)
{
	struct hazptr_shared sp = box_new(&victim), again = sp;

	hazptr_shared_drop(&sp);
	test_names(node_of(&victim));
	hazptr_shared_drop(&again);
}

static void child_drop_of_none_visible(void)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = box_new(&victim), again = sp;

	hazptr_sync_shared_store(&ssp, &sp);
	sp = hazptr_sync_shared_exchange(&ssp, &sp);
	hazptr_shared_drop(&sp);
	test_names(node_of(&victim));
	hazptr_shared_drop(&again);
}

static void child_drop_of_none_count_first(void)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = box_new_count_first(&victim), again = sp;

	hazptr_sync_shared_store(&ssp, &sp);
	hazptr_sync_shared_drop(&ssp);
	test_names(node_of(&victim));
	hazptr_shared_drop(&again);
}

static void child_drop_sync_of_none(void)
{
	struct hazptr_shared sp = box_new(&victim), again = sp;

	hazptr_shared_drop_sync(&sp);
	test_names(node_of(&victim));
	hazptr_shared_drop_sync(&again);
}

static void child_copy_of_none(void)
{
	struct hazptr_shared sp = box_new(&victim), again = sp;

	hazptr_shared_drop_sync(&sp);
	test_names(node_of(&victim));
	hazptr_shared_copy(again);
}

static void child_drop_sync_under_a_guard(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp = box_new(&victim);

	hazptr_sync_shared_store(&ssp, &sp);
	must(hazptr_protect(&g, &ssp.node) != NULL);
	sp = hazptr_sync_shared_exchange(&ssp, &sp);
	test_names(node_of(&victim));
	hazptr_shared_drop_sync(&sp);
}

static const struct test_child children[] = {
	{ "misaligned", child_misaligned },
	{ "drop of none", child_drop_of_none },
	{ "drop of none, visible", child_drop_of_none_visible },
	{ "drop of none, count first", child_drop_of_none_count_first },
	{ "drop_sync of none", child_drop_sync_of_none },
	{ "copy of none", child_copy_of_none },
	{ "drop_sync under a guard", child_drop_sync_under_a_guard },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(null_owns_nothing),
		cmocka_unit_test(no_node_gives_null),
		BOTH_KINDS(the_last_drop_releases),
		BOTH_KINDS(a_copy_is_a_reference_more),
		BOTH_KINDS(many_copies),
		BOTH_KINDS(assignment_moves),
		BOTH_KINDS(no_release_in_the_caller),
		BOTH_KINDS(releases_are_not_nested),
		BOTH_KINDS(a_node_lives_again),
		cmocka_unit_test(a_release_makes_it_anew),
		BOTH_KINDS(errno_is_left_alone),
		BOTH_KINDS(without_function_it_is_freed),
		BOTH_KINDS(never_visible_it_is_freed_at_once),
		BOTH_KINDS(visible_it_is_freed_by_a_scan),
		cmocka_unit_test(memory_of_malloc_is_freed),
		BOTH_KINDS(drop_sync_of_the_last_releases_here),
		BOTH_KINDS(drop_sync_of_another_only_drops),
		BOTH_KINDS(drop_sync_frees),
		BOTH_KINDS(drop_sync_of_a_chain),
		cmocka_unit_test(a_release_may_use_the_library),
		BOTH_KINDS(too_many_stay),
		BOTH_KINDS(below_the_limit_all_are_counted),
		BOTH_KINDS(threads_copy_and_drop),
		BOTH_KINDS(dropped_by_another_thread),
		BOTH_KINDS(dropped_by_a_late_destructor),
		MISUSE("misaligned", "hazptr_shared_create"),
		MISUSE("drop of none", "hazptr_shared_drop"),
		MISUSE("drop of none, visible", "hazptr_shared_drop"),
		MISUSE("drop of none, count first", "hazptr_shared_drop"),
		MISUSE("drop_sync of none", "hazptr_shared_drop_sync"),
		MISUSE("copy of none", "hazptr_shared_copy"),
		MISUSE("drop_sync under a guard", "hazptr_shared_drop_sync"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
