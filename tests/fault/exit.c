/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/exit.c - the process ends in the middle of it
 *
 * Finding: static destructors that tear down what threads still use (folly).
 * Nothing of the library is destroyed at exit: objects that wait stay
 * reachable (a leak checker sees them), threads that go on find all in place.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <signal.h>
#include <string.h>

static struct thing *sources[4];
static int running;

static void *read_on(void *unused)
{
	struct hazptr_guard g[12];
	unsigned i, turn;

	(void)unused;
	memset(g, 0, sizeof(g));
	for (turn = 0;; turn++) {
		for (i = 0; i < 12; i++)
			thing_protect(&g[i], &sources[(i + turn) % 4]);
		for (i = 0; i < 12; i++)
			hazptr_release(&g[i]);
		__atomic_store_n(&running, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *retire_on(void *domain)
{
	unsigned turn;

	for (turn = 0;; turn++) {
		struct thing *old = __atomic_exchange_n(
			&sources[turn % 4], thing_new(turn), __ATOMIC_ACQ_REL);

		thing_retire(turn & 4 ? domain : NULL, old);
		if (turn % 512 == 0)
			hazptr_flush(domain);
	}
	return NULL;
}

static struct hazptr_domain *inline_domain, *manual_domain;
static struct hazptr_cohort cohort;

/* Some of everything waits: for readers, for a scan, for a function. */
static void leave_things_pending(void)
{
	static struct hazptr_guard g[12];
	int i;

	inline_domain = domain_new(HAZPTR_RECLAIM_INLINE, 0, 5000);
	manual_domain = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	CHECK_EQ(hazptr_cohort_init(&cohort, NULL), 0);
	for (i = 0; i < 12; i++) {
		struct thing *t = thing_guarded(&g[i], 0);

		thing_retire(i % 3 ? (i & 1 ? manual_domain : inline_domain)
				   : NULL,
			     t);
		thing_retire(manual_domain, thing_new(1));
		thing_retire(inline_domain, thing_new(1));
		thing_retire(NULL, thing_new(1));
		t = thing_new(2);
		hazptr_cohort_retire(&cohort, t, head, thing_reclaim);
		hazptr_retire_ptr(manual_domain, thing_new(3), thing_destroy);
	}
	hazptr_flush(inline_domain);
}

static void exit_with_pending_objects(void)
{
	leave_things_pending();
}

static void start_all(void)
{
	int i;

	leave_things_pending();
	for (i = 0; i < 4; i++)
		sources[i] = thing_new(0);
	pthread_detach(spawn(read_on, NULL));
	pthread_detach(spawn(retire_on, inline_domain));
	pthread_detach(spawn(retire_on, NULL));
	CHECK(wait_for(&running, 1, 60));
	nap_ms(20);
}

static void main_returns_while_threads_go_on(void)
{
	start_all();
}

static int main_hook_ran;

static void *call_exit(void *unused)
{
	(void)unused;
	thing_retire(NULL, thing_new(0));
	exit(0);
}

static void thread_calls_exit(void)
{
	start_all();
	spawn(call_exit, NULL);
	for (;;)
		pause();
}

static void thread_calls_quick_exit(void)
{
	start_all();
	quick_exit(0);
}

static void thread_calls__exit(void)
{
	start_all();
	_exit(0);
}

static void *outlive_the_main_thread(void *unused)
{
	(void)unused;
	CHECK(wait_for(&main_hook_ran, 1, 60));
	call_exit(NULL);
	return NULL;
}

static void note_exit(const char *point)
{
	if (!strcmp(point, "exit:begin"))
		__atomic_store_n(&main_hook_ran, 1, __ATOMIC_RELEASE);
}

/*
 * What the main thread had retired is taken over. (The library's own thread
 * keeps such a process alive: somebody must call exit.)
 */
static void main_thread_ends_first(void)
{
	gate_hook = note_exit;
	thing_retire(NULL, thing_new(0));
	thing_retire(domain_new(HAZPTR_RECLAIM_INLINE, 0, 0), thing_new(0));
	pthread_detach(spawn(outlive_the_main_thread, NULL));
	pthread_exit(NULL);
}

static void use_at_exit(void)
{
	struct hazptr_guard g[12];
	int i, before;

	memset(g, 0, sizeof(g));
	for (i = 0; i < 12; i++)
		thing_retire(NULL, thing_guarded(&g[i], 0));
	for (i = 0; i < 12; i++)
		hazptr_release(&g[i]);
	hazptr_flush(NULL);
	hazptr_barrier(NULL);
	before = alive();
	thing_retire(NULL, thing_new(0));
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), before);
	_Exit(42);
}

/* The library's thread still works while exit handlers run. */
static void library_used_in_an_exit_handler(void)
{
	atexit(use_at_exit);
	thing_retire(NULL, thing_new(0));
}

/* Registered before the library was first used, so that it runs the last. */
static void first_use_in_an_exit_handler(void)
{
	atexit(use_at_exit);
}

static void exit_now(struct thing *t)
{
	(void)t;
	exit(0);
}

static void exiting_function(struct hazptr_domain *d)
{
	struct thing *t = thing_new(0);

	t->at_reclaim = exit_now;
	thing_retire(d, t);
	hazptr_flush(d);
	for (;;)
		pause();
}

static void reclaim_function_exits(void)
{
	leave_things_pending();
	exiting_function(inline_domain);
}

static void reclaim_function_exits_in_the_librarys_thread(void)
{
	leave_things_pending();
	exiting_function(NULL);
}

/* The child of a fork ends the ordinary way, with what it has taken over. */
static void child_exits_with_pending_objects(void)
{
	pid_t child;

	if (fault_is_asan()) /* gcc 12: seen waiting in __lsan::LockAllocator */
		fault_skip("the leak check waits for a lock that another "
			   "thread held at the fork");
	start_all();
	fflush(NULL);
	child = fork();
	if (!child)
		exit(0);
	CHECK(child_ok(child));
}

/* What exec starts finds signals, and the library, as any program does. */
static void after_exec(void)
{
	sigset_t now_blocked;
	int i;

	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now_blocked), 0);
	for (i = 1; i < 32; i++)
		CHECK(!sigismember(&now_blocked, i));
	CHECK_EQ(library_thread(), 0);
	thing_retire(NULL, thing_new(0));
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
}

