/* SPDX-License-Identifier: MIT */
/* tests/unit/weak.c - weak pointers, and nodes that end in two steps */
#include "nodes.h"

/* Steps of a box's end: `expired` and `gone` say when they came. */

static int steps;

static void box_expire(struct hazptr_shared_node *node)
{
	struct box *b = box_of(node);

	must(box_depth++ == 0);
	must(!b->expired && !b->gone);
	b->by = pthread_self();
	__atomic_store_n(&b->expired, ++steps, __ATOMIC_RELEASE);
	box_depth--;
}

static int box_expired(const struct box *b)
{
	return __atomic_load_n(&b->expired, __ATOMIC_ACQUIRE);
}

static struct hazptr_shared box_new_expiring(struct box *b)
{
	memset(b, 0, sizeof(*b));
	return hazptr_shared_create_weak(&b->weak, box_expire, box_release);
}

/* The three ways in which a node can be made. */
static struct hazptr_shared box_of_way(struct box *b, void **state)
{
	switch ((uintptr_t)*state) {
	case 0:
		return box_new(b);
	case 1:
		return box_new_count_first(b);
	default:
		return box_new_expiring(b);
	}
}

#define EXPIRING_NAME(f) #f ", with expiry"
#define ALL_WAYS(f)                                                   \
	BOTH_KINDS(f),                                                \
	{                                                             \
		EXPIRING_NAME(f), f, NULL, NULL, (void *)(uintptr_t)2 \
	}

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct hazptr_weak), sizeof(void *));
	if (sizeof(void *) == 8) {
		assert_int_equal(sizeof(struct hazptr_shared_node), 24);
		assert_int_equal(sizeof(struct hazptr_weak_node), 32);
	}
	assert_int_equal(offsetof(struct hazptr_weak_node, node), 0);
}

static void null_is_null(void **state)
{
	struct hazptr_shared null = { NULL };
	struct hazptr_weak w;

	(void)state;
	w = hazptr_weak_create(null);
	assert_null(w.node);
	w = hazptr_weak_copy(w);
	assert_null(w.node);
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
	hazptr_weak_drop(&w);
	hazptr_weak_drop(&w);
}

static void lock_is_a_reference_more(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state), locked;
	struct hazptr_weak w = hazptr_weak_create(sp);

	assert_int_equal(box_references(&b), 1);
	locked = hazptr_weak_lock(w);
	assert_ptr_equal(locked.node, node_of(&b));
	assert_int_equal(box_references(&b), 2);
	hazptr_shared_drop(&sp);
	assert_alive(&b);
	sp = hazptr_weak_lock(w);
	assert_ptr_equal(sp.node, node_of(&b));
	hazptr_shared_drop(&locked);
	hazptr_weak_drop(&w);
	assert_null(w.node);
	assert_alive(&b);
	hazptr_shared_drop(&sp);
	assert_released(&b);
}

static void lock_fails_with_the_last_drop(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	struct hazptr_weak w = hazptr_weak_create(sp);

	hazptr_shared_drop(&sp);
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
	settle();
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
	hazptr_weak_drop(&w);
	assert_released(&b);
}

/* Also while it waits for its scan, and while a guard keeps it. */
static void lock_fails_while_a_guard_holds(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared ssp = { NULL };
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	struct hazptr_weak w = hazptr_weak_create(sp);

	hazptr_sync_shared_store(&ssp, &sp);
	assert_ptr_equal(hazptr_protect(&g, &ssp.node), node_of(&b));
	hazptr_sync_shared_drop(&ssp);
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
	hazptr_flush(NULL);
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
	hazptr_weak_drop(&w);
	assert_alive(&b);
	assert_int_equal(box_expired(&b), 0);
	hazptr_release(&g);
	assert_released(&b);
}

static void release_waits_for_the_last_weak_pointer(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	struct hazptr_weak w = hazptr_weak_create(sp), copy;

	copy = hazptr_weak_copy(w);
	assert_ptr_equal(copy.node, node_of(&b));
	hazptr_shared_drop(&sp);
	settle();
	assert_int_equal(box_gone(&b), 0);
	hazptr_weak_drop(&w);
	settle();
	assert_int_equal(box_gone(&b), 0);
	hazptr_weak_drop(&copy);
	assert_released(&b);
}

