/* SPDX-License-Identifier: MIT */
/*
 * tests/step/chain.c - a waiter queues and leaves, one instruction at a time
 *
 * A tracer single-steps the calls of a process that waits and gives up, and
 * walks the bucket's chain after each instruction, as a debugger may. From
 * `first` on, `next` leads through all the others, in their order, and ends;
 * the waiter that is stepped is in it at its place, or is not.
 *
 * The others are waiters that nobody will wake, of several priorities; and, in
 * a second pass, real threads asleep, one of which is woken step by step.
 */
#define _GNU_SOURCE
#include "../../src/park/park.h"
#include "../../src/sync/sync.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define OTHERS 8
#define OWN 2		   /* waiters of the stepped thread, at most */
#define KEYS 4096	   /* to choose those of one bucket from */
#define STEPS_MAX 2000000u /* of one call: it does not end */

/* Between tracer and tracee. */
static struct shared {
	char what[80];
	struct bucket *bucket;
	unsigned own;	       /* how many of its waiters may be in */
	struct waiter *may_go; /* one of the others, that may be taken out */
	bool is_refused;
} * shared;

/* The tracer. */

static struct waiter *others[OTHERS + 1];
static unsigned n_others;
static uint64_t steps, seen_in, seen_out, seen_changes, calls;

_Noreturn static void wrong(const char *what)
{
	fprintf(stderr, "step: %s: after %llu instructions: %s\n", shared->what,
		(unsigned long long)steps, what);
	exit(1);
}

static bool read_there(pid_t pid, const void *there, void *here, size_t n)
{
	struct iovec from = { (void *)(uintptr_t)there, n };
	struct iovec to = { here, n };

	return process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)n;
}

static unsigned walk(pid_t pid, struct waiter **chain, struct waiter *copies)
{
	struct waiter *w;
	struct bucket b;
	unsigned n = 0;

	if (!read_there(pid, shared->bucket, &b, sizeof(b)))
		wrong("the bucket cannot be read");
	for (w = b.first; w; w = copies[n++].next) {
		if (n == OTHERS + OWN)
			wrong("the chain does not end");
		if (!read_there(pid, w, &copies[n], sizeof(*w)))
			wrong("the chain leads nowhere");
		chain[n] = w;
	}
	/* Who has the lock marks at another moment. */
	if (!b.lock.word && !b.keys != !n)
		wrong("the marks are not those of the chain");
	return n;
}

static int priority_of(pid_t pid, const struct waiter *copy)
{
	struct sleeper s;

	if (!read_there(pid, copy->sleeper, &s, sizeof(s)))
		wrong("a waiter has no sleeper");
	return s.priority;
}

/* Higher priorities first, and who came last behind its equals. */
static void check_order(int last, int priority, bool is_behind_own)
{
	if (priority > last)
		wrong("a higher priority stands behind a lower one");
	if (priority == last && is_behind_own)
		wrong("it stands before one that came earlier");
}

/* How many of its own are in; or whether the one that may leave is. */
static unsigned check_chain(pid_t pid)
{
	struct waiter *chain[OTHERS + OWN], copies[OTHERS + OWN];
	unsigned n = walk(pid, chain, copies), i, k = 0, own = 0;
	bool was_own = false, is_own, left = false;
	int last = INT_MAX, priority;

	for (i = 0; i < n; i++) {
		if (k < n_others && others[k] == shared->may_go &&
		    chain[i] != others[k]) {
			left = true;
			k++;
		}
		is_own = k == n_others || chain[i] != others[k];
		k += !is_own;
		own += is_own;
		if (own > shared->own)
			wrong("another waiter is missing, or at another place");
		priority = priority_of(pid, &copies[i]);
		check_order(last, priority, was_own && !is_own);
		last = priority;
		was_own = is_own;
	}
	if (k < n_others && others[k] == shared->may_go) {
		left = true;
		k++;
	}
	if (k != n_others)
		wrong("the chain has lost a waiter");
	return shared->may_go ? !left : own;
}

