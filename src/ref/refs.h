/* SPDX-License-Identifier: MIT */
/*
 * ref/refs.h - the types of layer 2
 *
 *	node.c		a node's counts: one more, one less, the end
 *	shared.c	shared and sync pointers
 *	weak.c		weak pointers
 *	slots.c		where thread-shared pointers stand
 *	thread_shared.c	taking them and giving them back
 *	promote.c	turning them into counted references
 */
#ifndef HAZPTR_REFS_H
#define HAZPTR_REFS_H

#undef HAZPTR_DEBUG /* is for files of the user's */
#include <hazptr/shared.h>
#include <hazptr/thread_shared.h>

#include "../core/core.h"

#define ONE_WEAK HAZPTR_ONE_WEAK_
#define TOO_MANY HAZPTR_TOO_MANY_
#define SATURATED ((uint64_t)0x60000000) /* where too many stay */
#define DEAD HAZPTR_DEAD_
#define COUNT_FIRST HAZPTR_COUNT_FIRST_
#define EXPIRES HAZPTR_EXPIRES_
#define VISIBLE HAZPTR_VISIBLE_
#define RETIRED HAZPTR_RETIRED_
#define AGAIN HAZPTR_AGAIN_

/* Weak pointers that a node has; at half of the range it has them for ever. */
#define WEAK_BITS 27
#define WEAK_TOO_MANY ((uint32_t)1 << (WEAK_BITS - 1))

static inline uint32_t references(uint64_t counts)
{
	return (uint32_t)counts;
}

static inline uint32_t weak_pointers(uint64_t counts)
{
	return (uint32_t)(counts >> 32) & (((uint32_t)1 << WEAK_BITS) - 1);
}

/* As the core sees it; only `next` is. */
static inline struct hazptr_head *head_of(struct hazptr_shared_node *node)
{
	return (struct hazptr_head *)(void *)node;
}

static inline struct hazptr_shared_node *node_of(struct hazptr_head *head)
{
	return (struct hazptr_shared_node *)(void *)head;
}

/* node.c */
void hazptr_refs_start_(void);
void hazptr_node_free_(struct hazptr_shared_node *node); /* a mark */
void hazptr_node_put_(struct hazptr_shared_node *node, const char *call);
void hazptr_node_put_async_(struct hazptr_shared_node *node);
void hazptr_node_put_sync_(struct hazptr_shared_node *node, const char *call);
void hazptr_node_queue_(struct hazptr_shared_node *node);
void hazptr_node_finish_(struct hazptr_shared_node *node);

/* For who knows that the node stays: a slot's holder, or a promoter. */
void hazptr_node_hold_(struct hazptr_shared_node *node);
/* Takes that back; somebody else has a reference. */
void hazptr_node_unhold_(struct hazptr_shared_node *node);

/* What a slot's request says, below the holder. */
enum request {
	ASKED = 1, /* a promoter is at it */
	AGED,	   /* as old as a pass of the ager */
	PROMOTED,  /* the holder has a counted reference */
	MOVED,	   /* the same, and the slot is nobody's but the holder's */
	DORMANT,   /* free; whoever takes it wakes the ager */
	RETURNED,  /* was MOVED; nobody's */
	LEFT,	   /* as PROMOTED, and the holder's thread has ended */
};
#define REQUEST_MASK ((uintptr_t)7)

/* weak.c: true when it was the last, and no reference is left. */
bool hazptr_weak_put_(struct hazptr_shared_node *node);

/* slots.c */
struct slot_iterator {
	struct hazptr_cpu_slots_ *cpus;
	size_t cpu;
	int i;
	struct record_iterator records;
	struct hazptr_record_ *record;
	struct hazptr_ref_slot_ **place; /* of the slot; NULL: a thread's own */
};
struct hazptr_ref_slot_ *hazptr_ref_slot_first_(struct slot_iterator *it);
struct hazptr_ref_slot_ *hazptr_ref_slot_next_(struct slot_iterator *it);
void hazptr_ref_slots_start_(void);
void hazptr_ref_self_end_(void);
/* A slot with the node in it, and how it is said in a pointer; 0: none. */
uintptr_t hazptr_ref_slot_take_(uintptr_t node);
void hazptr_ref_slot_give_back_(struct hazptr_ref_slot_ *slot);
/* With the lock of promotions. */
struct hazptr_ref_slot_ *hazptr_ref_slot_spare_(void);
void hazptr_ref_slot_keep_(struct hazptr_ref_slot_ *slot);
struct hazptr_ref_slot_ *hazptr_ref_slots_collect_(void);
void hazptr_ref_slots_reuse_(struct hazptr_ref_slot_ *list);
void hazptr_ref_slots_refill_(void);
void hazptr_ref_slots_abort_takers_(void);
void hazptr_ref_slots_after_fork_(void);

/* thread_shared.c */
extern uint64_t hazptr_promoted_by_scan_;
extern uint64_t hazptr_promoted_by_age_;
extern uint64_t hazptr_promoted_by_exit_;

/* promote.c */
void hazptr_promote_listed_(struct hazptr_cohort *c);
void hazptr_promote_node_(struct hazptr_shared_node *node);
bool hazptr_promote_holds_(const struct hazptr_record_ *r);
void hazptr_promote_exit_(struct hazptr_record_ *r);
void hazptr_promote_fork_(const struct hazptr_record_ *self);
uint64_t hazptr_promote_tick_(uint64_t now);
void hazptr_ager_wake_(void);

#endif /* HAZPTR_REFS_H */
