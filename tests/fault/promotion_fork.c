/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/promotion_fork.c - the child of a fork, and who held what
 *
 * fork() comes while another thread is at each point of a promotion, of a take
 * or of a drop. The child has the forking thread's references and those that
 * were handed to it; it can take, drop, create and wait. What the others had
 * in slots is forgotten, and their slots are free.
 */
#include "references.h"

static struct hazptr_thread_shared mine, others;
static int other_holds, other_drops, slots;
static pthread_t other;

static void begin(void)
{
	fault_needs_threads_after_fork();
	stops_begin();
	pin();
	hazptr_thread_shared_set_max_age_ms(0);
	slots = slots_free();
	items_settle(0);
}

/* Everything once; nothing of it is left. */
static void use_everything(int alive)
{
	struct hazptr_thread_shared ts[24] = { HAZPTR_THREAD_SHARED_INIT };
	struct hazptr_sync_shared ssp = { NULL };
	struct hazptr_shared sp;
	int i, kind;

	for (kind = 0; kind < KINDS; kind++) {
		put_new(&ssp, (enum kind)kind);
		for (i = 0; i < 24; i++)
			item_check(hazptr_thread_shared_load(&ts[i], &ssp));
		sp = hazptr_thread_shared_to_shared(&ts[3]);
		hazptr_sync_shared_drop_sync(&ssp);
		hazptr_flush(NULL);
		for (i = 0; i < 24; i++) {
			item_check(ts[i].node);
			hazptr_thread_shared_drop(&ts[i]);
		}
		item_check(sp.node);
		hazptr_shared_drop_sync(&sp);
	}
	items_settle(alive);
	CHECK_EQ(slots_free(), slots);
}

static void *open_soon(void *unused)
{
	(void)unused;
	nap_ms(20);
	stop_open();
	return NULL;
}

/* Promoters have the locks: fork() waits for them. */
static pid_t fork_and_open(void)
{
	pthread_t opener;
	pid_t child;

	if (fault_is_asan())
		fault_skip("the sanitizer's own allocator does not survive a "
			   "fork while other threads allocate");
	opener = go(open_soon, NULL);
	fflush(NULL);
	child = fork();
	if (child)
		join(opener);
	return child;
}

static void *drop_a_sync(void *unused)
{
	(void)unused;
	hazptr_sync_shared_drop_sync(&a);
	return NULL;
}

static void *hold_b(void *unused)
{
	(void)unused;
	pin();
	item_check(hazptr_thread_shared_load(&others, &b));
	__atomic_store_n(&other_holds, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&other_drops, 1, 60));
	item_check(others.node);
	hazptr_thread_shared_drop(&others);
	return NULL;
}

static void other_takes_b(void)
{
	other_holds = other_drops = 0;
	other = go(hold_b, NULL);
	CHECK(wait_for(&other_holds, 1, 60));
}

static void other_ends(void)
{
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	join(other);
}

/* A node of mine alone; one that the other thread has, and *b. */
static void be_child(void)
{
	item_check(mine.node);
	hazptr_thread_shared_drop(&mine);
	items_settle(1);
	hazptr_sync_shared_drop(&b);
	items_settle(0);
	use_everything(0);
	_exit(0);
}

static void fork_during_a_scan(void)
{
	static const char *const points[] = { "promote:asked",
					      "promote:fenced",
					      "promote:counted",
					      "judge:counts" };
	pthread_t scanner;
	pid_t child;
	int i;

	begin();
	for (i = 0; i < 4; i++) {
		put_new(&a, PLAIN);
		put_new(&b, PLAIN);
		item_check(hazptr_thread_shared_load(&mine, &a));
		other_takes_b();
		stop_at(points[i], ANYBODY);
		hazptr_sync_shared_drop(&a);
		scanner = scan_aside();
		stop_wait();
		child = fork_and_open();
		if (!child)
			be_child();
		CHECK(child_ok(child));
		join(scanner);
		item_check(mine.node);
		hazptr_thread_shared_drop(&mine);
		hazptr_sync_shared_drop(&b);
		items_settle(1);
		other_ends();
		use_everything(0);
	}
}

