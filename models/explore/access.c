/* SPDX-License-Identifier: MIT */
/*
 * explore/access.c - the calls of backend.h and of the port, step by step
 *
 * Before each step other threads may make theirs (step); then the race is
 * looked for, the memory model asked, and the place noted for the report.
 */
#include "engine.h"
#include "port.h"

#include <string.h>

/* Nobody else can see it, or it cannot change. */
static bool is_direct(const void *p)
{
	return ex.phase == STOPPED || ex.self < 0 || is_thread_local(p) ||
	       p == ex.constant;
}

static void event(void)
{
	SELF->now.hb[ex.self] = SELF->now.co[ex.self] = SELF->clock;
}

static struct op op_of(struct ex_site *s, const void *p)
{
	return (struct op){ .kind = s->kind,
			    .site = s,
			    .addr = p,
			    .is_sc = s->order == EX_seq_cst && !s->is_weak };
}

/* Returns the location; the step may be made now. */
static struct location *begin(struct ex_site *s, const void *p, unsigned size)
{
	struct op op = op_of(s, p);
	struct location *loc;

	ex.accesses++;
	if (!s->is_figure)
		step(&op);
	else if (ex.phase == TOGETHER)
		trace_add(&op, s, ex.self);
	heap_check(p, size, "an atomic access");
	loc = location_of(p, size);
	if (!s->is_figure)
		race_access(&op, loc);
	label_done(ex.self, s);
	event();
	return loc;
}

static void end(bool writes)
{
	SELF->clock++;
	if (writes)
		lock_changing();
}

uint64_t ex_load(struct ex_site *s, const void *p, unsigned size)
{
	struct location *loc;
	uint64_t value;

	if (is_direct(p))
		return raw_read(p, size);
	loc = begin(s, p, size);
	plain_atomic(loc, false);
	value = memory_load(s, loc);
	end(false);
	return value;
}

void ex_store(struct ex_site *s, void *p, unsigned size, uint64_t value)
{
	struct location *loc;

	if (is_direct(p)) {
		raw_write(p, size, value);
		return;
	}
	loc = begin(s, p, size);
	plain_atomic(loc, true);
	memory_store(s, loc, value);
	end(true);
}

static uint64_t cut(uint64_t value, unsigned size)
{
	return size == 8 ? value : value & (((uint64_t)1 << 8 * size) - 1);
}

static uint64_t combine(const struct ex_site *s, uint64_t a, uint64_t b)
{
	switch (s->kind) {
	case EX_ADD:
		return a + b;
	case EX_SUB:
		return a - b;
	case EX_OR:
		return a | b;
	case EX_AND:
		return a & b;
	case EX_XOR:
		return a ^ b;
	default:
		return b;
	}
}

uint64_t ex_rmw(struct ex_site *s, void *p, unsigned size, uint64_t value)
{
	struct location *loc;
	struct store *from;
	uint64_t before;

	if (is_direct(p)) {
		before = raw_read(p, size);
		raw_write(p, size, cut(combine(s, before, value), size));
		return before;
	}
	loc = begin(s, p, size);
	plain_atomic(loc, true);
	from = memory_rmw_source(s, loc, NULL);
	before = from->value;
	memory_rmw(s, loc, from, cut(combine(s, before, value), size));
	end(true);
	return before;
}

bool ex_cas(struct ex_site *s, void *p, unsigned size, void *expected,
	    uint64_t desired)
{
	uint64_t wanted = raw_read(expected, size), seen;
	struct location *loc = NULL;
	struct store *from = NULL;

	if (is_direct(p)) {
		seen = raw_read(p, size);
	} else {
		loc = begin(s, p, size);
		from = memory_rmw_source(s, loc, &wanted);
		seen = from->value;
		plain_atomic(loc, seen == wanted);
	}
	if (seen != wanted)
		raw_write(expected, size, seen);
	else if (from)
		memory_rmw(s, loc, from, cut(desired, size));
	else
		raw_write(p, size, desired);
	if (from && seen != wanted)
		ex.performed.kind = EX_LOAD;
	if (from)
		end(seen == wanted);
	return seen == wanted;
}

static void fence_sc(struct ex_site *s)
{
	struct op op = { .kind = s->kind, .site = s, .is_sc = true };

	ex.accesses++;
	step(&op);
	race_fence(true);
	event();
	memory_fence(ex.self, EX_seq_cst);
	SELF->clock++;
}

