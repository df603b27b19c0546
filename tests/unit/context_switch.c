/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/context_switch.c - tasks that bring their own context
 *
 * What hazptr_context_switch() says, and tasks that move between threads.
 */
#include "test.h"

#include <hazptr/context.h>

#define N HAZPTR_CONTEXT_SLOTS

static void switch_returns_what_was_used(void **state)
{
	struct hazptr_context a, b;

	(void)state;
	assert_int_equal(hazptr_context_init(&a), 0);
	assert_int_equal(hazptr_context_init(&b), 0);
	assert_null(hazptr_context_switch(NULL));
	assert_null(hazptr_context_switch(&a));
	assert_ptr_equal(hazptr_context_switch(&a), &a);
	assert_ptr_equal(hazptr_context_switch(&b), &a);
	assert_ptr_equal(hazptr_context_switch(NULL), &b);
	assert_null(hazptr_context_switch(NULL));
	hazptr_context_cleanup(&a);
	hazptr_context_cleanup(&b);
}

static void guards_use_the_context(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct hazptr_context c;

	(void)state;
	assert_int_equal(hazptr_context_init(&c), 0);
	hazptr_context_switch(&c);
	hazptr_hold(&g, &x);
	assert_int_equal(free_slots(&c), N - 1);
	assert_int_equal(free_slots(NULL), N);
	hazptr_context_switch(NULL);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&g); /* keeps its slot, whatever the thread uses now */
	assert_gone(&x);
	assert_int_equal(free_slots(&c), N);
	hazptr_context_cleanup(&c);
}

static void held_guards_stay_valid(void **state)
{
	struct hazptr_guard guards[24];
	struct item *items = items_new(24);
	struct hazptr_context c;
	int i;

	(void)state;
	memset(guards, 0, sizeof(guards));
	assert_int_equal(hazptr_context_init(&c), 0);
	for (i = 0; i < 12; i++)
		hazptr_hold(&guards[i], &items[i]);
	hazptr_context_switch(&c);
	for (i = 12; i < 24; i++)
		hazptr_hold(&guards[i], &items[i]);
	for (i = 0; i < 24; i++)
		retire_item(&items[i]);
	for (i = 0; i < 24; i++) {
		assert_kept(&items[i]);
		hazptr_context_switch(i % 2 ? &c : NULL);
		hazptr_release(&guards[i]);
		assert_gone(&items[i]);
	}
	hazptr_context_switch(NULL);
	assert_int_equal(free_slots(NULL), N);
	assert_int_equal(free_slots(&c), N);
	hazptr_context_cleanup(&c);
	free(items);
}

static void the_same_object_in_two_contexts(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	struct hazptr_context a, b;
	struct hazptr_slot *sa, *sb;

	(void)state;
	assert_int_equal(hazptr_context_init(&a), 0);
	assert_int_equal(hazptr_context_init(&b), 0);
	sa = hazptr_slot_alloc(&a);
	sb = hazptr_slot_alloc(&b);
	assert_ptr_equal(hazptr_slot_protect(sa, &source), &x);
	assert_ptr_equal(hazptr_slot_protect(sb, &source), &x);
	retire_item(&x);
	assert_kept(&x);
	hazptr_slot_clear(sa);
	assert_kept(&x);
	hazptr_slot_clear(sb);
	assert_gone(&x);
	hazptr_context_cleanup(&a);
	hazptr_context_cleanup(&b);
}

static void many_contexts(void **state)
{
	enum { CONTEXTS = 200 };
	static struct hazptr_context contexts[CONTEXTS];
	static struct hazptr_guard guards[CONTEXTS];
	struct item *items = items_new(CONTEXTS);
	int i;

	(void)state;
	for (i = 0; i < CONTEXTS; i++) {
		assert_int_equal(hazptr_context_init(&contexts[i]), 0);
		hazptr_context_switch(&contexts[i]);
		hazptr_hold(&guards[i], &items[i]);
		retire_item(&items[i]);
	}
	hazptr_context_switch(NULL);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, CONTEXTS), 0);
	assert_true(test_stats(test_manual).slots >= CONTEXTS * N);
	for (i = 0; i < CONTEXTS; i++)
		hazptr_context_cleanup(&contexts[i]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, CONTEXTS), CONTEXTS);
	free(items);
}

