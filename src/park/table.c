/* SPDX-License-Identifier: MIT */
/*
 * park/table.c - the table of buckets, and another one in its place
 *
 * An operation holds the current table by a guard, locks its bucket, and looks
 * whether the bucket is dead. Whoever replaces the table publishes the new one
 * as `next`, moves the waiters bucket by bucket, each under its lock, declares
 * each bucket dead, and then makes the new table the current one. Who finds a
 * dead bucket goes on to the next table. Nobody waits for more than one bucket,
 * and nobody sees a state in which a waiter is in neither.
 *
 * `next` leads to memory that stays only while this table is the current one:
 * so it is guarded, and then the current table is looked at again.
 *
 * With HAZPTR_FUTEX=count tables are kept alive by counts: count.c.
 */
#define _GNU_SOURCE
#include "park.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct bucket first_buckets[1 << FIRST_BITS];
static struct table first_table = { .bits = FIRST_BITS,
				    .buckets = first_buckets };

struct table *hazptr_table_ = &first_table;
uint32_t hazptr_table_policy_;
static struct hazptr_lock replacing;
static uint32_t table_bits = FIRST_BITS;
static uint32_t fixed_buckets;	/* not 0: the user has said how many */
static uint32_t failed_bits;	/* there was no memory for so large a table */
static uint32_t growing;	/* somebody is at it */
static struct table *left_over; /* by a fork; a list by `next` */

/* Operations on a table, and what keeps it. */

static void acquire(struct lease *l)
{
	if (hazptr_table_policy_now_() & POLICY_COUNT)
		l->table = hazptr_count_get_(&l->guard);
	else
		l->table = hazptr_protect(&l->guard, &hazptr_table_);
}

static void release(struct lease *l)
{
	if (hazptr_table_policy_now_() & POLICY_COUNT)
		hazptr_count_put_(l->table);
	hazptr_release(&l->next);
	hazptr_release(&l->guard);
}

void hazptr_lease_begin_(struct lease *l)
{
	l->guard.slot = l->next.slot = 0;
	l->guard.rest = &l->rest;
	l->next.rest = &l->next_rest;
	hazptr_working_begin_();
	acquire(l);
}

void hazptr_lease_end_(struct lease *l)
{
	release(l);
	hazptr_working_end_();
}

bool hazptr_table_is_current_(const struct table *t)
{
	/* order FT3: looked at after `next` was guarded; pairs with FT2 */
	return hazptr_load_(&hazptr_table_, acquire) == t;
}

struct table *hazptr_lease_next_(struct lease *l)
{
	/* order FT4: in protect, a whole table; pairs with FT1 */
	struct table *next = hazptr_protect(&l->next, &l->table->next);

	HAZPTR_TEST_POINT("table:next");
	return next && hazptr_table_is_current_(l->table) ? next : NULL;
}

static bool is_dead(const struct bucket *b)
{
	/* order FB1: a hint, or under the lock; pairs with FW4 */
	return hazptr_load_(&b->keys, relaxed) & DEAD_BUCKET;
}

/*
 * Where the key's bucket is now; it may be dead when it has been locked. False:
 * the lease had to be renewed, and what was found before may be gone.
 */
static bool find(struct lease *l, const void *key, struct place *p)
{
	struct table *next;
	bool kept = true;

	for (;;) {
		p->table = l->table;
		p->bucket = hazptr_bucket_of_(l->table, key);
		HAZPTR_TEST_POINT("table:found");
		if (hazptr_likely_(!is_dead(p->bucket)))
			return kept;
		next = hazptr_lease_next_(l);
		if (next) {
			p->table = next;
			p->bucket = hazptr_bucket_of_(next, key);
			return kept;
		}
		release(l);
		acquire(l);
		kept = false;
	}
}

void hazptr_place_lock_(struct lease *l, const void *key, struct place *p)
{
	for (;;) {
		find(l, key, p);
		hazptr_lock_(&p->bucket->lock);
		if (hazptr_likely_(!is_dead(p->bucket)))
			return;
		hazptr_unlock_(&p->bucket->lock);
	}
}

/* The older table's bucket first, then the one at the lower address. */
static bool is_before(const struct lease *l, const struct place *a,
		      const struct place *b)
{
	if (a->table != b->table)
		return a->table == l->table;
	return a->bucket < b->bucket;
}

void hazptr_place_unlock_two_(const struct place *p1, const struct place *p2)
{
	hazptr_unlock_(&p1->bucket->lock);
	if (p1->bucket != p2->bucket)
		hazptr_unlock_(&p2->bucket->lock);
}

