/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/torture.h - everything at once, for some time
 *
 *	command.c	hazptr torture: options, and the process that watches
 *	run.c		threads, their random operations, progress, the end
 *	report.c	what was done, as text or JSON
 *	objects.c	objects that tell when they are used too late
 *	faults.c	signals, moves, threads that come and go, forks
 *	child.c		what a forked child tries
 *	nomem.c		memory that is not to be had
 *	nodes.c guards.c contexts.c retire.c bound.c refs.c rcu.c shared.c
 *	briefs.c futex.c rounds.c locks.c handover.c	the workloads
 *
 * A thread does one operation after the other, of all workloads, at random.
 * Whoever sees what must not be calls failed().
 */
#ifndef HAZPTR_TORTURE_H
#define HAZPTR_TORTURE_H

#include "objects.h"

#include <hazptr/hazptr.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum fault {
	NO_FAULT,
	OVERFLOW,
	DETACH,
	SIGNALS,
	SLEEP,
	STOP,
	OVERCOMMIT,
	AFFINITY,
	CHURN,
	FORK,
	NOMEM,
	FAULTS
};
extern const char *const fault_names[FAULTS];

extern struct setting {
	double seconds;
	unsigned threads;
	uint64_t seed;
	unsigned faults; /* 1 << enum fault */
	unsigned workloads;
	bool json, progress;
	char fence[16];
} setting;

static inline bool has_fault(enum fault f)
{
	return setting.faults >> f & 1;
}

/* An operation. Weight 0: a helper thread's, which counts it with did(). */
struct op {
	const char *name;
	void (*run)(void);
	unsigned weight;
	enum fault fault; /* only with this one */
	unsigned index;	  /* in all of them */
};

/* A thread of its own beside the workers; `late` ones end after those. */
struct helper {
	const char *name;
	void (*run)(unsigned i);
	unsigned n;
	bool late;
	enum fault fault;
};

struct workload {
	const char *name;
	struct op *ops;
	unsigned n_ops;
	const struct helper *helpers;
	unsigned n_helpers;
	void (*begin)(void);  /* before the threads */
	void (*leave)(void);  /* a thread ends */
	void (*drain)(void);  /* the workers have ended: late helpers go on */
	void (*give)(void);   /* no thread is left: give up what there is */
	void (*check)(void);  /* ... and all of it has been reclaimed */
	void (*signal)(void); /* in a handler */
};

#define WORKLOADS 7
extern const struct workload guards_workload, contexts_workload,
	retire_workload, refs_workload, shared_workload, futex_workload,
	locks_workload;
extern const struct workload *const workloads[WORKLOADS];
extern const struct workload faults_workload; /* helpers only */

#define OPS_MAX 128
#define WORKERS_MAX 1024
#define PLACES_MAX (WORKERS_MAX + 64)

/* Where a thread is. In memory that the watching process shares. */
struct place {
	const char *thread;
	const char *workload, *operation;
	uint64_t beats; /* changes whenever something was done */
	int busy;
} __attribute__((__aligned__(64)));

extern struct watched {
	int failed;
	int quiet; /* no more stops */
	uint64_t stops;
	struct place places[PLACES_MAX];
} * watched;

#define KEPT 3
#define HELD 6
#define WEAKS 4
#define BRIEFS 24

struct kept {
	struct hazptr_guard guard;
	struct obj *obj;
	uint64_t generation;
};
struct held {
	struct hazptr_shared sp;
	uint64_t generation;
};
struct weakly {
	struct hazptr_weak w;
	uint64_t generation;
};
struct brief {
	struct hazptr_thread_shared ts;
	uint64_t generation;
};

/* What a thread has of its own. */
struct worker {
	uint64_t random;
	struct place *place;
	struct obj *free; /* what ended here, last in first out */
	unsigned n_free;
	bool handles; /* signals may come */
	unsigned ticks;
	uint64_t done[OPS_MAX];

	struct kept kept[KEPT];	       /* guards.c */
	struct hazptr_cohort cohort;   /* retire.c; no stack: for forks */
	struct obj *refs[HELD];	       /* refs.c */
	struct obj *rcurefs[HELD];     /* rcu.c */
	struct obj *volatile ref_mail; /* from a handler: to put */
	struct held held[HELD];	       /* shared.c */
	struct weakly weaks[WEAKS];
	struct brief briefs[BRIEFS];
	struct held shared_mail;
	volatile sig_atomic_t shared_mail_full;
	uint64_t asleep; /* futex.c: 1 + the epoch it knew */

	pthread_t thread;
	timer_t timer;
	const struct helper *helper; /* NULL: a worker */
	const struct workload *of;
	unsigned number;
	bool started;
};
extern __thread struct worker *self;

/* What was seen, about what; with the seed on stderr; exit status 1. */
_Noreturn void failed(const char *what, const void *object);

static inline uint64_t pick(uint64_t n)
{
	uint64_t x = self->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	self->random = x;
	return (x >> 11) % n;
}

/* run.c */
void begin_random(uint64_t salt);
bool is_over(void);	 /* for workers and helpers */
bool is_over_late(void); /* for late helpers */
void did(struct op *op);
void do_something(void);
void nap_us(uint64_t us);
uint64_t now_us(void);
struct timespec after_us(uint64_t us);
void spin(unsigned turns);
/*
 * Slow down the stores of this processor that come next: they wait behind many
 * that miss the cache, while loads pass. That is when a fence is needed. What
 * is loaded next is in the cache, where @warm is.
 */
void crowd_stores(const void *warm);
void add(uint64_t *sum, uint64_t n);
uint64_t get(const uint64_t *sum);
/* A thread of the tool's, which is not refused. False: there is none. */
bool start_thread(pthread_t *thread, void *(*run)(void *), void *arg);
void worker_begin(struct worker *w, uint64_t salt);
void worker_leave(void);
unsigned each_worker(struct worker **first); /* all that run, of the base */
int torture_run(void);

/* report.c */
void report_progress(unsigned second);
void report(void);
struct op *op_number(unsigned i, const struct workload **of);
uint64_t done_all(unsigned op);

/* faults.c */
extern uint64_t signals_seen;
void faults_begin(void);
void timer_begin(struct worker *w);
void timer_end(struct worker *w);
/* child.c: what a child of fork tries; does not return. */
extern bool is_child;
_Noreturn void be_child(void);

/* nomem.c */
extern uint64_t refused;
void nomem_exempt(int more);	   /* +1, and -1 afterwards */
void nomem_force(bool on);	   /* everything, in this thread */
void nomem_set(unsigned one_in_n); /* 0: there is memory */

#endif /* HAZPTR_TORTURE_H */
