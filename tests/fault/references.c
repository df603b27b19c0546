/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/references.c - drops, loads and stores at a scan's points
 *
 * The scheme of the mailing list lost a node when a copy was made, published
 * and dropped between a deleter's scan and its last look at the count. Here
 * whoever scans is stopped at each point, and others do that, and more.
 */
#include "references.h"

#include <signal.h>
#include <string.h>

static pthread_t scanner;

static void begin(void)
{
	stops_begin();
	hazptr_thread_shared_set_max_age_ms(0);
	put_new(&a, PLAIN);
	hazptr_sync_shared_drop(&a);
	items_settle(0);
}

static void *drop_a(void *unused)
{
	(void)unused;
	gate_me = true;
	hazptr_sync_shared_drop(&a);
	return NULL;
}

static void *drop_a_sync(void *unused)
{
	(void)unused;
	gate_me = true;
	hazptr_sync_shared_drop_sync(&a);
	return NULL;
}

/*
 * What another thread does to a node of which nobody but it has a reference,
 * and which it has put into *b, while a scan is at it.
 */

static struct hazptr_shared sp;
static struct hazptr_weak weak;

static void drop_the_other(void)
{
	hazptr_sync_shared_drop(&b);
}

static void load_and_drop(void)
{
	struct hazptr_shared copy = hazptr_sync_shared_load(&b);

	item_check(copy.node);
	hazptr_shared_drop(&copy);
}

static void load_and_drop_all(void)
{
	load_and_drop();
	hazptr_sync_shared_drop(&b);
}

static void keep_a_copy(void)
{
	sp = hazptr_sync_shared_load(&b);
	hazptr_sync_shared_drop(&b);
}


static void publish_and_drop_again(void)
{
	struct hazptr_shared copy = hazptr_sync_shared_load(&b);

	hazptr_sync_shared_store(&a, &copy);
	hazptr_sync_shared_drop(&b);
	copy = hazptr_sync_shared_load(&a);
	item_check(copy.node);
	hazptr_sync_shared_drop(&a);
	hazptr_shared_drop(&copy);
}

static void take_a_weak_one(void)
{
	struct hazptr_shared copy = hazptr_sync_shared_load(&b);

	weak = hazptr_weak_create(copy);
	hazptr_shared_drop(&copy);
	hazptr_sync_shared_drop(&b);
}

static void lock_a_weak_one(void)
{
	take_a_weak_one();
	sp = hazptr_weak_lock(weak);
	if (sp.node)
		item_check(sp.node);
}

static void store_it_twice(void)
{
	struct hazptr_shared none = { NULL };
	struct hazptr_shared copy = hazptr_sync_shared_load(&b);

	CHECK(!hazptr_sync_shared_compare_exchange(&a, copy, &none));
	hazptr_sync_shared_store_copy(&a, copy);
	CHECK(hazptr_sync_shared_compare_exchange(&a, copy, &none));
	CHECK(hazptr_sync_shared_compare_exchange(&b, copy, &none));
	hazptr_shared_drop(&copy);
}

static void (*const meanwhiles[])(void) = {
	drop_the_other,	 load_and_drop,	  load_and_drop_all, keep_a_copy,
	publish_and_drop_again, take_a_weak_one, lock_a_weak_one,
	store_it_twice,
};

/* What is left goes; then so does the node. */
static void end(void)
{
	int others = sp.node || b.node;

	items_settle(others || weak.node);
	if (sp.node)
		item_check(sp.node);
	hazptr_sync_shared_drop(&a);
	hazptr_sync_shared_drop(&b);
	hazptr_shared_drop(&sp);
	items_settle(weak.node != NULL);
	CHECK(!hazptr_weak_lock(weak).node);
	hazptr_weak_drop(&weak);
	items_settle(0);
}

/* Of a node that waits for its scan, a slot is a reference all the same. */
static void put_into_b(struct hazptr_thread_shared *ts)
{
	struct hazptr_shared copy = hazptr_thread_shared_to_shared(ts);

	hazptr_thread_shared_drop(ts);
	hazptr_sync_shared_store(&b, &copy);
}

