/* SPDX-License-Identifier: MIT */
/*
 * tests/torture/references.c - everything that references do, for some seconds
 *
 *	torture_references [--seconds S] [--threads N] [--seed X] [--fence MODE]
 *
 * Exit code: 0, or 1 when something was seen that must not be.
 *
 * Signals go to the threads all the time. A handler may not drop what may be
 * the last counted reference; so it leaves that for its thread.
 */
#include "references.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOURCES 4
#define REFS 6
#define WEAKS 4
#define NESTED 24
#define MAX_THREADS 64

/* References of a thread, and what they led to when it got them. */
struct held {
	struct hazptr_shared sp;
	uint64_t generation;
};
struct brief {
	struct hazptr_thread_shared ts;
	uint64_t generation;
};

enum op {
	CREATE,
	LOAD,
	EXCHANGE,
	COPY,
	LOCK,
	TO_SHARED,
	DROP,
	DROP_SYNC,
	STORE,
	STORE_MOVED,
	STORE_COPY,
	COMPARE_EXCHANGE,
	CLEAR,
	CLEAR_SYNC,
	WEAK_CREATE,
	WEAK_COPY,
	WEAK_DROP,
	BRIEF_LOAD,
	BRIEF_BORROW,
	BRIEF_DROP,
	NEST,
	MIGRATE,
	SLEEP,
	SHORT_LIFE,
	OPS, /* the last two: long lives */
};

struct worker {
	pthread_t thread;
	uint64_t random;
	int ready; /* for signals */
	struct held refs[REFS];
	struct weakly weaks[WEAKS];
	struct brief briefs[NESTED];
	struct held mail; /* from the handler */
	volatile sig_atomic_t mail_full;
	unsigned ticks;
	bool leaves; /* a short life, and its starter drops this: */
	struct brief left;
	uint64_t counts[OPS];
};
static __thread struct worker *self;

static struct hazptr_sync_shared sources[SOURCES];
static struct worker workers[MAX_THREADS];
static cpu_set_t cpus;
static uint64_t seed;
static int stop;

_Noreturn void failed(const char *what, const void *object)
{
	fprintf(stderr, "references: seed %llu: %s, %p\n",
		(unsigned long long)seed, what, object);
	_exit(1);
}

uint64_t pick(uint64_t n)
{
	uint64_t x = self->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	self->random = x;
	return (x >> 11) % n;
}

void add_one(uint64_t *figure)
{
	__atomic_fetch_add(figure, 1, __ATOMIC_RELAXED);
}

uint64_t figure(const uint64_t *f)
{
	return __atomic_load_n(f, __ATOMIC_RELAXED);
}

struct hazptr_shared some_reference(void)
{
	return self->refs[pick(REFS)].sp;
}

/* Operations */

static struct hazptr_sync_shared *any_source(void)
{
	return &sources[pick(SOURCES)];
}

static struct held *any_ref(void)
{
	return &self->refs[pick(REFS)];
}

static void let_go(struct held *h)
{
	check_still(h->sp.node, h->generation);
	hazptr_shared_drop(&h->sp);
	if (!hazptr_shared_is_null(h->sp))
		failed("dropped and not null", h->sp.node);
}

static void keep(struct held *h, struct hazptr_shared sp)
{
	let_go(h);
	h->sp = sp;
	if (!sp.node)
		return;
	h->generation = check(sp.node);
	if (!pick(16))
		sched_yield();
	check_still(sp.node, h->generation);
}

static void brief_drop(struct brief *b)
{
	check_still(hazptr_thread_shared_get(&b->ts), b->generation);
	hazptr_thread_shared_drop(&b->ts);
	if (hazptr_thread_shared_get(&b->ts))
		failed("dropped and not null", b->ts.node);
}

static void brief_load(struct brief *b)
{
	const struct hazptr_shared_node *n;

	check_still(hazptr_thread_shared_get(&b->ts), b->generation);
	n = hazptr_thread_shared_load(&b->ts, any_source());
	if (n != hazptr_thread_shared_get(&b->ts))
		failed("got another than loaded", n);
	if (n)
		b->generation = check(n);
}

static void brief_borrow(struct brief *b)
{
	struct held *h = any_ref();

	if (hazptr_thread_shared_borrow(&b->ts, h->sp) != h->sp.node)
		failed("borrowed another", h->sp.node);
	b->generation = h->generation;
	if (pick(2))
		let_go(h); /* it may go before */
	check_still(hazptr_thread_shared_get(&b->ts), b->generation);
}

