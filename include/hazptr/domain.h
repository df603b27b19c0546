/* SPDX-License-Identifier: MIT */
/*
 * hazptr/domain.h - who reclaims, when, and how much may wait
 *
 * A domain owns retired objects and the policy by which they are reclaimed.
 * Guards know no domains: a guard keeps an address alive, whatever domain the
 * object is retired into. Most programs need only the default domain, which is
 * what NULL means wherever a domain is asked for; it always exists.
 *
 *	struct hazptr_domain_opts opts = {
 *		.size = sizeof(opts),
 *		.reclaim = HAZPTR_RECLAIM_INLINE,
 *		.name = "cache",
 *	};
 *	struct hazptr_domain *cache;
 *	int error = hazptr_domain_create(&cache, &opts);
 *
 * Which thread does what
 *			BACKGROUND	    INLINE		MANUAL
 *	plain free	whoever scans	    whoever scans	flush, barrier
 *	user function	the library's	    retire, flush,	flush, barrier
 *			thread		    barrier, and the
 *					    library's thread
 *	scan		retire at the threshold, flush,		flush, barrier
 *			barrier, the library's thread
 *
 * The library's thread is started when first needed and sleeps while nothing
 * waits. User functions run without any lock of the library, and never inside
 * the retire() of another one.
 *
 * Bounds. Objects that wait for readers: max_retired plus the slots in use,
 * whatever readers do (not in MANUAL, where nobody scans but you), and what
 * each thread that is inside retire() has in its hands. Objects
 * that only wait for a user function of a BACKGROUND domain have no hard
 * bound, because retire() must not wait for them: beyond 8 x max_retired each
 * retire() lends the library's thread up to 1 ms.
 */
#ifndef HAZPTR_DOMAIN_H
#define HAZPTR_DOMAIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hazptr_domain;

/** enum hazptr_reclaim - where user functions run; see above */
enum hazptr_reclaim {
	HAZPTR_RECLAIM_BACKGROUND,
	HAZPTR_RECLAIM_INLINE,
	HAZPTR_RECLAIM_MANUAL
};

/** struct hazptr_domain_opts - how to make a domain; zero means default */
struct hazptr_domain_opts {
	size_t size; /* sizeof(struct hazptr_domain_opts) */
	enum hazptr_reclaim reclaim;
	size_t max_retired;    /* default: the larger of 1000 and 2 x slots */
	unsigned max_delay_ms; /* an unprotected object waits no longer; 50 */
	const char *name;      /* for statistics and messages; copied */
};

/**
 * hazptr_domain_create - make a domain
 * @out: receives it
 * @opts: NULL for all defaults
 *
 * Context: any thread; allocates; not signal-safe.
 * Return: 0; -EINVAL for a size or a policy that this library does not know;
 * -ENOMEM.
 */
int hazptr_domain_create(struct hazptr_domain **out,
			 const struct hazptr_domain_opts *opts);

/**
 * hazptr_domain_destroy - reclaim everything in it, then free it
 * @d: a domain that no thread uses any more; its cohorts are destroyed
 *
 * Waits for readers, as hazptr_barrier().
 *
 * Context: any thread, without locks that reclaim functions take.
 * Return: 0; -EBUSY from inside a reclaim function; -EINVAL for the default
 * domain. Aborts when cohorts of it are left.
 */
int hazptr_domain_destroy(struct hazptr_domain *d);

/**
 * hazptr_flush - one pass over all that is retired, now
 *
 * Takes over what other threads have retired so far, scans once, frees what no
 * guard keeps, and runs its functions (INLINE, MANUAL) or hands them to the
 * library's thread (BACKGROUND). Waits for nobody.
 *
 * Context: any thread; INLINE, MANUAL: without locks that the functions take.
 * Return: how many objects no longer wait for readers because of this pass.
 */
size_t hazptr_flush(struct hazptr_domain *d);

/**
 * hazptr_barrier - all that was retired before this call has been reclaimed
 *
 * Waits for the readers and for the functions. Aborts inside a reclaim
 * function, which would wait for itself.
 *
 * Context: any thread, without locks that reclaim functions take.
 * Order: the reclaim functions happen before it returns.
 */
void hazptr_barrier(struct hazptr_domain *d);

/** struct hazptr_stats - figures of a domain since it was made */
struct hazptr_stats {
	size_t size;	       /* in: sizeof(struct hazptr_stats) */
	uint64_t retired;      /* objects */
	uint64_t reclaimed;    /* objects: freed, or their function returned */
	uint64_t scans;	       /* walks over all slots for this domain */
	uint64_t heavy_fences; /* issued for this domain */
	uint64_t pending;      /* objects retired, not reclaimed */
	uint64_t pending_peak; /* the most at the end of any batch */
	uint64_t waiting;      /* of pending: kept by readers or not scanned */
	uint64_t ready;	       /* of pending: wait for their function only */
	uint64_t max_retired;  /* the bound in force */
	uint64_t slots;	       /* slots of all contexts of the process */
	char name[32];	       /* of the domain */
};

/**
 * hazptr_domain_stats - read the figures
 * @out: its size is set by the caller; no more than that is written
 *
 * Each figure is right at some moment during the call, but for objects that
 * another thread is moving from its batch to the domain meanwhile.
 *
 * Context: any thread; takes no lock.
 */
void hazptr_domain_stats(struct hazptr_domain *d, struct hazptr_stats *out);

/**
 * hazptr_domain_dump - say in words what waits, and who holds what
 * @d: the domain, NULL for the default one
 * @fd: where to: a file, a pipe, STDERR_FILENO
 *
 * Lines for people, which may change: the domain's figures, what threads have
 * in their hands for it, its cohorts, and every slot of the process that holds
 * an object (guards know no domains), with the thread and whether the object
 * waits in this domain. Where the object was protected and since when is said
 * of files that are compiled with -DHAZPTR_DEBUG, and how long it waits when
 * HAZPTR_DEBUG=1 is in the environment: hazptr/debug.h.
 *
 * Everything is true at some moment during the call.
 *
 * Context: any thread, but not under a lock that a debugger's thread may hold;
 * takes the domain's lock for short, and none while it writes; allocates
 * nothing; not signal-safe. O(slots x objects that are kept).
 * Order: none.
 */
void hazptr_domain_dump(struct hazptr_domain *d, int fd);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_DOMAIN_H */
