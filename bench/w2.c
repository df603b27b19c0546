/* SPDX-License-Identifier: MIT */
/*
 * bench/w2.c - readers beside a writer
 *
 * W2: a writer replaces the object every 100 us; each row with a writer is
 * compared with the same readers alone, above it. W2 flat out: how many
 * objects a second one writer allocates, stores and retires beside one reader.
 */
#include "ours.h"

#include <stdlib.h>

#define BARE_RING 1024

static struct hazptr_domain *updates; /* NULL: the default one */

/*
 * The baseline frees nothing that was ever published, for its readers are not
 * protected: what it stores stands in a ring, and beside each store it
 * allocates an object, and frees them in batches as large as the library's.
 */
static struct ours_object bare_object[BARE_RING];
static unsigned bare_next;

void bare_replace(void)
{
	struct ours_object *o = &bare_object[bare_next++ % BARE_RING];

	o->value = 1;
	(void)__atomic_exchange_n(&bench_hot.object, o, __ATOMIC_ACQ_REL);
}

static void free_line(struct hazptr_head *head)
{
	while (head) {
		struct hazptr_head *next = head->next;

		ours_free(head);
		head = next;
	}
}

uint64_t bare_flat(struct bench_task *t)
{
	struct hazptr_head *line = NULL;
	unsigned length = 0;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct ours_object *o = ours_new();

		bare_replace();
		o->head.next = line;
		line = &o->head;
		if (++length < bench_batch)
			continue;
		free_line(line);
		line = NULL;
		length = 0;
	}
	free_line(line);
	return n;
}

static inline void replace(struct hazptr_domain *domain)
{
	struct ours_object *o = ours_new();

	o = __atomic_exchange_n(&bench_hot.object, o, __ATOMIC_ACQ_REL);
	hazptr_retire_free(domain, o, head);
}

void ours_replace(void)
{
	replace(updates);
}

uint64_t ours_flat(struct bench_task *t)
{
	struct hazptr_domain *domain = updates;
	uint64_t n;

	BENCH_LOOP(t, n)
	replace(domain);
	return n;
}

/* A domain for each measurement, so that its peak is that one's. */
void ours_flat_begin(void)
{
	if (hazptr_domain_create(&updates, NULL))
		abort();
}

uint64_t ours_flat_end(void)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_domain_stats(updates, &stats);
	hazptr_domain_destroy(updates);
	updates = NULL;
	return stats.pending_peak;
}

enum {
	BARE,
	BARE_PACED,
	OURS,
	OURS_PACED,
	URCU,
	URCU_PACED,
	QSBR,
	QSBR_PACED,
	MB,
	MB_PACED,
	BP,
	BP_PACED,
	EPOCH,
	EPOCH_PACED,
	CK,
	CK_PACED,
	CDS,
	CDS_PACED,
	MUTEX,
	MUTEX_PACED,
	RWLOCK,
	RWLOCK_PACED
};

#define PACED(by)                                                         \
	{                                                                 \
		.name = "... with a writer", .scheme = &bench_##by,       \
		.job = BENCH_READ, .helped = true, .helper = BENCH_PACED, \
		.pair = true                                              \
	}

