/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/run.c - threads, what they do next, and the watch
 *
 * The main thread watches: somebody who has done nothing for two minutes hangs.
 * The end comes in steps: the workers end, while those helpers go on without
 * whom they could not; then the late helpers end; then everything is given up,
 * and counted.
 */
#define _GNU_SOURCE
#include "nodes.h"
#include "refs.h"
#include "shared.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 120 /* in seconds that this thread was awake */
#define TICK_US 50000
#define TICKS 20 /* in a second */
#define HELPERS 32
#define CROWD 65536
#define TURNS 1024 /* of the wheel, for each workload */

__thread struct worker *self;

static struct worker *base;
static struct worker helpers[HELPERS], watcher;
static unsigned n_helpers;
static struct {
	uint64_t beats;
	unsigned still;
} last_seen[PLACES_MAX];
static int stage;

/* Which operation comes next: each as often as it stands here. */
static struct {
	struct op *op;
	const struct workload *of;
} wheel[WORKLOADS * TURNS];
static size_t n_wheel;

/* A node that only serves to register threads. */
static struct hazptr_shared_node registrar;
static struct hazptr_shared registrar_ref;

void begin_random(uint64_t salt)
{
	uint64_t x = setting.seed * 0x9e3779b97f4a7c15u + salt;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	self->random = (x ^ x >> 31) | 1;
}

bool is_over(void)
{
	return __atomic_load_n(&stage, __ATOMIC_ACQUIRE) > 0;
}

bool is_over_late(void)
{
	return __atomic_load_n(&stage, __ATOMIC_ACQUIRE) > 1;
}

static void count(uint64_t *n)
{
	__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

void did(struct op *op)
{
	count(&self->done[op->index]);
	count(&self->place->beats);
}

void nap_us(uint64_t us)
{
	struct timespec t = after_us(us);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) ==
	       EINTR)
		;
}

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct timespec after_us(uint64_t us)
{
	struct timespec t;

	us += now_us();
	t.tv_sec = (time_t)(us / 1000000);
	t.tv_nsec = (long)(us % 1000000) * 1000;
	return t;
}

void spin(unsigned turns)
{
	while (turns--)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void crowd_stores(const void *warm)
{
	/* Lines that all threads write, too many for a cache. */
	static struct {
		uint64_t word;
	} __attribute__((__aligned__(64))) crowd[CROWD];
	unsigned i, at = (unsigned)pick(CROWD);

	__atomic_load_n((const char *)warm, __ATOMIC_RELAXED);
	for (i = 0; i < 40; i++)
		__atomic_store_n(&crowd[(at + 769 * i) % CROWD].word, at,
				 __ATOMIC_RELAXED);
}

void add(uint64_t *sum, uint64_t n)
{
	__atomic_fetch_add(sum, n, __ATOMIC_ACQ_REL);
}

uint64_t get(const uint64_t *sum)
{
	return __atomic_load_n(sum, __ATOMIC_ACQUIRE);
}

unsigned each_worker(struct worker **first)
{
	*first = base;
	return setting.threads;
}

static void release_nothing(struct hazptr_shared_node *node)
{
	(void)node;
}

/* From here on handlers may use what is signal-safe. */
static void register_thread(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	static uint32_t word;
	static struct obj *source;
	HAZPTR_GUARD(g);

	nomem_exempt(1);
	hazptr_hold(&g, &source);
	hazptr_thread_shared_borrow(&ts, registrar_ref);
	hazptr_thread_shared_drop(&ts);
	hazptr_futex_wake(&word, 0);
	nomem_exempt(-1);
}

void worker_begin(struct worker *w, uint64_t salt)
{
	self = w;
	begin_random(salt);
	__atomic_store_n(&w->place->busy, 1, __ATOMIC_RELEASE);
	if (w->of == &faults_workload && has_fault(NOMEM) && pick(2)) {
		nomem_force(true);
		guards_without_record();
		nomem_force(false);
	}
	register_thread();
}

void worker_leave(void)
{
	unsigned i;

	for (i = 0; i < WORKLOADS; i++)
		if (setting.workloads >> i & 1 && workloads[i]->leave)
			workloads[i]->leave();
	objects_leave();
	__atomic_store_n(&self->place->busy, 0, __ATOMIC_RELEASE);
	self = NULL;
}

void do_something(void)
{
	size_t i = pick(n_wheel);

	self->place->workload = wheel[i].of->name;
	self->place->operation = wheel[i].op->name;
	wheel[i].op->run();
	did(wheel[i].op);
	refs_read_mail();
	shared_read_mail();
}

static void *work(void *arg)
{
	struct worker *w = arg;

	worker_begin(w, 1 + w->number);
	if (has_fault(SIGNALS))
		timer_begin(w);
	while (!is_over())
		do_something();
	if (has_fault(SIGNALS))
		timer_end(w);
	worker_leave();
	return NULL;
}

static void *help(void *arg)
{
	struct worker *w = arg;

	worker_begin(w, 10000 + (uint64_t)(w - helpers));
	w->helper->run(w->number);
	worker_leave();
	return NULL;
}

/* Threads */

static struct place *place_new(const char *name)
{
	static unsigned n;
	struct place *p = &watched->places[n++];

	p->thread = name;
	return p;
}

bool start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	bool started;

	nomem_exempt(1);
	started = !pthread_create(thread, NULL, run, arg);
	nomem_exempt(-1);
	return started;
}

