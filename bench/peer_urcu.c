/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_urcu.c - userspace RCU, compiled once for each flavour
 *
 * How it is used: peer_urcu.h. A reader that sleeps in a section keeps
 * everything alive, so the guarantee is weaker than ours. Two schemes, which
 * differ in what the writer does with an object: call_rcu(), or defer_rcu().
 */
#include "peer_urcu.h"

#include "crowd.h"

#define URCU_PASTE_(a, b) a##b
#define URCU_PASTE(a, b) URCU_PASTE_(a, b)
#ifdef URCU_CALLED
#define URCU_SCHEME(name) URCU_PASTE(name##called_, URCU_FLAVOUR)
#else
#define URCU_SCHEME(name) URCU_PASTE(name, URCU_FLAVOUR)
#endif

static bool deferred; /* the writer's call, in this measurement */

static inline void retire(struct object *o)
{
	if (deferred)
		defer_rcu(free, o);
	else
		retire_by_call(o);
}

static inline void replace(void)
{
	retire(rcu_xchg_pointer(&hot, object_new()));
}

/* A writer's loop: online for call_rcu(), never for defer_rcu(). */
static void begin_writing(void)
{
	if (deferred)
		rcu_thread_offline();
}

static void urcu_replace(void)
{
	replace();
	rcu_quiescent_state();
}

static uint64_t urcu_read(struct bench_task *t)
{
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		struct object *o;

		rcu_read_lock();
		o = rcu_dereference(hot);
		bench_use(o->value);
		rcu_read_unlock();
	}
	return n;
}

/* One section for 1,024 looks. */
static uint64_t urcu_read_kept(struct bench_task *t)
{
	uint64_t n;

	for (n = 0; !n || bench_go(t); n += BENCH_TURNS) {
		rcu_read_lock();
		for (unsigned turn = BENCH_TURNS; turn; turn--) {
			struct object *o = rcu_dereference(hot);

			bench_use(o->value);
		}
		rcu_read_unlock();
	}
	return n;
}

static uint64_t urcu_look(struct bench_task *t)
{
	struct object *o;

	(void)t;
	rcu_read_lock();
	o = rcu_dereference(hot);
	bench_use(o->value);
	rcu_read_unlock();
	return 1;
}

static uint64_t urcu_sleep(struct bench_task *t)
{
	struct object *o;

	rcu_read_lock();
	o = rcu_dereference(hot);
	bench_nap(t);
	bench_use(o->value);
	rcu_read_unlock();
	return 1;
}

static uint64_t urcu_await(struct bench_task *t)
{
	struct object *spare = object_new();
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		spare = rcu_xchg_pointer(&hot, spare);
		synchronize_rcu();
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
		synchronize_rcu();
		t->own += bench_now() - start;
	}
	return n;
}

#define pair_object struct object
#define pair_new object_new
#define pair_retire retire
#include "pair.h"

static uint64_t urcu_consume(struct bench_task *t)
{
	begin_writing();
	return pair_consume(t);
}

/* A section for each object, as a reader that looks at one object has. */
bench_inline struct bench_link **step(struct bench_link **source)
{
	struct bench_link *link;

	rcu_read_lock();
	link = rcu_dereference(*source);
	bench_use(link->value);
	rcu_read_unlock();
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

	begin_writing();
	BENCH_LOOP(t, n)
	retire(object_new());
	return n;
}

static uint64_t urcu_flat(struct bench_task *t)
{
	uint64_t n;

	begin_writing();
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
	call_rcu(&node->head, node_free);
}

#include "list.h"

static uintptr_t list __attribute__((__aligned__(128)));

static uint64_t urcu_list(struct bench_task *t)
{
	struct list_guards g = { 0 };
	uint64_t n;

	BENCH_LOOP(t, n)
	{
		rcu_read_lock();
		list_operation(&list, &g, t);
		rcu_read_unlock();
	}
	return n;
}

static void urcu_init(void)
{
	urcu_enter();
	get_default_call_rcu_data();
}

static void urcu_begin(enum bench_job job)
{
	deferred = false;
	urcu_objects_begin();
	if (job == BENCH_LIST)
		list_fill(&list);
}

static uint64_t urcu_end(enum bench_job job)
{
	urcu_objects_end();
	pair_empty();
	if (job == BENCH_STALLED)
		bench_memory_trim();
	if (job == BENCH_LIST)
		list_empty(&list);
	return peak;
}

const struct bench_scheme URCU_SCHEME(bench_urcu_) = {
	.name = URCU_NAME,
	.kind = BENCH_WEAKER,
	.version = BENCH_URCU,
	.init = urcu_init,
	.begin = urcu_begin,
	.end = urcu_end,
	.enter = urcu_enter,
	.leave = urcu_leave,
	.online = urcu_online,
	.offline = urcu_offline,
	.replace = urcu_replace,
	.body = {
		[BENCH_READ] = urcu_read,
		[BENCH_READ_KEPT] = urcu_read_kept,
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
		[BENCH_CONSUME] = urcu_consume,
		[BENCH_PRODUCE] = pair_produce,
		[BENCH_BYTES_THREAD] = bench_bytes_thread,
	},
};

static void defer_begin(enum bench_job job)
{
	urcu_begin(job);
	deferred = true;
}

/* The first that registers starts a thread, the last ends it. */
static void defer_enter(void)
{
	urcu_enter();
	rcu_defer_register_thread();
}

/* Reclaims what the thread has left. */
static void defer_leave(void)
{
	rcu_defer_unregister_thread();
	urcu_leave();
}

const struct bench_scheme URCU_SCHEME(bench_defer_) = {
	.name = URCU_NAME,
	.kind = BENCH_WEAKER,
	.version = BENCH_URCU,
	.begin = defer_begin,
	.end = urcu_end,
	.enter = defer_enter,
	.leave = defer_leave,
	.online = urcu_online,
	.offline = urcu_offline,
	.body = {
		[BENCH_READ] = urcu_read,
		[BENCH_CHURN] = urcu_churn,
		[BENCH_FLAT] = urcu_flat,
		[BENCH_CONSUME] = urcu_consume,
		[BENCH_PRODUCE] = pair_produce,
	},
};