static void on_ref(enum op op)
{
	struct weakly *w = &self->weaks[pick(WEAKS)];
	struct brief *b = &self->briefs[pick(NESTED)];
	struct hazptr_shared sp = { NULL };
	struct held *h = any_ref();

	switch (op) {
	case CREATE:
		keep(h, item_new());
		break;
	case LOAD:
		keep(h, hazptr_sync_shared_load(any_source()));
		break;
	case EXCHANGE:
		sp = item_new();
		keep(h, hazptr_sync_shared_exchange(any_source(), &sp));
		break;
	case COPY:
		keep(h, hazptr_shared_copy(any_ref()->sp));
		break;
	case LOCK:
		sp = hazptr_weak_lock(w->w);
		check_weak(w);
		check_still(sp.node, w->generation);
		keep(h, sp);
		return;
	case TO_SHARED:
		sp = hazptr_thread_shared_to_shared(&b->ts);
		check_still(sp.node, b->generation);
		if (pick(2))
			brief_drop(b);
		keep(h, sp);
		return;
	case DROP:
		let_go(h);
		break;
	default:
		check_still(h->sp.node, h->generation);
		hazptr_shared_drop_sync(&h->sp);
	}
	if (sp.node)
		failed("moved and not null", sp.node);
}

static void compare_exchange(struct hazptr_sync_shared *source, struct held *h)
{
	struct hazptr_shared desired, expected;
	bool stored;

	if (pick(4))
		keep(h, hazptr_sync_shared_load(source));
	desired = pick(2) ? item_new() : hazptr_shared_copy(any_ref()->sp);
	expected = desired;
	stored = hazptr_sync_shared_compare_exchange(source, h->sp, &desired);
	if (desired.node != (stored ? NULL : expected.node))
		failed("compare_exchange and @desired", desired.node);
	hazptr_shared_drop(&desired);
}

static void on_source(enum op op)
{
	struct hazptr_sync_shared *source = any_source();
	struct held *h = any_ref();
	struct hazptr_shared sp;

	check_still(h->sp.node, h->generation);
	switch (op) {
	case STORE:
		sp = item_new();
		hazptr_sync_shared_store(source, &sp);
		break;
	case STORE_MOVED:
		hazptr_sync_shared_store(source, &h->sp);
		break;
	case STORE_COPY:
		hazptr_sync_shared_store_copy(source, h->sp);
		break;
	case COMPARE_EXCHANGE:
		compare_exchange(source, h);
		break;
	case CLEAR:
		hazptr_sync_shared_drop(source);
		break;
	default:
		hazptr_sync_shared_drop_sync(source);
	}
	check_still(h->sp.node, h->generation);
}

static void on_weak(enum op op)
{
	struct weakly *w = &self->weaks[pick(WEAKS)], new = { { NULL }, 0 };
	struct weakly *from = &self->weaks[pick(WEAKS)];
	struct held *h = any_ref();

	if (op == WEAK_CREATE) {
		new.w = hazptr_weak_create(h->sp);
		new.generation = h->generation;
	} else if (op == WEAK_COPY) {
		new.w = hazptr_weak_copy(from->w);
		new.generation = from->generation;
	}
	check_weak(w);
	hazptr_weak_drop(&w->w);
	*w = new;
	check_weak(w);
}

/* All taken one after the other, given back in the reverse order or any. */
static void nest(void)
{
	unsigned i, count = 1 + (unsigned)pick(NESTED);
	bool reverse = pick(2);

	for (i = 0; i < NESTED; i++)
		brief_drop(&self->briefs[i]);
	for (i = 0; i < count; i++)
		if (pick(4))
			brief_load(&self->briefs[i]);
		else
			brief_borrow(&self->briefs[i]);
	if (!pick(8))
		sched_yield();
	while (i--)
		brief_drop(&self->briefs[reverse ? i : pick(NESTED)]);
}

static void on_brief(enum op op)
{
	struct brief *b = &self->briefs[pick(NESTED)];

	if (op == BRIEF_LOAD)
		brief_load(b);
	else if (op == BRIEF_BORROW)
		brief_borrow(b);
	else if (op == BRIEF_DROP)
		brief_drop(b);
	else
		nest();
}

