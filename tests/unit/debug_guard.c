/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/debug_guard.c - hazptr/debug.h: guards in the hands of others, or left
 *
 * Plain: by a file that is built without HAZPTR_DEBUG (debug_plain.c).
 */
#include "debug_misuse.h"

/* Foreign release */

/* In a thread that stays: else the guard would be dropped at its end. */
static sem_t ready;

static void *protects_and_stays(void *arg)
{
	protect((struct hazptr_guard *)arg);
	expect("a guard of thread %d", my_thread());
	expect("protected at %s by thread %d", protected_at, my_thread());
	must(!sem_post(&ready));
	pause();
	return NULL;
}

static void *crowded_protects_and_stays(void *arg)
{
	take_all_slots();
	return protects_and_stays(arg);
}

static void let_other_protect(void *(*run)(void *), const char *call)
{
	set_up();
	must(!sem_init(&ready, 0, 0));
	test_start(run, &guard);
	test_wait(&ready);
	if (call)
		expect("hazptr: %s: %p: ", call, (void *)&x);
	expect("used by thread %d", my_thread());
}

static void child_foreign_release(void)
{
	let_other_protect(protects_and_stays, "hazptr_release");
	hazptr_release(&guard);
}

static void child_foreign_release_of_an_embedded_slot(void)
{
	let_other_protect(crowded_protects_and_stays, "hazptr_release");
	hazptr_release(&guard);
}

static void child_foreign_plain_release_of_an_embedded_slot(void)
{
	let_other_protect(crowded_protects_and_stays, "hazptr_release");
	plain_release(&guard);
}

static void *crowded_stays(void *arg)
{
	take_all_slots();
	plain_hold((struct hazptr_guard *)arg, &x);
	must(!sem_post(&ready));
	pause();
	return NULL;
}

static void child_foreign_plain_release_unnoticed(void)
{
	set_up();
	must(!sem_init(&ready, 0, 0));
	test_start(crowded_stays, &guard);
	test_wait(&ready);
	plain_release(&guard);
}

static void *plain_stays(void *arg)
{
	plain_hold((struct hazptr_guard *)arg, &x);
	expect("a guard of thread %d", my_thread());
	expect("!protected at");
	must(!sem_post(&ready));
	pause();
	return NULL;
}

static void child_foreign_release_of_a_plain_guard(void)
{
	let_other_protect(plain_stays, "hazptr_release");
	hazptr_release(&guard);
}

static void child_foreign_protect(void)
{
	let_other_protect(protects_and_stays, "hazptr_protect");
	source = &y;
	protect(&guard);
}

static void child_foreign_try_protect(void)
{
	struct item *seen = &x;

	let_other_protect(protects_and_stays, "hazptr_try_protect");
	if (hazptr_try_protect(&guard, &seen, &source))
		_exit(1);
}

static void child_foreign_hold(void)
{
	let_other_protect(protects_and_stays, "hazptr_hold");
	hazptr_hold(&guard, &y);
}

static void *releases(void *arg)
{
	hazptr_release((struct hazptr_guard *)arg);
	return NULL;
}

static void child_release_after_detach(void)
{
	set_up();
	protect(&guard);
	hazptr_detach(&guard);
	test_join(test_start(releases, &guard));
	take_all_slots();
	protect(&guard);
	hazptr_detach(&guard);
	test_join(test_start(releases, &guard));
	give_all_slots();
}

static struct hazptr_context context;

static void *takes_over_the_context(void *arg)
{
	hazptr_context_switch(&context);
	hazptr_release((struct hazptr_guard *)arg);
	protect((struct hazptr_guard *)arg);
	hazptr_release((struct hazptr_guard *)arg);
	hazptr_context_switch(NULL);
	return NULL;
}

/* A task with its context goes from one thread to another. */
static void child_context_moves(void)
{
	set_up();
	must(!hazptr_context_init(&context));
	hazptr_context_switch(&context);
	protect(&guard);
	hazptr_context_switch(NULL);
	test_join(test_start(takes_over_the_context, &guard));
	hazptr_context_switch(&context);
	protect(&guard);
	hazptr_context_switch(NULL);
	hazptr_release(&guard);
	hazptr_context_cleanup(&context);
}

static void *uses_the_context(void *arg)
{
	hazptr_context_switch(&context);
	return protects_and_stays(arg);
}

static void child_foreign_release_in_a_context(void)
{
	set_up();
	must(!hazptr_context_init(&context));
	let_other_protect(uses_the_context, "hazptr_release");
	hazptr_release(&guard);
}

/* Ends of threads */