void hazptr_place_lock_two_(struct lease *l, const void *key1, struct place *p1,
			    const void *key2, struct place *p2)
{
	bool swap;

	for (;;) {
		do
			find(l, key1, p1);
		while (!find(l, key2, p2));
		swap = is_before(l, p2, p1);
		hazptr_lock_(&(swap ? p2 : p1)->bucket->lock);
		if (p1->bucket != p2->bucket)
			hazptr_lock_(&(swap ? p1 : p2)->bucket->lock);
		if (!is_dead(p1->bucket) && !is_dead(p2->bucket))
			return;
		hazptr_place_unlock_two_(p1, p2);
	}
}

/* Replacing a table. */

static struct table *table_new(unsigned bits)
{
	size_t n = (size_t)1 << bits;
	struct table *t = hazptr_alloc_zeroed_(sizeof(*t) + HAZPTR_CACHE_LINE +
					       n * sizeof(*t->buckets));
	uintptr_t end;

	if (!t)
		return NULL;
	end = (uintptr_t)(t + 1) + HAZPTR_CACHE_LINE - 1;
	t->buckets =
		(struct bucket *)(end & ~(uintptr_t)(HAZPTR_CACHE_LINE - 1));
	t->bits = bits;
	hazptr_rcuref_init(&t->refs, 1);
	return t;
}

static void table_retire(struct table *t)
{
	if (t != &first_table)
		hazptr_retire_free(NULL, t, head);
}

static void table_retire_list(struct table *t)
{
	struct table *next;

	for (; t; t = next) {
		next = t->next;
		table_retire(t);
	}
}

/*
 * With `replacing` held: move all that `old` has into its next table, and make
 * that the current one. Operations go on meanwhile.
 */
static void move(struct table *old)
{
	struct table *next = old->next;
	size_t i, n = (size_t)1 << old->bits;

	for (i = 0; i < n; i++) {
		hazptr_bucket_move_(old, i, next);
		HAZPTR_TEST_POINT("table:moved");
	}
	hazptr_store_(&table_bits, next->bits, relaxed); /* order ST1: ST1 */
	/* order FT2: after all buckets are dead; pairs with FT3 */
	hazptr_store_(&hazptr_table_, next, release);
}

/* False: somebody else has done it, or has to. */
bool hazptr_table_replace_(struct table *old)
{
	bool is_current;

	hazptr_working_begin_();
	hazptr_lock_(&replacing);
	is_current = hazptr_table_is_current_(old) && old->next;
	if (is_current)
		move(old);
	hazptr_unlock_(&replacing);
	hazptr_working_end_();
	if (is_current)
		table_retire(old);
	return is_current;
}

static unsigned bits_now(void)
{
	/* order ST1: a figure; pairs with ST1 */
	return hazptr_load_(&table_bits, relaxed);
}

/* At least four for each of the threads that the library knew at one time. */
static unsigned bits_wanted(void)
{
	size_t n = hazptr_records_count_() * 4;
	unsigned bits = FIRST_BITS;

	while (bits < LAST_BITS && (size_t)1 << bits < n)
		bits++;
	return bits;
}

enum replaced { REPLACED, SAME, ASKED_ALREADY };

/* With `replacing` held. */
static enum replaced may_replace(const struct table *old, unsigned bits,
				 bool automatic)
{
	if (old->next)
		return ASKED_ALREADY;
	if (automatic ? fixed_buckets || bits <= old->bits : bits == old->bits)
		return SAME;
	return REPLACED;
}

/*
 * @next is the caller's again unless this returns REPLACED.
 * @fixed: by the user, not 0; or 0 and automatic from now on.
 */
static enum replaced replace(struct table *next, bool automatic, uint32_t fixed)
{
	bool counted = hazptr_table_policy_now_() & POLICY_COUNT;
	struct hazptr_backoff b = { 0 };
	struct table *old, *stale;
	HAZPTR_GUARD(guard);
	enum replaced r;

	hazptr_working_begin_();
	hazptr_lock_(&replacing);
	old = hazptr_protect(&guard, &hazptr_table_);
	if (!automatic)
		/* order ST1: a figure outside of the lock; pairs with ST1 */
		hazptr_store_(&fixed_buckets, fixed, relaxed);
	r = may_replace(old, next->bits, automatic);
	if (r != REPLACED) {
		hazptr_unlock_(&replacing);
		hazptr_working_end_();
		return r;
	}
	/* order FT1: whole, before any bucket is dead; pairs with FT4 */
	hazptr_store_(&old->next, next, release);
	HAZPTR_TEST_POINT("table:published");
	if (!counted)
		move(old);
	stale = left_over;
	left_over = NULL;
	hazptr_unlock_(&replacing);
	hazptr_working_end_();
	if (counted)
		hazptr_count_put_(old); /* the table's own reference */
	else
		table_retire(old);
	/* The guard is still there: no other table has this address. */
	while (counted && !automatic && hazptr_table_is_current_(old))
		hazptr_backoff_(&b, UINT64_MAX);
	table_retire_list(stale);
	return REPLACED;
}

