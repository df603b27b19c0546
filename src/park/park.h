/* SPDX-License-Identifier: MIT */
/*
 * park/park.h - the types of layer 3
 *
 *	table.c		tables, what keeps one alive, and replacing it
 *	count.c		the same by a count of references, to compare with
 *	bucket.c	the buckets' locks, chains, and what handlers leave
 *	park.c		a thread that sleeps, and who wakes it
 *	futex.c		waiting at a word, on top of that
 *	waitv.c		waiting at several
 *
 * docs/design/futex.md has the protocol and what goes wrong without it.
 *
 * Locks, in the order in which they are taken: `replacing`, buckets. Of two
 * buckets the one in the older table is first, within one table the one at the
 * lower address.
 */
#ifndef HAZPTR_PARK_IMPL_H
#define HAZPTR_PARK_IMPL_H

#undef HAZPTR_DEBUG /* is for files of the user's */
#include <hazptr/futex.h>
#include <hazptr/guard.h>
#include <hazptr/ref.h>
#include <hazptr/retire.h>

#include "../core/core.h"

/*
 * Who wakes many threads takes no cache line of the chain while it only looks
 * whether there is any; hence two lines.
 */
struct bucket {
	struct hazptr_lock lock HAZPTR_ALIGNED_LINE;
	uintptr_t keys; /* bits of those that wait, or more; DEAD_BUCKET */
	struct waiter *first HAZPTR_ALIGNED_LINE;
	struct waiter *last;
	uint64_t fair_at; /* no lock is handed over before; see FAIR_GAP_NS */
};

/* Its waiters are in the next table. Set under the lock, and for ever. */
#define DEAD_BUCKET ((uintptr_t)1)
#define PRIORITY_UNKNOWN (-1)

#ifndef HAZPTR_SMALL_LIMITS
#define FIRST_BITS 4 /* log2 of the smallest table */
#endif
#define LAST_BITS 20

struct table {
	struct hazptr_head head;
	struct hazptr_rcuref refs; /* HAZPTR_FUTEX=count */
	unsigned bits;		   /* log2 of the number of buckets */
	struct table *next;	   /* that replaces this one */
	struct bucket *buckets;
};

/* One for each call that sleeps, on its stack. */
struct sleeper {
	uint32_t awake;
	int priority; /* or UNKNOWN: nobody has stood beside it yet */
	int thread;
};

/*
 * `bucket` is what the kernel calls lock_ptr: the only way to a waiter's lock.
 * It changes under the locks of the bucket that it names and of the one that
 * it will name, is TAKEN by whoever wakes the waiter, and becomes NULL by the
 * last access to it.
 */
struct waiter {
	struct waiter *next;
	struct waiter *prev;
	struct bucket *bucket;
	struct table *table; /* that the bucket is in, or was just before */
	struct sleeper *sleeper;
	const void *key;
	uint64_t since; /* when the thread began to wait */
	uint32_t bitset;
	int kind;     /* a lock's own; see select in hazptr_unpark_some_ */
	int token;    /* what hazptr_park() returns */
	bool is_idle; /* may be woken for nothing */
};

/* `bucket` of a waiter that is in no chain: somebody is about to wake it. */
#define TAKEN ((struct bucket *)HAZPTR_CACHE_LINE)

/* Where a key's waiters are. */
struct place {
	struct table *table;
	struct bucket *bucket;
};

/* An operation's hold on the tables. */
struct lease {
	struct table *table; /* the current one */
	struct hazptr_guard guard;
	struct hazptr_guard rest;
	struct hazptr_guard next; /* the one that replaces it */
	struct hazptr_guard next_rest;
};

