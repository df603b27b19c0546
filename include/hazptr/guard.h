/* SPDX-License-Identifier: MIT */
/*
 * hazptr/guard.h - keep one object alive while you look at it
 *
 * A guard says "I am using this object" in a place where whoever wants to free
 * it must look first. It keeps one object at a time, costs about what two
 * stores cost, and may be held across anything: a blocking call, a sleep, a
 * wait for another thread.
 *
 *	struct config *config;			// replaced by other threads
 *
 *	HAZPTR_GUARD(guard);
 *	struct config *c = hazptr_protect(&guard, &config);
 *	if (c)
 *		use(c->name);
 *	// released at the end of the scope
 *
 * and in the thread that replaces it:
 *
 *	struct config *old = __atomic_exchange_n(&config, new,
 *						 __ATOMIC_ACQ_REL);
 *	hazptr_retire_free(NULL, old, head);
 *
 * How it works. The guard owns one word, its slot. protect stores the address
 * there, then looks at the source again: while it still names the object, the
 * object had not been unpublished when the slot was already visible, so the
 * scan that every object passes through before it is freed will see the slot.
 * Each thread has HAZPTR_CONTEXT_SLOTS slots; a free slot holds 0. When all
 * are taken the guard's own embedded slot serves, so that protect never fails
 * and guards nest to any depth.
 *
 * Duties that nobody checks
 * - The source must be a place from which the object is removed before it is
 *   retired, and the place itself must stay readable while protect runs.
 * - What a protected object points to is not protected: take a second guard,
 *   and after it took hold, check that the first object is still reachable
 *   where your data structure asks for that.
 * - A guard belongs to one thread at a time and stays at its address. Release
 *   it where it was taken, or say hazptr_detach() first.
 * - An object's address is a multiple of 4, as malloc returns them.
 *
 * Cost. Two loads, two stores and a compare with membarrier; a full fence more
 * without it. From the ninth guard of a thread on, a lock and four system
 * calls (signals are masked while the list of embedded slots is changed).
 *
 * Source: M. M. Michael, "Hazard Pointers: Safe Memory Reclamation for
 * Lock-Free Objects", IEEE TPDS 15(6), 2004. Asymmetric fence: membarrier(2).
 */
#ifndef HAZPTR_GUARD_H
#define HAZPTR_GUARD_H

#include <hazptr/atomic.h>
#include <hazptr/debug.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Slots that serve without a lock; each thread and each context has so many. */
#ifndef HAZPTR_SMALL_LIMITS /* of a back end, for checkers */
#define HAZPTR_CONTEXT_SLOTS 8
#endif

/* One word that names one object; 0 when free. One writer at a time. */
struct hazptr_slot {
	uintptr_t value;
};

/**
 * struct hazptr_guard - keeps at most one object alive
 *
 * Zeroed memory is an empty guard. The fields are the library's.
 *
 * `slot` is all that the inline paths write; the rest is for the slow ones. It
 * lives in the guard itself or, with HAZPTR_GUARD(), in a second object: then
 * nobody outside ever sees the address of the first one, and the compiler may
 * keep it in a register. A protect and a release are two stores instead of
 * five.
 */
struct hazptr_guard {
	uintptr_t slot;		   /* 0: empty; odd: the rest; else a slot */
	struct hazptr_guard *rest; /* where the fields below are; NULL: here */
	uintptr_t held;		   /* a slot, or a record and tags */
	struct hazptr_slot own;	   /* the overflow slot, and ... */
	struct hazptr_guard *next; /* ... its place in the record's list */
};

#define HAZPTR_GUARD_INIT         \
	{                         \
		0, 0, 0, { 0 }, 0 \
	}

/* In `slot`: the guard has a place that the inline paths leave alone. */
#define HAZPTR_ELSEWHERE_ ((uintptr_t)1)