/* In front of each sleep. One thread allocates, and the others go on. */
void hazptr_table_grow_(void)
{
	unsigned bits = bits_wanted();
	struct table *next;

	/* order ST1: figures; pairs with ST1 */
	if (hazptr_likely_(bits <= bits_now()) ||
	    hazptr_load_(&fixed_buckets, relaxed) ||
	    hazptr_load_(&failed_bits, relaxed) == bits ||
	    hazptr_exchange_(&growing, 1, relaxed)) /* ST1 */
		return;
	next = table_new(bits);
	if (!next)
		hazptr_store_(&failed_bits, bits, relaxed); /* order ST1: ST1 */
	else if (replace(next, true, 0) != REPLACED)
		hazptr_free_(next);
	hazptr_store_(&growing, 0, relaxed); /* order ST1: ST1 */
}

int hazptr_futex_hash_resize(unsigned buckets)
{
	struct hazptr_backoff b = { 0 };
	enum replaced result;
	unsigned bits = 0;
	struct table *next;

	if (buckets & (buckets - 1) || buckets > 1u << LAST_BITS)
		return -EINVAL;
	while (buckets >> bits > 1)
		bits++;
	hazptr_table_policy_now_();
	next = table_new(buckets ? bits : bits_wanted());
	if (!next)
		return -ENOMEM;
	hazptr_store_(&failed_bits, 0, relaxed); /* order ST1: ST1 */
	while ((result = replace(next, false, buckets)) == ASKED_ALREADY)
		hazptr_backoff_(&b, UINT64_MAX);
	if (result == SAME)
		hazptr_free_(next);
	return 0;
}

unsigned hazptr_futex_hash_buckets(void)
{
	return 1u << bits_now();
}

/* The first use, and fork. */

static void leave_over(struct table *t)
{
	if (!t || t == &first_table)
		return;
	t->next = left_over;
	left_over = t;
}

/*
 * The child's one thread sleeps nowhere. Other threads may have been at work
 * in the old tables, so they are not looked into.
 */
static void fork_child(void)
{
	struct table *old = hazptr_table_;

	hazptr_lock_reset_(&replacing);
	memset(first_buckets, 0, sizeof(first_buckets));
	leave_over(old->next);
	leave_over(old);
	first_table.next = NULL;
	hazptr_rcuref_init(&first_table.refs, 1);
	/* private: alone after fork */
	hazptr_store_(&hazptr_table_, &first_table, relaxed);
	hazptr_store_(&table_bits, FIRST_BITS, relaxed); /* private: as above */
	growing = failed_bits = fixed_buckets = 0;
	if (hazptr_table_policy_)
		/* order FP2: alone after fork; pairs with FP1 */
		hazptr_fetch_or_(&hazptr_table_policy_, POLICY_CHILD, relaxed);
	hazptr_working_reset_();
}

static uint32_t choose(void)
{
	const char *kept = secure_getenv("HAZPTR_FUTEX");
	const char *wake = secure_getenv("HAZPTR_FUTEX_WAKE");
	uint32_t policy = POLICY_READY;

	if (kept && !strcmp(kept, "count"))
		policy |= POLICY_COUNT;
	else if (kept && strcmp(kept, "guard") != 0)
		hazptr_warn_setting_("HAZPTR_FUTEX", kept,
				     "unknown value ignored; it is one of "
				     "guard, count");
	if (wake && !strcmp(wake, "asymmetric"))
		policy |= POLICY_ASYMMETRIC;
	else if (wake && strcmp(wake, "fence") != 0)
		hazptr_warn_setting_("HAZPTR_FUTEX_WAKE", wake,
				     "unknown value ignored; it is one of "
				     "fence, asymmetric");
	return policy;
}

/* No lock that a fork at this moment could leave locked. */
uint32_t hazptr_table_start_slow_(void)
{
	uint32_t policy = choose();

	/* order FP3: read in the child, which has one thread; pairs with FP3 */
	hazptr_store_(&hazptr_fork_child_later_, fork_child, relaxed);
	/* order FP2: after the hook; pairs with FP1 */
	hazptr_store_(&hazptr_table_policy_, policy, release);
	return policy;
}
