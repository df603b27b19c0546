/* SPDX-License-Identifier: MIT */
/*
 * bench/bench.h - the words that schemes, workloads and the runner share
 *
 * A scheme is a way to keep objects alive: ours, a peer, or none ("bare"). It
 * brings one loop per job, written out in its own file, so that its fast paths
 * are inlined as its documentation wants; nothing is called through a pointer
 * inside a measured loop. A table is one workload: rows, each a scheme and a
 * job, and targets, which are ratios between two rows of the same run.
 *
 *	static uint64_t read_hot(struct bench_task *t)
 *	{
 *		uint64_t n;
 *
 *		BENCH_LOOP(t, n)
 *			bench_use(hot->value);
 *		return n;
 *	}
 *
 * Rows of a table are measured in rounds, A B C A B C ..., so that a machine
 * that gets slower is slow for all of them. A ratio is the median of the
 * ratios within the rounds.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_OBJECT 64	 /* bytes of everything that is allocated */
#define BENCH_TURNS 1024 /* turns of a loop between two looks at the clock */
#define BENCH_LINKS 256	 /* of the dependent chain: 16 KiB, in any L1 */
#define BENCH_ROUNDS 101 /* at most */
#define BENCH_THREADS 64 /* at most */
#define BENCH_COUNTS 8	 /* different numbers of threads, at most */

/* What a scheme can be asked to do, over and over. */
enum bench_job {
	BENCH_READ,	  /* protect, dereference, release: a fresh guard */
	BENCH_READ_INIT,  /* ... initialised and released by hand */
	BENCH_READ_KEPT,  /* the guard stays outside of the loop */
	BENCH_CHAIN,	  /* each object names the next source */
	BENCH_CHURN,	  /* allocate, retire, reclaim by a function */
	BENCH_CHURN_FREE, /* ... by free() */
	BENCH_CHURN_LIFO, /* bare: free the last of a batch first */
	BENCH_CHURN_ONE,  /* bare: free each at once */
	BENCH_FLAT,	  /* store and retire as fast as it goes */
	BENCH_LIST,	  /* the sorted list */
	BENCH_LIST_KEPT,  /* with guards that stay */
	BENCH_LIST_LEAN,  /* without the second look that only hazards need */
	BENCH_LOAD,	  /* counted reference: load, dereference, drop */
	BENCH_LOAD_GUARD, /* bare: under a guard, as ours has to */
	BENCH_THREAD,	  /* thread-shared: load, dereference, drop */
	BENCH_BORROW,	  /* ... from a shared pointer */
	BENCH_TO_SHARED,  /* ... made a counted reference before the drop */
	BENCH_HELD_1,	  /* so many thread-shared pointers at once */
	BENCH_HELD_4,
	BENCH_HELD_8,
	BENCH_HELD_16,
	BENCH_HELD_32,
	BENCH_COUNTED_1, /* so many counted references at once */
	BENCH_COUNTED_32,
	BENCH_STORE,	  /* allocate, store, reclaim by free() */
	BENCH_STORE_CALL, /* ... by a function */
	BENCH_PACED,	  /* helper: store and retire every 100 us */
	BENCH_WAKE,	  /* a word at which nobody waits */
	BENCH_WAKE_CROWD, /* ... and 1,000 threads sleep elsewhere */
	BENCH_STALE,	  /* wait while a word has a value that it has not */
	BENCH_LOCK,	  /* and unlock, with nothing between */
	BENCH_HOLD,	  /* lock, hold it for 1 us, unlock; the longest wait */
	BENCH_PING,	  /* hand a word's value back and forth, and wait */
	BENCH_PING_COND,  /* the same by a mutex and condition variables */
	BENCH_ALL_100,	  /* broadcast, until so many waiters have run */
	BENCH_ALL_1000,
	BENCH_CALL_100, /* the broadcasting call alone */
	BENCH_CALL_1000,
	BENCH_LATE_1000,    /* broadcast after the unlock, until all have run */
	BENCH_MIX,	    /* wakes, parks and unparks over many addresses */
	BENCH_MIX_CROWD,    /* ... beside 1,000 sleepers; the longest of them */
	BENCH_RESIZE,	    /* helper: another table size every ms */
	BENCH_IDLE,	    /* helper: awake every ms */
	BENCH_LOOK,	    /* protect, dereference and release, once */
	BENCH_SLEEP,	    /* helper: sleep on one object until the end */
	BENCH_STALLED,	    /* store and retire meanwhile; MiB of growth */
	BENCH_REST,	    /* helper: one look, then sleep on nothing */
	BENCH_AWAIT,	    /* store, wait until the old object is free */
	BENCH_FENCE,	    /* one heavy fence */
	BENCH_SCAN,	    /* retire one object where that scans */
	BENCH_SCAN_LESS,    /* ... less the heavy fence of it */
	BENCH_FLUSH,	    /* retire one object, flush */
	BENCH_START,	    /* thread: start, one look, exit */
	BENCH_CONSUME,	    /* retire what another thread has allocated */
	BENCH_PRODUCE,	    /* helper: allocate it */
	BENCH_BYTES_THREAD, /* malloc'ed bytes for each thread that looks */
	BENCH_BYTES_DOMAIN,
	BENCH_BYTES_RETIRED, /* more than the object itself takes */
	BENCH_BYTES_POINTER, /* ... of one without a head */
	BENCH_BYTES_BUCKET,
	BENCH_LOOKUPS,	    /* of the geoip program */
	BENCH_LOOKUPS_LOAD, /* ... while it reloads its tables */
	BENCH_JOBS
};

