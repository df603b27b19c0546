/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/scan.c - what a scan must see, wherever the reader puts it
 *
 * Findings: a snapshot entry that outlived its slot (Lai Jiangshan, review of
 * the first kernel patches); one object in several slots and contexts (Alan
 * Huang, there); a slot that moves, or overflows, while a scan runs (the
 * kernel patches of 2026: found by a model after months of review).
 */
#include "fault.h"

#include <sched.h>
#include <string.h>

#define GUARDS 16
#define SOURCES 4

/* protect, scan, clear, scan: the second one frees it. */
static void snapshot_entry_outlived_its_slot(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	int i;

	for (i = 0; i < 100; i++) {
		thing_retire(d, thing_guarded(&g, (uint32_t)i));
		CHECK_EQ(hazptr_flush(d), 0);
		CHECK_EQ(alive(), 1);
		hazptr_release(&g);
		CHECK_EQ(hazptr_flush(d), 1);
		CHECK_EQ(alive(), 0);
	}
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

/* The same, with a table that grows and shrinks from scan to scan. */
static void snapshot_entries_outlived_their_slots(void)
{
	enum { N = 60 };
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	static struct hazptr_guard g[N];
	int i, round;

	for (round = 0; round < 10; round++) {
		for (i = 0; i < N; i++)
			thing_retire(d, thing_guarded(&g[i], (uint32_t)i));
		CHECK_EQ(hazptr_flush(d), 0);
		for (i = 0; i < N; i++) {
			hazptr_release(&g[(i * 7 + round) % N]);
			CHECK_EQ(hazptr_flush(d), 1);
			CHECK_EQ(alive(), N - 1 - i);
		}
	}
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

struct holders {
	struct hazptr_guard slot[2], in_context, overflow, filler[8];
	struct hazptr_context context, tasks;
	struct hazptr_slot *task_slot;
};

static void hold_everywhere(struct holders *h, struct thing *const *source)
{
	struct thing *filler = thing_new(0);
	int i;

	thing_protect(&h->slot[0], source);
	thing_protect(&h->slot[1], source);
	for (i = 0; i < 8; i++)
		thing_protect(&h->filler[i], &filler);
	thing_protect(&h->overflow, source);
	CHECK(!hazptr_context_switch(&h->context));
	thing_protect(&h->in_context, source);
	CHECK(hazptr_context_switch(NULL) == &h->context);
	h->task_slot = hazptr_slot_alloc(&h->tasks);
	CHECK(h->task_slot);
	CHECK(hazptr_slot_protect(h->task_slot, source) == *source);
	for (i = 0; i < 8; i++)
		hazptr_release(&h->filler[i]);
	thing_destroy(filler);
}

static void let_go(struct holders *h, int which)
{
	switch (which) {
	case 0:
	case 1:
		hazptr_release(&h->slot[which]);
		break;
	case 2:
		hazptr_release(&h->overflow);
		break;
	case 3:
		hazptr_release(&h->in_context);
		break;
	default:
		hazptr_slot_free(&h->tasks, h->task_slot);
	}
}

/* Five holders in three contexts: only the last one to let go frees. */
static void same_object_in_many_slots_and_contexts(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	static struct holders h;
	int order, i;

	CHECK_EQ(hazptr_context_init(&h.context), 0);
	CHECK_EQ(hazptr_context_init(&h.tasks), 0);
	for (order = 0; order < 120; order++) {
		int left[5] = { 0, 1, 2, 3, 4 }, code = order;
		struct thing *t = thing_new(1), *source = t;

		hold_everywhere(&h, &source);
		source = NULL;
		thing_retire(d, t);
		for (i = 5; i; i--) {
			int pick = code % i;

			code /= i;
			CHECK_EQ(hazptr_flush(d), 0);
			thing_check(t);
			let_go(&h, left[pick]);
			left[pick] = left[i - 1];
		}
		CHECK_EQ(hazptr_flush(d), 1);
		CHECK_EQ(alive(), 0);
	}
	hazptr_context_cleanup(&h.context);
	hazptr_context_cleanup(&h.tasks);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void *flush_once(void *d)
{
	gate_me = true;
	hazptr_flush(d);
	return NULL;
}

/* A reader's guards, and what each must be keeping. */
struct reader {
	struct hazptr_domain *d;
	struct hazptr_guard g[GUARDS];
	struct thing *kept[GUARDS];
	struct thing *source[SOURCES];
	unsigned seed;
};

static unsigned pick(struct reader *r, unsigned n)
{
	r->seed = r->seed * 1103515245u + 12345u;
	return (r->seed >> 16) % n;
}

static void reader_step(struct reader *r)
{
	unsigned a = pick(r, GUARDS), b = pick(r, GUARDS);
	unsigned s = pick(r, SOURCES);
	struct thing *t;

	switch (pick(r, 8)) {
	case 0:
	case 1:
	case 2:
		hazptr_swap(&r->g[a], &r->g[b]);
		t = r->kept[a];
		r->kept[a] = r->kept[b];
		r->kept[b] = t;
		break;
	case 3:
		hazptr_release(&r->g[a]);
		r->kept[a] = NULL;
		break;
	case 4:
		t = r->source[s];
		r->source[s] = thing_new(s);
		thing_retire(r->d, t);
		break;
	default:
		r->kept[a] = hazptr_protect(&r->g[a], &r->source[s]);
		CHECK(r->kept[a] == r->source[s]);
	}
}

static void reader_check(const struct reader *r)
{
	int i;

	for (i = 0; i < GUARDS; i++)
		if (r->kept[i])
			thing_check(r->kept[i]);
}

/* While one scan is stopped at each of its points, the reader moves on. */
static void moves_during_scan(struct reader *r)
{
	static const char *const points[] = { "scan:collected", "scan:fenced",
					      "scan:slots", "scan:sifted" };
	pthread_t scanner;
	unsigned p, i;

	gate_arm(points[0]);
	scanner = spawn(flush_once, r->d);
	for (p = 0; p < 4; p++) {
		gate_wait();
		for (i = pick(r, 24); i; i--)
			reader_step(r);
		reader_check(r);
		gate_arm(p < 3 ? points[p + 1] : NULL);
		gate_open();
	}
	join(scanner);
	reader_check(r);
}

static void slot_moved_while_scan_runs(void)
{
	static struct reader r;
	unsigned i, round;

	r.d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	r.seed = 12345;
	for (i = 0; i < SOURCES; i++)
		r.source[i] = thing_new(i);
	for (round = fault_scaled(400); round; round--) {
		for (i = 0; i < 40; i++)
			reader_step(&r);
		/* One in nine scans finds nothing: give it something. */
		thing_retire(r.d, r.source[0]);
		r.source[0] = thing_new(0);
		moves_during_scan(&r);
	}
	for (i = 0; i < GUARDS; i++)
		hazptr_release(&r.g[i]);
	for (i = 0; i < SOURCES; i++)
		thing_retire(r.d, r.source[i]);
	hazptr_flush(r.d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(r.d), 0);
}

/* The move that lost a reader: between the two walks, seen by neither. */
static void overflowed_guard_swapped_into_slot_between_walks(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct hazptr_guard g[9] = { HAZPTR_GUARD_INIT };
	struct thing *in_overflow, *in_slot;
	pthread_t scanner;
	int i;

	in_slot = thing_guarded(&g[0], 0);
	for (i = 1; i < 8; i++)
		thing_destroy(thing_guarded(&g[i], 1));
	in_overflow = thing_guarded(&g[8], 2);
	thing_retire(d, in_slot);
	thing_retire(d, in_overflow);
	gate_arm("scan:slots");
	scanner = spawn(flush_once, d);
	gate_wait();
	hazptr_swap(&g[0], &g[8]); /* g[0] keeps in_overflow now */
	hazptr_release(&g[8]);
	memset(&g[8], 0, sizeof(g[8])); /* its scope has ended */
	gate_open();
	join(scanner);
	thing_check(in_overflow);
	hazptr_flush(d);
	CHECK_EQ(alive(), 1);
	thing_check(in_overflow);
	for (i = 0; i < 9; i++)
		hazptr_release(&g[i]);
	CHECK_EQ(hazptr_flush(d), 1);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

struct late_reader {
	struct thing *source;
	struct thing *seen;
	int keeps, let_go;
};

static void *protect_ninth(void *arg)
{
	struct hazptr_guard g[9] = { HAZPTR_GUARD_INIT };
	struct late_reader *l = arg;
	struct thing *filler = thing_new(9);
	int i;

	for (i = 0; i < 8; i++)
		thing_protect(&g[i], &filler);
	gate_me = true;
	l->seen = hazptr_protect(&g[8], &l->source);
	gate_me = false;
	thing_check(l->seen);
	__atomic_store_n(&l->keeps, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&l->let_go, 1, 60));
	thing_check(l->seen);
	for (i = 0; i < 9; i++)
		hazptr_release(&g[i]);
	thing_destroy(filler);
	return NULL;
}

/* Stopped before or after its embedded slot is linked, then overtaken. */
static void overtaken_at(const char *point)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct late_reader l = { .source = thing_new(1) };
	struct thing *old = l.source, *fresh = thing_new(2);
	pthread_t reader;
	size_t freed;

	gate_arm(point);
	reader = spawn(protect_ninth, &l);
	gate_wait();
	__atomic_store_n(&l.source, fresh, __ATOMIC_RELEASE);
	thing_retire(d, old);
	freed = hazptr_flush(d);
	gate_open();
	CHECK(wait_for(&l.keeps, 1, 60));
	CHECK(l.seen == fresh || (l.seen == old && !freed));
	freed += hazptr_flush(d);
	CHECK_EQ(freed, l.seen == old ? 0 : 1);
	thing_retire(d, fresh);
	hazptr_flush(d);
	__atomic_store_n(&l.let_go, 1, __ATOMIC_RELEASE);
	join(reader);
	hazptr_flush(d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void overtaken_while_overflowing(void)
{
	overtaken_at("overflow:link");
	overtaken_at("overflow:linked");
}

struct churn {
	struct thing *source;
	unsigned turns;
	int stop;
};

/* Guards of the embedded kind come and go on both sides of one that stays. */
static void *churn_overflow(void *arg)
{
	static struct hazptr_guard g[40];
	struct churn *c = arg;
	unsigned i, turn;

	for (i = 0; i < 40; i++)
		thing_protect(&g[i], &c->source);
	for (turn = 0; turn < c->turns; turn++) {
		struct thing *kept = thing_protect(&g[20], &c->source);

		for (i = 8; i < 40; i++) {
			unsigned k = (i * 5 + turn) % 40;

			if (k == 20)
				continue;
			hazptr_release(&g[k]);
			thing_protect(&g[k], &c->source);
			thing_check(kept);
		}
	}
	for (i = 0; i < 40; i++)
		hazptr_release(&g[i]);
	__atomic_store_n(&c->stop, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void overflow_list_changes_under_the_walk(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct churn c = { .source = thing_new(0),
			   .turns = fault_scaled(2000) };
	pthread_t reader = spawn(churn_overflow, &c);
	struct thing *old;

	while (!__atomic_load_n(&c.stop, __ATOMIC_ACQUIRE)) {
		old = __atomic_exchange_n(&c.source, thing_new(1),
					  __ATOMIC_ACQ_REL);
		thing_retire(d, old);
		hazptr_flush(d);
	}
	join(reader);
	thing_retire(d, c.source);
	hazptr_flush(d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

/* The two threads of the next test, in step. */
enum { EMPTY, HELD, SCANNING, LOOKED, SCANNED };
struct detacher {
	struct thing *source;
	int fillers, step;
	bool stop;
};

static bool reaches(struct detacher *d, int step)
{
	unsigned turn;

	for (turn = 0; __atomic_load_n(&d->step, __ATOMIC_ACQUIRE) != step;
	     turn++) {
		if (__atomic_load_n(&d->stop, __ATOMIC_ACQUIRE))
			return false;
		if (turn > 200)
			sched_yield();
	}
	return true;
}

static void *detach_on(void *arg)
{
	struct hazptr_guard filler[8], g = HAZPTR_GUARD_INIT;
	struct detacher *d = arg;
	volatile int delay = 0;
	struct thing *t;
	int i;

	memset(filler, 0, sizeof(filler));
	for (i = 0; i < d->fillers; i++)
		thing_protect(&filler[i], &d->source);
	while (reaches(d, EMPTY)) {
		t = thing_protect(&g, &d->source);
		__atomic_store_n(&d->step, HELD, __ATOMIC_RELEASE);
		if (!reaches(d, SCANNING))
			break;
		for (i = t->id % 64; i; i--)
			delay++;
		hazptr_detach(&g);
		__atomic_store_n(&d->step, LOOKED, __ATOMIC_RELEASE);
		if (!reaches(d, SCANNED))
			break;
		thing_check(t);
		hazptr_release(&g);
		__atomic_store_n(&d->step, EMPTY, __ATOMIC_RELEASE);
	}
	for (i = 0; i < d->fillers; i++)
		hazptr_release(&filler[i]);
	hazptr_release(&g);
	return NULL;
}

/* A guard that goes from one list to another is in one of them at any time. */
static void detached_while_scans_run(int fillers)
{
	struct hazptr_domain *domain = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct detacher d = { .source = thing_new(0), .fillers = fillers };
	struct thing *first = d.source;
	pthread_t thread = spawn(detach_on, &d);
	double end = now() + fault_seconds(0.7);
	unsigned n;

	for (n = 0; now() < end && reaches(&d, HELD); n++) {
		struct thing *t = d.source;

		__atomic_store_n(&d.source, thing_new(n), __ATOMIC_RELEASE);
		if (t != first) /* which the fillers keep */
			thing_retire(domain, t);
		__atomic_store_n(&d.step, SCANNING, __ATOMIC_RELEASE);
		do
			hazptr_flush(domain);
		while (__atomic_load_n(&d.step, __ATOMIC_ACQUIRE) != LOOKED);
		hazptr_flush(domain);
		__atomic_store_n(&d.step, SCANNED, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&d.stop, true, __ATOMIC_RELEASE);
	join(thread);
	thing_retire(domain, d.source);
	thing_retire(domain, first);
	CHECK_EQ(hazptr_domain_destroy(domain), 0);
	CHECK_EQ(alive(), 0);
	fprintf(stderr, "%u guards detached\n", n);
}

static void guard_in_a_slot_detached_while_scans_run(void)
{
	detached_while_scans_run(0);
}

static void embedded_guard_detached_while_scans_run(void)
{
	detached_while_scans_run(8);
}

/* Guards in registers, and in scopes that end before those they swap with. */
static void swapped_out_of_a_scope(void)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct hazptr_guard filler[8];
	struct thing *t, *source = thing_new(0);
	unsigned turn, i;

	memset(filler, 0, sizeof(filler));
	for (turn = 0; turn < 64; turn++) {
		HAZPTR_GUARD(outer);

		for (i = 0; i < (turn & 1 ? 8 : 7); i++)
			thing_protect(&filler[i], &source);
		t = hazptr_protect(&outer, &source);
		for (i = 0; i < 6; i++) {
			HAZPTR_GUARD(inner);
			struct thing *next = thing_new(i);
			struct thing *own = next;

			CHECK(hazptr_protect(&inner, &own) == next);
			thing_retire(d, next);
			if (turn & 2)
				hazptr_swap(&outer, &inner);
			else
				hazptr_swap(&inner, &outer);
			if (turn & 4)
				hazptr_release(&inner);
			hazptr_release(&filler[i]);
			t = next;
		}
		hazptr_flush(d);
		CHECK_EQ(alive(), 2);
		thing_check(t);
		hazptr_release(&outer);
		CHECK_EQ(hazptr_flush(d), 1);
		for (i = 0; i < 8; i++)
			hazptr_release(&filler[i]);
	}
	thing_destroy(source);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

/* More than a thousand at once, let go in any order. */
static void two_thousand_nested_guards(void)
{
	enum { N = 2000 };
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	static struct hazptr_guard g[N];
	static struct thing *t[N];
	int i;

	for (i = 0; i < N; i++) {
		t[i] = thing_guarded(&g[i], (uint32_t)i);
		thing_retire(d, t[i]);
	}
	CHECK_EQ(hazptr_flush(d), 0);
	for (i = 0; i < N; i++) {
		hazptr_release(&g[i * 1237 % N]);
		if (i % 100 == 99)
			CHECK_EQ(hazptr_flush(d), 100);
	}
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void *retire_and_stop(void *d)
{
	int i;

	for (i = 0; i < 10; i++)
		thing_retire(d, thing_new(1));
	gate_me = true;
	thing_retire(d, thing_new(2));
	return NULL;
}

static int mine_is_reclaimed;

static void note_mine(struct thing *t)
{
	(void)t;
	__atomic_store_n(&mine_is_reclaimed, 1, __ATOMIC_RELEASE);
}

/* A thread stopped in the middle of retire() holds up nobody's scan. */
static void retire_stopped_half_way(enum hazptr_reclaim policy)
{
	struct hazptr_domain *d = domain_new(policy, 0, 20);
	struct thing *mine = thing_new(3);
	pthread_t stopped;

	mine_is_reclaimed = 0;
	mine->at_reclaim = note_mine;
	gate_arm("retire:busy");
	stopped = spawn(retire_and_stop, d);
	gate_wait();
	thing_retire(d, mine);
	hazptr_flush(d);
	hazptr_flush(d);
	CHECK(wait_for(&mine_is_reclaimed, 1, 60));
	gate_open();
	join(stopped);
	hazptr_barrier(d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(reclaimed(), 12);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
	things_reclaimed = 0;
}

static void owner_stopped_half_way_through_retire(void)
{
	retire_stopped_half_way(HAZPTR_RECLAIM_MANUAL);
	retire_stopped_half_way(HAZPTR_RECLAIM_INLINE);
	retire_stopped_half_way(HAZPTR_RECLAIM_BACKGROUND);
}

static const struct fault_case cases[] = {
	{ "snapshot_entry_outlived_its_slot",
	  snapshot_entry_outlived_its_slot, .fences = FENCE_ALL },
	{ "snapshot_entries_outlived_their_slots",
	  snapshot_entries_outlived_their_slots, .fences = FENCE_ALL },
	{ "same_object_in_many_slots_and_contexts",
	  same_object_in_many_slots_and_contexts, .fences = FENCE_ALL },
	{ "slot_moved_while_scan_runs", slot_moved_while_scan_runs,
	  .fences = FENCE_ALL },
	{ "overflowed_guard_swapped_into_slot_between_walks",
	  overflowed_guard_swapped_into_slot_between_walks,
	  .fences = FENCE_ALL },
	{ "overtaken_while_overflowing", overtaken_while_overflowing,
	  .fences = FENCE_ALL },
	{ "overflow_list_changes_under_the_walk",
	  overflow_list_changes_under_the_walk, .fences = FENCE_ALL },
	{ "guard_in_a_slot_detached_while_scans_run",
	  guard_in_a_slot_detached_while_scans_run, .fences = FENCE_ALL },
	{ "embedded_guard_detached_while_scans_run",
	  embedded_guard_detached_while_scans_run, .fences = FENCE_ALL },
	{ "swapped_out_of_a_scope", swapped_out_of_a_scope,
	  .fences = FENCE_ALL },
	{ "two_thousand_nested_guards", two_thousand_nested_guards,
	  .fences = FENCE_ALL },
	{ "owner_stopped_half_way_through_retire",
	  owner_stopped_half_way_through_retire, .fences = FENCE_ALL },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
