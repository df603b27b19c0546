/* SPDX-License-Identifier: MIT */
/*
 * bench/w4.c - a sorted list, 90 % look up, 5 % insert, 5 % remove
 *
 * Three guards walk hand over hand: previous, current, next. They are taken
 * afresh for each operation, as a library of containers would; or a thread
 * keeps them from one operation to the next. W4: 100 nodes, 6 KiB, which any
 * first-level cache holds; W4k: 1,000.
 */
#include "ours.h"

struct list_node {
	uintptr_t next;
	uint64_t key;
	struct hazptr_head head;
	char room[BENCH_OBJECT - 16 - sizeof(struct hazptr_head)];
};

struct list_guards {
	struct hazptr_guard *prev, *current, *next;
};

bench_inline uintptr_t list_take(struct list_guards *g, const uintptr_t *link)
{
	return hazptr_protect_tagged(g->next, link, 1);
}

bench_inline void list_step(struct list_guards *g)
{
	struct hazptr_guard *prev = g->prev;

	g->prev = g->current;
	g->current = g->next;
	g->next = prev;
}

bench_inline void list_skip(struct list_guards *g)
{
	struct hazptr_guard *current = g->current;

	g->current = g->next;
	g->next = current;
}

bench_inline bool list_still(struct list_guards *g, const uintptr_t *link,
			     uintptr_t word)
{
	(void)g;
	return __atomic_load_n(link, __ATOMIC_ACQUIRE) == word;
}

static inline void list_retire(struct list_node *node)
{
	hazptr_retire_free(NULL, node, head);
}

#include "list.h"

static uintptr_t list __attribute__((__aligned__(128)));

uint64_t ours_list(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		HAZPTR_GUARD(a);
		HAZPTR_GUARD(b);
		HAZPTR_GUARD(c);
		struct list_guards g = { &a, &b, &c };

		list_operation(&list, &g, t);
	}
	return n;
}

uint64_t ours_list_kept(struct bench_task *t)
{
	HAZPTR_GUARD(a);
	HAZPTR_GUARD(b);
	HAZPTR_GUARD(c);
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct list_guards g = { &a, &b, &c };

		list_operation(&list, &g, t);
	}
	return n;
}

void ours_list_begin(void)
{
	list_fill(&list);
}

void ours_list_end(void)
{
	list_empty(&list);
}

enum { BARE, LEAN, OURS, OURS_KEPT, URCU, QSBR, MB, BP, CK, CDS };

static const struct bench_row w4_rows[] = {
	[BARE] = BENCH_ROW("unprotected, the same code", bare, LIST),
	[LEAN] = BENCH_ROW("unprotected, no second look", bare, LIST_LEAN),
	[OURS] = BENCH_ROW("hazptr, three fresh guards", hazptr, LIST),
	[OURS_KEPT] = BENCH_ROW("hazptr, three guards kept", hazptr, LIST_KEPT),
	[URCU] = BENCH_ROW("liburcu-memb, no second look", urcu_memb, LIST),
	[QSBR] = BENCH_ROW("liburcu-qsbr, no second look", urcu_qsbr, LIST),
	[MB] = BENCH_ROW("liburcu-mb, no second look", urcu_mb, LIST),
	[BP] = BENCH_ROW("liburcu-bp, no second look", urcu_bp, LIST),
	[CK] = BENCH_ROW("ck_hp", ck, LIST),
	[CDS] = BENCH_ROW("libcds HP", cds, LIST),
};

static const struct bench_target w4_targets[] = {
	{ .row = OURS, .threads = 1, .base = BARE, .limit = 1.1 },
};

#define W4(called, n, text)                                                 \
	{                                                                   \
		.name = called,                                             \
		.title = "sorted list of " text " nodes, 90/5/5, hand "     \
			 "over hand",                                       \
		.rows = w4_rows, .nrows = BENCH_COUNT(w4_rows),             \
		.targets = w4_targets, .ntargets = BENCH_COUNT(w4_targets), \
		.nodes = n, .note = "with two threads it frees nothing",    \
	}

struct bench_table bench_w4 = W4("W4", 100, "100");
struct bench_table bench_w4k = W4("W4k", 1000, "1,000");
