/* SPDX-License-Identifier: MIT */
/* port/wait.c - time, futex(2), and waiting without a futex */
#define _GNU_SOURCE
#include "port.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NS_PER_S 1000000000u
#define SPINS 64  /* turns that only hint the processor */
#define YIELDS 80 /* turns up to here give the processor away */
#define SLEEP_MAX_NS 1000000u
#define SPIN_TURNS 12 /* of hazptr_spin_: 126 hints in all */

#if defined(__x86_64__) || defined(__i386__)
#define relax() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__ARM_ARCH_7A__)
/* private: a pause */
#define relax() __asm__ __volatile__("yield" ::: "memory")
#else
#define relax() hazptr_compiler_fence_() /* private: a pause for nothing */
#endif

/* 32-bit ports that began with a time_t of 64 bits have another call. */
#ifdef SYS_futex
typedef long futex_time;
#define FUTEX_TIME_MAX LONG_MAX
#else
#define SYS_futex SYS_futex_time64
typedef int64_t futex_time;
#define FUTEX_TIME_MAX INT64_MAX
#endif

uint64_t hazptr_now_(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* errno is the caller's: none of our calls may change it. */
void hazptr_wait_(const uint32_t *word, uint32_t value, uint64_t ns)
{
	futex_time timeout[2] = { (futex_time)(ns / NS_PER_S),
				  (futex_time)(ns % NS_PER_S) };
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		ns == UINT64_MAX ? NULL : timeout, NULL, 0);
	errno = saved;
}

bool hazptr_wait_until_(const uint32_t *word, uint32_t value,
			const struct timespec *deadline)
{
	futex_time until[2] = { FUTEX_TIME_MAX, 0 };
	int saved = errno;
	bool timed_out;

	if (deadline && deadline->tv_sec < 0)
		return false; /* the kernel calls it invalid */
	if (deadline && deadline->tv_sec < FUTEX_TIME_MAX) {
		until[0] = (futex_time)deadline->tv_sec;
		until[1] = (futex_time)deadline->tv_nsec;
	}
	timed_out = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
			    deadline ? until : NULL, NULL,
			    FUTEX_BITSET_MATCH_ANY) &&
		    errno == ETIMEDOUT;
	errno = saved;
	return !timed_out;
}

/* The word may be gone already: waking a stale address harms nobody. */
void hazptr_wake_(const uint32_t *word)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
	errno = saved;
}

int hazptr_priority_(int thread)
{
	struct sched_param param;
	int saved = errno;

	/* Not by libc: musl says ENOSYS, as it would mean the process. */
	if (syscall(SYS_sched_getparam, thread, &param))
		param.sched_priority = 0;
	errno = saved;
	return param.sched_priority;
}

bool hazptr_spin_(unsigned *turn)
{
	unsigned i, n;

	if (*turn >= SPIN_TURNS)
		return false;
	n = 1u << ((*turn)++ / 2);
	for (i = 0; i < n; i++)
		relax();
	return true;
}

/* No point of cancellation, as nanosleep would be. */
static void nap(uint64_t ns)
{
	static const uint32_t nobody;

	hazptr_wait_(&nobody, 0, ns);
}

/* Spin, then yield, then sleep, up to a millisecond or the deadline. */
void hazptr_backoff_(struct hazptr_backoff *b, uint64_t deadline)
{
	uint64_t ns, now;

	b->turn++;
	if (b->turn <= SPINS) {
		relax();
		return;
	}
	if (b->turn <= YIELDS) {
		sched_yield();
		return;
	}
	ns = (uint64_t)(b->turn - YIELDS) * 10000u;
	if (ns > SLEEP_MAX_NS)
		ns = SLEEP_MAX_NS;
	if (deadline != UINT64_MAX) {
		now = hazptr_now_();
		if (now >= deadline)
			return;
		if (ns > deadline - now)
			ns = deadline - now;
	}
	nap(ns);
}
