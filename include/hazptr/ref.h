/* SPDX-License-Identifier: MIT */
/*
 * hazptr/ref.h - reference counts, and how to get one from a shared pointer
 *
 * A guard keeps an object for as long as one thread looks at it; a count keeps
 * it for as long as anybody likes. The step from the first to the second is
 * the lookup: find the object through a pointer that another thread may clear
 * at any moment, and either have a reference or learn that it is going away.
 *
 *	struct device { struct hazptr_ref ref; ...; struct hazptr_head head; };
 *	struct device *slot;			// set to NULL by unplug
 *
 *	struct device *d = hazptr_ref_lookup(&slot, ref);
 *	if (!d)
 *		return -ENODEV;
 *	...
 *	if (hazptr_ref_put(&d->ref))
 *		hazptr_retire_free(NULL, d, head);
 *
 * and in the thread that unplugs: store NULL in the slot, then put the
 * reference that the slot held. No lock, and no list of openers.
 *
 * Two counts. `hazptr_ref` never wraps: it stays at "too many", and the object
 * is leaked rather than freed early. `hazptr_rcuref` has one unconditional add
 * in get and in put, also where get must fail when the object is dead: the
 * range of the counter is divided into zones instead of a loop.
 *
 * Duties that nobody checks
 * - get is for who has a reference already, get_unless_zero for who has a
 *   guard, or another reason why the memory cannot go away.
 * - Whoever puts the last reference retires the object (a reader may be between
 *   its guard and its get_unless_zero), and nobody puts it back into a source.
 * - hazptr_rcuref_put() may look at the object once more after another thread
 *   has found it dead: the memory must outlive the call, by a guard on the
 *   object that is taken before.
 *
 * Source: zones by T. Gleixner, rcuref, 2023; lookup by M. Desnoyers in the
 * discussion of drivers' "static mutex" pattern, 2024.
 */
#ifndef HAZPTR_REF_H
#define HAZPTR_REF_H

#include <hazptr/guard.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct hazptr_ref - a saturating count; 0: the object is going away */
struct hazptr_ref {
	uint32_t count;
};

/* The upper half of the range: too many. It is kept in the middle of it. */
#define HAZPTR_REF_SATURATED_ 0xC0000000u

void hazptr_ref_get_slow_(struct hazptr_ref *r, uint32_t old);
void hazptr_ref_put_slow_(struct hazptr_ref *r, uint32_t old);

/**
 * hazptr_ref_init - set the count, before anybody else sees it
 * @n: how many references there are
 */
static inline void hazptr_ref_init(struct hazptr_ref *r, uint32_t n)
{
	hazptr_store_(&r->count, n, relaxed); /* private: not published yet */
}

/** hazptr_ref_read - the count at some moment; for messages and tests */
static inline uint32_t hazptr_ref_read(const struct hazptr_ref *r)
{
	/* order RF3: a figure; pairs with RF1 */
	return hazptr_load_(&r->count, relaxed);
}

/**
 * hazptr_ref_get - one reference more; the caller has one
 *
 * Aborts when the count was zero. At 2^31 the count stays, for ever.
 *
 * Context: wait-free; signal-safe. Order: none.
 */
static inline void hazptr_ref_get(struct hazptr_ref *r)
{
	/* order RF1: the caller's own reference orders; pairs with RF2 */
	uint32_t old = hazptr_fetch_add_(&r->count, 1, relaxed);

	if (hazptr_unlikely_((int32_t)old <= 0))
		hazptr_ref_get_slow_(r, old);
}

/**
 * hazptr_ref_get_unless_zero - a reference, unless the last one is gone
 *
 * Context: the memory is kept by a guard; lock-free; signal-safe.
 * Order: none: what made the object visible orders its contents.
 * Return: false when the count was zero.
 */
static inline bool hazptr_ref_get_unless_zero(struct hazptr_ref *r)
{
	/* order RF1: the caller's guard orders; pairs with RF2 */
	uint32_t old = hazptr_load_(&r->count, relaxed);

	do {
		if (!old)
			return false;
		if (hazptr_unlikely_((int32_t)old < 0))
			return true;
		/* order RF1: the caller's guard orders; pairs with RF2 */
	} while (!hazptr_cas_(&r->count, &old, old + 1, relaxed, relaxed));
	return true;
}

/**
 * hazptr_ref_put - give a reference back
 *
 * Aborts when there was none.
 *
 * Context: wait-free; signal-safe.
 * Order: release; acquire on the last: all uses under all references happen
 * before it returns true.
 * Return: true for the last one.
 */
