/* SPDX-License-Identifier: MIT */
/*
 * core/core.h - the types of layer 1
 *
 *	slot	one word that names one object (hazptr/guard.h)
 *	record	the slots of one thread or one explicit context, and what its
 *		owner needs; never freed, so a scan walks them without a lock
 *	lane	what one thread has retired into one cohort and nobody scanned
 *	cohort	objects that can be waited for together; each domain has one
 *	line	a cohort's retired objects in the order of their scans
 *	ready	objects that no guard keeps, waiting for their function
 *
 * An object goes lane -> retired -> line -> freed, or ready -> function. From
 * a lane that is full its owner frees, or makes ready, what no reader holds.
 *
 * Locks, in the order in which they are taken: hazptr_domains.lock,
 * domain.scan_lock (several: in list order), stall, snapshot, registry, lanes,
 * background. overflow_lock of a record is taken with all signals blocked and
 * nothing is taken under it. None is held while waiting for a reader, while a
 * user function runs, or while memory is allocated.
 */
#ifndef HAZPTR_CORE_H
#define HAZPTR_CORE_H

#undef HAZPTR_DEBUG /* is for files of the user's */
#include <hazptr/hazptr.h>
#include <hazptr/rseq.h>

#include "../port/port.h"

#ifndef HAZPTR_SMALL_LIMITS /* of models/explore, whose ends are reached */
#define LANES 4
#define YOUNG 16
#define CHUNK_RECORDS 32
#define REF_SLOTS 8
#endif

/*
 * A list that its owner fills without an atomic read-modify-write, and that
 * others may take: retire.c has the protocol. All fields but steal are
 * written by whoever holds the lane: the owner while busy, else a taker.
 */
struct lane {
	uint32_t busy;	/* the owner is at it */
	uint32_t steal; /* a taker is at it, or wants to be */
	uint32_t n;	/* objects in the list */
	uint32_t quota; /* room that is reserved in the domain; n <= quota */
	struct hazptr_domain *domain; /* compared, not followed, by others */
	struct hazptr_cohort *cohort;
	struct hazptr_head *head;
	struct hazptr_head *tail;
	/* Retired last, their heads not written yet: see lane_link. */
	uint32_t n_young;
	struct {
		struct hazptr_head *head;
		void *object;
		hazptr_reclaim_fn reclaim;
	} young[YOUNG];
};

/* Odd while a thread frees, or runs functions, of the domain (NULL: of any). */
struct activity {
	uint32_t seq;
	struct hazptr_domain *domain;
	struct hazptr_head *list; /* what is left to do; found after a fork */
};

/* What a scan finds of one head. */
enum verdict {
	HELD,	  /* by a reader */
	KEPT,	  /* for the next scan */
	DONE,	  /* it leaves, and nothing is to be done; not touched again */
	DUE,	  /* for its function */
	DUE_FREE, /* for free(object) */
};

/*
 * Heads in a cohort of a kind are not objects that wait for their end, but
 * what layer 2 says; only `next` is the core's, and `object` is not NULL. All
 * but run() are called with the scan lock.
 */
struct hazptr_kind_ {
	void (*prepare)(struct hazptr_cohort *c); /* before the heavy fence */
	void (*mark)(
		struct hazptr_head *head); /* a full snapshot may have it */
	void (*settle)(struct hazptr_cohort *c); /* after the snapshot */
	enum verdict (*judge)(struct hazptr_head *head);
	void (*run)(struct hazptr_head *head);
};

/* What layer 2 wants to hear of. */
struct hazptr_upper_ {
	bool (*thread_holds)(const struct hazptr_record_ *r);
	void (*thread_exit)(struct hazptr_record_ *r);
	void (*fork_child)(const struct hazptr_record_ *self);
	/* In the library's thread; returns when it wants to be called again. */
	uint64_t (*tick)(uint64_t now);
};

enum record_state {
	RECORD_IDLE,	/* ready for the next owner */
	RECORD_THREAD,	/* a thread's own */
	RECORD_CONTEXT, /* a struct hazptr_context's */
	RECORD_WAITING	/* without owner; detached guards are left in it */
};

