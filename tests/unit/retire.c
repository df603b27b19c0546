/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/retire.c - the forms of retire() in hazptr/retire.h
 *
 * The bound: retire_bound.c; cohorts: retire_cohort.c; synchronize():
 * retire_sync.c; who runs the functions: domain_policy.c.
 */
#include "test.h"

#include <hazptr/retire.h>

/* The head may be anywhere in the object. */

struct first {
	struct hazptr_head head;
	long value;
};

struct middle {
	char before[40];
	struct hazptr_head head;
	char after[40];
};

struct last {
	long values[31];
	struct hazptr_head head;
};

static struct hazptr_head *called_with;
static int calls;

static void note_head(struct hazptr_head *head)
{
	called_with = head;
	calls++;
}

static void head_is_anywhere(void **state)
{
	struct first f;
	struct middle m;
	struct last l;

	(void)state;
	/* it needs no initialisation */
	memset(&f, 0xff, sizeof(f));
	memset(&m, 0xff, sizeof(m));
	memset(&l, 0xff, sizeof(l));
	calls = 0;
	hazptr_retire(test_manual, &f, head, note_head);
	assert_int_equal(hazptr_flush(test_manual), 1);
	assert_ptr_equal(called_with, &f.head);
	hazptr_retire(test_manual, &m, head, note_head);
	assert_int_equal(hazptr_flush(test_manual), 1);
	assert_ptr_equal(called_with, &m.head);
	hazptr_retire(test_manual, &l, head, note_head);
	assert_int_equal(hazptr_flush(test_manual), 1);
	assert_ptr_equal(called_with, &l.head);
	assert_int_equal(calls, 3);
	assert_true(sizeof(struct hazptr_head) <= 24);
}

static void guard_on_the_object_counts_not_on_the_head(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct middle m;

	(void)state;
	memset(&m, 0, sizeof(m)); /* gcc -O0 warns, of hazptr_hold() too */
	calls = 0;
	hazptr_hold(&g, &m);
	hazptr_retire(test_manual, &m, head, note_head);
	assert_int_equal(hazptr_flush(test_manual), 0);
	assert_int_equal(calls, 0);
	hazptr_hold(&g, &m.head);
	assert_int_equal(hazptr_flush(test_manual), 1);
	assert_int_equal(calls, 1);
	hazptr_release(&g);
}

static void arguments_are_evaluated_once(void **state)
{
	struct item *items = items_new(4);
	struct item *p = items;
	struct hazptr_domain *domains[2];
	struct hazptr_domain **d = domains;

	(void)state;
	domains[0] = domains[1] = test_manual;
	hazptr_retire(*d++, p++, head, item_reclaim);
	assert_ptr_equal(d, &domains[1]);
	assert_ptr_equal(p, &items[1]);
	assert_gone(&items[0]);
	free(items);
}

/* free(object), not free(head): the allocator would complain. */
static void retire_free_frees_the_object(void **state)
{
	struct hazptr_stats before = test_stats(test_manual);
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		struct first *f = (struct first *)malloc(sizeof(*f));
		struct middle *m = (struct middle *)malloc(sizeof(*m));
		struct last *l = (struct last *)malloc(sizeof(*l));

		assert_true(f && m && l);
		hazptr_retire_free(test_manual, f, head);
		hazptr_retire_free(test_manual, m, head);
		hazptr_retire_free(test_manual, l, head);
	}
	assert_int_equal(hazptr_flush(test_manual), 300);
	assert_int_equal(test_stats(test_manual).reclaimed,
			 before.reclaimed + 300);
}

static void retire_free_in_the_default_domain(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 5000; i++)
		hazptr_retire_free(NULL, items_new(1), head);
	hazptr_barrier(NULL);
	assert_int_equal(test_stats(NULL).pending, 0);
}

/* hazptr_retire_ptr() */

static void *destroyed;

static void destroy(void *object)
{
	destroyed = object;
	calls++;
}