/*
 * The first has dropped the last reference, and the node is in no list yet,
 * when the second has another one and drops that.
 */
static void two_deleters_at_once(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	int kind;

	begin();
	for (kind = 0; kind < KINDS; kind++) {
		put_new(&a, (enum kind)kind);
		item_check(hazptr_thread_shared_load(&ts, &a));
		stop_at("shared:put", MARKED);
		scanner = go(drop_a, NULL);
		stop_wait();
		put_into_b(&ts);
		hazptr_flush(NULL);
		hazptr_sync_shared_drop(&b);
		hazptr_flush(NULL);
		hazptr_flush(NULL);
		CHECK_EQ(items_alive(), 1);
		stop_open();
		join(scanner);
		items_settle(0);
	}
}

static void one_meeting(const char *point, bool sync, enum kind kind,
			void (*meanwhile)(void))
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	put_new(&a, kind);
	item_check(hazptr_thread_shared_load(&ts, &a));
	stop_at(point, ANYBODY);
	if (sync) {
		scanner = go(drop_a_sync, NULL);
	} else {
		hazptr_sync_shared_drop(&a);
		scanner = scan_aside();
	}
	stop_wait();
	put_into_b(&ts);
	meanwhile();
	stop_open();
	join(scanner);
	end();
}

static void all_meetings(const char *point, bool sync)
{
	size_t i;
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < sizeof(meanwhiles) / sizeof(*meanwhiles); i++)
			one_meeting(point, sync, (enum kind)kind,
				    meanwhiles[i]);
}

static void others_meet_a_scan(void)
{
	static const char *const points[] = { "scan:collected", "scan:fenced",
					      "scan:slots", "judge:counts",
					      "scan:sifted" };
	size_t i;

	begin();
	for (i = 0; i < sizeof(points) / sizeof(*points); i++)
		all_meetings(points[i], false);
}

static void others_meet_drop_sync(void)
{
	begin();
	all_meetings("drop_sync:scanned", true);
}

/*
 * The interleaving that the list's second scheme loses. R has found the node
 * before it was unlinked; the scan sees neither R's guard nor, later, S's.
 */
static void copied_while_the_last_drop_waits(void)
{
	struct hazptr_guard r = HAZPTR_GUARD_INIT, s = HAZPTR_GUARD_INIT;
	struct hazptr_shared copy;

	begin();
	put_new(&a, PLAIN);
	copy.node = hazptr_protect(&r, &a.node);
	stop_at("scan:fenced", ANYBODY);
	hazptr_sync_shared_drop(&a);
	scanner = scan_aside();
	stop_wait();
	copy = hazptr_shared_copy(copy); /* as a load does, under its guard */
	hazptr_release(&r);
	hazptr_sync_shared_store(&b, &copy);
	stop_at("scan:slots", ANYBODY);
	stop_open();
	stop_wait();
	copy.node = hazptr_protect(&s, &b.node);
	hazptr_sync_shared_drop(&b); /* the count is what it was */
	stop_open();
	join(scanner);
	item_check(copy.node);
	CHECK_EQ(items_alive(), 1);
	hazptr_flush(NULL);
	item_check(copy.node);
	CHECK_EQ(items_alive(), 1);
	hazptr_release(&s);
	items_settle(0);
}

/* The same against a deleter that waits. */
static void copied_while_drop_sync_waits(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_guard s = HAZPTR_GUARD_INIT;
	struct hazptr_shared copy;

	begin();
	put_new(&a, PLAIN);
	item_check(hazptr_thread_shared_load(&ts, &a));
	stop_at("drop_sync:scanned", ANYBODY);
	scanner = go(drop_a_sync, NULL);
	stop_wait();
	put_into_b(&ts);
	copy.node = hazptr_protect(&s, &b.node);
	hazptr_sync_shared_drop(&b);
	stop_open();
	nap_ms(50); /* it sees that it has to scan again, and waits for us */
	item_check(copy.node);
	CHECK_EQ(items_alive(), 1);
	hazptr_release(&s);
	join(scanner);
	CHECK_EQ(items_alive(), 0);
	items_settle(0);
}

