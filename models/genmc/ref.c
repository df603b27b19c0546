/* SPDX-License-Identifier: MIT */
/*
 * ref.c - the last one of two puts ends the object: hazptr/ref.h, ref/ref.c
 *
 *	(none)		OK
 *	-DWEAK_RELEASE	BAD	RF2: a use comes after the end
 *	-DWEAK_ACQUIRE	BAD	RF2: the end does not see it
 */
#include "source.h"

#include "../../src/ref/ref.c"

static struct object object;
static struct hazptr_ref ref;

static void *holder(void *unused)
{
	object_use(&object);
	if (hazptr_ref_put(&ref))
		object_free(&object);
	return unused;
}

static void *copier(void *unused)
{
	hazptr_ref_get(&ref);
	object_use(&object);
	if (hazptr_ref_put(&ref))
		object_free(&object);
	return holder(unused);
}

int main(void)
{
	pthread_t h, c;

	object_init(&object);
	hazptr_ref_init(&ref, 2);
	pthread_create(&h, NULL, holder, NULL);
	pthread_create(&c, NULL, copier, NULL);
	pthread_join(h, NULL);
	pthread_join(c, NULL);
	assert(object.value == 0);
	return 0;
}