static void remember_others(pid_t pid)
{
	struct waiter copies[OTHERS + OWN];

	n_others = walk(pid, others, copies);
}

/* Until it stops itself. */
static void step_one_call(pid_t pid)
{
	unsigned in, before = 0, in_call = 0;
	int status;

	remember_others(pid);
	for (calls++;; steps++, in_call++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			wrong("it cannot be stepped");
		if (WSTOPSIG(status) == SIGSTOP)
			return;
		if (WSTOPSIG(status) != SIGTRAP)
			wrong("a signal");
		in = check_chain(pid);
		seen_in += in > 0;
		seen_out += !in;
		seen_changes += in != before && in_call;
		before = in;
		if (in_call > STEPS_MAX)
			wrong("the call does not end");
	}
}

static int trace(pid_t pid)
{
	int status;

	/* With us it ends, however we do. It stops, runs freely, stops, is stepped, stops, ... */
	for (;;) {
		if (waitpid(pid, &status, 0) != pid)
			wrong("waitpid");
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (!WIFSTOPPED(status))
			wrong("it died");
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
		if (WSTOPSIG(status) == SIGSTOP)
			step_one_call(pid);
		else if (WSTOPSIG(status) != SIGTRAP)
			wrong("it got a signal");
		if (ptrace(PTRACE_CONT, pid, NULL, NULL))
			wrong("it cannot go on");
	}
}

/* The tracee. */

static struct key {
	uint64_t at[8]; /* large enough for any lock */
} keys[KEYS];
static unsigned next_key;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "step: %s: %s\n", shared->what, what);
	_exit(1);
}

/* Another address of the one bucket. */
static void *key_in_bucket(void)
{
	const struct bucket *b;

	do {
		require(next_key < KEYS, "no more keys");
		b = hazptr_bucket_of_(hazptr_table_, &keys[next_key++]);
	} while (b != shared->bucket);
	return &keys[next_key - 1];
}

static struct timespec past(void)
{
	struct timespec t = { 1, 0 };

	return t;
}

static void wait_for_one(void)
{
	struct timespec t = past();

	require(hazptr_futex_wait(key_in_bucket(), 0, &t) == -ETIMEDOUT,
		"wait");
}

static void wait_for_two(void)
{
	struct hazptr_futex_waitv v[OWN] = { { key_in_bucket(), 0 },
					     { key_in_bucket(), 0 } };
	struct timespec t = past();

	require(hazptr_futex_waitv(v, OWN, &t) == -ETIMEDOUT, "waitv");
}

/* The second is found changed after the first was queued. */
static void wait_for_two_in_vain(void)
{
	struct hazptr_futex_waitv v[OWN] = { { key_in_bucket(), 0 },
					     { key_in_bucket(), 1 } };

	require(hazptr_futex_waitv(v, OWN, NULL) == -EAGAIN, "waitv");
}

static bool yes(void *unused)
{
	(void)unused;
	return true;
}

static void gave_up(void *unused, const void *key, bool was_last)
{
	(void)unused;
	(void)key;
	require(was_last, "another one waits at this key");
}

static void park(void)
{
	struct timespec t = past();

	require(hazptr_park(key_in_bucket(), yes, NULL, gave_up, NULL, &t) ==
			-ETIMEDOUT,
		"park");
}

static void lock_mutex(void)
{
	struct hazptr_mutex *m = key_in_bucket();
	struct timespec t = past();

	m->word = HAZPTR_MUTEX_LOCKED_;
	require(hazptr_mutex_lock_until(m, &t) == -ETIMEDOUT, "mutex");
	require(m->word == HAZPTR_MUTEX_LOCKED_, "the mutex is marked");
}

static void wait_at_condition(void)
{
	struct hazptr_mutex m = HAZPTR_MUTEX_INIT;
	struct hazptr_cond *c = key_in_bucket();
	struct timespec t = past();

	hazptr_mutex_lock(&m);
	require(hazptr_cond_wait_until(c, &m, &t) == -ETIMEDOUT, "cond");
	require(!c->mutex, "somebody waits at the condition variable");
}

