/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/mutex_plain.c - calls of a file that knows of no debugging
 *
 * Linked to mutex_debug.c, which is built with HAZPTR_DEBUG. It is C in both
 * programs, the one in C++ included.
 */
#undef HAZPTR_DEBUG
#include <hazptr/mutex.h>

void mutex_plain_lock(struct hazptr_mutex *m);
bool mutex_plain_trylock(struct hazptr_mutex *m);
int mutex_plain_lock_until(struct hazptr_mutex *m,
			   const struct timespec *deadline);
void mutex_plain_unlock(struct hazptr_mutex *m);

void mutex_plain_lock(struct hazptr_mutex *m)
{
	hazptr_mutex_lock(m);
}

bool mutex_plain_trylock(struct hazptr_mutex *m)
{
	return hazptr_mutex_trylock(m);
}

int mutex_plain_lock_until(struct hazptr_mutex *m,
			   const struct timespec *deadline)
{
	return hazptr_mutex_lock_until(m, deadline);
}

void mutex_plain_unlock(struct hazptr_mutex *m)
{
	hazptr_mutex_unlock(m);
}
