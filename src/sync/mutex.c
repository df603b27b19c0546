/* SPDX-License-Identifier: MIT */
/* sync/mutex.c - the mutex when it is not free (hazptr/mutex.h) */
#include "sync.h"

#include <errno.h>

#define LOCKED HAZPTR_MUTEX_LOCKED_
#define PARKED HAZPTR_MUTEX_PARKED_
#define WOKEN 4u
#define OWNER_SHIFT 3
#define LOOK_TURNS 32

/* Not the kernel's number: the child of a fork unlocks what it had locked. */
static uint32_t self(bool debug)
{
	static __thread uint32_t id;
	static uint32_t ids;

	while (debug && !id)
		/* order MX8: a figure; pairs with MX8 */
		id = (hazptr_fetch_add_(&ids, 1, relaxed) + 1) << OWNER_SHIFT;
	return debug ? id : 0;
}

static uint32_t owner(uint32_t word)
{
	return word & ~(LOCKED | PARKED | WOKEN);
}

static uint32_t look(const struct hazptr_mutex *m)
{
	/* order MX5: a hint, MX1 decides; pairs with MX2 */
	return hazptr_load_(&m->word, relaxed);
}

static bool is_contended(void *arg)
{
	uint32_t both = LOCKED | PARKED;

	return (look(arg) & both) == both;
}

static void gave_up(void *arg, const void *key, bool was_last)
{
	struct hazptr_mutex *m = arg;

	(void)key;
	if (was_last)
		/* order MX6: a hint for unlock, queues decide; MX4 */
		hazptr_fetch_and_(&m->word, ~PARKED, relaxed);
}

/* It was free. Else *word is what stands there. */
static bool take(struct hazptr_mutex *m, uint32_t *word, uint32_t me,
		 bool woken)
{
	uint32_t wanted;

	while (!(*word & LOCKED)) {
		wanted = (*word & ~(woken ? WOKEN : 0)) | LOCKED | me;
		/* order MX1: what the last holder wrote; pairs with MX2, MX4 */
		if (hazptr_cas_(&m->word, word, wanted, acquire, relaxed))
			return true;
	}
	return false;
}

/* Say that we shall sleep, and are not on the way any more. */
static bool announce(struct hazptr_mutex *m, uint32_t *word, bool woken)
{
	uint32_t wanted = (*word & ~(woken ? WOKEN : 0)) | PARKED;

	/* order MX6: a hint for unlock, queues decide; MX4 */
	return wanted == *word ||
	       hazptr_cas_(&m->word, word, wanted, relaxed, relaxed);
}

bool hazptr_mutex_trylock_slow_(struct hazptr_mutex *m, bool debug)
{
	uint32_t word = look(m);

	return take(m, &word, self(debug), false);
}

int hazptr_mutex_lock_more_(struct hazptr_mutex *m,
			    const struct timespec *deadline, const char *call,
			    bool debug, bool woken)
{
	struct hazptr_park_how_ how = { 0, 0, false };
	uint32_t me = self(debug), word = look(m);
	unsigned turn = 0;
	int result;

	while (!take(m, &word, me, woken)) {
		if (me && owner(word) == me)
			hazptr_die_(call, m, "this thread holds it already");
		if (!(word & PARKED) && hazptr_spin_(&turn)) {
			word = look(m);
			continue;
		}
		if (!announce(m, &word, woken))
			continue;
		if (!how.since)
			how.since = hazptr_now_();
		result = hazptr_park_how_(m, is_contended, NULL, gave_up, m,
					  deadline, &how);
		if (result == HANDED_OVER)
			return hazptr_mutex_received_(m, debug);
		if (result < 0 && result != -EAGAIN)
			return result;
		woken = result == ON_THE_WAY;
		turn = 0;
		word = look(m);
	}
	return 0;
}

int hazptr_mutex_lock_slow_(struct hazptr_mutex *m,
			    const struct timespec *deadline, const char *call,
			    bool debug)
{
	return hazptr_mutex_lock_more_(m, deadline, call, debug, false);
}

/* It was handed over. Write down whose it is now. */
int hazptr_mutex_received_(struct hazptr_mutex *m, bool debug)
{
	if (debug)
		/* order MX7: read by this thread, or to report; MX7 */
		hazptr_fetch_or_(&m->word, self(true), relaxed);
	return 0;
}

bool hazptr_mutex_mark_(struct hazptr_mutex *m)
{
	uint32_t word = look(m);

	while (word & LOCKED && !(word & PARKED))
		/* order MX6: a hint for unlock, queues decide; MX4 */
		if (hazptr_cas_(&m->word, &word, word | PARKED, relaxed,
				relaxed))
			return true;
	return word & LOCKED;
}

void hazptr_mutex_mark_always_(struct hazptr_mutex *m)
{
	/* order MX6: a hint for unlock, queues decide; MX4 */
	hazptr_fetch_or_(&m->word, PARKED, relaxed);
}

/* With the queue locked. Afterwards the mutex may be gone. */
static int pass_on(void *arg, const struct hazptr_unparked *what)
{
	struct hazptr_mutex *m = arg;
	uint32_t word = what->have_more ? PARKED : 0;

	if (what->unparked)
		word |= what->be_fair ? LOCKED : WOKEN;
	HAZPTR_TEST_POINT("mutex:passing");
	/* order MX4: all that was done under the lock; pairs with MX1 */
	hazptr_store_(&m->word, word, release);
	return what->be_fair ? HANDED_OVER : ON_THE_WAY;
}

/*
 * While one is on the way the others sleep on; now and then the queue is looked
 * at all the same, as somebody there may have waited for too long. In the child
 * of a fork it may be a thread of the parent's that is on the way.
 */
static bool may_leave_them(uint32_t word)
{
	static __thread uint32_t turns;

	if (!(word & PARKED))
		return true;
	return word & WOKEN && !(hazptr_table_policy_now_() & POLICY_CHILD) &&
	       ++turns % LOOK_TURNS;
}

void hazptr_mutex_unlock_slow_(struct hazptr_mutex *m)
{
	uint32_t word = look(m);

	if (!(word & LOCKED))
		hazptr_die_("hazptr_mutex_unlock", m, "it is not locked");
	if (owner(word) && owner(word) != self(true))
		hazptr_die_("hazptr_mutex_unlock", m,
			    "another thread holds it");
	while (may_leave_them(word))
		/* order MX2: all that was done under the lock; MX1 */
		if (hazptr_cas_(&m->word, &word, word & (PARKED | WOKEN),
				release, relaxed))
			return;
	hazptr_unpark_one(m, pass_on, m);
}
