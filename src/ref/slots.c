/* SPDX-License-Identifier: MIT */
/*
 * ref/slots.c - where thread-shared pointers stand
 *
 * Each processor has HAZPTR_CPU_SLOTS_ places, each of which leads to a slot.
 * A thread takes a slot by a restartable sequence on its processor, and gives
 * it back from wherever it is by a store. Slots are small and never freed to
 * the system; a promoter gives a place a fresh one, and the old one comes back
 * when its holder has looked at it.
 *
 * A slot that comes back may be used again only after a fence that aborts all
 * sequences: one of them may have read the place before, and would take the
 * slot for its own processor (TS12).
 *
 * Threads without restartable sequences have slots in their records.
 */
#include "refs.h"

#define CHUNK 128
#define ENOUGH 32
#define PER_LINE (HAZPTR_CACHE_LINE / (int)sizeof(struct hazptr_ref_slot_))

/* The promoters' lock is the default domain's scan lock. */
static struct {
	struct hazptr_lock starting;
	struct hazptr_cpu_slots_ *cpus; /* NULL: no restartable sequences */
	size_t n_cpus;
	struct hazptr_ref_slot_ *spares; /* linked by `unused`; promoters' */
	size_t n_spares;
	struct hazptr_ref_slot_ *returned; /* by holders */
	uint32_t by_thread; /* some thread has used slots of its record */
	bool counts_all;    /* none is taken inline */
} slots;

__thread struct hazptr_ref_self_ hazptr_ref_self_
	__attribute__((__tls_model__("initial-exec")));

static struct hazptr_cpu_slots_ *table(void)
{
	/* order TS13: a whole table, and its size; pairs with TS13 */
	return hazptr_load_(&slots.cpus, acquire);
}

static struct hazptr_ref_slot_ *linked(uintptr_t word)
{
	return (struct hazptr_ref_slot_ *)word;
}

void hazptr_ref_slot_keep_(struct hazptr_ref_slot_ *slot)
{
	slot->unused = (uintptr_t)slots.spares;
	slots.spares = slot;
	slots.n_spares++;
}

struct hazptr_ref_slot_ *hazptr_ref_slot_spare_(void)
{
	struct hazptr_ref_slot_ *slot = slots.spares;

	if (slot) {
		slots.spares = linked(slot->unused);
		slots.n_spares--;
	}
	return slot;
}

/* The holder has looked: the slot is nobody's. */
void hazptr_ref_slot_give_back_(struct hazptr_ref_slot_ *slot)
{
	struct hazptr_ref_slot_ *first;

	/* order TS11: a guess that the exchange checks; pairs with TS11 */
	first = hazptr_load_(&slots.returned, relaxed);
	do
		slot->unused = (uintptr_t)first;
	/* order TS11: its holder is done with it; pairs with TS11 */
	while (!hazptr_cas_(&slots.returned, &first, slot, release, relaxed));
}

/* Before the fence that makes them usable again. */
struct hazptr_ref_slot_ *hazptr_ref_slots_collect_(void)
{
	/* order TS11: their holders are done with them; pairs with TS11 */
	return hazptr_exchange_(&slots.returned, NULL, acquire);
}

/* After it. */
void hazptr_ref_slots_reuse_(struct hazptr_ref_slot_ *list)
{
	struct hazptr_ref_slot_ *slot;

	while ((slot = list)) {
		list = linked(slot->unused);
		/* order TS12: after the abort of all sequences; TS1 */
		hazptr_store_(&slot->request, 0, relaxed);
		hazptr_ref_slot_keep_(slot);
	}
}

/* More spares, without a lock while there is none. The ager's. */
void hazptr_ref_slots_refill_(void)
{
	struct hazptr_lock *lock = &hazptr_default_domain_.scan_lock;
	struct hazptr_ref_slot_ *chunk;
	int i;

	hazptr_lock_(lock);
	i = !table() || slots.n_spares >= ENOUGH;
	hazptr_unlock_(lock);
	if (i)
		return;
	chunk = hazptr_alloc_(CHUNK * sizeof(*chunk));
	hazptr_lock_(lock);
	/* Neighbours can come to two processors: each has a line. */
	for (i = 0; chunk && i < CHUNK; i += PER_LINE) {
		/* order TS5: whole, before the slot is seen free; TS1, TS7 */
		hazptr_store_(&chunk[i].node, 0, release);
		hazptr_ref_slot_keep_(&chunk[i]);
	}
	hazptr_unlock_(lock);
}

