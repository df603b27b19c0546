/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/fork_storm.c - fork while other threads are in the middle of it
 *
 * Finding: as tests/fault/fork.c; here the other threads are stopped at each
 * point of a scan, a retire() and an overflow in turn, and then run flat out.
 * In the child none of them exists to finish what it has begun.
 */
#include "fault.h"

#include <string.h>

#define OBJECTS 20
#define GUARDS 12
#define CHILD_SECONDS 60u

struct stopped {
	struct hazptr_domain *d;
	struct thing *source;
	int done;
};

/* gcc 12: a child's thread was seen waiting where AsanThread allocates. */
static void needs_allocator_at_fork(void)
{
	if (fault_is_asan() || fault_is_tsan())
		fault_skip("the sanitizer's own allocator does not survive "
			   "a fork while other threads allocate");
}

/* Comes past every point there is. */
static void *pass_all_points(void *arg)
{
	struct hazptr_guard g[GUARDS];
	struct stopped *s = arg;
	int i;

	memset(g, 0, sizeof(g));
	gate_me = true;
	for (i = 0; i < OBJECTS; i++)
		thing_retire(s->d, thing_new(0));
	for (i = 0; i < GUARDS; i++)
		thing_protect(&g[i], &s->source);
	hazptr_flush(s->d);
	for (i = 0; i < GUARDS; i++)
		hazptr_release(&g[i]);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* fork() may have to wait for the thread that is stopped. */
static void *open_later(void *unused)
{
	(void)unused;
	nap_ms(20);
	gate_open();
	return NULL;
}

static void *another_thread(void *arg)
{
	struct hazptr_guard g[GUARDS];
	struct thing *source = thing_new(1);
	int i;

	memset(g, 0, sizeof(g));
	for (i = 0; i < GUARDS; i++)
		thing_protect(&g[i], &source);
	thing_retire(arg, source);
	for (i = 0; i < GUARDS; i++)
		hazptr_release(&g[i]);
	return NULL;
}

/* The child has what the stopped thread had, but for what was in its hands. */
_Noreturn static void be_child(struct stopped *s)
{
	int made;

	alarm(fault_is_sanitized() ? 5 * CHILD_SECONDS : CHILD_SECONDS);
	hazptr_flush(s->d);
	hazptr_barrier(s->d);
	thing_check(s->source);
	made = (int)domain_stats(s->d).retired;
	CHECK(made <= OBJECTS);
	CHECK(reclaimed() >= made - 1);
	CHECK(alive() <= 2 + 1); /* the source, one being made, one in hand */
	another_thread(s->d);
	join(spawn(another_thread, s->d));
	join(spawn(another_thread, NULL));
	thing_retire(s->d, s->source);
	hazptr_barrier(s->d);
	hazptr_barrier(NULL);
	CHECK(alive() <= 2);
	_exit(0);
}

static void fork_at(const char *point, enum hazptr_reclaim policy)
{
	struct stopped s = { .d = domain_new(policy, 0, 600000) };
	pthread_t thread, opener;
	pid_t child;

	s.source = thing_new(0);
	things_reclaimed = 0;
	gate_arm(point);
	thread = spawn(pass_all_points, &s);
	gate_wait();
	opener = spawn(open_later, NULL);
	fflush(NULL);
	child = fork();
	if (!child)
		be_child(&s);
	join(opener);
	join(thread);
	CHECK(child_ok(child));
	thing_retire(s.d, s.source);
	hazptr_barrier(s.d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(reclaimed(), OBJECTS + 1);
	CHECK_EQ(hazptr_domain_destroy(s.d), 0);
}

static void fork_with_a_thread_at_each_point(void)
{
	static const char *const points[] = {
		"retire:busy", "scan:collected", "scan:fenced", "scan:slots",
		"scan:sifted", "overflow:link", "overflow:linked",
		"exit:begin",
	};
	unsigned i;

	fault_needs_threads_after_fork();
	needs_allocator_at_fork();
	for (i = 0; i < sizeof(points) / sizeof(*points); i++) {
		fork_at(points[i], HAZPTR_RECLAIM_MANUAL);
		fork_at(points[i], HAZPTR_RECLAIM_INLINE);
		fork_at(points[i], HAZPTR_RECLAIM_BACKGROUND);
	}
}

/*
 * A thread that comes to its lane while fork() has it: it says that it is in,
 * sees that it may not be, and is stopped before it says that it has left. A
 * hook that is registered before the library's runs after it, with all frozen.
 */
static struct {
	struct hazptr_domain *d;
	struct thing *t;
	int ready, frozen;
	bool armed;
} late;

static void *retire_late(void *unused)
{
	(void)unused;
	gate_me = true;
	thing_retire(late.d, thing_new(0)); /* it has a lane from now on */
	__atomic_store_n(&late.ready, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&late.frozen, 1, 60));
	thing_retire(late.d, late.t);
	return NULL;
}

static void when_frozen(void)
{
	if (!late.armed)
		return;
	late.armed = false;
	gate_arm("retire:busy");
	__atomic_store_n(&late.frozen, 1, __ATOMIC_RELEASE);
	gate_wait();
}

/* Barriers, and forks, wait for lanes: not for that one. */
_Noreturn static void be_late_child(void)
{
	pid_t child;

	alarm(CHILD_SECONDS);
	thing_retire(late.d, thing_new(0));
	hazptr_barrier(late.d);
	join(spawn(another_thread, late.d));
	hazptr_barrier(late.d);
	child = fault_fork();
	if (!child) {
		alarm(CHILD_SECONDS);
		join(spawn(another_thread, late.d));
		hazptr_barrier(late.d);
		_exit(0);
	}
	CHECK(child_ok(child));
	CHECK_EQ(alive(), 1); /* what was just being retired is lost */
	_exit(0);
}

static void fork_with_a_thread_that_enters(enum hazptr_reclaim policy)
{
	pthread_t thread;
	pid_t child;

	late.d = domain_new(policy, 0, 600000);
	late.t = thing_new(0);
	late.ready = late.frozen = 0;
	another_thread(late.d); /* its record is not the other's in the child */
	thread = spawn(retire_late, NULL);
	CHECK(wait_for(&late.ready, 1, 60));
	late.armed = true;
	child = fault_fork();
	if (!child)
		be_late_child();
	gate_open();
	join(thread);
	CHECK(child_ok(child));
	hazptr_barrier(late.d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(late.d), 0);
}

/* Placed before the library's, it runs after that. */
__attribute__((constructor(101))) static void at_load(void)
{
	if (pthread_atfork(when_frozen, NULL, NULL))
		abort();
}

static void fork_while_a_thread_enters_its_lane(void)
{
	fault_needs_threads_after_fork();
	fork_with_a_thread_that_enters(HAZPTR_RECLAIM_MANUAL);
	fork_with_a_thread_that_enters(HAZPTR_RECLAIM_INLINE);
	fork_with_a_thread_that_enters(HAZPTR_RECLAIM_BACKGROUND);
}

static struct hazptr_domain *domains[3];
static struct thing *sources[4];
static int stop;

static bool stopping(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void replace(struct hazptr_domain *d, unsigned i)
{
	thing_retire(d, __atomic_exchange_n(&sources[i % 4], thing_new(i),
					    __ATOMIC_ACQ_REL));
}

static void *retire_flat_out(void *unused)
{
	unsigned i;

	(void)unused;
	for (i = 0; !stopping(); i++) {
		replace(domains[i % 3], i);
		if (i % 100 == 0)
			hazptr_flush(domains[1]);
	}
	return NULL;
}

static void *overflow_flat_out(void *unused)
{
	struct hazptr_guard g[GUARDS];
	unsigned i, turn;

	(void)unused;
	memset(g, 0, sizeof(g));
	for (turn = 0; !stopping(); turn++) {
		for (i = 0; i < GUARDS; i++)
			thing_protect(&g[i], &sources[(turn + i) % 4]);
		hazptr_swap(&g[turn % GUARDS], &g[turn * 7 % GUARDS]);
		for (i = 0; i < GUARDS; i++)
			hazptr_release(&g[(turn + i) % GUARDS]);
	}
	return NULL;
}

static void *register_flat_out(void *unused)
{
	(void)unused;
	while (!stopping())
		join(spawn(another_thread, domains[1]));
	return NULL;
}

/* The cohort is no local: in the child this thread's stack is used again. */
static void *wait_flat_out(void *unused)
{
	static struct hazptr_cohort c;
	struct thing *t;

	(void)unused;
	while (!stopping()) {
		CHECK_EQ(hazptr_cohort_init(&c, domains[1]), 0);
		t = thing_new(0);
		hazptr_cohort_retire(&c, t, head, thing_reclaim);
		hazptr_cohort_destroy(&c);
		t = thing_new(0);
		hazptr_synchronize(t);
		thing_destroy(t);
		hazptr_barrier(NULL);
	}
	return NULL;
}

_Noreturn static void be_storm_child(struct hazptr_guard *g,
				     struct thing *const *kept)
{
	unsigned i;

	alarm(fault_is_sanitized() ? 5 * CHILD_SECONDS : CHILD_SECONDS);
	for (i = 0; i < 3; i++)
		hazptr_flush(domains[i]);
	for (i = 0; i < GUARDS; i++) {
		thing_check(kept[i]);
		hazptr_release(&g[i]);
	}
	for (i = 0; i < 40; i++)
		replace(domains[i % 3], i);
	for (i = 0; i < 3; i++) {
		hazptr_flush(domains[i]);
		hazptr_barrier(domains[i]);
	}
	another_thread(NULL);
	join(spawn(another_thread, domains[1]));
	hazptr_barrier(domains[1]);
	for (i = 0; i < 4; i++)
		thing_check(sources[i]);
	_exit(0);
}

static void fork_while_all_run_flat_out(void)
{
	static void *(*const work[])(void *) = {
		retire_flat_out, overflow_flat_out, register_flat_out,
		wait_flat_out,
	};
	static struct hazptr_guard g[GUARDS];
	struct thing *kept[GUARDS];
	pthread_t threads[4];
	unsigned i, n;
	pid_t child;

	needs_allocator_at_fork();
	domains[1] = domain_new(HAZPTR_RECLAIM_INLINE, 64, 0);
	domains[2] = domain_new(HAZPTR_RECLAIM_BACKGROUND, 64, 5);
	for (i = 0; i < 4; i++)
		sources[i] = thing_new(i);
	for (i = 0; i < 4; i++)
		threads[i] = spawn(work[i], NULL);
	for (n = fault_scaled(200); n; n--) {
		for (i = 0; i < GUARDS; i++)
			kept[i] = thing_protect(&g[i], &sources[i % 4]);
		child = fork();
		if (!child)
			be_storm_child(g, kept);
		CHECK(child_ok(child));
		for (i = 0; i < GUARDS; i++) {
			thing_check(kept[i]);
			hazptr_release(&g[i]);
		}
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 4; i++)
		join(threads[i]);
	for (i = 0; i < 4; i++)
		thing_retire(NULL, sources[i]);
	hazptr_barrier(NULL);
	CHECK_EQ(hazptr_domain_destroy(domains[1]), 0);
	CHECK_EQ(hazptr_domain_destroy(domains[2]), 0);
	CHECK_EQ(alive(), 0);
}

static const struct fault_case cases[] = {
	{ "fork_with_a_thread_at_each_point",
	  fork_with_a_thread_at_each_point, .fences = FENCE_DEFAULT },
	{ "fork_while_a_thread_enters_its_lane",
	  fork_while_a_thread_enters_its_lane, .fences = FENCE_ALL,
	  .seconds = 20 },
	{ "fork_while_all_run_flat_out", fork_while_all_run_flat_out,
	  .fences = FENCE_ALL },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
