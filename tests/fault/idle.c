/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/idle.c - nobody calls the library any more, and still
 *
 * Findings: big objects below the threshold that nobody reclaimed until a time
 * trigger came (folly); helper threads that take the program's signals
 * (liburcu). Also: no thread without need, and no wake-up without need.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

static int asleep;

static void on_point(const char *point)
{
	if (!strcmp(point, "background:asleep"))
		__atomic_fetch_add(&asleep, 1, __ATOMIC_ACQ_REL);
}

static void wait_asleep(int times)
{
	CHECK(wait_for(&asleep, times, 60));
}

struct idler {
	struct hazptr_domain *d;
	int retired, stop;
	bool exits;
};

static void *retire_and_idle(void *arg)
{
	struct idler *i = arg;
	bool exits = i->exits;

	thing_retire(i->d, thing_new(0));
	__atomic_store_n(&i->retired, 1, __ATOMIC_RELEASE);
	if (!exits)
		CHECK(wait_for(&i->stop, 1, 600));
	return NULL;
}

/* One object; its retirer sleeps or is gone; the main thread only watches. */
static void idle_retirer(struct hazptr_domain *d, bool exits)
{
	struct idler i = { .d = d, .exits = exits };
	int before = reclaimed();
	pthread_t retirer = spawn(retire_and_idle, &i);
	double began;

	CHECK(wait_for(&i.retired, 1, 60));
	if (exits)
		join(retirer);
	began = now();
	CHECK(wait_for(&things_reclaimed, before + 1,
		       fault_is_sanitized() ? 60 : 5));
	fprintf(stderr, "reclaimed after %.0f ms\n", 1e3 * (now() - began));
	__atomic_store_n(&i.stop, 1, __ATOMIC_RELEASE);
	if (!exits)
		join(retirer);
}

static void idle_retirer_in_default_domain(void)
{
	idle_retirer(NULL, false);
	idle_retirer(NULL, true);
}

static void idle_retirer_in_inline_domain(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_INLINE, 0, 20);

	idle_retirer(d, false);
	idle_retirer(d, true);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void idle_retirer_after_the_thread_had_gone_to_sleep(void)
{
	int i;

	gate_hook = on_point;
	for (i = 1; i <= 5; i++) {
		idle_retirer(NULL, i & 1);
		wait_asleep(i);
	}
}

/* What a reader kept when its retirer went idle goes once it is released. */
static void idle_retirer_and_a_late_reader(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct thing *t = thing_guarded(&g, 0);

	thing_retire(NULL, t);
	nap_ms(200); /* several passes find it held */
	thing_check(t);
	hazptr_release(&g);
	CHECK(wait_for(&things_reclaimed, 1, 60));
}

/* Many domains at once: none is forgotten. */
static void idle_retirer_in_fifty_domains(void)
{
	struct hazptr_domain *d[50];
	int i;

	for (i = 0; i < 50; i++) {
		d[i] = domain_new(i & 1 ? HAZPTR_RECLAIM_INLINE :
					  HAZPTR_RECLAIM_BACKGROUND,
				  0, 0);
		thing_retire(d[i], thing_new(0));
	}
	CHECK(wait_for(&things_reclaimed, 50, 60));
	for (i = 0; i < 50; i++)
		CHECK_EQ(hazptr_domain_destroy(d[i]), 0);
}

static void no_thread_while_nothing_waits_for_one(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	int i, before = thread_count();

	for (i = 0; i < 10; i++) {
		struct thing *t = thing_guarded(&g, 0);

		thing_retire(d, t);
		hazptr_flush(d);
		hazptr_release(&g);
	}
	hazptr_synchronize(d);
	hazptr_barrier(d);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
	hazptr_flush(NULL);
	CHECK_EQ(thread_count(), before);
	CHECK_EQ(library_thread(), 0);
	thing_retire(NULL, thing_new(0));
	CHECK(wait_for(&things_reclaimed, 11, 60));
	CHECK(library_thread() != 0);
}

