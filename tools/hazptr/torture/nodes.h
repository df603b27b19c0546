/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/nodes.h - what guards and retirements fight for
 *
 * Sources from which readers take guards and writers exchange nodes. Nobody
 * keeps a node of the PLAIN ones for longer than an operation, so waits for
 * its readers end; the others' nodes lie in mailboxes, parked tasks, and in
 * guards that a thread keeps while it does other things.
 */
#ifndef HAZPTR_TORTURE_NODES_H
#define HAZPTR_TORTURE_NODES_H

#include "torture.h"

#define HOT 2
#define PLAIN 8
#define SOURCES 14
#define TAGGED 4
#define DOMAINS 5
#define COHORTS 3

extern struct obj *sources[SOURCES];
extern uintptr_t tagged[TAGGED];	       /* a node and two flags */
extern struct hazptr_domain *domains[DOMAINS]; /* the first is the default */
extern struct hazptr_cohort cohorts[COHORTS];

static inline struct obj **hot_source(void)
{
	return &sources[pick(HOT)];
}

static inline struct obj **plain_source(void)
{
	return &sources[pick(PLAIN)];
}

static inline struct obj **parking_source(void)
{
	return &sources[PLAIN + pick(SOURCES - PLAIN)];
}

static inline struct obj **any_source(void)
{
	return &sources[pick(SOURCES)];
}

static inline void node_check(const struct obj *o)
{
	if (o)
		obj_check(o, OBJ_NODE);
}

/* What stood there, unpublished; NULL: there is no other node to be had. */
struct obj *replace(struct obj **source);
/* Retire it, in any way; `plain`: nobody keeps it for long. */
void give_up(struct obj *o, bool plain);
void give_up_to(struct hazptr_domain *d, struct obj *o, bool plain);

void nodes_begin(void); /* once, whoever calls it first */
void nodes_give(void);
void nodes_check(void);
/* What waits in bounded domains stays within their bounds. */
void nodes_check_bounds(void);

/* bound.c: a helper that has a domain for itself */
void keep_bound(unsigned i);
extern struct op *const retire_bound_op;

/* Of a shared domain, for the report. */
struct domain_figures {
	struct hazptr_stats stats;
	uint64_t most_waiting; /* as far as it was looked at */
	bool bounded;
};
unsigned nodes_figures(struct domain_figures *out); /* DOMAINS of them */

/* contexts.c, guards.c: drop what lies in tasks and mailboxes */
void tasks_drain(void);
void boxes_drain(void);
void guards_without_record(void);

#endif /* HAZPTR_TORTURE_NODES_H */
