/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/promotion.c - a holder and a promoter, at each other's points
 *
 * A promoter (of a scan, of drop_sync, of the library's thread) is stopped
 * where src/ref/promote.c has a point, and the holder does what it should not
 * have done just then. Whatever comes of it: what is held is alive, what is
 * not is released once, and no slot is lost.
 */
#include "references.h"

enum by { BY_SCAN, BY_DROP_SYNC, BY_AGE };

static const char *const points[] = { "promote:asked", "promote:fenced",
				      "promote:counted" };
#define POINTS 3

static struct hazptr_thread_shared held;
static struct hazptr_shared kept;
static pthread_t promoter;

static void *drop_a_sync(void *unused)
{
	(void)unused;
	hazptr_sync_shared_drop_sync(&a);
	return NULL;
}

/* Until it is stopped; *a has gone then, but for the ager's. */
static void promoter_comes(enum by by, const char *point)
{
	stop_at(point, by == BY_AGE ? LIBRARY : ANYBODY);
	if (by == BY_AGE) {
		hazptr_thread_shared_set_max_age_ms(1);
	} else if (by == BY_DROP_SYNC) {
		promoter = go(drop_a_sync, NULL);
	} else {
		hazptr_sync_shared_drop(&a);
		promoter = scan_aside();
	}
	stop_wait();
}

static void promoter_goes(enum by by)
{
	stop_open();
	if (by != BY_AGE) {
		join(promoter);
		return;
	}
	hazptr_thread_shared_set_max_age_ms(0);
	hazptr_sync_shared_drop(&a);
}

static void begin(void)
{
	stops_begin();
	pin();
	hazptr_thread_shared_set_max_age_ms(0);
	put_new(&a, PLAIN);
	hazptr_thread_shared_load(&held, &a); /* the first use is a slow one */
	hazptr_thread_shared_drop(&held);
	hazptr_sync_shared_drop(&a);
	items_settle(0);
}

/* What the holder does while the promoter is stopped, and afterwards. */

static void nothing(void)
{
}

static void let_go(void)
{
	item_check(held.node);
	hazptr_thread_shared_drop(&held);
}

static void drop_held(void)
{
	items_settle(1);
	let_go();
}

/* The same node, another reference, the same slot. */
static void take_again(void)
{
	let_go();
	item_check(hazptr_thread_shared_load(&held, &b));
}

static void drop_b_and_held(void)
{
	hazptr_sync_shared_drop(&b);
	drop_held();
}

static void take_again_and_drop_b(void)
{
	take_again();
	hazptr_sync_shared_drop(&b);
}

static void take_and_let_go_again(void)
{
	take_again();
	let_go();
	hazptr_sync_shared_drop(&b);
}

static void make_shared(void)
{
	kept = hazptr_thread_shared_to_shared(&held);
	let_go();
}

static void drop_kept(void)
{
	items_settle(1);
	item_check(kept.node);
	hazptr_shared_drop(&kept);
}

/* Another thread takes the slot, and has the same node in it. */
static int other_holds, other_drops;
static pthread_t other;

static void *hold_b(void *unused)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	(void)unused;
	item_check(hazptr_thread_shared_load(&ts, &b));
	__atomic_store_n(&other_holds, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&other_drops, 1, 60));
	item_check(ts.node);
	hazptr_thread_shared_drop(&ts);
	return NULL;
}

static void give_slot_to_other(void)
{
	let_go();
	other_holds = other_drops = 0;
	other = go(hold_b, NULL);
	CHECK(wait_for(&other_holds, 1, 60));
}

static void drop_b_and_others(void)
{
	hazptr_sync_shared_drop(&b);
	items_settle(1);
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	join(other);
}

static const struct act {
	bool by_two; /* the holder has put it into *b */
	void (*meanwhile)(void);
	void (*afterwards)(void);
} acts[] = {
	{ false, nothing, drop_held },
	{ false, let_go, nothing },
	{ false, make_shared, drop_kept },
	{ true, take_again, drop_b_and_held },
	{ true, take_again_and_drop_b, drop_held },
	{ true, take_and_let_go_again, nothing },
	{ true, give_slot_to_other, drop_b_and_others },
};

static void one_meeting(enum by by, const char *point, enum kind kind,
			const struct act *act)
{
	put_new(&a, kind);
	item_check(hazptr_thread_shared_load(&held, &a));
	promoter_comes(by, point);
	if (act->by_two) {
		kept = hazptr_thread_shared_to_shared(&held);
		hazptr_sync_shared_store(&b, &kept);
	}
	act->meanwhile();
	promoter_goes(by);
	act->afterwards();
	items_settle(0);
}

