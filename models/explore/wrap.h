/* SPDX-License-Identifier: MIT */
/*
 * explore/wrap.h - included before each file that is explored
 *
 * Calls that fence carry a label where they are called, so they become macros
 * that know the place. What libc writes into shared memory is told to the race
 * detector.
 */
#ifndef EX_WRAP_H
#define EX_WRAP_H

#include <hazptr/fence.h>

#include <string.h>

void ex_heavy(struct ex_site *s);
void ex_light_begin(struct ex_site *s);
void ex_light_end(void);
void *ex_memset(void *p, int c, size_t n);
void *ex_memcpy(void *p, const void *q, size_t n);

static inline void ex_light_(struct ex_site *s)
{
	ex_light_begin(s);
	hazptr_fence_light();
	ex_light_end();
}

#define hazptr_fence_heavy()                       \
	__extension__({                            \
		EX_SITE_(HEAVY, seq_cst, relaxed); \
		ex_heavy(&ex_site_);               \
	})
#define hazptr_fence_light()                        \
	__extension__({                             \
		EX_SITE_(LIGHT, compiler, relaxed); \
		ex_light_(&ex_site_);               \
	})

#undef memset
#undef memcpy
#define memset ex_memset
#define memcpy ex_memcpy

#endif /* EX_WRAP_H */
