/* SPDX-License-Identifier: MIT */
/*
 * port/port.h - all that the library wants from the system
 *
 * Layer 0: below it only libc and the kernel. One file per idea: die.c (the
 * only abort), text.c (lines of several parts), alloc.c (the only malloc),
 * lock.c (the library's own lock), wait.c (futex and time), fence.c (the two
 * halves of the fence), hooks.c (signals, threads, fork), module.c (dlopen and
 * dlclose), rseq.c (what libc registered).
 */
#ifndef HAZPTR_PORT_H
#define HAZPTR_PORT_H

#include <hazptr/fence.h>

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define HAZPTR_CACHE_LINE 64
#define HAZPTR_ALIGNED_LINE __attribute__((__aligned__(HAZPTR_CACHE_LINE)))
#define HAZPTR_CONTAINER(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

/* die.c */

/* One line "hazptr: CALL: OBJECT: WHAT" on stderr, then abort. */
_Noreturn void hazptr_die_(const char *call, const void *object,
			   const char *what);
_Noreturn void hazptr_abort_(void); /* all is said */
/* The same line, and the program goes on. */
void hazptr_warn_(const char *call, const void *object, const char *what);

/* The same of an environment variable. */
void hazptr_warn_setting_(const char *setting, const char *value,
			  const char *what);

/* text.c: a line in parts, for reports; what does not fit is cut. */
struct hazptr_text {
	size_t n;
	char line[600];
};
void hazptr_text_add_(struct hazptr_text *t, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));
/* With a newline, in one write; then it is empty. errno stays. */
void hazptr_text_write_(struct hazptr_text *t, int fd);
void hazptr_text_say_(struct hazptr_text *t); /* on stderr */

/* alloc.c: zeroed, on a cache line of its own; NULL when there is none. */
void *hazptr_alloc_(size_t size);
/* Zeroed, aligned for any type; what is large takes no memory until used. */
void *hazptr_alloc_zeroed_(size_t size);
void hazptr_free_(void *p);

/* wait.c */
uint64_t hazptr_now_(void); /* CLOCK_MONOTONIC, nanoseconds */
/* Sleep while *word == value, at most for ns; UINT64_MAX: for ever. */
void hazptr_wait_(const uint32_t *word, uint32_t value, uint64_t ns);
void hazptr_wake_(const uint32_t *word);
/* The same until CLOCK_MONOTONIC's deadline, NULL: none; false: it is over. */
bool hazptr_wait_until_(const uint32_t *word, uint32_t value,
			const struct timespec *deadline);
/* How far that thread goes before others: 0 unless real-time. */
int hazptr_priority_(int thread);
/* Waiting a moment for another processor: ever longer. False: too long. */
bool hazptr_spin_(unsigned *turn);
/* Waiting for another thread without a word to sleep on: dearer each time. */
struct hazptr_backoff {
	unsigned turn;
};
void hazptr_backoff_(struct hazptr_backoff *b, uint64_t deadline);

/* lock.c: one word, zeroed = free; never held while waiting for a reader. */
struct hazptr_lock {
	uint32_t word;
};
void hazptr_lock_(struct hazptr_lock *l);
void hazptr_unlock_(struct hazptr_lock *l);
/* In the child of a fork: whoever held it does not exist here. */
void hazptr_lock_reset_(struct hazptr_lock *l);

/* fence.c */
void hazptr_fence_after_fork_(void);
/* The heavy fence that also aborts all restartable sequences. */
bool hazptr_fence_rseq_register_(void);
void hazptr_fence_rseq_(void);

/* rseq.c */
void *hazptr_rseq_area_(void);
size_t hazptr_cpus_possible_(void);
bool hazptr_stats_wanted_(void); /* HAZPTR_STATS=1 */

/* debug.c */
bool hazptr_debug_wanted_(bool say); /* HAZPTR_DEBUG=1 */
unsigned hazptr_debug_stall_ms_(bool say);

/* hooks.c */
/* The kernel's number of a thread, and whether none has it any more. */
int hazptr_thread_id_(void);
bool hazptr_thread_is_gone_(int id);
void hazptr_signals_block_(sigset_t *before);
void hazptr_signals_restore_(const sigset_t *before);
/* Once per process: what runs around fork, and at each thread's exit. */
bool hazptr_fork_hooks_(void (*prepare)(void), void (*parent)(void),
			void (*child)(void));
bool hazptr_exit_hook_(void (*at_exit)(void *));
/* So many times the exit hook can ask to be called again, at least. */
#define HAZPTR_EXIT_ROUNDS (PTHREAD_DESTRUCTOR_ITERATIONS - 2)
/* Have this thread's exit call at_exit(arg). False: no memory. */
bool hazptr_thread_at_exit_(void *arg);
/* A thread of the library's: all signals blocked, named, detached. */
bool hazptr_thread_start_(void *(*run)(void *), void *arg, const char *name);

/* module.c: keep this code mapped until the process ends. */
void hazptr_pin_(void);

/*
 * Where a directed test can stop a thread. In the testing build the function,
 * when set, is called with the name of the point.
 */
#ifdef HAZPTR_TESTING
extern void (*hazptr_test_point_)(const char *point);
#define HAZPTR_TEST_POINT(name)                   \
	do {                                      \
		if (hazptr_test_point_)           \
			hazptr_test_point_(name); \
	} while (0)
#else
#define HAZPTR_TEST_POINT(name) ((void)0)
#endif

#endif /* HAZPTR_PORT_H */
