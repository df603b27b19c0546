/* SPDX-License-Identifier: MIT */
/* tests/fault/parking.h - the private futex hash and its locks, all of it */
#ifndef HAZPTR_TESTS_FAULT_PARKING_H
#define HAZPTR_TESTS_FAULT_PARKING_H

#include "fault.h"

/*
 * Every call of futex.h, park.h and the locks, with threads that sleep and are
 * woken by them; nobody may be lost. False in @memory: resizes may fail.
 */
void parking_use(bool memory);

struct timespec parking_deadline(unsigned ms);

/* For `prepare`: the policies that are chosen by the environment. */
bool parking_by_guard(void);
bool parking_by_count(void);
bool parking_asymmetric(void);
bool parking_by_count_asymmetric(void);

#endif /* HAZPTR_TESTS_FAULT_PARKING_H */
