/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/shared.h - what shared.c and briefs.c share */
#ifndef HAZPTR_TORTURE_SHARED_H
#define HAZPTR_TORTURE_SHARED_H

#include "torture.h"

#define SYNC_SOURCES 5

extern struct hazptr_sync_shared sync_sources[SYNC_SOURCES];

static inline struct hazptr_sync_shared *any_sync(void)
{
	return &sync_sources[pick(SYNC_SOURCES)];
}

static inline struct held *any_held(void)
{
	return &self->held[pick(HELD)];
}

/* By who has a reference, of whatever sort. */
uint64_t shared_look(const struct hazptr_shared_node *node);
void shared_still(const struct hazptr_shared_node *node, uint64_t generation);
/* A new reference takes the place of that one. */
void shared_keep(struct held *h, struct hazptr_shared sp);
void shared_let_go(struct held *h);
void shared_read_mail(void);

/* briefs.c: thread-shared pointers */
void brief_load(void);
void brief_borrow(void);
void brief_drop(void);
void brief_nest(void);
void brief_to_shared(void);
void brief_asleep(void);
void briefs_leave(void);
void briefs_in_handler(void);

#endif /* HAZPTR_TORTURE_SHARED_H */