void ex_fence(struct ex_site *s)
{
	bool is_weak = s->is_weak;

	if (ex.phase == STOPPED || ex.self < 0)
		return;
	is_weak |= SELF->light && SELF->light->is_weak;
	label_done(ex.self, s);
	if (s->order == EX_compiler) {
		if (is_weak)
			memory_window();
	} else if (is_weak) {
		return;
	} else if (s->order == EX_seq_cst) {
		fence_sc(s);
	} else {
		event();
		memory_fence(ex.self, s->order);
		SELF->clock++;
	}
}

void ex_light_begin(struct ex_site *s)
{
	if (ex.phase == STOPPED || ex.self < 0)
		return;
	label_done(ex.self, s);
	SELF->light = s;
}

void ex_light_end(void)
{
	if (ex.phase != STOPPED && ex.self >= 0)
		SELF->light = NULL;
}

static void inject(struct ex_site *s, int target)
{
	struct op op = {
		.kind = EX_INJECT, .site = s, .is_sc = true, .target = target
	};

	step(&op);
	trace_value((uint64_t)target, 0);
	race_inject(target);
	memory_inject(target);
}

/* A fence here, in each other thread at some point of it, and here. */
void ex_heavy(struct ex_site *s)
{
	int i;

	if (ex.phase == STOPPED || ex.self < 0)
		return;
	label_done(ex.self, s);
	if (s->is_weak)
		return;
	fence_sc(s);
	if (ex.fence_mode != 0)
		return;
	for (i = 1; i < EX_MAX && ex.phase == TOGETHER; i++)
		if (i != ex.self && ex.threads[i].state != ABSENT)
			inject(s, i);
	label_heavy(s);
	fence_sc(s);
}

void ex_lock(const void *word)
{
	struct op op = { .kind = EX_LOCK, .addr = word };
	struct lock *l;

	if (ex.phase == STOPPED)
		return;
	if (lock_of(word)->owner == ex.self)
		fail("the thread waits for a lock that it holds");
	step(&op);
	heap_check(word, 4, "taking a lock");
	l = lock_of(word);
	race_lock(l);
	l->owner = ex.self;
	l->next_held = SELF->held;
	SELF->held = l;
	event();
	memory_locked(l, label_is_weak("LK1"));
	SELF->clock++;
}

void ex_unlock(const void *word)
{
	struct op op = { .kind = EX_UNLOCK, .addr = word };
	struct lock *l, **link;

	if (ex.phase == STOPPED)
		return;
	step(&op);
	heap_check(word, 4, "giving back a lock");
	l = lock_of(word);
	if (l->owner != ex.self)
		fail("a lock is given back by a thread that does not hold it");
	for (link = &SELF->held; *link != l; link = &(*link)->next_held)
		;
	*link = l->next_held;
	l->owner = -1;
	l->version += l->is_changing;
	l->is_changing = false;
	spin_note_lock(l);
	event();
	memory_unlocked(l, label_is_weak("LK2"));
	l->dep = SELF->dep;
	SELF->clock++;
}

/* The kernel's look at the word and the sleep are one. */
bool ex_wait(const void *word, uint32_t value, uint64_t deadline)
{
	struct op op = { .kind = EX_WAIT, .addr = word };
	struct location *loc;

	if (ex.phase == STOPPED)
		return true;
	step(&op);
	heap_check(word, 4, "a futex wait");
	loc = location_of(word, 4);
	race_access(&op, loc);
	plain_atomic(loc, false);
	event();
	SELF->clock++;
	if (memory_peek(loc) != value)
		return true;
	return !thread_sleep(word, deadline);
}

/* Also of a word that is gone. */
void ex_wake(const void *word)
{
	struct op op = { .kind = EX_WAKE, .addr = word };
	struct location *loc;

	if (ex.phase == STOPPED)
		return;
	step(&op);
	loc = location_at(word);
	if (!loc)
		return;
	race_access(&op, loc);
	threads_wake(word);
}

void ex_backoff(uint64_t deadline)
{
	if (ex.phase != STOPPED)
		thread_spin(deadline);
}

uint64_t ex_now(void)
{
	return ex.time;
}