struct hazptr_record_ {
	struct hazptr_slot *slots;     /* a cache line in the chunk */
	struct hazptr_guard *overflow; /* guards whose own slot serves */
	struct hazptr_guard *overflow_detached;
	struct hazptr_lock overflow_lock;
	uint32_t overflow_n;		/* in the first list */
	struct hazptr_record_ *user;	/* a context: the thread that uses it */
	struct hazptr_context *context; /* a thread: what it switched to */
	struct hazptr_record_ *next;	/* in a list of the registry */
	enum record_state state;
	bool is_background; /* the library's thread */
	int thread;	    /* the kernel's number of the owner */
	int exit_rounds;    /* how often its exit hook has run */
	struct activity freeing;
	struct hazptr_head *own; /* from a lane; scanned while `freeing` */
	struct hazptr_cohort *own_cohort;
	struct activity running;
	struct hazptr_cohort *running_cohort;
	long unaccounted;	   /* functions called since the last account */
	struct hazptr_head *chain; /* of hazptr_references_, run after those */
	struct hazptr_head **chain_end;
	struct hazptr_ref_counters_ references;
	/* Without rseq; a record's address leaves three bits for a request. */
	struct hazptr_ref_slot_ ref_slots[REF_SLOTS]
		__attribute__((__aligned__(8)));
	struct lane lanes[LANES];
};

struct chunk {
	struct hazptr_slot slots[CHUNK_RECORDS]
				[HAZPTR_CONTEXT_SLOTS] HAZPTR_ALIGNED_LINE;
	struct hazptr_record_ records[CHUNK_RECORDS];
	uint32_t used;
	struct chunk *next;
};

struct hazptr_domain {
	enum hazptr_reclaim policy;
	size_t max_retired; /* 0: by the number of slots */
	uint64_t period_ns; /* between two passes of the background thread */
	char name[32];
	struct hazptr_domain *next;    /* hazptr_domains */
	struct hazptr_lock scan_lock;  /* one scan at a time; the cohorts */
	struct hazptr_cohort *cohorts; /* `own` is the last */
	struct hazptr_cohort own;
	uint64_t serial; /* of the youngest cohort */
	/* the background thread's */
	uint32_t users;	 /* it is at this domain; under hazptr_domains.lock */
	uint32_t armed;	 /* it will come back without being called */
	uint32_t kicked; /* functions are ready */
	uint32_t wanted; /* something was retired in a signal handler */
	uint64_t due;
	/* Counters on a line of their own: written once per batch. */
	long reserved HAZPTR_ALIGNED_LINE; /* wait for readers, and room */
	long kept;	  /* in the lines after the last scan */
	long ready;	  /* wait for their function */
	long lanes;	  /* that have room reserved here */
	uint64_t retired; /* without what is in lanes */
	uint64_t reclaimed;
	uint64_t peak;
	uint64_t scans;
	uint64_t heavy_fences;
};

/* registry.c */
extern struct chunk hazptr_chunks_;
extern struct hazptr_record_ hazptr_shared_record_;
struct hazptr_record_ *hazptr_record_take_(enum record_state state);
void hazptr_record_give_back_(struct hazptr_record_ *r);
int hazptr_record_leaving_(struct hazptr_record_ *r);
size_t hazptr_records_count_(void);
void hazptr_registry_lock_(void);
void hazptr_registry_unlock_(void);
void hazptr_registry_forget_(struct hazptr_record_ *r);

struct record_iterator {
	struct chunk *chunk;
	uint32_t i;
	uint32_t used;
};
struct hazptr_record_ *hazptr_record_first_(struct record_iterator *it);
struct hazptr_record_ *hazptr_record_next_(struct record_iterator *it);

/* thread.c: the calling thread's record; NULL when there is no memory */
struct hazptr_record_ *hazptr_self_register_(void);
void hazptr_self_use_(struct hazptr_record_ *r);
void hazptr_self_adopt_(struct hazptr_record_ *r);
void hazptr_self_after_fork_(void);
void hazptr_slots_drop_(struct hazptr_record_ *r);
static inline struct hazptr_record_ *hazptr_own_record_(void)
{
	struct hazptr_record_ *r = hazptr_self_.own;

	return hazptr_likely_(r != NULL) ? r : hazptr_self_register_();
}

/* overflow.c */
extern uint32_t hazptr_overflows_;
void hazptr_overflow_visit_(struct hazptr_record_ *r,
			    void (*visit)(struct hazptr_guard *g, void *arg),
			    void *arg);
void hazptr_overflow_link_(struct hazptr_record_ *r, struct hazptr_guard *g);
void hazptr_overflow_unlink_(struct hazptr_guard *g);
void hazptr_overflow_detach_(struct hazptr_guard *rest);
void hazptr_overflow_abandon_(struct hazptr_record_ *r);
void hazptr_overflow_drop_(struct hazptr_record_ *r);
void hazptr_overflow_reset_(void);
struct hazptr_record_ *hazptr_overflow_record_(const struct hazptr_guard *g);
#define OVERFLOWED ((uintptr_t)1)
#define DETACHED ((uintptr_t)2)
/* What a guard's `slot` leads to when it is no slot of the inline paths'. */
static inline struct hazptr_guard *hazptr_rest_of_(uintptr_t slot)
{
	if (!(slot & HAZPTR_ELSEWHERE_))
		return NULL;
	return (struct hazptr_guard *)(slot & ~HAZPTR_ELSEWHERE_);
}

