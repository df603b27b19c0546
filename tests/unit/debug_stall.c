/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/debug_stall.c - readers that keep a retired object for too long
 *
 * HAZPTR_DEBUG=1 in the environment. This file is built with HAZPTR_DEBUG, so
 * reports name places; what debug_plain.c does has none.
 */
#ifndef HAZPTR_DEBUG
#define HAZPTR_DEBUG
#endif
#include "debug.h"
#include "debug_plain.h"

static struct hazptr_domain *domain;
static struct item x, y;
static const char *protected_at, *retired_at;

/* A reader that keeps x, or says that it does. */
struct holder {
	struct item *source;
	struct hazptr_guard guard;
	size_t crowd;
	bool plain;
	bool detach;
	bool waits_for_a_line;
	int number; /* of the thread */
	pthread_t thread;
	sem_t ready;
	sem_t stop;
};

static void keep(struct holder *h)
{
	if (h->plain)
		must(plain_protect(&h->guard, (void **)&h->source));
	else
		must(AT(protected_at, hazptr_protect(&h->guard, &h->source)));
	if (h->detach)
		hazptr_detach(&h->guard);
}

static void *holder_run(void *arg)
{
	struct holder *h = (struct holder *)arg;
	struct hazptr_guard crowd[HAZPTR_CONTEXT_SLOTS];
	size_t i;

	memset(crowd, 0, sizeof(crowd));
	h->number = my_thread();
	for (i = 0; i < h->crowd; i++)
		hazptr_hold(&crowd[i], &y);
	keep(h);
	for (i = 0; i < h->crowd; i++)
		hazptr_release(&crowd[i]);
	must(!sem_post(&h->ready));
	if (h->waits_for_a_line) {
		must(test_eventually(lines_said() > 0));
		test_sleep_ms(5); /* nothing more is said */
	} else {
		test_wait(&h->stop);
	}
	if (!h->detach)
		hazptr_release(&h->guard);
	return NULL;
}

static void holder_start(struct holder *h)
{
	h->source = &x;
	must(!sem_init(&h->ready, 0, 0));
	must(!sem_init(&h->stop, 0, 0));
	h->thread = test_start(holder_run, h);
	test_wait(&h->ready);
}

static void holder_stop(struct holder *h)
{
	must(!sem_post(&h->stop));
	test_join(h->thread);
}

static void set_up(void)
{
	domain = test_domain(HAZPTR_RECLAIM_MANUAL, 0, 0);
}

static void retire(struct item *i)
{
	AT(retired_at, hazptr_retire(domain, i, head, item_reclaim));
}

/* The first scan sees that it waits, the second one for how long. */
static void scans(void)
{
	hazptr_flush(domain);
	test_sleep_ms(3);
	hazptr_flush(domain);
	hazptr_flush(domain);
}

static void expect_stall(void)
{
	expect("hazptr: stall: %p: waits for a reader for ", (void *)&x);
	expect("in domain \"test\"; held by ");
}

static void expect_held_by(const struct holder *h)
{
	expect("held by thread %d, ", h->number);
}

static void expect_places(const struct holder *h)
{
	expect("protected at %s by thread %d", protected_at, h->number);
	expect("retired at %s by thread %d", retired_at, my_thread());
}

static void one_stall(struct holder *h)
{
	set_up();
	holder_start(h);
	retire(&x);
	scans();
	expect_stall();
	expect_held_by(h);
}

static void child_stall(void)
{
	static struct holder h;

	one_stall(&h);
	expect_places(&h);
	expect("slot 0, protected");
	holder_stop(&h);
	hazptr_flush(domain);
	must(item_gone(&x) == 1);
}

/* What was reported, and goes, may stall again. */
static void child_stall_again(void)
{
	static struct holder a, b;

	one_stall(&a);
	holder_stop(&a);
	hazptr_flush(domain);
	must(lines_said() == 1);
	holder_start(&b);
	retire(&x);
	scans();
	holder_stop(&b);
}

static void child_stall_of_two(void)
{
	static struct holder a, b;

	set_up();
	a.plain = true;
	holder_start(&a);
	holder_start(&b);
	retire(&x);
	scans();
	expect_stall();
	expect_held_by(&a);
	expect_held_by(&b);
	holder_stop(&a);
	holder_stop(&b);
}

static void child_stall_in_an_embedded_slot(void)
{
	static struct holder h;

	h.crowd = HAZPTR_CONTEXT_SLOTS;
	one_stall(&h);
	expect_places(&h);
	expect("in the guard's own slot");
	holder_stop(&h);
}

