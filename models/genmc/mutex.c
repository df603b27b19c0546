/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - the fast paths of hazptr/mutex.h
 *
 *	(none)		OK
 *	-DWEAK_RELEASE	BAD	MX2
 *	-DWEAK_ACQUIRE	BAD	MX1
 */
#include "model.h"

#include <hazptr/mutex.h>

static struct hazptr_mutex mutex;
static int taken[2];
static struct object object;

int hazptr_mutex_lock_slow_(struct hazptr_mutex *m,
			    const struct timespec *deadline, const char *call,
			    bool debug)
{
	(void)m;
	(void)deadline;
	(void)call;
	(void)debug;
	assert(0);
	return 0;
}

bool hazptr_mutex_trylock_slow_(struct hazptr_mutex *m, bool debug)
{
	(void)m;
	(void)debug;
	return false;
}

/* Nobody parks here. */
void hazptr_mutex_unlock_slow_(struct hazptr_mutex *m)
{
	(void)m;
	assert(0);
}

static void *locker(void *mine)
{
	if (hazptr_mutex_trylock(&mutex)) {
		object.value++;
		*(int *)mine = 1;
		hazptr_mutex_unlock(&mutex);
	}
	return NULL;
}

int main(void)
{
	pthread_t a, b;

	pthread_create(&a, NULL, locker, &taken[0]);
	pthread_create(&b, NULL, locker, &taken[1]);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	assert(object.value >= 1 && object.value == taken[0] + taken[1]);
	return 0;
}
