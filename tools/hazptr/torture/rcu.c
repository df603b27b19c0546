/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/rcu.c - the count whose get fails once it is dead */
#include "refs.h"

#define SOURCES 4

static struct obj *sources[SOURCES];

static struct obj *new_object(void)
{
	struct obj *o = obj_new(OBJ_RCUREF);

	if (o) {
		hazptr_rcuref_init(&o->rcuref, 1);
		hold(o); /* the source does */
	}
	return o;
}

void rcu_begin(void)
{
	unsigned i;

	for (i = 0; i < SOURCES; i++)
		sources[i] = new_object();
}

/* True: it is dead now. A guard keeps the memory during the call. */
static bool put_keeps(struct obj *o)
{
	HAZPTR_GUARD(g);

	hazptr_hold(&g, o);
	obj_look(o, OBJ_RCUREF);
	unhold(o);
	if (!hazptr_rcuref_put(&o->rcuref))
		return false;
	if (!hazptr_rcuref_is_dead(&o->rcuref))
		failed("the last reference is gone, and it is not dead", o);
	return true;
}

static void put(struct obj *o)
{
	if (put_keeps(o))
		end_counted(o);
}

static struct obj **any_held(void)
{
	return &self->rcurefs[pick(HELD)];
}

static void let_go(struct obj **o)
{
	if (*o)
		put(*o);
	*o = NULL;
}

static struct obj *get_from(struct obj **source)
{
	HAZPTR_GUARD(g);
	struct obj *o = hazptr_protect(&g, source);

	if (o)
		obj_check(o, OBJ_RCUREF); /* others may put the last one now */
	if (!o || !hazptr_rcuref_get(&o->rcuref))
		return NULL;
	hold(o);
	return o;
}

void rcu_get(void)
{
	struct obj **mine = any_held();

	let_go(mine);
	*mine = get_from(&sources[pick(SOURCES)]);
	if (*mine)
		obj_check(*mine, OBJ_RCUREF);
}

void rcu_put(void)
{
	struct obj **mine = any_held();

	if (*mine)
		obj_check(*mine, OBJ_RCUREF);
	let_go(mine);
}

void rcu_unplug(void)
{
	struct obj *new = pick(8) ? new_object() : NULL;
	struct obj *old = __atomic_exchange_n(&sources[pick(SOURCES)], new,
					      __ATOMIC_ACQ_REL);

	if (old)
		put(old);
}

/*
 * A dead one is made anew by who owns it alone, while gets that found it dead
 * may still be under way. A reader from before finds it alive again: the same
 * object, of the same generation.
 */
void rcu_reuse(void)
{
	struct obj *old = __atomic_exchange_n(&sources[pick(SOURCES)], NULL,
					      __ATOMIC_ACQ_REL);

	if (!old || !put_keeps(old))
		return;
	hold(old);
	hazptr_rcuref_init(&old->rcuref, 1);
	old = __atomic_exchange_n(&sources[pick(SOURCES)], old,
				  __ATOMIC_ACQ_REL);
	if (old)
		put(old);
}

void rcu_leave(void)
{
	unsigned i;

	for (i = 0; i < HELD; i++)
		let_go(&self->rcurefs[i]);
}

void rcu_give(void)
{
	unsigned i;

	for (i = 0; i < SOURCES; i++)
		let_go(&sources[i]);
}
