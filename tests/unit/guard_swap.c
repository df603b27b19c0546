/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/guard_swap.c - hazptr_swap() of any guard with any other
 *
 * What a guard keeps may stand in a slot that the inline paths know, in one of
 * the others, or in the guard itself; in the thread's context or in another;
 * or it keeps nothing, because it is new or because it was released. All pairs
 * of these are swapped, released in both orders, with a retirement in between.
 *
 * Guards are on the heap, and a guard that was released is freed at once: the
 * other one may not lean on its memory.
 */
#include "test.h"

#include <hazptr/context.h>
#include <hazptr/guard.h>

enum kind {
	FRESH,
	RELEASED,	   /* kept something in an inline slot before */
	RELEASED_EMBEDDED, /* the same, embedded */
	INLINE,
	SLOW,
	EMBEDDED,
	ELSEWHERE, /* in another context */
	ELSEWHERE_EMBEDDED,
	KINDS
};

static const char *const kind_names[KINDS] = {
	"fresh", "released", "released embedded", "inline",
	"slow",	 "embedded", "elsewhere",	  "elsewhere embedded",
};

struct pair {
	struct hazptr_guard *guard[2];
	struct item item[2]; /* what guard[i] keeps before the swap */
	bool keeps[2];	     /* does it? */
};

static struct hazptr_context elsewhere;
static struct hazptr_guard elsewhere_guards[HAZPTR_CONTEXT_SLOTS];

static bool is_embedded(enum kind k)
{
	return k == RELEASED_EMBEDDED || k == EMBEDDED ||
	       k == ELSEWHERE_EMBEDDED;
}

static struct hazptr_guard *guard_new(void)
{
	struct hazptr_guard *g = (struct hazptr_guard *)calloc(1, sizeof(*g));

	assert_non_null(g);
	return g;
}

/* Nothing may be read there afterwards, let alone written. */
static void guard_free(struct hazptr_guard *g)
{
	memset(g, 0xa5, sizeof(*g));
	free(g);
}

/* The thread's eight slots are taken by crowd_guards[0..7], in this order. */
static void take(struct hazptr_guard *g, enum kind k, struct item *i, int nth)
{
	struct item *source = i;
	int spare = k == SLOW ? 5 + nth : nth;

	if (k == FRESH)
		return;
	if (k == ELSEWHERE || k == ELSEWHERE_EMBEDDED) {
		hazptr_context_switch(&elsewhere);
		if (k == ELSEWHERE)
			hazptr_release(&elsewhere_guards[2 * nth]);
		assert_ptr_equal(hazptr_protect(g, &source), i);
		hazptr_context_switch(NULL);
		return;
	}
	if (!is_embedded(k))
		hazptr_release(&crowd_guards[spare]);
	assert_ptr_equal(hazptr_protect(g, &source), i);
	if (k == RELEASED || k == RELEASED_EMBEDDED)
		hazptr_release(g);
}

static void pair_begin(struct pair *p, enum kind a, enum kind b)
{
	size_t i;

	memset(p, 0, sizeof(*p));
	p->guard[0] = guard_new();
	p->guard[1] = guard_new();
	assert_int_equal(hazptr_context_init(&elsewhere), 0);
	crowd_hold(HAZPTR_CONTEXT_SLOTS);
	hazptr_context_switch(&elsewhere);
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		hazptr_hold(&elsewhere_guards[i], &crowd_items[i]);
	hazptr_context_switch(NULL);
	take(p->guard[0], a, &p->item[0], 0);
	take(p->guard[1], b, &p->item[1], 1);
	p->keeps[0] = a >= INLINE;
	p->keeps[1] = b >= INLINE;
}

/* Every slot is free again, or the pair has lost one. */
static void pair_end(void)
{
	size_t i;

	crowd_drop();
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		hazptr_release(&elsewhere_guards[i]);
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
	assert_int_equal(free_slots(&elsewhere), HAZPTR_CONTEXT_SLOTS);
	hazptr_context_cleanup(&elsewhere);
}

