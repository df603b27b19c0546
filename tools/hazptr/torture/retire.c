/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/retire.c - retire, wait, domains that come and go */
#include "nodes.h"

#include <errno.h>

#define BURST 16
#define LONGEST 4

/*
 * Short and often, in the domain whose every retirement scans, or by the
 * shortest way from an exchange to a look at the readers.
 */
static void replace_hot(void)
{
	struct obj **source = hot_source();
	bool waits = pick(2);
	struct obj *o;
	unsigned i;

	for (i = 0; i < BURST; i++) {
		o = replace(source);
		if (!o)
			return;
		o->end = waits ? BY_HAND : BY_FUNCTION;
		if (waits) {
			hazptr_synchronize(o);
			obj_end(o, BY_HAND);
		} else {
			hazptr_retire(domains[1], o, head, obj_reclaim);
		}
	}
}

static void replace_some(void)
{
	uint64_t i;

	for (i = 1 + pick(BURST); i; i--) {
		bool plain = pick(2);
		struct obj *o = replace(plain ? plain_source() : any_source());

		if (o && i % 4 == 0)
			crowd_stores(o);
		give_up(o, plain);
	}
}

static void retire_list(void)
{
	struct obj *o[LONGEST];
	unsigned n = 0, i;

	for (i = 0; i < LONGEST; i++) {
		o[n] = replace(any_source());
		if (!o[n])
			break;
		o[n]->end = BY_FUNCTION;
		hazptr_head_init(&o[n]->head, o[n], obj_reclaim);
		if (n)
			o[n - 1]->head.next = &o[n]->head;
		n++;
	}
	if (n)
		hazptr_retire_list(domains[pick(DOMAINS)], &o[0]->head,
				   &o[n - 1]->head);
}

static void mark_links(void)
{
	struct obj *new = obj_new(OBJ_NODE);
	uintptr_t old;

	if (!new)
		return;
	old = __atomic_exchange_n(&tagged[pick(TAGGED)],
				  (uintptr_t) new | (uintptr_t)pick(4),
				  __ATOMIC_ACQ_REL);
	give_up((struct obj *)(old & ~(uintptr_t)3), true);
}

/* Nobody parks what stands there, so these waits end. */
static void wait_for_readers(void)
{
	struct obj *o[3];
	const void *all[3];
	unsigned i, n = 0;

	for (i = 1 + (unsigned)pick(3); i; i--) {
		o[n] = replace(plain_source());
		all[n] = o[n];
		n += o[n] != NULL;
	}
	if (n > 1)
		hazptr_synchronize_many(all, n);
	else if (n)
		hazptr_synchronize(o[0]);
	for (i = 0; i < n; i++) {
		o[i]->end = BY_HAND;
		obj_end(o[i], BY_HAND);
	}
}

static bool i_keep(const struct obj *o)
{
	unsigned i;

	for (i = 0; i < KEPT; i++)
		if (self->kept[i].obj == o)
			return true;
	return false;
}

static void wait_a_little(void)
{
	struct obj *o = replace(any_source());
	struct timespec until = after_us(pick(400));
	int error;

	if (!o)
		return;
	error = i_keep(o) ? -ETIMEDOUT : hazptr_synchronize_until(o, &until);
	if (!error) {
		o->end = BY_HAND;
		obj_end(o, BY_HAND);
	} else if (error == -ETIMEDOUT) {
		give_up(o, false);
	} else {
		failed("synchronize_until", o);
	}
}

static void flush(void)
{
	hazptr_flush(domains[pick(DOMAINS)]);
}

/* Their barriers wait for guards on what nobody keeps for long. */
static void use_a_new_domain(void)
{
	struct hazptr_domain_opts opts = {
		.size = sizeof(opts),
		.reclaim = (enum hazptr_reclaim)pick(3),
		.max_retired = pick(2) ? 4 : 0,
		.max_delay_ms = pick(2) ? 1 : 0,
	};
	struct hazptr_cohort *c = &self->cohort;
	struct hazptr_domain *d;
	int error = hazptr_domain_create(&d, &opts);
	struct obj *o;
	uint64_t i;

	if (error == -ENOMEM && has_fault(NOMEM))
		return;
	if (error || hazptr_cohort_init(c, d))
		failed("domain_create", NULL);
	for (i = pick(10); i; i--) {
		o = replace(plain_source());
		if (o) {
			o->end = BY_FUNCTION;
			hazptr_cohort_retire(c, o, head, obj_reclaim);
		}
		give_up_to(d, replace(plain_source()), true);
	}
	if (pick(2))
		hazptr_barrier(d);
	hazptr_cohort_destroy(c);
	if (hazptr_domain_destroy(d))
		failed("domain_destroy", d);
}

static void use_a_new_cohort(void)
{
	struct hazptr_domain *d = domains[pick(DOMAINS)];
	struct hazptr_cohort *c = &self->cohort;
	struct obj *o;
	uint64_t i;

	if (hazptr_cohort_init(c, d))
		failed("cohort_init", NULL);
	for (i = pick(6); i; i--) {
		o = replace(plain_source());
		if (!o)
			break;
		o->end = BY_FUNCTION;
		hazptr_cohort_retire(c, o, head, obj_reclaim);
	}
	if (pick(2))
		hazptr_cohort_barrier(c);
	hazptr_cohort_destroy(c);
}

/* Of the shared ones, in which is what others keep. */
static void janitor(unsigned unused);

static struct op ops[] = {
	{ .name = "replace hot", .run = replace_hot, .weight = 40 },
	{ .name = "replace", .run = replace_some, .weight = 40 },
	{ .name = "list", .run = retire_list, .weight = 30 },
	{ .name = "marked links", .run = mark_links, .weight = 30 },
	{ .name = "synchronize", .run = wait_for_readers, .weight = 10 },
	{ .name = "synchronize until", .run = wait_a_little, .weight = 10 },
	{ .name = "flush", .run = flush, .weight = 10 },
	{ .name = "new domain", .run = use_a_new_domain, .weight = 1 },
	{ .name = "new cohort", .run = use_a_new_cohort, .weight = 2 },
	{ .name = "barrier" },
	{ .name = "bound" },
};

enum { BOUND_OP = COUNT(ops) - 1, BARRIER_OP = BOUND_OP - 1 };
struct op *const retire_bound_op = &ops[BOUND_OP];

static void janitor(unsigned unused)
{
	(void)unused;
	while (!is_over_late()) {
		if (pick(2))
			hazptr_barrier(domains[pick(DOMAINS)]);
		else
			hazptr_cohort_barrier(&cohorts[pick(COHORTS)]);
		did(&ops[BARRIER_OP]);
		nap_us(pick(10000));
	}
}

static const struct helper helpers[] = {
	{ .name = "janitor", .run = janitor, .n = 1, .late = true },
	{ .name = "bound", .run = keep_bound, .n = 2 },
};

const struct workload retire_workload = {
	.name = "retire",
	.ops = ops,
	.n_ops = COUNT(ops),
	.helpers = helpers,
	.n_helpers = COUNT(helpers),
	.begin = nodes_begin,
};
