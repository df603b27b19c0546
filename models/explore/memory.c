/* SPDX-License-Identifier: MIT */
/*
 * explore/memory.c - which stores may a load read
 *
 * RC11 without load buffering, as a machine. Each location keeps its stores in
 * modification order. A thread has vector clocks of what it knows; a store
 * that releases hands them on, a load that acquires takes them. A load may
 * read any store but those that are older than one which the thread knows of.
 * A store may go anywhere behind what the thread knows of, a read-modify-write
 * directly behind what it reads.
 *
 * Fences that are sequentially consistent have one order, that of execution,
 * and hand on what is known (`co`), but do not make accesses happen before
 * each other (`hb`): races are judged by the latter alone.
 *
 * Sources: Lahav et al., "Repairing Sequential Consistency in C/C++11", 2017;
 * Kang et al., "A Promising Semantics for Relaxed-Memory Concurrency", 2017,
 * without promises; Norris, Demsky, "CDSChecker", 2013.
 */
#include "engine.h"

#include <string.h>

#define TABLE 8192

struct slot_of {
	uint64_t run;
	struct location *loc;
};

static struct slot_of table[TABLE];
static struct lock *locks;
static uint64_t run = 1;

static struct {
	struct clocks view; /* `co`: what the fences so far knew */
	uint32_t n;
} sc;

void memory_reset(void)
{
	run++;
	locks = NULL;
	memset(&sc, 0, sizeof(sc));
	pool_reset();
}

static void max_into(uint32_t *a, const uint32_t *b)
{
	int i;

	for (i = 0; i < EX_MAX; i++)
		if (b[i] > a[i])
			a[i] = b[i];
}

void clocks_join(struct clocks *a, const struct clocks *b)
{
	max_into(a->hb, b->hb);
	max_into(a->co, b->co);
	if (b->sc > a->sc)
		a->sc = b->sc;
}

uint64_t raw_read(const void *p, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, p, size);
	return value;
}

void raw_write(void *p, unsigned size, uint64_t value)
{
	memcpy(p, &value, size);
}

static void see(struct location *loc, int tid, uint32_t clock, struct store *s)
{
	struct seen *e = loc->seen[tid];

	if (e && e->store->pos >= s->pos)
		return;
	e = pool_take(sizeof(*e));
	e->store = s;
	e->clock = clock;
	e->older = loc->seen[tid];
	loc->seen[tid] = e;
}

/* Behind `before`; NULL: the first. */
static struct store *insert(struct location *loc, struct store *before,
			    uint64_t value, uint8_t tid, uint32_t clock)
{
	struct store *s = pool_take(sizeof(*s)), *p;

	s->value = value;
	s->tid = tid;
	s->clock = clock;
	s->before = before;
	s->after = before ? before->after : NULL;
	s->pos = before ? before->pos + 1 : 0;
	if (before)
		before->after = s;
	else
		loc->first = s;
	if (s->after)
		s->after->before = s;
	else
		loc->latest = s;
	for (p = s->after; p; p = p->after)
		p->pos++;
	return s;
}

static struct location *new_location(const void *p, unsigned size)
{
	struct location *loc = pool_take(sizeof(*loc));
	int i;

	loc->addr = (char *)(uintptr_t)p;
	loc->size = size;
	for (i = 0; i < EX_MAX; i++) {
		loc->read[i].node = loc->write[i].node = -1;
		loc->sc[i].node = loc->wait[i].node = -1;
		loc->wake[i].node = -1;
	}
	insert(loc, NULL, raw_read(p, size), EX_MAX, 0);
	plain_bind(loc);
	return loc;
}

/* What was written plainly is a store as well. */
static void take_plain(struct location *loc)
{
	struct store *s;

	loc->is_dirty = false;
	s = insert(loc, loc->latest, raw_read(loc->addr, loc->size),
		   loc->dirty_tid, loc->dirty_clock);
	see(loc, loc->dirty_tid, loc->dirty_clock, s);
	loc->sc_floor = s;
}

static struct slot_of *slot_of(const void *p)
{
	size_t k = ((uintptr_t)p * 0x9E3779B97F4A7C15u) >> 40;

	for (;; k++) {
		struct slot_of *e = &table[k % TABLE];

		if (e->run != run || e->loc->addr == p)
			return e;
	}
}

struct location *location_at(const void *p)
{
	struct slot_of *e = slot_of(p);

	return e->run == run ? e->loc : NULL;
}

struct location *location_of(const void *p, unsigned size)
{
	struct slot_of *e = slot_of(p);

	if (e->run != run) {
		e->loc = new_location(p, size);
		e->run = run;
	} else if (e->loc->size != size) {
		fail("accesses of two sizes at one place, %u and %u",
		     e->loc->size, size);
	}
	if (e->loc->is_dirty)
		take_plain(e->loc);
	return e->loc;
}

static struct store *later(struct store *a, struct store *b)
{
	return !a || (b && b->pos > a->pos) ? b : a;
}

