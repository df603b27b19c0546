/* SPDX-License-Identifier: MIT */
/*
 * sync/sync.h - what the locks share
 *
 *	mutex.c	cond.c	sem.c	rwlock.c	one for each public header
 */
#ifndef HAZPTR_SYNC_H
#define HAZPTR_SYNC_H

#undef HAZPTR_DEBUG /* is for files of the user's */
#include <hazptr/cond.h>
#include <hazptr/mutex.h>
#include <hazptr/rwlock.h>
#include <hazptr/sem.h>

#include "../park/park.h"

/* The token of who has been given the lock, and need not ask for it. */
#define HANDED_OVER 1
/* The token of who is the one on the way to the mutex: its WOKEN. */
#define ON_THE_WAY 2

/* @woken: it is the one on the way */
int hazptr_mutex_lock_more_(struct hazptr_mutex *m,
			    const struct timespec *deadline, const char *call,
			    bool debug, bool woken);
/* With its queue locked. False: it is free, and no mark was set. */
bool hazptr_mutex_mark_(struct hazptr_mutex *m);
void hazptr_mutex_mark_always_(struct hazptr_mutex *m);
int hazptr_mutex_received_(struct hazptr_mutex *m, bool debug);

#endif /* HAZPTR_SYNC_H */
