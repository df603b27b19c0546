/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_cds.cpp - libcds, cds::gc::HP
 *
 * As its documentation recommends: one cds::gc::HP with the default sizes
 * (1,600 retired objects per thread), threads attached, Guard and GuardArray.
 */
#include "bench.h"

#ifdef BENCH_CDS

#include <algorithm>
#include <cds/gc/hp.h>
#include <cds/init.h>
#include <cstdlib>
#include <new>

using HP = cds::gc::HP;
using cds::gc::hp::smr;

namespace
{

struct object {
	uint64_t value;
	char room[BENCH_OBJECT - 8];
};

struct alignas(128) {
	atomics::atomic<object *> object_;
} hot;

uint64_t peak;
thread_local bool retires;

object *object_new()
{
	object *o = static_cast<object *>(bench_alloc(sizeof(*o)));

	o->value = 1;
	return o;
}

inline void replace()
{
	HP::retire(hot.object_.exchange(object_new(),
					atomics::memory_order_acq_rel),
		   free);
}

uint64_t cds_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		HP::Guard guard;
		object *o = guard.protect(hot.object_);

		bench_use(o->value);
	}
	return n;
}

uint64_t cds_read_kept(struct bench_task *t)
{
	HP::Guard guard;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		object *o = guard.protect(hot.object_);

		bench_use(o->value);
	}
	return n;
}

using source = atomics::atomic<bench_link *>;

static_assert(sizeof(source) == sizeof(bench_link *), "a plain pointer");

bench_inline source *step(HP::Guard &guard, source *from)
{
	bench_link *link = guard.protect(*from);

	bench_use(link->value);
	return reinterpret_cast<source *>(&link->next);
}

uint64_t cds_chain(struct bench_task *t)
{
	source *from = reinterpret_cast<source *>(&bench_chain);
	HP::Guard even, odd;
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		from = step(even, from);
		from = step(odd, from);
	}
	return 2 * n;
}

uint64_t cds_churn(struct bench_task *t)
{
	uint64_t n;

	retires = true;
	BENCH_LOOP(t, n)
	HP::retire(object_new(), free);
	return n;
}

uint64_t cds_flat(struct bench_task *t)
{
	uint64_t n;

	retires = true;
	BENCH_LOOP(t, n)
	replace();
	return n;
}

uint64_t cds_look(struct bench_task *)
{
	HP::Guard guard;
	object *o = guard.protect(hot.object_);

	bench_use(o->value);
	return 1;
}

uint64_t cds_sleep(struct bench_task *t)
{
	HP::Guard guard;
	object *o = guard.protect(hot.object_);

	bench_nap(t);
	bench_use(o->value);
	return 1;
}

uint64_t cds_stalled(struct bench_task *t)
{
	retires = true;
	return bench_stalled(t);
}

void cds_replace()
{
	replace();
}

} // namespace

#define pair_object object
#define pair_new object_new

static inline void pair_retire(object *o)
{
	HP::retire(o, free);
}

#include "pair.h"

static uint64_t cds_consume(struct bench_task *t)
{
	retires = true;
	return pair_consume(t);
}

struct list_node {
	uintptr_t next;
	uint64_t key;
	char room[BENCH_OBJECT - 16];
};

struct list_guards {
	HP::Guard *prev, *current, *next;
};

bench_inline uintptr_t list_take(struct list_guards *g, const uintptr_t *link)
{
	using word = atomics::atomic<uintptr_t>;
	const word *from = reinterpret_cast<const word *>(link);
	uintptr_t seen, now = from->load(atomics::memory_order_relaxed);

	do {
		seen = now;
		g->next->assign(reinterpret_cast<void *>(seen & ~uintptr_t(1)));
		now = from->load(atomics::memory_order_acquire);
	} while (seen != now);
	return now;
}

bench_inline void list_step(struct list_guards *g)
{
	HP::Guard *prev = g->prev;

	g->prev = g->current;
	g->current = g->next;
	g->next = prev;
}

bench_inline void list_skip(struct list_guards *g)
{
	std::swap(g->current, g->next);
}

bench_inline bool list_still(struct list_guards *, const uintptr_t *link,
			     uintptr_t word)
{
	return __atomic_load_n(link, __ATOMIC_ACQUIRE) == word;
}

static inline void list_retire(struct list_node *node)
{
	HP::retire(node, free);
}

#include "list.h"

static uintptr_t list __attribute__((__aligned__(128)));

static uint64_t cds_list(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		HP::Guard a, b, c;
		struct list_guards g = { &a, &b, &c };

		list_operation(&list, &g, t);
	}
	return n;
}

static void cds_init()
{
	cds::Initialize();
	static HP gc; /* until exit */
}

static void cds_begin(enum bench_job job)
{
	hot.object_.store(object_new());
	peak = 0;
	if (job == BENCH_LIST)
		list_fill(&list);
}

static uint64_t cds_end(enum bench_job job)
{
	free(hot.object_.load());
	pair_empty();
	if (job == BENCH_LIST)
		list_empty(&list);
	return peak;
}

static void cds_enter()
{
	cds::threading::Manager::attachThread();
}

/* How many wait at most: some more, counted, outside of the measured time. */
static void count_peak()
{
	size_t most = 0;

	for (size_t i = 0; i < 2 * HP::retired_array_capacity(); i++) {
		HP::retire(object_new(), free);
		most = std::max(most, smr::tls()->retired_.size());
	}
	__atomic_fetch_add(&peak, most, __ATOMIC_RELAXED);
}

static void cds_leave()
{
	if (retires)
		count_peak();
	HP::scan();
	cds::threading::Manager::detachThread();
}

static bench_scheme make_scheme()
{
	bench_scheme s = {};

	s.name = "libcds";
	s.version = CDS_VERSION_STRING;
	s.init = cds_init;
	s.begin = cds_begin;
	s.end = cds_end;
	s.enter = cds_enter;
	s.leave = cds_leave;
	s.replace = cds_replace;
	s.body[BENCH_READ] = cds_read;
	s.body[BENCH_READ_KEPT] = cds_read_kept;
	s.body[BENCH_CHAIN] = cds_chain;
	s.body[BENCH_CHURN] = cds_churn;
	s.body[BENCH_FLAT] = cds_flat;
	s.body[BENCH_LIST] = cds_list;
	s.body[BENCH_LOOK] = cds_look;
	s.body[BENCH_SLEEP] = cds_sleep;
	s.body[BENCH_STALLED] = cds_stalled;
	s.body[BENCH_START] = bench_start_exit;
	s.body[BENCH_CONSUME] = cds_consume;
	s.body[BENCH_PRODUCE] = pair_produce;
	s.body[BENCH_BYTES_THREAD] = bench_bytes_thread;
	return s;
}

const struct bench_scheme bench_cds = make_scheme();

#endif
