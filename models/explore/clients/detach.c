/* SPDX-License-Identifier: MIT */
/*
 * detach - one thread protects, another one looks and releases
 *
 * The first goes on: it takes the slot over when it finds it free (HP1), with
 * an object of its own. A third one updates, and scans. The slot says that the
 * second's uses are done only by way of the first one's store.
 */
#include "common.h"

static struct hazptr_guard guard;
static struct object *handed;
static uint32_t is_handed;

static void give(void)
{
	handed = hazptr_protect(&guard, &source);
	hazptr_detach(&guard);
	/* private: the client's own hand-over */
	hazptr_store_(&is_handed, 1, release);
	read_source();
}

static void take(void)
{
	/* private: the client's own hand-over */
	if (!hazptr_load_(&is_handed, acquire))
		return;
	look_at(handed);
	hazptr_release(&guard);
}

static void update(void)
{
	hazptr_retire_free(domain, unlink_object(make(2)), head);
	hazptr_flush(domain);
}

static void finish(void)
{
	hazptr_release(&guard);
	finish_source();
}

const struct ex_client ex_client = {
	.setup = setup_source,
	.enter = register_thread,
	.thread = { give, take, update },
	.finish = finish,
	.flags = EX_KEEPS,
};
