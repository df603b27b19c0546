/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_urcu.c - userspace RCU, the memb flavour
 *
 * As its README recommends: membarrier flavour, read side inlined by
 * _LGPL_SOURCE, threads registered, call_rcu() with the default helper thread,
 * which is started before any processor is chosen. An RCU reader that sleeps
 * keeps everything alive, so the guarantee is weaker than ours. References: a
 * lookup takes a urcu_ref in a read-side section; whoever puts the last one
 * leaves the object to call_rcu().
 */
#include "bench.h"

#ifdef BENCH_URCU

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE
#endif
#include "crowd.h"

#include <stdlib.h>
#include <urcu/ref.h>
#include <urcu/urcu-memb.h>

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

static inline void retire(struct object *o)
{
	urcu_memb_call_rcu(&o->head, object_free);
	count_retired();
}

static inline void replace(void)
{
	retire(rcu_xchg_pointer(&hot, object_new()));
}

static void urcu_replace(void)
{
	replace();
}

static uint64_t urcu_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct object *o;

		urcu_memb_read_lock();
		o = rcu_dereference(hot);
		bench_use(o->value);
		urcu_memb_read_unlock();
	}
	return n;
}

static void object_release(struct urcu_ref *ref)
{
	retire(caa_container_of(ref, struct object, ref));
}

static inline struct object *lookup(void)
{
	struct object *o;

	urcu_memb_read_lock();
	o = rcu_dereference(hot);
	if (o && !urcu_ref_get_unless_zero(&o->ref))
		o = NULL;
	urcu_memb_read_unlock();
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

static inline void replace_ref(void)
{
	struct object *o = rcu_xchg_pointer(&hot, object_new());

	urcu_ref_put(&o->ref, object_release);
}

static void urcu_replace_ref(void)
{
	replace_ref();
}

static uint64_t urcu_store(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	replace_ref();
	return n;
}

static uint64_t urcu_look(struct bench_task *t)
{
	struct object *o;

	(void)t;
	urcu_memb_read_lock();
	o = rcu_dereference(hot);
	bench_use(o->value);
	urcu_memb_read_unlock();
	return 1;
}

static uint64_t urcu_sleep(struct bench_task *t)
{
	struct object *o;

	urcu_memb_read_lock();
	o = rcu_dereference(hot);
	bench_nap(t);
	bench_use(o->value);
	urcu_memb_read_unlock();
	return 1;
}

static uint64_t urcu_await(struct bench_task *t)
{
	struct object *spare = object_new();
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		spare = rcu_xchg_pointer(&hot, spare);
		urcu_memb_synchronize_rcu();
		spare->value = 1;
	}
	free(spare);
	return n;
}

/* What a grace period costs is what it looks at. */
static uint64_t urcu_scan(struct bench_task *t)
{
	double start;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		start = bench_now();
		urcu_memb_synchronize_rcu();
		t->own += bench_now() - start;
	}
	return n;
}

#define pair_object struct object
#define pair_new object_new
#define pair_retire retire
#include "pair.h"

#undef urcu_memb_read_lock
#undef urcu_memb_read_unlock
extern void urcu_memb_read_lock(void);
extern void urcu_memb_read_unlock(void);

/* What a program gets that may not inline it. */
static uint64_t urcu_read_call(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct object *o;

		urcu_memb_read_lock();
		o = rcu_dereference(hot);
		bench_use(o->value);
		urcu_memb_read_unlock();
	}
	return n;
}

#define urcu_memb_read_lock _urcu_memb_read_lock
#define urcu_memb_read_unlock _urcu_memb_read_unlock

/* A section for each object, as a reader that looks at one object has. */
bench_inline struct bench_link **step(struct bench_link **source)
{
	struct bench_link *link;

	urcu_memb_read_lock();
	link = rcu_dereference(*source);
	bench_use(link->value);
	urcu_memb_read_unlock();
	return &link->next;
}

