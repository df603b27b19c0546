/* SPDX-License-Identifier: MIT */
/* tests/unit/context.c - the sentences of hazptr/context.h */
#include "test.h"

#include <hazptr/context.h>

#define N HAZPTR_CONTEXT_SLOTS

/* Make, unmake */

static void init_gives_a_context_without_protection(void **state)
{
	struct hazptr_context c;

	(void)state;
	memset(&c, 0x5a, sizeof(c)); /* whatever was there */
	assert_int_equal(hazptr_context_init(&c), 0);
	assert_int_equal(free_slots(&c), N);
	hazptr_context_cleanup(&c);
	assert_int_equal(hazptr_context_init(&c), 0); /* and once more */
	assert_int_equal(free_slots(&c), N);
	hazptr_context_cleanup(&c);
}

static void contexts_are_used_again(void **state)
{
	struct hazptr_context c[40];
	uint64_t slots = 0;
	int i, j;

	(void)state;
	for (i = 0; i < 200; i++) {
		if (i == 1)
			slots = test_stats(NULL).slots;
		for (j = 0; j < 40; j++)
			assert_int_equal(hazptr_context_init(&c[j]), 0);
		for (j = 0; j < 40; j++)
			hazptr_context_cleanup(&c[j]);
	}
	assert_int_equal(test_stats(NULL).slots, slots);
}

static void *init_context(void *arg)
{
	must(!hazptr_context_init((struct hazptr_context *)arg));
	return NULL;
}

static void context_outlives_the_thread_that_made_it(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_context c;
	struct hazptr_slot *s;
	struct item *source = &x;

	(void)state;
	test_join(test_start(init_context, &c));
	s = hazptr_slot_alloc(&c);
	assert_non_null(s);
	assert_ptr_equal(hazptr_slot_protect(s, &source), &x);
	retire_item(&x);
	assert_kept(&x);
	hazptr_context_cleanup(&c);
	assert_gone(&x);
}

static void cleanup_drops_everything(void **state)
{
	struct hazptr_guard *guards =
		(struct hazptr_guard *)calloc(20, sizeof(*guards));
	struct item *items = items_new(22);
	struct item *source;
	struct hazptr_context c;
	struct hazptr_slot *s;
	int i;

	(void)state;
	assert_non_null(guards);
	assert_int_equal(hazptr_context_init(&c), 0);
	s = hazptr_slot_alloc(&c);
	source = &items[20];
	assert_ptr_equal(hazptr_slot_protect(s, &source), source);
	hazptr_context_switch(&c);
	for (i = 0; i < 20; i++)
		hazptr_hold(&guards[i], &items[i]);
	hazptr_detach(&guards[0]);
	hazptr_detach(&guards[19]);
	hazptr_context_switch(NULL);
	for (i = 0; i < 22; i++)
		retire_item(&items[i]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, 22), 1); /* the one never held */
	hazptr_context_cleanup(&c);
	memset(guards, 0xa5, 20 * sizeof(*guards));
	free(guards); /* nobody looks there any more */
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, 22), 22);
	free(items);
}

/* Slots */

static void eight_slots_then_none(void **state)
{
	struct hazptr_slot *s[N];
	struct hazptr_context c;
	int i, j;

	(void)state;
	assert_int_equal(hazptr_context_init(&c), 0);
	for (i = 0; i < N; i++) {
		s[i] = hazptr_slot_alloc(&c);
		assert_non_null(s[i]);
		for (j = 0; j < i; j++)
			assert_ptr_not_equal(s[i], s[j]);
	}
	assert_null(hazptr_slot_alloc(&c));
	assert_null(hazptr_slot_alloc(&c));
	for (i = N - 1; i >= 0; i--) {
		hazptr_slot_free(&c, s[i]);
		assert_ptr_equal(hazptr_slot_alloc(&c), s[i]);
		assert_null(hazptr_slot_alloc(&c));
	}
	for (i = 0; i < N; i++)
		hazptr_slot_free(&c, s[i]);
	assert_int_equal(free_slots(&c), N);
	hazptr_slot_free(&c, NULL);
	hazptr_context_cleanup(&c);
}

static void the_threads_own_slots(void **state)
{
	struct hazptr_slot *s;

	(void)state;
	assert_int_equal(free_slots(NULL), N);
	s = hazptr_slot_alloc(NULL);
	assert_non_null(s);
	assert_int_equal(free_slots(NULL), N - 1);
	hazptr_slot_free(NULL, s);
	hazptr_slot_free(NULL, NULL);
	assert_int_equal(free_slots(NULL), N);
}

