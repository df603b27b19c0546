/* SPDX-License-Identifier: MIT */
/*
 * tests/torture/torture.c - everything at once, for some seconds
 *
 *	torture [--seconds S] [--threads N] [--seed X] [--fence MODE]
 *
 * Exit code: 0, or 1 when something was seen that must not be. A torture run
 * proves nothing; that this one can fail is shown by its broken siblings:
 * -DTORTURE_BREAK=1 reclaims without retiring, =2 reads without a guard.
 */
#include "torture.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef TORTURE_BREAK
#define TORTURE_BREAK 0
#endif

#define PLAIN 8	   /* sources whose objects nobody keeps for long */
#define SOURCES 16 /* the others' may lie in a mailbox or a parked task */
#define TAGGED 4
#define BOXES 6
#define TASKS 4
#define NESTED 14
#define DOMAINS 4

static struct node *sources[SOURCES];
static uintptr_t tagged[TAGGED]; /* a node and two flags */
static struct hazptr_domain *domains[DOMAINS]; /* the first is the default */
static struct hazptr_cohort cohorts[2];
static int stop, short_lived;
static uint64_t seed;

/* A guard on its way from one thread to another. */
enum { EMPTY, FILLING, FULL, TAKING };
static struct box {
	int state;
	struct hazptr_guard guard;
	struct node *node;
} boxes[BOXES];

/* What runs for a while on this thread, for a while on that. */
static struct task {
	int taken;
	struct hazptr_context context;
	struct hazptr_guard guard;
	struct hazptr_slot *slot;
	struct node *by_guard, *by_slot;
} tasks[TASKS];

_Noreturn void torture_failed(const char *what, const void *object)
{
	fprintf(stderr, "torture: seed %llu: %s, %p\n",
		(unsigned long long)seed, what, object);
	_exit(1);
}

bool torture_over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

/* Inline, as a guard in a register has it. */
static inline struct node *protect(struct hazptr_guard *g, struct node **source)
{
#if TORTURE_BREAK == 2
	(void)g;
	return __atomic_load_n(source, __ATOMIC_ACQUIRE);
#else
	return hazptr_protect(g, source);
#endif
}

static struct node **any_source(void)
{
	return &sources[pick(SOURCES)];
}

static struct node **parking_source(void)
{
	return &sources[PLAIN + pick(SOURCES - PLAIN)];
}

static struct hazptr_domain *any_domain(void)
{
	return domains[pick(DOMAINS)];
}

/* Readers */

static void read_fresh(void)
{
	HAZPTR_GUARD(g);

	node_check(protect(&g, any_source()));
}

static void read_kept(void)
{
	HAZPTR_GUARD(g);
	uint64_t i;

	for (i = pick(20); i; i--)
		node_check(protect(&g, any_source()));
}

static void read_nested(void)
{
	struct hazptr_guard g[NESTED];
	struct node *n[NESTED];
	unsigned i, k, count = 1 + (unsigned)pick(NESTED);

	memset(g, 0, sizeof(g));
	for (i = 0; i < count; i++)
		n[i] = protect(&g[i], any_source());
	for (i = 0; i < count; i++)
		node_check(n[i]);
	/* Let go of them in any order, and use some again. */
	for (i = 0; i < count; i++) {
		k = (unsigned)pick(count);
		hazptr_release(&g[k]);
		if (pick(2))
			node_check(protect(&g[k], any_source()));
	}
	for (i = 0; i < count; i++)
		hazptr_release(&g[i]);
}

static void read_by_trying(void)
{
	struct node **source = any_source();
	struct node *n = __atomic_load_n(source, __ATOMIC_RELAXED);
	HAZPTR_GUARD(g);

	while (!hazptr_try_protect(&g, &n, source))
		;
	node_check(n);
}

/* Hand over hand, as in a list: the guard in front becomes the one behind. */
static void read_by_swapping(void)
{
	unsigned i, fillers = (unsigned)pick(11);
	struct hazptr_guard filler[10];
	struct node *n;
	HAZPTR_GUARD(a);

	memset(filler, 0, sizeof(filler));
	for (i = 0; i < fillers; i++)
		protect(&filler[i], any_source());
	n = protect(&a, any_source());
	for (i = 0; i < 10; i++) {
		HAZPTR_GUARD(b);
		struct node *next = protect(&b, any_source());

		node_check(n);
		hazptr_swap(&a, &b);
		hazptr_release(&b);
		n = next;
		node_check(n);
		if (i < fillers)
			hazptr_release(&filler[i]);
	}
	for (i = 0; i < fillers; i++)
		hazptr_release(&filler[i]);
}