/* The oldest store that the thread may still read. */
static struct store *floor_of(struct location *loc, const struct thread *t,
			      int tid, bool is_sc)
{
	struct store *s = loc->first, *last;
	struct seen *e;
	int u;

	for (u = 0; u < EX_MAX; u++) {
		uint32_t upto = t->now.co[u];

		if (is_sc && sc.view.co[u] > upto)
			upto = sc.view.co[u];
		for (e = loc->seen[u]; e; e = e->older)
			if (u == tid || e->clock <= upto) {
				s = later(s, e->store);
				break;
			}
	}
	if (is_sc)
		return later(s, loc->sc_floor);
	for (last = loc->sc_last; last; last = last->sc_before)
		if (last->sc <= t->now.sc)
			return later(s, last);
	return s;
}

static unsigned newer_than(const struct store *s)
{
	unsigned n = 0;

	while ((s = s->after))
		n++;
	return n;
}

/* What a load by this order takes from what it reads. */
static void take_message(const struct store *s, enum ex_order order)
{
	struct thread *t = SELF;

	race_read_from(s);
	if (!s->has_msg)
		return;
	clocks_join(&t->acquired, &s->msg);
	if (order == EX_acquire || order == EX_acq_rel || order == EX_seq_cst)
		clocks_join(&t->now, &s->msg);
}

/* What a store by this order hands on. */
static void set_message(struct store *s, enum ex_order order)
{
	struct thread *t = SELF;

	if (order == EX_release || order == EX_acq_rel || order == EX_seq_cst) {
		clocks_join(&s->msg, &t->now);
		s->has_msg = true;
	} else if (t->has_released) {
		clocks_join(&s->msg, &t->released);
		s->has_msg = true;
	}
	s->dep = t->dep;
}

static enum ex_order order_of(const struct ex_site *s, bool failed)
{
	if (s->is_weak)
		return EX_relaxed;
	return failed ? s->failure : s->order;
}

static void read_done(struct ex_site *site, struct location *loc,
		      struct store *s, enum ex_order order)
{
	struct thread *t = SELF;

	take_message(s, order);
	see(loc, ex.self, t->clock, s);
	if (order == EX_seq_cst) {
		race_sc(loc);
		loc->sc_floor = later(loc->sc_floor, s);
	}
	label_read(site, s);
	trace_value(s->value, newer_than(s));
	spin_note(loc, s);
	if (t->window) {
		t->window = false;
		if (t->window_hit)
			clocks_join(&t->now, &t->window_clocks);
	}
}

uint64_t memory_load(struct ex_site *site, struct location *loc)
{
	enum ex_order order = order_of(site, false);
	struct store *s = loc->latest, *floor;
	unsigned n = 1;

	floor = floor_of(loc, SELF, ex.self, order == EX_seq_cst);
	if (site->is_figure)
		floor = s;
	while (s != floor) {
		s = s->before;
		n++;
	}
	n = search_choose(n);
	for (s = loc->latest; n; n--)
		s = s->before;
	read_done(site, loc, s, order);
	return s->value;
}

/* For a store by itself: behind any of them, but no read-modify-write's. */
static struct store *place_of(struct location *loc, struct store *floor)
{
	struct store *s;
	unsigned n = 0;

	for (s = loc->latest;; s = s->before) {
		n += !s->after || !s->after->is_rmw;
		if (s == floor)
			break;
	}
	n = search_choose(n);
	for (s = loc->latest;; s = s->before) {
		if (s->after && s->after->is_rmw)
			continue;
		if (!n--)
			return s;
	}
}

static void stored(struct ex_site *site, struct location *loc, struct store *s,
		   enum ex_order order)
{
	struct thread *t = SELF;

	s->site = site;
	set_message(s, order);
	see(loc, ex.self, t->clock, s);
	if (order == EX_seq_cst) {
		race_sc(loc);
		s->sc = ++sc.n;
		s->sc_before = loc->sc_last;
		loc->sc_last = s;
		loc->sc_floor = later(loc->sc_floor, s);
	}
	if (s == loc->latest)
		raw_write(loc->addr, loc->size, s->value);
}

/* What the thread knew before this store: see memory_window. */
static void note_window(struct location *loc)
{
	struct thread *t = SELF;

	t->window_loc = loc;
	t->window_before = t->now;
	t->window_before.hb[ex.self] = t->clock - 1;
	t->window_before.co[ex.self] = t->clock - 1;
}

void memory_store(struct ex_site *site, struct location *loc, uint64_t value)
{
	enum ex_order order = order_of(site, false);
	struct thread *t = SELF;
	struct store *s;

	s = floor_of(loc, t, ex.self, order == EX_seq_cst);
	if (site->is_figure)
		s = loc->latest;
	note_window(loc);
	s = insert(loc, place_of(loc, s), value, ex.self, t->clock);
	stored(site, loc, s, order);
	trace_value(value, newer_than(s));
}