static void of_a_visible_node(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	struct hazptr_weak w = hazptr_weak_create(sp);

	hazptr_sync_shared_store(&ssp, &sp);
	sp = hazptr_weak_lock(w);
	hazptr_sync_shared_drop(&ssp);
	settle();
	assert_int_equal(box_gone(&b), 0);
	hazptr_sync_shared_store(&ssp, &sp); /* locked: a reference like all */
	sp = hazptr_sync_shared_load(&ssp);
	hazptr_sync_shared_drop(&ssp);
	hazptr_shared_drop(&sp);
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
	settle();
	assert_int_equal(box_gone(&b), 0);
	hazptr_weak_drop(&w);
	assert_released(&b);
}

static void many_weak_pointers(void **state)
{
	struct hazptr_weak w[1000];
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	size_t i;

	for (i = 0; i < TEST_COUNT(w); i++)
		w[i] = hazptr_weak_create(sp);
	assert_int_equal(box_references(&b), 1);
	hazptr_shared_drop(&sp);
	for (i = 0; i + 1 < TEST_COUNT(w); i++)
		hazptr_weak_drop(&w[i]);
	settle();
	assert_int_equal(box_gone(&b), 0);
	hazptr_weak_drop(&w[i]);
	assert_released(&b);
}

static void drop_sync_leaves_it_to_the_weak_pointers(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	struct hazptr_weak w = hazptr_weak_create(sp);

	hazptr_shared_drop_sync(&sp);
	assert_int_equal(box_gone(&b), 0);
	hazptr_weak_drop(&w);
	assert_released(&b);
}

/* "When none is left, the release function is called here." */
static void drop_sync_releases_here(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	struct hazptr_weak w = hazptr_weak_create(sp);

	hazptr_weak_drop(&w);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(box_gone(&b), 1);
	assert_true(pthread_equal(b.by, pthread_self()));
}

/* Too many weak pointers: the memory stays for ever. */
static void too_many_stay(void **state)
{
	static struct box b;
	struct hazptr_shared sp = box_of_way(&b, state);
	struct hazptr_weak w = hazptr_weak_create(sp), copy;
	uint64_t *counts = &node_of(&b)->counts;
	uint64_t flags, first;
	int i;

	*counts += HAZPTR_ONE_WEAK_ * (((uint64_t)1 << 26) - 2);
	w = hazptr_weak_copy(w);
	first = *counts;
	flags = first & ~(HAZPTR_ONE_WEAK_ * (((uint64_t)1 << 27) - 1));
	for (i = 0; i < 1000; i++) {
		hazptr_weak_copy(w);
		copy = w;
		hazptr_weak_drop(&copy);
		copy = w;
		hazptr_weak_drop(&copy);
	}
	assert_true(*counts == first);
	assert_int_equal(box_references(&b), 1);
	assert_true((first & flags) == flags);
	hazptr_shared_drop(&sp);
	settle();
	assert_int_equal(box_gone(&b), 0);
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
}

/* Two steps */

static void expires_before_it_is_released(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_new_expiring(&b);

	(void)state;
	hazptr_shared_drop(&sp);
	assert_released(&b);
	assert_true(box_expired(&b));
}

static void expires_with_the_last_reference(void **state)
{
	struct box b;
	struct hazptr_shared sp = box_new_expiring(&b), copy;
	struct hazptr_weak w = hazptr_weak_create(sp);
	int before;

	(void)state;
	copy = hazptr_shared_copy(sp);
	hazptr_shared_drop(&copy);
	settle();
	assert_int_equal(box_expired(&b), 0);
	hazptr_shared_drop(&sp);
	settle();
	assert_true(box_expired(&b));
	assert_false(pthread_equal(b.by, pthread_self()));
	assert_int_equal(box_gone(&b), 0);
	assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
	before = box_expired(&b);
	hazptr_weak_drop(&w);
	assert_released(&b);
	assert_int_equal(box_expired(&b), before);
}

static void expires_in_drop_sync(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct box b;
	struct hazptr_shared sp = box_new_expiring(&b);
	struct hazptr_weak w = hazptr_weak_create(sp);

	(void)state;
	hazptr_sync_shared_store(&ssp, &sp);
	hazptr_sync_shared_drop_sync(&ssp);
	assert_true(box_expired(&b));
	assert_true(pthread_equal(b.by, pthread_self()));
	assert_int_equal(box_gone(&b), 0);
	hazptr_weak_drop(&w);
	assert_released(&b);
}