static void fill_places(struct hazptr_cpu_slots_ *cpus, size_t n,
			struct hazptr_ref_slot_ *chunk)
{
	size_t cpu;
	int i;

	for (cpu = 0; cpu < n; cpu++)
		for (i = 0; i < HAZPTR_CPU_SLOTS_; i++)
			/* private: the table is not published yet */
			hazptr_store_(&cpus[cpu].slots[i], chunk++, relaxed);
}

static bool publish(struct hazptr_cpu_slots_ *cpus, size_t n)
{
	bool first;

	hazptr_lock_(&slots.starting);
	first = !table() && hazptr_fence_rseq_register_();
	if (first) {
		slots.n_cpus = n;
		slots.counts_all = hazptr_stats_wanted_();
		/* order TS13: a whole table, and its size; pairs with TS13 */
		hazptr_store_(&slots.cpus, cpus, release);
	}
	hazptr_unlock_(&slots.starting);
	return first;
}

/* Without memory, or sequences, or the fence: slots of the threads' own. */
void hazptr_ref_slots_start_(void)
{
	struct hazptr_ref_slot_ *chunk = NULL;
	struct hazptr_cpu_slots_ *cpus = NULL;
	size_t n;

	if (hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER ||
	    !hazptr_rseq_area_())
		return;
	n = hazptr_cpus_possible_();
	if (n) {
		cpus = hazptr_alloc_(n * sizeof(*cpus));
		chunk = hazptr_alloc_(n * HAZPTR_CPU_SLOTS_ * sizeof(*chunk));
	}
	if (cpus && chunk) {
		fill_places(cpus, n, chunk);
		if (publish(cpus, n)) {
			hazptr_ref_slots_refill_();
			return;
		}
	}
	hazptr_free_(cpus);
	hazptr_free_(chunk);
}

/*
 * Signal-safe on a registered thread: what the inline paths look at first is
 * set last. False: the thread has no record.
 */
static bool set_up(struct hazptr_ref_self_ *self)
{
	struct hazptr_record_ *r = hazptr_own_record_();
	struct hazptr_cpu_slots_ *cpus = table();
	void *area = hazptr_rseq_area_();

	if (!r)
		return false;
	if (cpus && area) {
		self->cpus = cpus;
		self->rseq = area;
	}
	self->next = 1;
	self->record = (uintptr_t)r;
	self->counters = &r->references;
	hazptr_compiler_fence_(); /* private: for a handler of this thread */
	if (self->rseq && !slots.counts_all)
		self->holder = (uintptr_t)r;
	return true;
}

/* The thread ends, and uses the library no more, or without a record. */
void hazptr_ref_self_end_(void)
{
	hazptr_ref_self_ = (struct hazptr_ref_self_){ .holder = 0 };
}

static inline struct hazptr_ref_slot_ *claim(struct hazptr_ref_self_ *self,
					     uint32_t i, uintptr_t node)
{
	struct hazptr_ref_slot_ *slot = hazptr_rseq_claim_(
		self->rseq, self->cpus, (int)i, node, self->record);

	if (slot)
		self->next = (i + 1) % HAZPTR_CPU_SLOTS_;
	return slot;
}

/* At a glance. A mark of the ager's goes: whoever takes the slot comes by. */
static bool is_free(struct hazptr_ref_slot_ *slot)
{
	uintptr_t request;

	/* order TS1: the last holder's uses; pairs with TS5 */
	if (hazptr_load_(&slot->node, acquire))
		return false;
	/* order TS1: the last holder is done; pairs with TS9 */
	request = hazptr_load_(&slot->request, acquire);
	/* order TS15: as if it were not marked; pairs with TS15 */
	return !request ||
	       (request == DORMANT &&
		hazptr_cas_(&slot->request, &request, 0, acquire, relaxed));
}

/* The first place of this processor's whose slot is free, at a glance. */
static uint32_t find_place(const struct hazptr_ref_self_ *self)
{
	/* private: the kernel's word; a guess that the sequence checks */
	uint32_t cpu = hazptr_load_((uint32_t *)self->rseq + 1, relaxed), i;

	for (i = 0; i < HAZPTR_CPU_SLOTS_; i++)
		/* order TS12: any slot will do, the sequence looks; TS12 */
		if (is_free(hazptr_load_(&self->cpus[cpu].slots[i], acquire)))
			break;
	return i;
}

