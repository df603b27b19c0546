/* SPDX-License-Identifier: MIT */
/* workqueue/pthread_queue.c - the same queue with the C library's locks */
#include "work.h"

#include <pthread.h>

static struct {
	pthread_mutex_t lock;
	pthread_cond_t not_full;
	pthread_cond_t not_empty;
	unsigned head;
	unsigned tail;
	struct job job[QUEUE_LENGTH];
} q = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.not_full = PTHREAD_COND_INITIALIZER,
	.not_empty = PTHREAD_COND_INITIALIZER,
};

static void put(const struct job *job)
{
	pthread_mutex_lock(&q.lock);
	while (q.head - q.tail == QUEUE_LENGTH)
		pthread_cond_wait(&q.not_full, &q.lock);
	q.job[q.head++ % QUEUE_LENGTH] = *job;
	pthread_mutex_unlock(&q.lock);
	pthread_cond_signal(&q.not_empty);
}

static void take(struct job *job)
{
	pthread_mutex_lock(&q.lock);
	while (q.head == q.tail)
		pthread_cond_wait(&q.not_empty, &q.lock);
	*job = q.job[q.tail++ % QUEUE_LENGTH];
	pthread_mutex_unlock(&q.lock);
	pthread_cond_signal(&q.not_full);
}

const struct queue pthread_queue = { "pthread", put, take };
