/* SPDX-License-Identifier: MIT */
/*
 * background - the library's thread comes back to what is retired
 *
 * It may go to sleep at the same moment (BG1 to BG5). Nobody flushes: in the
 * end all is reclaimed, or a wake-up was lost. --option function: it runs a
 * function. --option default: in a BACKGROUND domain. --option destroy: the
 * domain goes while the thread looks at it.
 */
#include "common.h"

#include "../../../src/port/port.h"

static uint32_t done;

static void reclaim(struct hazptr_head *head)
{
	ex_free(head); /* the first member */
	/* private: a counter of the client's */
	hazptr_fetch_add_(&done, 1, relaxed);
}

static void setup(void)
{
	make_domain(ex_option("default") ? HAZPTR_RECLAIM_BACKGROUND
					 : HAZPTR_RECLAIM_INLINE);
	source = make(1);
	register_thread();
	/* for this one the thread comes back, and rests then */
	hazptr_retire(domain, make(7), head, reclaim);
}

static void retire(void)
{
	hazptr_retire(domain, unlink_object(make(2)), head, reclaim);
	if (ex_option("destroy"))
		EX_ASSERT(!hazptr_domain_destroy(domain));
}

static void finish(void)
{
	static const uint32_t nobody;

	hazptr_wait_(&nobody, 0, 1000000000);
	/* private: a counter of the client's */
	EX_ASSERT(hazptr_load_(&done, relaxed) == 2);
	ex_free(source);
	if (!ex_option("destroy"))
		EX_ASSERT(!hazptr_domain_destroy(domain));
}

const struct ex_client ex_client = {
	.setup = setup,
	.enter = register_thread,
	.thread = { retire },
	.finish = finish,
	.flags = EX_KEEPS | EX_BACKGROUND,
	.timeouts = 2, /* it may wake up while the other one retires */
};
