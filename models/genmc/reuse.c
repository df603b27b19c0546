/* SPDX-License-Identifier: MIT */
/*
 * reuse.c - a slot goes from one object to the next, memory is published again
 *
 * The reader protects twice with one guard, so that the second object is stored
 * where the first one stands, without a 0 in between (HP2 is release for that).
 * The updater replaces a by b, and when no slot holds a, frees it, fills the
 * same memory anew and publishes it again: the reader's two looks at the
 * source may see the same address, of two objects (HP4 is acquire for that).
 *
 *	(none)		OK	for each INTERRUPT
 *	-DFULL		OK
 *	-DNOHEAVY	BAD
 *	-DWEAK_RELEASE	BAD	HP2, HP6
 *	-DWEAK_ACQUIRE	BAD	HP4, HP8
 */
#include "library.h"

static struct object a, b;
static struct object *source = &a;

static void *reader(void *unused)
{
	struct object *o;
	int i;

	reader_begin();
	{
		HAZPTR_GUARD(guard);
		for (i = 0; i < 2; i++) {
			o = hazptr_protect(&guard, &source);
			object_use(o);
		}
	}
	model_reader_end();
	return unused;
}

static void *updater(void *unused)
{
	__atomic_store_n(&source, &b, __ATOMIC_RELEASE);
	model_heavy(); /* order HP7 */
	if (!scan_finds(&a)) {
		object_free(&a);
		object_init(&a);
		__atomic_store_n(&source, &a, __ATOMIC_RELEASE);
	}
	return unused;
}

int main(void)
{
	pthread_t r, u;

	object_init(&a);
	object_init(&b);
	pthread_create(&r, NULL, reader, NULL);
	pthread_create(&u, NULL, updater, NULL);
	pthread_join(r, NULL);
	pthread_join(u, NULL);
	return 0;
}
