/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/futex.h - what futex.c knows: threads that sleep, and the model
 *
 * A sleeper is told to wait, and whoever told it goes on once it stands in its
 * queues (a test point of the library says so) or has returned. The model is
 * one list of who stands where, in the order in which they came: at words 0 to
 * WORDS - 1, and at keys from there on.
 */
#ifndef HAZPTR_TESTS_FUZZ_FUTEX_H
#define HAZPTR_TESTS_FUZZ_FUTEX_H

#include "fuzz.h"

#include "../../src/port/port.h"
#include <hazptr/hazptr.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

enum { WORDS = 4, KEYS = 3, SLEEPERS = 6, VECTOR = 4 };
enum { ENTRIES = SLEEPERS * VECTOR };

static const struct timespec past = { 1, 0 }, wrong = { 1, 1000000000 };

enum how { WAIT, WAITV, PARK, QUIT };

struct order {
	enum how how;
	unsigned n; /* of WAITV */
	unsigned at[VECTOR];
	uint32_t expected[VECTOR];
	uint32_t bitset;
	bool invalid;  /* PARK: what validate says */
	bool was_last; /* PARK: what timed_out was told */
	const struct timespec *deadline;
};

static struct sleeper {
	pthread_t thread;
	sem_t go, ready, done;
	struct order order;
	unsigned seen;
	bool queued; /* it stood in all of its queues */
	bool sleeps; /* the model's */
	int result;
} sleepers[SLEEPERS];

struct entry {
	struct sleeper *sleeper;
	unsigned index; /* in its vector */
	unsigned at;
	uint32_t bitset;
};

static struct {
	uint32_t words[WORDS];
	char keys[KEYS];
	struct entry entries[ENTRIES];
	unsigned n;
} m;

/* ---- the threads ---- */

static __thread struct sleeper *self;

static void at_point(const char *point)
{
	if (!self)
		return;
	if (!strcmp(point, "waitv:queued") && ++self->seen != self->order.n)
		return;
	if (strcmp(point, "waitv:queued") && strcmp(point, "wait:queued") &&
	    strcmp(point, "park:queued"))
		return;
	self->queued = true;
	sem_post(&self->ready);
}

static bool validate(void *arg)
{
	return !((struct sleeper *)arg)->order.invalid;
}

static void timed_out(void *arg, const void *key, bool was_last)
{
	struct sleeper *s = arg;

	must(key == &m.keys[s->order.at[0] - WORDS]);
	s->order.was_last = was_last;
}

static int carry_out(struct sleeper *s)
{
	struct hazptr_futex_waitv v[VECTOR];
	const struct order *o = &s->order;

	if (o->how == PARK)
		return hazptr_park(&m.keys[o->at[0] - WORDS], validate, NULL,
				   timed_out, s, o->deadline);
	if (o->how == WAIT)
		return hazptr_futex_wait_bitset(&m.words[o->at[0]],
						o->expected[0], o->deadline,
						o->bitset);
	for (unsigned i = 0; i < o->n; i++) {
		v[i].addr = &m.words[o->at[i]];
		v[i].expected = o->expected[i];
	}
	return hazptr_futex_waitv(v, o->n, o->deadline);
}

static void await(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	for (;;) {
		await(&s->go);
		if (s->order.how == QUIT)
			return NULL;
		s->seen = 0;
		s->queued = false;
		self = s;
		s->result = carry_out(s);
		self = NULL;
		sem_post(s->queued ? &s->done : &s->ready);
	}
}

static void start_sleepers(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	hazptr_test_point_ = at_point;
	for (int i = 0; i < SLEEPERS; i++) {
		struct sleeper *s = &sleepers[i];

		must(!sem_init(&s->go, 0, 0) && !sem_init(&s->ready, 0, 0) &&
		     !sem_init(&s->done, 0, 0));
		must(!pthread_create(&s->thread, NULL, sleeper_run, s));
	}
}

/* ---- the model ---- */

static void append(struct entry e)
{
	must(m.n < ENTRIES);
	m.entries[m.n++] = e;
}

static void remove_entry(unsigned i)
{
	m.n--;
	memmove(&m.entries[i], &m.entries[i + 1],
		(m.n - i) * sizeof(m.entries[0]));
}

static unsigned count_at(unsigned at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m.n; i++)
		n += m.entries[i].at == at;
	return n;
}

/* Those that a call has taken: how many, and the result each will have. */
struct woken {
	int n;
	int result[SLEEPERS]; /* -1: it sleeps on */
};

static void woken_init(struct woken *w)
{
	w->n = 0;
	for (int i = 0; i < SLEEPERS; i++)
		w->result[i] = -1;
}

/* Up to @n of those there; @token: what a parked one will return. */
static int model_wake(struct woken *w, unsigned at, int n, uint32_t bitset,
		      int token)
{
	unsigned i = 0;
	int taken = 0;

	while (i < m.n && taken < n) {
		struct entry e = m.entries[i];
		int *result = &w->result[e.sleeper - sleepers];
		int now = at >= WORDS ? token : (int)e.index;

		if (e.at != at || !(e.bitset & bitset)) {
			i++;
			continue;
		}
		if (*result < 0 || now < *result)
			*result = now;
		remove_entry(i);
		taken++;
	}
	w->n += taken;
	return taken;
}

static int model_move(unsigned at, int n, unsigned to)
{
	unsigned i = 0, all = m.n;
	int moved = 0;

	for (; all && moved < n; all--) {
		struct entry e = m.entries[i];

		if (e.at != at) {
			i++;
			continue;
		}
		moved++;
		if (at == to) {
			i++;
			continue;
		}
		remove_entry(i);
		e.at = to;
		append(e);
	}
	return moved;
}

/* They return, and what they should; others sleep on. */
static void check_woken(const struct woken *w)
{
	for (int i = 0; i < SLEEPERS; i++) {
		struct sleeper *s = &sleepers[i];
		int value;

		if (w->result[i] < 0) {
			must(!sem_getvalue(&s->done, &value) && !value);
			continue;
		}
		await(&s->done);
		must(s->result == w->result[i]);
		s->sleeps = false;
		for (unsigned k = m.n; k--;) /* in its other queues */
			if (m.entries[k].sleeper == s)
				remove_entry(k);
	}
}

#endif /* HAZPTR_TESTS_FUZZ_FUTEX_H */
