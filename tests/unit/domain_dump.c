/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/domain_dump.c - hazptr/domain.h: who holds what, in words
 *
 * The words may change; what is tested is that the facts are there.
 */
#include "debug.h"

#include <hazptr/domain.h>

static char dumped[1 << 16];

static const char *dump(struct hazptr_domain *d)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	must(fd >= 0);
	hazptr_domain_dump(d, fd);
	test_read_back(fd, dumped, sizeof(dumped));
	return dumped;
}

/* How many lines contain all of these. */
static size_t lines_with(const char *text, const char *a, const char *b)
{
	char line[1024];
	size_t n = 0, size;

	for (; *text; text += size + 1) {
		size = strcspn(text, "\n");
		must(text[size] == '\n' && size < sizeof(line));
		memcpy(line, text, size);
		line[size] = '\0';
		n += strstr(line, a) && strstr(line, b);
	}
	return n;
}

static const char *address(const void *p)
{
	static char text[32];

	snprintf(text, sizeof(text), "%p ", p);
	return text;
}

static void dump_of_what_is_held(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	char thread[40];

	(void)state;
	snprintf(thread, sizeof(thread), "held by %s%d",
		 crowd_elsewhere ? "a context that thread " : "thread ",
		 my_thread());
	assert_int_equal(lines_with(dump(test_manual), address(&x), ""), 0);
	hazptr_hold(&g, &x);
	dump(test_manual);
	assert_int_equal(lines_with(dumped, address(&x), thread), 1);
	assert_int_equal(lines_with(dumped, address(&x), "waits"), 0);
	retire_item(&x);
	dump(test_manual);
	assert_int_equal(lines_with(dumped, address(&x), thread), 1);
	hazptr_flush(test_manual);
	dump(test_manual);
	assert_int_equal(lines_with(dumped, address(&x), "waits in this"), 1);
	assert_int_equal(lines_with(dump(NULL), address(&x), "waits in"), 0);
	assert_int_equal(lines_with(dumped, address(&x), thread), 1);
	hazptr_release(&g);
	assert_int_equal(lines_with(dump(test_manual), address(&x), ""), 0);
	assert_gone(&x);
}

static void embedded_slots_are_said(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;

	(void)state;
	reader_start(&r, &x, HAZPTR_CONTEXT_SLOTS, false);
	dump(test_manual);
	assert_int_equal(lines_with(dumped, address(&x), "own slot"), 1);
	assert_true(reader_stop(&r));
	assert_int_equal(lines_with(dump(test_manual), address(&x), ""), 0);
}

static void detached_guards_are_said(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct reader r;

	(void)state;
	reader_start(&r, &x, 0, true);
	assert_int_equal(lines_with(dump(NULL), address(&x), "detached"), 1);
	assert_int_equal(lines_with(dumped, address(&x), "ended"), 0);
	assert_true(reader_stop(&r));
	assert_int_equal(lines_with(dump(NULL), address(&x), "ended"), 1);
	hazptr_release(&r.guard);
	assert_int_equal(lines_with(dump(NULL), address(&x), ""), 0);
}

static void figures_are_there(void **state)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_INLINE, 77, 4);
	struct item *items = items_new(3);
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	size_t i;

	(void)state;
	hazptr_hold(&g, &items[1]);
	for (i = 0; i < 3; i++)
		hazptr_retire(d, &items[i], head, item_reclaim);
	assert_int_equal(lines_with(dump(d), "\"test\"", "inline"), 1);
	assert_int_equal(lines_with(dumped, "bound 77", "every 2 ms"), 1);
	assert_int_equal(lines_with(dumped, "retired 3, ", ""), 1);
	hazptr_flush(d);
	assert_int_equal(lines_with(dump(d), "retired 3, ", "reclaimed 2"), 1);
	assert_int_equal(lines_with(dumped, "cohort ", "1 kept"), 1);
	hazptr_release(&g);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void lanes_are_said(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	char thread[40];

	(void)state;
	snprintf(thread, sizeof(thread), "lane of thread %d: ", my_thread());
	retire_item(&x);
	assert_int_equal(lines_with(dump(test_manual), thread, "1 retired"), 1);
	assert_gone(&x);
	assert_int_equal(lines_with(dump(test_manual), thread, ""), 0);
}