static void pair_retire(struct pair *p)
{
	retire_item(&p->item[0]);
	retire_item(&p->item[1]);
}

static void pair_expect(struct pair *p, bool first, bool second)
{
	hazptr_flush(test_manual);
	assert_int_equal(item_gone(&p->item[0]), first ? 0 : 1);
	assert_int_equal(item_gone(&p->item[1]), second ? 0 : 1);
}

/* Guard `first` is released, then the other: it keeps what was not its own. */
static void swap_and_release(enum kind a, enum kind b, int first)
{
	struct pair p;
	int other = 1 - first;
	bool left[2];

	pair_begin(&p, a, b);
	hazptr_swap(p.guard[0], p.guard[1]);
	pair_retire(&p);
	pair_expect(&p, p.keeps[0], p.keeps[1]);
	hazptr_release(p.guard[first]);
	guard_free(p.guard[first]);
	left[first] = p.keeps[first];
	left[other] = false;
	pair_expect(&p, left[0], left[1]);
	hazptr_release(p.guard[other]);
	guard_free(p.guard[other]);
	pair_expect(&p, false, false);
	pair_end();
}

/* Instead of a release, guard `first` takes hold of something else. */
static void swap_and_reuse(enum kind a, enum kind b, int first)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };
	struct item *source = &x;
	struct pair p;
	int other = 1 - first;
	bool left[2];

	pair_begin(&p, a, b);
	hazptr_swap(p.guard[0], p.guard[1]);
	pair_retire(&p);
	assert_ptr_equal(hazptr_protect(p.guard[first], &source), &x);
	retire_item(&x);
	left[first] = p.keeps[first];
	left[other] = false;
	pair_expect(&p, left[0], left[1]);
	assert_int_equal(item_gone(&x), 0);
	hazptr_release(p.guard[other]);
	guard_free(p.guard[other]);
	pair_expect(&p, false, false);
	assert_int_equal(item_gone(&x), 0);
	hazptr_release(p.guard[first]);
	guard_free(p.guard[first]);
	assert_gone(&x);
	pair_end();
}

/* An odd number of swaps is one; in between both stay kept. */
static void swap_often(enum kind a, enum kind b, int first)
{
	struct pair p;
	bool left[2];
	int i;

	pair_begin(&p, a, b);
	pair_retire(&p);
	for (i = 0; i < 7; i++) {
		hazptr_swap(p.guard[i & 1], p.guard[1 - (i & 1)]);
		pair_expect(&p, p.keeps[0], p.keeps[1]);
	}
	hazptr_release(p.guard[first]);
	hazptr_release(p.guard[first]);
	left[first] = p.keeps[first];
	left[1 - first] = false;
	pair_expect(&p, left[0], left[1]);
	hazptr_swap(p.guard[0], p.guard[1]); /* one of them is empty now */
	pair_expect(&p, left[0], left[1]);
	hazptr_release(p.guard[1 - first]);
	pair_expect(&p, left[0], left[1]);
	hazptr_release(p.guard[first]);
	pair_expect(&p, false, false);
	guard_free(p.guard[0]);
	guard_free(p.guard[1]);
	pair_end();
}

/* What was swapped may be detached, and is released by another thread. */
static void *release_it(void *arg)
{
	hazptr_release((struct hazptr_guard *)arg);
	return NULL;
}

static void swap_and_detach(enum kind a, enum kind b, int first)
{
	struct pair p;
	int other = 1 - first;
	bool left[2];

	pair_begin(&p, a, b);
	hazptr_swap(p.guard[0], p.guard[1]);
	hazptr_detach(p.guard[0]);
	hazptr_detach(p.guard[1]);
	pair_retire(&p);
	pair_expect(&p, p.keeps[0], p.keeps[1]);
	test_join(test_start(release_it, p.guard[first]));
	guard_free(p.guard[first]);
	left[first] = p.keeps[first];
	left[other] = false;
	pair_expect(&p, left[0], left[1]);
	test_join(test_start(release_it, p.guard[other]));
	guard_free(p.guard[other]);
	pair_expect(&p, false, false);
	pair_end();
}

