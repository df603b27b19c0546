/* SPDX-License-Identifier: MIT */
/* tests/unit/debug_plain.h - what debug_plain.c has */
#ifndef HAZPTR_TESTS_UNIT_DEBUG_PLAIN_H
#define HAZPTR_TESTS_UNIT_DEBUG_PLAIN_H

#include <hazptr/guard.h>
#include <hazptr/retire.h>

#ifdef __cplusplus
extern "C" {
#endif

void *plain_protect(struct hazptr_guard *g, void **source);
void plain_hold(struct hazptr_guard *g, void *object);
void plain_release(struct hazptr_guard *g);
void plain_retire(struct hazptr_domain *d, struct hazptr_head *head,
		  void *object, hazptr_reclaim_fn reclaim);

#ifdef __cplusplus
}
#endif

#endif /* HAZPTR_TESTS_UNIT_DEBUG_PLAIN_H */
