/* SPDX-License-Identifier: MIT */
/*
 * explore/backend.h - each atomic access of the library becomes a call
 *
 * The back end of hazptr/atomic.h for the explorer. Each place in the source
 * has a struct ex_site; all of them stand in one section, so that the engine
 * can give them their labels before the first run.
 */
#ifndef EX_BACKEND_H
#define EX_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

/* Small enough that clients reach their ends; elsewhere in src and include. */
#define HAZPTR_SMALL_LIMITS
#define HAZPTR_CONTEXT_SLOTS 2
#define LANES 2
#define YOUNG 2
#define CHUNK_RECORDS 4
#define REF_SLOTS 2
#define FIRST_BITS 1
#define HELD_BUCKETS 1
#define RETIRED_BUCKETS 1
#define WATCHED 2

enum ex_order {
	EX_relaxed,
	EX_acquire,
	EX_release,
	EX_acq_rel,
	EX_seq_cst,
	EX_compiler
};

enum ex_kind {
	EX_LOAD,
	EX_STORE,
	EX_EXCHANGE,
	EX_ADD,
	EX_SUB,
	EX_OR,
	EX_AND,
	EX_XOR,
	EX_CAS,
	EX_FENCE,
	EX_HEAVY,
	EX_LIGHT,
	/* steps without a site of an atomic access */
	EX_INJECT,
	EX_LOCK,
	EX_UNLOCK,
	EX_WAIT,
	EX_WAKE,
	EX_TIMEOUT,
	EX_BACKOFF,
	EX_GO
};

struct ex_site {
	const char *file;
	int line;
	uint8_t kind;
	uint8_t order;
	uint8_t failure;
	uint8_t is_weak;   /* --weaken has its label */
	uint8_t is_figure; /* all its labels are figures */
	const struct ex_place *place;
};

uint64_t ex_load(struct ex_site *s, const void *p, unsigned size);
void ex_store(struct ex_site *s, void *p, unsigned size, uint64_t value);
uint64_t ex_rmw(struct ex_site *s, void *p, unsigned size, uint64_t value);
bool ex_cas(struct ex_site *s, void *p, unsigned size, void *expected,
	    uint64_t desired);
void ex_fence(struct ex_site *s);

#define EX_SITE_(kind_, order_, failure_)                               \
	static struct ex_site ex_site_ __attribute__((                  \
		__section__("ex_sites"), __used__, __aligned__(8))) = { \
		__FILE__,      __LINE__, EX_##kind_, EX_##order_,       \
		EX_##failure_, 0,	 0,	     0                  \
	}

#define EX_BITS_(p, v) ((uint64_t)(uintptr_t)(__typeof__(*(p)))(v))

#define hazptr_load_(p, order)                                       \
	__extension__({                                              \
		EX_SITE_(LOAD, order, relaxed);                      \
		(__typeof__(*(p)))(uintptr_t)ex_load(&ex_site_, (p), \
						     sizeof(*(p)));  \
	})
#define hazptr_store_(p, v, order)                                      \
	__extension__({                                                 \
		EX_SITE_(STORE, order, relaxed);                        \
		ex_store(&ex_site_, (p), sizeof(*(p)), EX_BITS_(p, v)); \
	})
#define EX_RMW_(kind, p, v, order)                                     \
	__extension__({                                                \
		EX_SITE_(kind, order, relaxed);                        \
		(__typeof__(*(p)))(uintptr_t)ex_rmw(                   \
			&ex_site_, (p), sizeof(*(p)), EX_BITS_(p, v)); \
	})
#define hazptr_exchange_(p, v, order) EX_RMW_(EXCHANGE, p, v, order)
#define hazptr_fetch_add_(p, v, order) EX_RMW_(ADD, p, v, order)
#define hazptr_fetch_sub_(p, v, order) EX_RMW_(SUB, p, v, order)
#define hazptr_fetch_or_(p, v, order) EX_RMW_(OR, p, v, order)
#define hazptr_fetch_and_(p, v, order) EX_RMW_(AND, p, v, order)
#define hazptr_fetch_xor_(p, v, order) EX_RMW_(XOR, p, v, order)
#define hazptr_cas_(p, expected, desired, success, failure)      \
	__extension__({                                          \
		EX_SITE_(CAS, success, failure);                 \
		ex_cas(&ex_site_, (p), sizeof(*(p)), (expected), \
		       EX_BITS_(p, desired));                    \
	})
#define hazptr_fence_(order)                     \
	__extension__({                          \
		EX_SITE_(FENCE, order, relaxed); \
		ex_fence(&ex_site_);             \
	})
#define hazptr_compiler_fence_()                    \
	__extension__({                             \
		EX_SITE_(FENCE, compiler, relaxed); \
		ex_fence(&ex_site_);                \
	})

#endif /* EX_BACKEND_H */
