/* SPDX-License-Identifier: MIT */
/*
 * protect - a reader protects, an updater replaces, retires and flushes
 *
 * --option twice: the guard goes from one object to the next (HP2).
 * --option reuse: the memory of the first object serves for the third, which
 * is published at the same address (HP4).
 * --option readers: two of them.
 */
#include "common.h"

static void read_it(void)
{
	HAZPTR_GUARD(g);

	look_at(hazptr_protect(&g, &source));
	if (ex_option("twice"))
		look_at(hazptr_protect(&g, &source));
}

static void update(void)
{
	hazptr_retire_free(domain, unlink_object(make(2)), head);
	hazptr_flush(domain);
	if (ex_option("reuse"))
		hazptr_retire_free(domain, unlink_object(make(3)), head);
}

static void read_too(void)
{
	if (ex_option("readers"))
		read_it();
}

const struct ex_client ex_client = {
	.setup = setup_source,
	.enter = register_thread,
	.thread = { read_it, update, read_too },
	.finish = finish_source,
	.flags = EX_KEEPS | EX_REUSE,
};
