/* SPDX-License-Identifier: MIT */
/*
 * geoip/schemes.c - six ways to reach a table that is replaced under way
 *
 * The question is the same in all of them: between the moment when a reader
 * learns where the table is and the moment when it is done with it, the updater
 * may put a new one in its place. When may the old one go?
 *
 *	hazptr		when no guard keeps it: a reader stores its address in a
 *			word of its own
 *	thread-shared	when nobody has a reference: a reader has one for a
 *			while, in a slot of its processor
 *	counted		when its count is zero: a reader finds it by a guard,
 *			then counts itself in, and out
 *	rwlock		at once, because readers are kept out meanwhile: every
 *			look-up writes to the shared lock, twice
 *	refcount	when its count is zero: every look-up writes to a shared
 *			count, twice
 *	unprotected	never: what a look-up costs when nothing is reloaded
 */
#include "schemes.h"

#include <pthread.h>

/* ---- hazptr ---- */

static struct table *guarded_table;

static uint16_t guarded_lookup(const struct address *a)
{
	HAZPTR_GUARD(guard); /* releases itself at the end of the function */
	const struct table *t = hazptr_protect(&guard, &guarded_table);

	return table_lookup(t, a);
}

static void reclaim_table(struct hazptr_head *head)
{
	size_t offset = offsetof(struct table, head);

	table_destroy((struct table *)((char *)head - offset));
}

static void guarded_publish(struct table *t)
{
	struct table *old =
		__atomic_exchange_n(&guarded_table, t, __ATOMIC_ACQ_REL);

	if (old)
		hazptr_retire(NULL, old, head, reclaim_table);
}

static struct table *guarded_withdraw(void)
{
	struct table *t =
		__atomic_exchange_n(&guarded_table, NULL, __ATOMIC_ACQ_REL);

	hazptr_synchronize(t); /* nobody looks at this one any more ... */
	hazptr_barrier(NULL);  /* ... and the retired ones are destroyed */
	return t;
}

/* ---- thread-shared and counted ---- */

/*
 * The table belongs to whoever has a reference to it, and the place where
 * readers find it has one too. Both schemes are updated in the same way; a
 * look-up takes one of two kinds of references. A thread-shared one may be kept
 * across anything that blocks, but stays with its thread; a counted one may
 * also be kept for ever and passed on.
 */
static struct hazptr_sync_shared shared_table;
static struct table *passed_on; /* withdrawn: not to be destroyed */

static struct table *table_of(struct hazptr_shared_node *node)
{
	size_t offset = offsetof(struct table, node);

	return (struct table *)((char *)node - offset);
}

static uint16_t thread_shared_lookup(const struct address *a)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	const struct table *t =
		table_of(hazptr_thread_shared_load(&ts, &shared_table));
	uint16_t country = table_lookup(t, a);

	hazptr_thread_shared_drop(&ts);
	return country;
}

static uint16_t shared_lookup(const struct address *a)
{
	struct hazptr_shared sp = hazptr_sync_shared_load(&shared_table);
	uint16_t country = table_lookup(table_of(sp.node), a);

	hazptr_shared_drop(&sp);
	return country;
}

/* Nobody has a reference any more. In the library's thread, or in withdraw. */
static void release_table(struct hazptr_shared_node *node)
{
	struct table *t = table_of(node);

	if (t != __atomic_load_n(&passed_on, __ATOMIC_RELAXED))
		table_destroy(t);
}

static void shared_publish(struct table *t)
{
	struct hazptr_shared sp = hazptr_shared_create(&t->node, release_table);

	hazptr_sync_shared_store(&shared_table, &sp);
}

static struct table *shared_withdraw(void)
{
	struct hazptr_shared sp = { NULL };
	struct table *t;

	sp = hazptr_sync_shared_exchange(&shared_table, &sp);
	t = table_of(sp.node);
	__atomic_store_n(&passed_on, t, __ATOMIC_RELAXED);
	hazptr_shared_drop_sync(&sp); /* nobody has this one any more ... */
	hazptr_barrier(NULL);	      /* ... and the others are destroyed */
	__atomic_store_n(&passed_on, NULL, __ATOMIC_RELAXED);
	return t;
}

/* ---- rwlock ---- */

/*
 * The default kind lets readers go first: the fastest look-ups, and an updater
 * that may have to wait for long where many readers follow each other closely.
 */
static pthread_rwlock_t lock
	__attribute__((aligned(64))) = PTHREAD_RWLOCK_INITIALIZER;
static struct table *locked_table;

static uint16_t locked_lookup(const struct address *a)
{
	uint16_t country;

	pthread_rwlock_rdlock(&lock);
	country = table_lookup(locked_table, a);
	pthread_rwlock_unlock(&lock);
	return country;
}

static struct table *locked_exchange(struct table *t)
{
	struct table *old;