static inline bool hazptr_ref_put(struct hazptr_ref *r)
{
	/* order RF2: uses before the count falls; pairs with RF2 */
	uint32_t old = hazptr_fetch_sub_(&r->count, 1, release);

	if (hazptr_unlikely_(old == 1)) {
		/* order RF2: after everybody's put; pairs with RF2 */
		(void)hazptr_load_(&r->count, acquire);
		return true;
	}
	if (hazptr_unlikely_((int32_t)old <= 0))
		hazptr_ref_put_slow_(r, old);
	return false;
}

/**
 * struct hazptr_rcuref - a count whose get fails once it is dead
 *
 * What the counter says, one less than the references:
 *
 *	00000000..7fffffff	1 to 2^31 references
 *	80000000..bfffffff	too many: kept at a0000000, leaked
 *	c0000000..fffffffe	dead, and gets that found it so
 *	ffffffff		no reference; the put that sees it decides
 */
struct hazptr_rcuref {
	uint32_t count;
};

bool hazptr_rcuref_get_slow_(struct hazptr_rcuref *r, uint32_t now);
bool hazptr_rcuref_put_slow_(struct hazptr_rcuref *r, uint32_t now);

/**
 * hazptr_rcuref_init - set the count
 * @n: how many references there are, 1 or more
 *
 * Before anybody else sees it, or by the exclusive owner of a dead one: gets
 * that ran into the dead count decide by what they themselves saw. It orders
 * nothing: publish the object anew.
 */
static inline void hazptr_rcuref_init(struct hazptr_rcuref *r, uint32_t n)
{
	/* order RC4: gets decide by their own value; pairs with RC1 */
	hazptr_store_(&r->count, n - 1, relaxed);
}

/**
 * hazptr_rcuref_get - a reference, unless the object is dead
 *
 * Context: the memory is kept by a guard or a reference; wait-free;
 * signal-safe.
 * Order: none.
 * Return: false when dead.
 */
static inline bool hazptr_rcuref_get(struct hazptr_rcuref *r)
{
	/* order RC1: guard or reference orders; decides by this value; RC2 */
	uint32_t now = hazptr_fetch_add_(&r->count, 1, relaxed) + 1;

	if (hazptr_likely_((int32_t)now >= 0))
		return true;
	return hazptr_rcuref_get_slow_(r, now);
}

/**
 * hazptr_rcuref_put - give a reference back
 *
 * Aborts when there was none.
 *
 * Context: the memory outlives the call (see above); wait-free; signal-safe.
 * Order: release; acquire when it returns true.
 * Return: true when this made it dead: nobody has a reference, none can be had.
 */
static inline bool hazptr_rcuref_put(struct hazptr_rcuref *r)
{
	/* order RC2: uses before the count falls; pairs with RC3 */
	uint32_t now = hazptr_fetch_sub_(&r->count, 1, release) - 1;

	if (hazptr_likely_((int32_t)now >= 0))
		return false;
	return hazptr_rcuref_put_slow_(r, now);
}

/** hazptr_rcuref_read - how many references; 0 when dead; a figure */
static inline uint32_t hazptr_rcuref_read(const struct hazptr_rcuref *r)
{
	/* order RC5: a figure; pairs with RC1 */
	uint32_t count = hazptr_load_(&r->count, relaxed);

	return count >= 0xC0000000u ? 0 : count + 1;
}

/** hazptr_rcuref_is_dead - no reference is left, and none can be had */
static inline bool hazptr_rcuref_is_dead(const struct hazptr_rcuref *r)
{
	/* order RC5: a figure; pairs with RC1 */
	uint32_t count = hazptr_load_(&r->count, relaxed);

	return count >= 0xC0000000u && count != UINT32_MAX;
}

/* The object at *src with one reference more; `offset` is its count's. */
static inline uintptr_t hazptr_ref_lookup_(const hazptr_word_ *src,
					   size_t offset)
{
	HAZPTR_GUARD(guard);
	uintptr_t object = hazptr_protect_word_(&guard, src, 0);

	if (object &&
	    !hazptr_ref_get_unless_zero((struct hazptr_ref *)(object + offset)))
		object = 0;
	return object;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

/**
 * hazptr_ref_lookup - find an object and take a reference
 * @src: T *const *: where the pointer stands
 * @member: the name of T's struct hazptr_ref
 *
 * Context: any thread; lock-free; signal-safe on a registered thread.
 * Order: acquire, as hazptr_protect().
 * Return: the object, T *, with one reference more; NULL when there is none
 * or its last reference is gone.
 */
#define hazptr_ref_lookup(src, member)                     \
	((__typeof__(*(src) + 0))hazptr_ref_lookup_(       \
		(const hazptr_word_ *)(const void *)(src), \
		__builtin_offsetof(__typeof__(**(src)), member)))

#endif /* HAZPTR_REF_H */
