/* SPDX-License-Identifier: MIT */
/*
 * workqueue/hazptr_queue.c - a bounded queue with two condition variables
 *
 * The file to read first. Who puts waits while the queue is full, who takes
 * while it is empty; each has a condition variable of its own, so that a signal
 * never reaches somebody who cannot use it. Zeroed memory is all that a mutex
 * and a condition variable need.
 */
#include "work.h"

#include <hazptr/cond.h>
#include <hazptr/mutex.h>

static struct {
	struct hazptr_mutex lock;
	struct hazptr_cond not_full;
	struct hazptr_cond not_empty;
	unsigned head; /* jobs ever put */
	unsigned tail; /* jobs ever taken */
	struct job job[QUEUE_LENGTH];
} q;

static void put(const struct job *job)
{
	hazptr_mutex_lock(&q.lock);
	while (q.head - q.tail == QUEUE_LENGTH)
		hazptr_cond_wait(&q.not_full, &q.lock);
	q.job[q.head++ % QUEUE_LENGTH] = *job;
	hazptr_mutex_unlock(&q.lock);
	hazptr_cond_signal(&q.not_empty);
}

static void take(struct job *job)
{
	hazptr_mutex_lock(&q.lock);
	while (q.head == q.tail)
		hazptr_cond_wait(&q.not_empty, &q.lock);
	*job = q.job[q.tail++ % QUEUE_LENGTH];
	hazptr_mutex_unlock(&q.lock);
	hazptr_cond_signal(&q.not_full);
}

const struct queue hazptr_queue = { "hazptr", put, take };
