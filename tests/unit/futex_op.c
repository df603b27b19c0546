/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/futex_op.c - wake_op: one word changed, two queues looked at
 */
#include "sleepers.h"

static uint32_t first, second;

static int op_of(uint32_t op)
{
	return hazptr_futex_wake_op(&first, INT_MAX, &second, INT_MAX, op);
}

/* FUTEX_OP of small numbers, negative ones included, without its shifts. */
static uint32_t make(uint32_t op, int oparg, uint32_t cmp, int cmparg)
{
	return op << 28 | cmp << 24 | ((uint32_t)oparg & 0xFFF) << 12 |
	       ((uint32_t)cmparg & 0xFFF);
}

/* The operations */

struct operation {
	uint32_t op;
	int oparg;
	uint32_t before;
	uint32_t after;
};

static const struct operation operations[] = {
	{ FUTEX_OP_SET, 5, 9, 5 },
	{ FUTEX_OP_SET, 0, 9, 0 },
	{ FUTEX_OP_SET, 2047, 0, 2047 },
	{ FUTEX_OP_SET, -1, 3, UINT32_MAX },
	{ FUTEX_OP_SET, -2048, 3, (uint32_t)-2048 },
	{ FUTEX_OP_ADD, 3, 40, 43 },
	{ FUTEX_OP_ADD, -3, 40, 37 },
	{ FUTEX_OP_ADD, -1, 0, UINT32_MAX },
	{ FUTEX_OP_ADD, 1, UINT32_MAX, 0 },
	{ FUTEX_OP_ADD, 1, INT32_MAX, 0x80000000 },
	{ FUTEX_OP_OR, 0x50, 0x0f, 0x5f },
	{ FUTEX_OP_OR, -16, 0x0f, UINT32_MAX },
	{ FUTEX_OP_ANDN, 0x0f, 0xff, 0xf0 },
	{ FUTEX_OP_ANDN, -1, 0xdeadbeef, 0 },
	{ FUTEX_OP_ANDN, -16, 0x1234, 0x0004 },
	{ FUTEX_OP_XOR, 0x0f, 0x3c, 0x33 },
	{ FUTEX_OP_XOR, -1, 0x12345678, 0xEDCBA987 },
};

static void operations_on_the_word(void **state)
{
	const struct operation *o;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(operations); i++) {
		o = &operations[i];
		second = o->before;
		if (op_of(make(o->op, o->oparg, FUTEX_OP_CMP_EQ, 0)) ||
		    second != o->after)
			fail_msg("%u %x %d: %x", o->op, o->before, o->oparg,
				 second);
	}
}

/* 1 << oparg; a shift that is too large is taken by 32. */
static void shifted(void **state)
{
	static const uint32_t ops[] = { FUTEX_OP_SET, FUTEX_OP_ADD, FUTEX_OP_OR,
					FUTEX_OP_ANDN, FUTEX_OP_XOR };
	static const uint32_t before = 0x5a5a5a5a;
	uint32_t bit, expected[5];
	int shift, o;

	(void)state;
	for (shift = 0; shift < 72; shift++) {
		bit = (uint32_t)1 << (shift & 31);
		expected[0] = bit;
		expected[1] = before + bit;
		expected[2] = before | bit;
		expected[3] = before & ~bit;
		expected[4] = before ^ bit;
		for (o = 0; o < 5; o++) {
			second = before;
			assert_int_equal(
				op_of(make(ops[o] | FUTEX_OP_OPARG_SHIFT, shift,
					   FUTEX_OP_CMP_EQ, 0)),
				0);
			assert_int_equal(second, expected[o]);
		}
	}
	second = 0;
	assert_int_equal(op_of(make(FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, -1,
				    FUTEX_OP_CMP_EQ, 0)),
			 0);
	assert_int_equal(second, 0x80000000);
}

/* The header's own macro makes the same. */
static void by_the_macro(void **state)
{
	(void)state;
	second = 3;
	assert_int_equal(
		op_of((uint32_t)FUTEX_OP(FUTEX_OP_ADD, 4, FUTEX_OP_CMP_GT, 2)),
		0);
	assert_int_equal(second, 7);
}

