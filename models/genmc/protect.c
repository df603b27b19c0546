/* SPDX-License-Identifier: MIT */
/*
 * protect.c - one object, one reader, one updater: HP2 to HP8
 *
 *	(none)		OK	for each INTERRUPT
 *	-DFULL		OK
 *	-DNOHEAVY	BAD	no HP7
 *	-DWEAK_RELEASE	BAD	HP6 relaxed: the free overtakes the last use
 *	-DWEAK_ACQUIRE	BAD	HP8 relaxed: the same
 */
#include "library.h"

static struct object a;
static struct object *source = &a;

static void *reader(void *unused)
{
	struct object *o;

	reader_begin();
	{
		HAZPTR_GUARD(guard);
		o = hazptr_protect(&guard, &source);
		if (o)
			object_use(o);
	}
	model_reader_end();
	return unused;
}

static void *updater(void *unused)
{
	__atomic_store_n(&source, NULL, __ATOMIC_RELAXED);
	model_heavy(); /* order HP7 */
	if (!scan_finds(&a))
		object_free(&a);
	return unused;
}

int main(void)
{
	pthread_t r, u;

	object_init(&a);
	pthread_create(&r, NULL, reader, NULL);
	pthread_create(&u, NULL, updater, NULL);
	pthread_join(r, NULL);
	pthread_join(u, NULL);
	return 0;
}