static void cohorts_are_said(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_cohort c[20];
	size_t i;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_int_equal(hazptr_cohort_init(&c[i], test_manual), 0);
	dump(test_manual);
	assert_int_equal(lines_with(dumped, "  cohort ", "") +
				 strtoul(strstr(dumped, "  and ") + 6, NULL, 0),
			 21);
	for (i = 0; i < 19; i++)
		hazptr_cohort_destroy(&c[i]);
	hazptr_hold(&g, &x);
	hazptr_cohort_retire(&c[19], &x, head, item_reclaim);
	hazptr_flush(test_manual);
	dump(test_manual);
	assert_int_equal(lines_with(dumped, "  cohort ", "1 kept"), 1);
	assert_int_equal(lines_with(dumped, address(&x), "waits in this"), 1);
	hazptr_release(&g);
	hazptr_cohort_destroy(&c[19]);
}

/* More than is shown of one thread. */
static void many_guards(void **state)
{
	static struct hazptr_guard guards[100];
	struct item x = { 1, { 0, 0, 0 }, 0 };
	unsigned long more;
	size_t i;

	(void)state;
	for (i = 0; i < 100; i++)
		hazptr_hold(&guards[i], &x);
	dump(NULL);
	more = strtoul(strstr(dumped, "  and ") + 6, NULL, 0);
	assert_int_equal(lines_with(dumped, address(&x), "held by") + more,
			 100);
	for (i = 0; i < 100; i++)
		hazptr_release(&guards[i]);
}

/* Nodes of shared pointers wait in a cohort of layer 2. */
static void release_node(struct hazptr_shared_node *node)
{
	(void)node;
}

static void references_are_said(void **state)
{
	static struct hazptr_shared_node node;
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_sync_shared place;
	struct hazptr_shared sp = hazptr_shared_create(&node, release_node);

	(void)state;
	memset(&place, 0, sizeof(place));
	hazptr_sync_shared_store(&place, &sp);
	assert_ptr_equal(hazptr_protect(&g, &place.node), &node);
	hazptr_sync_shared_drop(&place);
	hazptr_flush(NULL);
	dump(NULL);
	assert_int_equal(lines_with(dumped, " of references", "1 kept"), 1);
	assert_int_equal(lines_with(dumped, address(&node), "waits in"), 1);
	hazptr_release(&g);
	hazptr_barrier(NULL);
}

/* What is written to nowhere is lost; errno stays. */
static void nowhere_to_write(void **state)
{
	(void)state;
	errno = 42;
	hazptr_domain_dump(NULL, -1);
	assert_int_equal(errno, 42);
}

/* While others take and give back, and retire. */

static int stop_now;

static void *is_busy(void *arg)
{
	struct hazptr_guard guards[12];
	struct item *items = (struct item *)arg;
	struct item *old, *source;
	unsigned seed = 1, n = 0;
	size_t i;

	memset(guards, 0, sizeof(guards));
	while (!__atomic_load_n(&stop_now, __ATOMIC_RELAXED)) {
		i = test_random(&seed) % 12;
		source = &items[i];
		must(hazptr_protect(&guards[i], &source) == source);
		hazptr_release(&guards[test_random(&seed) % 12]);
		old = items_new(1);
		hazptr_retire_free(test_manual, old, head);
		if (++n % 64 == 0) /* or one flush would never catch up */
			hazptr_flush(test_manual);
	}
	for (i = 0; i < 12; i++)
		hazptr_release(&guards[i]);
	return NULL;
}

static void *comes_and_goes(void *arg)
{
	HAZPTR_GUARD(g);

	hazptr_hold(&g, arg);
	return NULL;
}

static void dump_while_others_work(void **state)
{
	struct item *items = items_new(12);
	pthread_t threads[2];
	int i;

	(void)state;
	for (i = 0; i < 2; i++)
		threads[i] = test_start(is_busy, items);
	for (i = 0; i < TEST_MANY(200); i++) {
		dump(test_manual);
		assert_int_equal(lines_with(dumped, "\"test\"", "manual"), 1);
		test_join(test_start(comes_and_goes, items));
		hazptr_flush(test_manual);
	}
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		test_join(threads[i]);
	hazptr_barrier(test_manual);
	free(items);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		CROWDED(dump_of_what_is_held),
		cmocka_unit_test(embedded_slots_are_said),
		cmocka_unit_test(detached_guards_are_said),
		cmocka_unit_test(figures_are_there),
		cmocka_unit_test(lanes_are_said),
		cmocka_unit_test(cohorts_are_said),
		cmocka_unit_test(many_guards),
		cmocka_unit_test(references_are_said),
		cmocka_unit_test(nowhere_to_write),
		cmocka_unit_test(dump_while_others_work),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
