/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/shared.c - shared, sync and weak pointers */
#include "shared.h"

struct hazptr_sync_shared sync_sources[SYNC_SOURCES];

static struct obj *obj_of(const struct hazptr_shared_node *node)
{
	return (struct obj *)(uintptr_t)node;
}

uint64_t shared_look(const struct hazptr_shared_node *node)
{
	const struct obj *o = obj_of(node);
	uint64_t generation = obj_look(o, OBJ_SHARED);

	if (o->child.node)
		obj_look(obj_of(o->child.node), OBJ_SHARED);
	return generation;
}

void shared_still(const struct hazptr_shared_node *node, uint64_t generation)
{
	if (node && shared_look(node) != generation)
		failed("used after its end: generation", node);
}

void shared_let_go(struct held *h)
{
	shared_still(h->sp.node, h->generation);
	hazptr_shared_drop(&h->sp);
	if (!hazptr_shared_is_null(h->sp))
		failed("dropped and not null", h->sp.node);
}

void shared_keep(struct held *h, struct hazptr_shared sp)
{
	shared_let_go(h);
	h->sp = sp;
	if (!sp.node)
		return;
	h->generation = obj_check(obj_of(sp.node), OBJ_SHARED);
	shared_still(sp.node, h->generation);
}

/* How nodes end */

static void release(struct hazptr_shared_node *node)
{
	hazptr_shared_drop(&obj_of(node)->child);
	obj_end(obj_of(node), BY_FUNCTION);
}

static void expire(struct hazptr_shared_node *node)
{
	struct obj *o = obj_of(node);

	if (__atomic_exchange_n(&o->magic, OBJ_EXPIRED, __ATOMIC_RELAXED) !=
	    OBJ_ALIVE)
		failed("expired twice, or after its end", o);
	hazptr_shared_drop(&o->child);
}

/* The first reference; null when there is no object. */
static struct hazptr_shared create(void)
{
	struct obj *o = obj_new(OBJ_SHARED);
	struct hazptr_shared none = { NULL };
	uint64_t kind = pick(5);

	if (!o)
		return none;
	o->end = kind == 2 || kind == 4 ? BY_FREE : BY_FUNCTION;
	if (kind != 2 && !pick(4))
		o->child = hazptr_shared_copy(any_held()->sp);
	switch (kind) {
	case 0:
		return hazptr_shared_create(&o->weak.node, release);
	case 1:
		return hazptr_shared_create_count_first(&o->weak.node, release);
	case 2:
		return hazptr_shared_create(&o->weak.node, NULL);
	case 3:
		return hazptr_shared_create_weak(&o->weak, expire, release);
	default:
		return hazptr_shared_create_weak(&o->weak, expire, NULL);
	}
}

static void begin(void)
{
	struct hazptr_shared sp;
	unsigned i;

	hazptr_thread_shared_set_max_age_ms(1);
	for (i = 0; i < SYNC_SOURCES; i++) {
		sp = create();
		hazptr_sync_shared_store(&sync_sources[i], &sp);
	}
}

/* Operations */

static void load(void)
{
	struct hazptr_sync_shared *source = any_sync();

	if (!pick(4))
		crowd_stores(source);
	shared_keep(any_held(), hazptr_sync_shared_load(source));
}

static void copy(void)
{
	shared_keep(any_held(), hazptr_shared_copy(any_held()->sp));
}

static void drop(void)
{
	shared_let_go(any_held());
}

static void drop_sync(void)
{
	struct held *h = any_held();

	shared_still(h->sp.node, h->generation);
	hazptr_shared_drop_sync(&h->sp);
}

static void store(void)
{
	struct held *h = any_held();
	struct hazptr_shared sp = { NULL };

	shared_still(h->sp.node, h->generation);
	switch (pick(4)) {
	case 0:
		hazptr_sync_shared_store_copy(any_sync(), h->sp);
		break;
	case 1:
		hazptr_sync_shared_store(any_sync(), &h->sp);
		break;
	default:
		sp = create();
		hazptr_sync_shared_store(any_sync(), &sp);
	}
	if (sp.node)
		failed("moved and not null", sp.node);
}

static void exchange(void)
{
	struct hazptr_shared sp = create();

	shared_keep(any_held(), hazptr_sync_shared_exchange(any_sync(), &sp));
	if (sp.node)
		failed("moved and not null", sp.node);
}