static void (*const procedures[])(enum kind, enum kind, int) = {
	swap_and_release,
	swap_and_reuse,
	swap_often,
	swap_and_detach,
};

/* One cmocka test per procedure; its number is the state. */
static void all_pairs(void **state)
{
	size_t procedure = (size_t)(uintptr_t)*state;
	int a, b, first;

	for (a = 0; a < KINDS; a++) {
		for (b = 0; b < KINDS; b++) {
			for (first = 0; first < 2; first++) {
				if (getenv("HAZPTR_TEST_VERBOSE"))
					print_message("%s, %s, %d first\n",
						      kind_names[a],
						      kind_names[b], first);
				procedures[procedure]((enum kind)a,
						      (enum kind)b, first);
			}
		}
	}
}

static void swaps_in_a_ring(void **state)
{
	enum { N = 30 };
	struct hazptr_guard guards[N];
	struct item *items = items_new(N);
	unsigned seed = 1;
	int at[N], i, j, k, turn;

	(void)state;
	memset(guards, 0, sizeof(guards));
	for (i = 0; i < N; i++) {
		hazptr_hold(&guards[i], &items[i]);
		retire_item(&items[i]);
		at[i] = i; /* guards[i] keeps items[at[i]] */
	}
	for (turn = 0; turn < 1000; turn++) {
		i = (int)(test_random(&seed) % N);
		j = (i + 1 + (int)(test_random(&seed) % (N - 1))) % N;
		hazptr_swap(&guards[i], &guards[j]);
		k = at[i];
		at[i] = at[j];
		at[j] = k;
	}
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, N), 0);
	for (i = 0; i < N; i++) {
		hazptr_release(&guards[i]);
		memset(&guards[i], 0xa5, sizeof(guards[i]));
		assert_gone(&items[at[i]]);
		assert_int_equal(items_gone(items, N), i + 1);
	}
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
	free(items);
}

/* Hand over hand: the guard behind takes over from the one in front. */
static void swap_hands_over(void **state)
{
	struct hazptr_guard here = HAZPTR_GUARD_INIT;
	struct hazptr_guard next = HAZPTR_GUARD_INIT;
	struct item *items = items_new(100);
	struct item *source;
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		source = &items[i];
		assert_ptr_equal(hazptr_protect(&next, &source), &items[i]);
		retire_item(&items[i]);
		hazptr_swap(&here, &next);
		assert_kept(&items[i]);
		if (i > 0)
			assert_kept(&items[i - 1]); /* by next, until reuse */
		if (i > 1)
			assert_gone(&items[i - 2]);
	}
	hazptr_release(&next);
	hazptr_release(&here);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, 100), 100);
	free(items);
}

/* Guards of HAZPTR_GUARD(): what they gave away outlives their scope. */

#define NOINLINE __attribute__((__noinline__))

static NOINLINE void clobber_the_stack(void)
{
	volatile unsigned char stack[2048];
	size_t i;

	for (i = 0; i < sizeof(stack); i++)
		stack[i] = 0xa5;
}

static NOINLINE void give_away(struct hazptr_guard *to, struct item *i,
			       bool to_first)
{
	struct item *source = i;
	HAZPTR_GUARD(scoped);

	assert_ptr_equal(hazptr_protect(&scoped, &source), i);
	if (to_first)
		hazptr_swap(to, &scoped);
	else
		hazptr_swap(&scoped, to);
}

