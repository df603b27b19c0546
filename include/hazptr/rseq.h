/* SPDX-License-Identifier: MIT */
/*
 * hazptr/rseq.h - take a slot of the processor that the thread runs on
 *
 * The one place of the library that is written for a machine. A restartable
 * sequence finds the first slot of this processor free and puts a node into
 * it; when the thread is interrupted or moved in between, the kernel sends it
 * to the abort label, and nothing has happened. Afterwards the slot belongs to
 * its taker wherever it runs.
 *
 * The descriptor is taken back at the end, so that code which was inlined into
 * a plug-in may be unloaded. Sections join the group of their function ("?"),
 * so that C++ may drop both. Where there is no sequence for the machine,
 * hazptr_rseq_claim_() finds nothing, and the library's own paths serve.
 *
 * Source: P. Turner, A. Hunter, M. Desnoyers: rseq(2), Linux 4.18; the layout
 * of struct rseq is the kernel's interface.
 */
#ifndef HAZPTR_RSEQ_H
#define HAZPTR_RSEQ_H

#include <hazptr/atomic.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A slot that stands for a reference to a node. Free: `node` and `request` are
 * 0. Slots are never freed to the system.
 */
struct hazptr_ref_slot_ {
	uintptr_t node;	   /* bit 0: not yet known to be alive */
	uintptr_t holder;  /* whose it is, or was */
	uintptr_t request; /* a holder, and what is asked or was done of it */
	uintptr_t unused;
};

/* What a thread did; only it writes them. */
struct hazptr_ref_counters_ {
	uint64_t taken;
	uint64_t requested;
	uint64_t fallen_back;
};

#define HAZPTR_CPU_SLOTS_ 16

/* Where a processor's slots are. */
struct hazptr_cpu_slots_ {
	struct hazptr_ref_slot_ *slots[HAZPTR_CPU_SLOTS_];
};

/* ThreadSanitizer does not see what a sequence has read and written. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define HAZPTR_TSAN_ 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(HAZPTR_TSAN_)
#define HAZPTR_SEQUENCE_SEEN_(slot, node_)                                 \
	do {                                                               \
		/* order TS1: as the sequence; pairs with TS5, TS7, TS9 */ \
		if (slot)                                                  \
			(void)(hazptr_load_(&(slot)->node, acquire) +      \
			       hazptr_load_(&(slot)->request, acquire));   \
		if (slot)                                                  \
			hazptr_store_(&(slot)->node, (node_), release);    \
	} while (0)
#else
#define HAZPTR_SEQUENCE_SEEN_(slot, node_) ((void)0)
#endif

#if defined(__x86_64__) && defined(__LP64__)
#define HAZPTR_HAS_RSEQ_ 1

/*
 * Slot `index` of this processor, with @node in it; NULL when it is taken or
 * the sequence was aborted. On this machine loads acquire and stores release.
 * order TS1: the last holder's uses, then our node; pairs with TS5, TS7, TS9
 */
