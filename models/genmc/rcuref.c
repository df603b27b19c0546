/* SPDX-License-Identifier: MIT */
/*
 * rcuref.c - two holders, and one that looks the object up: hazptr/ref.h,
 * ref/ref.c
 *
 * The memory stays, so this is not about the guard of hazptr_rcuref_put(). With
 * -DREINIT whoever found the count dead begins a new life of the object; a get
 * must be counted in the life in which it succeeded, or fail.
 *
 *	(none)		OK
 *	-DREINIT	OK	RC1, RC4, RC6
 *	-DWEAK_RELEASE	BAD	RC2
 *	-DWEAK_ACQUIRE	BAD	RC3
 */
#include "source.h"

#include "../../src/ref/ref.c"

static struct object object;
static struct hazptr_rcuref ref;
static int ended, got;

static void drop(void)
{
	if (!hazptr_rcuref_put(&ref))
		return;
	ended++;
#ifdef REINIT
	hazptr_rcuref_init(&ref, 1);
#else
	object_free(&object);
#endif
}

static void *holder(void *unused)
{
	object_use(&object);
	drop();
	return unused;
}

static void *finder(void *unused)
{
	if (hazptr_rcuref_get(&ref)) {
#ifdef REINIT
		got = 1; /* and kept; the object may be in its second life */
#else
		object_use(&object);
		drop();
#endif
	}
	return unused;
}

int main(void)
{
	pthread_t a, b, f;

	object_init(&object);
	hazptr_rcuref_init(&ref, 2);
	pthread_create(&a, NULL, holder, NULL);
	pthread_create(&b, NULL, holder, NULL);
	pthread_create(&f, NULL, finder, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	pthread_join(f, NULL);
#ifdef REINIT
	assert(hazptr_rcuref_read(&ref) == (uint32_t)(ended + got));
#else
	assert(ended == 1 && !got && hazptr_rcuref_is_dead(&ref));
#endif
	return 0;
}
