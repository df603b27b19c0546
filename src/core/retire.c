/* SPDX-License-Identifier: MIT */
/*
 * core/retire.c - from the caller's hands into the domain
 *
 * A lane is a list of retired objects that belongs to one thread. Its owner
 * pushes without a lock and without an atomic read-modify-write; a taker (a
 * flush, a barrier, the background thread) can have it at any time, also when
 * the owner sleeps for ever:
 *
 *	owner				taker
 *	busy = 1	      LN1	steal = 1	      LN5
 *	light fence	      LN2	heavy fence	      LN6
 *	steal? go elsewhere   LN3	busy? leave it	      LN7
 *	push				take the list
 *	busy = 0	      LN4	steal = 0	      LN8
 *
 * At least one of the two sees the other. An owner that sees the taker pushes
 * its object on the cohort's shared list instead; a taker that sees the owner
 * comes back later. models/spin/lane.pml has both fences removed in turn.
 *
 * When the lane is full, its owner takes the list itself and scans it, beside
 * others' scans. From before it takes the list until all is freed, or stands in
 * the shared list, its record says so (PS1), and a barrier waits for that
 * before it places its marker. models/spin/private.pml.
 *
 * The taker's heavy fence does not serve for the scan that follows: the
 * owner's unlink may have been in its store buffer still when the fence ran on
 * a reader's processor. A scan has a heavy fence of its own (HP7).
 *
 * Room. An object counts against the bound from the moment when it may exist:
 * a lane reserves room for a share of the bound at a time, and the domain's
 * `reserved` is what waits for readers plus what is reserved. The thread whose
 * reservation reaches the bound scans. So the bound holds without a shared
 * counter that each retire() writes; and because a lane with room left keeps
 * `reserved` above zero, the background thread, which sleeps only when it is
 * zero, needs no call from the fast path either (BG1 to BG5).
 */
#include "debug.h"

#define MANUAL_QUOTA 64
#define LEND_NS 1000000u
#define OWN_MIN 64u

static struct hazptr_lock taking;

/* False: a taker has the lane, or wants it. */
static inline bool lane_enter(struct lane *lane)
{
	/* order LN1: before LN3; pairs with LN7 */
	hazptr_store_(&lane->busy, 1, relaxed);
	hazptr_fence_light(); /* order LN2: LN6 */
	/* order LN3: the lane as the last taker left it; pairs with LN5, LN8 */
	return hazptr_likely_(!hazptr_load_(&lane->steal, acquire));
}

static inline void lane_leave(struct lane *lane)
{
	/* order LN4: the lane as this owner leaves it; pairs with LN7 */
	hazptr_store_(&lane->busy, 0, release);
}

/* Heads of a kind have fields of their own there. */
static inline void fill(const struct hazptr_cohort *c, struct hazptr_head *head,
			void *object, hazptr_reclaim_fn reclaim)
{
	if (c->kind)
		return;
	head->object = object;
	head->reclaim = reclaim;
}

/*
 * Writing a head misses the cache when a reader has just looked at the object,
 * and the next atomic read-modify-write of the caller would wait for that. So
 * heads are written many at a time, and their misses overlap.
 */
static void lane_link(struct lane *lane)
{
	struct hazptr_head *head;
	uint32_t i;

	for (i = 0; i < lane->n_young; i++) {
		head = lane->young[i].head;
		fill(lane->cohort, head, lane->young[i].object,
		     lane->young[i].reclaim);
		head->next = lane->head;
		if (!lane->head)
			lane->tail = head;
		lane->head = head;
	}
	lane->n_young = 0;
}

static inline void lane_push(struct lane *lane, struct hazptr_head *head,
			     void *object, hazptr_reclaim_fn reclaim)
{
	uint32_t i = lane->n_young++;

	lane->young[i].head = head;
	lane->young[i].object = object;
	lane->young[i].reclaim = reclaim;
	/* order ST1: statistics may look; pairs with ST1 */
	hazptr_store_(&lane->n, lane->n + 1, relaxed);
	if (lane->n_young == YOUNG)
		lane_link(lane);
}

