/* SPDX-License-Identifier: MIT */
/*
 * bench/w10.c - W10: memory
 *
 * What malloc has given out before and after, divided by how many there are.
 * Threads are started in a child of a fork, for records are never given back;
 * what malloc and the C library need for a thread is there before. Of an
 * object that is retired: the mean over objects of 8 to 128 bytes, since
 * malloc rounds, less the objects themselves.
 */
#define _GNU_SOURCE
#include "run.h"

#include "ours.h"

#include <hazptr/futex.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 1000
#define DOMAINS 256
#define OBJECTS 1000
#define OBJECT_STEP 8
#define OBJECT_MOST 128
#define BUCKETS 4096

/* In the child. */
static double bytes_of_threads(const struct bench_scheme *scheme)
{
	double before, after;

	bench_bare.begin(BENCH_LOOK);
	if (!bench_registered_begin(&bench_bare, THREADS))
		return NAN;
	bench_registered_end();
	before = bench_memory_used();
	if (!bench_registered_begin(scheme, THREADS))
		return NAN;
	after = bench_memory_used();
	return (after - before) / THREADS;
}

uint64_t bench_bytes_thread(struct bench_task *t)
{
	int ends[2];
	double bytes;
	pid_t child;

	t->own = NAN;
	if (pipe(ends))
		return 1;
	child = fork();
	if (!child) {
		bytes = bytes_of_threads(t->scheme);
		_exit(write(ends[1], &bytes, sizeof(bytes)) != sizeof(bytes));
	}
	close(ends[1]);
	if (child > 0) {
		if (read(ends[0], &bytes, sizeof(bytes)) == sizeof(bytes))
			t->own = bytes;
		waitpid(child, NULL, 0);
	}
	close(ends[0]);
	return 1;
}

uint64_t ours_bytes_domain(struct bench_task *t)
{
	struct hazptr_domain *d[DOMAINS];
	double before = bench_memory_used();

	for (unsigned i = 0; i < DOMAINS; i++)
		if (hazptr_domain_create(&d[i], NULL))
			abort();
	t->own = (bench_memory_used() - before) / DOMAINS;
	for (unsigned i = 0; i < DOMAINS; i++)
		hazptr_domain_destroy(d[i]);
	return 1;
}

/* The head comes last: the object is where it would be without. */
static void retire_at(struct hazptr_domain *d, char *object, size_t size)
{
	struct hazptr_head *head = (void *)(object + size);

	hazptr_head_init(head, object, NULL);
	hazptr_retire_list(d, head, head);
}

/* Bytes of so many objects of that size, each with `more` behind it. */
static double bytes_of(struct hazptr_domain *d, size_t size, size_t more,
		       bool retire)
{
	double before = bench_memory_used();
	void *object[OBJECTS];

	for (unsigned i = 0; i < OBJECTS; i++) {
		object[i] = bench_alloc(size + more);
		if (retire && more)
			retire_at(d, object[i], size);
		else if (retire)
			hazptr_retire_ptr(d, object[i], free);
	}
	before = bench_memory_used() - before;
	for (unsigned i = 0; i < OBJECTS && !retire; i++)
		free(object[i]);
	hazptr_barrier(d);
	return before;
}

static double bytes_retired(size_t more)
{
	struct hazptr_domain_opts opts = {
		.size = sizeof(opts),
		.reclaim = HAZPTR_RECLAIM_MANUAL,
	};
	struct hazptr_domain *d;
	double sum = 0;

	if (hazptr_domain_create(&d, &opts))
		abort();
	for (size_t size = OBJECT_STEP; size <= OBJECT_MOST;
	     size += OBJECT_STEP) {
		sum += bytes_of(d, size, more, true);
		sum -= bytes_of(d, size, 0, false);
	}
	hazptr_domain_destroy(d);
	return sum / OBJECTS / ((double)OBJECT_MOST / OBJECT_STEP);
}

uint64_t ours_bytes_retired(struct bench_task *t)
{
	t->own = bytes_retired(sizeof(struct hazptr_head));
	return 1;
}

uint64_t ours_bytes_pointer(struct bench_task *t)
{
	t->own = bytes_retired(0);
	return 1;
}

static double bytes_with(unsigned buckets)
{
	hazptr_futex_hash_resize(buckets);
	hazptr_barrier(NULL);
	return bench_memory_used();
}

uint64_t ours_bytes_bucket(struct bench_task *t)
{
	double few = bytes_with(BUCKETS), many = bytes_with(2 * BUCKETS);

	t->own = (many - few) / BUCKETS;
	hazptr_futex_hash_resize(0);
	return 1;
}

enum { THREAD, CK, CDS, URCU, DOMAIN, RETIRED, POINTER, BUCKET };

static const struct bench_row rows[] = {
	[THREAD] = BENCH_ROW("thread, hazptr", hazptr, BYTES_THREAD),
	[CK] = BENCH_ROW("thread, ck_hp, 3 hazards", ck, BYTES_THREAD),
	[CDS] = BENCH_ROW("thread, libcds HP", cds, BYTES_THREAD),
	[URCU] = BENCH_ROW("thread, liburcu-memb", urcu_memb, BYTES_THREAD),
	[DOMAIN] = BENCH_ROW_TASK(1, "domain", hazptr, BYTES_DOMAIN),
	[RETIRED] =
		BENCH_ROW_TASK(2, "object with a head", hazptr, BYTES_RETIRED),
	[POINTER] =
		BENCH_ROW_TASK(3, "object, retire_ptr", hazptr, BYTES_POINTER),
	[BUCKET] = BENCH_ROW_TASK(4, "bucket of futexes", hazptr, BYTES_BUCKET),
};

struct bench_table bench_w10 = {
	.name = "W10",
	.title = "memory",
	.unit = BENCH_BYTES,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = THREAD,
	.threads = 1,
	.note = "a thread's static TLS is not counted",
};
