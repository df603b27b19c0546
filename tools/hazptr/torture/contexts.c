/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/contexts.c - tasks that move between threads, slots */
#include "nodes.h"

#include <errno.h>
#include <string.h>

#define TASKS 5

/* What runs for a while on this thread, for a while on that. */
static struct task {
	int taken;
	struct hazptr_context context;
	struct hazptr_guard guard;
	struct hazptr_slot *slot;
	struct obj *by_guard, *by_slot;
} tasks[TASKS];

static void begin(void)
{
	unsigned i;

	nodes_begin();
	for (i = 0; i < TASKS; i++) {
		if (hazptr_context_init(&tasks[i].context))
			failed("context_init", NULL);
		tasks[i].slot = hazptr_slot_alloc(&tasks[i].context);
		if (!tasks[i].slot)
			failed("no slot in a new context", &tasks[i]);
	}
}

static void use_guards(void)
{
	struct hazptr_guard g[10];
	struct obj *o[10];
	unsigned i, n = (unsigned)pick(has_fault(OVERFLOW) ? 11 : 6);

	memset(g, 0, sizeof(g));
	for (i = 0; i < n; i++)
		o[i] = hazptr_protect(&g[i], any_source());
	for (i = 0; i < n; i++) {
		node_check(o[i]);
		hazptr_release(&g[i]);
	}
}

static void renew(struct task *t)
{
	t->by_guard = NULL;
	t->by_slot = NULL;
	if (pick(2))
		t->by_guard = hazptr_protect(&t->guard, parking_source());
	else
		hazptr_release(&t->guard);
	if (pick(2))
		t->by_slot = hazptr_slot_protect(t->slot, parking_source());
	else
		hazptr_slot_clear(t->slot);
}

static void run_task(void)
{
	struct task *t = &tasks[pick(TASKS)];
	int taken = 0;

	if (!__atomic_compare_exchange_n(&t->taken, &taken, 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	if (hazptr_context_switch(&t->context))
		failed("a context was in use", t);
	node_check(t->by_guard);
	node_check(t->by_slot);
	use_guards();
	renew(t);
	if (!pick(8))
		give_up(replace(plain_source()), true);
	if (hazptr_context_switch(NULL) != &t->context)
		failed("another context was in use", t);
	__atomic_store_n(&t->taken, 0, __ATOMIC_RELEASE);
}

/* Slots of the thread's own context, one by one. */
static void use_slots(void)
{
	struct hazptr_slot *slot[4] = { NULL };
	struct obj *o;
	unsigned i, k;

	for (i = 0; i < COUNT(slot); i++) {
		slot[i] = hazptr_slot_alloc(NULL);
		if (!slot[i])
			break; /* all are taken, by guards that are kept */
		if (pick(2))
			o = hazptr_slot_protect(slot[i], any_source());
		else
			o = hazptr_slot_try_protect(slot[i], any_source());
		node_check(o);
	}
	for (k = 0; k < i; k++) {
		if (pick(2))
			hazptr_slot_clear(slot[k]);
		hazptr_slot_free(NULL, slot[k]);
	}
}

/* One that comes and goes, with guards in it to its end. */
static void use_a_new_one(void)
{
	struct hazptr_context c, *before;
	struct hazptr_guard g[3];
	unsigned i;
	int error;

	memset(g, 0, sizeof(g));
	error = hazptr_context_init(&c);
	if (error == -ENOMEM && has_fault(NOMEM))
		return;
	if (error)
		failed("context_init", NULL);
	before = hazptr_context_switch(&c);
	for (i = 0; i < COUNT(g); i++)
		node_check(hazptr_protect(&g[i], any_source()));
	if (hazptr_context_switch(before) != &c)
		failed("another context was in use", &c);
	hazptr_context_cleanup(&c); /* and drops them */
}

void tasks_drain(void)
{
	unsigned i;

	for (i = 0; i < TASKS && tasks[i].slot; i++) {
		node_check(tasks[i].by_guard);
		node_check(tasks[i].by_slot);
		hazptr_release(&tasks[i].guard);
		hazptr_slot_free(&tasks[i].context, tasks[i].slot);
		hazptr_context_cleanup(&tasks[i].context);
	}
}

static void in_handler(void)
{
	struct hazptr_slot *slot = hazptr_slot_alloc(NULL);

	if (!slot)
		return;
	(void)hazptr_slot_protect(slot, &sources[self->ticks % SOURCES]);
	hazptr_slot_free(NULL, slot);
}

static struct op ops[] = {
	{ .name = "task", .run = run_task, .weight = 60 },
	{ .name = "slots", .run = use_slots, .weight = 30 },
	{ .name = "new context", .run = use_a_new_one, .weight = 10 },
};

const struct workload contexts_workload = {
	.name = "contexts",
	.ops = ops,
	.n_ops = COUNT(ops),
	.begin = begin,
	.drain = tasks_drain,
	.signal = in_handler,
};