static void raise_peak(struct hazptr_domain *d)
{
	/* order ST1: figures; pairs with ST1 */
	uint64_t pending = hazptr_load_(&d->retired, relaxed) -
			   hazptr_load_(&d->reclaimed, relaxed);
	uint64_t peak = hazptr_load_(&d->peak, relaxed);

	while ((int64_t)pending > (int64_t)peak)
		/* order ST1: figures; pairs with ST1 */
		if (hazptr_cas_(&d->peak, &peak, pending, relaxed, relaxed))
			break;
}

static void count_retired(struct hazptr_domain *d, size_t n)
{
	/* order ST1: a figure; pairs with ST1 */
	hazptr_fetch_add_(&d->retired, n, relaxed);
	raise_peak(d);
}

/* A chain onto the shared list. */
void hazptr_retired_link_(struct hazptr_cohort *c, struct hazptr_head *first,
			  struct hazptr_head *last)
{
	struct hazptr_head *old;

	/* order RT1: a guess that the exchange checks; pairs with RT2 */
	old = hazptr_load_(&c->retired, relaxed);
	do
		last->next = old;
	/* order RT2: unlink and head before the list; pairs with RT3 */
	while (!hazptr_cas_(&c->retired, &old, first, release, relaxed));
}

/* A chain of n objects, for which room is reserved. */
void hazptr_retired_push_(struct hazptr_cohort *c, struct hazptr_head *first,
			  struct hazptr_head *last, size_t n)
{
	if (last->next)
		hazptr_die_twice_(last->object);
	count_retired(c->domain, n);
	hazptr_retired_link_(c, first, last);
}

/* What it held is elsewhere by now. */
static void lane_clear(struct lane *lane)
{
	if (lane->quota)
		/* order ST1: a figure; pairs with ST1 */
		hazptr_fetch_sub_(&lane->domain->lanes, 1, relaxed);
	lane->head = NULL;
	/* order ST1: statistics may look; pairs with ST1 */
	hazptr_store_(&lane->n, 0, relaxed);
	/* order LN9: after the push of what it held; pairs with LN10 */
	hazptr_store_(&lane->quota, 0, release);
}

/* What the lane holds goes to its cohort, unused room back to the domain. */
static void lane_empty(struct lane *lane)
{
	long unused = (long)lane->quota - (long)lane->n;

	lane_link(lane);
	if (lane->n)
		hazptr_retired_push_(lane->cohort, lane->head, lane->tail,
				     lane->n);
	if (lane->quota)
		/* order BG1: room is not reserved any more; pairs with BG5 */
		hazptr_fetch_sub_(&lane->domain->reserved, unused, seq_cst);
	lane_clear(lane);
}

/* The owner, in the lane, which is empty. */
static void lane_assign(struct lane *lane, struct hazptr_cohort *c, size_t room)
{
	/* order LN9: after the push of what it held before; LN10 */
	hazptr_store_(&lane->domain, c->domain, release);
	hazptr_store_(&lane->quota, (uint32_t)room, release);
	lane->cohort = c;
	/* order ST1: a figure; pairs with ST1 */
	hazptr_fetch_add_(&c->domain->lanes, 1, relaxed);
}

/* A thread ends. A lane that a taker has right now stays with the record. */
void hazptr_lanes_leave_(struct hazptr_record_ *r)
{
	int i;

	for (i = 0; i < LANES; i++) {
		struct lane *lane = &r->lanes[i];

		if (lane_enter(lane))
			lane_empty(lane);
		lane_leave(lane);
	}
}

/* The calling thread's own. */
bool hazptr_lanes_hold_(const struct hazptr_record_ *r,
			const struct hazptr_domain *d)
{
	int i;

	for (i = 0; i < LANES; i++)
		/* order ST3: its own; pairs with ST3 */
		if (hazptr_load_(&r->lanes[i].domain, relaxed) == d &&
		    hazptr_load_(&r->lanes[i].n, relaxed))
			return true;
	return false;
}