/* Fibers: a task's guards go with it from thread to thread. */

#define TASKS 6
#define STEPS TEST_MANY(300)

struct task {
	struct hazptr_context context;
	struct hazptr_guard guards[12];
	struct item *items; /* a new one per guard and step */
	size_t step;
};

static struct task tasks[TASKS];
static pthread_mutex_t tasks_lock = PTHREAD_MUTEX_INITIALIZER;
static bool task_taken[TASKS];

static void task_step(struct task *t)
{
	struct item *now = &t->items[t->step * 12];
	struct item *source;
	int i;

	for (i = 0; i < 12; i++) {
		if (t->step > 0)
			must(!item_gone(now - 12 + i));
		source = &now[i];
		must(hazptr_protect(&t->guards[i], &source) == source);
		retire_item(source);
	}
	t->step++;
}

/* Any task that has steps left and that no thread runs; -1: all are done. */
static int task_choose(unsigned *seed)
{
	int i, n, found = -1;

	pthread_mutex_lock(&tasks_lock);
	n = (int)(test_random(seed) % TASKS);
	for (i = 0; i < TASKS && found < 0; i++)
		if (!task_taken[(n + i) % TASKS] &&
		    tasks[(n + i) % TASKS].step < STEPS)
			found = (n + i) % TASKS;
	if (found >= 0)
		task_taken[found] = true;
	pthread_mutex_unlock(&tasks_lock);
	return found;
}

static void *task_runner(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct hazptr_context *before;
	int i;

	while ((i = task_choose(&seed)) >= 0) {
		before = hazptr_context_switch(&tasks[i].context);
		task_step(&tasks[i]);
		hazptr_context_switch(before);
		if (test_random(&seed) % 8 == 0)
			hazptr_flush(test_manual);
		pthread_mutex_lock(&tasks_lock);
		task_taken[i] = false;
		pthread_mutex_unlock(&tasks_lock);
	}
	return NULL;
}

static void tasks_move_between_threads(void **state)
{
	pthread_t threads[3];
	size_t i;

	(void)state;
	for (i = 0; i < TASKS; i++) {
		assert_int_equal(hazptr_context_init(&tasks[i].context), 0);
		tasks[i].items = items_new(12 * STEPS);
	}
	for (i = 0; i < 3; i++)
		threads[i] = test_start(task_runner, (void *)(i + 1));
	for (i = 0; i < 3; i++)
		test_join(threads[i]);
	hazptr_flush(test_manual);
	for (i = 0; i < TASKS; i++) {
		assert_int_equal(items_gone(tasks[i].items, 12 * STEPS),
				 12 * (STEPS - 1));
		hazptr_context_cleanup(&tasks[i].context);
	}
	hazptr_flush(test_manual);
	for (i = 0; i < TASKS; i++) {
		assert_int_equal(items_gone(tasks[i].items, 12 * STEPS),
				 12 * STEPS);
		free(tasks[i].items);
	}
}

/* A thread that ends while it uses a context gives it back. */
static void *use_and_end(void *arg)
{
	hazptr_context_switch((struct hazptr_context *)arg);
	return NULL;
}

static void ended_thread_uses_no_context(void **state)
{
	struct hazptr_context c;

	(void)state;
	assert_int_equal(hazptr_context_init(&c), 0);
	test_join(test_start(use_and_end, &c));
	hazptr_context_switch(&c);
	hazptr_context_switch(NULL);
	hazptr_context_cleanup(&c);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(switch_returns_what_was_used),
		cmocka_unit_test(guards_use_the_context),
		cmocka_unit_test(held_guards_stay_valid),
		cmocka_unit_test(the_same_object_in_two_contexts),
		cmocka_unit_test(many_contexts),
		cmocka_unit_test(tasks_move_between_threads),
		cmocka_unit_test(ended_thread_uses_no_context),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
