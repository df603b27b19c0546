/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_ck.c - Concurrency Kit's hazard pointers, ck_hp
 *
 * As ck_hp_stack.h and ck_hp_fifo.h use them: ck_hp_set_fence(), look again,
 * ck_hp_set(NULL) at the end; ck_hp_free(), which reclaims at the threshold. The
 * threshold is the number of objects that ours reclaims at once.
 */
#include "bench.h"

#ifdef BENCH_CK

#include "crowd.h"

#include <ck_hp.h>
#include <pthread.h>
#include <stdlib.h>

#define DEGREE 3

struct object {
	uint64_t value;
	ck_hp_hazard_t hazard;
	char room[BENCH_OBJECT - 8 - sizeof(ck_hp_hazard_t)];
};

static struct object *hot __attribute__((__aligned__(128)));

static ck_hp_t hp __attribute__((__aligned__(128)));
static __thread ck_hp_record_t *mine;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t peak;

static struct object *object_new(void)
{
	struct object *o = bench_alloc(sizeof(*o));

	o->value = 1;
	return o;
}

static inline void *protect(ck_hp_record_t *record, unsigned i,
			    void *const *source)
{
	void *p;

	do {
		p = ck_pr_load_ptr(source);
		ck_hp_set_fence(record, i, p);
	} while (ck_pr_load_ptr(source) != p);
	return p;
}

static inline void retire(ck_hp_record_t *record, struct object *o)
{
	ck_hp_free(record, &o->hazard, o, o);
}

static inline void replace(ck_hp_record_t *record)
{
	struct object *o = object_new();

	ck_pr_fence_store();
	retire(record, ck_pr_fas_ptr(&hot, o));
}

static void ck_replace(void)
{
	replace(mine);
}

static uint64_t ck_read(struct bench_task *t)
{
	ck_hp_record_t *record = mine;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct object *o = protect(record, 0, (void *const *)&hot);

		bench_use(o->value);
		ck_hp_set(record, 0, NULL);
	}
	return n;
}

bench_inline struct bench_link **step(ck_hp_record_t *record, unsigned i,
				      struct bench_link **source)
{
	struct bench_link *link = protect(record, i, (void *const *)source);

	bench_use(link->value);
	return &link->next;
}

static uint64_t ck_chain(struct bench_task *t)
{
	struct bench_link **source = &bench_chain;
	ck_hp_record_t *record = mine;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		source = step(record, 0, source);
		source = step(record, 1, source);
	}
	ck_hp_clear(record);
	return 2 * n;
}

static uint64_t ck_churn(struct bench_task *t)
{
	ck_hp_record_t *record = mine;
	uint64_t n;

	BENCH_LOOP(t, n)
	retire(record, object_new());
	return n;
}

static uint64_t ck_flat(struct bench_task *t)
{
	ck_hp_record_t *record = mine;
	uint64_t n;

	BENCH_LOOP(t, n)
	replace(record);
	return n;
}

static uint64_t ck_look(struct bench_task *t)
{
	struct object *o = protect(mine, 0, (void *const *)&hot);

	(void)t;
	bench_use(o->value);
	ck_hp_set(mine, 0, NULL);
	return 1;
}

static uint64_t ck_sleep(struct bench_task *t)
{
	struct object *o = protect(mine, 0, (void *const *)&hot);

	bench_nap(t);
	bench_use(o->value);
	ck_hp_set(mine, 0, NULL);
	return 1;
}

/* The library has no call for one object: reclaim until nothing is left. */
static inline void retire_and_wait(struct object *o)
{
	ck_hp_retire(mine, &o->hazard, o, o);
	do
		ck_hp_reclaim(mine);
	while (mine->n_pending);
}

static uint64_t ck_await(struct bench_task *t)
{
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		struct object *o = object_new();

		ck_pr_fence_store();
		retire_and_wait(ck_pr_fas_ptr(&hot, o));
	}
	return n;
}

static uint64_t ck_scan(struct bench_task *t)
{
	double start;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		struct object *o = object_new();

		start = bench_now();
		ck_pr_fence_memory();
		retire_and_wait(o);
		t->own += bench_now() - start;
	}
	return n;
}

