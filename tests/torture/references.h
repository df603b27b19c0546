/* SPDX-License-Identifier: MIT */
/* tests/torture/references.h - the nodes that the threads fight for */
#ifndef HAZPTR_TORTURE_REFERENCES_H
#define HAZPTR_TORTURE_REFERENCES_H

#include <hazptr/hazptr.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ITEMS 2048
struct item;

struct weakly {
	struct hazptr_weak w;
	uint64_t generation;
};

/* references.c */
_Noreturn void failed(const char *what, const void *object);
uint64_t pick(uint64_t n);
struct hazptr_shared some_reference(void); /* of the calling thread's */
void add_one(uint64_t *figure);
uint64_t figure(const uint64_t *f);

/* items.c */
extern uint64_t generations, none_free;
extern uint64_t created, made_weak, expired, released;
void items_begin(void);
struct item *item_from_pool(void);
struct hazptr_shared item_new(void);
uint64_t check(const struct hazptr_shared_node *node);
void check_still(const struct hazptr_shared_node *node, uint64_t generation);
void check_weak(const struct weakly *w);

#endif /* HAZPTR_TORTURE_REFERENCES_H */