static void nap(uint64_t us)
{
	struct timespec t = { 0, (long)us * 1000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void migrate(void)
{
	int cpu = (int)pick((uint64_t)CPU_COUNT(&cpus)), k;
	cpu_set_t set = cpus;

	if (pick(4)) {
		CPU_ZERO(&set);
		for (k = 0; !CPU_ISSET(k, &cpus) || cpu--; k++)
			;
		CPU_SET(k, &set);
	}
	sched_setaffinity(0, sizeof(set), &set);
}

/* With something in hand. */
static void elsewhere(enum op op)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		brief_load(&self->briefs[pick(NESTED)]);
	if (op == MIGRATE)
		migrate();
	else
		nap(pick(20000));
	for (i = 0; i < NESTED; i++)
		check_still(hazptr_thread_shared_get(&self->briefs[i].ts),
			    self->briefs[i].generation);
}

static void start_short_life(enum op op);

static const struct {
	const char *name;
	void (*run)(enum op op);
	unsigned weight;
} ops[OPS] = {
	[CREATE] = { "create", on_ref, 1000 },
	[LOAD] = { "load", on_ref, 2000 },
	[EXCHANGE] = { "exchange", on_ref, 1000 },
	[COPY] = { "copy", on_ref, 1000 },
	[LOCK] = { "weak lock", on_ref, 1000 },
	[TO_SHARED] = { "thread_shared to_shared", on_ref, 500 },
	[DROP] = { "drop", on_ref, 1500 },
	[DROP_SYNC] = { "drop_sync", on_ref, 50 },
	[STORE] = { "store", on_source, 1000 },
	[STORE_MOVED] = { "store, moved", on_source, 500 },
	[STORE_COPY] = { "store_copy", on_source, 1000 },
	[COMPARE_EXCHANGE] = { "compare_exchange", on_source, 1000 },
	[CLEAR] = { "sync drop", on_source, 300 },
	[CLEAR_SYNC] = { "sync drop_sync", on_source, 20 },
	[WEAK_CREATE] = { "weak create", on_weak, 1000 },
	[WEAK_COPY] = { "weak copy", on_weak, 500 },
	[WEAK_DROP] = { "weak drop", on_weak, 500 },
	[BRIEF_LOAD] = { "thread_shared load", on_brief, 3000 },
	[BRIEF_BORROW] = { "thread_shared borrow", on_brief, 1000 },
	[BRIEF_DROP] = { "thread_shared drop", on_brief, 3000 },
	[NEST] = { "thread_shared nested", on_brief, 300 },
	[MIGRATE] = { "migration", elsewhere, 20 },
	[SLEEP] = { "sleep", elsewhere, 4 },
	[SHORT_LIFE] = { "short life", start_short_life, 3 },
};

/* One of the first so many. */
static void do_something(unsigned n)
{
	unsigned i, all = 0;
	uint64_t x;

	for (i = 0; i < n; i++)
		all += ops[i].weight;
	x = pick(all);
	for (i = 0; ops[i].weight <= x; i++)
		x -= ops[i].weight;
	self->counts[i]++;
	ops[i].run((enum op)i);
}

/* Threads */

static void worker_begin(struct worker *w, uint64_t salt)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_shared sp;

	w->random = (seed + 1) * 0x9e3779b97f4a7c15u ^ (salt << 20 | 1);
	self = w;
	/* A registered thread: with slots of both kinds. */
	sp = hazptr_sync_shared_load(&sources[0]);
	hazptr_thread_shared_borrow(&ts, sp);
	hazptr_thread_shared_drop(&ts);
	hazptr_shared_drop(&sp);
}

static void read_mail(void)
{
	if (!self->mail_full)
		return;
	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	let_go(&self->mail);
	__atomic_signal_fence(__ATOMIC_RELEASE);
	self->mail_full = 0;
}

static void worker_end(void)
{
	unsigned i;

	for (i = 0; i < NESTED; i++)
		brief_drop(&self->briefs[i]);
	for (i = 0; i < WEAKS; i++) {
		check_weak(&self->weaks[i]);
		hazptr_weak_drop(&self->weaks[i].w);
	}
	for (i = 0; i < REFS; i++)
		let_go(&self->refs[i]);
	read_mail();
	self = NULL;
}

static void *short_life(void *arg)
{
	struct worker *w = arg;
	int i;

	worker_begin(w, w->random);
	for (i = 0; i < 50; i++)
		do_something(SLEEP);
	if (w->leaves)
		brief_load(&w->left);
	worker_end();
	return NULL;
}

