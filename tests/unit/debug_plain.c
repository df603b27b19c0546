/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/debug_plain.c - calls of a file that knows of no debugging
 *
 * Linked to debug.c, which is built with HAZPTR_DEBUG. It is C in both
 * programs, the one in C++ included.
 */
#undef HAZPTR_DEBUG
#include "debug_plain.h"

void *plain_protect(struct hazptr_guard *g, void **source)
{
	return hazptr_protect(g, source);
}

void plain_hold(struct hazptr_guard *g, void *object)
{
	hazptr_hold(g, object);
}

void plain_release(struct hazptr_guard *g)
{
	hazptr_release(g);
}

void plain_retire(struct hazptr_domain *d, struct hazptr_head *head,
		  void *object, hazptr_reclaim_fn reclaim)
{
	hazptr_retire_(d, head, object, reclaim);
}
