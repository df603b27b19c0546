/* SPDX-License-Identifier: MIT */
/*
 * protect - a reader protects, an updater replaces, retires and flushes
 *
 * --option reuse: the memory of the first object serves for the third, which
 * is published at the same address (HP4).
 */
#include <hazptr/hazptr.h>

#include "explore.h"

struct object {
	struct hazptr_head head;
	uint32_t value;
};

static struct object *source;
static struct hazptr_domain *domain;

static struct object *make(uint32_t value)
{
	struct object *o = ex_new(sizeof(*o));

	o->value = value;
	return o;
}

static void setup(void)
{
	struct hazptr_domain_opts opts = { .size = sizeof(opts),
					   .reclaim = HAZPTR_RECLAIM_MANUAL };

	EX_ASSERT(!hazptr_domain_create(&domain, &opts));
	source = make(1);
}

static void enter(void)
{
	HAZPTR_GUARD(g);

	hazptr_protect(&g, &source);
}

static void replace(struct object *new)
{
	/* order UP1, UP2: whole, and out of the source; pairs with HP4 */
	struct object *old = hazptr_exchange_(&source, new, acq_rel);

	hazptr_retire_free(domain, old, head);
}

static void read_it(void)
{
	HAZPTR_GUARD(g);
	struct object *o = hazptr_protect(&g, &source);

	EX_ASSERT(o->value && o->value < 4);
	if (!ex_option("twice"))
		return;
	o = hazptr_protect(&g, &source);
	EX_ASSERT(o->value && o->value < 4);
}

static void update(void)
{
	replace(make(2));
	hazptr_flush(domain);
	if (!ex_option("reuse"))
		return;
	replace(make(3));
}

static void finish(void)
{
	hazptr_barrier(domain);
	ex_free(source);
	EX_ASSERT(!hazptr_domain_destroy(domain));
}

const struct ex_client ex_client = {
	.setup = setup,
	.enter = enter,
	.thread = { read_it, update },
	.finish = finish,
	.flags = EX_KEEPS | EX_REUSE,
};
