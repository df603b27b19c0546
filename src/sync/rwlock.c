/* SPDX-License-Identifier: MIT */
/*
 * sync/rwlock.c - readers and writers (hazptr/rwlock.h)
 *
 * While somebody is parked, nobody but the holders changes who holds it: the
 * last one to leave keeps the word as it is, locks the queue, and says there
 * who is next.
 */
#include "sync.h"

#include <errno.h>

#define WRITER 1u
#define PARKED 2u
#define READER 4u
#define READERS_MAX (UINT32_MAX - READER + 1)

enum kind { READS, WRITES };

static bool is_held(uint32_t word)
{
	return word & ~PARKED;
}

static uint32_t look(const struct hazptr_rwlock *l)
{
	/* order RW4: a hint, RW1 decides; pairs with RW2 */
	return hazptr_load_(&l->word, relaxed);
}

/* The word as it is when one more of this kind is in; 0: it has to wait. */
static uint32_t with(uint32_t word, enum kind kind)
{
	if (kind == WRITES)
		return is_held(word) ? 0 : word | WRITER;
	if (word & WRITER || (is_held(word) && word & PARKED) ||
	    word >= READERS_MAX)
		return 0;
	return word + READER;
}

/* In: true. Else *word is what stands there. */
static bool enter(struct hazptr_rwlock *l, uint32_t *word, enum kind kind)
{
	uint32_t wanted;

	while ((wanted = with(*word, kind)))
		/* order RW1: what holders did before; pairs with RW2, RW3 */
		if (hazptr_cas_(&l->word, word, wanted, acquire, relaxed))
			return true;
	return false;
}

static bool is_contended(void *arg)
{
	uint32_t word = look(arg);

	return is_held(word) && word & PARKED;
}

static void gave_up(void *arg, const void *key, bool was_last)
{
	struct hazptr_rwlock *l = arg;

	(void)key;
	if (was_last)
		/* order RW5: a hint for unlock, queues decide; RW3 */
		hazptr_fetch_and_(&l->word, ~PARKED, relaxed);
}

/* Readers in front, while other readers hold it: they come in. */
static enum hazptr_selected_ select_reader(void *arg, int kind)
{
	struct hazptr_rwlock *l = arg;
	uint32_t word = look(l);

	while (kind == READS && is_held(word) && !(word & WRITER) &&
	       word < READERS_MAX)
		/* order RW1: what writers did before; pairs with RW2, RW3 */
		if (hazptr_cas_(&l->word, &word, word + READER, acquire,
				relaxed))
			return TAKE;
	return STOP;
}

static int let_in(void *arg, const struct hazptr_unparked *what)
{
	if (!what->have_more)
		gave_up(arg, arg, true);
	return what->unparked ? HANDED_OVER : 0;
}

/* They waited behind a writer who has given up. */
static void admit_readers(struct hazptr_rwlock *l)
{
	if (look(l) & PARKED)
		hazptr_unpark_some_(l, select_reader, let_in, l);
}

static int lock(struct hazptr_rwlock *l, enum kind kind,
		const struct timespec *deadline)
{
	struct hazptr_park_how_ how = { 0, (int)kind, false };
	uint32_t word = look(l);
	unsigned turn = 0;
	int result;

	while (!enter(l, &word, kind)) {
		if (!(word & PARKED) && hazptr_spin_(&turn)) {
			word = look(l);
			continue;
		}
		/* order RW5: a hint for unlock, queues decide; RW3 */
		if (!(word & PARKED) &&
		    !hazptr_cas_(&l->word, &word, word | PARKED, relaxed,
				 relaxed))
			continue;
		if (!how.since)
			how.since = hazptr_now_();
		result = hazptr_park_how_(l, is_contended, NULL, gave_up, l,
					  deadline, &how);
		if (result == HANDED_OVER)
			return 0;
		if (result < 0 && result != -EAGAIN) {
			if (kind == WRITES)
				admit_readers(l);
			return result;
		}
		turn = 0;
		word = look(l);
	}
	return 0;
}

int hazptr_rwlock_rdlock_until(struct hazptr_rwlock *l,
			       const struct timespec *deadline)
{
	return lock(l, READS, deadline);
}

int hazptr_rwlock_wrlock_until(struct hazptr_rwlock *l,
			       const struct timespec *deadline)
{
	return lock(l, WRITES, deadline);
}

bool hazptr_rwlock_tryrdlock(struct hazptr_rwlock *l)
{
	uint32_t word = look(l);

	return enter(l, &word, READS);
}

bool hazptr_rwlock_trywrlock(struct hazptr_rwlock *l)
{
	uint32_t word = look(l);

	return enter(l, &word, WRITES);
}

struct leaving {
	struct hazptr_rwlock *lock;
	bool any;
	bool is_out; /* that was all */
	int first;   /* the kind of who waited longest */
};

static bool has_others(uint32_t word)
{
	return !(word & WRITER) && (word & ~PARKED) > READER;
}

/*
 * With the queue locked. False: we are the last one, and somebody waits. When
 * nobody does, or one has given up meanwhile, readers may have come in; while
 * somebody does, nobody comes in.
 */
static bool leave(struct hazptr_rwlock *l, bool queued)
{
	/* order RW6: what other readers did before RW3 hides it; RW2 */
	uint32_t word = hazptr_load_(&l->word, acquire);
	bool others;

	do {
		others = has_others(word);
		if (queued && !others)
			return false;
		/* order RW2: all that was done under the lock; RW1, RW6 */
	} while (!hazptr_cas_(&l->word, &word, others ? word - READER : 0,
			      release, acquire));
	return true;
}

/* A writer alone, or all readers. */
static enum hazptr_selected_ select_next(void *arg, int kind)
{
	struct leaving *x = arg;

	if (!x->any) {
		x->any = true;
		x->is_out = leave(x->lock, true);
		x->first = kind;
		return x->is_out ? STOP : TAKE;
	}
	if (x->first == WRITES)
		return STOP;
	return kind == READS ? TAKE : SKIP;
}

/* With the queue locked. Afterwards the lock may be gone. */
static int pass_on(void *arg, const struct hazptr_unparked *what)
{
	struct leaving *x = arg;
	uint32_t word = what->have_more ? PARKED : 0;
	bool hand_over = what->unparked;

	if (!x->any)
		x->is_out = leave(x->lock, false);
	if (x->is_out)
		return 0;
	if (x->first == READS)
		word += (uint32_t)what->unparked * READER;
	else if (hand_over && what->be_fair)
		word |= WRITER;
	else
		hand_over = false;
	/* order RW3: all that was done under the lock; pairs with RW1 */
	hazptr_store_(&x->lock->word, word, release);
	return hand_over ? HANDED_OVER : 0;
}

void hazptr_rwlock_unlock(struct hazptr_rwlock *l)
{
	struct leaving x = { l, false, false, READS };
	uint32_t word = look(l), wanted;

	do {
		if (!is_held(word))
			hazptr_die_("hazptr_rwlock_unlock", l,
				    "nobody holds it");
		wanted = word & WRITER ? word & ~WRITER : word - READER;
		if (wanted == PARKED) {
			hazptr_unpark_some_(l, select_next, pass_on, &x);
			return;
		}
		/* order RW2: all that was done under the lock; RW1 */
	} while (!hazptr_cas_(&l->word, &word, wanted, release, relaxed));
}