static void start(struct worker *w, void *(*run)(void *))
{
	__atomic_store_n(&w->place->busy, 1, __ATOMIC_RELEASE);
	if (!start_thread(&w->thread, run, w))
		failed("no thread to be had", NULL);
	w->started = true;
}

static void start_helpers(const struct workload *of)
{
	unsigned i, k;

	for (i = 0; i < of->n_helpers; i++) {
		const struct helper *h = &of->helpers[i];

		if (h->fault && !has_fault(h->fault))
			continue;
		for (k = 0; k < h->n; k++) {
			struct worker *w = &helpers[n_helpers++];

			w->helper = h;
			w->of = of;
			w->number = k;
			w->place = place_new(h->name);
			w->place->workload = of->name;
			w->place->operation = h->name;
			start(w, help);
		}
	}
}

static void fill_wheel(const struct workload *of)
{
	unsigned i, all = 0, n;

	for (i = 0; i < of->n_ops; i++)
		if (!of->ops[i].fault || has_fault(of->ops[i].fault))
			all += of->ops[i].weight;
	for (i = 0; i < of->n_ops; i++) {
		if (of->ops[i].fault && !has_fault(of->ops[i].fault))
			continue;
		n = of->ops[i].weight * (TURNS - 32) / all;
		if (of->ops[i].weight)
			n++;
		for (; n; n--) {
			wheel[n_wheel].of = of;
			wheel[n_wheel++].op = &of->ops[i];
		}
	}
}

static void begin_all(void)
{
	unsigned i;

	registrar_ref = hazptr_shared_create(&registrar, release_nothing);
	for (i = 0; i < WORKLOADS; i++) {
		if (!(setting.workloads >> i & 1))
			continue;
		fill_wheel(workloads[i]);
		if (workloads[i]->begin)
			workloads[i]->begin();
	}
	faults_begin();
	base = aligned_alloc(64,
			     (setting.threads * sizeof(*base) + 63) / 64 * 64);
	if (!base)
		failed("no memory", NULL);
	memset(base, 0, setting.threads * sizeof(*base));
	for (i = 0; i < setting.threads; i++) {
		base[i].number = i;
		base[i].place = place_new("worker");
	}
	for (i = 0; i < setting.threads; i++)
		start(&base[i], work);
	for (i = 0; i < WORKLOADS; i++)
		if (setting.workloads >> i & 1)
			start_helpers(workloads[i]);
	start_helpers(&faults_workload);
}

/* The watch */

