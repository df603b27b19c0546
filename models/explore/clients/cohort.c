/* SPDX-License-Identifier: MIT */
/*
 * cohort - a barrier returns when the functions of what was retired before it
 * have returned, whoever runs them
 *
 * --option other: a third thread flushes, and runs the functions perhaps.
 * --option reader: it holds the object instead. --option destroy: the cohort
 * is destroyed in the end.
 */
#include "common.h"

static struct hazptr_cohort cohort;
static uint32_t done; /* plain: the barrier orders it */
static uint32_t is_retired;

static void reclaim(struct hazptr_head *head)
{
	ex_free(head); /* the first member */
	done = 1;
}

static void setup(void)
{
	setup_source();
	EX_ASSERT(!hazptr_cohort_init(&cohort, domain));
}

static void retire(void)
{
	struct object *old = unlink_object(make(2));

	hazptr_cohort_retire(&cohort, old, head, reclaim);
	/* private: the client's own flag */
	hazptr_store_(&is_retired, 1, release);
}

static void wait_for_it(void)
{
	/* private: the client's own flag */
	bool before = hazptr_load_(&is_retired, acquire);

	if (!before)
		return;
	if (ex_option("destroy"))
		hazptr_cohort_destroy(&cohort);
	else
		hazptr_cohort_barrier(&cohort);
	EX_ASSERT(done == 1);
}

static void third(void)
{
	if (ex_option("other"))
		hazptr_flush(domain);
	if (ex_option("reader"))
		read_source();
}

static void finish(void)
{
	if (!ex_option("destroy") || !done)
		hazptr_cohort_destroy(&cohort);
	finish_source();
}

const struct ex_client ex_client = {
	.setup = setup,
	.enter = register_thread,
	.thread = { retire, wait_for_it, third },
	.finish = finish,
	.flags = EX_KEEPS,
};
