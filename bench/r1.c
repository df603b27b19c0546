/* SPDX-License-Identifier: MIT */
/*
 * bench/r1.c - what a reference costs, each time it is loaded
 *
 * R1: a counted reference: load, dereference, drop. The baseline counts up and
 * down and protects nothing: who loads has to own a reference already. The
 * floor is the same under a guard: two stores more, each of which an atomic
 * read-modify-write has to wait for. R1t: a thread-shared pointer, beside a
 * guard on the same node. R1w: both, and the peers, beside a writer that
 * stores a new node every 100 us.
 */
#define _GNU_SOURCE
#include "refs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

uint64_t bare_ref_load(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_shared_node *node;

		node = __atomic_load_n(&bench_ref_hot.current.node,
				       __ATOMIC_ACQUIRE);
		__atomic_fetch_add(&node->counts, 1, __ATOMIC_RELAXED);
		bench_use(ref_object_of(node)->value);
		__atomic_fetch_sub(&node->counts, 1, __ATOMIC_RELEASE);
	}
	return n;
}

uint64_t bare_ref_guarded(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_shared_node *node;
		HAZPTR_GUARD(guard);

		node = hazptr_protect(&guard, &bench_ref_hot.current.node);
		if (!node)
			break;
		__atomic_fetch_add(&node->counts, 1, __ATOMIC_RELAXED);
		hazptr_release(&guard);
		bench_use(ref_object_of(node)->value);
		__atomic_fetch_sub(&node->counts, 1, __ATOMIC_RELEASE);
	}
	return n;
}

uint64_t refs_guard(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_shared_node *node;
		HAZPTR_GUARD(guard);

		node = hazptr_protect(&guard, &bench_ref_hot.current.node);
		bench_use(ref_object_of(node)->value);
	}
	return n;
}

uint64_t refs_load(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_shared sp;

		sp = hazptr_sync_shared_load(&bench_ref_hot.current);
		bench_use(ref_object_of(sp.node)->value);
		hazptr_shared_drop(&sp);
	}
	return n;
}

uint64_t refs_thread(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
		struct hazptr_shared_node *node;

		node = hazptr_thread_shared_load(&ts, &bench_ref_hot.current);
		bench_use(ref_object_of(node)->value);
		hazptr_thread_shared_drop(&ts);
	}
	return n;
}

/* From a shared pointer that the thread has: no source to look at again. */
uint64_t refs_borrow(struct bench_task *t)
{
	struct hazptr_shared sp;
	uint64_t n;

	sp = hazptr_sync_shared_load(&bench_ref_hot.current);
	BENCH_LOOP(t, n)
	{
		struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
		struct hazptr_shared_node *node;

		node = hazptr_thread_shared_borrow(&ts, sp);
		bench_use(ref_object_of(node)->value);
		hazptr_thread_shared_drop(&ts);
	}
	hazptr_shared_drop(&sp);
	return n;
}

uint64_t refs_to_shared(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
		struct hazptr_shared sp;

		hazptr_thread_shared_load(&ts, &bench_ref_hot.current);
		sp = hazptr_thread_shared_to_shared(&ts);
		hazptr_thread_shared_drop(&ts);
		bench_use(ref_object_of(sp.node)->value);
		hazptr_shared_drop(&sp);
	}
	return n;
}

enum { BARE, FLOOR, COUNTED, COUNTED_SO, URCU, STD, BOOST };

static const struct bench_row r1_rows[] = {
	[BARE] = BENCH_ROW("bare count, up and down", bare_refs, LOAD),
	[FLOOR] = BENCH_ROW("the same under a guard", bare_refs, LOAD_GUARD),
	[COUNTED] = BENCH_ROW("hazptr, sync_shared_load", refs, LOAD),
	[COUNTED_SO] = BENCH_ROW_SO("hazptr (.so)", refs, LOAD),
	[URCU] = BENCH_ROW("liburcu-memb + urcu_ref", urcu_refs, LOAD),
	[STD] = BENCH_ROW("std::atomic<shared_ptr>", std, LOAD),
	[BOOST] = BENCH_ROW("boost::atomic_shared_ptr", boost, LOAD),
};

#define FASTER_THAN_STD(times, how)                                          \
	{                                                                    \
		.row = STD, .threads = times, .base = COUNTED, .limit = how, \
		.at_least = true                                             \
	}

static const struct bench_target r1_targets[] = {
	FASTER_THAN_STD(1, 1.5),
	FASTER_THAN_STD(2, 2.0),
	{ .row = COUNTED, .threads = 1, .base = URCU, .limit = 1.0 },
	{ .row = COUNTED_SO, .threads = 1, .base = URCU, .limit = 1.0 },
};

struct bench_table bench_r1 = {
	.name = "R1",
	.title = "counted load + dereference + drop of one hot node",
	.rows = r1_rows,
	.nrows = BENCH_COUNT(r1_rows),
	.base = BARE,
	.targets = r1_targets,
	.ntargets = BENCH_COUNT(r1_targets),
	.contend = true,
};

/*
 * What is not to be written stands on a page that cannot be written. Nobody
 * holds anything for long here, so no count has to be given to anybody.
 */
