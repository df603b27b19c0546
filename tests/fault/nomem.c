/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/nomem.c - memory, or the thread, that is not to be had
 *
 * Findings: exits when there are more threads than places (CDRC), throws when
 * slots are used up (xenium). The linker puts our allocator between the
 * library and libc; the scenario runs over and over, in a child each time,
 * and the n-th allocation fails, alone or with all that follow. Nothing may
 * crash or be lost: every object is reclaimed once, and what a guard keeps is
 * not.
 */
#include "fault.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#define THREADS 70 /* more contexts than two chunks have */
#define RAN_WITHOUT_FAILURE 42

static __thread int exempt; /* the test's own allocations */
static int asked;	    /* how often the library has asked */
static int fail_from, fail_upto;
static int failed_once;
static bool no_threads;

static bool refused(void)
{
	int n;

	if (exempt)
		return false;
	n = __atomic_add_fetch(&asked, 1, __ATOMIC_ACQ_REL);
	if (n < __atomic_load_n(&fail_from, __ATOMIC_RELAXED) ||
	    n > __atomic_load_n(&fail_upto, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&failed_once, 1, __ATOMIC_RELEASE);
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **p, size_t alignment, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **p, size_t alignment, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg);

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return refused() ? NULL : __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return refused() ? NULL : __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **p, size_t alignment, size_t size)
{
	return refused() ? ENOMEM : __real_posix_memalign(p, alignment, size);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg)
{
	if (!exempt && __atomic_load_n(&no_threads, __ATOMIC_ACQUIRE))
		return EAGAIN;
	return __real_pthread_create(thread, attr, run, arg);
}

static struct thing *new_thing(void)
{
	struct thing *t;

	exempt++;
	t = thing_new(0);
	exempt--;
	return t;
}

static pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	exempt++;
	thread = spawn(run, arg);
	exempt--;
	return thread;
}

static int made;	/* objects that were retired */
static pthread_barrier_t step;
static struct thing *kept_by_all;

static void retire_some(struct hazptr_domain *d, int n)
{
	__atomic_fetch_add(&made, n, __ATOMIC_ACQ_REL);
	while (n--)
		thing_retire(d, new_thing());
}

/* Registers, or is refused; keeps things through more guards than slots. */
static void *one_thread(void *domain)
{
	struct hazptr_guard g[12];
	struct thing *seen;
	int i;

	memset(g, 0, sizeof(g));
	for (i = 0; i < 11; i++)
		thing_protect(&g[i], &kept_by_all);
	seen = kept_by_all;
	CHECK(hazptr_try_protect(&g[11], &seen, &kept_by_all));
	hazptr_swap(&g[0], &g[11]);
	pthread_barrier_wait(&step); /* all keep it; it is retired */
	pthread_barrier_wait(&step);
	retire_some(domain, 3);
	hazptr_flush(domain);
	retire_some(NULL, 3);
	thing_check(seen);
	pthread_barrier_wait(&step); /* and let go */
	for (i = 0; i < 12; i++) {
		thing_check(seen);
		hazptr_release(&g[i]);
	}
	return NULL;
}

static void many_threads(struct hazptr_domain *d)
{
	pthread_t threads[THREADS];
	struct thing *t = new_thing();
	int i;

	kept_by_all = t;
	CHECK_EQ(pthread_barrier_init(&step, NULL, THREADS + 1), 0);
	for (i = 0; i < THREADS; i++)
		threads[i] = start(one_thread, d);
	pthread_barrier_wait(&step);
	kept_by_all = NULL;
	thing_retire(d, t);
	made++;
	hazptr_flush(d);
	thing_check(t);
	pthread_barrier_wait(&step);
	hazptr_flush(d);
	thing_check(t);
	pthread_barrier_wait(&step);
	for (i = 0; i < THREADS; i++)
		join(threads[i]);
	pthread_barrier_destroy(&step);
}

static void try_contexts(void)
{
	struct hazptr_context c[40];
	struct thing *t = new_thing(), *seen;
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_slot *s;
	int i, n = 0, error;

	for (i = 0; i < 40; i++) {
		error = hazptr_context_init(&c[n]);
		CHECK(!error || error == -ENOMEM);
		n += !error;
	}
	for (i = 0; i < n; i++) {
		s = hazptr_slot_alloc(&c[i]);
		CHECK(s);
		seen = hazptr_slot_protect(s, &t);
		CHECK(seen == t);
		CHECK(!hazptr_context_switch(&c[i]));
		thing_protect(&g, &t);
		CHECK(hazptr_context_switch(NULL) == &c[i]);
		hazptr_release(&g);
	}
	for (i = 0; i < n; i++)
		hazptr_context_cleanup(&c[i]);
	thing_destroy(t);
	made++; /* it counts as reclaimed */
}

static struct hazptr_domain *try_domain(enum hazptr_reclaim policy)
{
	struct hazptr_domain_opts opts = { .size = sizeof(opts),
					   .reclaim = policy };
	struct hazptr_domain *d = NULL;
	int error = hazptr_domain_create(&d, &opts);

	CHECK(!error || error == -ENOMEM);
	return error ? NULL : d;
}