static uint64_t urcu_chain(struct bench_task *t)
{
	struct bench_link **source = &bench_chain;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		source = step(source);
		source = step(source);
	}
	return 2 * n;
}

static uint64_t urcu_churn(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	retire(object_new());
	return n;
}

static uint64_t urcu_flat(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	replace();
	return n;
}

struct list_node {
	uintptr_t next;
	uint64_t key;
	struct rcu_head head;
	char room[BENCH_OBJECT - 16 - sizeof(struct rcu_head)];
};

struct list_guards {
	char none;
};

static void node_free(struct rcu_head *head)
{
	free(caa_container_of(head, struct list_node, head));
}

bench_inline uintptr_t list_take(struct list_guards *g, const uintptr_t *link)
{
	(void)g;
	return rcu_dereference(*(uintptr_t *)(uintptr_t)link);
}

bench_inline void list_step(struct list_guards *g)
{
	(void)g;
}

bench_inline void list_skip(struct list_guards *g)
{
	(void)g;
}

/* The section that began before the walk keeps all that it can reach. */
bench_inline bool list_still(struct list_guards *g, const uintptr_t *link,
			     uintptr_t word)
{
	(void)g, (void)link, (void)word;
	return true;
}

static inline void list_retire(struct list_node *node)
{
	urcu_memb_call_rcu(&node->head, node_free);
}

#include "list.h"

static uintptr_t list __attribute__((__aligned__(128)));

static uint64_t urcu_list(struct bench_task *t)
{
	struct list_guards g = { 0 };
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		urcu_memb_read_lock();
		list_operation(&list, &g, t);
		urcu_memb_read_unlock();
	}
	return n;
}

static void urcu_init(void)
{
	urcu_memb_register_thread();
	urcu_memb_get_default_call_rcu_data();
}

static void urcu_begin(enum bench_job job)
{
	freed = retired = peak = 0;
	hot = object_new();
	if (job == BENCH_LIST)
		list_fill(&list);
}

static uint64_t urcu_end(enum bench_job job)
{
	urcu_memb_barrier();
	free(hot);
	pair_empty();
	if (job == BENCH_STALLED)
		bench_memory_trim();
	if (job == BENCH_LIST)
		list_empty(&list);
	return peak;
}

const struct bench_scheme bench_urcu = {
	.name = "liburcu-memb",
	.version = BENCH_URCU,
	.init = urcu_init,
	.begin = urcu_begin,
	.end = urcu_end,
	.enter = urcu_memb_register_thread,
	.leave = urcu_memb_unregister_thread,
	.replace = urcu_replace,
	.body = {
		[BENCH_READ] = urcu_read,
		[BENCH_READ_CALL] = urcu_read_call,
		[BENCH_CHAIN] = urcu_chain,
		[BENCH_CHURN] = urcu_churn,
		[BENCH_FLAT] = urcu_flat,
		[BENCH_LIST] = urcu_list,
		[BENCH_LOOK] = urcu_look,
		[BENCH_SLEEP] = urcu_sleep,
		[BENCH_STALLED] = bench_stalled,
		[BENCH_AWAIT] = urcu_await,
		[BENCH_SCAN] = urcu_scan,
		[BENCH_START] = bench_start_exit,
		[BENCH_CONSUME] = pair_consume,
		[BENCH_PRODUCE] = pair_produce,
		[BENCH_BYTES_THREAD] = bench_bytes_thread,
	},
};

const struct bench_scheme bench_urcu_refs = {
	.name = "liburcu-memb",
	.version = BENCH_URCU,
	.begin = urcu_begin,
	.end = urcu_end,
	.enter = urcu_memb_register_thread,
	.leave = urcu_memb_unregister_thread,
	.replace = urcu_replace_ref,
	.body = {
		[BENCH_LOAD] = urcu_load,
		[BENCH_STORE] = urcu_store,
	},
};

#else

const struct bench_scheme bench_urcu = { .name = "liburcu-memb" };
const struct bench_scheme bench_urcu_refs = { .name = "liburcu-memb" };

#endif
