/* SPDX-License-Identifier: MIT */
/*
 * core/snapshot.c - what all guards hold, as a set
 *
 * Values are collected first. A few are compared one by one; more are hashed
 * into a table that fits them, so that the cost follows the slots in use. The
 * memory was reserved when contexts registered. Overflow guards are not counted
 * there: when the table is full, the objects found in it are marked and it is
 * filled anew. An object that is marked in any round is kept, so any size of
 * table is right.
 *
 * The order of the walk is part of the protocol: all slots, then all overflow
 * lists. A protection only ever moves in that direction.
 */
#include "slot.h"

#include <string.h>

#define STATIC_SLOTS (CHUNK_RECORDS * HAZPTR_CONTEXT_SLOTS)
#define FEW 4 /* values that are compared one by one instead of hashed */

static uintptr_t static_memory[3 * STATIC_SLOTS];

/* `values` has room for `size`, and `set`, behind it, for twice as many. */
static struct {
	struct hazptr_lock lock;
	size_t size;
	size_t n;
	size_t mask;
	uintptr_t *values;
	uintptr_t *set;
} snapshot = { { 0 }, STATIC_SLOTS,  0,
	       0,     static_memory, static_memory + STATIC_SLOTS };

static inline size_t hash(uintptr_t object)
{
	return (size_t)(((uint64_t)object * 0x9E3779B97F4A7C15u) >> 32);
}

static void hash_values(void)
{
	size_t size = 4, i, k;

	if (snapshot.n <= FEW)
		return;
	while (size < 2 * snapshot.n)
		size *= 2;
	snapshot.mask = size - 1;
	memset(snapshot.set, 0, size * sizeof(*snapshot.set));
	for (i = 0; i < snapshot.n; i++) {
		k = hash(snapshot.values[i]);
		while (snapshot.set[k & snapshot.mask])
			k++;
		snapshot.set[k & snapshot.mask] = snapshot.values[i];
	}
}

static bool is_one_of_few(uintptr_t object)
{
	size_t i;

	for (i = 0; i < snapshot.n; i++)
		if (snapshot.values[i] == object)
			return true;
	return false;
}

static bool is_hashed(uintptr_t object)
{
	size_t k = hash(object);
	uintptr_t seen;

	for (;; k++) {
		seen = snapshot.set[k & snapshot.mask];
		if (!seen)
			return false;
		if (seen == object)
			return true;
	}
}

bool hazptr_snapshot_has_(uintptr_t object)
{
	return snapshot.n <= FEW ? is_one_of_few(object) : is_hashed(object);
}

static void add(uintptr_t value, const struct snapshot_user *user)
{
	if (!value)
		return;
	if (snapshot.n == snapshot.size) {
		hash_values();
		user->mark(user->lists);
		snapshot.n = 0;
	}
	snapshot.values[snapshot.n++] = value;
}

static void add_overflow(struct hazptr_guard *g, void *user)
{
	/* order HP8: uses of what stood there are done; HP6, HP2 */
	add(hazptr_load_(&g->own.value, acquire), user);
}

static void add_overflows(struct snapshot_user *user)
{
	struct record_iterator it;
	struct hazptr_record_ *r;

	/* order OV4: after the slots, after HP7; pairs with OV1, OV6 */
	if (!hazptr_load_(&hazptr_overflows_, acquire))
		return;
	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it))
		hazptr_overflow_visit_(r, add_overflow, user);
	hazptr_overflow_visit_(&hazptr_shared_record_, add_overflow, user);
}

/*
 * The slots alone, which stand side by side: records are large. Most contexts
 * protect nothing, which is found out before anything is added.
 */
static void add_chunk(struct chunk *chunk, bool marker,
		      struct snapshot_user *user)
{
	/* order RG2: whole records; pairs with RG1 */
	uint32_t r, used = hazptr_load_(&chunk->used, acquire);
	int i;

	for (r = 0; r < used; r++) {
		uintptr_t value[HAZPTR_CONTEXT_SLOTS], any = 0;

		for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
			any |= value[i] =
				slot_read(&chunk->slots[r][i], marker);
		if (!any)
			continue;
		for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
			add(value[i], user);
	}
}

/* With the lock held, after the heavy fence. */
void hazptr_snapshot_take_(struct snapshot_user *user)
{
	bool marker = hazptr_fence_mode() == HAZPTR_FENCE_MARKER;
	struct chunk *chunk;

	snapshot.n = 0;
	/* order RG4: the chunk as it was linked; pairs with RG3 */
	for (chunk = &hazptr_chunks_; chunk;
	     chunk = hazptr_load_(&chunk->next, acquire)) /* RG4 */
		add_chunk(chunk, marker, user);
	HAZPTR_TEST_POINT("scan:slots");
	add_overflows(user);
	hash_values();
}

/* Without memory the old table serves, in more rounds. */
void hazptr_snapshot_reserve_(size_t slots)
{
	uintptr_t *memory, *old = NULL;
	size_t size = STATIC_SLOTS;

	/* order ST1: a guess, looked at again under the lock; ST1 */
	if (slots <= hazptr_load_(&snapshot.size, relaxed))
		return;
	while (size < slots)
		size *= 2;
	memory = hazptr_alloc_(3 * size * sizeof(*memory));
	if (!memory)
		return;
	hazptr_lock_(&snapshot.lock);
	if (size > snapshot.size) {
		old = snapshot.values;
		snapshot.values = memory;
		snapshot.set = memory + size;
		/* order ST1: a figure for the guess above; pairs with ST1 */
		hazptr_store_(&snapshot.size, size, relaxed);
		memory = NULL;
	}
	hazptr_unlock_(&snapshot.lock);
	hazptr_free_(memory);
	if (old != static_memory)
		hazptr_free_(old);
}

void hazptr_snapshot_lock_(void)
{
	hazptr_lock_(&snapshot.lock);
}

void hazptr_snapshot_unlock_(void)
{
	hazptr_unlock_(&snapshot.lock);
}
