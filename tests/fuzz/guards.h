/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/guards.h - what guards.c knows: the reference model
 *
 *	item	an object: ours, published at a source, retired, or none
 *	holder	a guard or a slot, and the item that it keeps
 *	place	a set of slots: of either thread, or of a context
 *	pool	where an item is retired: a domain, or a cohort in it
 *
 * Domain 0 is MANUAL and domain 1 INLINE with a delay of weeks, so nobody but
 * these two threads reclaims anything. Pool p is in domain p % 2.
 */
#ifndef HAZPTR_TESTS_FUZZ_GUARDS_H
#define HAZPTR_TESTS_FUZZ_GUARDS_H

#include "actor.h"

#include <hazptr/hazptr.h>

#include <string.h>

enum { ITEMS = 40, GUARDS = 20, SLOTS = 12, HOLDERS = GUARDS + SLOTS };
enum { SOURCES = 4, CONTEXTS = 2, PLACES = 2 + CONTEXTS, POOLS = 4 };
enum { NONE = -1 };
#define ALIVE 0xa11ce5edu
#define TAGS ((uintptr_t)3)

enum state { GONE, OURS, CHILD, PUBLISHED, RETIRED };
enum way { BY_FUNCTION, BY_FREE, BY_POINTER };

struct thing { /* the object itself */
	uint32_t alive;
	int index;
	struct hazptr_head head;
};

struct item {
	enum state state;
	enum way way;
	struct thing *thing;
	int source;
	int pool;
	int child; /* is retired by this one's function */
};

struct holder {
	struct hazptr_guard guard, rest;
	struct hazptr_slot *slot; /* instead of a guard */
	int item;
	int place; /* NONE: of an empty guard, or a slot not allocated */
	bool embedded, detached;
};

static struct {
	struct item items[ITEMS];
	struct holder holders[HOLDERS];
	struct thing *plain[2];
	uintptr_t tagged[2];
	struct hazptr_context contexts[CONTEXTS];
	bool is_context[CONTEXTS];
	int user[CONTEXTS];    /* which thread uses it */
	int context[2];	       /* that the thread uses */
	unsigned used[PLACES]; /* slots that are taken */
	unsigned in_use, most_in_use;
	struct hazptr_domain *domains[2];
	struct hazptr_cohort cohorts[2];
	uint64_t retired[2], reclaimed[2];
	size_t max_retired;
} m;

static int place_of(int thread)
{
	return m.context[thread] == NONE ? thread : 2 + m.context[thread];
}

static bool is_held(int item)
{
	for (int i = 0; i < HOLDERS; i++)
		if (m.holders[i].item == item)
			return true;
	return false;
}

/* The holder has a slot: where the thread finds one that is free. */
static void take_place(struct holder *h, int thread)
{
	h->place = place_of(thread);
	h->embedded = m.used[h->place] == HAZPTR_CONTEXT_SLOTS;
	m.used[h->place] += !h->embedded;
	if (++m.in_use > m.most_in_use)
		m.most_in_use = m.in_use;
}

static void leave_place(struct holder *h)
{
	if (h->place == NONE)
		return;
	m.used[h->place] -= !h->embedded;
	m.in_use--;
	h->place = NONE;
	h->detached = false;
}

/* What a guard keeps from now on. */
static void keeps(struct holder *h, int item, int thread)
{
	h->item = item;
	if (item == NONE)
		leave_place(h);
	else if (h->place == NONE)
		take_place(h, thread);
}

/* May the thread use what it keeps, and keep something else? */
static bool is_mine(const struct holder *h, int thread)
{
	int context = h->place - 2;

	if (h->place == NONE)
		return true;
	if (h->detached)
		return false;
	if (context < 0)
		return h->place == thread;
	return m.user[context] == NONE || m.user[context] == thread;
}

static void check_alive(int item)
{
	const struct thing *t = m.items[item].thing;

	must(t->alive == ALIVE && t->index == item);
}

static __thread bool inside; /* a call of the library's, or its function */

void __real_free(void *p);
void __wrap_free(void *p);

/* ---- reclaiming ---- */

static void retire(int item, int pool, enum way way);

static void gone(int i)
{
	struct item *it = &m.items[i];
	int child = it->child;

	must(it->state == RETIRED);
	must(!is_held(i));
	m.reclaimed[it->pool % 2]++;
	it->state = GONE;
	it->child = NONE;
	if (child != NONE)
		retire(child, it->pool, BY_FUNCTION);
}

static void reclaim_thing(void *thing)
{
	struct thing *t = thing;
	int i = t->index;

	must(t->alive == ALIVE && m.items[i].thing == t);
	must(m.items[i].way != BY_FREE);
	t->alive = 0;
	gone(i);
	__real_free(t);
}

static void reclaim(struct hazptr_head *head)
{
	reclaim_thing((char *)head - offsetof(struct thing, head));
}

/* What the library frees by itself is seen here. */
void __wrap_free(void *p)
{
	for (int i = 0; inside && p && i < ITEMS; i++)
		if (m.items[i].state == RETIRED && m.items[i].thing == p) {
			must(m.items[i].way == BY_FREE);
			gone(i);
		}
	__real_free(p);
}

static void retire(int i, int pool, enum way way)
{
	struct item *it = &m.items[i];
	struct hazptr_domain *d = m.domains[pool % 2];
	hazptr_reclaim_fn function = way == BY_FREE ? NULL : reclaim;

	if (it->child != NONE && way == BY_FREE)
		function = reclaim, way = BY_FUNCTION;
	it->state = RETIRED;
	it->pool = pool;
	it->way = way;
	m.retired[pool % 2]++;
	if (pool >= 2)
		hazptr_cohort_retire(&m.cohorts[pool - 2], it->thing, head,
				     function);
	else if (way == BY_POINTER)
		hazptr_retire_ptr(d, it->thing, reclaim_thing);
	else
		hazptr_retire(d, it->thing, head, function);
}

/* How many of a domain's (or pool's) objects nobody holds. */
static size_t count_free(int domain)
{
	size_t n = 0;

	for (int i = 0; i < ITEMS; i++)
		n += m.items[i].state == RETIRED &&
		     m.items[i].pool % 2 == domain && !is_held(i);
	return n;
}

static bool chain_is_held(int i)
{
	for (; i != NONE; i = m.items[i].child)
		if (is_held(i))
			return true;
	return false;
}

/* Would it wait for ever? `pool` is one, or all pools of a domain. */
static bool has_held(int pool, bool whole_domain)
{
	for (int i = 0; i < ITEMS; i++) {
		const struct item *it = &m.items[i];
		bool in = whole_domain ? it->pool % 2 == pool % 2
				       : it->pool == pool;

		if (it->state == RETIRED && in && chain_is_held(i))
			return true;
	}
	return false;
}

#endif /* HAZPTR_TESTS_FUZZ_GUARDS_H */