	pthread_rwlock_wrlock(&lock);
	old = locked_table;
	locked_table = t;
	pthread_rwlock_unlock(&lock);
	return old;
}

static void locked_publish(struct table *t)
{
	struct table *old = locked_exchange(t);

	if (old)
		table_destroy(old);
}

static struct table *locked_withdraw(void)
{
	return locked_exchange(NULL);
}

/* ---- refcount ---- */

/*
 * To load a pointer and then count up in what it leads to is wrong: the object
 * may go between the two. The usual cure is a lock around the two steps. This
 * is the better one, without a lock: one word holds which table is in service
 * and how many references to it have been taken, so that one atomic addition
 * does both. What comes back is counted in the table's cell. Once the table is
 * replaced, as many must come back as were taken; whoever makes that true
 * destroys it. Two atomic additions a look-up, the least that a count can do.
 *
 * With @MAX_READERS readers there is always a free cell for the next table.
 */
#define CELLS 1024	/* the low bits of the word: which cell */
#define ONE_TAKEN CELLS /* above them: the references taken */
#define IN_SERVICE ((uint64_t)1 << 63) /* keeps `missing` away from zero */

static struct cell {
	struct table *table;
	uint64_t missing; /* IN_SERVICE, + taken once replaced, - returned */
} __attribute__((aligned(64))) cells[CELLS];

static uint64_t counted_word __attribute__((aligned(64)));
static struct cell *counted_cell; /* the updater's: which one is in service */

/* The cell's table has @n references less to wait for; destroy it at none. */
static void settle(struct cell *cell, uint64_t n)
{
	if (__atomic_sub_fetch(&cell->missing, n, __ATOMIC_ACQ_REL))
		return;
	table_destroy(cell->table);
	__atomic_store_n(&cell->table, NULL, __ATOMIC_RELEASE);
}

static uint16_t counted_lookup(const struct address *a)
{
	uint64_t word =
		__atomic_fetch_add(&counted_word, ONE_TAKEN, __ATOMIC_ACQUIRE);
	struct cell *cell = &cells[word % CELLS];
	uint16_t country = table_lookup(cell->table, a);

	settle(cell, 1);
	return country;
}

static struct cell *find_free_cell(void)
{
	struct cell *cell = cells;

	while (__atomic_load_n(&cell->table, __ATOMIC_ACQUIRE))
		cell++;
	return cell;
}

static void counted_publish(struct table *t)
{
	struct cell *old = counted_cell, *cell = find_free_cell();
	uint64_t word;

	cell->missing = IN_SERVICE;
	__atomic_store_n(&cell->table, t, __ATOMIC_RELAXED);
	counted_cell = cell;
	word = __atomic_exchange_n(&counted_word, (uint64_t)(cell - cells),
				   __ATOMIC_ACQ_REL);
	if (old)
		settle(old, IN_SERVICE - word / CELLS);
}

static struct table *counted_withdraw(void)
{
	struct table *t = counted_cell->table;

	__atomic_store_n(&counted_cell->table, NULL, __ATOMIC_RELEASE);
	counted_cell = NULL;
	return t;
}

/* ---- unprotected ---- */

/*
 * The table never changes. New ones are loaded beside the readers all the
 * same, and thrown away, so that the machine is as busy as with the others and
 * the ratio shows what the protection costs, not what parsing costs.
 */
static struct table *fixed_table;

static uint16_t fixed_lookup(const struct address *a)
{
	return table_lookup(fixed_table, a);
}

static void fixed_publish(struct table *t)
{
	if (fixed_table)
		table_destroy(t);
	else
		fixed_table = t;
}

static struct table *fixed_withdraw(void)
{
	struct table *t = fixed_table;

	fixed_table = NULL;
	return t;
}

/* ---- careless ---- */

static uint16_t careless_lookup(const struct address *a)
{
	return table_lookup(__atomic_load_n(&guarded_table, __ATOMIC_ACQUIRE),
			    a);
}

static void careless_publish(struct table *t)
{
	struct table *old =
		__atomic_exchange_n(&guarded_table, t, __ATOMIC_ACQ_REL);

	if (old)
		table_destroy(old);
}

const struct scheme schemes[SCHEMES] = {
	{ "hazptr", guarded_lookup, guarded_publish, guarded_withdraw, true },
	{ "thread-shared", thread_shared_lookup, shared_publish,
	  shared_withdraw, true },
	{ "counted", shared_lookup, shared_publish, shared_withdraw, true },
	{ "rwlock", locked_lookup, locked_publish, locked_withdraw, true },
	{ "refcount", counted_lookup, counted_publish, counted_withdraw, true },
	{ "unprotected", fixed_lookup, fixed_publish, fixed_withdraw, false },
};

const struct scheme careless = {
	"careless", careless_lookup, careless_publish, guarded_withdraw, true,
};