static void compare_exchange(void)
{
	struct hazptr_sync_shared *source = any_sync();
	struct hazptr_shared desired, was;
	struct held *h = any_held();
	bool stored;

	if (pick(4))
		shared_keep(h, hazptr_sync_shared_load(source));
	desired = pick(2) ? create() : hazptr_shared_copy(any_held()->sp);
	was = desired;
	stored = hazptr_sync_shared_compare_exchange(source, h->sp, &desired);
	if (desired.node != (stored ? NULL : was.node))
		failed("compare_exchange and @desired", desired.node);
	hazptr_shared_drop(&desired);
	shared_still(h->sp.node, h->generation);
}

static void clear(void)
{
	if (pick(16))
		hazptr_sync_shared_drop(any_sync());
	else
		hazptr_sync_shared_drop_sync(any_sync());
}

static struct weakly *any_weak(void)
{
	return &self->weaks[pick(WEAKS)];
}

static void check_weak(const struct weakly *w)
{
	obj_check_weak(obj_of(w->w.node), w->generation);
}

static void weak(void)
{
	struct weakly *w = any_weak(), *from = any_weak();
	struct weakly new = { { NULL }, 0 };
	struct held *h = any_held();
	uint64_t way = pick(4);

	if (way < 2) {
		new.w = hazptr_weak_create(h->sp);
		new.generation = h->generation;
	} else if (way == 2) {
		new.w = hazptr_weak_copy(from->w);
		new.generation = from->generation;
	}
	check_weak(w);
	hazptr_weak_drop(&w->w);
	*w = new;
	check_weak(w);
}

static void weak_lock(void)
{
	struct weakly *w = any_weak();
	struct hazptr_shared sp = hazptr_weak_lock(w->w);

	check_weak(w);
	shared_still(sp.node, w->generation);
	shared_keep(any_held(), sp);
}

/* What a handler took: it may be the last one, so not dropped there. */
void shared_read_mail(void)
{
	if (!self->shared_mail_full)
		return;
	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	shared_let_go(&self->shared_mail);
	__atomic_signal_fence(__ATOMIC_RELEASE);
	self->shared_mail_full = 0;
}

static void leave(void)
{
	unsigned i;

	briefs_leave();
	for (i = 0; i < WEAKS; i++) {
		check_weak(&self->weaks[i]);
		hazptr_weak_drop(&self->weaks[i].w);
	}
	for (i = 0; i < HELD; i++)
		shared_let_go(&self->held[i]);
	shared_read_mail();
}

/* A chain of them ends one after the other, in the library's thread. */
static void give(void)
{
	unsigned i;

	for (i = 0; i < SYNC_SOURCES; i++)
		hazptr_sync_shared_drop(&sync_sources[i]);
}

static struct op ops[] = {
	{ .name = "load", .run = load, .weight = 60 },
	{ .name = "copy", .run = copy, .weight = 30 },
	{ .name = "drop", .run = drop, .weight = 50 },
	{ .name = "drop_sync", .run = drop_sync, .weight = 3 },
	{ .name = "store", .run = store, .weight = 60 },
	{ .name = "exchange", .run = exchange, .weight = 30 },
	{ .name = "compare_exchange", .run = compare_exchange, .weight = 40 },
	{ .name = "clear", .run = clear, .weight = 10 },
	{ .name = "weak", .run = weak, .weight = 40 },
	{ .name = "weak lock", .run = weak_lock, .weight = 30 },
	{ .name = "thread load", .run = brief_load, .weight = 80 },
	{ .name = "thread borrow", .run = brief_borrow, .weight = 40 },
	{ .name = "thread drop", .run = brief_drop, .weight = 80 },
	{ .name = "thread nested", .run = brief_nest, .weight = 10 },
	{ .name = "thread to shared", .run = brief_to_shared, .weight = 20 },
	{ .name = "thread asleep",
	  .run = brief_asleep,
	  .weight = 1,
	  .fault = SLEEP },
};

const struct workload shared_workload = {
	.name = "shared",
	.ops = ops,
	.n_ops = COUNT(ops),
	.begin = begin,
	.leave = leave,
	.give = give,
	.signal = briefs_in_handler,
};