/* At -O2 too: a guard whose address goes to a call is no register. */
#define HAZPTR_INLINE_ static inline __attribute__((__always_inline__))

struct hazptr_record_;

/*
 * What a thread knows of itself. `slots` leads the inline paths: it points to
 * slots that are never free when the thread is not registered yet, and in
 * every mode but membarrier, so that one test covers all three.
 */
struct hazptr_self_ {
	struct hazptr_slot *slots;
	struct hazptr_record_ *record; /* in use: the thread's or a context's */
	struct hazptr_record_ *own;    /* the thread's */
};
extern __thread struct hazptr_self_ hazptr_self_
	__attribute__((__tls_model__("initial-exec")));

/* What a slow path returns: a word of the source, the guard's new slot. */
struct hazptr_seen_ {
	uintptr_t word;
	uintptr_t slot;
};

struct hazptr_seen_ hazptr_protect_slow_(struct hazptr_guard *rest,
					 uintptr_t slot,
					 const hazptr_word_ *src,
					 uintptr_t tag_mask);
struct hazptr_seen_ hazptr_try_protect_slow_(struct hazptr_guard *rest,
					     uintptr_t slot, uintptr_t expected,
					     const hazptr_word_ *src);
uintptr_t hazptr_hold_slow_(struct hazptr_guard *rest, uintptr_t slot,
			    uintptr_t object);
void hazptr_release_slow_(uintptr_t slot);

/* The compiler may know that a slot is neither 0 nor odd. */
HAZPTR_INLINE_ uintptr_t hazptr_place_(const struct hazptr_slot *slot)
{
	uintptr_t place = (uintptr_t)slot;

	if (!place || (place & HAZPTR_ELSEWHERE_))
		__builtin_unreachable();
	return place;
}

/*
 * A free slot of the thread's, or 0. Nothing but the slot itself is written
 * until it is taken: a signal handler that runs in between takes the same
 * slot, and gives it back before it returns.
 */
HAZPTR_INLINE_ uintptr_t hazptr_free_slot_(void)
{
	struct hazptr_slot *slot = hazptr_self_.slots;

	/* order HP1: the last user's accesses are done; pairs with HP6 */
	if (hazptr_likely_(!hazptr_load_(&slot->value, acquire)))
		return hazptr_place_(slot);
	slot++;
	if (!hazptr_load_(&slot->value, acquire)) /* order HP1: HP6 */
		return hazptr_place_(slot);
	return 0;
}

/* Publish in the slot, look again. False: the source changed to *word. */
HAZPTR_INLINE_ bool hazptr_slot_validate_(struct hazptr_slot *slot,
					  uintptr_t object, uintptr_t *word,
					  const hazptr_word_ *src)
{
	uintptr_t seen = *word;

	/* order HP2: after all uses of what stood there; pairs with HP8 */
	hazptr_store_(&slot->value, object, release);
	hazptr_compiler_fence_(); /* order HP3: slot before source; HP7 */
	/* order HP4: the object as it was published; pairs with HP7 */
	*word = hazptr_load_(src, acquire);
	return hazptr_likely_(*word == seen);
}

HAZPTR_INLINE_ void hazptr_slot_release_(struct hazptr_slot *slot)
{
	/* order HP6: all uses before the slot is seen free; HP8, HP1 */
	hazptr_store_(&slot->value, 0, release);
}

/**
 * hazptr_release - drop what the guard keeps
 * @g: the guard; empty is allowed
 *
 * The guard can be used again.
 *
 * Context: the guard's thread (any thread after hazptr_detach()); wait-free
 * but for a guard whose embedded slot serves; signal-safe.
 * Order: release: every use of the object happens before it is reclaimed.
 */
HAZPTR_INLINE_ void hazptr_release(struct hazptr_guard *g)
{
	uintptr_t slot = g->slot;

	if (HAZPTR_DEBUG_)
		hazptr_debug_drop_(slot, "hazptr_release");
	if (hazptr_unlikely_(slot & HAZPTR_ELSEWHERE_))
		hazptr_release_slow_(slot);
	else if (hazptr_likely_(slot != 0))
		hazptr_slot_release_((struct hazptr_slot *)slot);
	g->slot = 0;
}

