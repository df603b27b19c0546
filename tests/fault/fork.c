/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/fork.c - what the child of a fork has, and has not
 *
 * Finding: a stale pointer after fork (the futex private hash). The child
 * keeps the guards of the thread that forked, forgets those of all others,
 * reclaims what any thread had retired, and can use everything. The parent
 * notices nothing.
 */
#include "fault.h"

#include <string.h>

#define GUARDS 12 /* eight in slots, the others embedded */
#define LOOSE 40  /* retired by another thread, kept by nobody */
#define LONG_MS 600000u

struct other {
	struct hazptr_domain *d;
	struct hazptr_guard g[GUARDS];
	struct thing *kept[GUARDS];
	int ready, stop;
};

/* Holds guards on what it retired, and has more in its lists. */
static void *hold_and_retire(void *arg)
{
	struct other *o = arg;
	int i;

	for (i = 0; i < GUARDS; i++) {
		o->kept[i] = thing_guarded(&o->g[i], 1);
		thing_retire(o->d, o->kept[i]);
	}
	for (i = 0; i < LOOSE; i++)
		thing_retire(o->d, thing_new(2));
	__atomic_store_n(&o->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE))
		nap_ms(1);
	for (i = 0; i < GUARDS; i++) {
		thing_check(o->kept[i]);
		hazptr_release(&o->g[i]);
	}
	return NULL;
}

static void *one_more_thread(void *d)
{
	struct hazptr_guard g[GUARDS];
	struct thing *source = thing_new(3);
	int i;

	memset(g, 0, sizeof(g));
	for (i = 0; i < GUARDS; i++)
		thing_protect(&g[i], &source);
	thing_retire(d, source);
	for (i = 0; i < GUARDS; i++)
		hazptr_release(&g[i]);
	return NULL;
}

/* Everything once, in a child; nothing is left at the end. */
static void use_everything(struct hazptr_domain *d)
{
	struct hazptr_context c;
	struct hazptr_cohort cohort;
	struct thing *t = thing_new(4);
	uint64_t slots;
	int i;

	one_more_thread(NULL);
	join(spawn(one_more_thread, d));
	hazptr_barrier(NULL); /* the library's thread has its context now */
	slots = domain_stats(NULL).slots;
	for (i = 0; i < 10; i++)
		join(spawn(one_more_thread, i & 1 ? d : NULL));
	CHECK_EQ(domain_stats(NULL).slots, slots);
	CHECK_EQ(hazptr_context_init(&c), 0);
	CHECK(!hazptr_context_switch(&c));
	one_more_thread(d);
	CHECK(hazptr_context_switch(NULL) == &c);
	hazptr_context_cleanup(&c);
	CHECK_EQ(hazptr_cohort_init(&cohort, d), 0);
	hazptr_cohort_retire(&cohort, t, head, thing_reclaim);
	hazptr_cohort_destroy(&cohort);
	hazptr_flush(d);
	hazptr_barrier(d);
	hazptr_synchronize(&c);
	thing_retire(NULL, thing_new(5));
	hazptr_barrier(NULL);
}

static void flush_until(struct hazptr_domain *d, int count)
{
	hazptr_flush(d);
	CHECK(wait_for(&things_reclaimed, count, 60));
	CHECK_EQ(reclaimed(), count);
}

_Noreturn static void be_child(struct hazptr_domain *d, struct hazptr_guard *g,
			       struct thing *const *kept)
{
	int i;

