/* SPDX-License-Identifier: MIT */
/*
 * hazptr/shared.h - objects that live as long as somebody has them
 *
 * A shared pointer owns one reference to a node. A `struct hazptr_shared` is
 * one thread's; a `struct hazptr_sync_shared` is a place from which any thread
 * may load a reference while others store, exchange and clear:
 *
 *	struct config { struct hazptr_shared_node node; ... };
 *	struct hazptr_sync_shared current;
 *
 *	struct hazptr_shared c = hazptr_sync_shared_load(&current);
 *	... keep it, pass it on, return it ...
 *	hazptr_shared_drop(&c);
 *
 * and to replace it:
 *
 *	struct hazptr_shared c = hazptr_shared_create(&new->node, release);
 *	hazptr_sync_shared_store(&current, &c);
 *
 * How it works. A load takes a guard on the node, adds one to its count and
 * drops the guard. It never fails and never waits, because a node that a guard
 * has found through a sync pointer still has a reference: the last one is not
 * dropped but retired, that is, dropped by a scan that finds no guard on the
 * node. While the node waits for that scan, whoever takes another reference
 * and drops it again sends the scan back. So a node is released only by a scan
 * that began after its last reference was dropped. docs/design/references.md
 * has the scheme of the mailing list that does without, and how it loses.
 *
 * The release function runs once, in the library's thread, with no lock held;
 * dropping never blocks. It may drop further shared pointers: a chain of any
 * length needs no stack.
 *
 * Duties that nobody checks
 * - A node's address is a multiple of 8. Between create and its release
 *   function, its fields are the library's.
 * - A `struct hazptr_shared` belongs to one thread at a time. Assignment moves
 *   it: of the two copies one may be used.
 * - Pointers in a cycle keep each other alive; break it with a weak pointer.
 *
 * Cost. A load is a guard and one atomic add, a drop one compare-and-exchange;
 * a store is one exchange and a drop; the last reference costs a share of a
 * scan.
 * 24 bytes in the node, weak pointers included.
 *
 * Source: M. Desnoyers, "Synchronized Shared Pointers", 2024, for the two
 * kinds of pointers and the two schemes; the retired reference as in D.
 * Anderson, G. Blelloch, Y. Wei, "Concurrent deferred reference counting with
 * constant-time overhead", PLDI 2021.
 */
#ifndef HAZPTR_SHARED_H
#define HAZPTR_SHARED_H

#include <hazptr/guard.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hazptr_head;
struct hazptr_shared_node;

/** hazptr_release_fn - ends a node that nobody has any more */
typedef void (*hazptr_release_fn)(struct hazptr_shared_node *node);

/** struct hazptr_shared_node - embed it in the object; the library's */
struct hazptr_shared_node {
	struct hazptr_head *next;
	hazptr_release_fn release;
	uint64_t counts __attribute__((__aligned__(8))); /* and bits, below */
};

/*
 * In `counts`: bits 0 to 31 count references, of which the upper quarters are
 * "too many" and "none, and none can be had" (COUNT_FIRST only).
 */
#define HAZPTR_ONE_WEAK_ ((uint64_t)1 << 32)
#define HAZPTR_TOO_MANY_ ((uint64_t)0x40000000)
#define HAZPTR_DEAD_ ((uint64_t)0x80000000)
/* The count falls first, the scan comes last, a load looks for zero. */
#define HAZPTR_COUNT_FIRST_ ((uint64_t)1 << 59)
/* A second function runs when the last reference is gone (weak pointers). */
#define HAZPTR_EXPIRES_ ((uint64_t)1 << 60)
/* Somebody may have it without a count: it passes a scan before its end. */
#define HAZPTR_VISIBLE_ ((uint64_t)1 << 61)
/* One of the references is retired: it waits for a scan. */
#define HAZPTR_RETIRED_ ((uint64_t)1 << 62)
/* A reference was dropped since: for a scan that begins later. */
#define HAZPTR_AGAIN_ ((uint64_t)1 << 63)

/** struct hazptr_shared - owns one reference; NULL: owns nothing */
struct hazptr_shared {
	struct hazptr_shared_node *node;
};

/** struct hazptr_sync_shared - the same, for many threads at once */
struct hazptr_sync_shared {
	struct hazptr_shared_node *node;
};

void hazptr_shared_get_slow_(struct hazptr_shared_node *node, uint64_t old,
			     const char *call);
