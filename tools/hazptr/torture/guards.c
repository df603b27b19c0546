/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/guards.c - guards: fresh, kept, many, handed over */
#include "nodes.h"

#include <string.h>

#define BURST 256
#define NESTED 7
#define NESTED_OVERFLOW 20 /* some of them have no slot of the thread's */
#define BOXES 6

/* A guard on its way from one thread to another. */
enum { EMPTY, FILLING, FULL, TAKING };
static struct box {
	int state;
	struct hazptr_guard guard;
	struct obj *obj;
} boxes[BOXES];

static unsigned many(void)
{
	unsigned most = has_fault(OVERFLOW) ? NESTED_OVERFLOW : NESTED;

	return 1 + (unsigned)pick(most);
}

/* Short and often: where a fence that is missing shows. */
static void fresh(void)
{
	struct obj **source = hot_source();
	unsigned i;

	for (i = 0; i < BURST; i++) {
		HAZPTR_GUARD(g);
		struct obj *o;
		uint64_t generation;

		if (i % 2 == 0)
			crowd_stores(source);
		o = hazptr_protect(&g, source);
		generation = obj_look(o, OBJ_NODE);
		spin(i * 8 % 512);
		obj_check_still(o, OBJ_NODE, generation);
	}
}

/* One guard that goes from source to source. */
static void again(void)
{
	HAZPTR_GUARD(g);
	uint64_t i;

	for (i = 1 + pick(20); i; i--)
		node_check(hazptr_protect(&g, any_source()));
}

static void nested(void)
{
	struct hazptr_guard g[NESTED_OVERFLOW];
	struct obj *o[NESTED_OVERFLOW];
	unsigned i, k, n = many();

	memset(g, 0, sizeof(g));
	for (i = 0; i < n; i++)
		o[i] = hazptr_protect(&g[i], any_source());
	for (i = 0; i < n; i++)
		node_check(o[i]);
	/* Let go of them in any order, and use some again. */
	for (i = 0; i < n; i++) {
		k = (unsigned)pick(n);
		hazptr_release(&g[k]);
		if (pick(2))
			node_check(hazptr_protect(&g[k], any_source()));
	}
	for (i = 0; i < n; i++)
		hazptr_release(&g[i]);
}

static void by_trying(void)
{
	struct obj **source = any_source();
	struct obj *o = __atomic_load_n(source, __ATOMIC_RELAXED);
	HAZPTR_GUARD(g);

	while (!hazptr_try_protect(&g, &o, source))
		;
	node_check(o);
}

/* Hand over hand, as in a list: the guard in front becomes the one behind. */
static void by_swapping(void)
{
	unsigned i, fillers = has_fault(OVERFLOW) ? (unsigned)pick(11) : 0;
	struct hazptr_guard filler[10];
	struct obj *o, *next;
	HAZPTR_GUARD(a);

	memset(filler, 0, sizeof(filler));
	for (i = 0; i < fillers; i++)
		(void)hazptr_protect(&filler[i], any_source());
	o = hazptr_protect(&a, any_source());
	for (i = 0; i < 10; i++) {
		HAZPTR_GUARD(b);

		next = hazptr_protect(&b, any_source());
		node_check(o);
		hazptr_swap(&a, &b);
		hazptr_release(&b);
		o = next;
		node_check(o);
		if (i < fillers)
			hazptr_release(&filler[i]);
	}
}

