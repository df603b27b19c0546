/* SPDX-License-Identifier: MIT */
/*
 * sync/cond.c - condition variables (hazptr/cond.h)
 *
 * `mutex` is written with the queue of the condition variable locked: by the
 * first who waits, and by whoever takes the last one out.
 */
#include "sync.h"

#include <errno.h>

struct waiting {
	struct hazptr_cond *cond;
	struct hazptr_mutex *mutex;
	struct hazptr_mutex *others; /* that those wait with who are there */
	bool debug;
	bool was_moved; /* it is the mutex that it waits for */
};

static struct hazptr_mutex *mutex_of(const struct hazptr_cond *c)
{
	/* order CV3: under the queue's lock, or looked at again; CV2 */
	return hazptr_load_(&c->mutex, relaxed);
}

static bool join(void *arg)
{
	struct waiting *w = arg;

	w->others = mutex_of(w->cond);
	if (w->others && w->others != w->mutex)
		return false;
	/* order CV2: before the caller unlocks its mutex; pairs with CV1 */
	hazptr_store_(&w->cond->mutex, w->mutex, relaxed);
	w->others = NULL;
	return true;
}

static void unlock(void *arg)
{
	struct waiting *w = arg;

	hazptr_mutex_unlock(w->mutex);
}

static void gave_up(void *arg, const void *key, bool was_last)
{
	struct waiting *w = arg;

	w->was_moved = key != w->cond;
	if (was_last && !w->was_moved)
		/* order CV2: nobody waits any more; pairs with CV1 */
		hazptr_store_(&w->cond->mutex, NULL, relaxed);
}

int hazptr_cond_wait_(struct hazptr_cond *c, struct hazptr_mutex *m,
		      const struct timespec *deadline, bool debug)
{
	struct waiting w = { c, m, NULL, debug, false };
	/* Not idle: who leaves for nothing would leave c->mutex behind. */
	struct hazptr_park_how_ how = { hazptr_now_(), 0, false };
	int result;

	result = hazptr_park_how_(c, join, unlock, gave_up, &w, deadline, &how);
	if (w.others)
		hazptr_die_("hazptr_cond_wait", c,
			    "others wait there with another mutex");
	if (result == -EINVAL)
		return result;
	if (result == HANDED_OVER)
		return hazptr_mutex_received_(m, debug);
	hazptr_mutex_lock_more_(m, NULL, "hazptr_cond_wait", debug,
				result == ON_THE_WAY);
	return result == -ETIMEDOUT && !w.was_moved ? result : 0;
}

struct waking {
	struct hazptr_cond *cond;
	struct hazptr_mutex *mutex;
	int n;
};

/*
 * With both queues locked. While the mutex is held nobody is woken: its unlock
 * will. The mark that makes it look must be there before it is unlocked.
 */
static bool choose(void *arg, struct hazptr_requeue *n)
{
	struct waking *w = arg;

	if (mutex_of(w->cond) != w->mutex)
		return false; /* they have gone, and others have come */
	n->wake = !hazptr_mutex_mark_(w->mutex);
	n->requeue = w->n - n->wake;
	return true;
}

static int decide(void *arg, const struct hazptr_unparked *what)
{
	struct waking *w = arg;

	if (!what->have_more)
		/* order CV2: nobody waits any more; pairs with CV1 */
		hazptr_store_(&w->cond->mutex, NULL, relaxed);
	if (what->unparked && what->requeued)
		hazptr_mutex_mark_always_(w->mutex);
	return 0;
}

int hazptr_cond_wake_(struct hazptr_cond *c, int n)
{
	struct waking w = { c, NULL, n };
	int result;

	do {
		w.mutex = mutex_of(c);
		if (!w.mutex)
			return 0;
		result = hazptr_unpark_requeue(c, w.mutex, choose, decide, &w);
	} while (result == -EAGAIN);
	return result;
}