/* table.c */
extern struct table *hazptr_table_;
uint32_t hazptr_table_start_slow_(void);
extern uint32_t hazptr_table_policy_;
#define POLICY_READY 1u
#define POLICY_COUNT 2u	     /* counted references */
#define POLICY_ASYMMETRIC 4u /* wake has no fence, wait a heavy one */
#define POLICY_CHILD 8u	     /* of a fork: threads are missing */
static inline uint32_t hazptr_table_policy_now_(void)
{
	/* order FP1: the hooks are in place; pairs with FP2 */
	uint32_t policy = hazptr_load_(&hazptr_table_policy_, acquire);

	return hazptr_likely_(policy) ? policy : hazptr_table_start_slow_();
}
/* Fibonacci hashing (D. Knuth, TAOCP 3, 6.4): its first bits are the best. */
static inline uint64_t hazptr_hash_(const void *key)
{
	return (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
}
static inline struct bucket *hazptr_bucket_of_(const struct table *t,
					       const void *key)
{
	return &t->buckets[hazptr_hash_(key) >> 1 >> (63 - t->bits)];
}
/* By bits of the hash that no table needs to find the bucket; not DEAD's. */
static inline uintptr_t hazptr_key_bit_(const void *key)
{
	unsigned bit = hazptr_hash_(key) >> 32 & (sizeof(uintptr_t) * 8 - 1);

	return (uintptr_t)2 << (bit - !!bit);
}
void hazptr_lease_begin_(struct lease *l);
void hazptr_lease_end_(struct lease *l);
/* NULL: there is none, or its time has come and l->table is the past. */
struct table *hazptr_lease_next_(struct lease *l);
bool hazptr_table_is_current_(const struct table *t);
void hazptr_place_lock_(struct lease *l, const void *key, struct place *p);
void hazptr_place_lock_two_(struct lease *l, const void *key1, struct place *p1,
			    const void *key2, struct place *p2);
void hazptr_place_unlock_two_(const struct place *p1, const struct place *p2);
void hazptr_table_grow_(void);
bool hazptr_table_replace_(struct table *old);

/* count.c */
struct table *hazptr_count_get_(struct hazptr_guard *g);
void hazptr_count_put_(struct table *t);

/* bucket.c */
void hazptr_bucket_insert_(const struct place *p, struct waiter *w);
void hazptr_bucket_mark_(struct bucket *b, const void *key);
void hazptr_bucket_unmark_(struct bucket *b);
void hazptr_bucket_unlink_(struct bucket *b, struct waiter *w);
void hazptr_bucket_remove_(struct bucket *b, struct waiter *w);
void hazptr_bucket_move_(struct table *from, unsigned i, struct table *to);
/* This thread works at the tables: handlers must not. They may nest. */
void hazptr_working_begin_(void);
void hazptr_working_end_(void);
/* In a handler that interrupted such work: left for it to do. */
bool hazptr_working_left_(const void *key);
void hazptr_working_reset_(void); /* in the child of a fork */

/* park.c */
struct taken { /* a list of waiters that are to be woken */
	struct waiter *first;
	struct waiter **end;
	int n;
};
void hazptr_taken_init_(struct taken *t);
void hazptr_take_(struct bucket *b, struct waiter *w, struct taken *t);
void hazptr_taken_wake_(struct taken *t, int token);
void hazptr_sleeper_init_(struct sleeper *s);
void hazptr_waiter_init_(struct waiter *w, const void *key, struct sleeper *s);
bool hazptr_sleep_(struct sleeper *s, const struct timespec *deadline);
/* True: nobody has woken it, and nobody will. */
bool hazptr_unqueue_(struct waiter *w,
		     void (*timed_out)(void *arg, const void *key,
				       bool was_last),
		     void *arg);
/* Whoever has taken the waiter is about to let it go. */
void hazptr_await_waker_(const struct waiter *w);
bool hazptr_deadline_valid_(const struct timespec *deadline);

/* What the locks of layer 4 want beyond the public calls. */
struct hazptr_park_how_ {
	uint64_t since; /* 0: now */
	int kind;
	bool is_idle; /* may return 0 for nothing */
};
int hazptr_park_how_(const void *key, bool (*validate)(void *arg),
		     void (*before_sleep)(void *arg),
		     void (*timed_out)(void *arg, const void *key,
				       bool was_last),
		     void *arg, const struct timespec *deadline,
		     const struct hazptr_park_how_ *how);
enum hazptr_selected_ { TAKE, SKIP, STOP };
int hazptr_unpark_some_(const void *key,
			enum hazptr_selected_ (*select)(void *arg, int kind),
			int (*decide)(void *arg,
				      const struct hazptr_unparked *what),
			void *arg);

/* futex.c */
/* Those only who may be woken for nothing: the address may be another's. */
int hazptr_wake_idle_(const void *key, int n, uint32_t bitset);
static inline bool hazptr_futex_valid_(const uint32_t *addr)
{
	return addr && !((uintptr_t)addr & 3);
}
/* 0 queued, or -EAGAIN */
int hazptr_futex_queue_(struct waiter *w, const uint32_t *addr,
			uint32_t expected);

#endif /* HAZPTR_PARK_IMPL_H */