static void start_short_life(enum op op)
{
	struct worker *w = calloc(1, sizeof(*w));
	sigset_t set, old;
	unsigned i;

	if (!w)
		failed("no memory", NULL);
	w->random = pick(1 << 20);
	w->leaves = !pick(4);
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	if (pthread_create(&w->thread, NULL, short_life, w))
		failed("pthread_create", NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_join(w->thread, NULL);
	for (i = 0; i < op; i++)
		self->counts[i] += w->counts[i];
	brief_drop(&w->left);
	free(w);
}

/* A thread-shared pointer, and now and then a counted one by mail. */
static void handler(int sig)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_shared_node *n;
	struct worker *w = self;
	int error = errno;

	(void)sig;
	if (!w)
		failed("a signal on another thread", NULL);
	n = hazptr_thread_shared_load(&ts, &sources[w->ticks++ % SOURCES]);
	if (n)
		check_still(n, check(n));
	if (!w->mail_full && w->ticks % 3 == 0) {
		w->mail.sp = w->ticks % 2
				     ? hazptr_thread_shared_to_shared(&ts)
				     : hazptr_sync_shared_load(&sources[0]);
		if (w->mail.sp.node)
			w->mail.generation = check(w->mail.sp.node);
		__atomic_signal_fence(__ATOMIC_RELEASE);
		w->mail_full = 1;
	}
	hazptr_thread_shared_drop(&ts);
	errno = error;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	sigset_t set;

	worker_begin(w, 1 + (uint64_t)(w - workers));
	__atomic_store_n(&w->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		do_something(OPS);
		read_mail();
	}
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	worker_end();
	return NULL;
}

/* The whole */

static void set_up(void)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };

	items_begin();
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		failed("sched_getaffinity", NULL);
	sigaction(SIGUSR1, &action, NULL);
	hazptr_thread_shared_set_max_age_ms(1);
}

/* A signal to each of them in each millisecond. */
static void disturb(unsigned threads, double seconds)
{
	time_t begin = time(NULL), next = begin + 1;
	double ms = seconds * 1e3; /* a nap is somewhat longer than that */
	struct timespec start, now;
	unsigned i;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		nap(1000);
		for (i = 0; i < threads; i++)
			if (__atomic_load_n(&workers[i].ready,
					    __ATOMIC_ACQUIRE))
				pthread_kill(workers[i].thread, SIGUSR1);
		if (time(NULL) >= next) {
			next++;
			printf("references: %lld s, %llu created, %llu "
			       "released\n",
			       (long long)(next - begin - 1),
			       (unsigned long long)figure(&created),
			       (unsigned long long)figure(&released));
			fflush(stdout);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - start.tv_sec) * 1e3 +
			 (double)(now.tv_nsec - start.tv_nsec) / 1e6 <
		 ms);
}

/* Everything goes; nothing may be missing. */
static bool tear_down(void)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };
	unsigned i, in_pool = 0;

	for (i = 0; i < SOURCES; i++)
		hazptr_sync_shared_drop(&sources[i]);
	for (i = 0; i < 5000; i++) {
		hazptr_barrier(NULL);
		if (figure(&created) == figure(&released))
			break;
		nap(1000);
	}
	hazptr_domain_stats(NULL, &stats);
	while (item_from_pool())
		in_pool++;
	printf("references: %llu created, %llu of them weak, %llu expired, "
	       "%llu released, %llu times none was free\n",
	       (unsigned long long)created, (unsigned long long)made_weak,
	       (unsigned long long)expired, (unsigned long long)released,
	       (unsigned long long)none_free);
	if (created == released && made_weak == expired && in_pool == ITEMS &&
	    !stats.pending)
		return true;
	fprintf(stderr, "references: %u of %u items came back, %llu pending\n",
		in_pool, ITEMS, (unsigned long long)stats.pending);
	return false;
}

static void print_counts(unsigned threads)
{
	struct hazptr_promotion_stats p = { .size = sizeof(p) };
	unsigned i, k;
	uint64_t n;

	for (i = 0; i < OPS; i++) {
		for (n = 0, k = 0; k < threads; k++)
			n += workers[k].counts[i];
		printf("%26s %12llu\n", ops[i].name, (unsigned long long)n);
	}
	for (n = 0, k = 0; k < threads; k++)
		n += workers[k].ticks;
	printf("%26s %12llu\n", "signal", (unsigned long long)n);
	hazptr_thread_shared_stats(&p);
	printf("references: promoted by scan %llu, age %llu, request %llu, "
	       "exit %llu; counted at once %llu\n",
	       (unsigned long long)p.promoted_by_scan,
	       (unsigned long long)p.promoted_by_age,
	       (unsigned long long)p.promoted_by_request,
	       (unsigned long long)p.promoted_by_exit,
	       (unsigned long long)p.fallen_back);
}

static int run(unsigned threads, double seconds)
{
	unsigned i;
	bool right;

	set_up();
	for (i = 0; i < threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			failed("pthread_create", NULL);
	disturb(threads, seconds);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	print_counts(threads);
	right = tear_down();
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
	if (!threads || threads > MAX_THREADS)
		return 2;
	printf("references: seed %llu, %u threads, %.3g s, fence %s\n",
	       (unsigned long long)seed, threads, seconds,
	       modes[hazptr_fence_mode()]);
	fflush(stdout);
	return run(threads, seconds);
}
