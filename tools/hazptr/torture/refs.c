/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/refs.c - counted references, and how to get one
 *
 * What the library counts, the tool counts, too: an object that ends has no
 * holder. rcu.c does the same for the other count.
 */
#include "refs.h"

#define SOURCES 4

static struct obj *sources[SOURCES];

void hold(struct obj *o)
{
	__atomic_fetch_add(&o->holders, 1, __ATOMIC_RELAXED);
}

void unhold(struct obj *o)
{
	if (!__atomic_fetch_sub(&o->holders, 1, __ATOMIC_RELAXED))
		failed("more references given back than there were", o);
}

void end_counted(struct obj *o)
{
	o->end = pick(2) ? BY_FUNCTION : BY_FREE;
	hazptr_retire(NULL, o, head, o->end == BY_FREE ? NULL : obj_reclaim);
}

static void put(struct obj *o)
{
	obj_look(o, OBJ_REF);
	unhold(o);
	if (hazptr_ref_put(&o->ref))
		end_counted(o);
}

static struct obj *new_object(void)
{
	struct obj *o = obj_new(OBJ_REF);

	if (o) {
		hazptr_ref_init(&o->ref, 1);
		hold(o); /* the source does */
	}
	return o;
}

static void begin(void)
{
	unsigned i;

	for (i = 0; i < SOURCES; i++)
		sources[i] = new_object();
	rcu_begin();
}

static struct obj **any_held(void)
{
	return &self->refs[pick(HELD)];
}

static void let_go(struct obj **o)
{
	if (*o)
		put(*o);
	*o = NULL;
}

static void lookup(void)
{
	struct obj **mine = any_held(), *o;

	let_go(mine);
	o = hazptr_ref_lookup(&sources[pick(SOURCES)], ref);
	if (!o)
		return; /* it is going away, or nothing is plugged in */
	hold(o);
	obj_check(o, OBJ_REF);
	if (pick(4))
		*mine = o;
	else
		put(o);
}

/* By hand, what lookup does. */
static void get_unless_zero(void)
{
	HAZPTR_GUARD(g);
	struct obj *o = hazptr_protect(&g, &sources[pick(SOURCES)]);

	if (o)
		obj_check(o, OBJ_REF); /* others may put the last one now */
	if (!o || !hazptr_ref_get_unless_zero(&o->ref))
		return;
	hold(o);
	hazptr_release(&g);
	obj_check(o, OBJ_REF);
	put(o);
}

static void copy(void)
{
	struct obj **from = any_held(), **to = any_held();

	if (from == to || !*from)
		return;
	let_go(to);
	hazptr_ref_get(&(*from)->ref);
	hold(*from);
	*to = *from;
	obj_check(*to, OBJ_REF);
}

static void unplug(void)
{
	struct obj *new = pick(8) ? new_object() : NULL;
	struct obj *old = __atomic_exchange_n(&sources[pick(SOURCES)], new,
					      __ATOMIC_ACQ_REL);

	if (old)
		put(old);
}

/* What a handler took and may not give back itself. */
void refs_read_mail(void)
{
	struct obj *o = self->ref_mail;

	if (!o)
		return;
	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	put(o);
	__atomic_signal_fence(__ATOMIC_RELEASE);
	self->ref_mail = NULL;
}

static void in_handler(void)
{
	struct obj *o;

	if (self->ref_mail)
		return;
	o = hazptr_ref_lookup(&sources[self->ticks % SOURCES], ref);
	if (!o)
		return;
	hold(o);
	obj_look(o, OBJ_REF);
	__atomic_signal_fence(__ATOMIC_RELEASE);
	self->ref_mail = o;
}

static void leave(void)
{
	unsigned i;

	for (i = 0; i < HELD; i++)
		let_go(&self->refs[i]);
	refs_read_mail();
	rcu_leave();
}

static void give(void)
{
	unsigned i;

	for (i = 0; i < SOURCES; i++)
		let_go(&sources[i]);
	rcu_give();
}

static struct op ops[] = {
	{ .name = "lookup", .run = lookup, .weight = 60 },
	{ .name = "get unless zero", .run = get_unless_zero, .weight = 40 },
	{ .name = "copy", .run = copy, .weight = 40 },
	{ .name = "unplug", .run = unplug, .weight = 40 },
	{ .name = "rcuref get", .run = rcu_get, .weight = 60 },
	{ .name = "rcuref put", .run = rcu_put, .weight = 40 },
	{ .name = "rcuref unplug", .run = rcu_unplug, .weight = 40 },
	{ .name = "rcuref used again", .run = rcu_reuse, .weight = 10 },
};

const struct workload refs_workload = {
	.name = "refs",
	.ops = ops,
	.n_ops = COUNT(ops),
	.begin = begin,
	.leave = leave,
	.give = give,
	.signal = in_handler,
};
