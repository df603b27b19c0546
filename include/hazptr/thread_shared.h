/* SPDX-License-Identifier: MIT */
/*
 * hazptr/thread_shared.h - a reference for a short time that touches no count
 *
 * A thread-shared pointer is a reference that one thread has for a while. It
 * costs about what two guards cost, writes no cache line that other threads
 * read, may be held across anything that blocks, and can be made a counted
 * reference at any time:
 *
 *	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
 *	struct hazptr_shared_node *n = hazptr_thread_shared_load(&ts, &current);
 *	...
 *	hazptr_thread_shared_drop(&ts);
 *
 * How it works. A slot of the processor that the thread runs on holds the
 * node, and stands for one reference to it. Whoever wants the node gone and
 * finds it in such a slot does not wait: it adds a reference to the count in
 * the holder's name, says so in the slot, and gives the processor a fresh slot
 * in its place. The holder learns of it when it drops. So a holder that sleeps
 * delays nobody, and what a scan reads depends on the processors and not on
 * the threads.
 *
 * When the slots of the processor are all taken, the reference is a counted
 * one from the beginning. Without restartable sequences each thread has slots
 * of its own.
 *
 * Duties that nobody checks
 * - One thread uses it, and it stays at its address while it is not null.
 * - A signal handler leaves none behind that it has taken.
 * - A node that only thread-shared pointers have is not kept by hazptr_hold().
 * - It is dropped before the thread ends. Else a line on stderr names the
 *   thread, and the reference becomes a counted one, for whoever drops it.
 *
 * Cost. A restartable sequence and five stores. When promoted: a
 * compare-and-exchange and what a counted reference costs.
 *
 * Source: the idea is M. Desnoyers', in the discussion of synchronized shared
 * pointers, 2024.
 */
#ifndef HAZPTR_THREAD_SHARED_H
#define HAZPTR_THREAD_SHARED_H

#include <hazptr/rseq.h>
#include <hazptr/shared.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct hazptr_thread_shared - a reference of one thread's; zeroed: null
 *
 * The fields are the library's.
 */
struct hazptr_thread_shared {
	struct hazptr_shared_node *node;
	uintptr_t slot;	  /* odd: the library's paths have it */
	uintptr_t holder; /* who took the slot */
};

#define HAZPTR_THREAD_SHARED_INIT \
	{                         \
		0, 0, 0           \
	}

/* In `slot`: it is a counted reference, or a slot of the thread's. */
#define HAZPTR_COUNTED_ ((uintptr_t)1)
#define HAZPTR_SLOW_ ((uintptr_t)1)

/* In a slot's `node`: published, but the source was not looked at again. */
#define HAZPTR_TENTATIVE_ ((uintptr_t)1)

/*
 * What a thread knows of itself. No `holder`: the inline paths call the
 * library, and look at nothing else here, as a signal handler may come between
 * and set it up.
 */
struct hazptr_ref_self_ {
	uintptr_t holder;
	void *rseq;
	struct hazptr_cpu_slots_ *cpus;
	/* The library's paths: */
	struct hazptr_ref_counters_ *counters; /* NULL: not set up */
	uintptr_t record;
	uint32_t next; /* the place that they try first */
};
extern __thread struct hazptr_ref_self_ hazptr_ref_self_
	__attribute__((__tls_model__("initial-exec")));

/* The compiler may know that such a slot needs none of the library's paths. */
HAZPTR_INLINE_ uintptr_t hazptr_ref_place_(const struct hazptr_ref_slot_ *slot)
{
	uintptr_t place = (uintptr_t)slot;

	if (place & HAZPTR_SLOW_)
		__builtin_unreachable();
	return place;
}

/* What the library's paths return: in registers, so not a whole pointer. */
struct hazptr_taken_ {
	struct hazptr_shared_node *node;
	uintptr_t slot;
};

struct hazptr_taken_
hazptr_thread_shared_load_slow_(const struct hazptr_sync_shared *ssp);
struct hazptr_taken_
hazptr_thread_shared_borrow_slow_(struct hazptr_shared_node *node);
void hazptr_thread_shared_drop_slow_(struct hazptr_shared_node *node,
				     uintptr_t slot, uintptr_t holder);

/* The first slot of this processor, with a node in it; 0: ask the library. */
HAZPTR_INLINE_ struct hazptr_ref_slot_ *hazptr_ref_claim_(uintptr_t node,
							  uintptr_t *holder)
{
	struct hazptr_ref_self_ *self = &hazptr_ref_self_;

	*holder = self->holder;
	if (hazptr_unlikely_(!*holder))
		return 0;
	hazptr_compiler_fence_(); /* private: for a handler of this thread */
	return hazptr_rseq_claim_(self->rseq, self->cpus, 0, node, *holder);
}

/* What the library has taken. */
HAZPTR_INLINE_ struct hazptr_shared_node *
hazptr_ref_keep_(struct hazptr_thread_shared *ts, struct hazptr_taken_ taken)
{
	ts->node = taken.node;
	ts->slot = taken.slot;
	ts->holder = hazptr_ref_self_.record;
	return taken.node;
}

/**
 * hazptr_thread_shared_drop - give the reference back
 * @ts: becomes null; null is allowed
 *
 * Context: the thread that took it; wait-free unless it was promoted; never
 * blocks; signal-safe.
 * Order: release: all uses happen before the release function.
 */