static void retire_ptr_needs_no_head(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	int words[4];
	int i;

	(void)state;
	for (i = 0; i < 4; i++) { /* any multiple of 4 */
		calls = 0;
		destroyed = NULL;
		hazptr_hold(&g, &words[i]);
		hazptr_retire_ptr(test_manual, &words[i], destroy);
		assert_int_equal(hazptr_flush(test_manual), 0);
		assert_int_equal(calls, 0);
		hazptr_release(&g);
		assert_int_equal(hazptr_flush(test_manual), 1);
		assert_int_equal(calls, 1);
		assert_ptr_equal(destroyed, &words[i]);
		assert_int_equal(hazptr_flush(test_manual), 0);
	}
}

static void retire_ptr_with_free(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		hazptr_retire_ptr(test_manual, malloc(10), free);
	assert_int_equal(hazptr_flush(test_manual), 100);
	for (i = 0; i < 3000; i++)
		hazptr_retire_ptr(NULL, malloc(10), free);
	hazptr_barrier(NULL);
	assert_int_equal(test_stats(NULL).pending, 0);
}

/* hazptr_retire_list() */

static void chain(struct item *items, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		hazptr_head_init(&items[i].head, &items[i], item_reclaim);
	for (i = 0; i + 1 < n; i++)
		items[i].head.next = &items[i + 1].head;
}

static void head_init_fills_the_head(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	memset(&x.head, 0xff, sizeof(x.head));
	hazptr_head_init(&x.head, &x, item_reclaim);
	assert_null(x.head.next);
	hazptr_retire_list(test_manual, &x.head, &x.head);
	assert_gone(&x);
}

static void lists_of_many_lengths(enum hazptr_reclaim policy, size_t bound)
{
	static const size_t lengths[] = { 1, 2, 3, 64, 65, 1000, 10000 };
	struct hazptr_domain *d = test_domain(policy, bound, TEST_NEVER_MS);
	struct item *items = items_new(10000);
	size_t i, n, total = 0;

	for (i = 0; i < TEST_COUNT(lengths); i++) {
		n = lengths[i];
		memset(items, 0, 10000 * sizeof(*items));
		chain(items, n);
		hazptr_retire_list(d, &items[0].head, &items[n - 1].head);
		total += n;
		assert_int_equal(test_stats(d).retired, total);
		hazptr_barrier(d);
		assert_int_equal(items_gone(items, n), n);
		assert_int_equal(items_gone(items, 10000), n);
		assert_int_equal(test_stats(d).reclaimed, total);
	}
	assert_int_equal(hazptr_domain_destroy(d), 0);
	free(items);
}

static void lists_in_every_policy(void **state)
{
	(void)state;
	lists_of_many_lengths(HAZPTR_RECLAIM_MANUAL, 0);
	lists_of_many_lengths(HAZPTR_RECLAIM_INLINE, 0);
	lists_of_many_lengths(HAZPTR_RECLAIM_INLINE, 4);
	lists_of_many_lengths(HAZPTR_RECLAIM_BACKGROUND, 16);
	lists_of_many_lengths(HAZPTR_RECLAIM_BACKGROUND, 0);
}

static void list_of_functions_and_frees(void **state)
{
	enum { N = 100 };
	struct item *items = items_new(N);
	struct hazptr_head first, *last = &first;
	struct item *x;
	int i;

	(void)state;
	memset(&first, 0, sizeof(first));
	for (i = 0; i < N; i++) {
		hazptr_head_init(&items[i].head, &items[i], item_reclaim);
		last = last->next = &items[i].head;
		x = items_new(1);
		hazptr_head_init(&x->head, x, NULL);
		last = last->next = &x->head;
	}
	hazptr_retire_list(test_manual, first.next, last);
	assert_int_equal(test_stats(test_manual).pending, 2 * N);
	assert_int_equal(hazptr_flush(test_manual), 2 * N);
	assert_int_equal(items_gone(items, N), N);
	free(items);
}

