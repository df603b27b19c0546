/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/locks.c - mutex, rwlock, semaphore and condition variable
 *
 * Two threads in lock-step, and no call that waits: try, or a deadline that is
 * over. The model is who has what.
 */
#include "actor.h"

#include <hazptr/hazptr.h>

#include <errno.h>
#include <string.h>

enum { LOCKS = 3 };

static const struct timespec past = { 1, 0 }, wrong = { 1, 1000000000 },
			     negative = { 1, -1 };

static struct {
	struct hazptr_mutex mutex[LOCKS];
	struct hazptr_rwlock rwlock[LOCKS];
	struct hazptr_sem sem[LOCKS];
	struct hazptr_cond cond[LOCKS];
	bool locked[LOCKS][2]; /* the mutex, by which thread */
	unsigned readers[LOCKS][2];
	bool writer[LOCKS][2];
	uint64_t permits[LOCKS];
} m;

struct step {
	unsigned call, lock, how;
	int thread;
};

/* What a call with a deadline returns that cannot have what it wants. */
static int refusal(unsigned how)
{
	return how & 2 ? -EINVAL : -ETIMEDOUT;
}

static const struct timespec *deadline(unsigned how)
{
	return !(how & 2) ? &past : how & 4 ? &wrong : &negative;
}

static void use_mutex(const struct step *s)
{
	struct hazptr_mutex *lock = &m.mutex[s->lock];
	bool *mine = &m.locked[s->lock][s->thread];
	bool is_free = !m.locked[s->lock][0] && !m.locked[s->lock][1];

	if (*mine && s->how & 1) {
		hazptr_mutex_unlock(lock);
		*mine = false;
	} else if (s->how & 8) {
		must(hazptr_mutex_trylock(lock) == is_free);
		*mine |= is_free;
	} else {
		must(hazptr_mutex_lock_until(lock, deadline(s->how)) ==
		     (is_free ? 0 : refusal(s->how)));
		*mine |= is_free;
	}
}

static void leave_rwlock(const struct step *s)
{
	if (m.writer[s->lock][s->thread])
		m.writer[s->lock][s->thread] = false;
	else if (m.readers[s->lock][s->thread])
		m.readers[s->lock][s->thread]--;
	else
		return;
	hazptr_rwlock_unlock(&m.rwlock[s->lock]);
}

static void use_rwlock(const struct step *s)
{
	struct hazptr_rwlock *lock = &m.rwlock[s->lock];
	bool may_read = !m.writer[s->lock][0] && !m.writer[s->lock][1];
	bool may_write = may_read && !m.readers[s->lock][0] &&
			 !m.readers[s->lock][1];

	switch (s->how & 3) {
	case 0:
		leave_rwlock(s);
		return;
	case 1:
		must(hazptr_rwlock_tryrdlock(lock) == may_read);
		m.readers[s->lock][s->thread] += may_read;
		return;
	case 2:
		must(hazptr_rwlock_trywrlock(lock) == may_write);
		m.writer[s->lock][s->thread] |= may_write;
		return;
	}
	if (s->how & 8) {
		must(hazptr_rwlock_rdlock_until(lock, deadline(s->how)) ==
		     (may_read ? 0 : refusal(s->how)));
		m.readers[s->lock][s->thread] += may_read;
	} else {
		must(hazptr_rwlock_wrlock_until(lock, deadline(s->how)) ==
		     (may_write ? 0 : refusal(s->how)));
		m.writer[s->lock][s->thread] |= may_write;
	}
}

static void use_sem(const struct step *s)
{
	struct hazptr_sem *sem = &m.sem[s->lock];
	uint64_t *permits = &m.permits[s->lock];
	bool full = *permits >= HAZPTR_SEM_MAX;

	switch (s->how & 3) {
	case 0:
		*permits = s->how & 4 ? s->how >> 3
				      : HAZPTR_SEM_MAX - (s->how >> 3);
		hazptr_sem_init(sem, (uint32_t)*permits);
		break;
	case 1:
		must(hazptr_sem_post(sem) == (full ? -EOVERFLOW : 0));
		*permits += !full;
		break;
	case 2:
		must(hazptr_sem_trywait(sem) == !!*permits);
		*permits -= !!*permits;
		break;
	default:
		must(hazptr_sem_wait_until(sem, deadline(s->how / 2)) ==
		     (*permits ? 0 : refusal(s->how / 2)));
		*permits -= !!*permits;
	}
	must(hazptr_sem_value(sem) == *permits);
}

/* With a mutex or without, nobody waits; and who waits has it afterwards. */
static void use_cond(const struct step *s)
{
	struct hazptr_cond *cond = &m.cond[s->lock];
	struct hazptr_mutex *lock = &m.mutex[s->lock];

	if (s->how & 1)
		hazptr_cond_signal(cond);
	else if (s->how & 8)
		hazptr_cond_broadcast(cond);
	else if (m.locked[s->lock][s->thread])
		must(hazptr_cond_wait_until(cond, lock, deadline(s->how)) ==
		     refusal(s->how));
	must(!cond->mutex);
}

static void run_step(void *arg)
{
	static void (*const calls[])(const struct step *s) = {
		use_mutex, use_rwlock, use_sem, use_cond
	};
	const struct step *s = arg;

	calls[s->call](s);
}

/* What the thread has. */
static void leave_all(void *arg)
{
	struct step s = { .thread = *(int *)arg };

	for (s.lock = 0; s.lock < LOCKS; s.lock++) {
		if (m.locked[s.lock][s.thread])
			hazptr_mutex_unlock(&m.mutex[s.lock]);
		while (m.readers[s.lock][s.thread] ||
		       m.writer[s.lock][s.thread])
			leave_rwlock(&s);
	}
}

/* Nobody has them, and their words say so. */
static void end(void)
{
	int first = 0, second = 1;

	leave_all(&first);
	if (actor.runs)
		actor_do(leave_all, &second);
	for (unsigned i = 0; i < LOCKS; i++) {
		must(!m.mutex[i].word && !m.rwlock[i].word);
		must(m.sem[i].word == m.permits[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	unsigned threads = 0;

	memset(&m, 0, sizeof(m));
	while (has_more(&in)) {
		unsigned what = take(&in);
		struct step s = { what % 4, what / 4 % LOCKS, take(&in),
				  what & 0x80 && threads < 64 };

		threads += (unsigned)s.thread;
		if (s.thread)
			actor_do(run_step, &s);
		else
			run_step(&s);
	}
	end();
	return 0;
}
