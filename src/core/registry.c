/* SPDX-License-Identifier: MIT */
/*
 * core/registry.c - the records of all threads and contexts
 *
 * Records live in chunks that are never freed; the list of chunks and the
 * number of used records in each only grow. So a scan walks them without a
 * lock, and a thread that ends gives its record to the next one.
 *
 * A record is visible to scans before its first slot is written, and a scan
 * looks at the list after its heavy fence: looked at before, a thread that
 * registers, protects and validates in between would be missed.
 */
#include "slot.h"

struct chunk hazptr_chunks_;

/* The guards of threads that no memory could be found for. */
struct hazptr_record_ hazptr_shared_record_;

static struct {
	struct hazptr_lock lock;
	struct hazptr_record_ *idle;	/* ready for the next owner */
	struct hazptr_record_ *waiting; /* detached guards are left in them */
	struct chunk *last;		/* NULL: hazptr_chunks_ */
	size_t records;
	size_t leaving; /* whose threads' exit hooks have begun to run */
} registry;

static bool is_empty(const struct hazptr_record_ *r)
{
	int i;

	/* order OV5: the last guards' uses are done; pairs with OV2 */
	if (hazptr_load_(&r->overflow, acquire) ||
	    hazptr_load_(&r->overflow_detached, acquire))
		return false;
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		if (!slot_is_free(&r->slots[i]))
			return false;
	return true;
}

static struct hazptr_record_ *pop(struct hazptr_record_ **list)
{
	struct hazptr_record_ *r = *list;

	if (r)
		*list = r->next;
	return r;
}

static void give_back_locked(struct hazptr_record_ *r)
{
	struct hazptr_record_ **list;

	registry.leaving -= r->exit_rounds != 0;
	r->exit_rounds = 0;
	r->is_background = false;
	r->state = is_empty(r) ? RECORD_IDLE : RECORD_WAITING;
	list = r->state == RECORD_IDLE ? &registry.idle : &registry.waiting;
	r->next = *list;
	*list = r;
}

static struct hazptr_record_ *take_waiting(void)
{
	struct hazptr_record_ **link = &registry.waiting;

	while (*link) {
		if (is_empty(*link))
			return pop(link);
		link = &(*link)->next;
	}
	return NULL;
}

/*
 * A thread that first met us in its own destructors can be gone before its
 * exit hook had the last round. What it still held is dropped.
 */
static struct hazptr_record_ *take_dead(void)
{
	struct record_iterator it;
	struct hazptr_record_ *r;

	if (!registry.leaving)
		return NULL;
	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it)) {
		if (r->state != RECORD_THREAD || !r->exit_rounds ||
		    !hazptr_thread_is_gone_(r->thread))
			continue;
		hazptr_slots_drop_(r);
		hazptr_overflow_abandon_(r);
		give_back_locked(r);
	}
	return pop(&registry.idle);
}

static struct hazptr_record_ *take_new(void)
{
	struct chunk *chunk = registry.last ? registry.last : &hazptr_chunks_;
	uint32_t i = chunk->used;
	struct hazptr_record_ *r = &chunk->records[i];

	if (i == CHUNK_RECORDS)
		return NULL;
	r->slots = chunk->slots[i];
	/* order ST1: a figure; pairs with ST1 */
	hazptr_store_(&registry.records, registry.records + 1, relaxed);
	/* order RG1: the record is whole, and published before its first slot
	 * is; pairs with RG2 */
	hazptr_store_(&chunk->used, i + 1, release);
	return r;
}

/* Another thread may have added one meanwhile: then there are two. */
static bool add_chunk(void)
{
	struct chunk *chunk = hazptr_alloc_(sizeof(*chunk));
	struct chunk *last;

	if (!chunk)
		return false;
	hazptr_lock_(&registry.lock);
	last = registry.last ? registry.last : &hazptr_chunks_;
	if (last->used == CHUNK_RECORDS) {
		/* order RG3: an empty chunk, then the link; pairs with RG4 */
		hazptr_store_(&last->next, chunk, release);
		registry.last = chunk;
		chunk = NULL;
	}
	hazptr_unlock_(&registry.lock);
	hazptr_free_(chunk);
	return true;
}

/* NULL when there is no memory. */
struct hazptr_record_ *hazptr_record_take_(enum record_state state)
{
	struct hazptr_record_ *r;
	size_t records;

	do {
		hazptr_lock_(&registry.lock);
		r = pop(&registry.idle);
		if (!r)
			r = take_waiting();
		if (!r)
			r = take_dead();
		if (!r)
			r = take_new();
		if (r) {
			r->state = state;
			r->user = NULL;
		}
		records = registry.records;
		hazptr_unlock_(&registry.lock);
	} while (!r && add_chunk());
	if (r)
		hazptr_snapshot_reserve_(records * HAZPTR_CONTEXT_SLOTS);
	/* order RG5: RG1, then the first look at a source; pairs with HP7 */
	hazptr_fence_light();
	return r;
}

void hazptr_record_give_back_(struct hazptr_record_ *r)
{
	hazptr_lock_(&registry.lock);
	give_back_locked(r);
	hazptr_unlock_(&registry.lock);
}

/* The owner's exit hook runs; for the how many-th time? */
int hazptr_record_leaving_(struct hazptr_record_ *r)
{
	int rounds;

	hazptr_lock_(&registry.lock);
	registry.leaving += r->exit_rounds == 0;
	rounds = ++r->exit_rounds;
	hazptr_unlock_(&registry.lock);
	return rounds;
}

size_t hazptr_records_count_(void)
{
	/* order ST1: a figure; nothing hangs on it; pairs with ST1 */
	return hazptr_load_(&registry.records, relaxed);
}

static struct hazptr_record_ *current(struct record_iterator *it)
{
	while (it->i == it->used) {
		/* order RG4: the chunk as it was linked; pairs with RG3 */
		it->chunk = hazptr_load_(&it->chunk->next, acquire);
		if (!it->chunk)
			return NULL;
		it->i = 0;
		/* order RG2: whole records; pairs with RG1 */
		it->used = hazptr_load_(&it->chunk->used, acquire);
	}
	return &it->chunk->records[it->i];
}

struct hazptr_record_ *hazptr_record_first_(struct record_iterator *it)
{
	it->chunk = &hazptr_chunks_;
	it->i = 0;
	/* order RG2: whole records; pairs with RG1 */
	it->used = hazptr_load_(&it->chunk->used, acquire);
	return current(it);
}

struct hazptr_record_ *hazptr_record_next_(struct record_iterator *it)
{
	it->i++;
	return current(it);
}

void hazptr_registry_lock_(void)
{
	hazptr_lock_(&registry.lock);
}

void hazptr_registry_unlock_(void)
{
	hazptr_unlock_(&registry.lock);
}

/* In the child of a fork, which holds the lock: its thread is not here. */
void hazptr_registry_forget_(struct hazptr_record_ *r)
{
	give_back_locked(r);
}
