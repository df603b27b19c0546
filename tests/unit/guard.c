/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/guard.c - the sentences of hazptr/guard.h, one guard at a time
 *
 * Each body runs beside crowds of other guards, so that it meets the inline
 * paths, the slow ones and embedded slots, in the thread's own context and in
 * an explicit one. What several guards do together: guard_*.c.
 */
#include "test.h"

#include <hazptr/guard.h>

static void protect_returns_the_object_and_keeps_it(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;

	(void)state;
	assert_ptr_equal(hazptr_protect(&g, &source), &x);
	source = NULL;
	retire_item(&x);
	assert_kept(&x);
	assert_kept(&x); /* also from the second pass */
	hazptr_release(&g);
	assert_gone(&x);
}

static void unprotected_object_goes(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	retire_item(&x);
	assert_gone(&x);
}

static void protect_of_null_returns_null(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item *source = NULL;

	(void)state;
	assert_null(hazptr_protect(&g, &source));
	hazptr_release(&g);
}

static void protect_of_null_drops_what_was_kept(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;

	(void)state;
	(void)hazptr_protect(&g, &source);
	source = NULL;
	assert_null(hazptr_protect(&g, &source));
	retire_item(&x);
	assert_gone(&x);
	hazptr_release(&g);
}

static void protect_again_drops_what_was_kept(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };
	struct item *source = &x;

	(void)state;
	(void)hazptr_protect(&g, &source);
	source = &y;
	assert_ptr_equal(hazptr_protect(&g, &source), &y);
	source = NULL;
	retire_item(&x);
	retire_item(&y);
	assert_gone(&x);
	assert_kept(&y);
	hazptr_release(&g);
	assert_gone(&y);
}

static void protect_of_the_same_object_again_keeps_it(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;

	(void)state;
	(void)hazptr_protect(&g, &source);
	assert_ptr_equal(hazptr_protect(&g, &source), &x);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
}

static void release_is_idempotent(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_guard other = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_release(&g); /* an empty guard */
	hazptr_hold(&g, &x);
	hazptr_release(&g);
	hazptr_hold(&other, &y); /* perhaps where g was */
	hazptr_release(&g);
	hazptr_release(&g);
	retire_item(&x);
	retire_item(&y);
	assert_gone(&x);
	assert_kept(&y);
	hazptr_release(&other);
	assert_gone(&y);
}

static void released_guard_can_be_used_again(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item *items = items_new(100);
	struct item *source;
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		source = &items[i];
		assert_ptr_equal(hazptr_protect(&g, &source), &items[i]);
		retire_item(&items[i]);
		assert_kept(&items[i]);
		hazptr_release(&g);
		assert_gone(&items[i]);
	}
	free(items);
}

static void zeroed_memory_is_an_empty_guard(void **state)
{
	struct hazptr_guard *g = (struct hazptr_guard *)calloc(1, sizeof(*g));
	struct hazptr_guard initialised = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	assert_non_null(g);
	assert_memory_equal(g, &initialised, sizeof(*g));
	hazptr_release(g);
	hazptr_hold(g, &x);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(g);
	assert_gone(&x);
	memset(g, 0, sizeof(*g)); /* an empty one can be made anew, or freed */
	hazptr_release(g);
	free(g);
}

static int early_return(struct item *const *source, struct item *x)
{
	HAZPTR_GUARD(guard);

	if (hazptr_protect(&guard, source) == x) {
		retire_item(x);
		assert_kept(x);
		return 1;
	}
	return 0;
}

static void scope_guard_is_released_at_the_end(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	int i;

	(void)state;
	assert_int_equal(early_return(&source, &x), 1);
	assert_gone(&x);
	for (i = 0; i < 3; i++) {
		HAZPTR_GUARD(outer);
		hazptr_hold(&outer, &y);
		{
			HAZPTR_GUARD(inner);
			hazptr_hold(&inner, &x);
			if (i == 1)
				continue;
		}
		if (i == 2) {
			retire_item(&y);
			assert_kept(&y);
			break;
		}
	}
	assert_gone(&y);
	{
		HAZPTR_GUARD(never_used);
	}
}

static void try_protect_of_the_expected_object(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x, *seen = &x;

	(void)state;
	assert_true(hazptr_try_protect(&g, &seen, &source));
	assert_ptr_equal(seen, &x);
	source = NULL;
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
}

