/* SPDX-License-Identifier: MIT */
/*
 * park/bucket.c - a bucket's chain, and the wakes that signal handlers leave
 *
 * A chain is ordered by priority, and within one by arrival; goes_before() has
 * the exception. All of it is written under the bucket's lock; `next` leads
 * from `first` through all waiters after every single store, so that a debugger
 * can walk it, too.
 */
#include "park.h"

/* With the lock: who looks without it finds somebody with that key. */
void hazptr_bucket_mark_(struct bucket *b, const void *key)
{
	/* order FW5: before the fence FW1; pairs with FW2 */
	hazptr_store_(&b->keys, b->keys | hazptr_key_bit_(key), relaxed);
}

/* With the lock: forget the keys of those who have left. */
void hazptr_bucket_unmark_(struct bucket *b)
{
	const struct waiter *w;
	uintptr_t keys = 0;

	for (w = b->first; w; w = w->next)
		keys |= hazptr_key_bit_(w->key);
	/* order FW5: those who wait were marked before; pairs with FW2 */
	hazptr_store_(&b->keys, keys, relaxed);
}

/*
 * Asked for when somebody else is in the chain: it is a system call, and most
 * threads wait alone. The sleeper of a waitv is in several chains.
 */
static int priority_of(struct sleeper *s)
{
	/* private: whoever asks finds the same */
	int priority = hazptr_load_(&s->priority, relaxed);

	if (priority == PRIORITY_UNKNOWN) {
		priority = hazptr_priority_(s->thread);
		/* private: as above */
		hazptr_store_(&s->priority, priority, relaxed);
	}
	return priority;
}

/*
 * Who was woken, found the lock taken, and comes again, has its old place, but
 * for waiters of other keys that came meanwhile.
 */
static bool goes_before(const struct waiter *w, const struct waiter *prev)
{
	int more = priority_of(w->sleeper) - priority_of(prev->sleeper);

	return more > 0 ||
	       (!more && w->key == prev->key && w->since < prev->since);
}

void hazptr_bucket_insert_(const struct place *p, struct waiter *w)
{
	struct bucket *b = p->bucket;
	struct waiter *prev = b->last, *next;

	while (prev && goes_before(w, prev))
		prev = prev->prev;
	next = prev ? prev->next : b->first;
	w->prev = prev;
	/* private: under the lock; stores in this order, for who debugs */
	hazptr_store_(&w->next, next, relaxed);
	hazptr_store_(prev ? &prev->next : &b->first, w, release);
	if (next)
		next->prev = w;
	else
		b->last = w;
	hazptr_bucket_mark_(b, w->key);
	/* order FQ1: the bucket before the table that it is in; FQ2 */
	hazptr_store_(&w->bucket, b, relaxed);
	/* order FQ1: pairs with FQ2 */
	hazptr_store_(&w->table, p->table, release);
}

void hazptr_bucket_unlink_(struct bucket *b, struct waiter *w)
{
	/* private: under the lock */
	hazptr_store_(w->prev ? &w->prev->next : &b->first, w->next, release);
	if (w->next)
		w->next->prev = w->prev;
	else
		b->last = w->prev;
}

void hazptr_bucket_remove_(struct bucket *b, struct waiter *w)
{
	hazptr_bucket_unlink_(b, w);
	if (!b->first)
		hazptr_bucket_unmark_(b);
}

/*
 * Who comes for one of these waiters finds the bucket dead, and goes on to the
 * next table.
 */
void hazptr_bucket_move_(struct table *from, unsigned i, struct table *to)
{
	struct bucket *b = &from->buckets[i];
	struct waiter *w, *next;

	hazptr_working_begin_();
	hazptr_lock_(&b->lock);
	for (w = b->first; w; w = next) {
		struct place p = { to, hazptr_bucket_of_(to, w->key) };

		next = w->next;
		b->first = next;
		hazptr_lock_(&p.bucket->lock);
		hazptr_bucket_insert_(&p, w);
		hazptr_unlock_(&p.bucket->lock);
		HAZPTR_TEST_POINT("move:moved");
	}
	b->last = NULL;
	/* order FW4: dead before anybody is marked elsewhere; FW2 */
	hazptr_store_(&b->keys, b->keys | DEAD_BUCKET, relaxed);
	hazptr_unlock_(&b->lock);
	hazptr_working_end_();
}

/*
 * What a handler leaves behind is a set of hashes, by their first six bits: it
 * needs no memory, and is right for any number of wakes, as a wake for nothing
 * is allowed.
 */
#define LEFT_BITS 6

static __thread struct {
	uint32_t depth;
	uint64_t left;
} working __attribute__((__tls_model__("initial-exec")));

static bool is_left(uint64_t left, const void *key)
{
	return left >> (hazptr_hash_(key) >> (64 - LEFT_BITS)) & 1;
}

static void wake_left_here(struct bucket *b, uint64_t left)
{
	struct waiter *w, *next;
	struct taken taken;

	hazptr_taken_init_(&taken);
	hazptr_lock_(&b->lock);
	for (w = b->first; w; w = next) {
		next = w->next;
		if (w->is_idle && is_left(left, w->key))
			hazptr_take_(b, w, &taken);
	}
	hazptr_unlock_(&b->lock);
	hazptr_taken_wake_(&taken, 0);
}

static void wake_left_in(struct table *t, uint64_t left)
{
	size_t i, n = (size_t)1 << t->bits;

	for (i = 0; i < n; i++)
		if (t->bits < LEFT_BITS ||
		    (left >> (i >> (t->bits - LEFT_BITS)) & 1))
			wake_left_here(&t->buckets[i], left);
}

/* A waiter that is moved meanwhile is met in the next table. */
static void wake_left(uint64_t left)
{
	struct table *next;
	struct lease l;
	bool missed;

	do {
		hazptr_lease_begin_(&l);
		wake_left_in(l.table, left);
		next = hazptr_lease_next_(&l);
		if (next)
			wake_left_in(next, left);
		/* As long as it is held no other table has this address. */
		missed = !hazptr_table_is_current_(l.table);
		hazptr_lease_end_(&l);
	} while (missed);
}

void hazptr_working_begin_(void)
{
	/* private: a handler of this thread sees program order */
	hazptr_store_(&working.depth, working.depth + 1, relaxed);
	hazptr_compiler_fence_();
}

void hazptr_working_end_(void)
{
	uint64_t left;

	/* private: a handler of this thread sees program order */
	hazptr_compiler_fence_();
	hazptr_store_(&working.depth, working.depth - 1, relaxed);
	hazptr_compiler_fence_();
	/* private: written by this thread's handlers */
	while (hazptr_unlikely_(!working.depth &&
				hazptr_load_(&working.left, relaxed))) {
		hazptr_working_begin_();
		/* private: as above */
		left = hazptr_exchange_(&working.left, 0, relaxed);
		wake_left(left);
		/* private: as at the first of these */
		hazptr_compiler_fence_();
		hazptr_store_(&working.depth, working.depth - 1, relaxed);
		hazptr_compiler_fence_();
	}
}

void hazptr_working_reset_(void)
{
	working.depth = 0;
	working.left = 0;
}

bool hazptr_working_left_(const void *key)
{
	uint64_t bit = (uint64_t)1 << (hazptr_hash_(key) >> (64 - LEFT_BITS));

	if (hazptr_likely_(!working.depth))
		return false;
	/* private: read by the thread that this handler interrupted */
	hazptr_fetch_or_(&working.left, bit, relaxed);
	return true;
}