static void new_slot_protects_nothing(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	struct hazptr_slot *s;
	struct hazptr_context c;

	(void)state;
	assert_int_equal(hazptr_context_init(&c), 0);
	s = hazptr_slot_alloc(&c);
	assert_ptr_equal(hazptr_slot_protect(s, &source), &x);
	hazptr_slot_free(&c, s);
	s = hazptr_slot_alloc(&c);
	retire_item(&x);
	assert_gone(&x);
	hazptr_slot_free(&c, s);
	hazptr_context_cleanup(&c);
}

static void slot_protect_keeps(void **state)
{
	struct item *items = items_new(3);
	struct item *source = &items[0];
	struct hazptr_slot *s = hazptr_slot_alloc(NULL);

	(void)state;
	assert_non_null(s);
	assert_ptr_equal(hazptr_slot_protect(s, &source), &items[0]);
	retire_item(&items[0]);
	assert_kept(&items[0]);
	source = &items[1]; /* what it protected is dropped */
	assert_ptr_equal(hazptr_slot_protect(s, &source), &items[1]);
	assert_gone(&items[0]);
	retire_item(&items[1]);
	assert_kept(&items[1]);
	source = NULL;
	assert_null(hazptr_slot_protect(s, &source));
	assert_gone(&items[1]);
	source = &items[2];
	assert_ptr_equal(hazptr_slot_protect(s, &source), &items[2]);
	retire_item(&items[2]);
	assert_kept(&items[2]);
	hazptr_slot_clear(s);
	assert_gone(&items[2]);
	hazptr_slot_clear(s);
	assert_int_equal(free_slots(NULL), N - 1); /* it stays allocated */
	hazptr_slot_free(NULL, s);
	free(items);
}

static void slot_try_protect_keeps(void **state)
{
	struct item *items = items_new(2);
	const struct item *source = &items[0];
	struct hazptr_slot *s = hazptr_slot_alloc(NULL);

	(void)state;
	assert_non_null(s);
	assert_ptr_equal(hazptr_slot_try_protect(s, &source), &items[0]);
	retire_item(&items[0]);
	assert_kept(&items[0]);
	source = NULL;
	assert_null(hazptr_slot_try_protect(s, &source));
	assert_gone(&items[0]); /* the slot then protects nothing */
	assert_int_equal(free_slots(NULL), N - 1);
	source = &items[1];
	assert_ptr_equal(hazptr_slot_try_protect(s, &source), &items[1]);
	retire_item(&items[1]);
	assert_kept(&items[1]);
	hazptr_slot_free(NULL, s); /* drops what the slot protects */
	assert_gone(&items[1]);
	assert_int_equal(free_slots(NULL), N);
	free(items);
}

static void slots_leave_errno_alone(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	struct hazptr_slot *s;

	(void)state;
	errno = 4711;
	s = hazptr_slot_alloc(NULL);
	assert_ptr_equal(hazptr_slot_protect(s, &source), &x);
	assert_ptr_equal(hazptr_slot_try_protect(s, &source), &x);
	hazptr_slot_clear(s);
	hazptr_slot_free(NULL, s);
	assert_int_equal(errno, 4711);
}

/* A slot may be used by one thread after the other. */
static void *slot_elsewhere(void *arg)
{
	hazptr_slot_clear((struct hazptr_slot *)arg);
	return NULL;
}

static void slot_moves_between_threads(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	struct hazptr_context c;
	struct hazptr_slot *s;

	(void)state;
	assert_int_equal(hazptr_context_init(&c), 0);
	s = hazptr_slot_alloc(&c);
	assert_ptr_equal(hazptr_slot_protect(s, &source), &x);
	retire_item(&x);
	assert_kept(&x);
	test_join(test_start(slot_elsewhere, s));
	assert_gone(&x);
	hazptr_slot_free(&c, s);
	hazptr_context_cleanup(&c);
}

/* Slots and guards side by side */

static void guards_do_not_take_idle_slots(void **state)
{
	struct hazptr_guard guards[N + 2];
	struct hazptr_slot *s[N];
	struct item *items = items_new(2 * N + 2);
	struct item *source;
	int i;

	(void)state;
	memset(guards, 0, sizeof(guards));
	for (i = 0; i < N; i++)
		s[i] = hazptr_slot_alloc(NULL); /* idle: protecting nothing */
	for (i = 0; i < N + 2; i++) {
		source = &items[i];
		assert_ptr_equal(hazptr_protect(&guards[i], &source), source);
		retire_item(&items[i]);
	}
	for (i = 0; i < N; i++) {
		source = &items[N + 2 + i];
		assert_ptr_equal(hazptr_slot_protect(s[i], &source), source);
		retire_item(source);
	}
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, 2 * N + 2), 0);
	for (i = 0; i < N; i++)
		hazptr_slot_clear(s[i]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, N + 2), 0);
	assert_int_equal(items_gone(items + N + 2, N), N);
	for (i = 0; i < N + 2; i++)
		hazptr_release(&guards[i]);
	assert_null(hazptr_slot_alloc(NULL)); /* all still allocated */
	for (i = 0; i < N; i++)
		hazptr_slot_free(NULL, s[i]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, 2 * N + 2), 2 * N + 2);
	free(items);
}

