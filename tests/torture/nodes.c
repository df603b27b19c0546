/* SPDX-License-Identifier: MIT */
/* tests/torture/nodes.c - nodes, their free lists, and what is checked */
#include "torture.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define MAGIC 0x6861777074720001u
#define POISON 0xdeaddeaddeaddeadu
#define KEPT_MOST 64 /* beyond it a thread shares what is free */

__thread struct worker *self;

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct node *pool, *all_nodes;
static uint64_t generations;
static unsigned made, in_pool;

uint64_t pick(uint64_t n)
{
	uint64_t x = self->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	self->random = x;
	return (x >> 11) % n;
}

static uint64_t word_of(uint64_t generation, unsigned i)
{
	return (generation + i) * 0x9e3779b97f4a7c15u;
}

static struct node *node_from_pool(void)
{
	struct node *n;

	pthread_mutex_lock(&pool_lock);
	n = pool;
	if (n) {
		pool = n->next;
		in_pool--;
	}
	pthread_mutex_unlock(&pool_lock);
	return n;
}

static struct node *node_from_malloc(void)
{
	struct node *n = aligned_alloc(64, (sizeof(*n) + 63) / 64 * 64);

	if (!n)
		torture_failed("no memory", NULL);
	pthread_mutex_lock(&pool_lock);
	n->all = all_nodes;
	all_nodes = n;
	made++;
	pthread_mutex_unlock(&pool_lock);
	return n;
}

struct node *node_new(void)
{
	struct node *n = self->free;
	unsigned i;

	if (n) {
		self->free = n->next;
		self->n_free--;
		self->reused++;
	} else {
		n = node_from_pool();
		if (n)
			self->reused++;
		else
			n = node_from_malloc();
	}
	n->generation = __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED);
	for (i = 0; i < NODE_WORDS; i++)
		n->word[i] = word_of(n->generation, i);
	n->magic = MAGIC;
	return n;
}

static void to_pool(struct node *n)
{
	pthread_mutex_lock(&pool_lock);
	n->next = pool;
	pool = n;
	in_pool++;
	pthread_mutex_unlock(&pool_lock);
}

void node_recycle(struct node *n)
{
	unsigned i;

	if (n->magic != MAGIC)
		torture_failed("reclaimed twice, or never made", n);
	n->magic = POISON;
	n->generation = POISON;
	for (i = 0; i < NODE_WORDS; i++)
		n->word[i] = POISON;
	if (!self || self->n_free == KEPT_MOST) {
		to_pool(n); /* the library's thread has no use for it */
		return;
	}
	n->next = self->free;
	self->free = n;
	self->n_free++;
}

void node_reclaim(struct hazptr_head *head)
{
	node_recycle((struct node *)((char *)head -
				     offsetof(struct node, head)));
}

void node_destroy(void *n)
{
	node_recycle(n);
}

/* The compiler may not remember what it saw the first time. */
static uint64_t look(const uint64_t *word)
{
	return *(const volatile uint64_t *)word;
}

void node_check(const struct node *n)
{
	uint64_t generation = look(&n->generation);
	unsigned turn, i;

	self->reads++;
	for (turn = 0; turn < 2; turn++) {
		if (look(&n->magic) != MAGIC)
			torture_failed("use after reclaim: magic", n);
		if (look(&n->generation) != generation)
			torture_failed("use after reclaim: generation", n);
		for (i = 0; i < NODE_WORDS; i++)
			if (look(&n->word[i]) != word_of(generation, i))
				torture_failed("use after reclaim: word", n);
		if (!turn && !pick(8))
			sched_yield();
	}
}

void nodes_leave(struct worker *w)
{
	struct node *n;

	while ((n = w->free)) {
		w->free = n->next;
		to_pool(n);
	}
	w->n_free = 0;
}

bool nodes_all_free(void)
{
	bool right = made == in_pool;
	struct node *n;

	if (!right)
		fprintf(stderr, "torture: %u nodes made, %u came back\n", made,
			in_pool);
	while ((n = all_nodes)) {
		all_nodes = n->all;
		free(n);
	}
	return right;
}