static void try_protect_of_another_object(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item before = { 1, { 0, 0, 0 }, 0 };
	struct item x = { 2, { 0, 0, 0 }, 0 };
	struct item y = { 3, { 0, 0, 0 }, 0 };
	struct item *source = &y, *seen = &x;

	(void)state;
	hazptr_hold(&g, &before);
	assert_false(hazptr_try_protect(&g, &seen, &source));
	assert_ptr_equal(seen, &y);
	retire_item(&before);
	retire_item(&x);
	assert_gone(&before); /* the guard is empty */
	assert_gone(&x);
	assert_true(hazptr_try_protect(&g, &seen, &source));
	retire_item(&y);
	assert_kept(&y);
	hazptr_release(&g);
	assert_gone(&y);
}

static void failed_try_protect_keeps_nothing(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };
	struct item *source = &y, *seen = &x;

	(void)state;
	assert_false(hazptr_try_protect(&g, &seen, &source));
	source = NULL;
	retire_item(&x);
	retire_item(&y);
	assert_gone(&x);
	assert_gone(&y);
	hazptr_release(&g);
}

static void try_protect_and_null(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };
	struct item *source = NULL, *seen = NULL;

	(void)state;
	hazptr_hold(&g, &x);
	assert_true(hazptr_try_protect(&g, &seen, &source));
	assert_null(seen); /* an expected NULL: true, and the guard is empty */
	retire_item(&x);
	assert_gone(&x);

	source = &y;
	assert_false(hazptr_try_protect(&g, &seen, &source));
	assert_ptr_equal(seen, &y);
	source = NULL;
	assert_false(hazptr_try_protect(&g, &seen, &source));
	assert_null(seen);
	retire_item(&y);
	assert_gone(&y);
	hazptr_release(&g);
}

static void tagged_link_keeps_the_address_without_its_flags(void **state)
{
	static const uintptr_t flags[] = { 0, 1, 2, 3, 7 };
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item *items = items_new(TEST_COUNT(flags));
	uintptr_t link;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(flags); i++) {
		link = (uintptr_t)&items[i] | flags[i];
		assert_true(hazptr_protect_tagged(&g, &link, 7) == link);
		retire_item(&items[i]);
		assert_kept(&items[i]);
		if (i > 0)
			assert_gone(&items[i - 1]);
	}
	hazptr_release(&g);
	assert_gone(&items[i - 1]);
	free(items);
}

static void tagged_null_keeps_nothing(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	uintptr_t link = 1;

	(void)state;
	hazptr_hold(&g, &x);
	assert_true(hazptr_protect_tagged(&g, &link, 1) == 1);
	retire_item(&x);
	assert_gone(&x);
	link = 0;
	assert_true(hazptr_protect_tagged(&g, &link, 3) == 0);
	link = 3;
	assert_true(hazptr_protect_tagged(&g, &link, 3) == 3);
	hazptr_release(&g);
}

static void tag_mask_zero_is_protect(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	uintptr_t link = (uintptr_t)&x;

	(void)state;
	assert_true(hazptr_protect_tagged(&g, &link, 0) == (uintptr_t)&x);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
}

static void hold_keeps_drops_and_releases(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };
	const struct item *read_only = &x;

	(void)state;
	hazptr_hold(&g, NULL);
	hazptr_hold(&g, read_only);
	retire_item(&x);
	assert_kept(&x);
	hazptr_hold(&g, &y);
	assert_gone(&x);
	retire_item(&y);
	assert_kept(&y);
	hazptr_hold(&g, NULL);
	assert_gone(&y);
	hazptr_hold(&g, NULL);
	hazptr_release(&g);
}

static void the_same_object_in_two_slots(void **state)
{
	struct hazptr_guard a = HAZPTR_GUARD_INIT;
	struct hazptr_guard b = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item y = { 2, { 0, 0, 0 }, 0 };
	struct item *source = &x;

	(void)state;
	(void)hazptr_protect(&a, &source);
	(void)hazptr_protect(&b, &source);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&a);
	assert_kept(&x);
	hazptr_release(&b);
	assert_gone(&x);

	hazptr_hold(&a, &y);
	hazptr_hold(&b, &y);
	retire_item(&y);
	hazptr_release(&b);
	assert_kept(&y);
	hazptr_release(&a);
	assert_gone(&y);
}

