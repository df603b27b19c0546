/* SPDX-License-Identifier: MIT */
/*
 * hazptr/debug.h - who holds this object?
 *
 * Mistakes with guards are silent: an object that is never freed because a
 * guard was forgotten, or one that is freed while a pointer still leads to it.
 * Two switches make the library speak.
 *
 *	cc -DHAZPTR_DEBUG ...		in any of your files
 *	HAZPTR_DEBUG=1 ./program	in the environment, for any program
 *
 * In a file that is compiled with -DHAZPTR_DEBUG the calls of guard.h and
 * retire.h tell the library where they stand. Then
 * - a guard that is released by another thread aborts (hazptr_detach() first);
 * - an object that is retired twice aborts at the second time, and both places
 *   are named;
 * - an object that is protected after it was retired is reported: some pointer
 *   still leads to it. Both places are named;
 * - every report says where the object was protected and where it was retired.
 * Files with and without it can be mixed, and pass guards to each other.
 *
 * With HAZPTR_DEBUG=1 in the environment, also of a program that knows nothing
 * of it, a reader that keeps a retired object, or a hazptr_synchronize(), for
 * longer than HAZPTR_DEBUG_STALL_MS (1000; 0: never) is reported: which object,
 * in which domain, which thread, which slot. So is each release by another
 * thread that goes through the library. set-user-ID programs ignore both.
 *
 * Each thing is said once, in one line on stderr. hazptr_domain_dump() says at
 * any time what is held, and by whom.
 *
 * Where a file is compiled with -DHAZPTR_DEBUG, its text is named in reports:
 * a plug-in stays loaded while its guards are held or its objects wait.
 *
 * Cost: nothing without the two. A protect with -DHAZPTR_DEBUG: the time of
 * day and two look-ups, 0.1 to 0.3 us.
 */
#ifndef HAZPTR_DEBUG_H
#define HAZPTR_DEBUG_H

#include <hazptr/atomic.h>

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef HAZPTR_DEBUG
#define HAZPTR_DEBUG_ 1
#else
#define HAZPTR_DEBUG_ 0
#endif

/* A place in a file, as one word. */
#define HAZPTR_HERE_ __FILE__ ":" HAZPTR_TEXT_(__LINE__)
#define HAZPTR_TEXT_(line) HAZPTR_TEXT_OF_(line)
#define HAZPTR_TEXT_OF_(line) #line

struct hazptr_head;

/* What a guard has in `slot` keeps the object of @word; it was found in @src,
 * NULL: it was held. */
void hazptr_debug_protected_(uintptr_t slot, const hazptr_word_ *src,
			     uintptr_t word, uintptr_t tag_mask,
			     const char *place);
/* ... is given up, by @call; NULL: any thread may. */
void hazptr_debug_drop_(uintptr_t slot, const char *call);
/* An object is about to be retired; @size 0: unknown. */
void hazptr_debug_retire_(const void *object, size_t size, const char *place);
void hazptr_debug_retire_list_(const struct hazptr_head *first,
			       const struct hazptr_head *last,
			       const char *place);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_DEBUG_H */