static void without_expire_function(void **state)
{
	struct hazptr_shared sp;
	struct box b;

	(void)state;
	memset(&b, 0, sizeof(b));
	sp = hazptr_shared_create_weak(&b.weak, NULL, box_release);
	hazptr_shared_drop(&sp);
	assert_released(&b);
}

/* A weak pointer to itself, dropped in the expiry. */

static struct hazptr_shared locked_in_expiry;

static void drops_its_own(struct hazptr_shared_node *node)
{
	struct box *b = box_of(node);

	locked_in_expiry = hazptr_weak_lock(b->other);
	hazptr_weak_drop(&b->other);
	must(!box_gone(b));
	b->expired++;
}

static void weak_pointer_to_itself(void **state)
{
	struct hazptr_shared sp;
	struct box b;

	(void)state;
	memset(&b, 0, sizeof(b));
	locked_in_expiry.node = node_of(&b);
	sp = hazptr_shared_create_weak(&b.weak, drops_its_own, box_release);
	b.other = hazptr_weak_create(sp);
	hazptr_shared_drop(&sp);
	assert_released(&b);
	assert_int_equal(b.expired, 1);
	assert_true(hazptr_shared_is_null(locked_in_expiry));
}

/*
 * Parent and child, of which one refers to the other by a weak pointer: the
 * parent's memory stays until the child's release, so it lets the child go
 * when it expires.
 */
static void lets_its_child_go(struct hazptr_shared_node *node)
{
	box_expire(node);
	hazptr_shared_drop(&box_of(node)->next);
}

static void dropped_in_a_release(void **state)
{
	struct box parent, child;
	struct hazptr_shared sp;

	memset(&parent, 0, sizeof(parent));
	sp = hazptr_shared_create_weak(&parent.weak, lets_its_child_go,
				       box_release);
	parent.next = box_of_way(&child, state);
	child.other = hazptr_weak_create(sp);
	hazptr_shared_drop(&sp);
	settle();
	assert_int_equal(box_gone(&child), 1);
	assert_int_equal(box_gone(&parent), 1);
}

/* Each release drops the last weak pointer to the next box. */
static void chain_of_weak_pointers(void **state)
{
	static struct box boxes[1000];
	struct hazptr_shared sp[TEST_COUNT(boxes)];
	size_t i;

	for (i = TEST_COUNT(boxes); i-- > 0;) {
		sp[i] = box_of_way(&boxes[i], state);
		if (i + 1 < TEST_COUNT(boxes))
			boxes[i].other = hazptr_weak_create(sp[i + 1]);
	}
	for (i = TEST_COUNT(boxes); i-- > 1;)
		hazptr_shared_drop(&sp[i]);
	settle();
	assert_int_equal(box_gone(&boxes[TEST_COUNT(boxes) - 1]), 0);
	hazptr_shared_drop(&sp[0]);
	settle();
	for (i = 0; i < TEST_COUNT(boxes); i++)
		assert_int_equal(box_gone(&boxes[i]), 1);
}

/* free(): the leak checker, and the one for use after free, are the test. */
static void memory_of_malloc_is_freed(void **state)
{
	struct hazptr_weak_node *node;
	struct hazptr_shared sp;
	struct hazptr_weak w;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		node = (struct hazptr_weak_node *)malloc(sizeof(*node));
		must(node != NULL);
		sp = hazptr_shared_create_weak(node, NULL, NULL);
		w = hazptr_weak_create(sp);
		if (i % 3 == 0)
			hazptr_weak_drop(&w);
		hazptr_shared_drop(&sp);
		if (i % 3 == 1)
			settle();
		assert_true(hazptr_shared_is_null(hazptr_weak_lock(w)));
		hazptr_weak_drop(&w);
	}
	settle();
}

/* Threads lock while the last reference is dropped. */

#define ROUNDS TEST_MANY(5000)
#define GOOD 0x600dL
#define BAD 0x0badL

struct thing {
	long magic;
	struct hazptr_weak_node weak;
};