/* Beside one that has a note. */
static void child_plain_stall(void)
{
	static struct holder h;

	h.plain = true;
	h.crowd = 1;
	one_stall(&h);
	expect("slot 1; ");
	expect("!protected at");
	holder_stop(&h);
}

/* What had the slot before tells nothing of what has it now. */
static void child_plain_stall_after_a_note(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;

	set_up();
	hazptr_hold(&g, &y);
	plain_release(&g);
	plain_hold(&g, &x);
	retire(&x);
	scans();
	expect_stall();
	expect("slot 0; retired");
	expect("!protected at");
	plain_release(&g);
	hazptr_flush(domain);
}

static void child_plain_stall_in_an_embedded_slot(void)
{
	static struct holder h;

	h.plain = true;
	h.crowd = HAZPTR_CONTEXT_SLOTS;
	one_stall(&h);
	expect("in the guard's own slot; ");
	expect("!protected at");
	holder_stop(&h);
}

static void detached_stall(size_t crowd)
{
	static struct holder h;

	h.crowd = crowd;
	h.detach = true;
	set_up();
	holder_start(&h);
	holder_stop(&h);
	retire(&x);
	scans();
	expect_stall();
	expect("held by thread %d, which has ended, ", h.number);
	expect(", detached, protected at");
	expect_places(&h);
	hazptr_release(&h.guard);
}

static void child_detached_stall(void)
{
	detached_stall(0);
}

static void child_detached_stall_in_an_embedded_slot(void)
{
	detached_stall(HAZPTR_CONTEXT_SLOTS);
}

static void child_stall_in_a_context(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_context c;

	set_up();
	must(!hazptr_context_init(&c));
	hazptr_context_switch(&c);
	hazptr_hold(&g, &x);
	retire(&x);
	scans();
	expect_stall();
	expect("held by a context that thread %d uses, slot 0", my_thread());
	hazptr_release(&g);
	hazptr_flush(domain);
	hazptr_hold(&g, &x);
	hazptr_context_switch(NULL);
	retire(&x);
	scans();
	expect("held by a context that no thread uses, slot 0");
	hazptr_context_cleanup(&c);
	hazptr_flush(domain);
	must(item_gone(&x) == 2);
}

/* A note goes with the guards of a context, and with those of a thread. */
static void child_plain_stall_after_others(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item *source = &x;
	struct hazptr_context c;
	int i;

	set_up();
	for (i = 0; i < 2; i++) {
		must(!hazptr_context_init(&c));
		hazptr_context_switch(&c);
		if (i)
			plain_hold(&g, &x);
		else
			must(hazptr_protect(&g, &source) == &x);
		hazptr_context_switch(NULL);
		if (i)
			break;
		hazptr_context_cleanup(&c);
		memset(&g, 0, sizeof(g));
	}
	retire(&x);
	scans();
	expect_stall();
	expect("no thread uses, slot 0; retired");
	expect("!protected at");
	hazptr_context_cleanup(&c);
	hazptr_flush(domain);
}

/* Guards with slots of their own exchange what they keep. */
static void child_stall_after_swap(void)
{
	struct hazptr_guard crowd[HAZPTR_CONTEXT_SLOTS];
	struct hazptr_guard a = HAZPTR_GUARD_INIT, b = HAZPTR_GUARD_INIT;
	struct item *source = &x;
	size_t i;

	set_up();
	memset(crowd, 0, sizeof(crowd));
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		hazptr_hold(&crowd[i], &y);
	must(AT(protected_at, hazptr_protect(&a, &source)) == &x);
	hazptr_hold(&b, &y);
	hazptr_swap(&a, &b);
	hazptr_release(&a);
	retire(&x);
	scans();
	expect_stall();
	expect("protected at %s by thread %d", protected_at, my_thread());
}

static void child_stall_in_a_cohort(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct hazptr_cohort c;

	set_up();
	must(!hazptr_cohort_init(&c, domain));
	hazptr_hold(&g, &x);
	hazptr_cohort_retire(&c, &x, head, item_reclaim);
	scans();
	expect_stall();
	hazptr_release(&g);
	hazptr_cohort_destroy(&c);
}

/* Nobody calls: the library's thread comes by. */
static void child_stall_in_the_background(void)
{
	static struct holder h;

	domain = test_domain(HAZPTR_RECLAIM_BACKGROUND, 0, 1);
	h.waits_for_a_line = true;
	holder_start(&h);
	retire(&x);
	test_join(h.thread);
	hazptr_barrier(domain);
	expect_stall();
	expect_held_by(&h);
}

