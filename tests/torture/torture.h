/* SPDX-License-Identifier: MIT */
/*
 * tests/torture/torture.h - objects that tell when they are used too late
 *
 * A node is never given back to malloc while the test runs: it is poisoned
 * when it is reclaimed and comes back, at the same address, as another one.
 * So a reader that was not protected sees a wrong magic or a generation that
 * changed under its eyes, and pointers that compare equal are not the same
 * object (ABA).
 */
#ifndef HAZPTR_TESTS_TORTURE_H
#define HAZPTR_TESTS_TORTURE_H

#include <hazptr/hazptr.h>

#include <stdbool.h>
#include <stdint.h>

#define NODE_WORDS 5

struct node {
	uint64_t magic;
	uint64_t generation;
	uint64_t word[NODE_WORDS]; /* each follows from the generation */
	struct hazptr_head head;
	struct node *next; /* in a free list, or of all nodes */
	struct node *all;
};

/* What a thread has of its own. */
struct worker {
	uint64_t random;
	struct node *free; /* what was reclaimed here, last in first out */
	unsigned n_free;
	uint64_t reads, writes, reused;
};
extern __thread struct worker *self;

uint64_t pick(uint64_t n);

struct node *node_new(void);
/* Poison it; from now on node_new() may return it. */
void node_recycle(struct node *n);
void node_reclaim(struct hazptr_head *head);
void node_destroy(void *n);
/* Look, let others run, look again. */
void node_check(const struct node *n);
/* The thread ends: what it has is for others. */
void nodes_leave(struct worker *w);
/* All that were ever made are free again; gives them back to malloc. */
bool nodes_all_free(void);

_Noreturn void torture_failed(const char *what, const void *object);
bool torture_over(void);

#endif /* HAZPTR_TESTS_TORTURE_H */
