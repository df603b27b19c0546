/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/actor.h - a second thread that does one thing at a time
 *
 * Two threads in lock-step: whoever asks waits until it is done, so a sequence
 * of calls in both has one meaning.
 */
#ifndef HAZPTR_TESTS_FUZZ_ACTOR_H
#define HAZPTR_TESTS_FUZZ_ACTOR_H

#include "fuzz.h"

#include <pthread.h>
#include <semaphore.h>

static struct {
	pthread_t thread;
	sem_t go, done;
	void (*call)(void *arg); /* NULL: end */
	void *arg;
	bool runs;
} actor;

static void *actor_run(void *arg)
{
	for (;;) {
		while (sem_wait(&actor.go))
			;
		if (!actor.call)
			return arg;
		actor.call(actor.arg);
		sem_post(&actor.done);
	}
}

/* In the second thread, which begins with its first call. */
static void actor_do(void (*call)(void *arg), void *arg)
{
	if (!actor.runs) {
		must(!sem_init(&actor.go, 0, 0) &&
		     !sem_init(&actor.done, 0, 0));
		must(!pthread_create(&actor.thread, NULL, actor_run, NULL));
		actor.runs = true;
	}
	actor.call = call;
	actor.arg = arg;
	sem_post(&actor.go);
	while (sem_wait(&actor.done))
		;
}

static inline void actor_end(void)
{
	if (!actor.runs)
		return;
	actor.call = NULL;
	sem_post(&actor.go);
	must(!pthread_join(actor.thread, NULL));
	sem_destroy(&actor.go);
	sem_destroy(&actor.done);
	actor.runs = false;
}

#endif /* HAZPTR_TESTS_FUZZ_ACTOR_H */