static bool wants(const struct lane *lane, const struct hazptr_domain *d)
{
	/* order LN10: a lane that is passed over has pushed what it held;
	 * pairs with LN9 */
	return hazptr_load_(&lane->domain, acquire) == d &&
	       hazptr_load_(&lane->quota, acquire) != 0;
}

/* Set steal in all lanes of the domain that hold something. */
static bool announce(const struct hazptr_domain *d)
{
	struct record_iterator it;
	struct hazptr_record_ *r;
	bool any = false;
	int i;

	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it)) {
		for (i = 0; i < LANES; i++) {
			if (!wants(&r->lanes[i], d))
				continue;
			/* order LN5: before LN7; pairs with LN3 */
			hazptr_store_(&r->lanes[i].steal, 1, relaxed);
			any = true;
		}
	}
	return any;
}

/* False: the owner is at it. Then steal stays, and keeps it out next time. */
static bool take(struct lane *lane)
{
	/* order LN7: the list as its owner left it; pairs with LN1, LN4 */
	if (hazptr_load_(&lane->busy, acquire))
		return false;
	lane_empty(lane);
	/* order LN8: the lane as the taker leaves it; pairs with LN3 */
	hazptr_store_(&lane->steal, 0, release);
	return true;
}

/* Take all lanes that takers wait for; false: some owners are at theirs. */
static bool take_announced(void)
{
	struct record_iterator it;
	struct hazptr_record_ *r;
	bool all = true;
	int i;

	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it))
		for (i = 0; i < LANES; i++)
			if (r->lanes[i].steal)
				all &= take(&r->lanes[i]);
	return all;
}

/* Take over all lanes of the domain; false: owners are at some of them. */
bool hazptr_lanes_take_(struct hazptr_domain *d)
{
	bool all;

	hazptr_lock_(&taking);
	if (announce(d)) {
		hazptr_fence_heavy(); /* order LN6: LN2 */
		/* order ST1: a figure; pairs with ST1 */
		hazptr_fetch_add_(&d->heavy_fences, 1, relaxed);
	}
	/* And what was left to its owner before: that had its fence then. */
	all = take_announced();
	hazptr_unlock_(&taking);
	return all;
}

/* Also those that their owners are at. Each lane is taken once. */
void hazptr_lanes_take_all_(struct hazptr_domain *d)
{
	struct hazptr_backoff backoff = { 0 };
	bool all = hazptr_lanes_take_(d);

	while (!all) {
		hazptr_backoff_(&backoff, UINT64_MAX);
		hazptr_lock_(&taking);
		all = take_announced();
		hazptr_unlock_(&taking);
	}
}

/* Around fork: every other thread is out of its lanes, and stays out. */
void hazptr_lanes_freeze_(const struct hazptr_record_ *self)
{
	struct hazptr_backoff backoff = { 0 };
	struct record_iterator it;
	struct hazptr_record_ *r;
	bool others = false;
	int i;

	hazptr_lock_(&taking);
	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it)) {
		others |= r != self;
		for (i = 0; i < LANES && r != self; i++)
			/* order LN5: before LN7; pairs with LN3 */
			hazptr_store_(&r->lanes[i].steal, 1, relaxed);
	}
	if (others) /* else fork works where membarrier is refused by now */
		hazptr_fence_heavy(); /* order LN6: LN2 */
	for (r = hazptr_record_first_(&it); r; r = hazptr_record_next_(&it))
		for (i = 0; i < LANES && r != self; i++)
			/* order LN7: the list as its owner left it; LN4 */
			while (hazptr_load_(&r->lanes[i].busy, acquire))
				hazptr_backoff_(&backoff, UINT64_MAX);
}

