/* SPDX-License-Identifier: MIT */
/*
 * hazptr/atomic.h - the one door through which every atomic access goes
 *
 * Public structs hold plain integers and pointers, because C11's _Atomic is
 * not C++ and binding generators do not read it. What makes an access atomic
 * is the operation, and every operation of the library is one of those below:
 *
 *	hazptr_load_(&slot->value, acquire)
 *	hazptr_store_(&slot->value, 0, release)
 *	hazptr_fetch_add_(&count, 1, relaxed)
 *
 * The order stands in the name of the call, so that it can be read, searched
 * and checked; each call carries the label of its entry in docs/ordering.md,
 * which names the partner and what goes wrong without it.
 *
 * Back ends: the compilers' __atomic builtins (here), or a header that the
 * builder names with -DHAZPTR_ATOMIC_BACKEND='"file.h"'. A checker that
 * explores interleavings defines the same macros there, and sees the real
 * source, access by access.
 */
#ifndef HAZPTR_ATOMIC_H
#define HAZPTR_ATOMIC_H

#include <stdint.h>

#ifdef HAZPTR_ATOMIC_BACKEND
#include HAZPTR_ATOMIC_BACKEND
#else

#define HAZPTR_ORDER_relaxed __ATOMIC_RELAXED
#define HAZPTR_ORDER_acquire __ATOMIC_ACQUIRE
#define HAZPTR_ORDER_release __ATOMIC_RELEASE
#define HAZPTR_ORDER_acq_rel __ATOMIC_ACQ_REL
#define HAZPTR_ORDER_seq_cst __ATOMIC_SEQ_CST

#define hazptr_load_(p, order) __atomic_load_n((p), HAZPTR_ORDER_##order)
#define hazptr_store_(p, v, order) \
	__atomic_store_n((p), (v), HAZPTR_ORDER_##order)
#define hazptr_exchange_(p, v, order) \
	__atomic_exchange_n((p), (v), HAZPTR_ORDER_##order)
#define hazptr_fetch_add_(p, v, order) \
	__atomic_fetch_add((p), (v), HAZPTR_ORDER_##order)
#define hazptr_fetch_sub_(p, v, order) \
	__atomic_fetch_sub((p), (v), HAZPTR_ORDER_##order)
#define hazptr_fetch_or_(p, v, order) \
	__atomic_fetch_or((p), (v), HAZPTR_ORDER_##order)
#define hazptr_fetch_and_(p, v, order) \
	__atomic_fetch_and((p), (v), HAZPTR_ORDER_##order)
#define hazptr_fetch_xor_(p, v, order) \
	__atomic_fetch_xor((p), (v), HAZPTR_ORDER_##order)
/* On failure *expected becomes what was seen. */
#define hazptr_cas_(p, expected, desired, success, failure)        \
	__atomic_compare_exchange_n((p), (expected), (desired), 0, \
				    HAZPTR_ORDER_##success,        \
				    HAZPTR_ORDER_##failure)
#define hazptr_fence_(order) __atomic_thread_fence(HAZPTR_ORDER_##order)
/* Holds the compiler, not the processor. */
#define hazptr_compiler_fence_() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif /* HAZPTR_ATOMIC_BACKEND */

/* A word of the user's: any pointer type may live there. */
typedef uintptr_t __attribute__((__may_alias__)) hazptr_word_;

#define hazptr_likely_(x) __builtin_expect(!!(x), 1)
#define hazptr_unlikely_(x) __builtin_expect(!!(x), 0)

#endif /* HAZPTR_ATOMIC_H */
