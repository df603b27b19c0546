/* SPDX-License-Identifier: MIT */
/*
 * own_lock.c - the library's lock, port/lock.c, with its sleep
 *
 * A sleep is an assumption: the word has changed. A wake is nothing, so this is
 * about exclusion and orders, not about wakes that are lost.
 *
 *	(none)		OK
 *	-DWEAK_RELEASE	BAD	LK2
 *	-DWEAK_ACQUIRE	BAD	LK1
 */
#include "source.h"

#include "../../src/port/lock.c"

static struct hazptr_lock lock;
static struct object object;

void hazptr_backoff_(struct hazptr_backoff *b, uint64_t deadline)
{
	(void)b;
	(void)deadline;
	model_wait_for(__atomic_load_n(&lock.word, __ATOMIC_RELAXED) == FREE);
}

void hazptr_wait_(const uint32_t *word, uint32_t expected, uint64_t ns)
{
	(void)ns;
	model_wait_for(__atomic_load_n(word, __ATOMIC_RELAXED) != expected);
}

void hazptr_wake_(const uint32_t *word)
{
	(void)word;
}

static void *locker(void *unused)
{
	hazptr_lock_(&lock);
	object.value++;
	hazptr_unlock_(&lock);
	return unused;
}

int main(void)
{
	pthread_t a, b;

	pthread_create(&a, NULL, locker, NULL);
	pthread_create(&b, NULL, locker, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	assert(object.value == 2 && lock.word == FREE);
	return 0;
}
