/* SPDX-License-Identifier: MIT */
/*
 * explore/engine.h - the types of the explorer
 *
 *	fiber.c	  threads as coroutines; the client's variables, put back
 *	thread.c  what each thread waits for; the phases of a run
 *	memory.c  which stores a load may read: the memory model
 *	access.c  the calls of backend.h: steps, one after the other
 *	search.c  which thread, which store: all of them, none twice
 *	plain.c	  races of plain accesses
 *	heap.c	  memory that is watched
 *	trace.c	  what happened, errors, replay
 *	label.c	  order labels: weakened, covered
 *	main.c	  options and report
 */
#ifndef EX_ENGINE_H
#define EX_ENGINE_H

#include "backend.h"

#include <stddef.h>

#define EX_MAX 6 /* threads: 0 sets up, EX_CLIENTS, the library's */
#define BIT(t) (1u << (t))

struct ex_client;

/* What a thread knows: for each thread, the last event of it. */
struct clocks {
	uint32_t hb[EX_MAX]; /* happens before: for races */
	uint32_t co[EX_MAX]; /* and what fences add: for coherence */
	uint32_t sc;	     /* the last fence, in their total order */
};

/* In which order the steps of a run depend on each other: for the search. */
struct trace_clock {
	uint32_t at[EX_MAX];
};

struct store {
	uint64_t value;
	struct store *before, *after; /* modification order */
	uint32_t pos;
	uint32_t clock;
	uint32_t sc; /* sequentially consistent: its number, else 0 */
	struct store *sc_before;
	uint8_t tid; /* EX_MAX: was there before */
	bool is_rmw; /* nothing comes between it and `before` */
	bool has_msg;
	struct clocks msg;
	struct trace_clock dep;
	const struct ex_site *site;
};

/* A thread has seen a store, or a later one, since its event `clock`. */
struct seen {
	struct seen *older;
	struct store *store;
	uint32_t clock;
};

/* Where in the search a thread did something last; node -1: nowhere. */
struct last {
	int32_t node;
	uint32_t clock;
};

struct location {
	char *addr;
	unsigned size;
	struct store *first, *latest;
	struct seen *seen[EX_MAX];
	struct store *sc_floor;			    /* what sc loads must see */
	struct store *sc_last;			    /* the last sc store */
	uint32_t accessed[EX_MAX], written[EX_MAX]; /* clocks, for races */
	bool is_dirty;				    /* written plainly since */
	uint8_t dirty_tid;
	uint32_t dirty_clock;
	struct last read[EX_MAX], write[EX_MAX], sc[EX_MAX];
	struct last wait[EX_MAX], wake[EX_MAX];
	struct trace_clock dep_write, dep_sc, dep_wake;
};

struct lock {
	struct lock *next, *next_held;
	const void *addr;
	int owner;	  /* -1: free */
	bool is_changing; /* its holder has written something */
	uint32_t version;
	struct clocks msg;
	struct trace_clock dep;
	struct last lock[EX_MAX];
};

struct op {
	enum ex_kind kind;
	struct ex_site *site;
	const void *addr;
	bool is_sc;
	int target; /* of an injected fence */
};

enum state { ABSENT, PAUSED, READY, ASLEEP, SPINNING, ENDED };

#define SPIN_SET 24

struct spin_read {
	struct location *loc;
	struct store *store;
	struct lock *lock;
	uint32_t version;
};

struct thread {
	enum state state;
	bool is_daemon;
	struct op pending;
	uint32_t clock; /* of its next event */
	struct clocks now, acquired, released;
	bool has_released;
	struct trace_clock dep;
	uint32_t steps; /* its own in dep */
	struct last last, injected;
	/* asleep */
	const void *word;
	uint64_t deadline; /* UINT64_MAX: none */
	bool timed_out;
	/* spinning: what it has read since it last did */
	struct spin_read reads[SPIN_SET];
	unsigned n_reads;
	/* a light fence without effect: see memory_inject */
	bool window, window_hit;
	struct location *window_loc;
	struct clocks window_clocks, window_before;
	struct ex_site *light;
	struct lock *held;
	void *exit_arg;
	void *(*run)(void *);
	void *arg;
};

enum phase { STOPPED, ALONE, TOGETHER };

struct engine {
	enum phase phase;
	int self; /* the running thread */
	int alone;
	const struct ex_client *client;
	struct thread threads[EX_MAX];
	uint64_t time;
	unsigned timeouts;
	int fence_mode;
	uint64_t accesses;
	uint64_t steps; /* of this run */
	bool figures;	/* they are steps, too */
	bool is_redundant;
	struct op performed;  /* the last step */
	const void *constant; /* never changes after the setup */
	void (*exit_hook)(void *);
};
extern struct engine ex;

