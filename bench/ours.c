/* SPDX-License-Identifier: MIT */
/*
 * bench/ours.c - hazptr and the baseline, as the runner sees them
 */
#include "ours.h"

#include <stdlib.h>

#define STRING_(x) #x
#define STRING(x) STRING_(x)

struct ours_hot bench_hot __attribute__((__aligned__(128)));

struct ours_object *ours_new(void)
{
	struct ours_object *o = bench_alloc(sizeof(*o));

	o->value = 1;
	return o;
}

void ours_free(struct hazptr_head *head)
{
	free((char *)head - offsetof(struct ours_object, head));
}

/* Starts the library's thread here, where no processor is chosen for it. */
static void ours_init(void)
{
	struct ours_object *o = ours_new();

	hazptr_retire(NULL, o, head, ours_free);
	hazptr_barrier(NULL);
}

static bool is_scan(enum bench_job job)
{
	return job == BENCH_SCAN || job == BENCH_SCAN_LESS ||
	       job == BENCH_FLUSH;
}

static void ours_begin(enum bench_job job)
{
	bench_hot.object = ours_new();
	if (job == BENCH_CHURN)
		ours_churn_begin();
	else if (job == BENCH_FLAT || job == BENCH_STALLED)
		ours_flat_begin();
	else if (job == BENCH_CONSUME)
		ours_pair_begin();
	else if (is_scan(job))
		ours_scan_begin(job);
	else if (job == BENCH_LIST || job == BENCH_LIST_KEPT)
		ours_list_begin();
}

static uint64_t peak_of(struct hazptr_domain *d)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_barrier(d);
	hazptr_domain_stats(d, &stats);
	return stats.pending_peak;
}

static uint64_t ours_end(enum bench_job job)
{
	free(bench_hot.object);
	bench_hot.object = NULL;
	if (job == BENCH_CHURN)
		return ours_churn_end();
	if (job == BENCH_FLAT || job == BENCH_STALLED)
		return ours_flat_end();
	if (job == BENCH_CONSUME)
		return ours_pair_end();
	if (is_scan(job))
		ours_scan_end();
	if (job == BENCH_LIST || job == BENCH_LIST_KEPT)
		ours_list_end();
	return peak_of(NULL);
}

const struct bench_scheme bench_hazptr = {
	.name = "hazptr",
	.kind = BENCH_OURS,
	.version = STRING(HAZPTR_VERSION_MAJOR) "." STRING(
		HAZPTR_VERSION_MINOR) "." STRING(HAZPTR_VERSION_PATCH),
	.init = ours_init,
	.begin = ours_begin,
	.end = ours_end,
	.replace = ours_replace,
	.body = {
		[BENCH_READ] = ours_read,
		[BENCH_READ_INIT] = ours_read_init,
		[BENCH_READ_KEPT] = ours_read_kept,
		[BENCH_CHAIN] = ours_chain,
		[BENCH_CHURN] = ours_churn,
		[BENCH_CHURN_FREE] = ours_churn_free,
		[BENCH_FLAT] = ours_flat,
		[BENCH_LIST] = ours_list,
		[BENCH_LIST_KEPT] = ours_list_kept,
		[BENCH_LOOK] = ours_look,
		[BENCH_SLEEP] = ours_sleep,
		[BENCH_STALLED] = bench_stalled,
		[BENCH_AWAIT] = ours_await,
		[BENCH_FENCE] = ours_fence,
		[BENCH_SCAN] = ours_scan,
		[BENCH_SCAN_LESS] = ours_scan_less,
		[BENCH_FLUSH] = ours_flush,
		[BENCH_START] = bench_start_exit,
		[BENCH_CONSUME] = ours_consume,
		[BENCH_PRODUCE] = ours_produce,
		[BENCH_BYTES_THREAD] = bench_bytes_thread,
		[BENCH_BYTES_DOMAIN] = ours_bytes_domain,
		[BENCH_BYTES_RETIRED] = ours_bytes_retired,
		[BENCH_BYTES_POINTER] = ours_bytes_pointer,
		[BENCH_BYTES_BUCKET] = ours_bytes_bucket,
	},
};

static void bare_begin(enum bench_job job)
{
	bare_replace();
	if (job == BENCH_LIST || job == BENCH_LIST_LEAN)
		bare_list_begin();
}

static uint64_t bare_end(enum bench_job job)
{
	if (job == BENCH_LIST || job == BENCH_LIST_LEAN)
		bare_list_end();
	if (job == BENCH_CONSUME)
		bare_pair_end();
	return 0;
}

const struct bench_scheme bench_bare = {
	.name = "unprotected",
	.kind = BENCH_BARE,
	.version = "",
	.begin = bare_begin,
	.end = bare_end,
	.leave = bare_list_leave,
	.replace = bare_replace,
	.body = {
		[BENCH_READ] = bare_read,
		[BENCH_CHAIN] = bare_chain,
		[BENCH_CHURN] = bare_churn,
		[BENCH_CHURN_LIFO] = bare_churn_lifo,
		[BENCH_CHURN_ONE] = bare_churn_one,
		[BENCH_FLAT] = bare_flat,
		[BENCH_LIST] = bare_list,
		[BENCH_LIST_LEAN] = bare_list_lean,
		[BENCH_LOOK] = bare_look,
		[BENCH_FENCE] = bare_fence,
		[BENCH_START] = bench_start_exit,
		[BENCH_CONSUME] = bare_consume,
		[BENCH_PRODUCE] = bare_produce,
	},
};
