/* SPDX-License-Identifier: MIT */
/*
 * bench/ours.h - the loops of hazptr and of the unprotected baseline
 */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include "bench.h"

#include <hazptr/hazptr.h>

struct ours_object {
	uint64_t value;
	struct hazptr_head head;
	char room[BENCH_OBJECT - 8 - sizeof(struct hazptr_head)];
};

_Static_assert(sizeof(struct ours_object) == BENCH_OBJECT, "one size for all");

/* The pointer that everybody reads, on a cache line of its own. */
struct ours_hot {
	struct ours_object *object;
	char room[120];
};
extern struct ours_hot bench_hot;

struct ours_object *ours_new(void);
void ours_free(struct hazptr_head *head);

/* w1.c */
uint64_t bare_read(struct bench_task *t);
uint64_t bare_chain(struct bench_task *t);
uint64_t ours_read(struct bench_task *t);
uint64_t ours_read_init(struct bench_task *t);
uint64_t ours_read_kept(struct bench_task *t);
uint64_t ours_chain(struct bench_task *t);

/* w2.c */
uint64_t bare_flat(struct bench_task *t);
void bare_replace(void);
uint64_t ours_flat(struct bench_task *t);
void ours_replace(void);
void ours_flat_begin(void);
uint64_t ours_flat_end(void);

/* w3_pair.c */
uint64_t bare_produce(struct bench_task *t);
uint64_t bare_consume(struct bench_task *t);
void bare_pair_end(void);
uint64_t ours_produce(struct bench_task *t);
uint64_t ours_consume(struct bench_task *t);
void ours_pair_begin(void);
uint64_t ours_pair_end(void);

/* w3.c */
uint64_t bare_churn(struct bench_task *t);
uint64_t bare_churn_lifo(struct bench_task *t);
uint64_t bare_churn_one(struct bench_task *t);
uint64_t ours_churn(struct bench_task *t);
uint64_t ours_churn_free(struct bench_task *t);
void ours_churn_begin(void);
uint64_t ours_churn_end(void);

/* w4.c, w4_bare.c */
uint64_t bare_list(struct bench_task *t);
uint64_t bare_list_lean(struct bench_task *t);
void bare_list_begin(void);
void bare_list_end(void);
void bare_list_leave(void);
uint64_t ours_list(struct bench_task *t);
uint64_t ours_list_kept(struct bench_task *t);
void ours_list_begin(void);
void ours_list_end(void);

/* w5.c */
uint64_t ours_sleep(struct bench_task *t);

/* w6.c */
uint64_t ours_await(struct bench_task *t);
uint64_t ours_fence(struct bench_task *t);
uint64_t bare_fence(struct bench_task *t);

/* w7.c */
uint64_t ours_scan(struct bench_task *t);
uint64_t ours_scan_less(struct bench_task *t);
uint64_t ours_flush(struct bench_task *t);
void ours_scan_begin(enum bench_job job);
void ours_scan_end(void);

/* w8.c */
uint64_t bare_look(struct bench_task *t);
uint64_t ours_look(struct bench_task *t);

/* w10.c */
uint64_t ours_bytes_domain(struct bench_task *t);
uint64_t ours_bytes_retired(struct bench_task *t);
uint64_t ours_bytes_pointer(struct bench_task *t);
uint64_t ours_bytes_bucket(struct bench_task *t);

#endif /* BENCH_OURS_H */