#define SELF (&ex.threads[ex.self])

/* fiber.c */
void fibers_start(void);
void fiber_reset(int tid);
void fiber_switch(int tid); /* -1: the controller */
_Noreturn void fiber_leave(void);
bool is_thread_local(const void *p);
bool is_image(const void *p);
void image_keep(void);
void image_restore(void);

/* thread.c */
void run_once(void);
void take_turn(void);
void step(const struct op *op);
void threads_start(void);
bool thread_sleep(const void *word, uint64_t deadline);
void threads_wake(const void *word);
void thread_spin(uint64_t deadline);
bool thread_start(void *(*run)(void *), void *arg);
void lock_changing(void);
void spin_note(struct location *loc, struct store *s);
void spin_note_lock(struct lock *l);

/* memory.c */
void memory_reset(void);
struct location *location_of(const void *p, unsigned size);
struct location *location_at(const void *p);
uint64_t memory_load(struct ex_site *s, struct location *loc);
void memory_store(struct ex_site *s, struct location *loc, uint64_t value);
struct store *memory_rmw_source(struct ex_site *s, struct location *loc,
				const uint64_t *expected);
void memory_rmw(struct ex_site *s, struct location *loc, struct store *from,
		uint64_t value);
uint64_t memory_peek(struct location *loc);
void memory_fence(int tid, enum ex_order order);
void memory_inject(int tid);
void memory_window(void);
void memory_meet(void); /* all threads have seen everything */
void memory_raise(int tid, struct spin_read *r);
void clocks_join(struct clocks *a, const struct clocks *b);
struct lock *lock_of(const void *p);
void memory_locked(struct lock *l, bool weak);
void memory_unlocked(struct lock *l, bool weak);
uint64_t raw_read(const void *p, unsigned size);
void raw_write(void *p, unsigned size, uint64_t value);
void *pool_take(size_t size); /* zeroed, until the run ends */
void pool_reset(void);

/* search.c */
struct options {
	int bound;    /* -1: none */
	double limit; /* seconds; 0: none */
	uint64_t random;
	uint64_t seed;
	bool replaying;
	bool all; /* no reduction, to check the reduction by */
};
extern struct options options;
struct search {
	uint64_t runs, redundant, deepest, cut;
	bool is_finished; /* within the bound */
};
extern struct search search;
int search_pick(unsigned enabled);
unsigned search_choose(unsigned n);
int search_depth(void); /* the node of the running step */
void search_begin(void);
bool search_next(void); /* false: no more */
void search_performed(const struct op *op);
void search_replay(const char *text);
int search_print(char *text, size_t size);
void dep_join(struct trace_clock *a, const struct trace_clock *b);
void race_access(const struct op *op, struct location *loc);
void race_read_from(const struct store *s);
void race_lock(struct lock *l);
void race_fence(bool is_fence);
void race_inject(int target);
void race_own(void);
void race_sc(struct location *loc);
void race_reset(void);
struct last last_here(void);
void backtrack(struct last earlier);
void backtrack_to(int tid);

/* plain.c */
void plain_reset(void);
void plain_atomic(struct location *loc, bool writes);
void plain_bind(struct location *loc);
void plain_free(char *p, size_t size);
void plain_fresh(char *p, size_t size);

/* heap.c */
void heap_start(void);
void heap_reset(void);
void *heap_alloc(size_t size, bool is_client);
void heap_free(void *p);
bool heap_has(const void *p);
void heap_check(const void *p, size_t size, const char *what);
void heap_check_leaks(bool all);
size_t heap_name(const void *p, char *text, size_t size);

/* trace.c */
void trace_reset(void);
void trace_add(const struct op *op, const struct ex_site *site, int tid);
void trace_value(uint64_t value, unsigned newer);
void trace_note(const char *note);
_Noreturn void fail(const char *format, ...)
	__attribute__((__format__(__printf__, 1, 2)));
void trace_print(void);
extern const char *const kind_names[];

/* label.c */
struct ex_place {
	const char *file;
	int first, last;
	const char *labels; /* "HP2 HP4" */
	uint16_t ids[8];
	int n;
};
extern struct ex_place ex_places[];
extern const int ex_places_n;
extern const char *const ex_labels[];
extern const int ex_labels_n;
void labels_resolve(struct ex_site *first, struct ex_site *end,
		    const char *weaken, const char *weaken_line);
void label_run(void);
void label_done(int tid, const struct ex_site *s);
void label_read(const struct ex_site *reader, const struct store *s);
void labels_write(const char *path);
bool label_is_weak(const char *label);
void label_heavy(const struct ex_site *s);

#endif /* EX_ENGINE_H */
