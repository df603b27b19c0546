/* SPDX-License-Identifier: MIT */
/*
 * hazptr/context.h - explicit sets of slots: for a task, a fiber, a CPU
 *
 * Guards take their slots from the context that their thread uses, by default
 * its own. A program that runs many tasks on one thread gives each task a
 * context and switches with it, so that a task that moves to another thread
 * finds its slots there:
 *
 *	struct hazptr_context *before = hazptr_context_switch(&task->context);
 *	run(task);
 *	hazptr_context_switch(before);
 *
 * Slots can also be used one by one, without guards, as in the kernel patches
 * that this library grew from:
 *
 *	struct hazptr_slot *s = hazptr_slot_alloc(&context);
 *	struct route *r = hazptr_slot_protect(s, &route);
 *	...
 *	hazptr_slot_clear(s);
 *	hazptr_slot_free(&context, s);
 *
 * Duties that nobody checks: one thread at a time uses a context; a slot is
 * protected, cleared and freed by one thread at a time; after
 * hazptr_context_cleanup() no guard that was taken in the context is touched.
 */
#ifndef HAZPTR_CONTEXT_H
#define HAZPTR_CONTEXT_H

#include <hazptr/fence.h>
#include <hazptr/guard.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct hazptr_context - a set of HAZPTR_CONTEXT_SLOTS slots */
struct hazptr_context {
	struct hazptr_record_ *record;
};

/* What a slot holds that is allocated and protects nothing. */
#define HAZPTR_SLOT_IDLE_ ((uintptr_t)2)

/**
 * hazptr_context_init - make a context
 *
 * Context: any thread; may allocate; not signal-safe.
 * Return: 0, or -ENOMEM.
 */
int hazptr_context_init(struct hazptr_context *c);

/**
 * hazptr_context_cleanup - drop everything that it protects, and its slots
 *
 * Aborts when a thread uses the context at the moment.
 *
 * Context: any thread; not signal-safe.
 * Order: release, for every slot.
 */
void hazptr_context_cleanup(struct hazptr_context *c);

/**
 * hazptr_context_switch - the guards of this thread now use @c
 * @c: a context, or NULL for the thread's own
 *
 * Guards that are held stay valid and keep their slots. Aborts when another
 * thread uses @c.
 *
 * Context: any thread; registers it; not signal-safe.
 * Return: the context used until now, NULL for the thread's own.
 */
struct hazptr_context *hazptr_context_switch(struct hazptr_context *c);

/**
 * hazptr_slot_alloc - take a slot
 * @c: a context that this thread uses or that no thread uses; NULL for the
 * thread's own
 *
 * Context: any registered thread; wait-free; signal-safe.
 * Return: the slot, protecting nothing; NULL when all are taken.
 */
struct hazptr_slot *hazptr_slot_alloc(struct hazptr_context *c);

/**
 * hazptr_slot_free - give a slot back
 * @c: the context that it came from; @s: the slot, or NULL
 *
 * Drops what the slot protects. Aborts when @s is no slot of @c, or is free.
 *
 * Context: wait-free; signal-safe.
 * Order: release.
 */
void hazptr_slot_free(struct hazptr_context *c, struct hazptr_slot *s);

uintptr_t hazptr_slot_protect_slow_(struct hazptr_slot *s,
				    const hazptr_word_ *src);
uintptr_t hazptr_slot_try_protect_slow_(struct hazptr_slot *s,
					const hazptr_word_ *src);
void hazptr_slot_clear_slow_(struct hazptr_slot *s);

/**
 * hazptr_slot_clear - protect nothing; the slot stays allocated
 *
 * Context: wait-free; signal-safe.
 * Order: release.
 */
static inline void hazptr_slot_clear(struct hazptr_slot *s)
{
	if (HAZPTR_DEBUG_)
		hazptr_debug_drop_((uintptr_t)s, NULL);
	if (hazptr_unlikely_(hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER)) {
		hazptr_slot_clear_slow_(s);
		return;
	}
	/* order HP6: all uses before the slot is seen free; pairs with HP8 */
	hazptr_store_(&s->value, HAZPTR_SLOT_IDLE_, release);
}

static inline uintptr_t hazptr_slot_protect_word_(struct hazptr_slot *s,
						  const hazptr_word_ *src)
{
	uintptr_t word;

	if (hazptr_unlikely_(hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER))
		return hazptr_slot_protect_slow_(s, src);
	word = hazptr_load_(src, relaxed); /* order HP5: a guess; HP4 decides */
	do {
		if (!word) {
			hazptr_slot_clear(s);
			return 0;
		}
	} while (!hazptr_slot_validate_(s, word, &word, src));
	return word;
}

