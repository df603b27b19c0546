/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/thread_shared_signal.c - signal handlers that take and give back
 *
 * A handler may come between any two instructions of the thread. First by a
 * timer; then, where the processor can do that, really between any two: each
 * call is made step by step, with the handler after each instruction. What the
 * handler takes, it gives back before it returns.
 */
#include "nodes.h"

#include <sys/time.h>

static struct hazptr_sync_shared place; /* the thread's */
static struct hazptr_sync_shared handlers_place;
static struct box box, handlers_box;

static void place_new(struct hazptr_sync_shared *ssp, struct box *b)
{
	struct hazptr_shared sp = box_new(b);

	hazptr_sync_shared_store(ssp, &sp);
}

static void take_and_give_back(struct hazptr_sync_shared *ssp)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;

	must(hazptr_thread_shared_load(&ts, ssp) == ssp->node);
	hazptr_thread_shared_drop(&ts);
}

static void handle_with(int signal_, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = SA_RESTART;
	assert_int_equal(sigaction(signal_, &action, NULL), 0);
}

/* While the thread holds so many. */

static int handled;

static void on_raise(int signal_)
{
	struct hazptr_thread_shared ts[12];
	struct hazptr_shared sp;
	size_t i;

	(void)signal_;
	memset(ts, 0, sizeof(ts));
	for (i = 0; i < 12; i++)
		must(hazptr_thread_shared_load(&ts[i], &place));
	sp = hazptr_thread_shared_to_shared(&ts[3]);
	hazptr_shared_drop(&sp);
	sp = hazptr_sync_shared_load(&place);
	hazptr_thread_shared_borrow(&ts[5], sp);
	hazptr_shared_drop(&sp);
	for (i = 0; i < 12; i++)
		hazptr_thread_shared_drop(&ts[i]);
	handled++;
}

static void raised_beside_others(void **state)
{
	struct hazptr_thread_shared ts[40];
	size_t i;

	(void)state;
	memset(ts, 0, sizeof(ts));
	place_new(&place, &box);
	handle_with(SIGUSR1, on_raise);
	handled = 0;
	for (i = 0; i < 40; i++) {
		raise(SIGUSR1);
		hazptr_thread_shared_load(&ts[i], &place);
	}
	for (i = 0; i < 40; i++) {
		raise(SIGUSR1);
		hazptr_thread_shared_drop(&ts[i]);
	}
	assert_int_equal(handled, 80);
	assert_int_equal(box_references(&box), 1);
	hazptr_sync_shared_drop(&place);
	assert_released(&box);
}

/* By a timer, against a thread that stores; what was released is poisoned. */

#define GOOD 0x600dL
#define BAD 0x0badL

struct thing {
	long magic;
	struct hazptr_shared_node node;
};

static struct hazptr_sync_shared things;
static struct hazptr_shared kept[16]; /* by the handler, for the thread */
static long made, released;
static int stop_now;
static volatile sig_atomic_t alarms;

static struct thing *thing_of(struct hazptr_shared_node *node)
{
	return (struct thing *)(void *)((char *)node -
					offsetof(struct thing, node));
}

static void thing_release(struct hazptr_shared_node *node)
{
	must(thing_of(node)->magic == GOOD);
	thing_of(node)->magic = BAD;
	__atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
	free(thing_of(node));
}

static void store_thing(void)
{
	struct thing *t = (struct thing *)calloc(1, sizeof(*t));
	struct hazptr_shared sp;

	must(t != NULL);
	t->magic = GOOD;
	made++;
	sp = hazptr_shared_create(&t->node, thing_release);
	hazptr_sync_shared_store(&things, &sp);
}

static void *stores(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	while (!__atomic_load_n(&stop_now, __ATOMIC_ACQUIRE)) {
		store_thing();
		if (made % 64 == 0)
			sched_yield();
	}
	return arg;
}

static void check_thing(struct hazptr_thread_shared *ts)
{
	struct hazptr_shared_node *node = hazptr_thread_shared_get(ts);

	must(node && thing_of(node)->magic == GOOD);
}

static void on_alarm(int signal_)
{
	struct hazptr_thread_shared ts[3];
	size_t i, k = (size_t)alarms % 16;

	(void)signal_;
	memset(ts, 0, sizeof(ts));
	for (i = 0; i < 3; i++) {
		hazptr_thread_shared_load(&ts[i], &things);
		check_thing(&ts[i]);
	}
	/* A last drop may be no handler's: that one is left to the thread. */
	if (!__atomic_load_n(&kept[k].node, __ATOMIC_RELAXED))
		__atomic_store_n(
			&kept[k].node,
			k % 2 ? hazptr_sync_shared_load(&things).node
			      : hazptr_thread_shared_to_shared(&ts[1]).node,
			__ATOMIC_RELAXED);
	for (i = 0; i < 3; i++) {
		check_thing(&ts[i]);
		hazptr_thread_shared_drop(&ts[i]);
	}
	alarms++;
}

