/* SPDX-License-Identifier: MIT */
/*
 * lane - a retirer's lane is taken by another thread's flush, or barrier
 *
 * The owner retires and does nothing more; the taker gets what it left, while
 * a reader may hold it (HP7: the taker's first fence does not serve for the
 * scan). --option more: the owner retires again. --option barrier: the taker
 * waits for all of it. --option alone: no reader.
 */
#include "common.h"

static uint32_t is_retired;

static void own(void)
{
	hazptr_retire_free(domain, unlink_object(make(2)), head);
	/* private: the client's own flag */
	hazptr_store_(&is_retired, 1, release);
	if (ex_option("more"))
		hazptr_retire_free(domain, unlink_object(make(3)), head);
}

static void take(void)
{
	/* private: the client's own flag */
	bool before = hazptr_load_(&is_retired, acquire);
	struct hazptr_stats stats = { .size = sizeof(stats) };

	if (!ex_option("barrier")) {
		hazptr_flush(domain);
		return;
	}
	hazptr_barrier(domain);
	hazptr_domain_stats(domain, &stats);
	EX_ASSERT(!before || stats.reclaimed);
}

static void look(void)
{
	if (!ex_option("alone"))
		read_source();
}

/* The owner has a lane with room in it. */
static void enter(void)
{
	register_thread();
	if (ex_self() == 1)
		hazptr_retire_free(domain, make(8), head);
}

const struct ex_client ex_client = {
	.setup = setup_source,
	.enter = enter,
	.thread = { own, take, look },
	.finish = finish_source,
	.flags = EX_KEEPS,
};