static void *leaves_a_guard(void *arg)
{
	protect((struct hazptr_guard *)arg);
	expect("thread exit: %p: a guard of thread %d, slot 0,", (void *)&x,
	       my_thread());
	expect("protected at %s by thread %d", protected_at, my_thread());
	return NULL;
}

static void child_guard_left(void)
{
	set_up();
	test_join(test_start(leaves_a_guard, &guard));
	memset(&guard, 0, sizeof(guard));
	/* The next one has its slots, and leaves nothing. */
	test_join(test_start(releases, &guard));
}

static void *leaves_embedded(void *arg)
{
	static struct hazptr_guard plain, other;

	take_all_slots();
	hazptr_hold(&other, &y);
	plain_release(&other);
	hazptr_hold(&plain, &y);
	hazptr_detach(&plain); /* is not left: it goes elsewhere */
	memset(&other, 0, sizeof(other));
	expect("!thread exit: %p: a guard", (void *)&y);
	protect((struct hazptr_guard *)arg);
	plain_hold(&other, &y);
	expect("1 guards of thread %d", my_thread());
	expect("thread exit: %p: a guard still holds it in its own slot",
	       (void *)&x);
	expect("protected at %s by thread %d", protected_at, my_thread());
	give_all_slots();
	return NULL;
}

static void child_embedded_guards_left(void)
{
	set_up();
	test_join(test_start(leaves_embedded, &guard));
	memset(&guard, 0, sizeof(guard));
	test_join(test_start(releases, &guard));
}

static void *leaves_detached(void *arg)
{
	struct hazptr_guard *guards = (struct hazptr_guard *)arg;

	protect(&guards[0]);
	hazptr_detach(&guards[0]);
	take_all_slots();
	protect(&guards[1]);
	hazptr_detach(&guards[1]);
	give_all_slots();
	return NULL;
}

static void child_detached_guards_left(void)
{
	struct hazptr_guard guards[2];

	set_up();
	memset(guards, 0, sizeof(guards));
	test_join(test_start(leaves_detached, guards));
	hazptr_release(&guards[0]);
	hazptr_release(&guards[1]);
}

/* fork */

static void child_fork(void)
{
	pid_t pid;
	int status;

	set_up();
	protect(&guard);
	retire(&y);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		hazptr_release(&guard);
		hazptr_flush(domain);
		must(item_gone(&y) == 1);
		retire(&y);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
	hazptr_release(&guard);
	hazptr_flush(domain);
}

static const struct test_child children[] = {
	{ "foreign release", child_foreign_release },
	{ "foreign release, embedded",
	  child_foreign_release_of_an_embedded_slot },
	{ "foreign plain release, embedded",
	  child_foreign_plain_release_of_an_embedded_slot },
	{ "foreign plain release, unnoticed",
	  child_foreign_plain_release_unnoticed },
	{ "foreign release, plain guard",
	  child_foreign_release_of_a_plain_guard },
	{ "foreign protect", child_foreign_protect },
	{ "foreign try_protect", child_foreign_try_protect },
	{ "foreign hold", child_foreign_hold },
	{ "release after detach", child_release_after_detach },
	{ "context moves", child_context_moves },
	{ "foreign release in a context", child_foreign_release_in_a_context },
	{ "guard left", child_guard_left },
	{ "embedded guards left", child_embedded_guards_left },
	{ "detached guards left", child_detached_guards_left },
	{ "fork", child_fork },
};

/* Child, HAZPTR_DEBUG, stall, lines, aborts. */
static struct report reports[] = {
	{ "foreign release", NULL, NULL, 1, true },
	{ "foreign release, embedded", NULL, NULL, 1, true },
	{ "foreign plain release, embedded", "1", NULL, 1, true },
	{ "foreign plain release, unnoticed", NULL, NULL, 0, false },
	{ "foreign release, plain guard", NULL, NULL, 1, true },
	{ "foreign protect", NULL, NULL, 1, true },
	{ "foreign try_protect", NULL, NULL, 1, true },
	{ "foreign hold", NULL, NULL, 1, true },
	{ "release after detach", "1", NULL, 0, false },
	{ "context moves", "1", NULL, 0, false },
	{ "foreign release in a context", NULL, NULL, 1, true },
	{ "guard left", NULL, NULL, 1, false },
	{ "embedded guards left", NULL, NULL, 2, false },
	{ "detached guards left", "1", NULL, 0, false },
	{ "fork", "1", NULL, 0, false },
};

int main(int argc, char **argv)
{
	struct CMUnitTest tests[TEST_COUNT(reports)];

	test_main(argc, argv, children, TEST_COUNT(children));
	test_reports(tests, reports, TEST_COUNT(reports));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
