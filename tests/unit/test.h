/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/test.h - what the unit tests share
 *
 * The tests are written in the common subset of C11 and C++17: the same files
 * are built as both.
 *
 * Words: an *item* is an object that is never freed and counts how often it
 * was reclaimed. A *crowd* is a number of guards that are held already, so
 * that one test body runs on the slots of the inline paths, on the others and
 * on embedded ones. A *reader* is another thread that keeps an object. A
 * *child* is this program, started again to do one thing that should abort.
 */
#ifndef HAZPTR_TESTS_UNIT_TEST_H
#define HAZPTR_TESTS_UNIT_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#include <cmocka.h>
#ifdef __cplusplus
}
#endif

#include <hazptr/hazptr.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

/* Counts that are large shrink under checkers. */
#define TEST_MANY(n) (TEST_SANITIZED ? (n) / 10 : (n))
#define TEST_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEST_UNUSED __attribute__((__unused__))

/* For other threads than the first, where cmocka's asserts cannot jump. */
#define must(condition) \
	((condition) ? (void)0 : test_fail(#condition, __FILE__, __LINE__))

static inline void test_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* Time */

static inline struct timespec test_time_after_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static inline bool test_time_reached(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > t->tv_sec ||
	       (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

static inline void test_sleep_ms(long ms)
{
	struct timespec t = test_time_after_ms(ms);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
}

/* True as soon as the condition is; false after a minute. */
#define test_eventually(condition)                                       \
	__extension__({                                                  \
		struct timespec test_limit_ = test_time_after_ms(60000); \
		while (!(condition) && !test_time_reached(&test_limit_)) \
			test_sleep_ms(1);                                \
		(condition);                                             \
	})

/* Threads */

static inline pthread_t test_start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, run, arg));
	return thread;
}

static inline void test_join(pthread_t thread)
{
	must(!pthread_join(thread, NULL));
}

static inline void test_wait(sem_t *s)
{
	while (sem_wait(s))
		must(errno == EINTR);
}

static inline unsigned test_random(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Children */

struct test_child {
	const char *name;
	void (*run)(void);
};

struct test_result {
	int status;	/* as waitpid() gives it */
	char err[4096]; /* what it wrote to stderr, ... */
	char out[1024];	/* ... and to stdout */
};

static char test_self[4096]; /* the path of this program */

/*
 * Runs the child that argv names and exits; else returns. HAZPTR_TEST, with *
 * and ?, chooses the tests to run.
 */
static inline void test_main(int argc, char **argv,
			     const struct test_child *children, size_t n)
{
	struct rlimit none;
	size_t i;

	must(readlink("/proc/self/exe", test_self, sizeof(test_self) - 1) > 0);
	cmocka_set_test_filter(getenv("HAZPTR_TEST"));
	if (argc < 3 || strcmp(argv[1], "--child") != 0)
		return;
	memset(&none, 0, sizeof(none));
	setrlimit(RLIMIT_CORE, &none);
	alarm(20);
	for (i = 0; i < n; i++) {
		if (strcmp(argv[2], children[i].name) == 0) {
			children[i].run();
			_exit(0);
		}
	}
	_exit(127);
}

static inline void test_read_back(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	must(n >= 0);
	text[n] = '\0';
	must(!close(fd));
}

/* What runs programs of another machine; NULL: nothing has to. */
static inline char *test_emulator(void)
{
	return getenv("HAZPTR_EMULATOR");
}

/* `assignment` replaces HAZPTR_FENCE in its environment; NULL: without it. */
static inline void test_child_run(struct test_result *r, const char *name,
				  const char *assignment)
{
	char option[] = "--child";
	char *argv[5] = { test_emulator(), test_self, option, (char *)name,
			  NULL };
	char **run = argv[0] ? argv : argv + 1;
	int out = memfd_create("out", MFD_CLOEXEC);
	int err = memfd_create("err", MFD_CLOEXEC);
	posix_spawn_file_actions_t actions;
	size_t n, used = 0;
	char **env;
	pid_t pid;

	must(out >= 0 && err >= 0);
	for (n = 0; environ[n]; n++)
		;
	env = (char **)calloc(n + 2, sizeof(*env));
	must(env != NULL);
	for (n = 0; environ[n]; n++)
		if (strncmp(environ[n], "HAZPTR_FENCE=", 13) != 0)
			env[used++] = environ[n];
	if (assignment)
		env[used] = (char *)assignment;
	must(!posix_spawn_file_actions_init(&actions));
	must(!posix_spawn_file_actions_adddup2(&actions, out, 1));
	must(!posix_spawn_file_actions_adddup2(&actions, err, 2));
	must(!posix_spawnp(&pid, run[0], &actions, NULL, run, env));
	posix_spawn_file_actions_destroy(&actions);
	while (waitpid(pid, &r->status, 0) < 0)
		must(errno == EINTR);
	free(env);
	test_read_back(out, r->out, sizeof(r->out));
	test_read_back(err, r->err, sizeof(r->err));
	if (argv[0]) { /* it says a word of its own about an abort */
		char *word = strstr(r->err, "\nqemu: uncaught target signal");

		if (word)
			word[1] = '\0';
	}
}

/* In a child: the object that the message must name. */
static inline void test_names(const void *object)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%p", object);

	must(write(1, line, (size_t)n) == n);
}

static inline size_t test_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* The mode in force, spelled so that a child takes it without a word. */
static inline const char *test_fence_assignment(void)
{
	static const char *const names[] = {
		"HAZPTR_FENCE=membarrier",
		"HAZPTR_FENCE=full",
		"HAZPTR_FENCE=marker",
	};

	return names[hazptr_fence_mode()];
}

/* The child dies by abort() and says why in one line with call and object. */
static inline void test_aborts(const char *name, const char *call)
{
	struct test_result r;
	const char *end;

	test_child_run(&r, name, test_fence_assignment());
	if (!WIFSIGNALED(r.status) || WTERMSIG(r.status) != SIGABRT)
		fail_msg("%s: no abort, status %x: %s", name,
			 (unsigned)r.status, r.err);
	end = strchr(r.err, '\n');
	if (!end || end[1])
		fail_msg("%s: not one line: %s", name, r.err);
	if (!strstr(r.err, call))
		fail_msg("%s: does not name %s: %s", name, call, r.err);
	if (!strstr(r.err, r.out))
		fail_msg("%s: does not name %s: %s", name, r.out, r.err);
}

/* A cmocka test: the child `name_` dies so and names the call. */
static inline void test_misuse(void **state)
{
	const char *name = (const char *)*state;

	test_aborts(name, name + strlen(name) + 1);
}

#define MISUSE(name_, call_)                               \
	{                                                  \
		"misuse: " name_, test_misuse, NULL, NULL, \
			(void *)(name_ "\0" call_)         \
	}

/* Runs @body in a child of fork, which dies when it takes too long. */
#define in_child(body)                                                         \
	do {                                                                   \
		pid_t child_ = fork();                                         \
		int status_ = 0;                                               \
		if (!child_) {                                                 \
			alarm(60);                                             \
			body;                                                  \
			_exit(0);                                              \
		}                                                              \
		assert_true(child_ > 0);                                       \
		assert_true(waitpid(child_, &status_, 0) > 0);                 \
		if (status_)                                                   \
			fail_msg("the child's status: %x", (unsigned)status_); \
	} while (0)

/* Items */

struct item {
	__attribute__((__aligned__(8))) long number; /* room for flags */
	struct hazptr_head head;
	int gone; /* how often it was reclaimed */
};

static inline struct item *item_of(struct hazptr_head *head)
{
	return (struct item *)(void *)((char *)head -
				       offsetof(struct item, head));
}

static inline void item_reclaim(struct hazptr_head *head)
{
	__atomic_fetch_add(&item_of(head)->gone, 1, __ATOMIC_RELEASE);
}

static inline int item_gone(const struct item *i)
{
	return __atomic_load_n(&i->gone, __ATOMIC_ACQUIRE);
}

static inline size_t items_gone(const struct item *items, size_t n)
{
	size_t i, sum = 0;

	for (i = 0; i < n; i++)
		sum += (size_t)item_gone(&items[i]);
	return sum;
}

static inline struct item *items_new(size_t n)
{
	struct item *items = (struct item *)calloc(n, sizeof(*items));
	size_t i;

	must(items != NULL);
	for (i = 0; i < n; i++)
		items[i].number = (long)i;
	return items;
}

/* Domains */

#define TEST_NEVER_MS 3600000 /* a delay that no test lives to see */

static inline struct hazptr_domain *test_domain(enum hazptr_reclaim reclaim,
						size_t max_retired,
						unsigned max_delay_ms)
{
	struct hazptr_domain_opts opts;
	struct hazptr_domain *d = NULL;

	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	opts.reclaim = reclaim;
	opts.max_retired = max_retired;
	opts.max_delay_ms = max_delay_ms;
	opts.name = "test";
	must(!hazptr_domain_create(&d, &opts));
	must(d != NULL);
	return d;
}

static inline struct hazptr_stats test_stats(struct hazptr_domain *d)
{
	struct hazptr_stats s;

	memset(&s, 0, sizeof(s));
	s.size = sizeof(s);
	hazptr_domain_stats(d, &s);
	return s;
}

/* A MANUAL domain for whoever wants to see what a guard keeps, now. */
static struct hazptr_domain *test_manual TEST_UNUSED;

static inline int test_manual_setup(void **state)
{
	(void)state;
	test_manual = test_domain(HAZPTR_RECLAIM_MANUAL, 0, 0);
	return 0;
}

static inline int test_manual_teardown(void **state)
{
	(void)state;
	return hazptr_domain_destroy(test_manual);
}

#define assert_kept(item)                             \
	do {                                          \
		hazptr_flush(test_manual);            \
		assert_int_equal(item_gone(item), 0); \
	} while (0)

#define assert_gone(item)                             \
	do {                                          \
		hazptr_flush(test_manual);            \
		assert_int_equal(item_gone(item), 1); \
	} while (0)

static inline void retire_item(struct item *i)
{
	hazptr_retire(test_manual, i, head, item_reclaim);
}

/* How many slots of a context are free; NULL: of the thread's own. */
static inline size_t free_slots(struct hazptr_context *c)
{
	struct hazptr_slot *s[HAZPTR_CONTEXT_SLOTS + 1];
	size_t i, n = 0;

	while (n <= HAZPTR_CONTEXT_SLOTS && (s[n] = hazptr_slot_alloc(c)))
		n++;
	for (i = 0; i < n; i++)
		hazptr_slot_free(c, s[i]);
	return n;
}

/* Crowds */

#define CROWD_MAX 40
#define CROWD_IN_CONTEXT 100 /* added: in an explicit context */

static struct hazptr_guard crowd_guards[CROWD_MAX] TEST_UNUSED;
static struct item crowd_items[CROWD_MAX] TEST_UNUSED;
static struct hazptr_context crowd_context TEST_UNUSED;
static bool crowd_elsewhere TEST_UNUSED;

static inline void crowd_hold(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		hazptr_hold(&crowd_guards[i], &crowd_items[i]);
}

static inline void crowd_drop(void)
{
	size_t i;

	for (i = 0; i < CROWD_MAX; i++)
		hazptr_release(&crowd_guards[i]);
}

static inline int crowd_setup(void **state)
{
	size_t n = (size_t)(uintptr_t)*state;

	crowd_elsewhere = n >= CROWD_IN_CONTEXT;
	if (crowd_elsewhere) {
		n -= CROWD_IN_CONTEXT;
		must(!hazptr_context_init(&crowd_context));
		hazptr_context_switch(&crowd_context);
	}
	crowd_hold(n);
	return 0;
}

/* Fails when a slot was lost, or one got free that is held. */
static inline int crowd_teardown(void **state)
{
	bool all_free;

	(void)state;
	crowd_drop();
	all_free = free_slots(crowd_elsewhere ? &crowd_context : NULL) ==
		   HAZPTR_CONTEXT_SLOTS;
	if (crowd_elsewhere) {
		hazptr_context_switch(NULL);
		hazptr_context_cleanup(&crowd_context);
	}
	return all_free ? 0 : -1;
}

#define BESIDE_NAME(f, n) #f " beside " #n
#define BESIDE(f, n)                                               \
	{                                                          \
		BESIDE_NAME(f, n), f, crowd_setup, crowd_teardown, \
			(void *)(uintptr_t)(n)                     \
	}
/* A free inline slot; the second one; the slow slots; embedded; elsewhere. */
#define CROWDED(f)                                                            \
	BESIDE(f, 0), BESIDE(f, 1), BESIDE(f, 2), BESIDE(f, 7), BESIDE(f, 8), \
		BESIDE(f, 40), BESIDE(f, 100 /* in a context */),             \
		BESIDE(f, 107), BESIDE(f, 108), BESIDE(f, 140)

/* Readers: another thread that keeps an object until it is told to stop. */

struct reader {
	struct item *source;
	size_t crowd; /* guards that it holds besides */
	bool detach;  /* detach the guard; who holds it then releases it */
	bool lost;    /* out: the object was gone while it was kept */
	struct hazptr_guard guard;
	pthread_t thread;
	sem_t ready;
	sem_t stop;
};

static inline void *reader_run(void *arg)
{
	struct reader *r = (struct reader *)arg;
	struct hazptr_guard others[CROWD_MAX];
	struct item *kept;
	static struct item dummy;
	size_t i;

	memset(others, 0, sizeof(others));
	for (i = 0; i < r->crowd; i++)
		hazptr_hold(&others[i], &dummy);
	kept = hazptr_protect(&r->guard, &r->source);
	if (r->detach)
		hazptr_detach(&r->guard);
	for (i = 0; i < r->crowd; i++)
		hazptr_release(&others[i]);
	must(!sem_post(&r->ready));
	test_wait(&r->stop);
	r->lost = kept && item_gone(kept);
	if (!r->detach)
		hazptr_release(&r->guard);
	return NULL;
}

/* Returns when the object is kept. */
static inline void reader_start(struct reader *r, struct item *object,
				size_t crowd, bool detach)
{
	memset(r, 0, sizeof(*r));
	r->source = object;
	r->crowd = crowd;
	r->detach = detach;
	must(!sem_init(&r->ready, 0, 0));
	must(!sem_init(&r->stop, 0, 0));
	r->thread = test_start(reader_run, r);
	test_wait(&r->ready);
}

/* Returns when the thread has ended; false: its object was lost. */
static inline bool reader_stop(struct reader *r)
{
	must(!sem_post(&r->stop));
	test_join(r->thread);
	sem_destroy(&r->ready);
	sem_destroy(&r->stop);
	return !r->lost;
}

#endif /* HAZPTR_TESTS_UNIT_TEST_H */
