/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/shared_chain.c - nodes that drop nodes
 *
 * A chain of any length is released without recursion, and others get their
 * turn meanwhile. All threads of this program have small stacks, the library's
 * included; and the release functions note where on theirs they run.
 */
#include "nodes.h"

#define LONG_CHAIN TEST_MANY(1000000)
#define SCANNED_CHAIN TEST_MANY(20000) /* each link needs a scan */
#define STACK ((TEST_SANITIZED ? 1024 : 128) * 1024) /* the least on AArch64 */
#define SPAN 4096 /* of the stack, that the functions of a chain may use */

struct link {
	struct hazptr_weak_node weak;
	struct hazptr_shared next;
	struct hazptr_sync_shared sync_next;
	int gone;
};

static struct link *links;
static size_t released;
static uintptr_t lowest, highest; /* stack, in the thread that releases */
static pthread_t releaser;
static bool several; /* threads have released */
static __thread int depth;

static struct link *link_of(struct hazptr_shared_node *node)
{
	return (struct link *)(void *)((char *)node -
				       offsetof(struct link, weak));
}

/* One thread releases at a time: the order is its own. */
static void note(struct link *l)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	must(depth == 1);
	must(l->gone++ == 0);
	if (released && !pthread_equal(releaser, pthread_self()))
		several = true;
	releaser = pthread_self();
	if (here < lowest)
		lowest = here;
	if (here > highest)
		highest = here;
	__atomic_store_n(&released, released + 1, __ATOMIC_RELEASE);
}

static void release_link(struct hazptr_shared_node *node)
{
	struct link *l = link_of(node);

	depth++;
	note(l);
	hazptr_shared_drop(&l->next);
	hazptr_sync_shared_drop(&l->sync_next);
	depth--;
}

/* In two steps: the first passes it on. */
static void expire_link(struct hazptr_shared_node *node)
{
	must(depth++ == 0);
	hazptr_shared_drop(&link_of(node)->next);
	depth--;
}

static size_t released_now(void)
{
	return __atomic_load_n(&released, __ATOMIC_ACQUIRE);
}

static void begin(size_t n)
{
	settle();
	links = (struct link *)calloc(n, sizeof(*links));
	assert_non_null(links);
	__atomic_store_n(&released, (size_t)0, __ATOMIC_RELEASE);
	lowest = UINTPTR_MAX;
	highest = 0;
	several = false;
}

/* Each once, in one thread, all at the same depth. */
static void end(size_t n)
{
	size_t i;

	settle();
	assert_int_equal(released_now(), n);
	for (i = 0; i < n; i++)
		must(links[i].gone == 1);
	assert_false(several);
	assert_false(pthread_equal(releaser, pthread_self()));
	assert_true(highest - lowest < SPAN);
	free(links);
}

enum how { PLAIN, COUNT_FIRST, EXPIRES };

static struct hazptr_shared link_new(size_t i, enum how how)
{
	struct hazptr_weak_node *weak = &links[i].weak;

	if (how == COUNT_FIRST)
		return hazptr_shared_create_count_first(&weak->node,
							release_link);
	if (how == EXPIRES)
		return hazptr_shared_create_weak(weak, expire_link,
						 release_link);
	return hazptr_shared_create(&weak->node, release_link);
}

/* The chain's first node; its last was made first. */
static struct hazptr_shared chain_new(size_t n, enum how how)
{
	struct hazptr_shared sp = { NULL };
	size_t i;

	for (i = n; i-- > 0;) {
		links[i].next = sp;
		sp = link_new(i, how);
	}
	return sp;
}

static struct hazptr_shared sync_chain_new(size_t n, enum how how)
{
	struct hazptr_shared sp = { NULL };
	size_t i;

	for (i = n; i-- > 0;) {
		hazptr_sync_shared_store(&links[i].sync_next, &sp);
		sp = link_new(i, how);
	}
	return sp;
}

/* The drop is in a hand, whose stack is small as well. */
static void dropped(struct hazptr_shared sp)
{
	struct hand h;

	hand_start(&h);
	hand_do(&h, does_drop, &sp);
	hand_stop(&h);
}

