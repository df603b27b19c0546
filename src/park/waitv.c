/* SPDX-License-Identifier: MIT */
/*
 * park/waitv.c - waiting at several words
 *
 * One sleeper with a waiter in each word's queue. Wakers may take several of
 * them at once; the frame stays until each is out of its queue or let go.
 */
#include "park.h"

#include <errno.h>

static bool is_valid(const struct hazptr_futex_waitv *v, unsigned n)
{
	unsigned i;

	if (!v || !n || n > HAZPTR_FUTEX_WAITV_MAX)
		return false;
	for (i = 0; i < n; i++)
		if (!hazptr_futex_valid_(v[i].addr))
			return false;
	return true;
}

/* The first one that was woken, or @none. */
static int unqueue_all(struct waiter *waiters, unsigned n, int none)
{
	int woken = none;
	unsigned i = n;

	while (i--)
		if (!hazptr_unqueue_(&waiters[i], NULL, NULL))
			woken = (int)i;
	return woken;
}

int hazptr_futex_waitv(const struct hazptr_futex_waitv *v, unsigned n,
		       const struct timespec *deadline)
{
	struct waiter waiters[HAZPTR_FUTEX_WAITV_MAX];
	struct sleeper s;
	unsigned i;

	if (!is_valid(v, n) || !hazptr_deadline_valid_(deadline))
		return -EINVAL;
	hazptr_sleeper_init_(&s);
	for (i = 0; i < n; i++) {
		hazptr_waiter_init_(&waiters[i], v[i].addr, &s);
		if (hazptr_futex_queue_(&waiters[i], v[i].addr, v[i].expected))
			return unqueue_all(waiters, i, -EAGAIN);
		HAZPTR_TEST_POINT("waitv:queued");
	}
	hazptr_sleep_(&s, deadline);
	return unqueue_all(waiters, n, -ETIMEDOUT);
}
