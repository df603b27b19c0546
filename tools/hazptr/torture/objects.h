/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/objects.h - objects that tell when they are used late
 *
 * They come from an array and go back to it: one that has ended is poisoned,
 * and comes back at the same address as another one, perhaps of another kind.
 * When it does, it must be as it was left. So a reader that was not protected
 * sees a wrong magic, or a generation that changes under its eyes; and whoever
 * writes to what has ended is found, too.
 */
#ifndef HAZPTR_TORTURE_OBJECTS_H
#define HAZPTR_TORTURE_OBJECTS_H

#include <hazptr/hazptr.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJ_WORDS 4
#define OBJ_ALIVE 0x5ea11fe5ea11fe01u
#define OBJ_EXPIRED 0xe0d0fe0d0fe0d002u

enum obj_kind { OBJ_NODE, OBJ_REF, OBJ_RCUREF, OBJ_SHARED };

/* Who will end it. */
enum obj_end { BY_HAND = 1, BY_FUNCTION, BY_FREE };

struct obj {
	struct hazptr_weak_node weak; /* first: free() gets its address */
	struct hazptr_head head;
	uint64_t magic, generation;
	uint64_t word[OBJ_WORDS]; /* each follows from the generation */
	struct hazptr_ref ref;
	struct hazptr_rcuref rcuref;
	uint32_t holders; /* of counted references, as the tool counts */
	uint32_t end;
	uint32_t kind;
	struct hazptr_shared child; /* older than its parent: no cycles */
	/* From here on it is not poisoned. */
	struct obj *next; /* in a free list */
	uint32_t births, deaths;
} __attribute__((__aligned__(64)));

void objects_begin(void);
/* NULL: all are in use. The caller says `end` before it gives it up. */
struct obj *obj_new(enum obj_kind kind);
/* Poison it; from now on obj_new() may return it. */
void obj_end(struct obj *o, enum obj_end how);
void obj_reclaim(struct hazptr_head *head); /* BY_FUNCTION */
void obj_destroy(void *o);		    /* the same */
bool obj_is_ours(const void *p);

/* Is it what it was made as? Returns its generation. */
uint64_t obj_look(const struct obj *o, enum obj_kind kind);
/* The same, and it stays so: look, let others run, look again. */
uint64_t obj_check(const struct obj *o, enum obj_kind kind);
void obj_check_still(const struct obj *o, enum obj_kind kind,
		     uint64_t generation);
/* By who has a weak pointer: it may have expired. */
void obj_check_weak(const struct obj *o, uint64_t generation);

/* The thread ends: what it has is for others. */
void objects_leave(void);
/* All that were made have ended, and none is lost. */
void objects_check(void);
uint64_t objects_used(void), objects_made(void), objects_none(void);

#endif /* HAZPTR_TORTURE_OBJECTS_H */
