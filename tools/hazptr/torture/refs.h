/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/refs.h - what refs.c and rcu.c share */
#ifndef HAZPTR_TORTURE_REFS_H
#define HAZPTR_TORTURE_REFS_H

#include "torture.h"

/* The tool's own count. */
void hold(struct obj *o);
void unhold(struct obj *o);
/* The last reference is gone; readers may be between guard and get. */
void end_counted(struct obj *o);

void refs_read_mail(void);

void rcu_begin(void);
void rcu_leave(void);
void rcu_give(void);
void rcu_get(void);
void rcu_put(void);
void rcu_unplug(void);
void rcu_reuse(void);

#endif /* HAZPTR_TORTURE_REFS_H */