static inline __attribute__((__always_inline__)) struct hazptr_ref_slot_ *
hazptr_rseq_claim_(void *rseq, struct hazptr_cpu_slots_ *cpus, int index,
		   uintptr_t node, uintptr_t holder)
{
	struct hazptr_ref_slot_ *slot;

	__asm__ volatile(".pushsection __rseq_cs, \"aw?\"\n\t"
			 ".balign 32\n"
			 "3:\n\t"
			 ".long 0, 0\n\t"
			 ".quad 1f, 2f - 1f, 4f\n\t"
			 ".popsection\n\t"
			 "leaq 3b(%%rip), %[slot]\n\t"
			 "movq %[slot], 8(%[rseq])\n"
			 "1:\n\t"
			 "movl 4(%[rseq]), %k[slot]\n\t"
			 "shlq $7, %[slot]\n\t"
			 "movq (%[first], %[slot]), %[slot]\n\t"
			 "cmpq $0, (%[slot])\n\t"
			 "jne 6f\n\t"
			 "cmpq $0, 16(%[slot])\n\t"
			 "jne 6f\n\t"
			 "movq %[holder], 8(%[slot])\n\t"
			 "movq %[node], (%[slot])\n"
			 "2:\n\t"
			 "movq $0, 8(%[rseq])\n"
			 "7:\n\t"
			 ".pushsection .text.unlikely, \"ax?\"\n\t"
			 ".byte 0x0f, 0xb9, 0x3d\n\t"
			 ".long 0x53053053\n"
			 "4:\n"
			 "6:\n\t"
			 "movq $0, 8(%[rseq])\n\t"
			 "xorl %k[slot], %k[slot]\n\t"
			 "jmp 7b\n\t"
			 ".popsection"
			 : [slot] "=&r"(slot)
			 : [rseq] "r"(rseq), [first] "r"(&cpus->slots[index]),
			   [node] "r"(node), [holder] "r"(holder)
			 : "memory", "cc");
	HAZPTR_SEQUENCE_SEEN_(slot, node);
	return slot;
}

#elif defined(__aarch64__) && defined(__LP64__) && defined(__AARCH64EL__)
#define HAZPTR_HAS_RSEQ_ 1

/* order TS1: the last holder's uses, then our node; pairs with TS5, TS7, TS9 */
static inline __attribute__((__always_inline__)) struct hazptr_ref_slot_ *
hazptr_rseq_claim_(void *rseq, struct hazptr_cpu_slots_ *cpus, int index,
		   uintptr_t node, uintptr_t holder)
{
	struct hazptr_ref_slot_ *slot;
	uintptr_t scratch;

	__asm__ volatile(".pushsection __rseq_cs, \"aw?\"\n\t"
			 ".balign 32\n"
			 "3:\n\t"
			 ".long 0, 0\n\t"
			 ".quad 1f, 2f - 1f, 4f\n\t"
			 ".popsection\n\t"
			 "adrp %[scratch], 3b\n\t"
			 "add %[scratch], %[scratch], :lo12:3b\n\t"
			 "str %[scratch], [%[rseq], #8]\n"
			 "1:\n\t"
			 "ldr %w[scratch], [%[rseq], #4]\n\t"
			 "lsl %[scratch], %[scratch], #7\n\t"
			 "ldr %[slot], [%[first], %[scratch]]\n\t"
			 "ldar %[scratch], [%[slot]]\n\t"
			 "cbnz %[scratch], 6f\n\t"
			 "add %[scratch], %[slot], #16\n\t"
			 "ldar %[scratch], [%[scratch]]\n\t"
			 "cbnz %[scratch], 6f\n\t"
			 "str %[holder], [%[slot], #8]\n\t"
			 "stlr %[node], [%[slot]]\n"
			 "2:\n\t"
			 "b 7f\n\t"
			 ".inst 0xd428bc00\n"
			 "4:\n"
			 "6:\n\t"
			 "mov %[slot], xzr\n"
			 "7:\n\t"
			 "str xzr, [%[rseq], #8]"
			 : [slot] "=&r"(slot), [scratch] "=&r"(scratch)
			 : [rseq] "r"(rseq), [first] "r"(&cpus->slots[index]),
			   [node] "r"(node), [holder] "r"(holder)
			 : "memory", "cc");
	HAZPTR_SEQUENCE_SEEN_(slot, node);
	return slot;
}

#else
#define HAZPTR_HAS_RSEQ_ 0

static inline struct hazptr_ref_slot_ *
hazptr_rseq_claim_(void *rseq, struct hazptr_cpu_slots_ *cpus, int index,
		   uintptr_t node, uintptr_t holder)
{
	(void)rseq, (void)cpus, (void)index, (void)node, (void)holder;
	return 0;
}

#endif

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_RSEQ_H */
