/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/machine.c - asking the kernel, libc and the library
 *
 * Nothing is assumed from a version: each call is made, as the library makes
 * it. What is in use is what the library has chosen; the reasons are found
 * afterwards. Where HAZPTR_FENCE forbids membarrier none is made here either,
 * for sandboxes that kill the process for it.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAVE_RSEQ_SIZE 1
#endif

/* As the library: set-user-ID programs ignore it. */
static const char *setting(const char *name)
{
	return secure_getenv(name);
}

static bool is_set(const char *name, const char *value)
{
	const char *s = setting(name);

	return s && !strcmp(s, value);
}

static bool may_ask_membarrier(void)
{
	return !is_set("HAZPTR_FENCE", "full") &&
	       !is_set("HAZPTR_FENCE", "marker");
}

/* Its commands; -1: there is none, errno; not to be asked where forbidden. */
static long ask_membarrier(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
}

static const char *yes_or_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void look_membarrier(struct facts *f)
{
	char text[64];
	long known;

	if (!may_ask_membarrier()) {
		fact_text(f, "membarrier", "not asked",
			  "HAZPTR_FENCE forbids the call");
		return;
	}
	known = ask_membarrier();
	if (known < 0) {
		fact_text(f, "membarrier", "no", strerror(errno));
		return;
	}
	snprintf(text, sizeof(text), "commands 0x%lx", (unsigned long)known);
	fact_text(f, "membarrier", text, "");
	fact_text(f, "membarrier_private",
		  yes_or_no(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED),
		  "the heavy fence");
	fact_text(f, "membarrier_rseq",
		  yes_or_no(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ),
		  "the same for restartable sequences");
}

static const char *without_sequences(void)
{
#ifndef HAVE_RSEQ_SIZE
	return "libc does not know them";
#else
	if (!__rseq_size)
		return "libc has not registered the thread";
	if (__rseq_size < 20)
		return "libc has registered too little";
	return HAZPTR_HAS_RSEQ_ ? NULL : "none is written for this build";
#endif
}

static void look_rseq(struct facts *f)
{
#ifdef HAVE_RSEQ_SIZE
	char text[64];

	snprintf(text, sizeof(text), "%u bytes", __rseq_size);
	if (__rseq_size) {
		fact_text(f, "rseq", text, "registered by libc");
		return;
	}
#endif
	fact_text(f, "rseq", "no", without_sequences());
}

static void look_futex(struct facts *f)
{
	uint32_t word = 0;
	long result =
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);

	fact_text(f, "futex", yes_or_no(result >= 0),
		  result < 0 ? strerror(errno) : "");
#ifdef SYS_futex_waitv
	result = syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0);
	fact_text(f, "futex_waitv", yes_or_no(result >= 0 || errno == EINVAL),
		  "not needed");
#endif
}

void machine_offers(struct facts *f)
{
	struct utsname u;
	char text[192];

	if (!uname(&u)) {
		snprintf(text, sizeof(text), "%s %s", u.sysname, u.release);
		fact_text(f, "kernel", text, "");
		fact_text(f, "architecture", u.machine, "");
	}
	fact_number(f, "pointer_bits", (int64_t)sizeof(void *) * 8, "");
	fact_number(f, "processors", sysconf(_SC_NPROCESSORS_ONLN), "online");
	fact_number(f, "processors_all", sysconf(_SC_NPROCESSORS_CONF), "");
	fact_number(f, "page_bytes", sysconf(_SC_PAGESIZE), "");
	look_membarrier(f);
	look_rseq(f);
	look_futex(f);
}

static const char *mode_name(enum hazptr_fence_mode mode)
{
	switch (mode) {
	case HAZPTR_FENCE_MEMBARRIER:
		return "membarrier";
	case HAZPTR_FENCE_FULL:
		return "full";
	case HAZPTR_FENCE_MARKER:
		return "marker";
	}
	return "unknown";
}

static const char *fence_why(enum hazptr_fence_mode mode)
{
	if (is_set("HAZPTR_FENCE", mode_name(mode)))
		return "HAZPTR_FENCE says so";
	if (mode == HAZPTR_FENCE_MEMBARRIER)
		return "the kernel has registered this process";
	return "the kernel refuses membarrier";
}

static void release(struct hazptr_shared_node *node)
{
	(void)node;
}

/* Take one: then the library has decided where they stand. */
static bool is_by_processor(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	static struct hazptr_shared_node node;
	struct hazptr_shared sp = hazptr_shared_create(&node, release);

	hazptr_thread_shared_borrow(&ts, sp);
	hazptr_thread_shared_drop(&ts);
	hazptr_shared_drop_sync(&sp);
	return hazptr_ref_self_.rseq; /* as the inline paths see it */
}

static const char *slots_why(bool by_processor)
{
	long known;

	if (by_processor)
		return "restartable sequences, and a membarrier for them";
	if (hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER)
		return "the fence is not membarrier";
	if (without_sequences())
		return without_sequences();
	known = ask_membarrier();
	if (known < 0 || !(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ))
		return "membarrier does not fence restartable sequences";
	return "the kernel refused them, or there was no memory";
}

static void look_table(struct facts *f)
{
	bool count = is_set("HAZPTR_FUTEX", "count");
	bool asymmetric = is_set("HAZPTR_FUTEX_WAKE", "asymmetric");

	fact_number(f, "futex_buckets", hazptr_futex_hash_buckets(),
		    "of the table of waiters, until it grows");
	fact_text(f, "futex_table", count ? "count" : "guard",
		  count ? "HAZPTR_FUTEX says so" : "the default");
	fact_text(f, "futex_wake", asymmetric ? "asymmetric" : "fence",
		  asymmetric ? "HAZPTR_FUTEX_WAKE says so" : "the default");
}

void machine_in_use(struct facts *f)
{
	struct hazptr_promotion_stats s = { .size = sizeof(s) };
	enum hazptr_fence_mode mode = hazptr_fence_mode();
	bool by_processor = is_by_processor();

	hazptr_thread_shared_stats(&s);
	fact_text(f, "fence", mode_name(mode), fence_why(mode));
	fact_text(f, "slots", by_processor ? "per processor" : "per thread",
		  slots_why(by_processor));
	fact_number(f, "slots_now", (int64_t)s.slots,
		    "of thread-shared pointers");
	look_table(f);
}