static void library_thread_blocks_all_signals(void)
{
	unsigned long long mask;
	pid_t tid;
	int i;

	if (fault_is_valgrind())
		fault_skip("valgrind keeps the signal masks itself");
	thing_retire(NULL, thing_new(0));
	CHECK(wait_for(&things_reclaimed, 1, 60));
	tid = library_thread();
	CHECK(tid != 0);
	mask = thread_status(tid, "SigBlk", 16);
	for (i = 1; i <= SIGRTMAX; i++) {
		if (i == SIGKILL || i == SIGSTOP ||
		    (i > 31 && i < SIGRTMIN)) /* libc's own */
			continue;
		CHECK(mask >> (i - 1) & 1);
	}
	/* The mask of the thread that started it is as it was. */
	mask = thread_status(getpid(), "SigBlk", 16);
	CHECK_EQ(mask, 0);
}

static volatile sig_atomic_t taken_by_us;

static void on_signal(int signal)
{
	(void)signal;
	taken_by_us = 1;
}

/* A signal to the process waits until a thread of the program wants it. */
static void library_thread_takes_no_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct timespec wait = { 60, 0 };
	sigset_t set;

	thing_retire(NULL, thing_new(0));
	CHECK(wait_for(&things_reclaimed, 1, 60));
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	nap_ms(50);
	CHECK(!taken_by_us);
	CHECK_EQ(sigtimedwait(&set, NULL, &wait), SIGUSR1);
}

static unsigned long long switches(pid_t tid)
{
	return thread_status(tid, "voluntary_ctxt_switches", 10) +
	       thread_status(tid, "nonvoluntary_ctxt_switches", 10);
}

/* The point comes before the system call: wait until it has slept for long. */
static void no_wake_up_while_nothing_waits(void)
{
	unsigned long long before, after;
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	int passes, tries = 20;
	pid_t tid;

	gate_hook = on_point;
	thing_retire(NULL, thing_new(0));
	CHECK(wait_for(&things_reclaimed, 1, 60));
	wait_asleep(1);
	tid = library_thread();
	CHECK(tid != 0);
	thing_destroy(thing_guarded(&g, 0)); /* readers do not wake it */
	hazptr_release(&g);
	do {
		passes = __atomic_load_n(&asleep, __ATOMIC_ACQUIRE);
		before = switches(tid);
		nap_ms(500);
		after = switches(tid);
	} while (after != before && --tries);
	CHECK_EQ(after, before);
	CHECK_EQ(__atomic_load_n(&asleep, __ATOMIC_ACQUIRE), passes);
}

static const struct fault_case cases[] = {
	{ "idle_retirer_in_default_domain", idle_retirer_in_default_domain,
	  .fences = FENCE_ALL },
	{ "idle_retirer_in_inline_domain", idle_retirer_in_inline_domain,
	  .fences = FENCE_DEFAULT },
	{ "idle_retirer_after_the_thread_had_gone_to_sleep",
	  idle_retirer_after_the_thread_had_gone_to_sleep,
	  .fences = FENCE_ALL },
	{ "idle_retirer_and_a_late_reader", idle_retirer_and_a_late_reader,
	  .fences = FENCE_DEFAULT },
	{ "idle_retirer_in_fifty_domains", idle_retirer_in_fifty_domains,
	  .fences = FENCE_DEFAULT },
	{ "no_thread_while_nothing_waits_for_one",
	  no_thread_while_nothing_waits_for_one, .fences = FENCE_DEFAULT },
	{ "library_thread_blocks_all_signals",
	  library_thread_blocks_all_signals, .fences = FENCE_DEFAULT },
	{ "library_thread_takes_no_signals", library_thread_takes_no_signals,
	  .fences = FENCE_DEFAULT },
	{ "no_wake_up_while_nothing_waits", no_wake_up_while_nothing_waits,
	  .fences = FENCE_DEFAULT },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