static void long_chain(void **state)
{
	(void)state;
	begin(LONG_CHAIN);
	dropped(chain_new(LONG_CHAIN, PLAIN));
	end(LONG_CHAIN);
}

static void long_chain_count_first(void **state)
{
	(void)state;
	begin(LONG_CHAIN);
	dropped(chain_new(LONG_CHAIN, COUNT_FIRST));
	end(LONG_CHAIN);
}

static void long_chain_that_expires(void **state)
{
	(void)state;
	begin(LONG_CHAIN / 4);
	dropped(chain_new(LONG_CHAIN / 4, EXPIRES));
	end(LONG_CHAIN / 4);
}

/* Its first node is visible, and goes by a scan; the others need none. */
static void long_chain_in_a_sync_pointer(void **state)
{
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	uint64_t scans;
	struct hand h;

	(void)state;
	begin(LONG_CHAIN);
	sp = chain_new(LONG_CHAIN, PLAIN);
	hazptr_sync_shared_store(&ssp, &sp);
	scans = test_stats(NULL).scans;
	hand_start(&h);
	hand_do(&h, does_sync_drop, &ssp);
	hand_stop(&h);
	while (released_now() < LONG_CHAIN)
		hazptr_barrier(NULL);
	assert_true(test_stats(NULL).scans - scans < LONG_CHAIN / 10);
	end(LONG_CHAIN);
}

/* The first link is released by the caller, the others are not. */
static void long_chain_drop_sync(void **state)
{
	struct hazptr_shared sp;

	(void)state;
	begin(LONG_CHAIN);
	sp = chain_new(LONG_CHAIN, PLAIN);
	hazptr_shared_drop_sync(&sp);
	assert_int_equal(links[0].gone, 1);
	assert_true(released_now() >= 1);
	settle();
	several = false; /* of two threads, one did all but the first */
	lowest = highest;
	end(LONG_CHAIN);
}

static void chain_of_sync_pointers(void **state)
{
	(void)state;
	begin(SCANNED_CHAIN);
	dropped(sync_chain_new(SCANNED_CHAIN, PLAIN));
	end(SCANNED_CHAIN);
}

static void chain_of_sync_pointers_count_first(void **state)
{
	(void)state;
	begin(SCANNED_CHAIN);
	dropped(sync_chain_new(SCANNED_CHAIN, COUNT_FIRST));
	end(SCANNED_CHAIN);
}

/* Every link has two others, one of each kind. */
static void tree(void **state)
{
	size_t n = SCANNED_CHAIN, i;
	struct hazptr_shared sp = { NULL }, *all;

	(void)state;
	begin(n);
	all = (struct hazptr_shared *)calloc(n, sizeof(*all));
	assert_non_null(all);
	for (i = n; i-- > 0;) {
		if (2 * i + 1 < n)
			links[i].next = all[2 * i + 1];
		if (2 * i + 2 < n)
			hazptr_sync_shared_store(&links[i].sync_next,
						 &all[2 * i + 2]);
		all[i] = link_new(i, PLAIN);
	}
	sp = all[0];
	free(all);
	dropped(sp);
	end(n);
}

/* Many chains at once, dropped by several threads. */
static void many_chains(void **state)
{
	enum { CHAINS = 100, LENGTH = 1000 };
	struct hazptr_shared sp[CHAINS];
	struct hand hands[4];
	size_t i, j;

	(void)state;
	begin(CHAINS * LENGTH);
	for (i = 0; i < CHAINS; i++) {
		sp[i].node = NULL;
		for (j = 0; j < LENGTH; j++) {
			links[i * LENGTH + j].next = sp[i];
			sp[i] = link_new(i * LENGTH + j,
					 i % 2 ? PLAIN : COUNT_FIRST);
		}
	}
	for (i = 0; i < 4; i++)
		hand_start(&hands[i]);
	for (i = 0; i < CHAINS; i++) {
		if (i >= 4)
			hand_end(&hands[i % 4]);
		hand_begin(&hands[i % 4], does_drop, &sp[i]);
	}
	for (i = 0; i < 4; i++) {
		hand_end(&hands[i]);
		hand_stop(&hands[i]);
	}
	end(CHAINS * LENGTH);
}

