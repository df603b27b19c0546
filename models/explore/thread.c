/* SPDX-License-Identifier: MIT */
/*
 * explore/thread.c - what each thread waits for, and the phases of a run
 *
 * A thread stands before its next step and has said which (`pending`). It is
 * enabled when that step can be made now: a lock must be free, a sleeper must
 * have been woken, and a thread that looks again and again must have something
 * new to see. When no thread is enabled, time goes on to the next deadline;
 * without one, the run is a dead-lock.
 */
#include "engine.h"
#include "explore.h"

#include <stdio.h>
#include <string.h>

#define FOR_EVER UINT64_MAX
#define DAEMON (EX_MAX - 1)

void thread_body(int tid);

struct engine ex = { .self = -1 };

static bool has_news(const struct thread *t)
{
	unsigned i;

	for (i = 0; i < t->n_reads; i++) {
		const struct spin_read *r = &t->reads[i];

		if (r->loc ? r->store->after != NULL
			   : r->lock->version != r->version)
			return true;
	}
	return false;
}

static bool is_enabled(struct thread *t)
{
	switch (t->state) {
	case READY:
		return t->pending.kind != EX_LOCK ||
		       lock_of(t->pending.addr)->owner < 0;
	case ASLEEP:
		return ex.timeouts && t->deadline != FOR_EVER &&
		       ex.phase == TOGETHER;
	case SPINNING:
		return has_news(t);
	default:
		return false;
	}
}

static unsigned enabled_threads(void)
{
	unsigned mask = 0;
	int i;

	for (i = 0; i < EX_MAX; i++)
		if (is_enabled(&ex.threads[i]))
			mask |= BIT(i);
	return mask;
}

/* Nobody can go on: the first deadline comes. False: there is none. */
static bool time_goes_on(void)
{
	struct thread *t, *first = NULL;
	int i;

	for (i = 0; i < EX_MAX; i++) {
		t = &ex.threads[i];
		if ((t->state == ASLEEP || t->state == SPINNING) &&
		    t->deadline != FOR_EVER &&
		    (!first || t->deadline < first->deadline))
			first = t;
	}
	if (!first)
		return false;
	if (ex.time < first->deadline)
		ex.time = first->deadline;
	first->timed_out = true;
	first->state = READY;
	first->pending = (struct op){ .kind = EX_GO };
	return true;
}

static _Noreturn void dead_lock(void)
{
	static const char *const why[] = {
		"",
		"has ended",
		"waits for a lock",
		"sleeps and nobody will wake it",
		"waits for a change that never comes",
		"has ended"
	};
	int i;

	for (i = 0; i < EX_MAX; i++) {
		struct thread *t = &ex.threads[i];
		char note[128], name[96];

		if (t->state != READY && t->state != ASLEEP &&
		    t->state != SPINNING)
			continue;
		heap_name(t->pending.addr, name, sizeof(name));
		snprintf(note, sizeof(note), "thread %c %s%s %s", 'a' + i,
			 why[t->state], t->is_daemon ? " (the library's)" : "",
			 t->pending.addr ? name : "");
		trace_note(note);
	}
	fail("dead-lock, or a lost wake-up");
}

/* What the library's thread can still do has to be seen, for its races. */
static bool is_over(void)
{
	int i;

	if (is_enabled(&ex.threads[DAEMON]))
		return false;
	for (i = 0; i < EX_MAX; i++)
		if (!ex.threads[i].is_daemon && ex.threads[i].state != ABSENT &&
		    ex.threads[i].state != PAUSED)
			return false;
	return true;
}

/* -1: the threads are done. */
static int next_together(void)
{
	unsigned enabled;
	int next;

	if (is_over())
		return -1;
	while (!(enabled = enabled_threads()))
		if (!time_goes_on())
			dead_lock();
	next = search_pick(enabled);
	if (next < 0) {
		ex.is_redundant = true;
		search.redundant++;
		fiber_leave();
	}
	return next;
}

static int next_alone(void)
{
	struct thread *t = &ex.threads[ex.alone];

	for (;;) {
		if (is_enabled(t))
			return ex.alone;
		if (is_enabled(&ex.threads[DAEMON]))
			return DAEMON;
		if (t->state == PAUSED)
			return -1;
		if (!time_goes_on())
			dead_lock();
	}
}

static void schedule(void)
{
	int next;

	if (ex.self >= 0)
		search_performed(&ex.performed);
	next = ex.phase == TOGETHER ? next_together() : next_alone();
	if (next >= 0)
		ex.performed = ex.threads[next].pending;
	fiber_switch(next);
}

/* Let others go first, as many as the search wants; then it is our turn. */
void take_turn(void)
{
	schedule();
	if (ex.self < 0)
		return;
	ex.steps++;
	if (ex.steps > 20000)
		fail("a run that does not end");
	race_own();
}

void step(const struct op *op)
{
	SELF->pending = *op;
	take_turn();
	if (ex.phase == TOGETHER)
		trace_add(op, op->site, ex.self);
}

static void pause_thread(void)
{
	SELF->state = PAUSED;
	SELF->pending = (struct op){ .kind = EX_GO };
	take_turn();
}

/* What the library has put down for the end of the thread. */
static void exit_thread(void)
{
	void *arg;
	int i;

	for (i = 0; i < 4 && SELF->exit_arg && ex.exit_hook; i++) {
		arg = SELF->exit_arg;
		SELF->exit_arg = NULL;
		ex.exit_hook(arg);
	}
}

static void call(void (*f)(void))
{
	if (f)
		f();
}

