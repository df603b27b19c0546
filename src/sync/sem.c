/* SPDX-License-Identifier: MIT */
/* sync/sem.c - semaphores (hazptr/sem.h) */
#include "sync.h"

#include <errno.h>

#define ONE_WAITS ((uint64_t)1 << 32)

static uint32_t permits(uint64_t word)
{
	return (uint32_t)word;
}

/* @less: what else is taken away with the permit */
static bool take(struct hazptr_sem *s, uint64_t less)
{
	/* order SM3: a hint, SM1 decides; pairs with SM2 */
	uint64_t word = hazptr_load_(&s->word, relaxed);

	while (permits(word))
		/* order SM1: all before the post; pairs with SM2 */
		if (hazptr_cas_(&s->word, &word, word - 1 - less, acquire,
				relaxed))
			return true;
	return false;
}

bool hazptr_sem_trywait(struct hazptr_sem *s)
{
	return take(s, 0);
}

static bool has_none(void *arg)
{
	const struct hazptr_sem *s = arg;

	/* order SM3: under the queue's lock; pairs with SM2 */
	return !permits(hazptr_load_(&s->word, relaxed));
}

int hazptr_sem_wait_slow_(struct hazptr_sem *s, const struct timespec *deadline)
{
	static const struct hazptr_park_how_ how = { 0, 0, true };
	unsigned turn = 0;
	int result;

	while (hazptr_spin_(&turn))
		if (take(s, 0))
			return 0;
	/* order SM4: counted, and then validated; pairs with SM2 */
	hazptr_fetch_add_(&s->word, ONE_WAITS, relaxed);
	while (!take(s, ONE_WAITS)) {
		result = hazptr_park_how_(s, has_none, NULL, NULL, s, deadline,
					  &how);
		if (result < 0 && result != -EAGAIN) {
			/* order SM4: a figure from here on; pairs with SM2 */
			hazptr_fetch_sub_(&s->word, ONE_WAITS, relaxed);
			return result;
		}
	}
	return 0;
}

/* After the permit is there, the semaphore may be gone. */
int hazptr_sem_post(struct hazptr_sem *s)
{
	uint64_t word = hazptr_load_(&s->word, relaxed); /* order SM3: SM2 */

	do {
		if (permits(word) >= HAZPTR_SEM_MAX)
			return -EOVERFLOW;
		/* order SM2: all before the post; pairs with SM1 */
	} while (!hazptr_cas_(&s->word, &word, word + 1, release, relaxed));
	HAZPTR_TEST_POINT("sem:posted");
	if (word >= ONE_WAITS)
		hazptr_wake_idle_(s, 1, UINT32_MAX);
	return 0;
}