/* Another node comes where this one was, and this one comes back. */
static void drop_sync_meets_a_store(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_shared copy;
	int kind;

	begin();
	for (kind = 0; kind < KINDS; kind++) {
		put_new(&a, (enum kind)kind);
		item_check(hazptr_thread_shared_load(&ts, &a));
		stop_at("drop_sync:scanned", ANYBODY);
		scanner = go(drop_a_sync, NULL);
		stop_wait();
		put_new(&a, (enum kind)kind);
		copy = hazptr_thread_shared_to_shared(&ts);
		hazptr_sync_shared_store(&a, &copy);
		stop_open();
		join(scanner);
		hazptr_thread_shared_drop(&ts);
		items_settle(1);
		copy = hazptr_sync_shared_load(&a);
		item_check(copy.node);
		hazptr_shared_drop(&copy);
		hazptr_sync_shared_drop_sync(&a);
		items_settle(0);
	}
}

/* The last reference and the last weak pointer go at the same moment. */
static void weak_pointer_goes_with_the_last(void)
{
	static const char *const points[] = { "scan:slots", "judge:counts",
					      "scan:sifted" };
	int kind, i, expired;

	begin();
	for (i = 0; i < 3; i++) {
		for (kind = 0; kind < KINDS; kind++) {
			expired = items_expired();
			sp = item_new((enum kind)kind);
			weak = hazptr_weak_create(sp);
			hazptr_sync_shared_store(&a, &sp);
			stop_at(points[i], ANYBODY);
			hazptr_sync_shared_drop(&a);
			scanner = scan_aside();
			stop_wait();
			CHECK(!hazptr_weak_lock(weak).node);
			hazptr_weak_drop(&weak);
			stop_open();
			join(scanner);
			items_settle(0);
			CHECK_EQ(items_expired() - expired, kind == WEAK);
		}
	}
}

/*
 * A handler drops thread-shared pointers that its thread has taken, and each
 * of them is the last reference. It interrupts the library where the thread
 * has a lock, or is at its list of what it retires.
 */
#define MANY 3000
static struct hazptr_thread_shared many[MANY];
static int handled, drop_from, drop_to;

static void on_signal(int unused)
{
	(void)unused;
	for (; drop_from < drop_to; drop_from++) {
		item_check(many[drop_from].node);
		hazptr_thread_shared_drop(&many[drop_from]);
	}
	handled++;
}

static const char *interrupted_at;

static void interrupt(const char *point)
{
	if (!gate_me || !interrupted_at || strcmp(point, interrupted_at) != 0)
		return;
	interrupted_at = NULL;
	raise(SIGUSR1);
}

static void last_drops_in_a_handler(void)
{
	static const char *const points[] = { "scan:collected", "scan:slots",
					      "retire:busy" };
	int i, k;

	begin();
	stop_hook = interrupt;
	gate_me = true;
	CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
	for (i = 0; i < 3; i++) {
		for (k = 0; k < MANY; k++) {
			put_new(&a, PLAIN);
			hazptr_thread_shared_load(&many[k], &a);
		}
		hazptr_sync_shared_drop(&a);
		items_settle(MANY);
		drop_from = 0;
		drop_to = MANY;
		thing_retire(NULL, thing_new(0)); /* makes a list */
		interrupted_at = points[i];
		thing_retire(NULL, thing_new(0));
		hazptr_flush(NULL);
		CHECK_EQ(handled, i + 1);
		items_settle(0);
	}
}

#define CASE(name) { #name, name, .fences = FENCE_ALL, .seconds = 30 }

static const struct fault_case cases[] = {
	CASE(two_deleters_at_once),
	CASE(others_meet_a_scan),
	CASE(others_meet_drop_sync),
	CASE(copied_while_the_last_drop_waits),
	CASE(copied_while_drop_sync_waits),
	CASE(drop_sync_meets_a_store),
	CASE(weak_pointer_goes_with_the_last),
	CASE(last_drops_in_a_handler),
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