static void guards_keep_single_objects_of_a_list(void **state)
{
	enum { N = 1000 };
	struct hazptr_guard guards[3];
	struct item *items = items_new(N);
	static const int held[3] = { 0, N / 2, N - 1 };
	int i;

	(void)state;
	memset(guards, 0, sizeof(guards));
	for (i = 0; i < 3; i++)
		hazptr_hold(&guards[i], &items[held[i]]);
	chain(items, N);
	hazptr_retire_list(test_manual, &items[0].head, &items[N - 1].head);
	assert_int_equal(hazptr_flush(test_manual), N - 3);
	for (i = 0; i < 3; i++) {
		assert_kept(&items[held[i]]);
		hazptr_release(&guards[i]);
		assert_gone(&items[held[i]]);
	}
	assert_int_equal(items_gone(items, N), N);
	free(items);
}

/* An object can be retired again, once it was reclaimed. */

static void the_same_object_again_and_again(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	int i;

	(void)state;
	for (i = 1; i <= 1000; i++) {
		retire_item(&x);
		assert_int_equal(hazptr_flush(test_manual), 1);
		assert_int_equal(item_gone(&x), i);
	}
}

static struct hazptr_domain *again_in;

static void retires_itself(struct hazptr_head *head)
{
	struct item *i = item_of(head);

	if (__atomic_add_fetch(&i->gone, 1, __ATOMIC_RELEASE) < 5)
		hazptr_retire(again_in, i, head, retires_itself);
}

static void function_retires_its_own_object(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	int policy;

	(void)state;
	for (policy = 0; policy < 3; policy++) {
		again_in = test_domain((enum hazptr_reclaim)policy, 4,
				       TEST_NEVER_MS);
		x.gone = 0;
		hazptr_retire(again_in, &x, head, retires_itself);
		while (item_gone(&x) < 5)
			hazptr_barrier(again_in);
		hazptr_barrier(again_in);
		assert_int_equal(item_gone(&x), 5);
		assert_int_equal(test_stats(again_in).retired, 5);
		assert_int_equal(hazptr_domain_destroy(again_in), 0);
	}
}

/* Many domains by one thread: its own lists hold a few at a time. */

static void many_domains_by_one_thread(void **state)
{
	enum { DOMAINS = 11, ROUNDS = 100 };
	struct hazptr_domain *d[DOMAINS];
	struct item *items = items_new(DOMAINS * ROUNDS);
	int i, j;

	(void)state;
	for (i = 0; i < DOMAINS; i++)
		d[i] = test_domain((enum hazptr_reclaim)(i % 3), 0,
				   TEST_NEVER_MS);
	for (j = 0; j < ROUNDS; j++)
		for (i = 0; i < DOMAINS; i++)
			hazptr_retire(d[i], &items[i * ROUNDS + j], head,
				      item_reclaim);
	for (i = 0; i < DOMAINS; i++) {
		assert_int_equal(test_stats(d[i]).retired, ROUNDS);
		assert_int_equal(test_stats(d[i]).pending, ROUNDS);
	}
	for (i = 0; i < DOMAINS; i++) {
		hazptr_barrier(d[i]);
		assert_int_equal(items_gone(items, DOMAINS * ROUNDS),
				 (i + 1) * ROUNDS);
	}
	for (i = 0; i < DOMAINS; i++)
		assert_int_equal(hazptr_domain_destroy(d[i]), 0);
	free(items);
}

/* Retire is a thread's first call, and its last. */
static void *retire_only(void *arg)
{
	retire_item((struct item *)arg);
	return NULL;
}

static void retire_is_a_threads_first_call(void **state)
{
	struct item *items = items_new(50);
	int i;

	(void)state;
	for (i = 0; i < 50; i++)
		test_join(test_start(retire_only, &items[i]));
	assert_int_equal(hazptr_flush(test_manual), 50);
	assert_int_equal(items_gone(items, 50), 50);
	free(items);
}