/*
 * Others get their turn. These chains have no end until they are told: a node
 * makes itself anew, and drops itself.
 */

static struct hazptr_sync_shared endless_place;
static int endless_stop;
static size_t endless_turns;

static bool is_over(void)
{
	__atomic_fetch_add(&endless_turns, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&endless_stop, __ATOMIC_ACQUIRE);
}

static size_t endless_turns_now(void)
{
	return __atomic_load_n(&endless_turns, __ATOMIC_RELAXED);
}

static void once_more(struct hazptr_shared_node *node)
{
	struct hazptr_shared sp;

	if (is_over())
		return;
	sp = hazptr_shared_create(node, once_more);
	hazptr_shared_drop(&sp);
}

static void once_more_by_a_scan(struct hazptr_shared_node *node)
{
	struct hazptr_shared sp;

	if (is_over())
		return;
	sp = hazptr_shared_create(node, once_more_by_a_scan);
	hazptr_sync_shared_store(&endless_place, &sp);
	hazptr_sync_shared_drop(&endless_place);
}

/* In the default domain, in another one, and other nodes. */
static void others_get_their_turn(hazptr_release_fn fn)
{
	struct hazptr_domain *other =
		test_domain(HAZPTR_RECLAIM_BACKGROUND, 0, TEST_NEVER_MS);
	static struct hazptr_shared_node node;
	struct item *items = items_new(200);
	struct hazptr_shared sp;
	struct box b;
	size_t i;

	settle();
	__atomic_store_n(&endless_stop, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&endless_turns, 0, __ATOMIC_RELAXED);
	sp = hazptr_shared_create(&node, fn);
	hazptr_shared_drop(&sp);
	assert_true(test_eventually(endless_turns_now() > 1));
	sp = box_new(&b);
	hazptr_shared_drop(&sp);
	assert_released(&b);
	for (i = 0; i < 200; i++) {
		hazptr_retire(i % 20 ? NULL : other, &items[i], head,
			      item_reclaim);
		if (i % 10 != 0)
			continue;
		hazptr_barrier(i % 20 ? NULL : other);
		assert_int_equal(item_gone(&items[i]), 1);
	}
	__atomic_store_n(&endless_stop, 1, __ATOMIC_RELEASE);
	settle();
	assert_int_equal(items_gone(items, 200), 200);
	assert_int_equal(hazptr_domain_destroy(other), 0);
	free(items);
}

static void barriers_return_beside_an_endless_chain(void **state)
{
	(void)state;
	others_get_their_turn(once_more);
}

static void barriers_return_beside_endless_scans(void **state)
{
	(void)state;
	others_get_their_turn(once_more_by_a_scan);
}

/* The bound of the default domain holds for what waits for readers. */
static void what_waits_is_bounded(void **state)
{
	size_t n = TEST_MANY(100000), i;
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_stats s;
	struct hazptr_shared sp;

	(void)state;
	begin(n);
	for (i = 0; i < n; i++) {
		sp = link_new(i, i % 2 ? PLAIN : COUNT_FIRST);
		hazptr_sync_shared_store(&ssp, &sp);
		s = test_stats(NULL);
		assert_true(s.waiting <= s.max_retired + 1);
	}
	hazptr_sync_shared_drop(&ssp);
	end(n);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_chain),
		cmocka_unit_test(long_chain_count_first),
		cmocka_unit_test(long_chain_that_expires),
		cmocka_unit_test(long_chain_in_a_sync_pointer),
		cmocka_unit_test(long_chain_drop_sync),
		cmocka_unit_test(chain_of_sync_pointers),
		cmocka_unit_test(chain_of_sync_pointers_count_first),
		cmocka_unit_test(tree),
		cmocka_unit_test(many_chains),
		cmocka_unit_test(barriers_return_beside_an_endless_chain),
		cmocka_unit_test(barriers_return_beside_endless_scans),
		cmocka_unit_test(what_waits_is_bounded),
	};
	pthread_attr_t attr;

	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setstacksize(&attr, STACK));
	must(!pthread_setattr_default_np(&attr));
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
