/* SPDX-License-Identifier: MIT */
/*
 * bench/refs.h - the loops of shared and thread-shared pointers
 */
#ifndef BENCH_REFS_H
#define BENCH_REFS_H

#include "bench.h"

#include <hazptr/hazptr.h>
#include <hazptr/shared.h>
#include <hazptr/thread_shared.h>

/* The node comes first: without a release function it is what is freed. */
struct ref_object {
	struct hazptr_shared_node node;
	uint64_t value;
	char room[BENCH_OBJECT - 8 - sizeof(struct hazptr_shared_node)];
};

_Static_assert(sizeof(struct ref_object) == BENCH_OBJECT, "one size for all");

/* The sync pointer that everybody loads, on a cache line of its own. */
struct ref_hot {
	struct hazptr_sync_shared current;
	char room[120];
};
extern struct ref_hot bench_ref_hot;

static inline struct ref_object *ref_object_of(struct hazptr_shared_node *node)
{
	return (struct ref_object *)(void *)node;
}

static inline struct ref_object *ref_new(void)
{
	struct ref_object *o = (struct ref_object *)bench_alloc(sizeof(*o));

	o->value = 1;
	return o;
}

/* r1.c */
uint64_t bare_ref_load(struct bench_task *t);
uint64_t bare_ref_guarded(struct bench_task *t);
uint64_t refs_guard(struct bench_task *t);
uint64_t refs_load(struct bench_task *t);
uint64_t refs_thread(struct bench_task *t);
uint64_t refs_borrow(struct bench_task *t);
uint64_t refs_to_shared(struct bench_task *t);

/* r1_held.c */
uint64_t refs_held_1(struct bench_task *t);
uint64_t refs_held_4(struct bench_task *t);
uint64_t refs_held_8(struct bench_task *t);
uint64_t refs_held_16(struct bench_task *t);
uint64_t refs_held_32(struct bench_task *t);
uint64_t refs_counted_1(struct bench_task *t);
uint64_t refs_counted_32(struct bench_task *t);

/* r2.c */
uint64_t bare_ref_store(struct bench_task *t);
uint64_t refs_store(struct bench_task *t);
uint64_t refs_store_function(struct bench_task *t);
void refs_replace(void);
void refs_store_begin(void);
uint64_t refs_store_end(void);

#endif /* BENCH_REFS_H */