static void wait_for_permit(void)
{
	struct timespec t = past();

	require(hazptr_sem_wait_until(key_in_bucket(), &t) == -ETIMEDOUT,
		"sem");
}

static void lock_to_write(void)
{
	struct hazptr_rwlock *l = key_in_bucket();
	struct timespec t = past();

	hazptr_rwlock_rdlock(l);
	require(hazptr_rwlock_wrlock_until(l, &t) == -ETIMEDOUT, "rwlock");
}

static const struct {
	const char *name;
	void (*run)(void);
	unsigned own;
} ways[] = {
	{ "wait", wait_for_one, 1 },
	{ "waitv", wait_for_two, 2 },
	{ "waitv in vain", wait_for_two_in_vain, 2 },
	{ "park", park, 1 },
	{ "mutex", lock_mutex, 1 },
	{ "cond", wait_at_condition, 1 },
	{ "sem", wait_for_permit, 1 },
	{ "rwlock", lock_to_write, 1 },
};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* The tracer steps from the first stop to the second. */
static void stepped(const char *others_are, const char *name, void (*run)(void),
		    unsigned own)
{
	snprintf(shared->what, sizeof(shared->what), "%s, %s", others_are,
		 name);
	shared->own = own;
	raise(SIGSTOP);
	run();
	raise(SIGSTOP);
}

static void each_way(const char *others_are)
{
	unsigned i;

	for (i = 0; i < WAYS; i++)
		stepped(others_are, ways[i].name, ways[i].run, ways[i].own);
}

/* Waiters that nobody wakes; the stepped one has priority 0. */
static void with_priorities(const char *name, const int *priorities, unsigned n)
{
	struct place p = { hazptr_table_, shared->bucket };
	struct sleeper s[OTHERS];
	struct waiter w[OTHERS];
	unsigned i;

	hazptr_lock_(&p.bucket->lock);
	for (i = 0; i < n; i++) {
		hazptr_sleeper_init_(&s[i]);
		s[i].priority = priorities[i];
		hazptr_waiter_init_(&w[i], key_in_bucket(), &s[i]);
		hazptr_bucket_insert_(&p, &w[i]);
	}
	hazptr_unlock_(&p.bucket->lock);
	each_way(name);
	hazptr_lock_(&p.bucket->lock);
	for (i = 0; i < n; i++)
		hazptr_bucket_remove_(p.bucket, &w[i]);
	hazptr_unlock_(&p.bucket->lock);
	require(!p.bucket->first && !p.bucket->last && !p.bucket->keys,
		"the bucket is not empty afterwards");
}

static void among_waiters(void)
{
	static const int mixed[] = { 7, 0, -5, 3, 0, -1, 3 };
	static const int equal[] = { 0, 0, 0 };
	static const int above[] = { 9, 1, 1, 4 };
	static const int below[] = { -1, -9, -4, -1 };
	static const int one[] = { 0 };

	with_priorities("empty", NULL, 0);
	with_priorities("one", one, 1);
	with_priorities("equal", equal, 3);
	with_priorities("all above", above, 4);
	with_priorities("all below", below, 4);
	with_priorities("mixed", mixed, 7);
}

/* Real ones, real-time where that is permitted. */

static struct thread {
	pthread_t thread;
	uint32_t *word;
	int priority;
} threads[OTHERS];

static void *sleep_there(void *arg)
{
	struct thread *t = arg;
	struct sched_param param = { t->priority };

	if (t->priority)
		pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	while (!__atomic_load_n(t->word, __ATOMIC_ACQUIRE))
		hazptr_futex_wait(t->word, 0, NULL);
	return NULL;
}

static struct thread *to_wake;