/* The comparisons: of the old value, as a signed number */

static bool compare(uint32_t cmp, int32_t a, int32_t b)
{
	switch (cmp) {
	case FUTEX_OP_CMP_EQ:
		return a == b;
	case FUTEX_OP_CMP_NE:
		return a != b;
	case FUTEX_OP_CMP_LT:
		return a < b;
	case FUTEX_OP_CMP_LE:
		return a <= b;
	case FUTEX_OP_CMP_GT:
		return a > b;
	default:
		return a >= b;
	}
}

/* One sleeper at the second word serves for many: others pass it by. */
static void comparisons(void **state)
{
	static const int32_t values[] = { 0,	     1,	       -1,   5,
					  2047,	     -2048,    2048, -2049,
					  INT32_MAX, INT32_MIN };
	static const int args[] = { 0, 1, -1, 5, 2047, -2048 };
	struct sleeper s;
	uint32_t cmp;
	size_t i, j;
	bool passes;
	int woken;

	(void)state;
	memset(&s, 0, sizeof(s));
	second = 0;
	sleeper_start(&s, sleeper_waits, &second);
	for (cmp = 0; cmp < 6; cmp++) {
		for (i = 0; i < TEST_COUNT(values); i++) {
			for (j = 0; j < TEST_COUNT(args); j++) {
				passes = compare(cmp, values[i], args[j]);
				second = (uint32_t)values[i];
				woken = op_of(
					make(FUTEX_OP_SET, 0, cmp, args[j]));
				if (woken != passes)
					fail_msg("%u: %d, %d: %d", cmp,
						 values[i], args[j], woken);
				if (!passes)
					continue;
				assert_int_equal(sleeper_end(&s), 0);
				sleeper_start(&s, sleeper_waits, &second);
			}
		}
	}
	assert_int_equal(hazptr_futex_wake(&second, 2), 1);
	assert_int_equal(sleeper_end(&s), 0);
}

/* Who is woken */

#define PASSES make(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0)
#define FAILS make(FUTEX_OP_SET, 0, FUTEX_OP_CMP_NE, 0)

static void start_both(struct sleeper *s, size_t n, const uint32_t *at,
		       const uint32_t *at2)
{
	size_t i;

	memset(s, 0, n * sizeof(*s));
	for (i = 0; i < n; i++)
		sleeper_start(&s[i], sleeper_waits, i < n / 2 ? at : at2);
}

/* So many here, and so many there only if the comparison says so. */
static void counts_here_and_there(void **state)
{
	struct sleeper s[8];

	(void)state;
	second = 0;
	start_both(s, 8, &first, &second);
	assert_int_equal(hazptr_futex_wake_op(&first, 0, &second, 0, PASSES),
			 0);
	assert_int_equal(hazptr_futex_wake_op(&first, 1, &second, 4, FAILS), 1);
	sleepers_end(s, 1, 0);
	assert_int_equal(hazptr_futex_wake_op(&first, 0, &second, 1, PASSES),
			 1);
	sleepers_end(&s[4], 1, 0);
	assert_int_equal(hazptr_futex_wake_op(&first, 2, &second, 2, PASSES),
			 4);
	sleepers_end(&s[1], 2, 0);
	sleepers_end(&s[5], 2, 0);
	assert_int_equal(sleepers_back(s, 8), 6);
	assert_int_equal(hazptr_futex_wake(&first, INT_MAX), 1);
	assert_int_equal(hazptr_futex_wake(&second, INT_MAX), 1);
	sleepers_end(&s[3], 1, 0);
	sleepers_end(&s[7], 1, 0);
}

/* As many as there are, at both. */
static void all_here_and_there(void **state)
{
	struct sleeper s[6];

	(void)state;
	second = 0;
	start_both(s, 6, &first, &second);
	assert_int_equal(hazptr_futex_wake_op(&first, INT_MAX, &second, INT_MAX,
					      PASSES),
			 6);
	sleepers_end(s, 6, 0);
}

