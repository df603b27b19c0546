/* SPDX-License-Identifier: MIT */
/*
 * detach.c - another thread releases the guard, the first one takes its slot
 *
 * The reader protects a and hands the guard over; the helper uses a and
 * releases the guard. When the reader then finds the slot free (HP1) and keeps
 * b in it, a scan that reads b frees a, which the helper used: its use must
 * happen before the free through HP6, HP1 and HP2.
 *
 *	(none)		OK	for each INTERRUPT
 *	-DFULL		OK
 *	-DWEAK_RELEASE	BAD	HP6, HP2
 *	-DWEAK_ACQUIRE	BAD	HP1, HP8
 */
#include "library.h"

static struct object a, b;
static struct object *first = &a, *second = &b;
static struct hazptr_guard guard;
static int handed_over; /* 1: it keeps a; 2: there was nothing to keep */

static void *helper(void *unused)
{
	if (model_wait_set(&handed_over) == 1) {
		object_use(&a);
		hazptr_release(&guard);
	}
	return unused;
}

static void *reader(void *unused)
{
	struct hazptr_guard next = HAZPTR_GUARD_INIT;
	struct object *o;

	reader_begin();
	if (hazptr_protect(&guard, &first)) {
		/* the hand-over, which is the user's to order */
		__atomic_store_n(&handed_over, 1, __ATOMIC_RELEASE);
		o = hazptr_protect(&next, &second);
		object_use(o);
		hazptr_release(&next);
	} else {
		__atomic_store_n(&handed_over, 2, __ATOMIC_RELEASE);
	}
	model_reader_end();
	return unused;
}

static void *updater(void *unused)
{
	__atomic_store_n(&first, NULL, __ATOMIC_RELAXED);
	model_heavy(); /* order HP7 */
	if (!scan_finds(&a))
		object_free(&a);
	return unused;
}

int main(void)
{
	pthread_t r, h, u;

	object_init(&a);
	object_init(&b);
	pthread_create(&r, NULL, reader, NULL);
	pthread_create(&h, NULL, helper, NULL);
	pthread_create(&u, NULL, updater, NULL);
	pthread_join(r, NULL);
	pthread_join(h, NULL);
	pthread_join(u, NULL);
	return 0;
}
