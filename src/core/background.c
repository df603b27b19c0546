/* SPDX-License-Identifier: MIT */
/*
 * core/background.c - the library's thread
 *
 * Keeps the time bound (nothing that is free to go waits longer than the
 * domain's delay, even when everybody sleeps) and runs the user functions of
 * BACKGROUND domains. One per process, started when first needed.
 *
 * A domain is `armed` when the thread will come back to it without being
 * called. It disarms a domain when nothing waits there any more, and sleeps
 * without a time-out when none is armed. Whoever reserves room in a domain
 * that is not armed wakes it:
 *
 *	retire				background
 *	reserved += room      BG1	armed = 0	      BG3
 *	armed? else wake it   BG2	full fence	      BG4
 *					reserved? then armed  BG5
 *
 * At least one of the two sees the other: models/spin/arm.pml.
 */
#include "core.h"

#define AT_A_TIME 16

enum { NONE, STARTING, RUNNING };

static struct {
	struct hazptr_lock lock; /* of armed and due, in all domains */
	uint32_t state;
	uint32_t calls; /* changes when somebody wants the thread */
} background;

static void *run(void *arg);

void hazptr_background_call_(void)
{
	/* order BG6: what it is called for; pairs with BG7 */
	hazptr_fetch_add_(&background.calls, 1, release);
	hazptr_wake_(&background.calls);
}

static void set_armed(struct hazptr_domain *d, uint32_t armed)
{
	/* order BG3: before BG4; pairs with BG2 */
	hazptr_store_(&d->armed, armed, seq_cst);
	if (armed)
		d->due = hazptr_now_() + d->period_ns;
}

/* Whoever relied on the start that failed: the next retire() tries again. */
static void disarm_all(void)
{
	struct hazptr_domain *d;

	hazptr_lock_(&hazptr_domains_.lock);
	hazptr_lock_(&background.lock);
	for (d = hazptr_domains_.first; d; d = d->next)
		if (d->policy != HAZPTR_RECLAIM_MANUAL)
			set_armed(d, 0);
	hazptr_unlock_(&background.lock);
	hazptr_unlock_(&hazptr_domains_.lock);
}

/* False: there is no thread, and there can be none now. */
static bool start(void)
{
	struct hazptr_record_ *r;
	uint32_t state = NONE;
	bool started;

	/* order FM1: a hint, the exchange decides; pairs with FM2 */
	if (hazptr_load_(&background.state, relaxed) != NONE)
		return true;
	/* order FM1: one thread starts it; pairs with FM2 */
	if (!hazptr_cas_(&background.state, &state, STARTING, acquire, relaxed))
		return true;
	r = hazptr_own_record_() ? hazptr_record_take_(RECORD_THREAD) : NULL;
	started = r && hazptr_thread_start_(run, r, "hazptr");
	if (r && !started)
		hazptr_record_give_back_(r);
	/* order FM2: the thread is there, or is not; pairs with FM1 */
	hazptr_store_(&background.state, started ? RUNNING : NONE, release);
	if (!started)
		disarm_all();
	return started;
}

void hazptr_background_arm_(struct hazptr_domain *d)
{
	/* order BG2: after BG1; pairs with BG3 */
	if (hazptr_likely_(hazptr_load_(&d->armed, seq_cst)))
		return;
	hazptr_lock_(&background.lock);
	set_armed(d, 1);
	hazptr_unlock_(&background.lock);
	if (start())
		hazptr_background_call_();
}

/* Layer 2 needs its ticks, and its functions called. */
void hazptr_background_start_(void)
{
	start();
}

/* Functions are ready. False: there is no thread that could run them. */
bool hazptr_background_kick_(struct hazptr_domain *d)
{
	if (!start())
		return false;
	/* order BG6: functions are in the ready list; pairs with BG7 */
	hazptr_store_(&d->kicked, 1, release);
	hazptr_background_call_();
	return true;
}

/* Nothing waits: do not come back. */
static void rest(struct hazptr_domain *d)
{
	long pending;

	if (d->policy == HAZPTR_RECLAIM_MANUAL)
		return;
	hazptr_lock_(&background.lock);
	set_armed(d, 0);
	hazptr_fence_(seq_cst); /* order BG4: BG1 */
	/* order BG5: after BG3, in the order in which objects go; BG1 */
	pending = hazptr_load_(&d->reserved, seq_cst);
	pending += hazptr_load_(&d->ready, seq_cst);
	if (pending)
		set_armed(d, 1);
	hazptr_unlock_(&background.lock);
}

