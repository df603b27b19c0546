/* SPDX-License-Identifier: MIT */
/*
 * hazptr/retire.h - free an object when nobody looks at it any more
 *
 * First make the object unreachable, so that no new guard can find it; then
 * retire it. It is reclaimed once no guard keeps it, without waiting here:
 *
 *	struct route { ...; struct hazptr_head head; };
 *
 *	struct route *old = __atomic_exchange_n(&table[i], new,
 *						__ATOMIC_ACQ_REL);
 *	hazptr_retire_free(NULL, old, head);
 *
 * or wait until nobody looks, and go on with the object in your hands:
 *
 *	hazptr_synchronize(old);
 *
 * Duties that nobody checks: the object is unreachable from every source that
 * readers use; it is retired once; the address that is retired is the address
 * that readers protect (the value in the pointer they load).
 *
 * Cost of retire(): a few stores, no lock and no atomic read-modify-write; a
 * handful of them with each batch (a quarter of the domain's bound, divided by
 * the threads that retire), and at the bound a heavy fence, a walk over all
 * slots and the frees.
 *
 * Source: Michael 2004 for the scan. The list that its owner fills without an
 * atomic read-modify-write and others may take: biased as in Dice et al.,
 * "Quickly reacquirable locks", 2003, with membarrier(2) as the revocation.
 */
#ifndef HAZPTR_RETIRE_H
#define HAZPTR_RETIRE_H

#include <hazptr/debug.h>
#include <hazptr/domain.h>

#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct hazptr_head - what the library needs inside an object
 *
 * Embed it anywhere; it needs no initialisation. From retire() on it is the
 * library's, until the reclaim function is called.
 */
struct hazptr_head {
	struct hazptr_head *next;
	void *object;
	void (*reclaim)(struct hazptr_head *head); /* NULL: free(object) */
};

/** hazptr_reclaim_fn - called once with the head of an object to reclaim */
typedef void (*hazptr_reclaim_fn)(struct hazptr_head *head);

void hazptr_retire_(struct hazptr_domain *d, struct hazptr_head *head,
		    void *object, hazptr_reclaim_fn reclaim);

/* Says so, in a file with -DHAZPTR_DEBUG. */
#define HAZPTR_RETIRING_(obj)                                               \
	((void)(HAZPTR_DEBUG_ &&                                            \
		(hazptr_debug_retire_((obj), sizeof(*(obj)), HAZPTR_HERE_), \
		 0)))

/**
 * hazptr_retire - reclaim the object by a function of yours
 * @d: the domain, NULL for the default one
 * @obj: T *: the object
 * @member: the name of its struct hazptr_head
 * @fn: void (*)(struct hazptr_head *): runs once, where the domain says
 *
 * Context: any thread, also inside reclaim functions; BACKGROUND: under any
 * lock; INLINE: under no lock that reclaim functions take. Allocates nothing
 * on a registered thread, but the first one in a process starts the library's
 * thread. Not signal-safe. Aborts when it finds that an object
 * was retired twice.
 * Order: all that the caller did before happens before the function runs; so
 * does all that any reader did while its guard kept the object.
 */
#define hazptr_retire(d, obj, member, fn)                                     \
	__extension__({                                                       \
		__typeof__(obj) hazptr_obj_ = (obj);                          \
		HAZPTR_RETIRING_(hazptr_obj_);                                \
		hazptr_retire_((d), &hazptr_obj_->member, hazptr_obj_, (fn)); \
	})

/**
 * hazptr_retire_free - free(obj) when no guard keeps it
 *
 * free may run in any thread.
 *
 * Context, Order: as hazptr_retire().
 */
#define hazptr_retire_free(d, obj, member) hazptr_retire((d), (obj), member, 0)

/**
 * hazptr_retire_ptr - retire an object that has no head
 * @object: a multiple of 4
 * @destroy: called once with the object
 *
 * Allocates a small node. When there is no memory for it, waits for the
 * object's readers and calls @destroy here: embed a head where that may not be.
 *
 * Context, Order: else as hazptr_retire().
 */
void hazptr_retire_ptr(struct hazptr_domain *d, void *object,
		       void (*destroy)(void *));

/**
 * hazptr_head_init - prepare a head for hazptr_retire_list()
 * @fn: NULL for free(object)
 *
 * Chain the heads by their `next`.
 */
static inline void hazptr_head_init(struct hazptr_head *head, void *object,
				    hazptr_reclaim_fn fn)
{
	head->next = NULL;
	head->object = object;
	head->reclaim = fn;
}

