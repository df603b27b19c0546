/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/sandbox.c - kernels and filters that refuse membarrier
 *
 * Findings: QUERY succeeds and REGISTER fails (liburcu); sandboxes that answer
 * EPERM, that answer ENOSYS, and that kill the process even for QUERY.
 */
#define _GNU_SOURCE
#include "parking.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS SECCOMP_RET_KILL
#endif

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS_EQUAL(value, skip) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))

static bool install(struct sock_filter *filter, size_t n)
{
	struct sock_fprog program = { (unsigned short)n, filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* This answer to every membarrier call. */
static bool answer_all(unsigned answer)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		UNLESS_EQUAL(SYS_membarrier, 1),
		ANSWER(answer),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return install(filter, sizeof(filter) / sizeof(*filter));
}

static bool refuse_with_eperm(void)
{
	return answer_all(SECCOMP_RET_ERRNO | EPERM);
}

static bool refuse_with_enosys(void)
{
	return answer_all(SECCOMP_RET_ERRNO | ENOSYS);
}

static bool kill_for_it(void)
{
	return answer_all(SECCOMP_RET_KILL_PROCESS);
}

/* The number and the low half of the first argument, on either endian. */
static bool refuse_register_only(void)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		UNLESS_EQUAL(SYS_membarrier, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0) +
				 offsetof(struct seccomp_data, args)),
		UNLESS_EQUAL(MEMBARRIER_CMD_QUERY, 1),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return install(filter, sizeof(filter) / sizeof(*filter));
}

static void *read_and_retire(void *arg)
{
	struct thing **source = arg;
	struct hazptr_guard g[10];
	int i, turn;

	memset(g, 0, sizeof(g));
	for (turn = 0; turn < 200; turn++) {
		for (i = 0; i < 10; i++)
			thing_protect(&g[i], source);
		thing_retire(NULL, __atomic_exchange_n(source, thing_new(0),
						       __ATOMIC_ACQ_REL));
		for (i = 0; i < 10; i++)
			hazptr_release(&g[i]);
	}
	return NULL;
}

/* Everything once, with threads, and a child that goes on alone. */
static void all_works(enum hazptr_fence_mode mode)
{
	struct thing *source = thing_new(0);
	pthread_t threads[3];
	pid_t child;
	int i;

	CHECK_EQ(hazptr_fence_mode(), mode);
	for (i = 0; i < 3; i++)
		threads[i] = spawn(read_and_retire, &source);
	for (i = 0; i < 3; i++)
		join(threads[i]);
	hazptr_fence_light();
	hazptr_fence_heavy();
	hazptr_flush(NULL);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 1);
	parking_use(true);
	child = fault_fork();
	if (!child) {
		CHECK_EQ(hazptr_fence_mode(), mode);
		read_and_retire(&source);
		hazptr_barrier(NULL);
		CHECK_EQ(alive(), 1);
		_exit(0);
	}
	CHECK(child_ok(child));
	hazptr_synchronize(source);
	thing_destroy(source);
}

static void falls_back_to_full(void)
{
	all_works(HAZPTR_FENCE_FULL);
}

static void works_in_marker_mode(void)
{
	all_works(HAZPTR_FENCE_MARKER);
}