void hazptr_shared_put_slow_(struct hazptr_shared_node *node);
void hazptr_shared_publish_slow_(struct hazptr_shared_node *node);
struct hazptr_shared_node *
hazptr_sync_shared_load_slow_(const struct hazptr_sync_shared *ssp);

/**
 * hazptr_shared_create - the first reference to a node
 * @node: in memory that the caller has for itself; NULL gives a null pointer
 * @release: called once when no reference is left and no guard holds the
 * node; NULL: free(node), in any thread
 *
 * Context: any thread; not signal-safe.
 * Return: the reference.
 */
struct hazptr_shared hazptr_shared_create(struct hazptr_shared_node *node,
					  hazptr_release_fn release);

/**
 * hazptr_shared_create_count_first - a node of the other scheme
 *
 * The count of such a node falls to zero before guards are looked at, and a
 * load that finds it so looks at the sync pointer again. The one of M.
 * Desnoyers' patch; kept to compare with.
 *
 * Otherwise as hazptr_shared_create().
 */
struct hazptr_shared
hazptr_shared_create_count_first(struct hazptr_shared_node *node,
				 hazptr_release_fn release);

/** hazptr_shared_is_null - it owns nothing */
static inline bool hazptr_shared_is_null(struct hazptr_shared sp)
{
	return !sp.node;
}

/* The count as it was: is one more an ordinary thing? */
static inline bool hazptr_shared_is_odd_(uint64_t old)
{
	return (uint32_t)old - 1 >= HAZPTR_TOO_MANY_ - 1;
}

/**
 * hazptr_shared_copy - one reference more
 * @sp: stays valid
 *
 * Context: @sp's thread; wait-free; signal-safe. Order: none.
 * Return: the new reference; null for null.
 */
static inline struct hazptr_shared hazptr_shared_copy(struct hazptr_shared sp)
{
	uint64_t old;

	if (sp.node) {
		/* order SP1: @sp's own reference orders; pairs with SP2 */
		old = hazptr_fetch_add_(&sp.node->counts, 1, relaxed);
		if (hazptr_unlikely_(hazptr_shared_is_odd_(old)))
			hazptr_shared_get_slow_(sp.node, old,
						"hazptr_shared_copy");
	}
	return sp;
}

/* One reference less, when it is not the last and nothing waits for a scan. */
static inline bool hazptr_shared_put_fast_(struct hazptr_shared_node *node)
{
	/* order SP2: a guess that the exchange checks; pairs with SP2 */
	uint64_t old = hazptr_load_(&node->counts, relaxed);

	while (hazptr_likely_((uint32_t)old - 2 < HAZPTR_TOO_MANY_ - 2 &&
			      !(old & HAZPTR_RETIRED_)))
		/* order SP2: uses before the count falls; pairs with SP4 */
		if (hazptr_likely_(hazptr_cas_(&node->counts, &old, old - 1,
					       release, relaxed)))
			return true;
	return false;
}

/**
 * hazptr_shared_drop - give the reference back
 * @sp: becomes null; null is allowed
 *
 * Aborts when the node has no reference left.
 *
 * Context: @sp's thread; lock-free; never blocks; no release function runs in
 * it. The last one is not signal-safe.
 * Order: release: all uses happen before the release function.
 */
static inline void hazptr_shared_drop(struct hazptr_shared *sp)
{
	struct hazptr_shared_node *node = sp->node;

	sp->node = NULL;
	if (node && hazptr_unlikely_(!hazptr_shared_put_fast_(node)))
		hazptr_shared_put_slow_(node);
}

/**
 * hazptr_shared_drop_sync - give it back; when it is the last, release here
 *
 * Waits until no guard holds the node, turns thread-shared pointers to it into
 * counted references, and calls the release function when none is left.
 * Aborts when the calling thread has a guard on the node.
 *
 * Context: no lock is held that a holder of a guard waits for.
 */
void hazptr_shared_drop_sync(struct hazptr_shared *sp);

/* The node is going to be found without a count. */
static inline void hazptr_shared_publish_(struct hazptr_shared_node *node)
{
	/* order SP3: set before the node can be seen; pairs with SP3 */
	if (!(hazptr_load_(&node->counts, relaxed) & HAZPTR_VISIBLE_))
		hazptr_shared_publish_slow_(node);
}

/**
 * hazptr_sync_shared_load - a reference to what the sync pointer leads to
 *
 * Context: any thread; lock-free, and no store makes it wait or fail;
 * signal-safe on a registered thread.
 * Order: acquire: the node is seen as it was when it was stored.
 * Return: a counted reference, or null.
 */
