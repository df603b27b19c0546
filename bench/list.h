/* SPDX-License-Identifier: MIT */
/*
 * bench/list.h - the sorted list of W4, the same code for every scheme
 *
 * A link is the address of the next node; its lowest bit says that the node
 * that holds the link is removed. Who includes this defines, before it:
 *
 *	struct list_node	uintptr_t next; uint64_t key; and its own
 *	struct list_guards	what keeps previous, current and next node
 *	list_take()		load a link, keep what it leads to as next
 *	list_step()		current becomes previous, next becomes current
 *	list_skip()		next becomes current
 *	list_still()		the link still holds the word
 *	list_retire()		nobody can reach the node any more
 *
 * list_still() is the second look of hazard pointers: a node that is reached
 * through a link of a removed node may have been retired before its guard.
 *
 * Source: M. M. Michael, "High Performance Dynamic Lock-Free Hash Tables and
 * List-Based Sets", SPAA 2002, after Harris 2001.
 */
#ifndef BENCH_LIST_H
#define BENCH_LIST_H

#include "bench.h"

#include <stdlib.h>

#define LIST_MARK ((uintptr_t)1)

struct list_place {
	uintptr_t *prev;
	struct list_node *node; /* the first one whose key is not less */
	uintptr_t next;
};

static inline struct list_node *list_follow(uintptr_t word)
{
	return (struct list_node *)(word & ~LIST_MARK);
}

static inline bool list_cas(uintptr_t *link, uintptr_t from, uintptr_t to)
{
	return __atomic_compare_exchange_n(link, &from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* One walk. Return: -1 to begin again, else whether the key is there. */
bench_inline int list_walk(uintptr_t *head, struct list_guards *g, uint64_t key,
			   struct list_place *at)
{
	uintptr_t *prev = head;
	uintptr_t word = list_take(g, prev);

	list_skip(g);
	for (;;) {
		struct list_node *node = list_follow(word);
		uintptr_t next;

		at->prev = prev;
		at->node = node;
		if (!node)
			return 0;
		next = list_take(g, &node->next);
		at->next = next;
		if (!list_still(g, prev, word))
			return -1;
		if (next & LIST_MARK) {
			next &= ~LIST_MARK;
			if (!list_cas(prev, word, next))
				return -1;
			list_retire(node);
			list_skip(g);
		} else {
			if (node->key >= key)
				return node->key == key;
			prev = &node->next;
			list_step(g);
		}
		word = next;
	}
}

bench_inline bool list_find(uintptr_t *head, struct list_guards *g,
			    uint64_t key, struct list_place *at)
{
	int found;

	do
		found = list_walk(head, g, key, at);
	while (found < 0);
	return found;
}

bench_inline bool list_insert(uintptr_t *head, struct list_guards *g,
			      uint64_t key)
{
	struct list_node *node;
	struct list_place at;

	if (list_find(head, g, key, &at))
		return false;
	node = (struct list_node *)bench_alloc(sizeof(*node));
	node->key = key;
	do {
		node->next = (uintptr_t)at.node;
		if (list_cas(at.prev, (uintptr_t)at.node, (uintptr_t)node))
			return true;
	} while (!list_find(head, g, key, &at));
	free(node);
	return false;
}

bench_inline bool list_remove(uintptr_t *head, struct list_guards *g,
			      uint64_t key)
{
	struct list_place at;

	do {
		if (!list_find(head, g, key, &at))
			return false;
	} while (!list_cas(&at.node->next, at.next, at.next | LIST_MARK));
	if (list_cas(at.prev, (uintptr_t)at.node, at.next))
		list_retire(at.node);
	else
		list_find(head, g, key, &at);
	return true;
}

/* 90 % look up, 5 % insert, 5 % remove */
bench_inline void list_operation(uintptr_t *head, struct list_guards *g,
				 struct bench_task *t)
{
	uint32_t r = bench_random(t);
	uint64_t key = ((uint64_t)(r >> 8) * bench_keys) >> 24;
	uint32_t kind = r & 0xff;
	struct list_place at;

	if (kind < 13)
		list_insert(head, g, key);
	else if (kind < 26)
		list_remove(head, g, key);
	else
		bench_use((uint64_t)list_find(head, g, key, &at));
}

/* Every second key; nobody else looks at the list yet. */
static inline void list_fill(uintptr_t *head)
{
	*head = 0;
	for (uint64_t key = bench_keys; key >= 2; key -= 2) {
		struct list_node *node;

		node = (struct list_node *)bench_alloc(sizeof(*node));
		node->key = key - 2;
		node->next = *head;
		*head = (uintptr_t)node;
	}
}

/* Nobody else looks at the list any more. */
static inline void list_empty(uintptr_t *head)
{
	while (*head) {
		struct list_node *node = list_follow(*head);

		*head = node->next & ~LIST_MARK;
		free(node);
	}
}

#endif /* BENCH_LIST_H */
