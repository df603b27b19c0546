/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/debug_misuse.h - what debug_guard.c and debug_retire.c share
 *
 * What a child does with one object x, its source and a guard, and where.
 */
#ifndef HAZPTR_TESTS_UNIT_DEBUG_MISUSE_H
#define HAZPTR_TESTS_UNIT_DEBUG_MISUSE_H

#ifndef HAZPTR_DEBUG
#define HAZPTR_DEBUG
#endif
#include "debug.h"
#include "debug_plain.h"

static struct hazptr_domain *domain TEST_UNUSED;
static struct item x, y TEST_UNUSED;
static struct item *source TEST_UNUSED;
static struct hazptr_guard guard TEST_UNUSED;
static struct hazptr_guard crowd[HAZPTR_CONTEXT_SLOTS] TEST_UNUSED;

static inline void set_up(void)
{
	domain = test_domain(HAZPTR_RECLAIM_MANUAL, 0, 0);
	source = &x;
}

/* From now on a guard has its own slot. */
static inline void take_all_slots(void)
{
	size_t i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		hazptr_hold(&crowd[i], &y);
}

static inline void give_all_slots(void)
{
	size_t i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		hazptr_release(&crowd[i]);
}

static const char *protected_at, *retired_at TEST_UNUSED;

static inline struct item *protect(struct hazptr_guard *g)
{
	return AT(protected_at, hazptr_protect(g, &source));
}

static inline void retire(struct item *i)
{
	AT(retired_at, hazptr_retire(domain, i, head, item_reclaim));
}

static inline void unlink_and_retire(struct item *i)
{
	__atomic_store_n(&source, NULL, __ATOMIC_RELAXED);
	retire(i);
}

#endif /* HAZPTR_TESTS_UNIT_DEBUG_MISUSE_H */
