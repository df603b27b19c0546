/* SPDX-License-Identifier: MIT */
/*
 * sync - an updater unlinks, waits for the readers, and frees by hand
 *
 * --option overflow: the reader's guard has no slot left.
 * --option twice: the guard goes on to the next object.
 */
#include "common.h"

static struct object *other;
static __thread struct hazptr_guard full[HAZPTR_CONTEXT_SLOTS];

static void setup(void)
{
	setup_source();
	other = make(7);
}

static void enter(void)
{
	int i;

	register_thread();
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS && ex_option("overflow"); i++)
		hazptr_hold(&full[i], other);
}

static void read_it(void)
{
	HAZPTR_GUARD(g);

	look_at(hazptr_protect(&g, &source));
	if (ex_option("twice"))
		look_at(hazptr_protect(&g, &source));
}

static void update(void)
{
	struct object *old = unlink_object(make(2));

	hazptr_synchronize(old);
	ex_free(old);
}

static void leave(void)
{
	int i;

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