static void all_meetings(enum by by)
{
	int slots, point, kind;
	size_t i;

	begin();
	slots = slots_free();
	for (point = 0; point < POINTS; point++)
		for (kind = 0; kind < KINDS; kind++)
			for (i = 0; i < sizeof(acts) / sizeof(*acts); i++)
				one_meeting(by, points[point],
					    (enum kind)kind, &acts[i]);
	CHECK_EQ(slots_free(), slots);
}

static void holder_meets_a_scan(void)
{
	all_meetings(BY_SCAN);
}

static void holder_meets_drop_sync(void)
{
	all_meetings(BY_DROP_SYNC);
}

static void holder_meets_the_ager(void)
{
	all_meetings(BY_AGE);
}

/* The slot is the only reference besides the one that is about to go. */
static void borrowed_meets_the_ager(void)
{
	struct hazptr_shared sp;
	int point, kind;

	begin();
	for (point = 0; point < POINTS; point++) {
		for (kind = 0; kind < KINDS; kind++) {
			sp = item_new((enum kind)kind);
			hazptr_thread_shared_borrow(&held, sp);
			promoter_comes(BY_AGE, points[point]);
			hazptr_shared_drop(&sp);
			let_go();
			promoter_goes(BY_AGE);
			items_settle(0);
		}
	}
}

/* The holder is stopped between its store and its look at the request. */
static struct hazptr_thread_shared others;

static void *hold_and_drop(void *unused)
{
	(void)unused;
	pin();
	item_check(hazptr_thread_shared_load(&others, &a));
	__atomic_store_n(&other_holds, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&other_drops, 1, 60));
	gate_me = true;
	hazptr_thread_shared_drop(&others);
	return NULL;
}

static uintptr_t request_of(const struct hazptr_thread_shared *ts)
{
	const struct hazptr_ref_slot_ *slot;

	slot = (const struct hazptr_ref_slot_ *)(ts->slot & ~HAZPTR_SLOW_);
	return __atomic_load_n(&slot->request, __ATOMIC_ACQUIRE);
}

enum before { UNASKED, AGED, PROMOTED, BEFORES };

static void bring_about(enum before before)
{
	if (before == PROMOTED) {
		hazptr_sync_shared_drop(&a);
		hazptr_flush(NULL);
		CHECK(request_of(&others));
	} else if (before == AGED) {
		hazptr_thread_shared_set_max_age_ms(200);
		while (!request_of(&others))
			nap_ms(1);
		hazptr_thread_shared_set_max_age_ms(0);
	}
}

static void drop_meets_a_scan(enum before before, enum kind kind)
{
	bool stops;

	put_new(&a, kind);
	other_holds = other_drops = 0;
	other = go(hold_and_drop, NULL);
	CHECK(wait_for(&other_holds, 1, 60));
	bring_about(before);
	/* An inline drop has no point when nobody has asked. */
	stops = before != UNASKED || (others.slot & HAZPTR_SLOW_);
	if (stops)
		stop_at("thread_shared:dropping", MARKED);
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	if (stops)
		stop_wait();
	hazptr_sync_shared_drop(&a);
	hazptr_flush(NULL);
	hazptr_flush(NULL);
	if (stops)
		stop_open();
	join(other);
	items_settle(0);
}

static void promoter_meets_a_drop(void)
{
	int before, kind, slots;

	begin();
	slots = slots_free();
	for (before = 0; before < BEFORES; before++)
		for (kind = 0; kind < KINDS; kind++)
			drop_meets_a_scan((enum before)before,
					  (enum kind)kind);
	CHECK_EQ(slots_free(), slots);
}

/* Taken, and not looked at again: a scan may have to promote that too. */
static void *load_slowly(void *arg)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	(void)arg;
	pin();
	gate_me = true; /* a thread's first one has the point */
	hazptr_thread_shared_load(&ts, &a);
	if (ts.node)
		item_check(ts.node);
	__atomic_store_n(&other_holds, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&other_drops, 1, 60));
	if (ts.node)
		item_check(ts.node);
	hazptr_thread_shared_drop(&ts);
	return NULL;
}

static void taker_stops(void)
{
	other_holds = other_drops = 0;
	stop_at("thread_shared:claimed", MARKED);
	other = go(load_slowly, NULL);
	stop_wait();
}

static void taker_goes_on(void)
{
	stop_open();
	CHECK(wait_for(&other_holds, 1, 60));
}

static void taker_lets_go(void)
{
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	join(other);
	items_settle(0);
}

/* The source leads elsewhere, or nowhere, before the taker looks again. */
static void taker_meets_a_scan(enum kind kind, bool to_another)
{
	put_new(&a, kind);
	taker_stops();
	if (to_another)
		put_new(&a, kind);
	else
		hazptr_sync_shared_drop(&a);
	hazptr_flush(NULL);
	hazptr_flush(NULL);
	taker_goes_on();
	hazptr_sync_shared_drop(&a);
	items_settle(to_another);
	taker_lets_go();
}

