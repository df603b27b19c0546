/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_urcu.h - what all uses of userspace RCU share
 *
 * Whoever compiles a file that includes this says which flavour it is for:
 * URCU_FLAVOUR (memb, qsbr, mb, bp) and URCU_HEADER, and URCU_CALLED where the
 * read side is to be called instead of inlined. liburcu's names without a
 * flavour then mean that one.
 *
 * As its README recommends: threads registered, call_rcu() with the default
 * helper thread, which is started before any processor is chosen. Readers of
 * qsbr announce a quiescent state every 1,024 operations, and are offline
 * while they are blocked. defer_rcu() waits for readers itself when its queue
 * of 4,096 is full, so it is never called in a section, nor online.
 */
#ifndef BENCH_PEER_URCU_H
#define BENCH_PEER_URCU_H

#include "bench.h"

#ifdef URCU_CALLED
#define URCU_INLINE_SMALL_FUNCTIONS
#else
#define _LGPL_SOURCE
#endif
#define URCU_API_MAP
#include URCU_HEADER
#include <stdlib.h>
#include <urcu/ref.h>

#define URCU_TEXT_(x) #x
#define URCU_TEXT(x) URCU_TEXT_(x)
#define URCU_NAME "liburcu-" URCU_TEXT(URCU_FLAVOUR)

struct object {
	uint64_t value;
	struct urcu_ref ref;
	struct rcu_head head;
	char room[BENCH_OBJECT - 16 - sizeof(struct rcu_head)];
};

static struct object *hot __attribute__((__aligned__(128)));

/* Objects retired and reclaimed; the peak is looked at now and then. */
static uint64_t freed __attribute__((__aligned__(128)));
static uint64_t retired __attribute__((__aligned__(128)));
static uint64_t peak;
static __thread unsigned since;

/* Between two operations; BENCH_LOOP asks every 1,024. */
static inline bool go_on(const struct bench_task *t)
{
	if (rcu_read_ongoing())
		rcu_quiescent_state(); /* qsbr, online; else nothing */
	return bench_go(t);
}
#define bench_go go_on

static void count_retired(void)
{
	uint64_t now, most;

	if (++since < BENCH_TURNS)
		return;
	now = __atomic_add_fetch(&retired, since, __ATOMIC_RELAXED) -
	      __atomic_load_n(&freed, __ATOMIC_RELAXED);
	since = 0;
	most = __atomic_load_n(&peak, __ATOMIC_RELAXED);
	while (now > most && (int64_t)now > 0 &&
	       !__atomic_compare_exchange_n(&peak, &most, now, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Only one thread calls it. */
static void object_free(struct rcu_head *head)
{
	__atomic_store_n(&freed, freed + 1, __ATOMIC_RELAXED);
	free(caa_container_of(head, struct object, head));
}

static struct object *object_new(void)
{
	struct object *o = bench_alloc(sizeof(*o));

	o->value = 1;
	urcu_ref_init(&o->ref);
	return o;
}

static inline void retire_by_call(struct object *o)
{
	call_rcu(&o->head, object_free);
	count_retired();
}

static void urcu_online(void)
{
	rcu_thread_online();
}

static void urcu_offline(void)
{
	rcu_thread_offline();
}

static void urcu_enter(void)
{
	rcu_register_thread();
	rcu_thread_offline();
}

static void urcu_leave(void)
{
	rcu_unregister_thread();
}

static inline void urcu_objects_begin(void)
{
	freed = retired = peak = 0;
	hot = object_new();
}

static inline void urcu_objects_end(void)
{
	rcu_barrier();
	free(hot);
}

#endif /* BENCH_PEER_URCU_H */
