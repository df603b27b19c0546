/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/fault.h - a small bench for tests that kill, fork and hang
 *
 * A program is a table of cases. The runner starts each case as a process of
 * its own (a fresh library, a fence mode of its choice, a time limit), keeps
 * what it says on stderr, and compares how it ended with what the case
 * promises. `PROGRAM NAME` runs the cases whose name begins with NAME.
 *
 * HAZPTR_TEST_SCALE divides all iteration counts; under a sanitizer or
 * valgrind the default is 10 or 50.
 */
#ifndef HAZPTR_TESTS_FAULT_H
#define HAZPTR_TESTS_FAULT_H

#include <hazptr/hazptr.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FENCE_DEFAULT 0u /* the process chooses */
#define FENCE_MEMBARRIER 1u
#define FENCE_FULL 2u
#define FENCE_MARKER 4u
#define FENCE_ALL (FENCE_MEMBARRIER | FENCE_FULL | FENCE_MARKER)

#define CASE_SKIP 77

struct fault_case {
	const char *name;
	void (*run)(void);
	unsigned fences;	/* the modes that it runs in, in turn */
	const char *fence;	/* or: this value of HAZPTR_FENCE */
	bool (*prepare)(void);	/* before exec; false: not possible here */
	int status;		/* the exit code that is expected ... */
	int signal;		/* ... or the signal */
	const char *says;	/* part of the one line of the library's */
	unsigned seconds;	/* time limit; 0: 60 */
};

int fault_main(int argc, char **argv, const struct fault_case *cases);

/* Something is wrong: say where and end the process. */
#define CHECK(what)                                                    \
	do {                                                           \
		if (!(what))                                           \
			fault_fail(__FILE__, __LINE__, #what);         \
	} while (0)
#define CHECK_EQ(a, b)                                                 \
	fault_equal(__FILE__, __LINE__, #a " == " #b, (long long)(a),  \
		    (long long)(b))
_Noreturn void fault_fail(const char *file, int line, const char *what);
void fault_equal(const char *file, int line, const char *what, long long a,
		 long long b);
/* This machine does not allow the test: say why, exit 77. */
_Noreturn void fault_skip(const char *why);

void fault_needs_threads_after_fork(void); /* or skip */
bool fault_is_sanitized(void);
bool fault_is_asan(void);
bool fault_is_tsan(void);
bool fault_is_valgrind(void);
/* n divided by the scale, but at least one. */
unsigned fault_scaled(unsigned n);
/* HAZPTR_TEST_SECONDS, else what is given. */
double fault_seconds(double quick);

/* Objects that are counted, and poisoned when they are reclaimed. */
#define THING_MAGIC 0x7a9d5c31u
#define THING_DEAD 0xdeadbeefu
struct thing {
	uint32_t magic;
	uint32_t id;
	void (*at_reclaim)(struct thing *t);
	struct hazptr_head head;
};
extern int things_alive;
extern int things_reclaimed;
int alive(void);
int reclaimed(void);
struct thing *thing_new(uint32_t id);
void thing_check(const struct thing *t);
void thing_destroy(void *t); /* for hazptr_retire_ptr() */
void thing_reclaim(struct hazptr_head *head);
void thing_retire(struct hazptr_domain *d, struct thing *t);
/* Protect a thing that must be there, and check it. */
struct thing *thing_protect(struct hazptr_guard *g, struct thing *const *src);
/* A thing that the guard keeps and no source names any more. */
struct thing *thing_guarded(struct hazptr_guard *g, uint32_t id);

struct hazptr_domain *domain_new(enum hazptr_reclaim reclaim,
				 size_t max_retired, unsigned max_delay_ms);
struct hazptr_stats domain_stats(struct hazptr_domain *d);

/* Time and waiting. Nothing is asserted about how long it takes. */
double now(void);
void nap_ms(unsigned ms);
/* Wait until *word >= value; false after the seconds given. */
bool wait_for(const int *word, int value, unsigned seconds);

pthread_t spawn(void *(*run)(void *), void *arg);
void join(pthread_t thread);
/* Flush and fork; under AddressSanitizer, when all other threads sleep. */
pid_t fault_fork(void);
/* Wait for the child: true when it exited with 0. */
bool child_ok(pid_t child);

/* The threads of this process. */
int thread_count(void);
/* The thread whose name begins with "hazptr"; 0 when there is none. */
pid_t library_thread(void);
/* The number after "FIELD:" in a thread's status, read in base. */
unsigned long long thread_status(pid_t tid, const char *field, int base);

/*
 * A gate stops the first marked thread that comes to a point of the library's
 * until it is opened. gate_me marks a thread; the library's own never is.
 */
extern __thread bool gate_me;
extern int gate_hits; /* how often any thread came to the armed point */
void gate_arm(const char *point);
void gate_wait(void);
void gate_open(void);
/* Call it at each point instead; set it before the first thread starts. */
extern void (*gate_hook)(const char *point);

/* The library's; see port/port.h. */
extern void (*hazptr_test_point_)(const char *point);

#endif /* HAZPTR_TESTS_FAULT_H */