/* What a scheme is to the one who reads a table. */
enum bench_kind {
	BENCH_PEER,   /* keeps what is in use, and bounds what is not freed */
	BENCH_WEAKER, /* a reader that sleeps keeps everything; or less yet */
	BENCH_OURS,
	BENCH_BARE /* protects nothing: what others are compared with */
};

struct bench_scheme;

/* One thread of one measurement. */
struct bench_task {
	const int *stop;
	const struct bench_scheme *scheme;
	unsigned index;	  /* among the threads of the measurement */
	unsigned threads; /* that do the same */
	uint64_t random;  /* state of bench_random() */
	double own;	  /* ns: what the body itself has measured */
};

/* Runs until bench_go() says no. Return: how many operations it did. */
typedef uint64_t (*bench_body)(struct bench_task *t);

/**
 * struct bench_scheme - one way to keep objects alive
 *
 * begin and end are called by the main thread around each measurement, enter
 * and leave by each thread. end returns the most objects that were retired and
 * not reclaimed, 0 where nobody can tell.
 */
struct bench_scheme {
	const char *name;
	enum bench_kind kind;
	const char *version; /* NULL: not installed */
	void (*init)(void);  /* once */
	void (*begin)(enum bench_job job);
	uint64_t (*end)(enum bench_job job);
	void (*enter)(void);
	void (*leave)(void);
	/* Each thread, when it goes on and before it sleeps, protecting nothing;
	 * it is offline first. NULL: nobody has to be told. */
	void (*online)(void);
	void (*offline)(void);
	void (*replace)(void); /* one store and retire, for BENCH_PACED */
	bench_body body[BENCH_JOBS];
};

static inline bool bench_is_peer(const struct bench_scheme *scheme)
{
	return scheme->kind == BENCH_PEER || scheme->kind == BENCH_WEAKER;
}

extern const struct bench_scheme bench_bare, bench_hazptr, bench_ck, bench_cds,
	bench_epoch, bench_mutex, bench_rwlock, bench_count;
/* Flavours of userspace RCU, with call_rcu() or defer_rcu(). */
extern const struct bench_scheme bench_urcu_memb, bench_urcu_qsbr,
	bench_urcu_mb, bench_urcu_bp, bench_defer_memb, bench_defer_qsbr,
	bench_defer_mb, bench_defer_bp;
/* ... its read side not inlined. */
extern const struct bench_scheme bench_urcu_called_memb;
/* References: ours, a bare count, and the peers. */
extern const struct bench_scheme bench_refs, bench_bare_refs, bench_urcu_refs,
	bench_std, bench_boost;
/* Waiting and locks: ours, the kernel's call, glibc's, and the peers. */
extern const struct bench_scheme bench_park, bench_futex, bench_pthread,
	bench_adaptive, bench_absl, bench_std_wait;

/* One line of a table. */
struct bench_row {
	const char *name;
	const struct bench_scheme *scheme;
	enum bench_job job;
	unsigned helped;       /* so many more threads run ... */
	enum bench_job helper; /* ... this */
	bool shared;	       /* measured in the program with the .so */
	const char *setting;   /* ... in one with this in its environment */
	bool pair;	       /* compare with the row above, not the base */
	unsigned task;	       /* peers do the same with the same number */
};

#define BENCH_ROW(called, by, does)                                        \
	{                                                                  \
		.name = called, .scheme = &bench_##by, .job = BENCH_##does \
	}
#define BENCH_ROW_SO(called, by, does)                                      \
	{                                                                   \
		.name = called, .scheme = &bench_##by, .job = BENCH_##does, \
		.shared = true                                              \
	}
/* Another task than the table's first rows have: for the best peer. */
#define BENCH_ROW_TASK(n, called, by, does)                                 \
	{                                                                   \
		.name = called, .scheme = &bench_##by, .job = BENCH_##does, \
		.task = n                                                   \
	}

enum { BENCH_BASE = -1 }; /* the row that the table compares with */

/*
 * A promise: row / base <= limit (or >=); or peak / the table's bound; or the
 * row's figure itself.
 */