/* Only the handler fills a place that is empty. */
static void drop_kept(size_t i)
{
	struct hazptr_shared sp = { __atomic_load_n(&kept[i].node,
						    __ATOMIC_RELAXED) };

	if (!sp.node)
		return;
	must(thing_of(sp.node)->magic == GOOD);
	hazptr_shared_drop(&sp);
	__atomic_store_n(&kept[i].node, (struct hazptr_shared_node *)NULL,
			 __ATOMIC_RELAXED);
}

static void use_some(struct hazptr_thread_shared *ts, size_t turn)
{
	struct hazptr_shared sp;
	size_t i = turn % 20;

	if (ts[i].node)
		check_thing(&ts[i]);
	hazptr_thread_shared_load(&ts[i], &things);
	check_thing(&ts[i]);
	sp = hazptr_thread_shared_to_shared(&ts[turn * 7 % 20]);
	hazptr_thread_shared_borrow(&ts[turn * 3 % 20], sp);
	hazptr_shared_drop(&sp);
	hazptr_thread_shared_drop(&ts[turn * 11 % 20]);
	drop_kept(turn % 16);
}

static void by_a_timer(void **state)
{
	struct itimerval every = { { 0, 100 }, { 0, 100 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct hazptr_thread_shared ts[20];
	struct timespec limit;
	pthread_t storer;
	size_t i, turn = 0;

	(void)state;
	memset(ts, 0, sizeof(ts));
	made = released = 0;
	stop_now = 0;
	alarms = 0;
	store_thing();
	take_and_give_back(&things);
	handle_with(SIGALRM, on_alarm);
	storer = test_start(stores, NULL);
	hazptr_thread_shared_set_max_age_ms(1);
	limit = test_time_after_ms(20000);
	setitimer(ITIMER_REAL, &every, NULL);
	while (alarms < TEST_MANY(2000) && !test_time_reached(&limit))
		for (i = 0; i < 100; i++)
			use_some(ts, turn++);
	setitimer(ITIMER_REAL, &never, NULL);
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELEASE);
	test_join(storer);
	for (i = 0; i < 20; i++)
		hazptr_thread_shared_drop(&ts[i]);
	for (i = 0; i < 16; i++)
		drop_kept(i);
	hazptr_sync_shared_drop(&things);
	settle();
	assert_int_equal(released, made);
	assert_true(alarms > 0);
	hazptr_thread_shared_set_max_age_ms(0);
}

/*
 * Step by step. After each instruction of the call, the handler takes one and
 * gives it back; or it lets it be promoted in between.
 */

#if defined(__x86_64__) && !TEST_SANITIZED
#define CAN_STEP 1
#define STEP_FLAG(change)                              \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" \
			 "pushfq\n\t" change "\n\t"    \
			 "popfq\n\t"                   \
			 "leaq 128(%%rsp), %%rsp"      \
			 :                             \
			 :                             \
			 : "memory", "cc")
#define STEPS_BEGIN() STEP_FLAG("orl $0x100, (%%rsp)")
#define STEPS_END() STEP_FLAG("andl $0xfffffeff, (%%rsp)")
#else
#define CAN_STEP 0
#define STEPS_BEGIN() ((void)0)
#define STEPS_END() ((void)0)
#endif

#define STEPS_MAX 20000

static struct hand deleter;
static bool promote;
static int round_;
static size_t steps;
static struct box promoted_boxes[STEPS_MAX];

/* A scan is enough: what is due is released later. */
static void does_drop_and_flush(void *arg)
{
	hazptr_sync_shared_drop((struct hazptr_sync_shared *)arg);
	hazptr_flush(NULL);
}

/* Each time a node of its own: nobody waits for its release here. */
static void take_be_promoted_and_give_back(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct box *b = &promoted_boxes[steps];

	place_new(&handlers_place, b);
	must(hazptr_thread_shared_load(&ts, &handlers_place));
	hand_do(&deleter, does_drop_and_flush, &handlers_place);
	must(box_gone(b) == 0);
	must(box_references(b) == 1);
	hazptr_thread_shared_drop(&ts);
}

/*
 * A loop that begins anew when the handler has been at the same word needs a
 * few steps without: in each round others.
 */