static __attribute__((__noinline__)) struct hazptr_ref_slot_ *
search(struct hazptr_ref_self_ *self, uintptr_t node)
{
	struct hazptr_ref_slot_ *slot = NULL;
	uint32_t i;
	int turn;

	for (turn = 0; !slot && turn < 4; turn++) {
		i = find_place(self);
		if (i == HAZPTR_CPU_SLOTS_)
			return NULL;
		slot = claim(self, i, node);
	}
	return slot;
}

static struct hazptr_ref_slot_ *take_of_thread(struct hazptr_ref_self_ *self,
					       uintptr_t node)
{
	struct hazptr_record_ *r = (struct hazptr_record_ *)self->record;
	struct hazptr_ref_slot_ *slot;
	int i;

	/* order TS14: before the slot; pairs with HP7 */
	if (!hazptr_load_(&slots.by_thread, relaxed))
		hazptr_store_(&slots.by_thread, 1, seq_cst);
	for (i = 0; i < REF_SLOTS; i++) {
		slot = &r->ref_slots[i];
		if (!is_free(slot))
			continue;
		/* order TS1: before the node; pairs with TS7 */
		hazptr_store_(&slot->holder, self->record, relaxed);
		/* order TS1: uses of what stood there; pairs with TS7 */
		hazptr_store_(&slot->node, node, release);
		return slot;
	}
	return NULL;
}

static uintptr_t take(struct hazptr_ref_self_ *self, uintptr_t node)
{
	struct hazptr_ref_slot_ *slot;

	if (self->rseq)
		return (uintptr_t)search(self, node);
	slot = take_of_thread(self, node);
	return slot ? (uintptr_t)slot | HAZPTR_SLOW_ : 0;
}

static __attribute__((__noinline__)) uintptr_t
take_slow(struct hazptr_ref_self_ *self, uintptr_t node)
{
	uintptr_t place;

	if (!self->counters && !set_up(self))
		return 0;
	place = take(self, node);
	hazptr_fence_light(); /* order TS15: the slot, then dormant; TS15 */
	hazptr_ager_wake_();
	return place;
}

/* Most are given back in the order of taking: then `next` is free. */
uintptr_t hazptr_ref_slot_take_(uintptr_t node)
{
	struct hazptr_ref_self_ *self = &hazptr_ref_self_;
	struct hazptr_ref_slot_ *slot = NULL;

	if (hazptr_likely_(self->rseq != NULL))
		slot = claim(self, self->next, node);
	return hazptr_likely_(slot != NULL) ? (uintptr_t)slot
					    : take_slow(self, node);
}

static struct hazptr_ref_slot_ *on_cpu(struct slot_iterator *it)
{
	it->place = &it->cpus[it->cpu].slots[it->i];
	/* order TS12: as the last promoter left it, under its lock; TS12 */
	return hazptr_load_(it->place, relaxed);
}

static struct hazptr_ref_slot_ *of_thread(struct slot_iterator *it)
{
	it->place = NULL;
	return it->record ? &it->record->ref_slots[it->i] : NULL;
}

static struct hazptr_ref_slot_ *first_of_threads(struct slot_iterator *it)
{
	it->i = 0;
	it->record = NULL;
	/* order TS14: after the heavy fence; pairs with TS14 */
	if (hazptr_load_(&slots.by_thread, acquire))
		it->record = hazptr_record_first_(&it->records);
	return of_thread(it);
}

/* All slots that may hold something; with the promoters' lock. */
struct hazptr_ref_slot_ *hazptr_ref_slot_first_(struct slot_iterator *it)
{
	it->cpu = 0;
	it->i = 0;
	it->cpus = table();
	return it->cpus ? on_cpu(it) : first_of_threads(it);
}

struct hazptr_ref_slot_ *hazptr_ref_slot_next_(struct slot_iterator *it)
{
	if (it->place) {
		if (++it->i == HAZPTR_CPU_SLOTS_) {
			it->i = 0;
			if (++it->cpu == slots.n_cpus)
				return first_of_threads(it);
		}
		return on_cpu(it);
	}
	if (++it->i == REF_SLOTS) {
		it->i = 0;
		it->record = hazptr_record_next_(&it->records);
	}
	return of_thread(it);
}

/* Nobody is inside a sequence that began before. */
void hazptr_ref_slots_abort_takers_(void)
{
	if (table())
		hazptr_fence_rseq_();
}

/* Another thread may have been at it. */
void hazptr_ref_slots_after_fork_(void)
{
	hazptr_lock_reset_(&slots.starting);
}
