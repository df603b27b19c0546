/* SPDX-License-Identifier: MIT */
/*
 * port/lock.c - the library's own lock
 *
 * Word: 0 free, 1 held, 2 held and somebody may sleep. 2 may be wrong in one
 * direction only: nobody sleeps, and the unlock wakes nobody.
 *
 * Source: U. Drepper, "Futexes Are Tricky", mutex 2.
 */
#include "port.h"

enum { FREE, HELD, CONTENDED };

#define SPINS 100

static bool try_lock(struct hazptr_lock *l)
{
	uint32_t expected = FREE;

	/* order LK1: what the last holder wrote; pairs with LK2 */
	return hazptr_cas_(&l->word, &expected, HELD, acquire, relaxed);
}

static void lock_slow(struct hazptr_lock *l)
{
	struct hazptr_backoff spin = { 0 };
	int i;

	for (i = 0; i < SPINS / 2; i++) {
		hazptr_backoff_(&spin, 0);
		/* order LK3: a hint, LK1 decides; pairs with LK2 */
		if (hazptr_load_(&l->word, relaxed) == FREE && try_lock(l))
			return;
	}
	/* order LK1: what the last holder wrote; pairs with LK2 */
	while (hazptr_exchange_(&l->word, CONTENDED, acquire) != FREE)
		hazptr_wait_(&l->word, CONTENDED, UINT64_MAX);
}

void hazptr_lock_(struct hazptr_lock *l)
{
	if (!try_lock(l))
		lock_slow(l);
}

void hazptr_unlock_(struct hazptr_lock *l)
{
	/* order LK2: all that was done under the lock; pairs with LK1 */
	if (hazptr_exchange_(&l->word, FREE, release) == CONTENDED)
		hazptr_wake_(&l->word);
}

void hazptr_lock_reset_(struct hazptr_lock *l)
{
	hazptr_store_(&l->word, FREE, relaxed); /* private: alone after fork */
}
