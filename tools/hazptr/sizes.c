/* SPDX-License-Identifier: MIT */
/* tools/hazptr/sizes.c - what the headers fix: sizes and limits */
#include "tool.h"

#define SIZE(type)                         \
	{                                  \
#type, sizeof(struct type) \
	}

/* All structs that a user may have; the test compares with the headers. */
static const struct size {
	const char *name;
	size_t bytes;
} sizes[] = {
	SIZE(hazptr_slot),	    SIZE(hazptr_guard),
	SIZE(hazptr_context),	    SIZE(hazptr_head),
	SIZE(hazptr_cohort),	    SIZE(hazptr_domain_opts),
	SIZE(hazptr_stats),	    SIZE(hazptr_ref),
	SIZE(hazptr_rcuref),	    SIZE(hazptr_shared_node),
	SIZE(hazptr_shared),	    SIZE(hazptr_sync_shared),
	SIZE(hazptr_weak),	    SIZE(hazptr_weak_node),
	SIZE(hazptr_thread_shared), SIZE(hazptr_promotion_stats),
	SIZE(hazptr_futex_waitv),   SIZE(hazptr_unparked),
	SIZE(hazptr_requeue),	    SIZE(hazptr_mutex),
	SIZE(hazptr_cond),	    SIZE(hazptr_sem),
	SIZE(hazptr_rwlock),
};

void sizes_of_structs(struct facts *f)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		fact_number(f, sizes[i].name, (int64_t)sizes[i].bytes, "");
}

void sizes_limits(struct facts *f)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_domain_stats(NULL, &stats);
	fact_number(f, "guards", HAZPTR_CONTEXT_SLOTS,
		    "of a thread or context without a lock; more are kept in "
		    "a list");
	fact_number(f, "retired", (int64_t)stats.max_retired,
		    "in the default domain, and the slots in use");
	fact_number(f, "futex_waitv", HAZPTR_FUTEX_WAITV_MAX,
		    "words in one call");
	fact_number(f, "semaphore", HAZPTR_SEM_MAX, "permits");
}
