/* SPDX-License-Identifier: MIT */
/*
 * bench/w3.c - what an object's end costs: allocate, retire, reclaim
 *
 * The baseline is malloc and free. How dear free() is depends on the order:
 * what was allocated last is still at hand. So the baseline allocates a batch
 * as large as those that the library reclaims, and frees it in the library's
 * order, which is found out first; the other orders are shown beside it.
 *
 * CPU time of the whole process, the library's or the peer's own threads and
 * the last reclamation included.
 */
#include "ours.h"

#include <stdio.h>
#include <stdlib.h>

#define SURVEY 16384

static struct hazptr_domain *domain;

static inline struct hazptr_head *new_head(void)
{
	return &ours_new()->head;
}

uint64_t bare_churn(struct bench_task *t)
{
	unsigned batch = bench_batch;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += batch) {
		struct hazptr_head *first, **end = &first;

		for (unsigned i = 0; i < batch; i++) {
			*end = new_head();
			end = &(*end)->next;
		}
		*end = NULL;
		while (first) {
			struct hazptr_head *head = first;

			first = head->next;
			ours_free(head);
		}
	}
	return n;
}

uint64_t bare_churn_lifo(struct bench_task *t)
{
	unsigned batch = bench_batch;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += batch) {
		struct hazptr_head *top = NULL;

		for (unsigned i = 0; i < batch; i++) {
			struct hazptr_head *head = new_head();

			head->next = top;
			top = head;
		}
		while (top) {
			struct hazptr_head *head = top;

			top = head->next;
			ours_free(head);
		}
	}
	return n;
}

uint64_t bare_churn_one(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct ours_object *o = ours_new();

		bench_use(o);
		free(o);
	}
	return n;
}

uint64_t ours_churn(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct ours_object *o = ours_new();

		hazptr_retire(domain, o, head, ours_free);
	}
	return n;
}

uint64_t ours_churn_free(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct ours_object *o = ours_new();

		hazptr_retire_free(NULL, o, head);
	}
	return n;
}

void ours_churn_begin(void)
{
	struct hazptr_domain_opts opts = {
		.size = sizeof(opts),
		.reclaim = HAZPTR_RECLAIM_INLINE,
		.name = "bench",
	};

	if (hazptr_domain_create(&domain, &opts))
		abort();
}

uint64_t ours_churn_end(void)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_domain_stats(domain, &stats);
	hazptr_domain_destroy(domain);
	return stats.pending_peak;
}

/* What the survey sees: sizes of batches and which way they are walked. */
static struct {
	uint64_t retired; /* so far */
	uint64_t at;	  /* ... when the last object was reclaimed */
	uint64_t last;	  /* its number */
	unsigned batches, reclaimed, up, down;
} survey;

static void survey_one(struct hazptr_head *head)
{
	struct ours_object *o;

	o = (void *)((char *)head - offsetof(struct ours_object, head));
	survey.reclaimed++;
	if (survey.at != survey.retired || survey.reclaimed == 1)
		survey.batches++;
	else if (o->value > survey.last)
		survey.up++;
	else
		survey.down++;
	survey.at = survey.retired;
	survey.last = o->value;
	free(o);
}

enum {
	FIFO,
	LIFO,
	ONE,
	INLINE,
	FREE,
	CK,
	CDS,
	URCU,
	QSBR,
	MB,
	BP,
	URCU_DEFER,
	QSBR_DEFER,
	MB_DEFER,
	BP_DEFER,
	EPOCH
};

/* How large our batches are, and in which order they are freed. */
static void w3_prepare(struct bench_table *t)
{
	static char note[160];
	unsigned in_retire, batches;

	ours_churn_begin();
	for (survey.retired = 0; survey.retired < SURVEY; survey.retired++) {
		struct ours_object *o = ours_new();

		o->value = survey.retired;
		hazptr_retire(domain, o, head, survey_one);
	}
	in_retire = survey.reclaimed;
	batches = survey.batches;
	ours_churn_end();
	if (batches && in_retire / batches >= 2)
		bench_batch = in_retire / batches;
	t->base = survey.down > survey.up ? LIFO : FIFO;
	snprintf(note, sizeof(note), "hazptr reclaims %u at a time",
		 bench_batch);
	t->note = note;
}

static const struct bench_row w3_rows[] = {
	[FIFO] = BENCH_ROW("malloc + free, oldest first", bare, CHURN),
	[LIFO] = BENCH_ROW("malloc + free, last first", bare, CHURN_LIFO),
	[ONE] = BENCH_ROW("malloc + free, one by one", bare, CHURN_ONE),
	[INLINE] = BENCH_ROW("hazptr, retire, INLINE", hazptr, CHURN),
	[FREE] = BENCH_ROW("hazptr, retire_free, default", hazptr, CHURN_FREE),
	[CK] = BENCH_ROW("ck_hp", ck, CHURN),
	[CDS] = BENCH_ROW("libcds HP", cds, CHURN),
	[URCU] = BENCH_ROW("liburcu-memb, call_rcu", urcu_memb, CHURN),
	[QSBR] = BENCH_ROW("liburcu-qsbr, call_rcu", urcu_qsbr, CHURN),
	[MB] = BENCH_ROW("liburcu-mb, call_rcu", urcu_mb, CHURN),
	[BP] = BENCH_ROW("liburcu-bp, call_rcu", urcu_bp, CHURN),
	[URCU_DEFER] = BENCH_ROW("liburcu-memb, defer_rcu", defer_memb, CHURN),
	[QSBR_DEFER] = BENCH_ROW("liburcu-qsbr, defer_rcu", defer_qsbr, CHURN),
	[MB_DEFER] = BENCH_ROW("liburcu-mb, defer_rcu", defer_mb, CHURN),
	[BP_DEFER] = BENCH_ROW("liburcu-bp, defer_rcu", defer_bp, CHURN),
	[EPOCH] = BENCH_ROW("ck_epoch", epoch, CHURN),
};

static const struct bench_target w3_targets[] = {
	{ .row = FREE, .threads = 1, .base = CK, .limit = 1.0 },
	{ .row = FREE, .threads = 2, .base = CK, .limit = 1.0 },
	{ .row = FREE, .threads = 1, .base = URCU, .limit = 0.2 },
	{ .row = FREE, .threads = 2, .base = URCU, .limit = 0.2 },
	{ .row = INLINE, .threads = 1, .base = BENCH_BASE, .limit = 1.5 },
	{ .row = FREE, .threads = 1, .base = BENCH_BASE, .limit = 1.5 },
	{ .row = INLINE,
	  .threads = 2,
	  .base = INLINE,
	  .base_threads = 1,
	  .limit = 1.6 },
	{ .row = FREE,
	  .threads = 2,
	  .base = FREE,
	  .base_threads = 1,
	  .limit = 1.6 },
};

struct bench_table bench_w3 = {
	.name = "W3",
	.title = "allocate + retire + reclaim objects of 64 bytes",
	.unit = BENCH_NS_PROCESS,
	.rows = w3_rows,
	.nrows = BENCH_COUNT(w3_rows),
	.targets = w3_targets,
	.ntargets = BENCH_COUNT(w3_targets),
	.peak = true,
	.prepare = w3_prepare,
};
