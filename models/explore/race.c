/* SPDX-License-Identifier: MIT */
/*
 * explore/race.c - which steps of a run could have come in another order
 *
 * Two steps of two threads that neither follow each other nor have the same
 * result in both orders are a race, and the later one's thread is put down at
 * the earlier one's node. Because a load may read old stores and a store may
 * go before others, most pairs need one order only:
 *
 *	earlier		later		other order needed
 *	load		store, rmw	yes: the load reads it then
 *	store		load		no: the load can read an older one
 *	store		store		no: the later one can go before it
 *	store		rmw		no: it can read an older one
 *	rmw		store, rmw	yes: it reads it then
 *	rmw		load		no
 *
 * and what is sequentially consistent, waits, wakes, or is injected, always.
 * A step follows another one in the trace when it is of the same thread, reads
 * from it, takes a lock that it gave back, or comes later in a fixed order.
 */
#include "engine.h"

#include <string.h>

static struct {
	struct last fence[EX_MAX], access[EX_MAX];
	struct trace_clock dep_fences, dep_all;
} sc;

void race_reset(void)
{
	int i;

	memset(&sc, 0, sizeof(sc));
	for (i = 0; i < EX_MAX; i++)
		sc.fence[i].node = sc.access[i].node = -1;
}

void dep_join(struct trace_clock *a, const struct trace_clock *b)
{
	int i;

	for (i = 0; i < EX_MAX; i++)
		if (b->at[i] > a->at[i])
			a->at[i] = b->at[i];
}

struct last last_here(void)
{
	return (struct last){ search_depth(), SELF->dep.at[ex.self] };
}

static void race_with(const struct last *lasts)
{
	int u;

	for (u = 0; u < EX_MAX; u++)
		if (u != ex.self && lasts[u].node >= 0 &&
		    lasts[u].clock > SELF->dep.at[u])
			backtrack(lasts[u]);
}

/* Before each step: the thread has made one more, and was it injected into? */
void race_own(void)
{
	struct thread *t = SELF;

	t->dep.at[ex.self] = ++t->steps;
	if (t->injected.node >= 0) {
		backtrack(t->injected);
		t->injected.node = -1;
	}
	t->last = last_here();
}

static bool writes(enum ex_kind kind)
{
	return kind >= EX_STORE && kind <= EX_CAS;
}

/* Before a step at a word is done. */
void race_access(const struct op *op, struct location *loc)
{
	int tid = ex.self;

	if (op->is_sc)
		race_with(loc->sc);
	if (op->is_sc)
		race_fence(false);
	if (writes(op->kind)) {
		race_with(loc->read);
		race_with(loc->wait);
		loc->write[tid] = last_here();
	}
	if (op->kind == EX_WAIT) {
		race_with(loc->write);
		race_with(loc->wake);
		dep_join(&SELF->dep, &loc->dep_write);
		dep_join(&SELF->dep, &loc->dep_wake);
		loc->wait[tid] = last_here();
	} else if (op->kind == EX_WAKE) {
		race_with(loc->wait);
		dep_join(&loc->dep_wake, &SELF->dep);
	} else if (op->kind == EX_TIMEOUT) {
		loc->wait[tid] = last_here();
	}
	if (op->kind == EX_LOAD || op->kind > EX_STORE)
		if (op->kind <= EX_CAS)
			loc->read[tid] = last_here();
	if (op->kind == EX_WAKE)
		loc->wake[tid] = last_here();
	if (writes(op->kind))
		dep_join(&loc->dep_write, &SELF->dep);
}

void race_read_from(const struct store *s)
{
	dep_join(&SELF->dep, &s->dep);
}

/* Two sequentially consistent accesses of a word have an order. */
void race_sc(struct location *loc)
{
	dep_join(&SELF->dep, &loc->dep_sc);
	dep_join(&loc->dep_sc, &SELF->dep);
	loc->sc[ex.self] = last_here();
}

void race_lock(struct lock *l)
{
	race_with(l->lock);
	l->lock[ex.self] = last_here();
	dep_join(&SELF->dep, &l->dep);
}

/* A fence has an order with all fences and sc accesses; an access with those. */
void race_fence(bool is_fence)
{
	race_with(sc.fence);
	if (!is_fence) {
		dep_join(&SELF->dep, &sc.dep_fences);
		dep_join(&sc.dep_all, &SELF->dep);
		sc.access[ex.self] = last_here();
		return;
	}
	race_with(sc.access);
	dep_join(&SELF->dep, &sc.dep_all);
	dep_join(&sc.dep_all, &SELF->dep);
	dep_join(&sc.dep_fences, &SELF->dep);
	sc.fence[ex.self] = last_here();
}

/* A fence in another thread has an order with each of its steps. */
void race_inject(int target)
{
	struct thread *t = &ex.threads[target];

	if (t->last.node >= 0 && t->last.clock > SELF->dep.at[target])
		backtrack(t->last);
	race_fence(true);
	dep_join(&SELF->dep, &t->dep);
	dep_join(&t->dep, &SELF->dep);
	t->injected = last_here();
}