static void fork_during_an_agers_pass(void)
{
	static const char *const points[] = { "promote:asked",
					      "promote:fenced",
					      "promote:counted" };
	pid_t child;
	int i;

	begin();
	for (i = 0; i < 3; i++) {
		put_new(&b, PLAIN);
		item_check(hazptr_thread_shared_load(&mine, &b));
		stop_at(points[i], LIBRARY);
		hazptr_thread_shared_set_max_age_ms(1);
		stop_wait();
		child = fork_and_open();
		hazptr_thread_shared_set_max_age_ms(0);
		if (child)
			CHECK(child_ok(child));
		item_check(mine.node);
		hazptr_sync_shared_drop(&b);
		items_settle(1);
		hazptr_thread_shared_drop(&mine);
		use_everything(0);
		if (!child)
			_exit(0);
	}
}

/* Another thread, stopped without a lock; what it had can be lost. */
static void *load_and_drop(void *unused)
{
	(void)unused;
	pin();
	gate_me = true;
	item_check(hazptr_thread_shared_load(&others, &a));
	__atomic_store_n(&other_holds, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&other_drops, 1, 60));
	hazptr_thread_shared_drop(&others);
	return NULL;
}

static void *drop_a(void *unused)
{
	(void)unused;
	gate_me = true;
	hazptr_sync_shared_drop(&a);
	return NULL;
}

static void fork_meanwhile(int lost)
{
	pid_t child;

	item_check(hazptr_thread_shared_load(&mine, &b));
	fflush(NULL);
	child = fault_fork();
	if (child) {
		CHECK(child_ok(child));
		return;
	}
	hazptr_sync_shared_drop(&a);
	hazptr_sync_shared_drop(&b);
	items_settle(1 + lost);
	item_check(mine.node);
	hazptr_thread_shared_drop(&mine);
	items_settle(lost);
	use_everything(lost);
	_exit(0);
}

static void go_on(void)
{
	stop_open();
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	join(other);
	hazptr_thread_shared_drop(&mine);
	hazptr_sync_shared_drop(&a);
	hazptr_sync_shared_drop(&b);
	items_settle(0);
	CHECK_EQ(slots_free(), slots);
}

static void prepare_two(void)
{
	put_new(&a, PLAIN);
	put_new(&b, PLAIN);
	other_holds = other_drops = 0;
}

static void fork_while_another_takes_or_drops(void)
{
	begin();
	prepare_two();
	stop_at("thread_shared:claimed", MARKED);
	other = go(load_and_drop, NULL);
	stop_wait();
	fork_meanwhile(0);
	go_on();
	/* Promoted, but not told so: the count that it has is lost. */
	prepare_two();
	other = go(load_and_drop, NULL);
	CHECK(wait_for(&other_holds, 1, 60));
	hazptr_sync_shared_drop(&a);
	hazptr_flush(NULL);
	stop_at("thread_shared:dropping", MARKED);
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	stop_wait();
	fork_meanwhile(1);
	go_on();
	/* Retired, but not in a list yet. */
	prepare_two();
	stop_at("shared:put", MARKED);
	other = go(drop_a, NULL);
	stop_wait();
	fork_meanwhile(1);
	go_on();
	/* Retired, and in no list ever. */
	prepare_two();
	stop_at("drop_sync:scanned", ANYBODY);
	other = go(drop_a_sync, NULL);
	stop_wait();
	fork_meanwhile(1);
	go_on();
}

/*
 * What a thread left behind when it ended is the forking thread's to drop, in
 * the child as in the parent; and the slot is nobody else's until then.
 */
static void *leave_one(void *unused)
{
	(void)unused;
	pin();
	item_check(hazptr_thread_shared_load(&mine, &a));
	return NULL;
}

#define SOME 4 /* one of them gets the record of the thread that ended */