	flush_until(d, GUARDS + LOOSE);
	CHECK_EQ(alive(), GUARDS);
	for (i = 0; i < GUARDS; i++) {
		thing_check(kept[i]);
		hazptr_release(&g[i]);
	}
	flush_until(d, 2 * GUARDS + LOOSE);
	use_everything(d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(domain_stats(d).pending, 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
	exit(0);
}

static void fork_with_policy(enum hazptr_reclaim policy)
{
	static struct hazptr_guard g[GUARDS];
	struct hazptr_domain *d = domain_new(policy, 0, LONG_MS);
	struct other o = { .d = d };
	struct thing *kept[GUARDS];
	pthread_t thread;
	pid_t child;
	int i;

	fault_needs_threads_after_fork();
	thread = spawn(hold_and_retire, &o);
	CHECK(wait_for(&o.ready, 1, 60));
	for (i = 0; i < GUARDS; i++) {
		kept[i] = thing_guarded(&g[i], 0);
		thing_retire(d, kept[i]);
	}
	things_reclaimed = 0;
	child = fault_fork();
	if (!child)
		be_child(d, g, kept);
	CHECK(child_ok(child));
	flush_until(d, LOOSE);
	for (i = 0; i < GUARDS; i++) {
		thing_check(kept[i]);
		thing_check(o.kept[i]);
		hazptr_release(&g[i]);
	}
	flush_until(d, LOOSE + GUARDS);
	__atomic_store_n(&o.stop, 1, __ATOMIC_RELEASE);
	join(thread);
	flush_until(d, LOOSE + 2 * GUARDS);
	use_everything(d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void fork_with_live_guards_background(void)
{
	fork_with_policy(HAZPTR_RECLAIM_BACKGROUND);
}

static void fork_with_live_guards_inline(void)
{
	fork_with_policy(HAZPTR_RECLAIM_INLINE);
}

static void fork_with_live_guards_manual(void)
{
	fork_with_policy(HAZPTR_RECLAIM_MANUAL);
}

static void *fork_in_thread(void *policy)
{
	fork_with_policy(*(enum hazptr_reclaim *)policy);
	return NULL;
}

/* The thread that forks is the child's only one. */
static void fork_from_another_thread(void)
{
	enum hazptr_reclaim policy = HAZPTR_RECLAIM_BACKGROUND;

	join(spawn(fork_in_thread, &policy));
}

/* Nobody calls the library in the child but for one retire(). */
static void child_starts_its_own_thread(void)
{
	struct other o = { .d = NULL };
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct thing *t = thing_guarded(&g, 0);
	pthread_t thread;
	pid_t child;

	fault_needs_threads_after_fork();
	thing_retire(NULL, t);
	thing_retire(NULL, thing_new(0));
	CHECK(wait_for(&things_reclaimed, 1, 60)); /* ours runs */
	thread = spawn(hold_and_retire, &o);
	CHECK(wait_for(&o.ready, 1, 60));
	child = fault_fork();
	if (!child) {
		int n = 1 + GUARDS + LOOSE;

		CHECK_EQ(library_thread(), 0);
		thing_retire(NULL, thing_new(0));
		CHECK(wait_for(&things_reclaimed, n, 60));
		CHECK(library_thread() != 0);
		thing_check(t);
		hazptr_release(&g);
		CHECK(wait_for(&things_reclaimed, n + 1, 60));
		exit(0);
	}
	CHECK(child_ok(child));
	hazptr_release(&g);
	__atomic_store_n(&o.stop, 1, __ATOMIC_RELEASE);
	join(thread);
	CHECK(wait_for(&things_reclaimed, 2 + GUARDS + LOOSE, 60));
	CHECK_EQ(alive(), 0);
}

/* Three generations; each does what the first does. */
static void grandchildren_fork_too(void)
{
	int generation;
	pid_t child = 0;

	for (generation = 0; generation < 3; generation++) {
		fork_with_policy(generation & 1 ? HAZPTR_RECLAIM_INLINE :
						  HAZPTR_RECLAIM_BACKGROUND);
		child = fault_fork();
		if (child)
			break;
	}
	if (child)
		CHECK(child_ok(child));
}

static struct hazptr_guard handed_over[GUARDS];

/* Hands all its guards to the main thread, and stays. */
static void *hand_over(void *arg)
{
	struct other *o = arg;
	int i;

	for (i = 0; i < GUARDS; i++) {
		o->kept[i] = thing_guarded(&handed_over[i], 0);
		thing_retire(o->d, o->kept[i]);
		hazptr_detach(&handed_over[i]);
	}
	__atomic_store_n(&o->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE))
		nap_ms(1);
	return NULL;
}

/* In the child: guards of a new thread, who may get the old one's context. */
static void *hold_meanwhile(void *arg)
{
	return hold_and_retire(arg);
}

/* Whether its thread has ended before, or is left behind by the fork. */
static void fork_with_detached_guards(bool ended)
{
	struct hazptr_domain *d =
		domain_new(HAZPTR_RECLAIM_MANUAL, 0, LONG_MS);
	struct other giver = { .d = d }, newcomer = { .d = d };
	pthread_t thread, another;
	pid_t child;
	int i;

	fault_needs_threads_after_fork();
	another = thread = spawn(hand_over, &giver);
	CHECK(wait_for(&giver.ready, 1, 60));
	if (ended) {
		__atomic_store_n(&giver.stop, 1, __ATOMIC_RELEASE);
		join(thread);
	}
	things_reclaimed = 0;
	child = fault_fork();
	if (!child) {
		hazptr_flush(d);
		for (i = 0; i < GUARDS; i++)
			thing_check(giver.kept[i]);
		another = spawn(hold_meanwhile, &newcomer);
		CHECK(wait_for(&newcomer.ready, 1, 60));
	} else {
		CHECK(child_ok(child));
	}
	for (i = 0; i < GUARDS; i++)
		hazptr_release(&handed_over[i]);
	hazptr_flush(d);
	if (!child) {
		flush_until(d, GUARDS + LOOSE);
		__atomic_store_n(&newcomer.stop, 1, __ATOMIC_RELEASE);
		join(another);
		flush_until(d, 2 * GUARDS + LOOSE);
		use_everything(d);
		exit(0);
	}
	CHECK_EQ(reclaimed(), GUARDS);
	if (!ended) {
		__atomic_store_n(&giver.stop, 1, __ATOMIC_RELEASE);
		join(thread);
	}
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

/* Guards that another thread handed to the one that forks are its own now. */
static void fork_with_guards_detached_by_others(void)
{
	fork_with_detached_guards(false);
}

/* Contexts whose thread has ended, and that wait for a release, forked. */
static void fork_with_guards_detached_by_the_dead(void)
{
	fork_with_detached_guards(true);
}

struct task {
	struct hazptr_context context;
	struct thing *t;
	int ready, stop;
};

static void *run_task(void *arg)
{
	struct task *task = arg;
	struct hazptr_guard g = HAZPTR_GUARD_INIT;

	CHECK(!hazptr_context_switch(&task->context));
	task->t = thing_guarded(&g, 0);
	__atomic_store_n(&task->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&task->stop, __ATOMIC_ACQUIRE))
		nap_ms(1);
	thing_check(task->t);
	hazptr_release(&g);
	CHECK(hazptr_context_switch(NULL) == &task->context);
	return NULL;
}

/* A context that nobody runs is data, and data is copied by fork. */
static void fork_with_contexts(void)
{
	struct hazptr_domain *d =
		domain_new(HAZPTR_RECLAIM_MANUAL, 0, LONG_MS);
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_context parked, in_use;
	struct task task = { .ready = 0 };
	struct thing *a = thing_new(1), *b;
	struct hazptr_slot *s;
	pthread_t thread;
	pid_t child;

	fault_needs_threads_after_fork();
	CHECK_EQ(hazptr_context_init(&parked), 0);
	CHECK_EQ(hazptr_context_init(&in_use), 0);
	CHECK_EQ(hazptr_context_init(&task.context), 0);
	s = hazptr_slot_alloc(&parked);
	CHECK(s && hazptr_slot_protect(s, &a) == a);
	CHECK(!hazptr_context_switch(&in_use));
	b = thing_guarded(&g, 2);
	thread = spawn(run_task, &task);
	CHECK(wait_for(&task.ready, 1, 60));
	thing_retire(d, a);
	thing_retire(d, b);
	thing_retire(d, task.t);
	child = fault_fork();
	if (child)
		CHECK(child_ok(child));
	else /* the task's thread, and what it held, are not here */
		CHECK_EQ(hazptr_flush(d), 1);
	CHECK_EQ(hazptr_flush(d), 0);
	thing_check(a);
	thing_check(b);
	CHECK(hazptr_context_switch(NULL) == &in_use);
	hazptr_release(&g);
	CHECK_EQ(hazptr_flush(d), 1);
	hazptr_slot_free(&parked, s);
	CHECK_EQ(hazptr_flush(d), 1);
	if (child) {
		__atomic_store_n(&task.stop, 1, __ATOMIC_RELEASE);
		join(thread);
	}
	CHECK(!hazptr_context_switch(&task.context));
	CHECK(hazptr_context_switch(NULL) == &task.context);
	hazptr_context_cleanup(&task.context);
	hazptr_context_cleanup(&parked);
	hazptr_context_cleanup(&in_use);
	use_everything(d);
	CHECK_EQ(alive(), 0);
	if (!child)
		exit(0);
}

static struct hazptr_domain *forking_domain;
static bool in_child;

/* The child goes on from inside the function. */
static void fork_here(struct thing *t)
{
	pid_t child;
	(void)t;

	child = fault_fork();
	in_child = !child;
	if (in_child) {
		thing_retire(forking_domain, thing_new(0));
		thing_retire(NULL, thing_new(0));
		hazptr_flush(forking_domain);
		join(spawn(one_more_thread, forking_domain));
	} else {
		CHECK(child_ok(child));
	}
}

static void fork_here_and_leave(struct thing *t)
{
	fork_here(t);
	if (in_child)
		_exit(0);
}

static void fork_in_function(enum hazptr_reclaim policy)
{
	struct hazptr_domain *d = domain_new(policy, 0, LONG_MS);
	struct thing *t;
	int i;

	things_reclaimed = 0;
	forking_domain = d;
	for (i = 0; i < 11; i++) {
		t = thing_new(0);
		if (i == 5)
			t->at_reclaim = policy == HAZPTR_RECLAIM_BACKGROUND ?
						fork_here_and_leave :
						fork_here;
		thing_retire(d, t);
	}
	hazptr_flush(d);
	hazptr_barrier(d);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(reclaimed(), in_child ? 14 : 11);
	use_everything(d);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
	if (in_child)
		exit(0);
}

static void fork_inside_a_reclaim_function(void)
{
	fault_needs_threads_after_fork();
	fork_in_function(HAZPTR_RECLAIM_INLINE);
	fork_in_function(HAZPTR_RECLAIM_MANUAL);
	fork_in_function(HAZPTR_RECLAIM_BACKGROUND);
}

static const struct fault_case cases[] = {
	{ "fork_with_live_guards_background",
	  fork_with_live_guards_background, .fences = FENCE_ALL },
	{ "fork_with_live_guards_inline", fork_with_live_guards_inline,
	  .fences = FENCE_DEFAULT },
	{ "fork_with_live_guards_manual", fork_with_live_guards_manual,
	  .fences = FENCE_DEFAULT },
	{ "fork_from_another_thread", fork_from_another_thread,
	  .fences = FENCE_DEFAULT },
	{ "child_starts_its_own_thread", child_starts_its_own_thread,
	  .fences = FENCE_DEFAULT },
	{ "grandchildren_fork_too", grandchildren_fork_too,
	  .fences = FENCE_DEFAULT },
	{ "fork_with_guards_detached_by_others",
	  fork_with_guards_detached_by_others, .fences = FENCE_DEFAULT },
	{ "fork_with_guards_detached_by_the_dead",
	  fork_with_guards_detached_by_the_dead, .fences = FENCE_DEFAULT },
	{ "fork_with_contexts", fork_with_contexts, .fences = FENCE_ALL },
	{ "fork_inside_a_reclaim_function", fork_inside_a_reclaim_function,
	  .fences = FENCE_DEFAULT },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
