/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_urcu_refs.c - userspace RCU, counted references
 *
 * A lookup takes a urcu_ref in a read-side section; whoever puts the last one
 * leaves the object to call_rcu().
 */
#include "peer_urcu.h"

static void object_release(struct urcu_ref *ref)
{
	retire_by_call(caa_container_of(ref, struct object, ref));
}

static inline struct object *lookup(void)
{
	struct object *o;

	rcu_read_lock();
	o = rcu_dereference(hot);
	if (o && !urcu_ref_get_unless_zero(&o->ref))
		o = NULL;
	rcu_read_unlock();
	return o;
}

static uint64_t urcu_load(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct object *o = lookup();

		if (!o)
			continue;
		bench_use(o->value);
		urcu_ref_put(&o->ref, object_release);
	}
	return n;
}

static inline void replace(void)
{
	struct object *o = rcu_xchg_pointer(&hot, object_new());

	urcu_ref_put(&o->ref, object_release);
}

static void urcu_replace(void)
{
	replace();
}

static uint64_t urcu_store(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	replace();
	return n;
}

static void urcu_begin(enum bench_job job)
{
	(void)job;
	urcu_objects_begin();
}

static uint64_t urcu_end(enum bench_job job)
{
	(void)job;
	urcu_objects_end();
	return peak;
}

const struct bench_scheme bench_urcu_refs = {
	.name = URCU_NAME,
	.kind = BENCH_WEAKER,
	.version = BENCH_URCU,
	.begin = urcu_begin,
	.end = urcu_end,
	.enter = urcu_enter,
	.leave = urcu_leave,
	.online = urcu_online,
	.offline = urcu_offline,
	.replace = urcu_replace,
	.body = {
		[BENCH_LOAD] = urcu_load,
		[BENCH_STORE] = urcu_store,
	},
};