static void guards_leave_errno_alone(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_guard other = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x, *seen = &x;

	(void)state;
	errno = 4711;
	(void)hazptr_protect(&g, &source);
	hazptr_swap(&g, &other);
	hazptr_release(&other);
	assert_true(hazptr_try_protect(&g, &seen, &source));
	hazptr_detach(&g);
	hazptr_release(&g);
	assert_int_equal(errno, 4711);
}

static void arguments_are_evaluated_once(void **state)
{
	struct hazptr_guard guards[4];
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *sources[4] = { &x, &x, &x, &x };
	struct item *seen[4] = { &x, &x, &x, &x };
	int g = 0, s = 0, p = 0;

	(void)state;
	memset(guards, 0, sizeof(guards));
	assert_ptr_equal(hazptr_protect(&guards[g++], &sources[s++]), &x);
	assert_int_equal(g, 1);
	assert_int_equal(s, 1);
	assert_true(
		hazptr_try_protect(&guards[g++], &seen[p++], &sources[s++]));
	assert_int_equal(g, 2);
	assert_int_equal(s, 2);
	assert_int_equal(p, 1);
	for (g = 0; g < 4; g++)
		hazptr_release(&guards[g]);
}

static void qualified_and_incomplete_types(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	static const struct item x = { 1, { 0, 0, 0 }, 0 };
	const struct item *to_const = &x;
	const struct item *const fixed = &x;
	const struct item *seen = &x;
	const void *untyped = &x;
	struct incomplete *opaque = (struct incomplete *)(uintptr_t)&x;

	(void)state;
	assert_ptr_equal(hazptr_protect(&g, &to_const), &x);
	assert_ptr_equal(hazptr_protect(&g, &fixed), &x);
	assert_ptr_equal(hazptr_protect(&g, &untyped), &x);
	assert_ptr_equal(hazptr_protect(&g, &opaque), &x);
	assert_true(hazptr_try_protect(&g, &seen, &to_const));
	assert_true(hazptr_try_protect(&g, &seen, &fixed));
	hazptr_release(&g);
}

/* A handler that runs while the thread is not inside the library. */

static struct item handled;
static struct item *handled_source;
static volatile sig_atomic_t handler_saw;

static void on_signal(int sig)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item *seen = &handled;

	(void)sig;
	handler_saw = hazptr_protect(&g, &handled_source) == &handled;
	hazptr_release(&g);
	handler_saw &= hazptr_try_protect(&g, &seen, &handled_source);
	hazptr_hold(&g, &handled);
	hazptr_release(&g);
}

static void handler_protects_and_releases(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct sigaction action, before;

	(void)state;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	handled_source = &handled;
	handler_saw = 0;
	hazptr_hold(&g, &x);
	retire_item(&x);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_true(handler_saw);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
	sigaction(SIGUSR1, &before, NULL);
}

static void guard_is_held_across_a_sleep(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_hold(&g, &x);
	retire_item(&x);
	test_sleep_ms(10);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		CROWDED(protect_returns_the_object_and_keeps_it),
		CROWDED(unprotected_object_goes),
		CROWDED(protect_of_null_returns_null),
		CROWDED(protect_of_null_drops_what_was_kept),
		CROWDED(protect_again_drops_what_was_kept),
		CROWDED(protect_of_the_same_object_again_keeps_it),
		CROWDED(release_is_idempotent),
		CROWDED(released_guard_can_be_used_again),
		CROWDED(zeroed_memory_is_an_empty_guard),
		CROWDED(scope_guard_is_released_at_the_end),
		CROWDED(try_protect_of_the_expected_object),
		CROWDED(try_protect_of_another_object),
		CROWDED(failed_try_protect_keeps_nothing),
		CROWDED(try_protect_and_null),
		CROWDED(tagged_link_keeps_the_address_without_its_flags),
		CROWDED(tagged_null_keeps_nothing),
		CROWDED(tag_mask_zero_is_protect),
		CROWDED(hold_keeps_drops_and_releases),
		CROWDED(the_same_object_in_two_slots),
		CROWDED(guards_leave_errno_alone),
		CROWDED(arguments_are_evaluated_once),
		CROWDED(qualified_and_incomplete_types),
		CROWDED(handler_protects_and_releases),
		BESIDE(guard_is_held_across_a_sleep, 0),
		BESIDE(guard_is_held_across_a_sleep, 8),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