/* Walking a chain: has it been bent into a ring? (R. P. Brent, 1980) */
struct ring_check {
	const struct hazptr_head *first;
	const struct hazptr_head *before;
	size_t n;
	size_t next;
};
void hazptr_ring_check_(struct ring_check *c, const struct hazptr_head *head);

/* retire.c */
void hazptr_retire_async_(struct hazptr_cohort *c, struct hazptr_head *head);
void hazptr_retired_push_(struct hazptr_cohort *c, struct hazptr_head *first,
			  struct hazptr_head *last, size_t n);
void hazptr_retired_link_(struct hazptr_cohort *c, struct hazptr_head *first,
			  struct hazptr_head *last);
void hazptr_lanes_leave_(struct hazptr_record_ *r);
bool hazptr_lanes_hold_(const struct hazptr_record_ *r,
			const struct hazptr_domain *d);
bool hazptr_lanes_take_(struct hazptr_domain *d);
void hazptr_lanes_take_all_(struct hazptr_domain *d);
void hazptr_lanes_freeze_(const struct hazptr_record_ *self);
void hazptr_lanes_thaw_(void);
void hazptr_lanes_adopt_(struct hazptr_record_ *r);

/* scan.c */
size_t hazptr_scan_(struct hazptr_record_ *r, struct hazptr_domain *const *d,
		    size_t n);
struct hazptr_head **hazptr_line_end_(struct hazptr_cohort *c);
void hazptr_scan_own_(struct hazptr_record_ *r);
void hazptr_free_all_(struct hazptr_record_ *r);

/* snapshot.c */
/* Whose lists are to be marked when the table is full, and how. */
struct snapshot_user {
	void (*mark)(const void *lists);
	const void *lists;
};
void hazptr_snapshot_take_(struct snapshot_user *user);
bool hazptr_snapshot_has_(uintptr_t object);
void hazptr_snapshot_reserve_(size_t slots);
void hazptr_snapshot_lock_(void);
void hazptr_snapshot_unlock_(void);

/* reclaim.c */
bool hazptr_run_after_(struct hazptr_cohort *c, struct hazptr_head *head);
void hazptr_activity_begin_(struct activity *a, struct hazptr_domain *d);
void hazptr_activity_end_(struct activity *a);
void hazptr_run_ready_(struct hazptr_record_ *r, struct hazptr_domain *d);
void hazptr_run_where_due_(struct hazptr_record_ *r, struct hazptr_domain *d);
size_t hazptr_pass_(struct hazptr_record_ *r, struct hazptr_domain *d);
static inline bool hazptr_is_running_(const struct hazptr_record_ *r)
{
	return r->running.seq & 1;
}

/* barrier.c */
struct barrier {
	struct hazptr_head head; /* stands in the line; its object is NULL */
	struct hazptr_record_ *owner;
	uint32_t done;
};
void hazptr_gather_(const struct hazptr_record_ *self, struct hazptr_domain *d);
void hazptr_grace_(const struct hazptr_record_ *self,
		   const struct hazptr_domain *d);
void hazptr_barrier_cohort_(struct hazptr_cohort *c, const char *call);

/* domain.c */
extern struct hazptr_domain hazptr_default_domain_;
extern struct hazptr_cohort hazptr_references_; /* in it; of layer 2's kind */
extern const struct hazptr_upper_ *hazptr_upper_;
void hazptr_upper_join_(const struct hazptr_upper_ *upper,
			const struct hazptr_kind_ *kind);
static inline const struct hazptr_upper_ *hazptr_upper_get_(void)
{
	/* order UL1: what it leads to; pairs with UL2 */
	return hazptr_load_(&hazptr_upper_, acquire);
}
struct domains {
	struct hazptr_lock lock;
	struct hazptr_domain *first;
};
extern struct domains hazptr_domains_;
size_t hazptr_bound_(const struct hazptr_domain *d);
static inline struct hazptr_domain *
hazptr_domain_or_default_(struct hazptr_domain *d)
{
	return d ? d : &hazptr_default_domain_;
}

/* synchronize.c */
void hazptr_synchronize_for_(const void *object, const char *call);

/* background.c */
void hazptr_background_arm_(struct hazptr_domain *d);
bool hazptr_background_kick_(struct hazptr_domain *d);
void hazptr_background_start_(void);
void hazptr_background_call_(void);
void hazptr_background_lock_(void);
void hazptr_background_unlock_(void);
void hazptr_background_forget_(void);

/* fork.c */
void hazptr_fork_prepare_(void);
void hazptr_fork_parent_(void);
void hazptr_fork_child_(void);
/* Layer 3 wants to hear of it, too; after all of the above. */
extern void (*hazptr_fork_child_later_)(void);

#endif /* HAZPTR_CORE_H */