/**
 * hazptr_retire_list - retire a chain at once
 * @first: its first head; @last: its last, the end of the chain
 *
 * Context, Order: as hazptr_retire(). O(length).
 */
void hazptr_retire_list(struct hazptr_domain *d, struct hazptr_head *first,
			struct hazptr_head *last);

/**
 * hazptr_synchronize - wait until no guard holds the unpublished object
 *
 * Every guard that kept it has dropped it. Aborts when the caller itself keeps
 * it in a guard, which would wait for ever.
 *
 * Context: any thread; holds no lock while it waits: delays nobody.
 * Order: every use under those guards happens before it returns.
 */
void hazptr_synchronize(const void *object);

/**
 * hazptr_synchronize_until - the same, up to an absolute CLOCK_MONOTONIC time
 * @deadline: NULL for ever
 *
 * Return: 0, or -ETIMEDOUT; -EINVAL for nanoseconds out of range.
 */
int hazptr_synchronize_until(const void *object,
			     const struct timespec *deadline);

/**
 * hazptr_synchronize_many - the same for @n objects, with one heavy fence
 *
 * O(slots in use x n).
 */
void hazptr_synchronize_many(const void *const *objects, size_t n);

/**
 * struct hazptr_cohort - objects whose reclamation can be waited for together
 *
 * A plug-in that retires objects with functions of its own uses a cohort, and
 * its barrier before it is unloaded. The fields are the library's.
 */
struct hazptr_cohort {
	struct hazptr_domain *domain;
	struct hazptr_cohort *next;  /* in the domain; its scan lock */
	struct hazptr_head *retired; /* pushed by any thread, not scanned */
	struct hazptr_head *fresh;   /* being scanned for the first time */
	struct hazptr_head *line;    /* scanned again, in this order */
	struct hazptr_head *ready;   /* wait for their function; scan lock */
	struct hazptr_head **ready_end;
	uint64_t serial;		 /* order of making, for barriers */
	uint64_t runs;			 /* of ready functions; scan lock */
	const struct hazptr_kind_ *kind; /* NULL: objects */
};

/**
 * hazptr_cohort_init - make a cohort in a domain
 * @d: NULL for the default domain; must outlive the cohort
 *
 * The child of a fork has it, too, but not the stacks of other threads: a
 * process that forks has no cohorts there.
 *
 * Context: any thread; not signal-safe.
 * Return: 0.
 */
int hazptr_cohort_init(struct hazptr_cohort *c, struct hazptr_domain *d);

/**
 * hazptr_cohort_retire - as hazptr_retire(), into a cohort
 * @fn: NULL for free(obj)
 */
#define hazptr_cohort_retire(c, obj, member, fn)                              \
	__extension__({                                                       \
		__typeof__(obj) hazptr_obj_ = (obj);                          \
		HAZPTR_RETIRING_(hazptr_obj_);                                \
		hazptr_cohort_retire_((c), &hazptr_obj_->member, hazptr_obj_, \
				      (fn));                                  \
	})
void hazptr_cohort_retire_(struct hazptr_cohort *c, struct hazptr_head *head,
			   void *object, hazptr_reclaim_fn reclaim);

/**
 * hazptr_cohort_barrier - all reclaim functions of the cohort have returned
 *
 * Of the objects that were retired into it before this call.
 *
 * Context, Order: as hazptr_barrier().
 */
void hazptr_cohort_barrier(struct hazptr_cohort *c);

/**
 * hazptr_cohort_destroy - barrier, then leave the domain
 *
 * Nobody may retire into it any more. Its memory can be reused afterwards.
 * Aborts inside a reclaim function.
 */
void hazptr_cohort_destroy(struct hazptr_cohort *c);

#ifdef HAZPTR_DEBUG
/* The same, and the library hears of it: hazptr/debug.h. */

static inline void hazptr_retire_ptr_at_(struct hazptr_domain *d, void *object,
					 void (*destroy)(void *),
					 const char *place)
{
	hazptr_debug_retire_(object, 0, place);
	hazptr_retire_ptr(d, object, destroy);
}

static inline void hazptr_retire_list_at_(struct hazptr_domain *d,
					  struct hazptr_head *first,
					  struct hazptr_head *last,
					  const char *place)
{
	hazptr_debug_retire_list_(first, last, place);
	hazptr_retire_list(d, first, last);
}

#define hazptr_retire_ptr(d, object, destroy) \
	hazptr_retire_ptr_at_((d), (object), (destroy), HAZPTR_HERE_)
#define hazptr_retire_list(d, first, last) \
	hazptr_retire_list_at_((d), (first), (last), HAZPTR_HERE_)
#endif /* HAZPTR_DEBUG */

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_RETIRE_H */
