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

#if defined(__x86_64__) || defined(__i386__)
#define relax() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__ARM_ARCH_7A__)
#define relax() __asm__ __volatile__("yield" ::: "memory")
#else
#define relax() hazptr_compiler_fence_() /* private: a pause for nothing */
#endif

/* 32-bit ports whose time_t has 64 bits have the call under another name. */
#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
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
	long timeout[2] = { (long)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		ns == UINT64_MAX ? NULL : timeout, NULL, 0);
	errno = saved;
}

/* The word may be gone already: waking a stale address harms nobody. */
void hazptr_wake_(const uint32_t *word)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
	errno = saved;
}

static void nap(uint64_t ns)
{
	struct timespec t = { 0, (long)ns };
	int saved = errno;

	nanosleep(&t, NULL);
	errno = saved;
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