static void retire_leaves_errno_alone(void **state)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_BACKGROUND, 4, 1);
	struct item *items = items_new(100);
	int i;

	(void)state;
	errno = 4711;
	for (i = 0; i < 100; i++)
		hazptr_retire(d, &items[i], head, item_reclaim);
	hazptr_flush(d);
	hazptr_barrier(d);
	hazptr_synchronize(&items[0]);
	assert_int_equal(errno, 4711);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	assert_int_equal(errno, 4711);
	free(items);
}

/* Order: plain accesses, for a race detector to look at. */

struct plain {
	struct hazptr_head head;
	int written; /* before retire() */
	int read;    /* by readers, under their guards */
};

static struct plain *published;
static int plain_done;

static void plain_reclaim(struct hazptr_head *head)
{
	struct plain *p = (struct plain *)(void *)head;

	must(p->written == 1);
	p->written = p->read = 2;
	free(p);
	__atomic_fetch_add(&plain_done, 1, __ATOMIC_RELAXED);
}

static void *plain_reader(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 2000; i++) {
		HAZPTR_GUARD(g);
		struct plain *p = hazptr_protect(&g, &published);

		if (p)
			must(p->read == 1);
	}
	return NULL;
}

static void functions_come_after_all_uses(void **state)
{
	enum { N = 500 };
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_BACKGROUND, 4, 1);
	pthread_t reader = test_start(plain_reader, NULL);
	struct plain *p, *old;
	int i;

	(void)state;
	for (i = 0; i < N; i++) {
		p = (struct plain *)malloc(sizeof(*p));
		assert_non_null(p);
		p->read = 1;
		p->written = 0;
		old = __atomic_exchange_n(&published, p, __ATOMIC_ACQ_REL);
		if (!old)
			continue;
		old->written = 1;
		hazptr_retire(d, old, head, plain_reclaim);
	}
	old = __atomic_exchange_n(&published, (struct plain *)NULL,
				  __ATOMIC_ACQ_REL);
	old->written = 1;
	hazptr_retire(d, old, head, plain_reclaim);
	test_join(reader);
	assert_int_equal(hazptr_domain_destroy(d), 0);
	assert_int_equal(plain_done, N);
}

/* Misuse */

static struct item twice, thrice;

static void twice_begin(void)
{
	test_manual_setup(NULL);
	test_names(&twice);
}

static void child_twice(void)
{
	twice_begin();
	retire_item(&twice);
	retire_item(&twice);
	hazptr_flush(test_manual);
}

static void child_twice_around_another(void)
{
	twice_begin();
	retire_item(&twice);
	retire_item(&thrice);
	retire_item(&twice);
	hazptr_flush(test_manual);
}

static void child_twice_behind_another(void)
{
	twice_begin();
	retire_item(&thrice);
	retire_item(&twice);
	retire_item(&twice);
	hazptr_flush(test_manual);
}

static void child_twice_kept(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;

	twice_begin();
	hazptr_hold(&g, &twice);
	retire_item(&twice);
	hazptr_flush(test_manual);
	retire_item(&twice);
	hazptr_flush(test_manual);
	hazptr_release(&g);
	hazptr_flush(test_manual);
}

static void child_twice_free(void)
{
	struct item *x = items_new(1);

	test_manual_setup(NULL);
	test_names(x);
	hazptr_retire_free(test_manual, x, head);
	hazptr_retire_free(test_manual, x, head);
	hazptr_flush(test_manual);
}

static void child_twice_barrier(void)
{
	twice_begin();
	retire_item(&twice);
	retire_item(&twice);
	hazptr_barrier(test_manual);
}

static void child_twice_inline(void)
{
	struct hazptr_domain *d = test_domain(HAZPTR_RECLAIM_INLINE, 0, 0);

	test_names(&twice);
	hazptr_retire(d, &twice, head, item_reclaim);
	hazptr_retire(d, &twice, head, item_reclaim);
	hazptr_flush(d);
}