static void *hold_an_own_one(void *unused)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct hazptr_sync_shared own = { NULL };

	(void)unused;
	pin();
	put_new(&own, PLAIN);
	item_check(hazptr_thread_shared_load(&ts, &own));
	__atomic_fetch_add(&other_holds, 1, __ATOMIC_ACQ_REL);
	CHECK(wait_for(&other_drops, 1, 60));
	hazptr_sync_shared_drop(&own);
	hazptr_barrier(NULL);
	item_check(ts.node);
	hazptr_thread_shared_drop(&ts);
	return NULL;
}

static void drop_among_others(void)
{
	pthread_t some[SOME];
	int i;

	other_holds = other_drops = 0;
	for (i = 0; i < SOME; i++)
		some[i] = go(hold_an_own_one, NULL);
	CHECK(wait_for(&other_holds, SOME, 60));
	item_check(mine.node);
	hazptr_thread_shared_drop(&mine);
	__atomic_store_n(&other_drops, 1, __ATOMIC_RELEASE);
	for (i = 0; i < SOME; i++)
		join(some[i]);
	items_settle(0);
}

static void fork_with_one_that_was_left(void)
{
	pid_t child;

	begin();
	put_new(&a, PLAIN);
	join(go(leave_one, NULL));
	hazptr_sync_shared_drop(&a);
	items_settle(1);
	fflush(NULL);
	child = fault_fork();
	if (child)
		CHECK(child_ok(child));
	drop_among_others();
	if (!child)
		_exit(0);
}

static uint64_t promoted_by_age(void)
{
	struct hazptr_promotion_stats s = { .size = sizeof(s) };

	hazptr_thread_shared_stats(&s);
	return s.promoted_by_age;
}

static void held_for_long(void)
{
	uint64_t before = promoted_by_age();
	double end = now() + 10;

	put_new(&b, PLAIN);
	do /* while the ager goes to sleep there is no slot */
		item_check(hazptr_thread_shared_load(&mine, &b));
	while (mine.slot == HAZPTR_COUNTED_);
	put_new(&a, PLAIN);
	put_new(&a, PLAIN); /* starts the thread anew, if need be */
	while (promoted_by_age() == before) {
		CHECK(now() < end);
		nap_ms(1);
	}
	hazptr_sync_shared_drop(&a);
	hazptr_sync_shared_drop(&b);
	items_settle(1);
	hazptr_thread_shared_drop(&mine);
	items_settle(0);
}

/* The ager goes on, whether it was awake or asleep at the fork. */
static void fork_and_grow_old(void)
{
	pid_t child;
	int turn;

	begin();
	hazptr_thread_shared_set_max_age_ms(1);
	held_for_long();
	for (turn = 0; turn < 2; turn++) {
		if (turn)
			nap_ms(100); /* it falls asleep */
		fflush(NULL);
		child = fault_fork();
		held_for_long();
		if (!child)
			_exit(0);
		CHECK(child_ok(child));
	}
}

#define CASE(name) { #name, name, .fences = FENCE_ALL, .seconds = 30 }
#define CASE_WITHOUT(name)                                         \
	{ #name "_without_rseq", name, .fences = FENCE_MEMBARRIER, \
	  .prepare = without_rseq, .seconds = 30 }
#define BOTH(name) CASE(name), CASE_WITHOUT(name)

static const struct fault_case cases[] = {
	BOTH(fork_during_a_scan),
	BOTH(fork_during_an_agers_pass),
	BOTH(fork_while_another_takes_or_drops),
	{ "fork_with_one_that_was_left", fork_with_one_that_was_left,
	  .fences = FENCE_ALL, .seconds = 30,
	  .says = "still has it in a thread-shared pointer" },
	{ "fork_with_one_that_was_left_without_rseq",
	  fork_with_one_that_was_left, .fences = FENCE_MEMBARRIER,
	  .prepare = without_rseq, .seconds = 30,
	  .says = "still has it in a thread-shared pointer" },
	BOTH(fork_and_grow_old),
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
