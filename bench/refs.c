/* SPDX-License-Identifier: MIT */
/*
 * bench/refs.c - references and their baseline, as the runner sees them
 */
#include "refs.h"

#include <stdlib.h>

struct ref_hot bench_ref_hot __attribute__((__aligned__(128)));

/* Starts what the first node starts, where no processor is chosen for it. */
static void refs_init(void)
{
	refs_replace();
	hazptr_sync_shared_drop(&bench_ref_hot.current);
	hazptr_barrier(NULL);
}

static void refs_begin(enum bench_job job)
{
	refs_replace();
	if (job == BENCH_STORE || job == BENCH_STORE_CALL)
		refs_store_begin();
}

static uint64_t refs_end(enum bench_job job)
{
	hazptr_sync_shared_drop(&bench_ref_hot.current);
	hazptr_barrier(NULL);
	if (job == BENCH_STORE || job == BENCH_STORE_CALL)
		return refs_store_end();
	return 0;
}

const struct bench_scheme bench_refs = {
	.name = "hazptr references",
	.kind = BENCH_OURS,
	.version = "",
	.init = refs_init,
	.begin = refs_begin,
	.end = refs_end,
	.replace = refs_replace,
	.body = {
		[BENCH_READ] = refs_guard,
		[BENCH_LOAD] = refs_load,
		[BENCH_THREAD] = refs_thread,
		[BENCH_BORROW] = refs_borrow,
		[BENCH_TO_SHARED] = refs_to_shared,
		[BENCH_HELD_1] = refs_held_1,
		[BENCH_HELD_4] = refs_held_4,
		[BENCH_HELD_8] = refs_held_8,
		[BENCH_HELD_16] = refs_held_16,
		[BENCH_HELD_32] = refs_held_32,
		[BENCH_COUNTED_1] = refs_counted_1,
		[BENCH_COUNTED_32] = refs_counted_32,
		[BENCH_STORE] = refs_store,
		[BENCH_STORE_CALL] = refs_store_function,
	},
};

static void bare_begin(enum bench_job job)
{
	struct ref_object *o = ref_new();

	(void)job;
	o->node.counts = 1;
	bench_ref_hot.current.node = &o->node;
}

static uint64_t bare_end(enum bench_job job)
{
	(void)job;
	free(bench_ref_hot.current.node);
	bench_ref_hot.current.node = NULL;
	return 0;
}

const struct bench_scheme bench_bare_refs = {
	.name = "bare count",
	.kind = BENCH_BARE,
	.version = "",
	.begin = bare_begin,
	.end = bare_end,
	.body = {
		[BENCH_LOAD] = bare_ref_load,
		[BENCH_LOAD_GUARD] = bare_ref_guarded,
		[BENCH_STORE] = bare_ref_store,
	},
};