static void child_twice_by_two(void)
{
	twice_begin();
	test_join(test_start(retire_only, &twice));
	retire_item(&twice);
	hazptr_flush(test_manual);
}

static void child_twice_in_batches(void)
{
	struct item *items = items_new(1000);
	int i;

	twice_begin();
	retire_item(&twice);
	for (i = 0; i < 1000; i++)
		retire_item(&items[i]);
	retire_item(&twice);
	hazptr_barrier(test_manual);
}

static void child_twice_in_a_list(void)
{
	twice_begin();
	retire_item(&twice);
	chain(&twice, 1);
	hazptr_retire_list(test_manual, &twice.head, &twice.head);
	hazptr_barrier(test_manual);
}

static void child_list_without_its_last(void)
{
	static struct item one, last;

	test_names(&last.head);
	chain(&one, 1);
	hazptr_retire_list(NULL, &one.head, &last.head);
}

static void child_misaligned(size_t by)
{
	static long place[2];
	void *object = (char *)place + by;

	test_names(object);
	hazptr_retire_ptr(NULL, object, destroy);
}

static void child_misaligned_by_1(void)
{
	child_misaligned(1);
}

static void child_misaligned_by_2(void)
{
	child_misaligned(2);
}

static const struct test_child children[] = {
	{ "twice", child_twice },
	{ "twice around another", child_twice_around_another },
	{ "twice behind another", child_twice_behind_another },
	{ "twice kept", child_twice_kept },
	{ "twice free", child_twice_free },
	{ "twice barrier", child_twice_barrier },
	{ "twice inline", child_twice_inline },
	{ "twice by two", child_twice_by_two },
	{ "twice in batches", child_twice_in_batches },
	{ "twice in a list", child_twice_in_a_list },
	{ "list without its last", child_list_without_its_last },
	{ "misaligned by 1", child_misaligned_by_1 },
	{ "misaligned by 2", child_misaligned_by_2 },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_is_anywhere),
		cmocka_unit_test(guard_on_the_object_counts_not_on_the_head),
		cmocka_unit_test(arguments_are_evaluated_once),
		cmocka_unit_test(retire_free_frees_the_object),
		cmocka_unit_test(retire_free_in_the_default_domain),
		cmocka_unit_test(retire_ptr_needs_no_head),
		cmocka_unit_test(retire_ptr_with_free),
		cmocka_unit_test(head_init_fills_the_head),
		cmocka_unit_test(lists_in_every_policy),
		cmocka_unit_test(list_of_functions_and_frees),
		cmocka_unit_test(guards_keep_single_objects_of_a_list),
		cmocka_unit_test(the_same_object_again_and_again),
		cmocka_unit_test(function_retires_its_own_object),
		cmocka_unit_test(many_domains_by_one_thread),
		cmocka_unit_test(retire_is_a_threads_first_call),
		cmocka_unit_test(retire_leaves_errno_alone),
		cmocka_unit_test(functions_come_after_all_uses),
		MISUSE("twice", "hazptr_retire"),
		MISUSE("twice around another", "hazptr_retire"),
		MISUSE("twice behind another", "hazptr_retire"),
		MISUSE("twice kept", "hazptr_retire"),
		MISUSE("twice free", "hazptr_retire"),
		MISUSE("twice barrier", "hazptr_retire"),
		MISUSE("twice inline", "hazptr_retire"),
		MISUSE("twice by two", "hazptr_retire"),
		MISUSE("twice in batches", "hazptr_retire"),
		MISUSE("twice in a list", "hazptr_retire"),
		MISUSE("list without its last", "hazptr_retire_list"),
		MISUSE("misaligned by 1", "hazptr_retire"),
		MISUSE("misaligned by 2", "hazptr_retire"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