static void takes_membarrier_where_it_can(void)
{
	long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (known < 0 || !(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		fault_skip("this kernel has no private membarrier");
	all_works(HAZPTR_FENCE_MEMBARRIER);
}

/* That the filter is there: what the library would have done. */
static void filter_kills(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
}

static void filter_refuses_register_only(void)
{
	long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (known < 0)
		fault_skip("this kernel has no membarrier");
	CHECK_EQ(syscall(SYS_membarrier,
			 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), -1);
	CHECK_EQ(errno, EPERM);
}

static void locked_later(void)
{
	if (hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER)
		fault_skip("this kernel has no private membarrier");
	if (!refuse_with_eperm())
		fault_skip("no seccomp filters here");
}

static void fence_after_a_late_lock(void)
{
	locked_later();
	hazptr_fence_heavy();
}

static void flush_after_a_late_lock(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);

	thing_retire(d, thing_new(0));
	locked_later();
	hazptr_flush(d);
}

static void fork_after_a_late_lock(void)
{
	int status = 0;
	pid_t child;

	locked_later();
	child = fault_fork();
	if (!child) {
		hazptr_fence_heavy();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* The futex hash whose wakes have no fence; and the one with counts. */
static bool refuse_and_be_asymmetric(void)
{
	return parking_asymmetric() && refuse_with_eperm();
}

static bool kill_and_be_asymmetric(void)
{
	return parking_asymmetric() && kill_for_it();
}

static bool kill_and_count(void)
{
	return parking_by_count() && kill_for_it();
}

static bool kill_and_count_asymmetric(void)
{
	return parking_by_count_asymmetric() && kill_for_it();
}

/* Only a wait needs the heavy fence: the others go on. */
static void wait_after_a_late_lock(void)
{
	struct timespec t = parking_deadline(1);
	uint32_t word = 0;

	locked_later();
	CHECK_EQ(hazptr_futex_wake(&word, 1), 0);
	CHECK_EQ(hazptr_futex_wait(&word, 1, &t), -EAGAIN);
	hazptr_futex_wait(&word, 0, &t);
}

static const struct fault_case cases[] = {
	{ "takes_membarrier_where_it_can", takes_membarrier_where_it_can,
	  .fences = FENCE_DEFAULT },
	{ "membarrier_answers_eperm", falls_back_to_full,
	  .prepare = refuse_with_eperm },
	{ "membarrier_answers_enosys", falls_back_to_full,
	  .prepare = refuse_with_enosys },
	{ "filter_refuses_register_only", filter_refuses_register_only,
	  .prepare = refuse_register_only },
	{ "membarrier_query_succeeds_register_fails", falls_back_to_full,
	  .prepare = refuse_register_only },
	{ "filter_kills", filter_kills, .prepare = kill_for_it,
	  .signal = SIGSYS },
	{ "membarrier_kills_and_full_is_forced", falls_back_to_full,
	  .fence = "full", .prepare = kill_for_it },
	{ "membarrier_kills_and_marker_is_forced", works_in_marker_mode,
	  .fence = "marker", .prepare = kill_for_it },
	{ "membarrier_forced_and_refused", falls_back_to_full,
	  .fence = "membarrier", .prepare = refuse_with_eperm,
	  .says = "membarrier" },
	{ "membarrier_forced_and_register_refused", falls_back_to_full,
	  .fence = "membarrier", .prepare = refuse_register_only,
	  .says = "membarrier" },
	{ "unknown_fence_is_reported_and_ignored",
	  takes_membarrier_where_it_can, .fence = "fastest",
	  .says = "HAZPTR_FENCE" },
	{ "unknown_fence_in_a_sandbox", falls_back_to_full,
	  .fence = "FULL", .prepare = refuse_with_enosys,
	  .says = "HAZPTR_FENCE" },
	{ "fence_after_a_late_lock", fence_after_a_late_lock,
	  .signal = SIGABRT, .says = "HAZPTR_FENCE=full" },
	{ "flush_after_a_late_lock", flush_after_a_late_lock,
	  .signal = SIGABRT, .says = "HAZPTR_FENCE=full" },
	{ "fork_after_a_late_lock", fork_after_a_late_lock,
	  .says = "HAZPTR_FENCE=full" },
	{ "asymmetric_wakes_where_membarrier_answers_eperm", falls_back_to_full,
	  .prepare = refuse_and_be_asymmetric },
	{ "asymmetric_wakes_where_membarrier_kills", falls_back_to_full,
	  .fence = "full", .prepare = kill_and_be_asymmetric },
	{ "asymmetric_wakes_in_marker_mode", works_in_marker_mode,
	  .fence = "marker", .prepare = kill_and_be_asymmetric },
	{ "counts_where_membarrier_kills", falls_back_to_full, .fence = "full",
	  .prepare = kill_and_count },
	{ "counts_in_marker_mode", works_in_marker_mode, .fence = "marker",
	  .prepare = kill_and_count_asymmetric },
	{ "asymmetric_wakes_with_membarrier", takes_membarrier_where_it_can,
	  .prepare = parking_by_count_asymmetric },
	{ "wait_after_a_late_lock", wait_after_a_late_lock,
	  .prepare = parking_asymmetric, .signal = SIGABRT,
	  .says = "HAZPTR_FENCE=full" },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