static void wake_one(void)
{
	__atomic_store_n(to_wake->word, 1, __ATOMIC_RELEASE);
	require(hazptr_futex_wake(to_wake->word, 1) == 1, "wake");
}

static struct waiter *waiter_of(const struct thread *t)
{
	struct waiter *w;

	for (w = shared->bucket->first; w; w = w->next)
		if (w->key == t->word)
			return w;
	require(false, "a thread does not sleep");
	return NULL;
}

static unsigned chain_length(struct bucket *b)
{
	const struct waiter *w;
	unsigned n = 0;

	hazptr_lock_(&b->lock);
	for (w = b->first; w; w = w->next)
		n++;
	hazptr_unlock_(&b->lock);
	return n;
}

static void among_threads(void)
{
	static const unsigned order[] = { 2, 0, 5, 3, 1, 4 };
	unsigned i, n = sizeof(order) / sizeof(*order);

	for (i = 0; i < n; i++) {
		threads[i].word = key_in_bucket();
		threads[i].priority = (int)(i % 3);
		require(!pthread_create(&threads[i].thread, NULL, sleep_there,
					&threads[i]),
			"no thread");
		while (chain_length(shared->bucket) != i + 1)
			usleep(1000);
	}
	each_way("threads");
	for (i = 0; i < n; i++) {
		to_wake = &threads[order[i]];
		shared->may_go = waiter_of(to_wake);
		stepped("threads", "wake", wake_one, 0);
		shared->may_go = NULL;
		pthread_join(to_wake->thread, NULL);
	}
}

_Noreturn static void be_tracee(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
		shared->is_refused = true;
		_exit(SKIPPED);
	}
	/* A fixed size; and the thread is known to the library. */
	hazptr_futex_hash_resize(16);
	hazptr_futex_wake((uint32_t *)&keys[0].at, 0);
	shared->bucket = &hazptr_table_->buckets[5];
	among_waiters();
	among_threads();
	_exit(0);
}

/* The whole */

static int run(const char *futex, const char *wake)
{
	uint64_t begin = steps;
	int result;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	setenv("HAZPTR_FUTEX", futex, 1);
	setenv("HAZPTR_FUTEX_WAKE", wake, 1);
	seen_in = seen_out = seen_changes = calls = 0;
	fflush(NULL);
	pid = fork();
	if (!pid)
		be_tracee();
	result = trace(pid);
	if (shared->is_refused)
		return SKIPPED;
	printf("%s, %s: %llu calls, %llu instructions; the waiter was in after "
	       "%llu of them, out after %llu, and came or went %llu times\n",
	       futex, wake, (unsigned long long)calls,
	       (unsigned long long)(steps - begin), (unsigned long long)seen_in,
	       (unsigned long long)seen_out, (unsigned long long)seen_changes);
	if (result)
		return result;
	/* Each call of among_waiters() and among_threads(), in and out. */
	if (seen_in < 1000 || seen_out < 1000 || seen_changes < 2 * 7 * WAYS)
		wrong("too little was seen");
	return 0;
}

static const char *why_not(void)
{
	const char *preload = getenv("LD_PRELOAD");
	struct utsname u;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return "sanitizers have threads and memory of their own";
#endif
	if (preload && strstr(preload, "vgpreload"))
		return "valgrind does not step";
	/* Elsewhere a step between load and store of an atomic undoes it. */
	if (uname(&u) || !strstr("x86_64 i686", u.machine))
		return "atomic operations cannot be stepped here";
	return NULL;
}

/* Both on one processor: each step is two switches between them. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* step_chain [FUTEX WAKE]: the policies of the environment variables */
int main(int argc, char **argv)
{
	const char *why = why_not();
	int result;

	if (why) {
		printf("SKIPPED: %s\n", why);
		return SKIPPED;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	stay_here();
	result =
		run(argc > 1 ? argv[1] : "guard", argc > 2 ? argv[2] : "fence");
	if (result == SKIPPED)
		printf("SKIPPED: ptrace is refused\n");
	return result;
}