/* The guard's slot, or a free one, for the inline paths; 0: neither. */
HAZPTR_INLINE_ struct hazptr_slot *hazptr_guard_slot_(uintptr_t slot)
{
	if (hazptr_unlikely_(slot & HAZPTR_ELSEWHERE_))
		return NULL;
	return (struct hazptr_slot *)(slot ? slot : hazptr_free_slot_());
}

/*
 * Every other case, once per program file: a third guard, a source that just
 * changed, a thread or a mode for which the library itself must be called.
 */
static __attribute__((__noinline__, __cold__, __unused__)) uintptr_t
hazptr_protect_cold_(struct hazptr_guard *g, struct hazptr_guard *rest,
		     const hazptr_word_ *src, uintptr_t tag_mask)
{
	struct hazptr_slot *slot = hazptr_self_.slots;
	struct hazptr_seen_ seen = { 0, g->slot };
	int i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS && !seen.slot; i++, slot++) {
		/* order HP1: the last user's accesses are done; HP6 */
		if (hazptr_load_(&slot->value, acquire))
			continue;
		/* order HP5: a guess that HP4 decides; pairs with HP4 */
		seen.word = hazptr_load_(src, relaxed);
		if (!(seen.word & ~tag_mask))
			return seen.word;
		seen.slot = hazptr_place_(slot);
		if (hazptr_slot_validate_(slot, seen.word & ~tag_mask,
					  &seen.word, src)) {
			g->slot = seen.slot;
			return seen.word;
		}
	}
	seen = hazptr_protect_slow_(rest, seen.slot, src, tag_mask);
	g->slot = seen.slot;
	return seen.word;
}

/* A guard that was empty; `rest` is read before the atomic accesses. */
HAZPTR_INLINE_ uintptr_t hazptr_protect_fresh_(struct hazptr_guard *g,
					       const hazptr_word_ *src,
					       uintptr_t tag_mask)
{
	struct hazptr_guard *rest = g->rest ? g->rest : g;
	struct hazptr_seen_ seen = { 0, hazptr_free_slot_() };
	struct hazptr_slot *slot = (struct hazptr_slot *)seen.slot;

	if (hazptr_likely_(slot != NULL)) {
		/* order HP5: a guess that HP4 decides; pairs with HP4 */
		seen.word = hazptr_load_(src, relaxed);
		if (!(seen.word & ~tag_mask))
			return seen.word;
		if (hazptr_slot_validate_(slot, seen.word & ~tag_mask,
					  &seen.word, src)) {
			g->slot = hazptr_place_(slot);
			return seen.word;
		}
	}
	seen = hazptr_protect_slow_(rest, seen.slot, src, tag_mask);
	g->slot = seen.slot;
	return seen.word;
}

/* A guard that has a slot: nothing but the slot is written. */
HAZPTR_INLINE_ uintptr_t hazptr_protect_again_(struct hazptr_guard *g,
					       const hazptr_word_ *src,
					       uintptr_t tag_mask)
{
	struct hazptr_slot *slot = (struct hazptr_slot *)g->slot;
	uintptr_t word;

	/* order HP5: a guess that HP4 decides; pairs with HP4 */
	word = hazptr_load_(src, relaxed);
	if (hazptr_unlikely_(!(word & ~tag_mask))) {
		hazptr_slot_release_(slot);
		g->slot = 0;
		return word;
	}
	if (hazptr_slot_validate_(slot, word & ~tag_mask, &word, src))
		return word;
	return hazptr_protect_cold_(g, g->rest ? g->rest : g, src, tag_mask);
}