/* All of a thread's life in a run. */
void thread_body(int tid)
{
	const struct ex_client *c = ex.client;
	struct thread *t = SELF;

	race_own();
	if (t->is_daemon) {
		t->run(t->arg);
		t->state = ENDED;
		take_turn();
	}
	call(tid ? c->enter : c->setup);
	pause_thread();
	if (tid) {
		call(c->thread[tid - 1]);
		if (c->flags & EX_EXITS)
			exit_thread();
		pause_thread();
	}
	call(tid ? c->leave : c->finish);
	exit_thread();
	pause_thread();
}

/* False: it is woken, true: its time is over. */
bool thread_sleep(const void *word, uint64_t deadline)
{
	struct thread *t = SELF;

	if (deadline <= ex.time)
		return true;
	t->state = ASLEEP;
	t->word = word;
	t->deadline = deadline;
	t->timed_out = false;
	t->pending = (struct op){ .kind = EX_TIMEOUT, .addr = word };
	take_turn();
	if (t->state == ASLEEP) { /* the search wants its time to be over */
		t->state = READY;
		t->timed_out = true;
		ex.timeouts--;
		if (ex.time < t->deadline)
			ex.time = t->deadline;
		race_access(&t->pending, location_of(word, 4));
		trace_add(&t->pending, NULL, ex.self);
	}
	return t->timed_out;
}

void threads_wake(const void *word)
{
	int i;

	for (i = 0; i < EX_MAX; i++) {
		struct thread *t = &ex.threads[i];

		if (t->state != ASLEEP || t->word != word)
			continue;
		if (ex.timeouts && t->deadline != FOR_EVER)
			backtrack_to(i);
		t->state = READY;
		t->pending = (struct op){ .kind = EX_GO };
		dep_join(&t->dep, &SELF->dep);
	}
}

/* Until one of the words that it has read since is another. */
void thread_spin(uint64_t deadline)
{
	struct thread *t = SELF;
	unsigned i;

	t->state = SPINNING;
	t->deadline = deadline;
	t->pending = (struct op){ .kind = EX_BACKOFF };
	take_turn();
	trace_add(&(struct op){ .kind = EX_BACKOFF }, NULL, ex.self);
	t->state = READY;
	for (i = 0; i < t->n_reads; i++)
		if (t->reads[i].loc && t->reads[i].store->after) {
			memory_raise(ex.self, &t->reads[i]);
			break;
		} else if (!t->reads[i].loc &&
			   t->reads[i].lock->version != t->reads[i].version) {
			dep_join(&t->dep, &t->reads[i].lock->dep);
			break;
		}
	t->n_reads = 0;
}

static struct spin_read *spin_entry(const void *loc, const void *lock)
{
	struct thread *t = SELF;
	unsigned i;

	for (i = 0; i < t->n_reads; i++)
		if (t->reads[i].loc == loc && t->reads[i].lock == lock)
			return &t->reads[i];
	if (t->n_reads == SPIN_SET)
		memmove(t->reads, t->reads + 1,
			--t->n_reads * sizeof(t->reads[0]));
	return &t->reads[t->n_reads++];
}

void spin_note(struct location *loc, struct store *s)
{
	*spin_entry(loc, NULL) = (struct spin_read){ .loc = loc, .store = s };
}

void spin_note_lock(struct lock *l)
{
	*spin_entry(NULL, l) =
		(struct spin_read){ .lock = l, .version = l->version };
}

/* Something is written: who waits for a change may want to see it. */
void lock_changing(void)
{
	struct lock *l;

	for (l = SELF->held; l; l = l->next_held)
		l->is_changing = true;
}

/* The library's own thread. */
bool thread_start(void *(*run)(void *), void *arg)
{
	struct thread *t = &ex.threads[DAEMON];

	if (!(ex.client->flags & EX_BACKGROUND) || t->state != ABSENT)
		return false;
	t->state = READY;
	t->is_daemon = true;
	t->run = run;
	t->arg = arg;
	t->pending = (struct op){ .kind = EX_GO };
	t->now = SELF->now;
	t->now.hb[DAEMON] = t->now.co[DAEMON] = 0;
	t->dep = SELF->dep;
	fiber_reset(DAEMON);
	return true;
}

static void alone(int tid)
{
	memory_meet();
	ex.alone = tid;
	ex.threads[tid].state = READY;
	fiber_switch(tid);
}

static int count_threads(void)
{
	int n = 0;

	while (n < EX_CLIENTS && ex.client->thread[n])
		n++;
	return n;
}

static void reset(void)
{
	int i;

	image_restore();
	memory_reset();
	plain_reset();
	heap_reset();
	race_reset();
	trace_reset();
	label_run();
	search_begin();
	memset(ex.threads, 0, sizeof(ex.threads));
	for (i = 0; i < EX_MAX; i++) {
		ex.threads[i].clock = 1;
		ex.threads[i].last.node = ex.threads[i].injected.node = -1;
		fiber_reset(i);
	}
	ex.time = 1000000000;
	ex.timeouts = ex.client->timeouts;
	ex.steps = 0;
	ex.is_redundant = false;
	ex.self = -1;
}

/* One run, from the beginning to the end. */
void run_once(void)
{
	int n = count_threads(), i;

	reset();
	ex.phase = ALONE;
	for (i = 0; i <= n; i++)
		alone(i);
	memory_meet();
	ex.phase = TOGETHER;
	for (i = 1; i <= n; i++)
		ex.threads[i].state = READY;
	schedule();
	if (!ex.is_redundant) {
		ex.phase = ALONE;
		for (i = 1; i <= n; i++)
			alone(i);
		alone(0);
		heap_check_leaks(!(ex.client->flags & EX_KEEPS));
	}
	ex.phase = STOPPED;
}
