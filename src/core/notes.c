/* SPDX-License-Identifier: MIT */
/*
 * core/notes.c - two tables of what files with -DHAZPTR_DEBUG say
 *
 * An entry's seq is odd while somebody writes it, and only who made it odd
 * does. Who reads it takes a copy and looks whether seq is still the same. So
 * nobody waits, a signal handler may come in between, and no lock is held at a
 * fork. What finds no room in its bucket is not noted.
 */
#include "debug.h"

#define WAYS 8
#ifndef HAZPTR_SMALL_LIMITS
#define HELD_BUCKETS 256
#define RETIRED_BUCKETS 512
#endif

struct entry {
	uint32_t seq;
	uint32_t told;
	struct note note; /* key 0: free */
};

struct notes {
	size_t buckets;
	struct entry *entries;
};

static struct entry held[HELD_BUCKETS * WAYS];
static struct entry retired[RETIRED_BUCKETS * WAYS];

struct notes hazptr_notes_held_ = { HELD_BUCKETS, held };
struct notes hazptr_notes_retired_ = { RETIRED_BUCKETS, retired };
uint32_t hazptr_notes_used_;

static struct entry *bucket_of(const struct notes *t, uintptr_t key)
{
	uint64_t hash = (uint64_t)key * 0x9E3779B97F4A7C15u;

	return &t->entries[(hash >> 40) % t->buckets * WAYS];
}

/* False: it is free, or somebody is at it. */
static bool copy(struct entry *e, struct note *out)
{
	struct note *n = &e->note;
	/* order DB1: a whole note, and what came before it; DB1 */
	uint32_t seq = hazptr_load_(&e->seq, acquire);

	/* order DB2: of one note, as seq then tells; pairs with DB2 */
	out->key = hazptr_load_(&n->key, relaxed);
	out->value = hazptr_load_(&n->value, relaxed);
	out->place = hazptr_load_(&n->place, relaxed);
	out->since = hazptr_load_(&n->since, relaxed);
	out->record = hazptr_load_(&n->record, relaxed);
	out->thread = hazptr_load_(&n->thread, relaxed);
	hazptr_fence_(acquire); /* order DB2: before seq again; DB2 */
	/* order DB2: after the fields; pairs with DB2 */
	return out->key && !(seq & 1) && hazptr_load_(&e->seq, relaxed) == seq;
}

/*
 * Write the note in place of the one with the key `old`; false: it is not
 * there. Whoever has another key in it finds it even, and is not disturbed.
 */
static bool replace(struct entry *e, uintptr_t old, const struct note *note)
{
	struct note *n = &e->note;
	/* order DB1: what the last writer left; pairs with DB1 */
	uint32_t seq = hazptr_load_(&e->seq, acquire);

	/* order DB2: of this seq, as the exchange tells; pairs with DB2 */
	if ((seq & 1) || hazptr_load_(&n->key, relaxed) != old)
		return false;
	/* order DB1: one writer at a time; pairs with DB1 */
	if (!hazptr_cas_(&e->seq, &seq, seq + 1, acquire, relaxed))
		return false;
	hazptr_fence_(release); /* order DB2: odd before the fields; DB2 */
	/* order DB2: between two changes of seq; pairs with DB2 */
	hazptr_store_(&n->key, note->key, relaxed);
	hazptr_store_(&n->value, note->value, relaxed);
	hazptr_store_(&n->place, note->place, relaxed);
	hazptr_store_(&n->since, note->since, relaxed);
	hazptr_store_(&n->record, note->record, relaxed);
	hazptr_store_(&n->thread, note->thread, relaxed);
	hazptr_store_(&e->told, 0, relaxed);
	/* order DB1: a whole note, and what came before it; DB1 */
	hazptr_store_(&e->seq, seq + 2, release);
	return true;
}

static struct entry *find(const struct notes *t, uintptr_t key,
			  struct note *note)
{
	struct entry *e = bucket_of(t, key);
	int i;

	for (i = 0; i < WAYS; i++, e++)
		if (copy(e, note) && note->key == key)
			return e;
	return NULL;
}

bool hazptr_note_get_(struct notes *t, uintptr_t key, struct note *note)
{
	return find(t, key, note) != NULL;
}

void hazptr_note_put_(struct notes *t, const struct note *note)
{
	struct note before;
	struct entry *e = find(t, note->key, &before);
	int i;

	/* order DB3: before what is noted goes to others; pairs with DB3 */
	if (!hazptr_load_(&hazptr_notes_used_, relaxed))
		hazptr_store_(&hazptr_notes_used_, 1, relaxed);
	if (e && replace(e, note->key, note))
		return;
	e = bucket_of(t, note->key);
	for (i = 0; i < WAYS; i++, e++)
		if (replace(e, 0, note))
			return;
}

void hazptr_note_drop_(struct notes *t, uintptr_t key)
{
	static const struct note none;
	struct note before;
	struct entry *e;

	while ((e = find(t, key, &before)))
		if (replace(e, key, &none))
			return;
}

bool hazptr_note_tell_(struct notes *t, uintptr_t key)
{
	struct note note;
	struct entry *e = find(t, key, &note);

	/* order ST1: one of several says it; pairs with ST1 */
	return e && !hazptr_exchange_(&e->told, 1, relaxed);
}

bool hazptr_note_next_(struct notes *t, size_t *i, struct note *note)
{
	while (*i < t->buckets * WAYS)
		if (copy(&t->entries[(*i)++], note))
			return true;
	return false;
}

static void tidy(const struct notes *t)
{
	struct entry *e;

	for (e = t->entries; e < t->entries + t->buckets * WAYS; e++) {
		if (!(e->seq & 1))
			continue;
		e->note.key = 0;
		e->seq++;
	}
}

/* In the child: what other threads were about to write, nobody will. */
void hazptr_notes_after_fork_(void)
{
	tidy(&hazptr_notes_held_);
	tidy(&hazptr_notes_retired_);
}