#define pair_object struct object
#define pair_new object_new

static inline void pair_retire(struct object *o)
{
	retire(mine, o);
}

#include "pair.h"

struct list_node {
	uintptr_t next;
	uint64_t key;
	ck_hp_hazard_t hazard;
	char room[BENCH_OBJECT - 16 - sizeof(ck_hp_hazard_t)];
};

struct list_guards {
	ck_hp_record_t *record;
	unsigned prev, current, next;
};

bench_inline uintptr_t list_take(struct list_guards *g, const uintptr_t *link)
{
	uintptr_t word;

	do {
		word = (uintptr_t)ck_pr_load_ptr(link);
		ck_hp_set_fence(g->record, g->next,
				(void *)(word & ~(uintptr_t)1));
	} while ((uintptr_t)ck_pr_load_ptr(link) != word);
	return word;
}

bench_inline void list_step(struct list_guards *g)
{
	unsigned prev = g->prev;

	g->prev = g->current;
	g->current = g->next;
	g->next = prev;
}

bench_inline void list_skip(struct list_guards *g)
{
	unsigned current = g->current;

	g->current = g->next;
	g->next = current;
}

bench_inline bool list_still(struct list_guards *g, const uintptr_t *link,
			     uintptr_t word)
{
	(void)g;
	return (uintptr_t)ck_pr_load_ptr(link) == word;
}

static inline void list_retire(struct list_node *node)
{
	ck_hp_free(mine, &node->hazard, node, node);
}

#include "list.h"

static uintptr_t list __attribute__((__aligned__(128)));

static uint64_t ck_list(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct list_guards g = { mine, 0, 1, 2 };

		list_operation(&list, &g, t);
		ck_hp_clear(mine);
	}
	return n;
}

static void ck_init(void)
{
	ck_hp_init(&hp, DEGREE, bench_batch, free);
}

static void ck_begin(enum bench_job job)
{
	peak = 0;
	ck_hp_set_threshold(&hp, bench_batch);
	hot = object_new();
	if (job == BENCH_LIST)
		list_fill(&list);
}

static uint64_t ck_end(enum bench_job job)
{
	free(hot);
	pair_empty();
	if (job == BENCH_LIST)
		list_empty(&list);
	return peak;
}

static void ck_enter(void)
{
	void **pointers;

	pthread_mutex_lock(&lock);
	mine = ck_hp_recycle(&hp);
	if (!mine) {
		mine = aligned_alloc(CK_MD_CACHELINE, sizeof(*mine));
		pointers = aligned_alloc(CK_MD_CACHELINE, CK_MD_CACHELINE);
		if (!mine || !pointers)
			abort();
		ck_hp_register(&hp, mine, pointers);
	}
	pthread_mutex_unlock(&lock);
	mine->n_peak = 0;
}

static void ck_leave(void)
{
	ck_hp_clear(mine);
	ck_hp_purge(mine);
	pthread_mutex_lock(&lock);
	peak += mine->n_peak;
	ck_hp_unregister(mine);
	pthread_mutex_unlock(&lock);
}

const struct bench_scheme bench_ck = {
	.name = "ConcurrencyKit",
	.version = CK_VERSION,
	.init = ck_init,
	.begin = ck_begin,
	.end = ck_end,
	.enter = ck_enter,
	.leave = ck_leave,
	.replace = ck_replace,
	.body = {
		[BENCH_READ] = ck_read,
		[BENCH_CHAIN] = ck_chain,
		[BENCH_CHURN] = ck_churn,
		[BENCH_FLAT] = ck_flat,
		[BENCH_LIST] = ck_list,
		[BENCH_LOOK] = ck_look,
		[BENCH_SLEEP] = ck_sleep,
		[BENCH_STALLED] = bench_stalled,
		[BENCH_AWAIT] = ck_await,
		[BENCH_SCAN] = ck_scan,
		[BENCH_START] = bench_start_exit,
		[BENCH_CONSUME] = pair_consume,
		[BENCH_PRODUCE] = pair_produce,
		[BENCH_BYTES_THREAD] = bench_bytes_thread,
	},
};

#else

const struct bench_scheme bench_ck = { .name = "ConcurrencyKit" };

#endif