static void child_no_stall(void)
{
	static struct holder h;

	set_up();
	holder_start(&h);
	retire(&x);
	scans();
	holder_stop(&h);
	scans();
}

/* More than are watched at once. */
static void child_many_stalls(void)
{
	enum { MANY = 200 };
	static struct hazptr_guard guards[MANY];
	struct item *items = items_new(MANY);
	size_t i, n;

	set_up();
	for (i = 0; i < MANY; i++)
		hazptr_hold(&guards[i], &items[i]);
	for (i = 0; i < MANY; i++)
		retire(&items[i]);
	scans();
	n = lines_said();
	must(n > 10 && n <= MANY);
	scans();
	must(lines_said() == n);
	for (i = 0; i < MANY; i++)
		hazptr_release(&guards[i]);
	hazptr_flush(domain);
	must(items_gone(items, MANY) == MANY);
	must(!ftruncate(2, 0));
}

static void synchronized(size_t crowd)
{
	static struct holder h;

	h.crowd = crowd;
	h.waits_for_a_line = true;
	holder_start(&h);
	hazptr_synchronize(&x);
	test_join(h.thread);
	expect("hazptr: hazptr_synchronize: %p: waits for a reader for ",
	       (void *)&x);
	expect_held_by(&h);
	expect("protected at %s", protected_at);
}

static void child_synchronize(void)
{
	synchronized(0);
}

static void child_synchronize_embedded(void)
{
	synchronized(HAZPTR_CONTEXT_SLOTS);
}

static void child_synchronize_until(void)
{
	struct timespec late = test_time_after_ms(60000);
	static struct holder h;

	h.waits_for_a_line = true;
	holder_start(&h);
	must(!hazptr_synchronize_until(&x, &late));
	test_join(h.thread);
	expect("hazptr: hazptr_synchronize_until: %p: ", (void *)&x);
}

static const struct test_child children[] = {
	{ "stall", child_stall },
	{ "stall again", child_stall_again },
	{ "stall of two", child_stall_of_two },
	{ "stall, embedded", child_stall_in_an_embedded_slot },
	{ "plain stall", child_plain_stall },
	{ "plain stall after a note", child_plain_stall_after_a_note },
	{ "plain stall, embedded", child_plain_stall_in_an_embedded_slot },
	{ "plain stall after others", child_plain_stall_after_others },
	{ "detached stall", child_detached_stall },
	{ "detached stall, embedded",
	  child_detached_stall_in_an_embedded_slot },
	{ "stall in a context", child_stall_in_a_context },
	{ "stall after swap", child_stall_after_swap },
	{ "stall in a cohort", child_stall_in_a_cohort },
	{ "stall in the background", child_stall_in_the_background },
	{ "no stall", child_no_stall },
	{ "many stalls", child_many_stalls },
	{ "synchronize", child_synchronize },
	{ "synchronize, embedded", child_synchronize_embedded },
	{ "synchronize_until", child_synchronize_until },
};

/* Child, HAZPTR_DEBUG, stall, lines, aborts. */
static struct report reports[] = {
	{ "stall", "1", "1", 1, false },
	{ "stall again", "1", "1", 2, false },
	{ "stall of two", "1", "1", 2, false },
	{ "stall, embedded", "1", "1", 1, false },
	{ "plain stall", "1", "1", 1, false },
	{ "plain stall after a note", "1", "1", 1, false },
	{ "plain stall, embedded", "1", "1", 1, false },
	{ "plain stall after others", "1", "1", 1, false },
	{ "detached stall", "1", "1", 1, false },
	{ "detached stall, embedded", "1", "1", 1, false },
	{ "stall in a context", "1", "1", 2, false },
	{ "stall after swap", "1", "1", 1, false },
	{ "stall in a cohort", "1", "1", 1, false },
	{ "stall in the background", "1", "1", 1, false },
	{ "many stalls", "1", "1", 0, false },
	{ "synchronize", "1", "1", 1, false },
	{ "synchronize, embedded", "1", "1", 1, false },
	{ "synchronize_until", "1", "1", 1, false },
	/* Not asked for, not for so long, or never. */
	{ "no stall", NULL, "1", 0, false },
	{ "no stall", "0", "1", 0, false },
	{ "no stall", "", "1", 0, false },
	{ "no stall", "1", "999999999", 0, false },
	{ "no stall", "1", "0", 0, false },
};

int main(int argc, char **argv)
{
	struct CMUnitTest tests[TEST_COUNT(reports)];

	test_main(argc, argv, children, TEST_COUNT(children));
	test_reports(tests, reports, TEST_COUNT(reports));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