static void of_marked_links(void)
{
	uintptr_t *source = &tagged[pick(TAGGED)];
	HAZPTR_GUARD(g);
	uintptr_t word = hazptr_protect_tagged(&g, source, 3);

	node_check((const struct obj *)(word & ~(uintptr_t)3));
	if (!pick(4)) /* somebody's mark */
		__atomic_compare_exchange_n(source, &word, word ^ 1, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Kept while the thread does whatever comes next. */
static void keep(void)
{
	struct kept *k = &self->kept[pick(KEPT)];

	obj_check_still(k->obj, OBJ_NODE, k->generation);
	k->obj = NULL;
	if (pick(4))
		k->obj = hazptr_protect(&k->guard, parking_source());
	else
		hazptr_release(&k->guard);
	if (k->obj)
		k->generation = obj_check(k->obj, OBJ_NODE);
}

static void asleep(void)
{
	struct hazptr_guard g[NESTED_OVERFLOW];
	uint64_t generation[NESTED_OVERFLOW];
	struct obj *o[NESTED_OVERFLOW];
	unsigned i, n = many();

	memset(g, 0, sizeof(g));
	for (i = 0; i < n; i++) {
		o[i] = hazptr_protect(&g[i], any_source());
		generation[i] = obj_check(o[i], OBJ_NODE);
	}
	nap_us(pick(pick(16) ? 3000 : 100000));
	for (i = 0; i < n; i++) {
		obj_check_still(o[i], OBJ_NODE, generation[i]);
		hazptr_release(&g[i]);
	}
}

static bool become(int *state, int from, int to)
{
	return __atomic_compare_exchange_n(state, &from, to, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void fill_box(struct box *b)
{
	struct hazptr_guard filler[9];
	unsigned i, fillers = has_fault(OVERFLOW) && !pick(3) ? 9 : 0;

	memset(filler, 0, sizeof(filler));
	for (i = 0; i < fillers; i++)
		(void)hazptr_protect(&filler[i], any_source());
	b->obj = hazptr_protect(&b->guard, parking_source());
	node_check(b->obj);
	hazptr_detach(&b->guard);
	__atomic_store_n(&b->state, FULL, __ATOMIC_RELEASE);
	for (i = 0; i < fillers; i++)
		hazptr_release(&filler[i]);
}

static void hand_over(void)
{
	struct box *b = &boxes[pick(BOXES)];

	if (become(&b->state, FULL, TAKING)) {
		node_check(b->obj);
		hazptr_release(&b->guard);
		__atomic_store_n(&b->state, EMPTY, __ATOMIC_RELEASE);
	} else if (become(&b->state, EMPTY, FILLING)) {
		fill_box(b);
	}
}

static void write_some(void)
{
	give_up(replace(hot_source()), true);
	give_up(replace(parking_source()), false);
}

/* In a thread that the library has no memory to register. */
void guards_without_record(void)
{
	unsigned i;

	if (!domains[1])
		return;
	for (i = 0; i < 4; i++) {
		HAZPTR_GUARD(a);
		HAZPTR_GUARD(b);
		struct obj *o = hazptr_protect(&a, any_source());

		node_check(hazptr_protect(&b, any_source()));
		node_check(o);
		hazptr_swap(&a, &b);
		hazptr_release(&a);
		hazptr_release(&b);
		write_some();
	}
}

void boxes_drain(void)
{
	unsigned i;

	for (i = 0; i < BOXES; i++) {
		if (!become(&boxes[i].state, FULL, TAKING))
			continue;
		node_check(boxes[i].obj);
		hazptr_release(&boxes[i].guard);
	}
}

static void leave(void)
{
	unsigned i;

	for (i = 0; i < KEPT; i++) {
		obj_check_still(self->kept[i].obj, OBJ_NODE,
				self->kept[i].generation);
		hazptr_release(&self->kept[i].guard);
		self->kept[i].obj = NULL;
	}
}

static void in_handler(void)
{
	HAZPTR_GUARD(g);
	struct obj *o = hazptr_protect(&g, &sources[self->ticks % SOURCES]);

	obj_check_still(o, OBJ_NODE, obj_look(o, OBJ_NODE));
}

static struct op ops[] = {
	{ .name = "fresh", .run = fresh, .weight = 40 },
	{ .name = "again", .run = again, .weight = 40 },
	{ .name = "nested", .run = nested, .weight = 30 },
	{ .name = "try", .run = by_trying, .weight = 40 },
	{ .name = "swap", .run = by_swapping, .weight = 20 },
	{ .name = "marked links", .run = of_marked_links, .weight = 30 },
	{ .name = "kept meanwhile", .run = keep, .weight = 40 },
	{ .name = "asleep", .run = asleep, .weight = 2, .fault = SLEEP },
	{ .name = "handed over",
	  .run = hand_over,
	  .weight = 40,
	  .fault = DETACH },
	{ .name = "replace", .run = write_some, .weight = 40 },
};

const struct workload guards_workload = {
	.name = "guards",
	.ops = ops,
	.n_ops = COUNT(ops),
	.begin = nodes_begin,
	.leave = leave,
	.drain = boxes_drain,
	.signal = in_handler,
};