static inline uintptr_t hazptr_slot_try_protect_word_(struct hazptr_slot *s,
						      const hazptr_word_ *src)
{
	uintptr_t word;

	if (hazptr_unlikely_(hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER))
		return hazptr_slot_try_protect_slow_(s, src);
	word = hazptr_load_(src, relaxed); /* order HP5: a guess; HP4 decides */
	if (word && hazptr_slot_validate_(s, word, &word, src))
		return word;
	hazptr_slot_clear(s);
	return 0;
}

#ifdef __cplusplus
} /* extern "C" */

template <typename T>
static inline T *hazptr_slot_protect(struct hazptr_slot *s, T *const *src)
{
	return reinterpret_cast<T *>(hazptr_slot_protect_word_(
		s, reinterpret_cast<const hazptr_word_ *>(src)));
}

template <typename T>
static inline T *hazptr_slot_try_protect(struct hazptr_slot *s, T *const *src)
{
	return reinterpret_cast<T *>(hazptr_slot_try_protect_word_(
		s, reinterpret_cast<const hazptr_word_ *>(src)));
}

#else

/**
 * hazptr_slot_protect - load a pointer and keep alive what it leads to
 * @s: an allocated slot; what it protected is dropped
 * @src: T *const *: where the pointer stands
 *
 * Context: lock-free; signal-safe.
 * Order: acquire, as hazptr_protect().
 * Return: the object, T *; NULL when *src was NULL.
 */
#define hazptr_slot_protect(s, src)                         \
	((__typeof__(*(src)))hazptr_slot_protect_word_((s), \
						       hazptr_source_(src)))

/**
 * hazptr_slot_try_protect - one attempt
 *
 * Context: wait-free; signal-safe.
 * Order: acquire.
 * Return: the object; NULL when *src was NULL or changed meanwhile, and then
 * the slot protects nothing.
 */
#define hazptr_slot_try_protect(s, src)                     \
	((__typeof__(*(src)))hazptr_slot_try_protect_word_( \
		(s), hazptr_source_(src)))

#endif /* __cplusplus */

#ifdef HAZPTR_DEBUG
/* The same, and the library hears of it: hazptr/debug.h. */

static inline uintptr_t hazptr_slot_protect_at_(struct hazptr_slot *s,
						const hazptr_word_ *src,
						const char *place)
{
	uintptr_t word = hazptr_slot_protect_word_(s, src);

	hazptr_debug_protected_((uintptr_t)s, src, word, 0, place);
	return word;
}

static inline uintptr_t hazptr_slot_try_protect_at_(struct hazptr_slot *s,
						    const hazptr_word_ *src,
						    const char *place)
{
	uintptr_t word = hazptr_slot_try_protect_word_(s, src);

	hazptr_debug_protected_((uintptr_t)s, src, word, 0, place);
	return word;
}

#ifdef __cplusplus

template <typename T>
static inline T *hazptr_slot_protect_from_(struct hazptr_slot *s, T *const *src,
					   const char *place)
{
	return reinterpret_cast<T *>(hazptr_slot_protect_at_(
		s, reinterpret_cast<const hazptr_word_ *>(src), place));
}

template <typename T>
static inline T *hazptr_slot_try_protect_from_(struct hazptr_slot *s,
					       T *const *src, const char *place)
{
	return reinterpret_cast<T *>(hazptr_slot_try_protect_at_(
		s, reinterpret_cast<const hazptr_word_ *>(src), place));
}

#define hazptr_slot_protect(s, src) \
	hazptr_slot_protect_from_((s), (src), HAZPTR_HERE_)
#define hazptr_slot_try_protect(s, src) \
	hazptr_slot_try_protect_from_((s), (src), HAZPTR_HERE_)

#else

#undef hazptr_slot_protect
#undef hazptr_slot_try_protect
#define hazptr_slot_protect(s, src)                                            \
	((__typeof__(*(src)))hazptr_slot_protect_at_((s), hazptr_source_(src), \
						     HAZPTR_HERE_))
#define hazptr_slot_try_protect(s, src)                   \
	((__typeof__(*(src)))hazptr_slot_try_protect_at_( \
		(s), hazptr_source_(src), HAZPTR_HERE_))

#endif /* __cplusplus */
#endif /* HAZPTR_DEBUG */

#endif /* HAZPTR_CONTEXT_H */