static void say_who_stands_where(void)
{
	unsigned i;

	for (i = 0; i < PLACES_MAX && watched->places[i].thread; i++) {
		const struct place *p = &watched->places[i];

		if (__atomic_load_n(&p->busy, __ATOMIC_ACQUIRE))
			fprintf(stderr, "  %-10s %3u  %s: %s%s\n", p->thread, i,
				p->workload ? p->workload : "-",
				p->operation ? p->operation : "-",
				last_seen[i].still > PATIENCE ? ", hangs" : "");
	}
}

static void watch(void)
{
	bool hangs = false;
	unsigned i;

	for (i = 0; i < PLACES_MAX && watched->places[i].thread; i++) {
		const struct place *p = &watched->places[i];
		uint64_t beats = get(&p->beats);

		if (!__atomic_load_n(&p->busy, __ATOMIC_ACQUIRE) ||
		    beats != last_seen[i].beats || p == self->place)
			last_seen[i].still = 0;
		else if (++last_seen[i].still > PATIENCE)
			hangs = true;
		last_seen[i].beats = beats;
	}
	if (!hangs)
		return;
	say_who_stands_where();
	failed("somebody waits for ever", NULL);
}

static uint64_t began; /* when, in us */

static void tick(void)
{
	static unsigned n, seconds;
	unsigned now;

	nap_us(TICK_US);
	nodes_check_bounds();
	if (!(++n % TICKS))
		watch();
	now = (unsigned)((now_us() - began) / 1000000);
	if (now > seconds)
		report_progress(now);
	seconds = now;
}

static bool is_busy(const struct worker *w, unsigned n, bool late)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if ((!w[i].helper || w[i].helper->late == late) &&
		    __atomic_load_n(&w[i].place->busy, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

static void run_stages(void)
{
	uint64_t end;
	unsigned i;

	began = now_us();
	end = began + (uint64_t)(setting.seconds * 1e6);
	while (now_us() < end)
		tick();
	nomem_set(0);
	__atomic_store_n(&stage, 1, __ATOMIC_RELEASE);
	while (is_busy(base, setting.threads, false) ||
	       is_busy(helpers, n_helpers, false))
		tick();
	__atomic_store_n(&stage, 2, __ATOMIC_RELEASE);
	for (i = 0; i < WORKLOADS; i++)
		if (setting.workloads >> i & 1 && workloads[i]->drain)
			workloads[i]->drain();
	while (is_busy(helpers, n_helpers, true))
		tick();
	for (i = 0; i < setting.threads; i++)
		pthread_join(base[i].thread, NULL);
	for (i = 0; i < n_helpers; i++)
		pthread_join(helpers[i].thread, NULL);
	__atomic_store_n(&watched->quiet, 1, __ATOMIC_RELEASE);
}

/* Everything goes; nothing may be missing. */
static bool is_reclaimed(void)
{
	struct hazptr_stats s = { .size = sizeof(s) };

	hazptr_barrier(NULL);
	hazptr_domain_stats(NULL, &s);
	return !s.pending;
}

static void give_all(void)
{
	unsigned i, tries = 0;

	self->place->operation = "giving everything up";
	for (i = 0; i < WORKLOADS; i++)
		if (setting.workloads >> i & 1 && workloads[i]->give)
			workloads[i]->give();
	nodes_give();
	hazptr_shared_drop(&registrar_ref);
	/* What ends may give up another: a chain takes some passes. */
	while (!is_reclaimed())
		if (++tries == 5000)
			failed("something is never reclaimed", NULL);
		else
			nap_us(1000);
	self->place->operation = "counting";
	for (i = 0; i < WORKLOADS; i++)
		if (setting.workloads >> i & 1 && workloads[i]->check)
			workloads[i]->check();
	objects_check();
	report();
	nodes_check();
	free(base);
}

int torture_run(void)
{
	watcher.place = place_new("main");
	self = &watcher;
	begin_random(0);
	watcher.place->workload = "all";
	watcher.place->operation = "watching";
	watcher.place->busy = 1;
	objects_begin();
	begin_all();
	run_stages();
	give_all();
	return 0;
}

uint64_t done_all(unsigned op)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < setting.threads; i++)
		n += get(&base[i].done[op]);
	for (i = 0; i < n_helpers; i++)
		n += get(&helpers[i].done[op]);
	return n;
}