static struct hazptr_weak common;
static long released, expired;
static int turn;

static struct thing *thing_of(struct hazptr_shared_node *node)
{
	return (struct thing *)(void *)((char *)node -
					offsetof(struct thing, weak));
}

static void thing_release(struct hazptr_shared_node *node)
{
	must(thing_of(node)->magic == GOOD);
	thing_of(node)->magic = BAD;
	__atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
	free(thing_of(node));
}

static void thing_expire(struct hazptr_shared_node *node)
{
	must(thing_of(node)->magic == GOOD);
	__atomic_fetch_add(&expired, 1, __ATOMIC_RELAXED);
}

static struct hazptr_shared thing_new(uintptr_t way)
{
	struct thing *t = (struct thing *)calloc(1, sizeof(*t));

	must(t != NULL);
	t->magic = GOOD;
	if (way == 0)
		return hazptr_shared_create(&t->weak.node, thing_release);
	if (way == 1)
		return hazptr_shared_create_count_first(&t->weak.node,
							thing_release);
	return hazptr_shared_create_weak(&t->weak, thing_expire, thing_release);
}

static void all_are_here(int n)
{
	__atomic_fetch_add(&turn, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) < 3 * n)
		sched_yield();
}

static void *locks(void *arg)
{
	struct hazptr_shared sp;
	struct hazptr_weak w;
	int i, n = 0;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		all_are_here(++n);
		w = hazptr_weak_copy(common);
		all_are_here(++n);
		sp = hazptr_weak_lock(w);
		if (sp.node) {
			must(thing_of(sp.node)->magic == GOOD);
			hazptr_shared_drop(&sp);
		}
		hazptr_weak_drop(&w);
	}
	return NULL;
}

static void locked_while_the_last_is_dropped(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	pthread_t threads[2];
	int i, n = 0;

	released = expired = 0;
	turn = 0;
	for (i = 0; i < 2; i++)
		threads[i] = test_start(locks, NULL);
	for (i = 0; i < ROUNDS; i++) {
		sp = thing_new((uintptr_t)*state);
		common = hazptr_weak_create(sp);
		all_are_here(++n);
		all_are_here(++n);
		if (i % 2) {
			hazptr_sync_shared_store(&ssp, &sp);
			hazptr_sync_shared_drop(&ssp);
		} else {
			hazptr_shared_drop(&sp);
		}
		hazptr_weak_drop(&common);
	}
	for (i = 0; i < 2; i++)
		test_join(threads[i]);
	settle();
	assert_int_equal(released, ROUNDS);
	assert_int_equal(expired, (uintptr_t)*state == 2 ? ROUNDS : 0);
}

/* Misuse */

static struct box victim;

static void child_weak_drop_of_none(void)
{
	struct hazptr_shared sp = box_new(&victim);
	struct hazptr_weak w = hazptr_weak_create(sp), again = w;

	hazptr_weak_drop(&w);
	test_names(node_of(&victim));
	hazptr_weak_drop(&again);
}

static const struct test_child children[] = {
	{ "weak drop of none", child_weak_drop_of_none },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(null_is_null),
		ALL_WAYS(lock_is_a_reference_more),
		ALL_WAYS(lock_fails_with_the_last_drop),
		ALL_WAYS(lock_fails_while_a_guard_holds),
		ALL_WAYS(release_waits_for_the_last_weak_pointer),
		ALL_WAYS(of_a_visible_node),
		ALL_WAYS(many_weak_pointers),
		ALL_WAYS(drop_sync_leaves_it_to_the_weak_pointers),
		ALL_WAYS(drop_sync_releases_here),
		ALL_WAYS(too_many_stay),
		cmocka_unit_test(expires_before_it_is_released),
		cmocka_unit_test(expires_with_the_last_reference),
		cmocka_unit_test(expires_in_drop_sync),
		cmocka_unit_test(without_expire_function),
		cmocka_unit_test(weak_pointer_to_itself),
		ALL_WAYS(dropped_in_a_release),
		ALL_WAYS(chain_of_weak_pointers),
		cmocka_unit_test(memory_of_malloc_is_freed),
		ALL_WAYS(locked_while_the_last_is_dropped),
		MISUSE("weak drop of none", "hazptr_weak_drop"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
