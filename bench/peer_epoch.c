/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_epoch.c - Concurrency Kit's epochs, ck_epoch
 *
 * ck_epoch_call() for each object, and ck_epoch_poll() with every batch of as
 * many as ours reclaims at once. A reader that sleeps in its section keeps
 * everything alive, so the guarantee is weaker than ours.
 */
#include "bench.h"

#ifdef BENCH_CK

#include <ck_epoch.h>
#include <pthread.h>
#include <stdlib.h>

struct object {
	uint64_t value;
	ck_epoch_entry_t entry;
	char room[BENCH_OBJECT - 8 - sizeof(ck_epoch_entry_t)];
};

static struct object *hot __attribute__((__aligned__(128)));
static ck_epoch_t epoch __attribute__((__aligned__(128)));
static __thread ck_epoch_record_t *mine;
static __thread unsigned since, most;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t peak;

static void entry_free(ck_epoch_entry_t *entry)
{
	free((char *)entry - offsetof(struct object, entry));
}

static struct object *object_new(void)
{
	struct object *o = bench_alloc(sizeof(*o));

	o->value = 1;
	return o;
}

static inline void retire(struct object *o)
{
	ck_epoch_call(mine, &o->entry, entry_free);
	if (++since < bench_batch)
		return;
	since = 0;
	most = mine->n_pending > most ? mine->n_pending : most;
	ck_epoch_poll(mine);
}

static inline void replace(void)
{
	struct object *o = object_new();

	ck_pr_fence_store();
	retire(ck_pr_fas_ptr(&hot, o));
}

static void epoch_replace(void)
{
	replace();
}

static uint64_t epoch_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct object *o;

		ck_epoch_begin(mine, NULL);
		o = ck_pr_load_ptr(&hot);
		bench_use(o->value);
		ck_epoch_end(mine, NULL);
	}
	return n;
}

static uint64_t epoch_churn(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	retire(object_new());
	return n;
}

static uint64_t epoch_flat(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	replace();
	return n;
}

static uint64_t epoch_sleep(struct bench_task *t)
{
	struct object *o;

	ck_epoch_begin(mine, NULL);
	o = ck_pr_load_ptr(&hot);
	bench_nap(t);
	bench_use(o->value);
	ck_epoch_end(mine, NULL);
	return 1;
}

static void epoch_init(void)
{
	ck_epoch_init(&epoch);
}

static void epoch_begin(enum bench_job job)
{
	(void)job;
	peak = 0;
	hot = object_new();
}

static uint64_t epoch_end(enum bench_job job)
{
	free(hot);
	if (job == BENCH_STALLED)
		bench_memory_trim();
	return peak;
}

static void epoch_enter(void)
{
	pthread_mutex_lock(&lock);
	mine = ck_epoch_recycle(&epoch, NULL);
	if (!mine) {
		mine = aligned_alloc(CK_MD_CACHELINE, sizeof(*mine));
		if (!mine)
			abort();
		ck_epoch_register(&epoch, mine, NULL);
	}
	pthread_mutex_unlock(&lock);
	most = 0;
}

static void epoch_leave(void)
{
	ck_epoch_barrier(mine);
	pthread_mutex_lock(&lock);
	peak += most;
	ck_epoch_unregister(mine);
	pthread_mutex_unlock(&lock);
}

const struct bench_scheme bench_epoch = {
	.name = "ck_epoch",
	.kind = BENCH_WEAKER,
	.version = CK_VERSION,
	.init = epoch_init,
	.begin = epoch_begin,
	.end = epoch_end,
	.enter = epoch_enter,
	.leave = epoch_leave,
	.replace = epoch_replace,
	.body = {
		[BENCH_READ] = epoch_read,
		[BENCH_CHURN] = epoch_churn,
		[BENCH_FLAT] = epoch_flat,
		[BENCH_SLEEP] = epoch_sleep,
		[BENCH_STALLED] = bench_stalled,
	},
};

#else

const struct bench_scheme bench_epoch = { .name = "ck_epoch" };

#endif
