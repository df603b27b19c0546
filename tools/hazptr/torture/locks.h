/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/locks.h - what locks.c and handover.c share */
#ifndef HAZPTR_TORTURE_LOCKS_H
#define HAZPTR_TORTURE_LOCKS_H

#include "torture.h"

/* handover.c: helpers that wait for each other, without a deadline */
void produce(unsigned i);
void consume(unsigned i);
void ping_pong(unsigned i);
void handover_check(void);
extern struct op locks_ops[];
enum { RING, PING, FIRST_LOCK };

#endif /* HAZPTR_TORTURE_LOCKS_H */
