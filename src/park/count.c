/* SPDX-License-Identifier: MIT */
/*
 * park/count.c - tables that are kept alive by counted references
 *
 * The scheme that Linux 6.16 began with, mended: each operation takes and puts
 * a reference, the table has one of its own, and whoever wants another table
 * publishes it as `next` and puts that one. When the count dies nobody is in
 * the table; whoever finds it dead moves the waiters, under a lock.
 *
 * What the first version lacked, and each of which loses a waiter or touches
 * freed memory (docs/design/futex.md): under the lock, is the dead table still
 * the current one; a guard over put, which looks at the count after others may
 * have found it dead, and over unqueue, which has no reference; `next` as the
 * one request, so that the table's own reference is put once; memory first,
 * so that no dead table is revived under a get that looks at it twice.
 *
 * It is here to be compared with: two atomic adds on one word by every wait
 * and wake of every thread.
 */
#include "park.h"

/* The guard stays until after the put. */
struct table *hazptr_count_get_(struct hazptr_guard *g)
{
	struct table *t;

	for (;;) {
		t = hazptr_protect(g, &hazptr_table_);
		if (hazptr_rcuref_get(&t->refs))
			return t;
		HAZPTR_TEST_POINT("count:dead");
		hazptr_table_replace_(t);
	}
}

void hazptr_count_put_(struct table *t)
{
	HAZPTR_TEST_POINT("count:put");
	if (!hazptr_rcuref_put(&t->refs))
		return;
	HAZPTR_TEST_POINT("count:died");
	hazptr_table_replace_(t);
}
