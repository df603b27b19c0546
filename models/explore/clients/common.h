/* SPDX-License-Identifier: MIT */
/*
 * clients/common.h - a source, objects, a domain that nobody reclaims in by
 * chance
 *
 * A reader's look at an object is a plain one, so that a free that is not
 * ordered behind it is a race, whichever comes first.
 */
#ifndef EX_CLIENTS_COMMON_H
#define EX_CLIENTS_COMMON_H

#include <hazptr/hazptr.h>

#include "explore.h"

struct object {
	struct hazptr_head head;
	uint32_t value;
};

static struct object *source;
static struct hazptr_domain *domain;

static inline struct object *make(uint32_t value)
{
	struct object *o = ex_new(sizeof(*o));

	o->value = value;
	return o;
}

static inline void make_domain(enum hazptr_reclaim policy)
{
	struct hazptr_domain_opts opts = { .size = sizeof(opts),
					   .reclaim = policy,
					   .max_retired = 8 };

	EX_ASSERT(!hazptr_domain_create(&domain, &opts));
}

static inline void setup_source(void)
{
	make_domain(HAZPTR_RECLAIM_MANUAL);
	source = make(1);
}

/* Whoever says so is registered before the others begin. */
static inline void register_thread(void)
{
	HAZPTR_GUARD(g);

	hazptr_protect(&g, &source);
}

static inline struct object *unlink_object(struct object *new)
{
	/* order UP1, UP2: whole, and out of the source; pairs with HP4 */
	return hazptr_exchange_(&source, new, acq_rel);
}

static inline void look_at(const struct object *o)
{
	EX_ASSERT(o->value > 0 && o->value < 9);
}

static inline void read_source(void)
{
	HAZPTR_GUARD(g);

	look_at(hazptr_protect(&g, &source));
}

static inline void finish_source(void)
{
	hazptr_barrier(domain);
	ex_free(source);
	EX_ASSERT(!hazptr_domain_destroy(domain));
}

#endif /* EX_CLIENTS_COMMON_H */