static bool is_due(struct hazptr_domain *d, uint64_t now, uint64_t *next)
{
	bool due;

	hazptr_lock_(&background.lock);
	due = d->policy != HAZPTR_RECLAIM_MANUAL && d->armed && d->due <= now;
	if (d->policy != HAZPTR_RECLAIM_MANUAL && d->armed && !due &&
	    d->due < *next)
		*next = d->due;
	hazptr_unlock_(&background.lock);
	return due;
}

/* Not in a MANUAL domain, whose functions are others' to run. */
static bool is_wanted(const struct hazptr_record_ *r, struct hazptr_domain *d)
{
	/* order BG7: what it was called for; pairs with BG6 */
	bool wanted = hazptr_exchange_(&d->wanted, 0, acquire);

	return d->policy != HAZPTR_RECLAIM_MANUAL &&
	       (wanted || hazptr_lanes_hold_(r, d));
}

/*
 * Domains that are due, or have functions to run. What those functions retired
 * is looked at at once: a chain does not wait a period for each of its links.
 */
static size_t gather(const struct hazptr_record_ *r, struct hazptr_domain **due,
		     struct hazptr_domain **kicked, size_t *n_kicked,
		     uint64_t *next)
{
	uint64_t now = hazptr_now_();
	struct hazptr_domain *d;
	size_t n = 0;

	*n_kicked = 0;
	hazptr_lock_(&hazptr_domains_.lock);
	for (d = hazptr_domains_.first; d; d = d->next) {
		if (n == AT_A_TIME || *n_kicked == AT_A_TIME) {
			*next = now;
			break;
		}
		if (is_wanted(r, d) || is_due(d, now, next))
			due[n++] = d;
		/* order BG7: the functions it was called for; pairs with BG6 */
		else if (hazptr_exchange_(&d->kicked, 0, acquire))
			kicked[(*n_kicked)++] = d;
		else
			continue;
		d->users++;
	}
	hazptr_unlock_(&hazptr_domains_.lock);
	return n;
}

static void let_go(struct hazptr_domain *d)
{
	hazptr_lock_(&hazptr_domains_.lock);
	d->users--;
	hazptr_unlock_(&hazptr_domains_.lock);
}

static void scan_due(struct hazptr_record_ *r, struct hazptr_domain **d,
		     size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		hazptr_lanes_take_(d[i]);
	hazptr_scan_(r, d, n);
}

/* One round; returns when the next one is due. */
static uint64_t work(struct hazptr_record_ *r)
{
	struct hazptr_domain *due[AT_A_TIME], *kicked[AT_A_TIME];
	uint64_t next = UINT64_MAX;
	size_t n_kicked, i;
	size_t n = gather(r, due, kicked, &n_kicked, &next);

	if (n)
		scan_due(r, due, n);
	for (i = 0; i < n_kicked; i++) {
		hazptr_run_ready_(r, kicked[i]);
		let_go(kicked[i]);
	}
	for (i = 0; i < n; i++) {
		hazptr_run_ready_(r, due[i]);
		rest(due[i]);
		let_go(due[i]);
	}
	if (hazptr_upper_get_()) {
		uint64_t tick = hazptr_upper_get_()->tick(hazptr_now_());

		if (tick < next)
			next = tick;
	}
	return n || n_kicked ? 0 : next;
}

static void *run(void *arg)
{
	struct hazptr_record_ *r = arg;
	uint64_t next, now;
	uint32_t calls;

	r->is_background = true;
	hazptr_self_adopt_(r);
	for (;;) {
		/* order BG7: what it was called for; pairs with BG6 */
		calls = hazptr_load_(&background.calls, acquire);
		next = work(r);
		now = hazptr_now_();
		if (next <= now)
			continue;
		if (next == UINT64_MAX)
			HAZPTR_TEST_POINT("background:asleep");
		hazptr_wait_(&background.calls, calls,
			     next == UINT64_MAX ? UINT64_MAX : next - now);
	}
	return NULL;
}

void hazptr_background_lock_(void)
{
	hazptr_lock_(&background.lock);
}

void hazptr_background_unlock_(void)
{
	hazptr_unlock_(&background.lock);
}

/* In the child of a fork there is no thread; the next retire() starts one. */
void hazptr_background_forget_(void)
{
	struct hazptr_domain *d;

	background.state = NONE;
	for (d = hazptr_domains_.first; d; d = d->next) {
		d->users = 0;
		d->kicked = 0;
		if (d->policy != HAZPTR_RECLAIM_MANUAL)
			d->armed = 0;
	}
}