static bool may_read(const struct store *s, const uint64_t *expected)
{
	if (expected && s->value != *expected)
		return true; /* it fails, as a load does */
	return !s->after || !s->after->is_rmw;
}

/* The store that it reads. `expected`: of a compare-and-exchange. */
struct store *memory_rmw_source(struct ex_site *site, struct location *loc,
				const uint64_t *expected)
{
	enum ex_order order = order_of(site, false);
	struct store *s, *floor;
	unsigned n = 0;

	floor = floor_of(loc, SELF, ex.self, order == EX_seq_cst);
	if (site->is_figure)
		floor = loc->latest;
	for (s = loc->latest;; s = s->before) {
		n += may_read(s, expected);
		if (s == floor)
			break;
	}
	n = search_choose(n);
	for (s = loc->latest;; s = s->before)
		if (may_read(s, expected) && !n--)
			break;
	if (expected && s->value != *expected)
		read_done(site, loc, s, order_of(site, true));
	return s;
}

/* Reads `from`, and writes directly behind it. */
void memory_rmw(struct ex_site *site, struct location *loc, struct store *from,
		uint64_t value)
{
	enum ex_order order = order_of(site, false);
	struct thread *t = SELF;
	struct store *s;

	note_window(loc);
	read_done(site, loc, from, order);
	s = insert(loc, from, value, ex.self, t->clock);
	s->is_rmw = true;
	if (from->has_msg) { /* a release sequence goes on */
		s->msg = from->msg;
		s->has_msg = true;
	}
	stored(site, loc, s, order);
}

/* What the kernel finds: the latest. */
uint64_t memory_peek(struct location *loc)
{
	spin_note(loc, loc->latest);
	trace_value(loc->latest->value, 0);
	return loc->latest->value;
}

static void fence_sc(struct thread *t)
{
	clocks_join(&t->now, &t->acquired);
	max_into(t->now.co, sc.view.co);
	max_into(sc.view.co, t->now.co);
	t->now.sc = ++sc.n;
}

void memory_fence(int tid, enum ex_order order)
{
	struct thread *t = &ex.threads[tid];

	if (order == EX_seq_cst)
		fence_sc(t);
	else if (order != EX_release)
		clocks_join(&t->now, &t->acquired);
	if (order != EX_acquire) {
		t->released = t->now;
		t->has_released = true;
	}
}

/*
 * A light fence whose order is taken out: the store before it and the load
 * behind it may change places. So until that load a fence from outside finds
 * the thread between load and store: it does not hand on the store, and what
 * it brings comes after the load.
 */
void memory_window(void)
{
	struct thread *t = SELF;

	t->window = t->window_loc != NULL;
	t->window_hit = false;
}

/* membarrier: a fence in another thread, at the point where that stands. */
void memory_inject(int tid)
{
	struct thread *t = &ex.threads[tid];
	struct clocks kept;

	if (!t->window) {
		t->now.hb[tid] = t->now.co[tid] = t->clock;
		memory_fence(tid, EX_seq_cst);
		t->clock++;
		return;
	}
	kept = t->now;
	t->now = t->window_before;
	memory_fence(tid, EX_seq_cst);
	if (t->window_hit)
		clocks_join(&t->window_clocks, &t->now);
	else
		t->window_clocks = t->now;
	t->window_hit = true;
	t->now = kept;
}

/* A common point in time: all have seen everything. */
void memory_meet(void)
{
	struct clocks all = { .sc = ++sc.n };
	int i;

	for (i = 0; i < EX_MAX; i++)
		all.hb[i] = all.co[i] = ex.threads[i].clock;
	for (i = 0; i < EX_MAX; i++) {
		struct thread *t = &ex.threads[i];

		clocks_join(&t->now, &all);
		clocks_join(&t->acquired, &all);
		t->window = false;
		t->window_loc = NULL;
		t->clock++;
	}
}

/* Who looks again and again sees a newer store at last: the next one. */
void memory_raise(int tid, struct spin_read *r)
{
	struct store *s;

	if (!r->loc || !r->store->after)
		return;
	s = r->store->after;
	see(r->loc, tid, ex.threads[tid].clock, s);
	dep_join(&ex.threads[tid].dep, &s->dep);
}

struct lock *lock_of(const void *p)
{
	struct lock *l;
	int i;

	for (l = locks; l; l = l->next)
		if (l->addr == p)
			return l;
	l = pool_take(sizeof(*l));
	l->addr = p;
	l->owner = -1;
	for (i = 0; i < EX_MAX; i++)
		l->lock[i].node = -1;
	l->next = locks;
	locks = l;
	return l;
}

void memory_locked(struct lock *l, bool weak)
{
	if (!weak)
		clocks_join(&SELF->now, &l->msg);
}

void memory_unlocked(struct lock *l, bool weak)
{
	if (weak)
		memset(&l->msg, 0, sizeof(l->msg));
	else
		clocks_join(&l->msg, &SELF->now);
}