/* The same with both words in one bucket, and with one word. */
static void in_one_bucket(void **state)
{
	uint32_t *a = word_in(7, 16, 0), *b = word_in(7, 16, 1);
	struct sleeper s[6];

	(void)state;
	start_both(s, 6, a, b);
	assert_int_equal(hazptr_futex_wake_op(a, 1, b, 2, PASSES), 3);
	sleepers_end(s, 1, 0);
	sleepers_end(&s[3], 2, 0);
	assert_int_equal(hazptr_futex_wake_op(b, INT_MAX, a, 1, PASSES), 2);
	sleepers_end(&s[1], 1, 0);
	sleepers_end(&s[5], 1, 0);
	assert_int_equal(hazptr_futex_wake(a, INT_MAX), 1);
	sleepers_end(&s[2], 1, 0);
}

static void one_word_twice(void **state)
{
	struct sleeper s[4];

	(void)state;
	second = 0;
	sleepers_start(s, 4, sleeper_waits, &second);
	assert_int_equal(hazptr_futex_wake_op(&second, 1, &second, 2, PASSES),
			 3);
	sleepers_end(s, 3, 0);
	assert_int_equal(hazptr_futex_wake_op(&second, INT_MAX, &second,
					      INT_MAX, PASSES),
			 1);
	sleepers_end(&s[3], 1, 0);
}

/* What is refused changes nothing. */
static void refused(void **state)
{
	struct sleeper s[2];
	uint32_t op, cmp;

	(void)state;
	second = 77;
	memset(s, 0, sizeof(s));
	s[1].expected = 77;
	sleeper_start(&s[0], sleeper_waits, &first);
	sleeper_start(&s[1], sleeper_waits, &second);
	for (op = 0; op < 16; op++) {
		for (cmp = 0; cmp < 16; cmp++) {
			if ((op & 7) <= FUTEX_OP_XOR && cmp <= FUTEX_OP_CMP_GE)
				continue;
			assert_int_equal(op_of(make(op, 1, cmp, 77)), -ENOSYS);
		}
	}
	assert_int_equal(hazptr_futex_wake_op(&first, -1, &second, 1, PASSES),
			 -EINVAL);
	assert_int_equal(hazptr_futex_wake_op(&first, 1, &second, -1, PASSES),
			 -EINVAL);
	assert_int_equal(hazptr_futex_wake_op(NULL, 1, &second, 1, PASSES),
			 -EINVAL);
	assert_int_equal(hazptr_futex_wake_op(&first, 1, NULL, 1, PASSES),
			 -EINVAL);
	assert_int_equal(
		hazptr_futex_wake_op((uint32_t *)(void *)((char *)&first + 2),
				     1, &second, 1, PASSES),
		-EINVAL);
	assert_int_equal(
		hazptr_futex_wake_op(&first, 1,
				     (uint32_t *)(void *)((char *)&second + 1),
				     1, PASSES),
		-EINVAL);
	assert_int_equal(second, 77);
	assert_int_equal(hazptr_futex_wake(&first, INT_MAX), 1);
	assert_int_equal(hazptr_futex_wake(&second, INT_MAX), 1);
	sleepers_end(s, 2, 0);
	second = 0;
}

/* The word is changed by one atomic operation. */

static void *adds(void *arg)
{
	int i;

	for (i = 0; i < TEST_MANY(20000); i++)
		must(!hazptr_futex_wake_op(&first, 1, &second, 1,
					   make(FUTEX_OP_ADD, 1,
						FUTEX_OP_CMP_EQ, -1)));
	return arg;
}

static void atomically(void **state)
{
	pthread_t t[3];
	int i;

	(void)state;
	second = 0;
	for (i = 0; i < 3; i++)
		t[i] = test_start(adds, NULL);
	for (i = 0; i < 3; i++)
		test_join(t[i]);
	assert_int_equal(second, 3 * TEST_MANY(20000));
	second = 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_on_the_word),
		cmocka_unit_test(shifted),
		cmocka_unit_test(by_the_macro),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(counts_here_and_there),
		cmocka_unit_test(all_here_and_there),
		cmocka_unit_test_setup(in_one_bucket, sleepers_setup),
		cmocka_unit_test(one_word_twice),
		cmocka_unit_test(refused),
		cmocka_unit_test(atomically),
	};

	sleepers_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