static void scoped_to_plain(void **state)
{
	struct hazptr_guard to = HAZPTR_GUARD_INIT;
	struct item *items = items_new(20);
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		if (i % 5 == 0) /* an empty one, too */
			hazptr_release(&to);
		give_away(&to, &items[i], i % 2);
		clobber_the_stack();
		retire_item(&items[i]);
		assert_kept(&items[i]);
		if (i > 0)
			assert_gone(&items[i - 1]);
	}
	hazptr_release(&to);
	assert_gone(&items[i - 1]);
	free(items);
}

static void scoped_to_scoped(void **state)
{
	struct item *items = items_new(20);
	int i;

	(void)state;
	{
		HAZPTR_GUARD(to);
		for (i = 0; i < 20; i++) {
			give_away(&to, &items[i], i % 2);
			clobber_the_stack();
			retire_item(&items[i]);
			assert_kept(&items[i]);
			if (i > 0)
				assert_gone(&items[i - 1]);
		}
	}
	assert_gone(&items[i - 1]);
	free(items);
}

/* One guard of each sort, and the crowd in between: places change hands. */
static void scoped_ones_swap_with_all(void **state)
{
	struct hazptr_guard plain = HAZPTR_GUARD_INIT;
	struct item *items = items_new(3);
	HAZPTR_GUARD(a);
	HAZPTR_GUARD(b);

	(void)state;
	hazptr_hold(&a, &items[0]);
	hazptr_hold(&plain, &items[1]);
	hazptr_hold(&b, &items[2]);
	hazptr_swap(&a, &b);	 /* a: 2, b: 0 */
	hazptr_swap(&plain, &a); /* plain: 2, a: 1 */
	hazptr_swap(&b, &plain); /* b: 2, plain: 0 */
	retire_item(&items[0]);
	retire_item(&items[1]);
	retire_item(&items[2]);
	hazptr_flush(test_manual);
	assert_int_equal(items_gone(items, 3), 0);
	hazptr_release(&a);
	assert_gone(&items[1]);
	assert_kept(&items[0]);
	hazptr_detach(&b);
	test_join(test_start(release_it, &b));
	assert_gone(&items[2]);
	assert_kept(&items[0]);
	hazptr_release(&plain);
	assert_gone(&items[0]);
	free(items);
}

static void swap_with_itself_is_nothing(void **state)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	hazptr_swap(&g, &g);
	hazptr_hold(&g, &x);
	hazptr_swap(&g, &g);
	retire_item(&x);
	assert_kept(&x);
	hazptr_release(&g);
	assert_gone(&x);
}

/* On a thread that never used the library. */
static void *swap_first(void *arg)
{
	struct hazptr_guard a = HAZPTR_GUARD_INIT;
	struct hazptr_guard b = HAZPTR_GUARD_INIT;
	struct item *x = (struct item *)arg;

	hazptr_swap(&a, &b);
	hazptr_release(&a);
	hazptr_hold(&b, x);
	hazptr_swap(&a, &b);
	hazptr_release(&b);
	retire_item(x);
	hazptr_flush(test_manual);
	must(!item_gone(x));
	hazptr_release(&a);
	hazptr_flush(test_manual);
	must(item_gone(x) == 1);
	return NULL;
}

static void swap_is_a_threads_first_call(void **state)
{
	struct item x = { 1, { 0, 0, 0 }, 0 };

	(void)state;
	test_join(test_start(swap_first, &x));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		{ "swap, release", all_pairs, NULL, NULL, (void *)0 },
		{ "swap, reuse", all_pairs, NULL, NULL, (void *)1 },
		{ "swap often", all_pairs, NULL, NULL, (void *)2 },
		{ "swap, detach", all_pairs, NULL, NULL, (void *)3 },
		cmocka_unit_test(swaps_in_a_ring),
		CROWDED(swap_hands_over),
		CROWDED(scoped_to_plain),
		CROWDED(scoped_to_scoped),
		CROWDED(scoped_ones_swap_with_all),
		CROWDED(swap_with_itself_is_nothing),
		cmocka_unit_test(swap_is_a_threads_first_call),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, test_manual_setup,
				      test_manual_teardown);
}