/* Another taker may wait for some of them: all are taken. */
void hazptr_lanes_thaw_(void)
{
	take_announced();
	hazptr_unlock_(&taking);
}

/* In the child of a fork: lanes whose owner is not here, or is in none. */
void hazptr_lanes_adopt_(struct hazptr_record_ *r)
{
	int i;

	for (i = 0; i < LANES; i++) {
		lane_empty(&r->lanes[i]);
		/* private: who came after the freeze will never leave */
		hazptr_store_(&r->lanes[i].busy, 0, relaxed);
	}
}

static size_t ready(const struct hazptr_domain *d)
{
	/* order ST1: a figure; pairs with ST1 */
	long n = hazptr_load_(&d->ready, relaxed);

	return n > 0 ? (size_t)n : 0;
}

/* What counts against the bound: an INLINE function is the callers' to run. */
static size_t counted(const struct hazptr_domain *d)
{
	/* order ST1: a figure; pairs with ST1 */
	size_t n = (size_t)hazptr_load_(&d->reserved, relaxed);

	return d->policy == HAZPTR_RECLAIM_INLINE ? n + ready(d) : n;
}

static size_t limit(const struct hazptr_domain *d, size_t bound)
{
	if (d->policy == HAZPTR_RECLAIM_MANUAL)
		return SIZE_MAX;
	/* order ST1: a figure; pairs with ST1 */
	return bound + (size_t)hazptr_load_(&d->kept, relaxed);
}

/*
 * More functions wait for their turn than should: those of a BACKGROUND domain
 * for the library's thread, those of an INLINE one for a thread that has taken
 * them and got no processor since.
 */
static bool is_behind(const struct hazptr_domain *d, size_t bound)
{
	if (d->policy == HAZPTR_RECLAIM_BACKGROUND)
		return ready(d) > 8 * bound;
	return d->policy == HAZPTR_RECLAIM_INLINE && ready(d) &&
	       counted(d) >= limit(d, bound);
}

/* Is a scan for so many objects worth a fence and a look at all slots? */
static bool suits_own_scan(size_t n)
{
	size_t slots = hazptr_records_count_() * HAZPTR_CONTEXT_SLOTS;

	return n >= OWN_MIN && n >= slots / 4;
}

/* What each lane can have at any time: a quarter of the bound is for all. */
static size_t share(const struct hazptr_domain *d, size_t bound)
{
	/* order ST1: a figure; pairs with ST1 */
	long others = hazptr_load_(&d->lanes, relaxed);
	size_t room = bound / 4 / (others > 0 ? (size_t)others + 1 : 1);

	if (d->policy == HAZPTR_RECLAIM_MANUAL)
		return MANUAL_QUOTA;
	if (is_behind(d, bound))
		return 1; /* so that each retire() comes by, and lends */
	return room ? room : 1;
}

/*
 * For a lane that its owner scans: up to three quarters, of what is left. So
 * who comes late gets some, and more when the others begin their next batch.
 */
static size_t own_share(const struct hazptr_domain *d, size_t bound)
{
	size_t least = share(d, bound), n = counted(d), all = limit(d, bound);
	size_t room = all > n && all < SIZE_MAX ? (all - n) / 4 * 3 : 0;

	if (room > 3 * least)
		room = 3 * least;
	return suits_own_scan(room) ? room : least;
}

/* The thread's lane for the cohort, or one that it can have. */
static struct lane *choose_lane(struct hazptr_record_ *r,
				const struct hazptr_cohort *c)
{
	struct lane *victim = &r->lanes[0];
	int i;

	for (i = 0; i < LANES; i++)
		if (r->lanes[i].cohort == c)
			return &r->lanes[i];
	for (i = 1; i < LANES; i++)
		/* order ST3: a preference; pairs with ST3 */
		if (hazptr_load_(&r->lanes[i].quota, relaxed) <
		    hazptr_load_(&victim->quota, relaxed))
			victim = &r->lanes[i];
	return victim;
}