static void slots_do_not_take_what_guards_hold(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	size_t held, i;

	(void)state;
	for (held = 0; held <= N + 2; held++) {
		for (i = 0; i < held; i++)
			hazptr_hold(&crowd_guards[i], &x);
		assert_int_equal(free_slots(NULL), held < N ? N - held : 0);
		crowd_drop();
	}
}

/* Misuse */

static struct hazptr_context misused, other;

static void child_free_foreign(void)
{
	struct hazptr_slot *s;

	must(!hazptr_context_init(&misused) && !hazptr_context_init(&other));
	s = hazptr_slot_alloc(&other);
	test_names(s);
	hazptr_slot_free(&misused, s);
}

static void child_free_twice(void)
{
	struct hazptr_slot *s;

	must(!hazptr_context_init(&misused));
	s = hazptr_slot_alloc(&misused);
	hazptr_slot_free(&misused, s);
	test_names(s);
	hazptr_slot_free(&misused, s);
}

static void child_free_own_for_context(void)
{
	struct hazptr_slot *s = hazptr_slot_alloc(NULL);

	must(!hazptr_context_init(&misused));
	test_names(s);
	hazptr_slot_free(&misused, s);
}

static void child_free_no_slot(void)
{
	struct hazptr_slot no_slot = { 4 };

	test_names(&no_slot);
	hazptr_slot_free(NULL, &no_slot);
}

/* Between two slots is no slot. */
static void child_free_half(void)
{
	struct hazptr_slot *s;
	void *half;

	must(!hazptr_context_init(&misused));
	s = hazptr_slot_alloc(&misused);
	must(hazptr_slot_alloc(&misused) != NULL);
	half = (char *)s + sizeof(*s) / 2;
	test_names(half);
	hazptr_slot_free(&misused, (struct hazptr_slot *)half);
}

static void child_cleanup_own(void)
{
	must(!hazptr_context_init(&misused));
	hazptr_context_switch(&misused);
	test_names(&misused);
	hazptr_context_cleanup(&misused);
}

static void child_cleanup_zeroed(void)
{
	test_names(&misused);
	hazptr_context_cleanup(&misused);
}

static sem_t in_use;

static void *use_context(void *arg)
{
	hazptr_context_switch((struct hazptr_context *)arg);
	must(!sem_post(&in_use));
	pause();
	return NULL;
}

static void misused_by_another(void)
{
	must(!sem_init(&in_use, 0, 0));
	must(!hazptr_context_init(&misused));
	test_start(use_context, &misused);
	test_wait(&in_use);
	test_names(&misused);
}

static void child_cleanup_foreign(void)
{
	misused_by_another();
	hazptr_context_cleanup(&misused);
}

static void child_switch_foreign(void)
{
	misused_by_another();
	hazptr_context_switch(&misused);
}

static const struct test_child children[] = {
	{ "free foreign", child_free_foreign },
	{ "free twice", child_free_twice },
	{ "free own for context", child_free_own_for_context },
	{ "free no slot", child_free_no_slot },
	{ "free half", child_free_half },
	{ "cleanup own", child_cleanup_own },
	{ "cleanup zeroed", child_cleanup_zeroed },
	{ "cleanup foreign", child_cleanup_foreign },
	{ "switch foreign", child_switch_foreign },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_gives_a_context_without_protection),
		cmocka_unit_test(contexts_are_used_again),
		cmocka_unit_test(context_outlives_the_thread_that_made_it),
		cmocka_unit_test(cleanup_drops_everything),
		cmocka_unit_test(eight_slots_then_none),
		cmocka_unit_test(the_threads_own_slots),
		cmocka_unit_test(new_slot_protects_nothing),
		cmocka_unit_test(slot_protect_keeps),
		cmocka_unit_test(slot_try_protect_keeps),
		cmocka_unit_test(slots_leave_errno_alone),
		cmocka_unit_test(slot_moves_between_threads),
		cmocka_unit_test(guards_do_not_take_idle_slots),
		cmocka_unit_test(slots_do_not_take_what_guards_hold),
		MISUSE("free foreign", "hazptr_slot_free"),
		MISUSE("free twice", "hazptr_slot_free"),
		MISUSE("free own for context", "hazptr_slot_free"),
		MISUSE("free no slot", "hazptr_slot_free"),
		MISUSE("free half", "hazptr_slot_free"),
		MISUSE("cleanup own", "hazptr_context_cleanup"),
		MISUSE("cleanup zeroed", "hazptr_context_cleanup"),
		MISUSE("cleanup foreign", "hazptr_context_cleanup"),
		MISUSE("switch foreign", "hazptr_context_switch"),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