/* Where the compiler knows that the guard is empty, it may be no memory. */
HAZPTR_INLINE_ uintptr_t hazptr_protect_word_(struct hazptr_guard *g,
					      const hazptr_word_ *src,
					      uintptr_t tag_mask)
{
	uintptr_t slot = g->slot;

	if (__builtin_constant_p(slot) && !slot)
		return hazptr_protect_fresh_(g, src, tag_mask);
	if (hazptr_likely_(slot > HAZPTR_ELSEWHERE_) &&
	    hazptr_likely_(!(slot & HAZPTR_ELSEWHERE_)))
		return hazptr_protect_again_(g, src, tag_mask);
	return hazptr_protect_cold_(g, g->rest ? g->rest : g, src, tag_mask);
}

HAZPTR_INLINE_ bool hazptr_try_protect_word_(struct hazptr_guard *g,
					     uintptr_t *ptr,
					     const hazptr_word_ *src)
{
	struct hazptr_guard *rest = g->rest ? g->rest : g;
	struct hazptr_seen_ seen = { *ptr, g->slot };
	struct hazptr_slot *slot = hazptr_guard_slot_(seen.slot);
	uintptr_t expected = *ptr;

	if (hazptr_unlikely_(!slot)) {
		seen = hazptr_try_protect_slow_(rest, seen.slot, expected, src);
	} else if (hazptr_slot_validate_(slot, expected, &seen.word, src) &&
		   expected) {
		seen.slot = hazptr_place_(slot);
	} else {
		hazptr_slot_release_(slot);
		seen.slot = 0;
	}
	g->slot = seen.slot;
	*ptr = seen.word;
	return seen.word == expected;
}

HAZPTR_INLINE_ void hazptr_hold_word_(struct hazptr_guard *g, uintptr_t object)
{
	struct hazptr_guard *rest = g->rest ? g->rest : g;
	struct hazptr_slot *slot = hazptr_guard_slot_(g->slot);

	if (hazptr_unlikely_(!slot || !object)) {
		g->slot = hazptr_hold_slow_(rest, g->slot, object);
		return;
	}
	/* order HP2: after all uses of what stood there; pairs with HP8 */
	hazptr_store_(&slot->value, object, release);
	g->slot = hazptr_place_(slot);
}

/**
 * hazptr_protect_tagged - protect the object that a marked link leads to
 * @g: the guard; what it kept is dropped
 * @src: the link: an address with flags in some of its low bits
 * @tag_mask: the bits that are flags
 *
 * The slot holds the address without its flags; the comparison is on the whole
 * word, so a link that becomes marked is read again.
 *
 * Context, Order: as hazptr_protect().
 * Return: the word as it stood in *src, flags and all.
 */
HAZPTR_INLINE_ uintptr_t hazptr_protect_tagged(struct hazptr_guard *g,
					       const uintptr_t *src,
					       uintptr_t tag_mask)
{
	return hazptr_protect_word_(g, (const hazptr_word_ *)src, tag_mask);
}

/**
 * hazptr_swap - exchange what two guards keep
 * @a: a guard of this thread
 * @b: another
 *
 * The guards exchange their slots; no address moves from one slot to another,
 * so a scan that runs meanwhile misses neither.
 *
 * Context: the guards' thread; signal-safe; wait-free but for embedded slots.
 * Order: none.
 */
void hazptr_swap(struct hazptr_guard *a, struct hazptr_guard *b);

/**
 * hazptr_detach - let any thread release the guard
 * @g: a guard of this thread; empty is allowed
 *
 * From now on one thread at a time may release it, whichever it is, also after
 * this thread has ended. The hand-over itself (how the other thread learns of
 * the guard) must be ordered by the caller. It may be released but not used to
 * protect again before that.
 *
 * Context: the guard's thread, not in a signal handler (which leaves no guard
 * behind); wait-free but for an embedded slot.
 */
void hazptr_detach(struct hazptr_guard *g);

