/* SPDX-License-Identifier: MIT */
/*
 * hazptr/hazptr.h - everything, and where to begin
 *
 * The problem. A thread loads a pointer that all threads share, and follows
 * it. Between the two steps another thread may replace the object and free it.
 * Locks and shared reference counts prevent that at the price of a written
 * cache line per read; read-copy-update prevents it for nothing, but frees
 * nothing as long as one reader sleeps.
 *
 * Hazard pointers let each reader say which object it is looking at. The
 * statement is one store to a word of the reader's own; whoever frees looks at
 * all such words first, once for a thousand objects. A reader that sleeps for
 * an hour keeps one object alive, not everything.
 *
 * The life of an object
 *
 *	published --unlink--> unpublished --retire--> retired --> reclaimed
 *
 * A guard that took hold while the object was published keeps it from the last
 * step. Unlink, retire and reclaim are the updater's; guards are the reader's.
 *
 * Read in this order
 *	hazptr/guard.h		keep one object alive while you look at it
 *	hazptr/retire.h		free an object when nobody looks any more
 *	hazptr/domain.h		who reclaims, when, and how much may wait
 *	hazptr/shared.h		objects that live as long as somebody has them
 *	hazptr/thread_shared.h	such a reference that touches no count
 *	hazptr/ref.h		reference counts, and how to get one
 *	hazptr/futex.h		wait at a word, and wake who waits there
 *	hazptr/park.h		the same for authors of locks
 *	hazptr/mutex.h		a lock of four bytes; cond.h, sem.h, rwlock.h
 *	hazptr/context.h	explicit sets of slots, for tasks and fibers
 *	hazptr/debug.h		who holds this object?
 *	hazptr/fence.h		the asymmetric fence below it all
 *	hazptr/atomic.h		the one door for atomic accesses
 *
 * When not to use it: readers that visit thousands of objects in one operation
 * pay two stores for each, where RCU pays nothing; an object that every reader
 * keeps for long is better counted; data that never changes needs none of it.
 */
#ifndef HAZPTR_HAZPTR_H
#define HAZPTR_HAZPTR_H

#define HAZPTR_VERSION_MAJOR 0
#define HAZPTR_VERSION_MINOR 1
#define HAZPTR_VERSION_PATCH 0

#include <hazptr/cond.h>
#include <hazptr/context.h>
#include <hazptr/debug.h>
#include <hazptr/domain.h>
#include <hazptr/fence.h>
#include <hazptr/futex.h>
#include <hazptr/guard.h>
#include <hazptr/mutex.h>
#include <hazptr/park.h>
#include <hazptr/ref.h>
#include <hazptr/retire.h>
#include <hazptr/rwlock.h>
#include <hazptr/sem.h>
#include <hazptr/shared.h>
#include <hazptr/thread_shared.h>

#endif /* HAZPTR_HAZPTR_H */