/*
 * Take all that the lane holds into the record, and its room, for a scan of
 * the owner's own. The activity has begun: whoever finds the lane empty from
 * now on finds that (LN9, LN4), and waits for it where it matters.
 */
static bool take_own(struct hazptr_record_ *r, struct lane *lane)
{
	bool suits = false;

	if (lane_enter(lane)) {
		lane_link(lane);
		suits = suits_own_scan(lane->n);
	}
	if (suits) {
		count_retired(lane->domain, lane->n);
		r->own = lane->head;
		r->own_cohort = lane->cohort;
		lane_clear(lane);
	}
	lane_leave(lane);
	return suits;
}

/* When a lane is full, what it holds need not go through other hands. */
static void scan_own(struct hazptr_record_ *r, const struct hazptr_cohort *c)
{
	struct lane *lane = choose_lane(r, c);
	/* order ST3: a preference; pairs with ST3 */
	uint32_t n = hazptr_load_(&lane->n, relaxed);
	bool taken;

	if (lane->cohort != c || c->kind || n < OWN_MIN ||
	    n < hazptr_load_(&lane->quota, relaxed) || /* order ST3: ST3 */
	    c->domain->policy == HAZPTR_RECLAIM_MANUAL)
		return;
	hazptr_activity_begin_(&r->freeing, c->domain);
	taken = take_own(r, lane);
	if (taken)
		hazptr_scan_own_(r);
	hazptr_activity_end_(&r->freeing);
	if (taken)
		hazptr_run_where_due_(r, c->domain);
}

/*
 * Begin a new batch in the lane: what it held goes to the cohort. Returns the
 * lane, entered, or NULL when a taker has it.
 */
static struct lane *renew_lane(struct hazptr_record_ *r,
			       struct hazptr_cohort *c)
{
	struct lane *lane;

	if (!r)
		return NULL;
	lane = choose_lane(r, c);
	if (!lane_enter(lane)) {
		lane_leave(lane);
		return NULL;
	}
	lane_empty(lane);
	return lane;
}

/* Too many functions wait for the background thread: give it a moment. */
static void lend(struct hazptr_record_ *r, struct hazptr_domain *d,
		 size_t bound)
{
	struct hazptr_backoff backoff = { 0 };
	uint64_t deadline;

	if (!is_behind(d, bound) || hazptr_is_running_(r))
		return;
	deadline = hazptr_now_() + LEND_NS;
	do
		hazptr_backoff_(&backoff, deadline);
	while (is_behind(d, bound) && hazptr_now_() < deadline);
}

/*
 * The bound is reached: scan; when others hold the room that a lane should
 * have, take it from them.
 */
static void make_room(struct hazptr_record_ *r, struct hazptr_domain *d,
		      size_t bound)
{
	bool others;

	hazptr_pass_(r, d);
	/* order ST1: a figure; pairs with ST1 */
	others = hazptr_load_(&d->lanes, relaxed) > 0;
	if (counted(d) + (others ? share(d, bound) : 0) >= limit(d, bound)) {
		hazptr_lanes_take_(d);
		hazptr_pass_(r, d);
	}
}

/* Returns what counts against the bound, with the n of this call. */
static size_t reserve(struct hazptr_domain *d, size_t n)
{
	/* order BG1: before BG2; pairs with BG5 */
	hazptr_fetch_add_(&d->reserved, (long)n, seq_cst);
	return counted(d);
}

/* Objects for which room is reserved. */
static void push(struct hazptr_record_ *r, struct hazptr_cohort *c,
		 struct hazptr_head *first, struct hazptr_head *last, size_t n,
		 size_t reserved)
{
	struct hazptr_domain *d = c->domain;
	size_t bound = hazptr_bound_(d);

	hazptr_retired_push_(c, first, last, n);
	hazptr_background_arm_(d);
	if (!r)
		return;
	if (reserved >= limit(d, bound))
		make_room(r, d, bound);
	lend(r, d, bound);
}