static void read_tagged(void)
{
	uintptr_t *source = &tagged[pick(TAGGED)];
	HAZPTR_GUARD(g);
	uintptr_t word = hazptr_protect_tagged(&g, source, 3);

	node_check((const struct node *)(word & ~(uintptr_t)3));
	if (!pick(4)) /* somebody's mark */
		__atomic_compare_exchange_n(source, &word, word ^ 1, false,
					    __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
}

static bool become(int *state, int from, int to)
{
	return __atomic_compare_exchange_n(state, &from, to, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void hand_over(void)
{
	struct box *b = &boxes[pick(BOXES)];
	struct hazptr_guard filler[8];
	unsigned i, fillers = pick(4) ? 0 : 8;

	if (become(&b->state, FULL, TAKING)) {
		node_check(b->node);
		hazptr_release(&b->guard);
		__atomic_store_n(&b->state, EMPTY, __ATOMIC_RELEASE);
	} else if (become(&b->state, EMPTY, FILLING)) {
		memset(filler, 0, sizeof(filler));
		for (i = 0; i < fillers; i++)
			protect(&filler[i], any_source());
		b->node = protect(&b->guard, parking_source());
		node_check(b->node);
		hazptr_detach(&b->guard);
		__atomic_store_n(&b->state, FULL, __ATOMIC_RELEASE);
		for (i = 0; i < fillers; i++)
			hazptr_release(&filler[i]);
	}
}

static void run_task(void)
{
	struct task *t = &tasks[pick(TASKS)];

	if (!become(&t->taken, 0, 1))
		return;
	if (hazptr_context_switch(&t->context))
		torture_failed("a context was in use", t);
	if (t->by_guard)
		node_check(t->by_guard);
	if (t->by_slot)
		node_check(t->by_slot);
	read_nested();
	if (pick(2)) {
		t->by_guard = protect(&t->guard, parking_source());
	} else {
		hazptr_release(&t->guard);
		t->by_guard = NULL;
	}
	if (pick(2)) {
		t->by_slot = hazptr_slot_protect(t->slot, parking_source());
	} else {
		hazptr_slot_clear(t->slot);
		t->by_slot = NULL;
	}
	if (hazptr_context_switch(NULL) != &t->context)
		torture_failed("another context was in use", t);
	__atomic_store_n(&t->taken, 0, __ATOMIC_RELEASE);
}

/* Writers */

static struct node *replace(struct node **source)
{
	self->writes++;
	return __atomic_exchange_n(source, node_new(), __ATOMIC_ACQ_REL);
}

static void give_up(struct node *old)
{
	struct hazptr_domain *d = any_domain();

	switch (TORTURE_BREAK == 1 ? 9 : pick(5)) {
	case 0:
	case 1:
		hazptr_retire(d, old, head, node_reclaim);
		break;
	case 2:
		hazptr_cohort_retire(&cohorts[pick(2)], old, head,
				     node_reclaim);
		break;
	case 3:
		hazptr_retire_ptr(d, old, node_destroy);
		break;
	case 4:
		hazptr_head_init(&old->head, old, node_reclaim);
		hazptr_retire_list(d, &old->head, &old->head);
		break;
	default:
		node_recycle(old);
	}
}

static void write_some(void)
{
	uint64_t i;

	for (i = 1 + pick(8); i; i--)
		give_up(replace(any_source()));
}

static void write_list(void)
{
	struct node *n[4];
	unsigned i;

	for (i = 0; i < 4; i++) {
		n[i] = replace(any_source());
		hazptr_head_init(&n[i]->head, n[i], node_reclaim);
		if (i)
			n[i - 1]->head.next = &n[i]->head;
	}
	hazptr_retire_list(any_domain(), &n[0]->head, &n[3]->head);
}

static void write_tagged(void)
{
	uintptr_t old = __atomic_exchange_n(
		&tagged[pick(TAGGED)],
		(uintptr_t)node_new() | (uintptr_t)pick(4), __ATOMIC_ACQ_REL);

	self->writes++;
	give_up((struct node *)(old & ~(uintptr_t)3));
}

/* Nobody parks what stands there, so these waits end. */
static void write_and_wait(void)
{
	struct node *a = replace(&sources[pick(PLAIN)]);
	struct node *b = replace(&sources[pick(PLAIN)]);
	const void *both[2] = { a, b };

	if (pick(2)) {
		hazptr_synchronize_many(both, 2);
	} else {
		hazptr_synchronize(a);
		hazptr_synchronize(b);
	}
	node_recycle(a);
	node_recycle(b);
}

static void write_and_wait_a_little(void)
{
	struct node *old = replace(any_source());
	struct timespec until;
	int error;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 200000;
	if (until.tv_nsec > 999999999) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	error = hazptr_synchronize_until(old, &until);
	if (!error)
		node_recycle(old);
	else if (error == -ETIMEDOUT)
		hazptr_retire(any_domain(), old, head, node_reclaim);
	else
		torture_failed("synchronize_until", old);
}

static void use_a_new_domain(void)
{
	struct hazptr_domain_opts opts = {
		.size = sizeof(opts),
		.reclaim = (enum hazptr_reclaim)pick(3),
		.max_retired = pick(2) ? 4 : 0,
	};
	struct hazptr_cohort c;
	struct hazptr_domain *d;
	struct node *n;
	uint64_t i;

	if (hazptr_domain_create(&d, &opts))
		torture_failed("domain_create", NULL);
	if (hazptr_cohort_init(&c, d))
		torture_failed("cohort_init", NULL);
	for (i = pick(10); i; i--) {
		n = replace(&sources[pick(PLAIN)]);
		hazptr_cohort_retire(&c, n, head, node_reclaim);
		n = replace(&sources[pick(PLAIN)]);
		hazptr_retire(d, n, head, node_reclaim);
	}
	hazptr_cohort_destroy(&c);
	if (hazptr_domain_destroy(d))
		torture_failed("domain_destroy", d);
}

static void clean_up_a_bit(void)
{
	if (pick(4))
		hazptr_flush(any_domain());
	else if (pick(2))
		write_and_wait_a_little();
	else
		use_a_new_domain();
}

/* Threads */

static void worker_begin(struct worker *w, uint64_t salt)
{
	memset(w, 0, sizeof(*w));
	w->random = (seed + 1) * 0x9e3779b97f4a7c15u ^ (salt << 20 | 1);
	self = w;
}

static void read_something(void)
{
	static void (*const ways[])(void) = {
		read_fresh,    read_fresh,	 read_kept,   read_nested,
		read_by_trying, read_by_swapping, read_tagged, hand_over,
		run_task,
	};

	ways[pick(sizeof(ways) / sizeof(*ways))]();
}

static void write_something(void)
{
	static void (*const ways[])(void) = {
		write_some,    write_some,     write_some,
		write_list,    write_tagged,   write_and_wait,
		write_and_wait_a_little, clean_up_a_bit,
	};

	/* A broken run needs no other way to fail than the planted one. */
	if (TORTURE_BREAK == 1)
		write_some();
	else
		ways[pick(sizeof(ways) / sizeof(*ways))]();
}

/* Born, does little, dies with objects in its lists and guards in boxes. */
static void *short_life(void *salt)
{
	struct worker w;
	int i;

	worker_begin(&w, (uint64_t)(uintptr_t)salt);
	for (i = 0; i < 30; i++) {
		read_something();
		if (i % 8 == 0)
			write_some();
	}
	nodes_leave(&w);
	self = NULL;
	__atomic_fetch_sub(&short_lived, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void start_a_short_life(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (__atomic_fetch_add(&short_lived, 1, __ATOMIC_ACQUIRE) >= 4) {
		__atomic_fetch_sub(&short_lived, 1, __ATOMIC_RELEASE);
		return;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, short_life,
			   (void *)(uintptr_t)pick(1 << 20)))
		__atomic_fetch_sub(&short_lived, 1, __ATOMIC_RELEASE);
	pthread_attr_destroy(&attr);
}

struct start {
	pthread_t thread;
	uint64_t salt;
	bool writes;
	struct worker w;
};

static void *work(void *arg)
{
	struct start *s = arg;
	struct worker w;

	worker_begin(&w, s->salt);
	while (!torture_over()) {
		if (!s->writes || pick(3))
			read_something();
		else
			write_something();
		if (!pick(2000))
			start_a_short_life();
	}
	nodes_leave(&w);
	s->w = w; /* the figures */
	self = NULL;
	return NULL;
}

/* The whole */

static void set_up(struct worker *w)
{
	static const struct hazptr_domain_opts opts[DOMAINS] = {
		{ 0 },
		{ .size = sizeof(*opts), .reclaim = HAZPTR_RECLAIM_INLINE,
		  .max_retired = 8 },
		{ .size = sizeof(*opts), .reclaim = HAZPTR_RECLAIM_BACKGROUND,
		  .max_retired = 16, .max_delay_ms = 2 },
		{ .size = sizeof(*opts), .reclaim = HAZPTR_RECLAIM_MANUAL },
	};
	int i;

	worker_begin(w, 0);
	for (i = 1; i < DOMAINS; i++)
		if (hazptr_domain_create(&domains[i], &opts[i]))
			torture_failed("domain_create", NULL);
	for (i = 0; i < 2; i++)
		hazptr_cohort_init(&cohorts[i], domains[i]);
	for (i = 0; i < TASKS; i++) {
		if (hazptr_context_init(&tasks[i].context))
			torture_failed("context_init", NULL);
		tasks[i].slot = hazptr_slot_alloc(&tasks[i].context);
	}
	for (i = 0; i < SOURCES; i++)
		sources[i] = node_new();
	for (i = 0; i < TAGGED; i++)
		tagged[i] = (uintptr_t)node_new();
}

/* Everything goes; nothing may be missing. */
static bool tear_down(struct worker *w)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };
	int i;

	for (i = 0; i < BOXES; i++)
		hazptr_release(&boxes[i].guard);
	for (i = 0; i < TASKS; i++) {
		hazptr_release(&tasks[i].guard);
		hazptr_slot_free(&tasks[i].context, tasks[i].slot);
		hazptr_context_cleanup(&tasks[i].context);
	}
	for (i = 0; i < SOURCES; i++)
		hazptr_retire(domains[i % DOMAINS], sources[i], head,
			      node_reclaim);
	for (i = 0; i < TAGGED; i++)
		hazptr_retire_ptr(NULL, (void *)(tagged[i] & ~(uintptr_t)3),
				  node_destroy);
	for (i = 0; i < 2; i++)
		hazptr_cohort_destroy(&cohorts[i]);
	for (i = 0; i < DOMAINS; i++)
		hazptr_barrier(domains[i]);
	hazptr_domain_stats(NULL, &stats);
	for (i = 1; i < DOMAINS; i++)
		hazptr_domain_destroy(domains[i]);
	nodes_leave(w);
	if (stats.pending)
		fprintf(stderr, "torture: %llu objects still pending\n",
			(unsigned long long)stats.pending);
	return nodes_all_free() && !stats.pending;
}

static void nap(double seconds)
{
	struct timespec t = { (time_t)seconds,
			      (long)((seconds - (double)(time_t)seconds) *
				     1e9) };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static int run(unsigned threads, double seconds)
{
	struct start *s = calloc(threads, sizeof(*s));
	uint64_t reads = 0, writes = 0, reused = 0;
	struct worker w;
	unsigned i;
	bool right;

	if (!s)
		torture_failed("no memory", NULL);
	set_up(&w);
	for (i = 0; i < threads; i++) {
		s[i].salt = i + 1;
		s[i].writes = i % 2;
		if (pthread_create(&s[i].thread, NULL, work, &s[i]))
			torture_failed("pthread_create", NULL);
	}
	nap(seconds);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < threads; i++) {
		pthread_join(s[i].thread, NULL);
		reads += s[i].w.reads;
		writes += s[i].w.writes;
		reused += s[i].w.reused;
	}
	while (__atomic_load_n(&short_lived, __ATOMIC_ACQUIRE))
		nap(0.001);
	free(s);
	right = tear_down(&w);
	printf("torture: %llu reads, %llu writes, %llu at a used address\n",
	       (unsigned long long)reads, (unsigned long long)writes,
	       (unsigned long long)reused);
	return right ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 'x' },
		{ "fence", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const modes[] = { "membarrier", "full", "marker" };
	unsigned threads = 4;
	double seconds = 3;
	int option;

	seed = (uint64_t)time(NULL) * 1000003u ^ (uint64_t)getpid();
	seed &= 0xffffffffu;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			seconds = strtod(optarg, NULL);
		else if (option == 't')
			threads = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 'x')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'f')
			setenv("HAZPTR_FENCE", optarg, 1);
		else
			return 2;
	}
	printf("torture: seed %llu, %u threads, %.3g s, fence %s\n",
	       (unsigned long long)seed, threads, seconds,
	       modes[hazptr_fence_mode()]);
	fflush(stdout);
	return run(threads, seconds);
}