static void exec_after_use(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	CHECK(n > 0);
	path[n] = '\0';
	start_all();
	execl(path, path, "--case", "after_exec", (char *)NULL);
	CHECK(!"exec");
}

static const struct fault_case cases[] = {
	{ "exit_with_pending_objects", exit_with_pending_objects,
	  .fences = FENCE_DEFAULT },
	{ "main_returns_while_threads_go_on", main_returns_while_threads_go_on,
	  .fences = FENCE_ALL },
	{ "thread_calls_exit", thread_calls_exit, .fences = FENCE_DEFAULT },
	{ "thread_calls_quick_exit", thread_calls_quick_exit,
	  .fences = FENCE_DEFAULT },
	{ "thread_calls__exit", thread_calls__exit, .fences = FENCE_DEFAULT },
	{ "main_thread_ends_first", main_thread_ends_first,
	  .fences = FENCE_DEFAULT },
	{ "library_used_in_an_exit_handler", library_used_in_an_exit_handler,
	  .fences = FENCE_DEFAULT, .status = 42 },
	{ "first_use_in_an_exit_handler", first_use_in_an_exit_handler,
	  .fences = FENCE_DEFAULT, .status = 42 },
	{ "reclaim_function_exits", reclaim_function_exits,
	  .fences = FENCE_DEFAULT },
	{ "reclaim_function_exits_in_the_librarys_thread",
	  reclaim_function_exits_in_the_librarys_thread,
	  .fences = FENCE_DEFAULT },
	{ "child_exits_with_pending_objects", child_exits_with_pending_objects,
	  .fences = FENCE_DEFAULT },
	{ "exec_after_use", exec_after_use, .fences = FENCE_DEFAULT },
	{ "after_exec", after_exec, .fences = FENCE_DEFAULT },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