static void use_domain(struct hazptr_domain *d)
{
	struct thing *first, *last;
	struct hazptr_cohort c;
	int i;

	CHECK_EQ(hazptr_cohort_init(&c, d), 0);
	retire_some(d, 50);
	for (i = 0; i < 5; i++) {
		first = new_thing();
		hazptr_cohort_retire(&c, first, head, thing_reclaim);
		hazptr_retire_ptr(d, new_thing(), thing_destroy);
	}
	first = new_thing();
	last = new_thing();
	hazptr_head_init(&first->head, first, thing_reclaim);
	hazptr_head_init(&last->head, last, thing_reclaim);
	first->head.next = &last->head;
	hazptr_retire_list(d, &first->head, &last->head);
	made += 12;
	hazptr_flush(d);
	hazptr_cohort_destroy(&c);
	hazptr_barrier(d);
	if (d)
		CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void whole_scenario(void)
{
	enum hazptr_reclaim p;

	for (p = HAZPTR_RECLAIM_BACKGROUND; p <= HAZPTR_RECLAIM_MANUAL; p++)
		use_domain(try_domain(p));
	many_threads(NULL);
	try_contexts();
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(reclaimed(), made);
	CHECK_EQ(domain_stats(NULL).pending, 0);
}

/* With memory again: the process is as good as new. */
static void recover(void)
{
	__atomic_store_n(&fail_from, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&fail_upto, 0, __ATOMIC_RELEASE);
	whole_scenario();
}

/* False: no allocation failed, the scenario has fewer. */
static bool scenario_with_failures(int from, int upto)
{
	int status;
	pid_t child;

	child = fault_fork();
	CHECK(child >= 0);
	if (!child) {
		fail_from = from;
		fail_upto = upto;
		whole_scenario();
		if (!failed_once)
			exit(RAN_WITHOUT_FAILURE);
		recover();
		exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) &&
				   WEXITSTATUS(status) != RAN_WITHOUT_FAILURE))
		fprintf(stderr, "allocations %d to %d failed: status %#x\n",
			from, upto, (unsigned)status);
	CHECK(WIFEXITED(status));
	CHECK(!WEXITSTATUS(status) ||
	      WEXITSTATUS(status) == RAN_WITHOUT_FAILURE);
	return !WEXITSTATUS(status);
}

static void run_up(int length)
{
	int n = 1, stride = fault_is_sanitized() ? 5 : 1; /* minutes */

	while (scenario_with_failures(n, length ? n + length - 1 : 1 << 30))
		n += stride;
	fprintf(stderr, "up to %d, each %d. allocation failed\n", n - stride,
		stride);
	CHECK(n > 1);
}

static void each_allocation_fails_alone(void)
{
	run_up(1);
}

static void each_allocation_fails_with_two_more(void)
{
	run_up(3);
}

static void each_allocation_fails_with_all_that_follow(void)
{
	run_up(0);
}

static void no_thread_to_be_had(void)
{
	__atomic_store_n(&no_threads, true, __ATOMIC_RELEASE);
	whole_scenario();
	CHECK_EQ(library_thread(), 0);
	retire_some(NULL, 100);
	hazptr_flush(NULL);
	__atomic_store_n(&no_threads, false, __ATOMIC_RELEASE);
	retire_some(NULL, 1); /* finds that there can be a thread now */
	CHECK(wait_for(&things_reclaimed, made, 60));
	CHECK(library_thread() != 0);
	recover();
}

static void *read_without_memory(void *unused)
{
	struct hazptr_domain *d;
	struct hazptr_guard *g, *others;
	struct thing *t[20];
	int i;

	(void)unused;
	exempt = 1;
	d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	g = calloc(20, sizeof(*g));
	CHECK(g);
	exempt = 0; /* from here on the library gets nothing */
	others = g + 10;
	for (i = 0; i < 20; i++) {
		t[i] = new_thing();
		thing_protect(&g[i], &t[i]);
		thing_retire(d, t[i]);
	}
	CHECK_EQ(hazptr_flush(d), 0);
	for (i = 0; i < 10; i++) {
		hazptr_swap(&g[i], &others[9 - i]);
		hazptr_detach(&g[i]);
	}
	for (i = 0; i < 20; i++) {
		CHECK_EQ(hazptr_flush(d), 0);
		thing_check(t[19 - i]); /* they were swapped */
		hazptr_release(&g[i]);
		CHECK_EQ(hazptr_flush(d), 1);
	}
	CHECK_EQ(hazptr_domain_destroy(d), 0);
	free(g);
	return NULL;
}

/* A thread that could not be registered at all has all that guards have. */
static void thread_without_a_context(void)
{
	pthread_t threads[THREADS];
	int i;

	__atomic_store_n(&fail_upto, 1 << 30, __ATOMIC_RELEASE);
	for (i = 0; i < THREADS; i++)
		threads[i] = start(read_without_memory, NULL);
	for (i = 0; i < THREADS; i++)
		join(threads[i]);
	CHECK_EQ(alive(), 0);
}

static const struct fault_case cases[] = {
	{ "each_allocation_fails_alone", each_allocation_fails_alone,
	  .fences = FENCE_DEFAULT },
	{ "each_allocation_fails_with_two_more",
	  each_allocation_fails_with_two_more, .fences = FENCE_DEFAULT },
	{ "each_allocation_fails_with_all_that_follow",
	  each_allocation_fails_with_all_that_follow,
	  .fences = FENCE_DEFAULT },
	{ "no_thread_to_be_had", no_thread_to_be_had,
	  .fences = FENCE_DEFAULT },
	{ "thread_without_a_context", thread_without_a_context,
	  .fences = FENCE_DEFAULT },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
