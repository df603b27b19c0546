/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/child.c - what a forked child tries
 *
 * The other threads are not here, whatever they were doing. With objects and
 * sources of its own the child does a little of everything, one thread more
 * among it, and expects to get all of it back.
 */
#include "futex.h"
#include "nodes.h"

#include <limits.h>
#include <unistd.h>

#define OBJECTS 20

bool is_child;

static struct obj *source;
static struct hazptr_sync_shared sync_source;
static struct hazptr_mutex mutex;
static uint32_t word;
static uint64_t ended;

static void reclaim(struct hazptr_head *head)
{
	obj_reclaim(head);
	add(&ended, 1);
}

static void release(struct hazptr_shared_node *node)
{
	obj_end((struct obj *)(void *)node, BY_FUNCTION);
	add(&ended, 1);
}

static struct obj *new_object(enum obj_kind kind)
{
	struct obj *o = NULL;

	while (!o)
		o = obj_new(kind);
	o->end = BY_FUNCTION;
	return o;
}

static void retire_to(struct hazptr_domain *d)
{
	struct obj *new = new_object(OBJ_NODE);
	struct obj *old = __atomic_exchange_n(&source, new, __ATOMIC_ACQ_REL);
	HAZPTR_GUARD(g);

	obj_check(hazptr_protect(&g, &source), OBJ_NODE);
	if (old)
		hazptr_retire(d, old, head, reclaim);
}

static void *read_in_a_thread(void *arg)
{
	struct worker w = { .place = arg };
	unsigned i;

	self = &w;
	begin_random(7);
	for (i = 0; i < OBJECTS; i++) {
		HAZPTR_GUARD(g);

		obj_check(hazptr_protect(&g, &source), OBJ_NODE);
		hazptr_mutex_lock(&mutex);
		hazptr_mutex_unlock(&mutex);
	}
	__atomic_store_n(&word, 1, __ATOMIC_RELEASE);
	hazptr_futex_wake(&word, INT_MAX);
	objects_leave();
	return NULL;
}

/* The domain's own objects, and all of them. */
static void use_a_domain(enum hazptr_reclaim policy)
{
	struct hazptr_domain_opts opts = { .size = sizeof(opts),
					   .reclaim = policy,
					   .max_retired = 4 };
	uint64_t before = get(&ended);
	struct hazptr_domain *d;
	unsigned i;

	if (hazptr_domain_create(&d, &opts))
		failed("domain_create", NULL);
	source = new_object(OBJ_NODE);
	for (i = 0; i < OBJECTS; i++)
		retire_to(d);
	hazptr_retire(d, source, head, reclaim);
	source = NULL;
	hazptr_barrier(d);
	if (get(&ended) - before != OBJECTS + 1)
		failed("not all were reclaimed", NULL);
	if (hazptr_domain_destroy(d))
		failed("domain_destroy", d);
}

static void share(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	uint64_t before = get(&ended);
	struct hazptr_shared sp, again;

	sp = hazptr_shared_create(&new_object(OBJ_SHARED)->weak.node, release);
	hazptr_sync_shared_store(&sync_source, &sp);
	again = hazptr_sync_shared_load(&sync_source);
	if (!hazptr_thread_shared_load(&ts, &sync_source))
		failed("nothing to load", NULL);
	hazptr_sync_shared_drop(&sync_source);
	obj_check((struct obj *)(void *)again.node, OBJ_SHARED);
	hazptr_shared_drop(&again);
	obj_check((struct obj *)(void *)hazptr_thread_shared_get(&ts),
		  OBJ_SHARED);
	hazptr_thread_shared_drop(&ts);
	while (get(&ended) == before) /* who forked waits for us, and watches */
		nap_us(500);
}

static void use_a_thread(void)
{
	pthread_t thread;

	source = new_object(OBJ_NODE);
	hazptr_mutex_lock(&mutex);
	if (!start_thread(&thread, read_in_a_thread, self->place))
		_exit(0); /* as the machine is */
	hazptr_mutex_unlock(&mutex);
	while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE))
		hazptr_futex_wait(&word, 0, NULL);
	pthread_join(thread, NULL);
	source->end = BY_HAND;
	hazptr_synchronize(source);
	obj_end(source, BY_HAND);
}

/* Where others were retiring: whatever they had begun stands in no way. */
static void use_shared_domains(void)
{
	static struct hazptr_cohort cohort;
	uint64_t before = get(&ended);
	unsigned i;

	for (i = 0; i < DOMAINS && domains[1]; i++) {
		struct obj *o = new_object(OBJ_NODE);

		hazptr_cohort_init(&cohort, domains[i]);
		hazptr_cohort_retire(&cohort, o, head, reclaim);
		hazptr_cohort_destroy(&cohort);
		if (get(&ended) != ++before)
			failed("the cohort's barrier did not wait", o);
	}
}

/* Whoever slept is not here. */
static void wake_nobody(void)
{
	unsigned i;

	for (i = 0; i < WORDS; i++)
		if (hazptr_futex_wake(&futex_words[i], INT_MAX))
			failed("somebody was woken", &futex_words[i]);
	for (i = 0; i < KEYS; i++)
		if (hazptr_unpark_all(&futex_keys[i], 1))
			failed("somebody was unparked", &futex_keys[i]);
}

_Noreturn void be_child(void)
{
	static struct place place; /* the parent's is shared */

	nomem_set(0);
	place.thread = "child";
	place.workload = "disturbances";
	place.operation = "forked child";
	self->place = &place;
	use_shared_domains();
	wake_nobody();
	use_a_domain(HAZPTR_RECLAIM_INLINE);
	use_a_domain(HAZPTR_RECLAIM_BACKGROUND);
	share();
	use_a_thread();
	hazptr_flush(NULL); /* what the parent had retired, too */
	_exit(0);
}