static bool is_quiet(void)
{
	return (steps + 32 * (size_t)round_) % 64 < 8;
}

static void on_step(int signal_)
{
	(void)signal_;
	must(++steps < STEPS_MAX);
	if (!promote)
		take_and_give_back(&handlers_place);
	else if (!is_quiet())
		take_be_promoted_and_give_back();
}

struct call {
	struct hazptr_thread_shared ts;
	struct hazptr_shared sp;
};

static void step_load(struct call *c)
{
	STEPS_BEGIN();
	hazptr_thread_shared_load(&c->ts, &place);
	STEPS_END();
	must(c->ts.node == node_of(&box));
}

static void step_drop(struct call *c)
{
	hazptr_thread_shared_load(&c->ts, &place);
	STEPS_BEGIN();
	hazptr_thread_shared_drop(&c->ts);
	STEPS_END();
	must(!c->ts.node);
}

static void step_drop_of_a_promoted_one(struct call *c)
{
	struct hazptr_shared sp;

	hazptr_thread_shared_load(&c->ts, &place);
	hand_do(&deleter, does_drop_and_flush, &place);
	must(box_references(&box) == 1);
	sp = hazptr_thread_shared_to_shared(&c->ts);
	hazptr_sync_shared_store(&place, &sp);
	STEPS_BEGIN();
	hazptr_thread_shared_drop(&c->ts);
	STEPS_END();
}

static void step_borrow(struct call *c)
{
	struct hazptr_shared sp = hazptr_sync_shared_load(&place);

	STEPS_BEGIN();
	hazptr_thread_shared_borrow(&c->ts, sp);
	STEPS_END();
	hazptr_shared_drop(&sp);
	must(c->ts.node == node_of(&box));
}

static void step_to_shared(struct call *c)
{
	hazptr_thread_shared_load(&c->ts, &place);
	STEPS_BEGIN();
	c->sp = hazptr_thread_shared_to_shared(&c->ts);
	STEPS_END();
	must(c->sp.node == node_of(&box));
}

static void step_sync_load(struct call *c)
{
	STEPS_BEGIN();
	c->sp = hazptr_sync_shared_load(&place);
	STEPS_END();
	must(c->sp.node == node_of(&box));
}

static void (*const calls[])(struct call *) = {
	step_load,	step_drop,   step_drop_of_a_promoted_one,
	step_load,	step_borrow, step_drop,
	step_to_shared, step_drop,   step_sync_load,
};

/* The count, and the node, are what the call should have made of them. */
static void step_by_step(void (*call)(struct call *))
{
	struct call c;

	memset(&c, 0, sizeof(c));
	call(&c);
	hazptr_thread_shared_drop(&c.ts);
	hazptr_shared_drop(&c.sp);
	settle();
	must(box_gone(&box) == 0);
	must(box_references(&box) == 1);
}

static void *steps_run(void *arg)
{
	static int known;
	size_t i;
	HAZPTR_GUARD(g);

	hazptr_hold(&g, &known); /* handlers need a thread that is known */
	hazptr_release(&g);
	for (i = 0; i < TEST_COUNT(calls); i++)
		step_by_step(calls[i]);
	return arg;
}

/* Also the first calls of a thread. */
static void steps_with(bool promoted)
{
	if (!CAN_STEP)
		skip();
	hazptr_thread_shared_set_max_age_ms(0);
	hand_start(&deleter);
	handle_with(SIGTRAP, on_step);
	promote = promoted;
	steps = 0;
	place_new(&place, &box);
	if (!promote)
		place_new(&handlers_place, &handlers_box);
	for (round_ = 0; round_ < 2; round_++)
		test_join(test_start(steps_run, NULL));
	hand_stop(&deleter);
	hazptr_sync_shared_drop(&place);
	assert_released(&box);
	hazptr_sync_shared_drop(&handlers_place);
	settle();
	assert_true(steps > 50);
}

static void between_any_two_instructions(void **state)
{
	(void)state;
	steps_with(false);
	assert_int_equal(box_gone(&handlers_box), 1);
}

static void promoted_between_any_two_instructions(void **state)
{
	size_t i;

	(void)state;
	steps_with(true);
	for (i = 1; i <= steps; i++)
		assert_int_equal(box_gone(&promoted_boxes[i]),
				 promoted_boxes[i].weak.node.release != NULL);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(raised_beside_others),
		cmocka_unit_test(by_a_timer),
		cmocka_unit_test(between_any_two_instructions),
		cmocka_unit_test(promoted_between_any_two_instructions),
	};

	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