struct bench_target {
	int row;
	unsigned threads;
	int base;
	unsigned base_threads;
	double limit;
	bool at_least;
	bool peak;
	bool absolute;
};

/* What a table's figures are. */
enum bench_unit {
	BENCH_NS_THREAD,  /* ns of the thread's CPU time per operation */
	BENCH_NS_PROCESS, /* ns of the process's CPU time per operation */
	BENCH_RATE,	  /* millions per second of the thread's CPU time */
	/* By the clock on the wall, where threads sleep. */
	BENCH_NS_CLOCK,	  /* ns per operation */
	BENCH_RATE_CLOCK, /* millions per second, all threads together */
	BENCH_US_OWN,	  /* us per operation, as the bodies measured it */
	BENCH_US_LONGEST, /* us, the longest that a body has seen */
	/* What a body leaves as its own figure. */
	BENCH_MIB,
	BENCH_BYTES,
	BENCH_LOOKUP_RATE /* millions per second */
};

static inline bool bench_by_clock(enum bench_unit unit)
{
	return unit >= BENCH_NS_CLOCK;
}

struct bench_table {
	const char *name;
	const char *title;
	enum bench_unit unit;
	const struct bench_row *rows;
	unsigned nrows;
	int base;
	const struct bench_target *targets;
	unsigned ntargets;
	unsigned threads;	       /* 0: as many as the user asks for */
	unsigned counts[BENCH_COUNTS]; /* ... or so many, up to a 0 */
	unsigned nodes;		       /* of the list, in the mean */
	bool one_cpu;		       /* all threads on the same processor */
	bool sleeps;		       /* of their own accord */
	bool contend;	/* threads slow each other down, or sleep */
	bool peak;	/* print what end() returned ... */
	uint64_t bound; /* ... and what it may be */
	double stop_at; /* a body ends early there; 0: never */
	const char *note;
	void (*prepare)(struct bench_table *t);
};

extern struct bench_table bench_w1, bench_w1c, bench_w2, bench_w2f, bench_w3,
	bench_w3p, bench_w4, bench_w4k, bench_w5, bench_w6, bench_w7, bench_w7r,
	bench_w8, bench_w9, bench_w10, bench_r1, bench_r1t, bench_r1w,
	bench_r1h, bench_r2, bench_p1, bench_p2, bench_p3, bench_p4, bench_p5,
	bench_p5t, bench_p6, bench_p6t, bench_p7, bench_p7c, bench_p8,
	bench_p8w, bench_p8d;

/* What the chain consists of; the same for every scheme. */
struct bench_link {
	struct bench_link *next;
	uint64_t value;
	char room[BENCH_OBJECT - 16];
};
extern struct bench_link *bench_chain;

/* How many objects ours reclaims at once; the bare batch is as large. */
extern unsigned bench_batch;

/* Keys of the sorted list, half of which are in it. */
extern unsigned bench_keys;

static inline bool bench_go(const struct bench_task *t)
{
	return !__atomic_load_n(t->stop, __ATOMIC_RELAXED);
}

/* The compiler has to have the value in a register, here and in each turn. */
#define bench_use(value) __asm__ volatile("" : : "r"(value))

/* For the steps of a walk: every scheme's in its caller, as the bare one. */
#define bench_inline static inline __attribute__((__always_inline__))

/*
 * The same loop around every scheme's operation; n counts operations. Once at
 * least, also for a thread that gets a processor too late.
 */
#define BENCH_LOOP(t, n)                                       \
	for ((n) = 0; !(n) || bench_go(t); (n) += BENCH_TURNS) \
		for (unsigned turn_ = BENCH_TURNS; turn_; turn_--)

/* xorshift64*, the upper half */
static inline uint32_t bench_random(struct bench_task *t)
{
	uint64_t x = t->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	t->random = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dULL) >> 32);
}

/* Sleeps until the end, with little to do now and then. */
void bench_nap(const struct bench_task *t);
/* ... and protects nothing. */
void bench_rest(const struct bench_task *t);

/* The scheme's job, once: the thread is registered then. */
void bench_look(const struct bench_scheme *scheme);

/* w5.c: store and retire by the scheme's replace, and watch the memory. */
#define BENCH_STOP_MIB 1536
uint64_t bench_stalled(struct bench_task *t);
/* w8.c, w10.c: whatever the scheme is */
uint64_t bench_start_exit(struct bench_task *t);
uint64_t bench_bytes_thread(struct bench_task *t);

/* memory.c: what malloc has given out, in bytes; NAN: it does not say */
double bench_memory_used(void);
/* ... and give what is free back to the kernel. */
void bench_memory_trim(void);

/* malloc that does not fail */
void *bench_alloc(size_t size);

/* One store and retire every 100 us, by the scheme's replace. */
uint64_t bench_paced(struct bench_task *t);

#define BENCH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#ifdef __cplusplus
}
#endif

#endif /* BENCH_BENCH_H */
