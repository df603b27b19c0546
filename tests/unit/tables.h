/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/tables.h - sees each table of the futex hash come and go
 *
 * For programs that are linked with --wrap=hazptr_alloc_zeroed_ --wrap=free:
 * the tables are all that the library allocates so; not calloc(), which a
 * cmocka that is linked statically calls, too. A table that is freed is
 * overwritten first, so that whoever still looks into it does not get on.
 */
#ifndef HAZPTR_TESTS_UNIT_TABLES_H
#define HAZPTR_TESTS_UNIT_TABLES_H

#include "sleepers.h"

#define TABLES 2048 /* that are not freed yet, at most */

static void *tables[TABLES];
static size_t table_sizes[TABLES];
static int tables_made, tables_freed;
static int tables_refused; /* how often there was no memory */
static int no_memory;

#ifdef __cplusplus
extern "C" {
#endif
void *__real_hazptr_alloc_zeroed_(size_t size);
void *__wrap_hazptr_alloc_zeroed_(size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

void *__wrap_hazptr_alloc_zeroed_(size_t size)
{
	void *expected, *p;
	int i;

	if (__atomic_load_n(&no_memory, __ATOMIC_ACQUIRE)) {
		__atomic_fetch_add(&tables_refused, 1, __ATOMIC_ACQ_REL);
		return NULL;
	}
	p = __real_hazptr_alloc_zeroed_(size);
	for (i = 0; i < TABLES; i++) {
		expected = NULL;
		if (!__atomic_compare_exchange_n(&tables[i], &expected, p,
						 false, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&table_sizes[i], size, __ATOMIC_RELEASE);
		__atomic_fetch_add(&tables_made, 1, __ATOMIC_ACQ_REL);
		return p;
	}
	abort();
}

void __wrap_free(void *p)
{
	void *expected;
	size_t size;
	int i;

	for (i = 0; p && i < TABLES; i++) {
		if (__atomic_load_n(&tables[i], __ATOMIC_RELAXED) != p)
			continue;
		size = __atomic_load_n(&table_sizes[i], __ATOMIC_ACQUIRE);
		expected = p;
		if (!__atomic_compare_exchange_n(
			    &tables[i], &expected, (void *)NULL, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		memset(p, 0xA5, size);
		__atomic_fetch_add(&tables_freed, 1, __ATOMIC_ACQ_REL);
		break;
	}
	__real_free(p);
}
#ifdef __cplusplus
}
#endif

static inline int tables_all(void)
{
	return __atomic_load_n(&tables_made, __ATOMIC_ACQUIRE);
}

static inline int tables_gone(void)
{
	return __atomic_load_n(&tables_freed, __ATOMIC_ACQUIRE);
}

static inline int tables_denied(void)
{
	return __atomic_load_n(&tables_refused, __ATOMIC_ACQUIRE);
}

/* From now on there is memory for tables, or there is none. */
static inline void tables_memory(bool there_is)
{
	__atomic_store_n(&no_memory, !there_is, __ATOMIC_RELEASE);
}

/* Made, and not freed when all that can be is. */
static inline int tables_left(void)
{
	settle();
	return tables_all() - tables_gone();
}

#endif /* HAZPTR_TESTS_UNIT_TABLES_H */