static const struct bench_row w2_rows[] = {
	[BARE] = BENCH_ROW("unprotected", bare, READ),
	[BARE_PACED] = PACED(bare),
	[OURS] = BENCH_ROW("hazptr, fresh guard", hazptr, READ),
	[OURS_PACED] = PACED(hazptr),
	[URCU] = BENCH_ROW("liburcu-memb, inlined", urcu_memb, READ),
	[URCU_PACED] = PACED(urcu_memb),
	[QSBR] = BENCH_ROW("liburcu-qsbr", urcu_qsbr, READ),
	[QSBR_PACED] = PACED(urcu_qsbr),
	[MB] = BENCH_ROW("liburcu-mb, inlined", urcu_mb, READ),
	[MB_PACED] = PACED(urcu_mb),
	[BP] = BENCH_ROW("liburcu-bp, inlined", urcu_bp, READ),
	[BP_PACED] = PACED(urcu_bp),
	[EPOCH] = BENCH_ROW("ck_epoch", epoch, READ),
	[EPOCH_PACED] = PACED(epoch),
	[CK] = BENCH_ROW("ck_hp", ck, READ),
	[CK_PACED] = PACED(ck),
	[CDS] = BENCH_ROW("libcds HP, fresh guard", cds, READ),
	[CDS_PACED] = PACED(cds),
	[MUTEX] = BENCH_ROW("pthread mutex", mutex, READ),
	[MUTEX_PACED] = PACED(mutex),
	[RWLOCK] = BENCH_ROW("pthread rwlock", rwlock, READ),
	[RWLOCK_PACED] = PACED(rwlock),
};

static const struct bench_target w2_targets[] = {
	{ .row = OURS_PACED, .base = OURS, .limit = 1.1 },
};

struct bench_table bench_w2 = {
	.name = "W2",
	.title = "one reader, and a writer that stores every 100 us",
	.rows = w2_rows,
	.nrows = BENCH_COUNT(w2_rows),
	.targets = w2_targets,
	.ntargets = BENCH_COUNT(w2_targets),
	.threads = 1,
	.note = "with a writer: to the same alone",
};

enum {
	FLAT_BARE,
	FLAT,
	FLAT_CK,
	FLAT_CDS,
	FLAT_MEMB,
	FLAT_QSBR,
	FLAT_MB,
	FLAT_BP,
	FLAT_MEMB_DEFER,
	FLAT_QSBR_DEFER,
	FLAT_MB_DEFER,
	FLAT_BP_DEFER,
	FLAT_EPOCH
};

#define BESIDE(called, by)                                                \
	{                                                                 \
		.name = called, .scheme = &bench_##by, .job = BENCH_FLAT, \
		.helped = true, .helper = BENCH_READ                      \
	}

static const struct bench_row w2f_rows[] = {
	[FLAT_BARE] = BESIDE("unprotected", bare),
	[FLAT] = BESIDE("hazptr, retire_free", hazptr),
	[FLAT_CK] = BESIDE("ck_hp", ck),
	[FLAT_CDS] = BESIDE("libcds HP", cds),
	[FLAT_MEMB] = BESIDE("liburcu-memb, call_rcu", urcu_memb),
	[FLAT_QSBR] = BESIDE("liburcu-qsbr, call_rcu", urcu_qsbr),
	[FLAT_MB] = BESIDE("liburcu-mb, call_rcu", urcu_mb),
	[FLAT_BP] = BESIDE("liburcu-bp, call_rcu", urcu_bp),
	[FLAT_MEMB_DEFER] = BESIDE("liburcu-memb, defer_rcu", defer_memb),
	[FLAT_QSBR_DEFER] = BESIDE("liburcu-qsbr, defer_rcu", defer_qsbr),
	[FLAT_MB_DEFER] = BESIDE("liburcu-mb, defer_rcu", defer_mb),
	[FLAT_BP_DEFER] = BESIDE("liburcu-bp, defer_rcu", defer_bp),
	[FLAT_EPOCH] = BESIDE("ck_epoch", epoch),
};

static const struct bench_target w2f_targets[] = {
	{ .row = FLAT, .base = FLAT_CK, .limit = 1.5, .at_least = true },
	{ .row = FLAT, .base = FLAT_CDS, .limit = 1.5, .at_least = true },
};

struct bench_table bench_w2f = {
	.name = "W2f",
	.title = "a writer that stores and retires flat out beside one reader",
	.unit = BENCH_RATE,
	.rows = w2f_rows,
	.nrows = BENCH_COUNT(w2f_rows),
	.targets = w2f_targets,
	.ntargets = BENCH_COUNT(w2f_targets),
	.threads = 1,
	.peak = true,
};