/**
 * HAZPTR_GUARD - declare a guard that is released at the end of its scope
 */
#define HAZPTR_GUARD(name)                                                \
	struct hazptr_guard name##_rest_;                                 \
	struct hazptr_guard name                                          \
		__attribute__((__cleanup__(hazptr_release), __unused__)); \
	name.slot = 0;                                                    \
	name.rest = &name##_rest_

#ifdef __cplusplus
} /* extern "C" */

template <typename T>
HAZPTR_INLINE_ T *hazptr_protect(struct hazptr_guard *g, T *const *src)
{
	return reinterpret_cast<T *>(hazptr_protect_word_(
		g, reinterpret_cast<const hazptr_word_ *>(src), 0));
}

template <typename T>
HAZPTR_INLINE_ bool hazptr_try_protect(struct hazptr_guard *g, T **ptr,
				       T *const *src)
{
	uintptr_t word = reinterpret_cast<uintptr_t>(*ptr);
	bool same = hazptr_try_protect_word_(
		g, &word, reinterpret_cast<const hazptr_word_ *>(src));

	*ptr = reinterpret_cast<T *>(word);
	return same;
}

HAZPTR_INLINE_ void hazptr_hold(struct hazptr_guard *g, const void *object)
{
	hazptr_hold_word_(g, reinterpret_cast<uintptr_t>(object));
}

#else

/**
 * hazptr_protect - load a pointer and keep alive what it leads to
 * @g: the guard; what it kept is dropped
 * @src: T *const *: where the pointer stands
 *
 * Tries again until the pointer did not change between the load and the moment
 * when the guard was visible.
 *
 * Context: any thread; lock-free (each further turn means that a writer made
 * progress); signal-safe on a thread that is registered (has used the library
 * before); may nest to any depth.
 * Order: acquire: the object is seen as it was when it was published.
 * Return: the object, T *; NULL when *src was NULL, and the guard is empty.
 */
#define hazptr_protect(g, src) \
	((__typeof__(*(src)))hazptr_protect_word_((g), hazptr_source_(src), 0))

/**
 * hazptr_try_protect - one attempt, as in C++26
 * @g: the guard; what it kept is dropped
 * @ptr: T **: in: the object that is expected there; out: what was seen
 * @src: T *const *: where the pointer stands
 *
 * Context, Order: as hazptr_protect(); wait-free.
 * Return: true when *src still was *ptr; then the guard keeps it (an expected
 * NULL that is seen again returns true and leaves the guard empty). False: the
 * guard is empty.
 */
#define hazptr_try_protect(g, ptr, src)                           \
	__extension__({                                           \
		__typeof__(*(ptr)) *hazptr_ptr_ = (ptr);          \
		uintptr_t hazptr_seen_ = (uintptr_t)*hazptr_ptr_; \
		bool hazptr_same_ = hazptr_try_protect_word_(     \
			(g), &hazptr_seen_, hazptr_source_(src)); \
		*hazptr_ptr_ = (__typeof__(*(ptr)))hazptr_seen_;  \
		hazptr_same_;                                     \
	})

/* The address of a pointer, as words; anything else does not compile. */
#define hazptr_source_(src)                                        \
	((const hazptr_word_ *)((void)sizeof(*(src) == (void *)0), \
				(const void *)(src)))

/**
 * hazptr_hold - keep alive an object that cannot go away at this moment
 * @g: the guard; what it kept is dropped
 * @object: the object; NULL releases
 *
 * For objects that the caller owns, or has under a lock that whoever retires
 * them must take, or has counted a reference to. That another guard keeps it
 * is NOT enough: the object may be retired already, and a scan may pass this
 * guard before and the other one after. Use hazptr_swap(), or protect again.
 *
 * Context: as hazptr_protect(); wait-free.
 * Order: none; what keeps the object until now orders the guard before the
 * retirement.
 */