static inline struct hazptr_shared
hazptr_sync_shared_load(const struct hazptr_sync_shared *ssp)
{
	struct hazptr_shared sp;
	HAZPTR_GUARD(guard);
	uint64_t old;

	sp.node = (struct hazptr_shared_node *)hazptr_protect_word_(
		&guard, (const hazptr_word_ *)(const void *)&ssp->node, 0);
	if (sp.node) {
		/* order SP1: before the guard is released; pairs with SP6 */
		old = hazptr_fetch_add_(&sp.node->counts, 1, relaxed);
		if (hazptr_unlikely_(hazptr_shared_is_odd_(old))) {
			hazptr_release(&guard);
			sp.node = hazptr_sync_shared_load_slow_(ssp);
		}
	}
	return sp;
}

/**
 * hazptr_sync_shared_exchange - store one node, get the other
 * @desired: its reference is moved into the sync pointer; becomes null
 *
 * Context: any thread; wait-free; never blocks.
 * Order: acquire and release.
 * Return: a reference to what was there, or null.
 */
struct hazptr_shared hazptr_sync_shared_exchange(struct hazptr_sync_shared *ssp,
						 struct hazptr_shared *desired);

/**
 * hazptr_sync_shared_store - replace what the sync pointer leads to
 * @src: its reference is moved in; becomes null
 *
 * Context: any thread; lock-free; never blocks; no release function runs in it.
 * Order: release: all that was done to the node before.
 */
void hazptr_sync_shared_store(struct hazptr_sync_shared *dst,
			      struct hazptr_shared *src);

/** hazptr_sync_shared_store_copy - the same; @src stays valid */
void hazptr_sync_shared_store_copy(struct hazptr_sync_shared *dst,
				   struct hazptr_shared src);

/**
 * hazptr_sync_shared_compare_exchange - store if it still leads to @expected
 * @expected: a reference of the caller's, or null; stays valid
 * @desired: moved in on success, and null then; else untouched
 *
 * Context: any thread; lock-free; never blocks.
 * Order: release on success, as a store; on failure none.
 * Return: whether @desired was stored.
 */
bool hazptr_sync_shared_compare_exchange(struct hazptr_sync_shared *ssp,
					 struct hazptr_shared expected,
					 struct hazptr_shared *desired);

/** hazptr_sync_shared_drop - store null */
void hazptr_sync_shared_drop(struct hazptr_sync_shared *ssp);

/** hazptr_sync_shared_drop_sync - store null, then hazptr_shared_drop_sync() */
void hazptr_sync_shared_drop_sync(struct hazptr_sync_shared *ssp);

/*
 * Weak pointers. A weak pointer keeps the node's memory, but no reference:
 * what was the last reference is the last reference all the same, and from
 * then on no weak pointer can be locked. The release function, which may free
 * the memory, runs when the last reference and the last weak pointer are gone.
 * What should end earlier belongs into an expire function.
 */

/** struct hazptr_weak - keeps the memory of a node; NULL: of none */
struct hazptr_weak {
	struct hazptr_shared_node *node;
};

/** struct hazptr_weak_node - a node that ends in two steps */
struct hazptr_weak_node {
	struct hazptr_shared_node node;
	hazptr_release_fn expire;
};

/**
 * hazptr_shared_create_weak - a node that ends in two steps
 * @expire: called when the last reference is gone, before @release
 * @release: called when no weak pointer is left either; NULL: free(node)
 *
 * Otherwise as hazptr_shared_create(), for any node; weak pointers to a node
 * that was made by that are as good.
 */
struct hazptr_shared hazptr_shared_create_weak(struct hazptr_weak_node *node,
					       hazptr_release_fn expire,
					       hazptr_release_fn release);

/**
 * hazptr_weak_create - a weak pointer to the node that @sp leads to
 *
 * Context: @sp's thread; wait-free. Return: null for null.
 */
struct hazptr_weak hazptr_weak_create(struct hazptr_shared sp);

/**
 * hazptr_weak_lock - a reference, unless the last one is gone
 *
 * Context: @w's thread; lock-free; signal-safe.
 * Order: acquire: what the holder of the reference did before.
 * Return: the reference; null when the last counted reference was dropped.
 */
struct hazptr_shared hazptr_weak_lock(struct hazptr_weak w);

/** hazptr_weak_copy - one weak pointer more; wait-free */
struct hazptr_weak hazptr_weak_copy(struct hazptr_weak w);

/** hazptr_weak_drop - give it back; becomes null; never blocks */
void hazptr_weak_drop(struct hazptr_weak *w);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_SHARED_H */