/* It leads to the same node again, by another reference. */
static void taker_meets_a_store(enum kind kind)
{
	struct hazptr_shared sp;

	put_new(&a, kind);
	taker_stops();
	sp = hazptr_sync_shared_load(&a);
	hazptr_sync_shared_drop(&a);
	hazptr_flush(NULL);
	hazptr_sync_shared_store(&a, &sp);
	hazptr_flush(NULL);
	taker_goes_on();
	hazptr_sync_shared_drop(&a);
	items_settle(1);
	taker_lets_go();
}

static void promoter_meets_a_taker(void)
{
	int kind, slots;

	begin();
	slots = slots_free();
	for (kind = 0; kind < KINDS; kind++) {
		taker_meets_a_scan((enum kind)kind, false);
		taker_meets_a_scan((enum kind)kind, true);
		taker_meets_a_store((enum kind)kind);
	}
	CHECK_EQ(slots_free(), slots);
}

/*
 * What the taker has in its slot was freed long ago: it read the source, slept
 * and took the slot then. The ager, who has no reference, leaves it alone.
 */
static void ager_meets_a_taker(void)
{
	struct hazptr_shared_node *live;

	begin();
	put_new(&a, PLAIN);
	live = a.node;
	__atomic_store_n(&a.node, node_of_the_past(), __ATOMIC_RELEASE);
	taker_stops();
	__atomic_store_n(&a.node, live, __ATOMIC_RELEASE);
	hazptr_thread_shared_set_max_age_ms(1);
	nap_ms(100);
	items_check_released();
	taker_goes_on();
	nap_ms(20);
	items_check_released();
	CHECK(item_references(live) >= 1);
	hazptr_sync_shared_drop(&a);
	items_settle(1);
	taker_lets_go();
}

/* A thread that ends with one, before, while and after it is promoted. */
static void *leave_it(void *unused)
{
	(void)unused;
	pin();
	item_check(hazptr_thread_shared_load(&others, &a));
	__atomic_store_n(&other_holds, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&other_drops, 1, 60));
	return NULL;
}

static void thread_has_one(void)
{
	put_new(&a, PLAIN);
	other_holds = other_drops = 0;
	other = go(leave_it, NULL);
	CHECK(wait_for(&other_holds, 1, 60));
}

static void thread_ends(void)
{
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	join(other);
}

static void drop_others(void)
{
	item_check(others.node);
	hazptr_thread_shared_drop(&others);
	items_settle(0);
}

static void thread_ends_with_one(void)
{
	begin();
	thread_has_one();
	thread_ends();
	hazptr_sync_shared_drop(&a);
	items_settle(1);
	drop_others();
}

static void thread_ends_during_a_promotion(void)
{
	int slots, point;

	begin();
	slots = slots_free();
	for (point = 0; point < POINTS; point++) {
		thread_has_one();
		promoter_comes(BY_SCAN, points[point]);
		__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
		nap_ms(10); /* its exit waits for the promoter */
		promoter_goes(BY_SCAN);
		join(other);
		items_settle(1);
		drop_others();
	}
	CHECK_EQ(slots_free(), slots);
}

/* The exit's own promotion, while the node's last sync pointer goes. */
static void thread_ends_while_its_node_goes(void)
{
	begin();
	thread_has_one();
	stop_at("promote:counted", ANYBODY);
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	stop_wait();
	hazptr_sync_shared_drop(&a);
	promoter = scan_aside();
	stop_open();
	join(promoter);
	join(other);
	items_settle(1);
	drop_others();
}

#define CASE(name) { #name, name, .fences = FENCE_ALL, .seconds = 30 }
#define CASE_WITHOUT(name)                                                 \
	{ #name "_without_rseq", name, .fences = FENCE_MEMBARRIER,         \
	  .prepare = without_rseq, .seconds = 30 }
#define BOTH(name) CASE(name), CASE_WITHOUT(name)

static const struct fault_case cases[] = {
	BOTH(holder_meets_a_scan),
	BOTH(holder_meets_drop_sync),
	BOTH(holder_meets_the_ager),
	BOTH(borrowed_meets_the_ager),
	BOTH(promoter_meets_a_drop),
	BOTH(promoter_meets_a_taker),
	BOTH(ager_meets_a_taker),
	BOTH(thread_ends_during_a_promotion),
	{ "thread_ends_with_one", thread_ends_with_one, .fences = FENCE_ALL,
	  .says = "still has it in a thread-shared pointer" },
	{ "thread_ends_with_one_without_rseq", thread_ends_with_one,
	  .fences = FENCE_MEMBARRIER, .prepare = without_rseq,
	  .says = "still has it in a thread-shared pointer" },
	{ "thread_ends_while_its_node_goes", thread_ends_while_its_node_goes,
	  .fences = FENCE_ALL,
	  .says = "still has it in a thread-shared pointer" },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