HAZPTR_INLINE_ void hazptr_thread_shared_drop(struct hazptr_thread_shared *ts)
{
	struct hazptr_ref_slot_ *slot = (struct hazptr_ref_slot_ *)ts->slot;
	struct hazptr_shared_node *node = ts->node;

	if (!node)
		return;
	ts->node = 0;
	if (hazptr_likely_(!(ts->slot & HAZPTR_SLOW_))) {
		/* order TS5: uses before the slot is seen free; TS1, TS7 */
		hazptr_store_(&slot->node, 0, release);
		hazptr_compiler_fence_(); /* order TS6: slot, request; TS8 */
		/* order TS9: after TS5; who asks looks again; pairs with TS8 */
		if (hazptr_likely_(!hazptr_load_(&slot->request, relaxed)))
			return;
	}
	hazptr_thread_shared_drop_slow_(node, ts->slot, ts->holder);
}

/**
 * hazptr_thread_shared_load - a reference to what a sync pointer leads to
 * @ts: what it had is dropped first
 *
 * Context: any thread; lock-free; signal-safe on a thread that is registered
 * (has used the library before).
 * Order: acquire: the node is seen as it was when it was stored.
 * Return: the node; NULL when the sync pointer is null, and then @ts is.
 */
HAZPTR_INLINE_ struct hazptr_shared_node *
hazptr_thread_shared_load(struct hazptr_thread_shared *ts,
			  const struct hazptr_sync_shared *ssp)
{
	const hazptr_word_ *src =
		(const hazptr_word_ *)(const void *)&ssp->node;
	struct hazptr_ref_slot_ *slot;
	uintptr_t holder, word;

	hazptr_thread_shared_drop(ts);
	/* order TS2: a guess that TS4 decides; pairs with TS4 */
	word = hazptr_load_(src, relaxed);
	if (!word)
		return 0;
	slot = hazptr_ref_claim_(word | HAZPTR_TENTATIVE_, &holder);
	if (hazptr_likely_(slot != 0)) {
		hazptr_compiler_fence_(); /* order TS3: HP7 */
		ts->slot = hazptr_ref_place_(slot);
		ts->holder = holder;
		ts->node = (struct hazptr_shared_node *)word;
		/* order TS4: the node as it was stored; pairs with HP7 */
		if (hazptr_likely_(hazptr_load_(src, acquire) == word)) {
			/* order TS10: it is alive; pairs with TS7 */
			hazptr_store_(&slot->node, word, release);
			return ts->node;
		}
		hazptr_thread_shared_drop(ts);
	}
	return hazptr_ref_keep_(ts, hazptr_thread_shared_load_slow_(ssp));
}

/**
 * hazptr_thread_shared_borrow - the same, to what a shared pointer leads to
 * @sp: stays valid; may be dropped before @ts is
 *
 * Context: @sp's thread; else as hazptr_thread_shared_load().
 * Return: the node; NULL for null.
 */
HAZPTR_INLINE_ struct hazptr_shared_node *
hazptr_thread_shared_borrow(struct hazptr_thread_shared *ts,
			    struct hazptr_shared sp)
{
	struct hazptr_ref_slot_ *slot;
	uintptr_t holder;

	hazptr_thread_shared_drop(ts);
	if (!sp.node)
		return 0;
	hazptr_shared_publish_(sp.node);
	slot = hazptr_ref_claim_((uintptr_t)sp.node, &holder);
	if (hazptr_likely_(slot != 0)) {
		ts->slot = hazptr_ref_place_(slot);
		ts->holder = holder;
		ts->node = sp.node;
		return sp.node;
	}
	return hazptr_ref_keep_(ts, hazptr_thread_shared_borrow_slow_(sp.node));
}

/** hazptr_thread_shared_get - the node, or NULL; its thread; wait-free */
static inline struct hazptr_shared_node *
hazptr_thread_shared_get(const struct hazptr_thread_shared *ts)
{
	return ts->node;
}

/**
 * hazptr_thread_shared_to_shared - a counted reference to the same node
 * @ts: stays valid
 *
 * To keep it for longer, or to pass it to another thread.
 *
 * Context: @ts's thread; wait-free; signal-safe.
 * Return: the reference; null for null.
 */
struct hazptr_shared
hazptr_thread_shared_to_shared(struct hazptr_thread_shared *ts);

/**
 * hazptr_thread_shared_set_max_age_ms - promote those that are older
 * @ms: 10 by default; 0: never
 *
 * A slot that was held for longer is free again within twice that time.
 *
 * Context: any thread, any time; not signal-safe.
 */
void hazptr_thread_shared_set_max_age_ms(unsigned ms);

/**
 * struct hazptr_promotion_stats - how many, since the program began
 *
 * Taking a slot inline is not counted: a counter would cost half as much
 * again. With HAZPTR_STATS=1 in the environment all are, through the library.
 */
struct hazptr_promotion_stats {
	size_t size;		      /* sizeof of this, set by the caller */
	uint64_t taken;		      /* in a slot; see below */
	uint64_t fallen_back;	      /* counted from the beginning */
	uint64_t promoted_by_scan;    /* somebody wanted the node gone */
	uint64_t promoted_by_age;     /* older than the maximum */
	uint64_t promoted_by_request; /* hazptr_thread_shared_to_shared() */
	uint64_t promoted_by_exit;    /* their thread ended */
	uint64_t slots;		      /* that a scan reads */
};

/**
 * hazptr_thread_shared_stats - the figures
 * @out: its size is set before the call
 *
 * Context: any thread; walks over all threads' records.
 */
void hazptr_thread_shared_stats(struct hazptr_promotion_stats *out);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_THREAD_SHARED_H */
