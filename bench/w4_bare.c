/* SPDX-License-Identifier: MIT */
/*
 * bench/w4_bare.c - the list of W4 without protection
 *
 * One thread alone frees what it removed in batches as large as the library's.
 * More threads may not free anything while another one walks: they keep it
 * until all have ended.
 */
#include "ours.h"

#include <pthread.h>

struct list_node {
	uintptr_t next;
	uint64_t key;
	struct list_node *limbo;
	char room[BENCH_OBJECT - 24];
};

struct list_guards {
	bool lean;
};

static __thread struct {
	struct list_node *first;
	struct list_node **end;
	unsigned n, most;
} limbo;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list_node *left_over; /* of threads that have ended */

static void limbo_free(struct list_node *node);

bench_inline uintptr_t list_take(struct list_guards *g, const uintptr_t *link)
{
	(void)g;
	return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}

bench_inline void list_step(struct list_guards *g)
{
	(void)g;
}

bench_inline void list_skip(struct list_guards *g)
{
	(void)g;
}

static inline void list_retire(struct list_node *node)
{
	node->limbo = NULL;
	*limbo.end = node;
	limbo.end = &node->limbo;
	if (++limbo.n < limbo.most)
		return;
	limbo_free(limbo.first);
	limbo.end = &limbo.first;
	limbo.n = 0;
}

bench_inline bool list_still(struct list_guards *g, const uintptr_t *link,
			     uintptr_t word)
{
	return g->lean || __atomic_load_n(link, __ATOMIC_ACQUIRE) == word;
}

#include "list.h"

static uintptr_t list __attribute__((__aligned__(128)));

static void limbo_free(struct list_node *node)
{
	while (node) {
		struct list_node *next = node->limbo;

		free(node);
		node = next;
	}
}

static void limbo_begin(const struct bench_task *t)
{
	if (!limbo.n)
		limbo.end = &limbo.first;
	limbo.most = t->threads == 1 ? bench_batch : UINT32_MAX;
}

uint64_t bare_list(struct bench_task *t)
{
	struct list_guards g = { .lean = false };
	uint64_t n;

	limbo_begin(t);
	BENCH_LOOP(t, n)
		list_operation(&list, &g, t);
	return n;
}

uint64_t bare_list_lean(struct bench_task *t)
{
	struct list_guards g = { .lean = true };
	uint64_t n;

	limbo_begin(t);
	BENCH_LOOP(t, n)
		list_operation(&list, &g, t);
	return n;
}

void bare_list_begin(void)
{
	list_fill(&list);
}

void bare_list_end(void)
{
	list_empty(&list);
	limbo_free(left_over);
	left_over = NULL;
}

void bare_list_leave(void)
{
	if (!limbo.n)
		return;
	pthread_mutex_lock(&lock);
	*limbo.end = left_over;
	left_over = limbo.first;
	pthread_mutex_unlock(&lock);
}