HAZPTR_INLINE_ void hazptr_hold(struct hazptr_guard *g, const void *object)
{
	hazptr_hold_word_(g, (uintptr_t)object);
}

#endif /* __cplusplus */

#ifdef HAZPTR_DEBUG
/* The same, and the library hears of it: hazptr/debug.h. */

HAZPTR_INLINE_ uintptr_t hazptr_protect_at_(struct hazptr_guard *g,
					    const hazptr_word_ *src,
					    uintptr_t tag_mask,
					    const char *place)
{
	uintptr_t word;

	hazptr_debug_drop_(g->slot, "hazptr_protect");
	word = hazptr_protect_word_(g, src, tag_mask);
	hazptr_debug_protected_(g->slot, src, word, tag_mask, place);
	return word;
}

HAZPTR_INLINE_ bool hazptr_try_protect_at_(struct hazptr_guard *g,
					   uintptr_t *ptr,
					   const hazptr_word_ *src,
					   const char *place)
{
	bool same;

	hazptr_debug_drop_(g->slot, "hazptr_try_protect");
	same = hazptr_try_protect_word_(g, ptr, src);
	hazptr_debug_protected_(g->slot, src, *ptr, 0, place);
	return same;
}

HAZPTR_INLINE_ void hazptr_hold_at_(struct hazptr_guard *g, const void *object,
				    const char *place)
{
	hazptr_debug_drop_(g->slot, "hazptr_hold");
	hazptr_hold_word_(g, (uintptr_t)object);
	hazptr_debug_protected_(g->slot, NULL, (uintptr_t)object, 0, place);
}

#ifdef __cplusplus

template <typename T>
HAZPTR_INLINE_ T *hazptr_protect_from_(struct hazptr_guard *g, T *const *src,
				       const char *place)
{
	return reinterpret_cast<T *>(hazptr_protect_at_(
		g, reinterpret_cast<const hazptr_word_ *>(src), 0, place));
}

template <typename T>
HAZPTR_INLINE_ bool hazptr_try_protect_from_(struct hazptr_guard *g, T **ptr,
					     T *const *src, const char *place)
{
	uintptr_t word = reinterpret_cast<uintptr_t>(*ptr);
	bool same = hazptr_try_protect_at_(
		g, &word, reinterpret_cast<const hazptr_word_ *>(src), place);

	*ptr = reinterpret_cast<T *>(word);
	return same;
}

#define hazptr_protect(g, src) hazptr_protect_from_((g), (src), HAZPTR_HERE_)
#define hazptr_try_protect(g, ptr, src) \
	hazptr_try_protect_from_((g), (ptr), (src), HAZPTR_HERE_)

#else

#undef hazptr_protect
#undef hazptr_try_protect
#define hazptr_protect(g, src)                                               \
	((__typeof__(*(src)))hazptr_protect_at_((g), hazptr_source_(src), 0, \
						HAZPTR_HERE_))
#define hazptr_try_protect(g, ptr, src)                           \
	__extension__({                                           \
		__typeof__(*(ptr)) *hazptr_ptr_ = (ptr);          \
		uintptr_t hazptr_seen_ = (uintptr_t)*hazptr_ptr_; \
		bool hazptr_same_ = hazptr_try_protect_at_(       \
			(g), &hazptr_seen_, hazptr_source_(src),  \
			HAZPTR_HERE_);                            \
		*hazptr_ptr_ = (__typeof__(*(ptr)))hazptr_seen_;  \
		hazptr_same_;                                     \
	})

#endif /* __cplusplus */

#define hazptr_protect_tagged(g, src, tag_mask)                          \
	hazptr_protect_at_((g), (const hazptr_word_ *)(src), (tag_mask), \
			   HAZPTR_HERE_)
#define hazptr_hold(g, object) hazptr_hold_at_((g), (object), HAZPTR_HERE_)
#endif /* HAZPTR_DEBUG */

#endif /* HAZPTR_GUARD_H */
