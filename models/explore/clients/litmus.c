/* SPDX-License-Identifier: MIT */
/*
 * litmus - the memory model itself: small programs with known answers
 *
 * Each --option names one; the assertion is that the weak outcome does not
 * come. So OK says that it is forbidden, BAD that it is allowed.
 */
#include <hazptr/hazptr.h>

#include "explore.h"

#include <stdio.h>

static uint32_t x, y;
static uint32_t r[4];
static uint32_t plain;

#define LOAD(p, order) hazptr_load_(&(p), order)
#define STORE(p, v, order) hazptr_store_(&(p), v, order)
#define IS(name) ex_option(name)

static void sb(uint32_t *a, uint32_t *b, uint32_t *result, bool second)
{
	if (IS("sb-sc")) {
		hazptr_store_(a, 1, seq_cst);
		*result = hazptr_load_(b, seq_cst);
		return;
	}
	if (IS("sb-rel-acq")) {
		hazptr_store_(a, 1, release);
		*result = hazptr_load_(b, acquire);
		return;
	}
	hazptr_store_(a, 1, relaxed);
	if (IS("sb-fence"))
		hazptr_fence_(seq_cst);
	else if (IS("sb-one-fence") && second)
		hazptr_fence_(seq_cst);
	else if (IS("sb-weak-fence"))
		hazptr_fence_(acq_rel);
	else if (IS("sb-heavy") && second)
		hazptr_fence_heavy();
	else if (IS("sb-heavy"))
		hazptr_fence_light();
	*result = hazptr_load_(b, relaxed);
}

static void mp_write(void)
{
	plain = 1;
	STORE(x, 1, relaxed);
	if (IS("mp-rel-acq") || IS("mp-rel-rlx") || IS("mp-plain") ||
	    IS("mp-acq-fence"))
		STORE(y, 1, release);
	else if (IS("mp-fences")) {
		hazptr_fence_(release);
		STORE(y, 1, relaxed);
	} else
		STORE(y, 1, relaxed);
}

static void mp_read(void)
{
	if (IS("mp-rel-acq") || IS("mp-rlx-acq") || IS("mp-plain"))
		r[0] = LOAD(y, acquire);
	else
		r[0] = LOAD(y, relaxed);
	if (IS("mp-fences") || IS("mp-acq-fence"))
		hazptr_fence_(acquire);
	if (IS("mp-plain"))
		r[1] = r[0] ? plain : 1;
	else
		r[1] = LOAD(x, relaxed);
}

/* Two loads of one word; a release sequence; two writers. */
static void one(void)
{
	if (IS("corr")) {
		STORE(x, 1, relaxed);
	} else if (IS("lb")) {
		r[0] = LOAD(x, relaxed);
		STORE(y, 1, relaxed);
	} else if (IS("2+2w") || IS("2+2w-sc")) {
		if (IS("2+2w")) {
			STORE(x, 1, relaxed);
			STORE(y, 2, release);
		} else {
			STORE(x, 1, seq_cst);
			STORE(y, 2, seq_cst);
		}
	} else if (IS("rs-rmw") || IS("rs-store")) {
		STORE(x, 1, relaxed);
		STORE(y, 1, release);
	} else if (ex_option("iriw-sc")) {
		STORE(x, 1, seq_cst);
	} else if (ex_option("iriw")) {
		STORE(x, 1, release);
	} else if (ex_option("rmw")) {
		hazptr_fetch_add_(&x, 1, relaxed);
	} else if (ex_option("rmw-old")) {
		STORE(x, 7, relaxed);
		STORE(y, 1, relaxed);
	}
}

static void two(void)
{
	uint32_t expected = 1;

	if (IS("corr")) {
		r[0] = LOAD(x, relaxed);
		r[1] = LOAD(x, relaxed);
	} else if (IS("lb")) {
		r[1] = LOAD(y, relaxed);
		STORE(x, 1, relaxed);
	} else if (IS("2+2w")) {
		STORE(y, 1, relaxed);
		STORE(x, 2, release);
	} else if (IS("2+2w-sc")) {
		STORE(y, 1, seq_cst);
		STORE(x, 2, seq_cst);
	} else if (IS("rs-rmw")) {
		hazptr_cas_(&y, &expected, 2, relaxed, relaxed);
	} else if (IS("rs-store")) {
		if (LOAD(y, relaxed) == 1)
			STORE(y, 2, relaxed);
	} else if (IS("iriw-sc")) {
		STORE(y, 1, seq_cst);
	} else if (IS("iriw")) {
		STORE(y, 1, release);
	} else if (IS("rmw")) {
		hazptr_fetch_add_(&x, 1, relaxed);
	} else if (IS("rmw-old")) {
		r[0] = LOAD(y, relaxed);
		r[1] = hazptr_fetch_add_(&x, 1, relaxed);
	}
}

static void three(void)
{
	if (IS("rs-rmw") || IS("rs-store")) {
		r[0] = LOAD(y, acquire);
		r[1] = LOAD(x, relaxed);
	} else if (IS("iriw-sc")) {
		r[0] = LOAD(x, seq_cst);
		r[1] = LOAD(y, seq_cst);
	} else if (IS("iriw")) {
		r[0] = LOAD(x, acquire);
		r[1] = LOAD(y, acquire);
	}
}

static void four(void)
{
	if (IS("iriw-sc")) {
		r[2] = LOAD(y, seq_cst);
		r[3] = LOAD(x, seq_cst);
	} else if (IS("iriw")) {
		r[2] = LOAD(y, acquire);
		r[3] = LOAD(x, acquire);
	}
}

static bool is_sb(void)
{
	return IS("sb") || IS("sb-sc") || IS("sb-rel-acq") || IS("sb-fence") ||
	       IS("sb-one-fence") || IS("sb-weak-fence") || IS("sb-heavy");
}

static bool is_mp(void)
{
	return IS("mp") || IS("mp-rel-acq") || IS("mp-rel-rlx") ||
	       IS("mp-rlx-acq") || IS("mp-fences") || IS("mp-acq-fence") ||
	       IS("mp-plain");
}

static void first(void)
{
	if (is_sb())
		sb(&x, &y, &r[0], false);
	else if (is_mp())
		mp_write();
	else
		one();
}

static void second(void)
{
	if (is_sb())
		sb(&y, &x, &r[1], true);
	else if (is_mp())
		mp_read();
	else
		two();
}

static void check(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u %u %u, x %u, y %u", r[0], r[1],
		 r[2], r[3], LOAD(x, relaxed), LOAD(y, relaxed));
	ex_outcome(text);
	if (IS("outcomes"))
		return;
	if (is_sb())
		EX_ASSERT(r[0] || r[1]);
	if (is_mp())
		EX_ASSERT(!r[0] || r[1]);
	if (IS("corr"))
		EX_ASSERT(!r[0] || r[1]);
	if (IS("lb"))
		EX_ASSERT(!r[0] || !r[1]);
	if (IS("2+2w") || IS("2+2w-sc"))
		EX_ASSERT(LOAD(x, relaxed) != 1 || LOAD(y, relaxed) != 1);
	if (IS("rs-rmw") || IS("rs-store"))
		EX_ASSERT(r[0] != 2 || r[1]);
	if (IS("iriw") || IS("iriw-sc"))
		EX_ASSERT(!r[0] || r[1] || !r[2] || r[3]);
	if (IS("rmw"))
		EX_ASSERT(LOAD(x, relaxed) == 2);
	if (IS("rmw-old"))
		EX_ASSERT(!r[0] || r[1]);
}

const struct ex_client ex_client = {
	.thread = { first, second, three, four },
	.finish = check,
};
