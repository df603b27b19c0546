/* SPDX-License-Identifier: MIT */
/*
 * overflow - a guard beyond the last slot, against a scan
 *
 * All slots of the reader are taken before; its guard is linked into the list
 * of its record, and out of it. --option detach: it is detached in between.
 * --option twice: the embedded slot goes on to the next object. --option pair:
 * two guards come and go, so that the list is not empty when one goes.
 */
#include "common.h"

static struct object *other;
static __thread struct hazptr_guard full[HAZPTR_CONTEXT_SLOTS];
static __thread struct hazptr_guard first;

static void setup(void)
{
	setup_source();
	other = make(7);
}

static void enter(void)
{
	int i;

	register_thread();
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		hazptr_hold(&full[i], other);
	if (ex_option("pair"))
		hazptr_hold(&first, other);
}

static void read_it(void)
{
	HAZPTR_GUARD(g);
	struct object *o = hazptr_protect(&g, &source);

	if (ex_option("detach"))
		hazptr_detach(&g);
	look_at(o);
	if (ex_option("twice"))
		look_at(hazptr_protect(&g, &source));
}

static void update(void)
{
	hazptr_retire_free(domain, unlink_object(make(2)), head);
	hazptr_flush(domain);
}

static void leave(void)
{
	int i;

	hazptr_release(&first);
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		hazptr_release(&full[i]);
}

static void finish(void)
{
	ex_free(other);
	finish_source();
}

const struct ex_client ex_client = {
	.setup = setup,
	.enter = enter,
	.thread = { read_it, update },
	.leave = leave,
	.finish = finish,
	.flags = EX_KEEPS,
};