static __attribute__((__noinline__)) void
retire_slow(struct hazptr_record_ *r, struct hazptr_cohort *c,
	    struct hazptr_head *head, void *object, hazptr_reclaim_fn reclaim)
{
	struct hazptr_domain *d = c->domain;
	size_t bound = hazptr_bound_(d), room, reserved;
	struct lane *lane;

	if (r)
		scan_own(r, c);
	lane = renew_lane(r, c);
	if (lane) {
		room = c->kind ? share(d, bound) : own_share(d, bound);
		reserved = reserve(d, room);
		if (reserved < limit(d, bound)) {
			lane_assign(lane, c, room);
			lane_push(lane, head, object, reclaim);
			lane_leave(lane);
			hazptr_background_arm_(d);
			lend(r, d, bound);
			return;
		}
		lane_leave(lane);
		/* order BG1: room given back, but for one; pairs with BG5 */
		hazptr_fetch_sub_(&d->reserved, (long)room - 1, seq_cst);
	} else {
		reserved = reserve(d, 1);
	}
	head->next = NULL;
	fill(c, head, object, reclaim);
	push(r, c, head, head, 1, reserved);
}

/* True when the object went into the thread's lane for the cohort. */
static inline bool retire_fast(struct hazptr_record_ *r,
			       const struct hazptr_cohort *c,
			       struct hazptr_head *head, void *object,
			       hazptr_reclaim_fn reclaim)
{
	struct lane *lane = r->lanes;
	bool room;

	while (hazptr_unlikely_(lane->cohort != c))
		if (++lane == r->lanes + LANES)
			return false;
	room = lane_enter(lane);
	HAZPTR_TEST_POINT("retire:busy");
	room = room && lane->n < lane->quota;
	if (hazptr_likely_(room))
		lane_push(lane, head, object, reclaim);
	lane_leave(lane);
	return room;
}

static inline void check_address(const char *call, const void *object)
{
	if (hazptr_unlikely_(!object || ((uintptr_t)object & 3)))
		hazptr_die_(call, object, "an address is a multiple of 4");
}

void hazptr_cohort_retire_(struct hazptr_cohort *c, struct hazptr_head *head,
			   void *object, hazptr_reclaim_fn reclaim)
{
	struct hazptr_record_ *r = hazptr_own_record_();

	check_address("hazptr_retire", object);
	if (hazptr_unlikely_(!r || !retire_fast(r, c, head, object, reclaim)))
		retire_slow(r, c, head, object, reclaim);
}

/* Of a cohort of a kind; async-signal-safe once the library's thread runs. */
void hazptr_retire_async_(struct hazptr_cohort *c, struct hazptr_head *head)
{
	head->next = NULL;
	reserve(c->domain, 1);
	hazptr_retired_push_(c, head, head, 1);
	/* order BG6: it is in the list; pairs with BG7 */
	hazptr_store_(&c->domain->wanted, 1, release);
	hazptr_background_call_();
}

void hazptr_retire_(struct hazptr_domain *d, struct hazptr_head *head,
		    void *object, hazptr_reclaim_fn reclaim)
{
	hazptr_cohort_retire_(&hazptr_domain_or_default_(d)->own, head, object,
			      reclaim);
}

void hazptr_retire_list(struct hazptr_domain *d, struct hazptr_head *first,
			struct hazptr_head *last)
{
	struct ring_check ring = { 0 };
	struct hazptr_head *head;
	size_t n = 1;

	for (head = first; head != last; head = head->next) {
		if (!head)
			hazptr_die_("hazptr_retire_list", last,
				    "the chain does not lead to it");
		hazptr_ring_check_(&ring, head);
		check_address("hazptr_retire_list", head->object);
		n++;
	}
	check_address("hazptr_retire_list", last->object);
	last->next = NULL;
	d = hazptr_domain_or_default_(d);
	push(hazptr_own_record_(), &d->own, first, last, n, reserve(d, n));
}