struct page {
	struct hazptr_sync_shared current;
	struct ref_object object __attribute__((__aligned__(64)));
};

#define LOOKS 100000

static void stays(struct hazptr_shared_node *node)
{
	(void)node;
}

static void fault(int signal)
{
	static const char text[] = "hazptr-bench: a thread-shared pointer "
				   "wrote to its node or its source\n";

	(void)signal;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

static void look_often(const struct page *page)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	for (int i = 0; i < LOOKS; i++) {
		struct hazptr_shared_node *node;

		node = hazptr_thread_shared_load(&ts, &page->current);
		bench_use(ref_object_of(node)->value);
		hazptr_thread_shared_drop(&ts);
	}
}

static bool write_protect(struct page *page, size_t size, int protection)
{
	return !mprotect(page, size, protection);
}

/* Ends the program when a shared line is written. */
static void r1t_prepare(struct bench_table *t)
{
	struct hazptr_promotion_stats before = { .size = sizeof(before) };
	struct hazptr_promotion_stats after = { .size = sizeof(after) };
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct sigaction faults = { .sa_handler = fault }, old;
	struct hazptr_shared sp;
	struct page *page;

	page = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return;
	sp = hazptr_shared_create(&page->object.node, stays);
	hazptr_sync_shared_store(&page->current, &sp);
	hazptr_thread_shared_set_max_age_ms(0);
	hazptr_thread_shared_stats(&before);
	sigaction(SIGSEGV, &faults, &old);
	if (write_protect(page, size, PROT_READ)) {
		look_often(page);
		hazptr_thread_shared_stats(&after);
		if (after.fallen_back == before.fallen_back)
			t->note = "writes neither node nor source: checked";
	}
	if (!write_protect(page, size, PROT_READ | PROT_WRITE))
		exit(1);
	sigaction(SIGSEGV, &old, NULL);
	hazptr_thread_shared_set_max_age_ms(10);
	hazptr_sync_shared_drop(&page->current);
	hazptr_barrier(NULL);
	munmap(page, size);
}

enum { GUARD, THREAD, GUARD_SO, THREAD_SO, BORROW, TO_SHARED };

static const struct bench_row r1t_rows[] = {
	[GUARD] = BENCH_ROW("hazptr, fresh guard", refs, READ),
	[THREAD] = BENCH_ROW("hazptr, thread_shared_load", refs, THREAD),
	[GUARD_SO] = BENCH_ROW_SO("hazptr (.so), fresh guard", refs, READ),
	[THREAD_SO] = BENCH_ROW_SO("hazptr (.so), thread_shared", refs, THREAD),
	[BORROW] = BENCH_ROW("hazptr, thread_shared_borrow", refs, BORROW),
	[TO_SHARED] = BENCH_ROW("hazptr, ... to_shared, drop", refs, TO_SHARED),
};

static const struct bench_target r1t_targets[] = {
	{ .row = THREAD, .base = GUARD, .limit = 2.0 },
	{ .row = THREAD_SO, .base = GUARD_SO, .limit = 2.0 },
};

struct bench_table bench_r1t = {
	.name = "R1t",
	.title = "thread_shared load + dereference + drop of one hot node",
	.rows = r1t_rows,
	.nrows = BENCH_COUNT(r1t_rows),
	.base = GUARD,
	.targets = r1t_targets,
	.ntargets = BENCH_COUNT(r1t_targets),
	.prepare = r1t_prepare,
};

#define PACED(by, does)                                                     \
	{                                                                   \
		.name = "... with a writer", .scheme = &bench_##by,         \
		.job = BENCH_##does, .helped = true, .helper = BENCH_PACED, \
		.pair = true                                                \
	}

enum { W_GUARD, W_GUARD_PACED, W_THREAD, W_THREAD_PACED };

static const struct bench_row r1w_rows[] = {
	[W_GUARD] = BENCH_ROW("hazptr, fresh guard", refs, READ),
	[W_GUARD_PACED] = PACED(refs, READ),
	[W_THREAD] = BENCH_ROW("hazptr, thread_shared_load", refs, THREAD),
	[W_THREAD_PACED] = PACED(refs, THREAD),
	BENCH_ROW("hazptr, sync_shared_load", refs, LOAD),
	PACED(refs, LOAD),
	BENCH_ROW("liburcu-memb + urcu_ref", urcu_refs, LOAD),
	PACED(urcu_refs, LOAD),
	BENCH_ROW("std::atomic<shared_ptr>", std, LOAD),
	PACED(std, LOAD),
	BENCH_ROW("boost::atomic_shared_ptr", boost, LOAD),
	PACED(boost, LOAD),
};

static const struct bench_target r1w_targets[] = {
	{ .row = W_THREAD_PACED, .base = W_THREAD, .limit = 1.2 },
};

struct bench_table bench_r1w = {
	.name = "R1w",
	.title = "one reader, and a writer that stores a node every 100 us",
	.rows = r1w_rows,
	.nrows = BENCH_COUNT(r1w_rows),
	.base = W_GUARD,
	.targets = r1w_targets,
	.ntargets = BENCH_COUNT(r1w_targets),
	.threads = 1,
	.note = "with a writer: to the same alone",
};
