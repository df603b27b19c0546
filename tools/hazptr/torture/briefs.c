/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/briefs.c - references that touch no count */
#include "shared.h"

#include <sched.h>

static void let_go(struct brief *b)
{
	shared_still(hazptr_thread_shared_get(&b->ts), b->generation);
	if (b->ts.node && !pick(8))
		crowd_stores(b);
	hazptr_thread_shared_drop(&b->ts);
	if (hazptr_thread_shared_get(&b->ts))
		failed("dropped and not null", b->ts.node);
}

static struct brief *any_brief(void)
{
	return &self->briefs[pick(BRIEFS)];
}

static void load_into(struct brief *b)
{
	struct hazptr_sync_shared *source = any_sync();
	const struct hazptr_shared_node *n;

	shared_still(hazptr_thread_shared_get(&b->ts), b->generation);
	if (!pick(4))
		crowd_stores(source);
	n = hazptr_thread_shared_load(&b->ts, source);
	if (n != hazptr_thread_shared_get(&b->ts))
		failed("got another than loaded", n);
	if (n)
		b->generation = shared_look(n);
}

static void borrow_into(struct brief *b)
{
	struct held *h = any_held();

	if (hazptr_thread_shared_borrow(&b->ts, h->sp) != h->sp.node)
		failed("borrowed another", h->sp.node);
	b->generation = h->generation;
	if (pick(2))
		shared_let_go(h); /* it may go before */
	shared_still(hazptr_thread_shared_get(&b->ts), b->generation);
}

void brief_load(void)
{
	load_into(any_brief());
}

void brief_borrow(void)
{
	borrow_into(any_brief());
}

void brief_drop(void)
{
	let_go(any_brief());
}

/* Taken one after the other, given back in the reverse order or any. */
void brief_nest(void)
{
	unsigned most = has_fault(OVERFLOW) ? BRIEFS : 6;
	unsigned i, n = 1 + (unsigned)pick(most);
	bool reverse = pick(2);

	for (i = 0; i < BRIEFS; i++)
		let_go(&self->briefs[i]);
	for (i = 0; i < n; i++)
		if (pick(4))
			load_into(&self->briefs[i]);
		else
			borrow_into(&self->briefs[i]);
	if (!pick(8))
		sched_yield();
	while (i--)
		let_go(&self->briefs[reverse ? i : pick(BRIEFS)]);
}

void brief_to_shared(void)
{
	struct brief *b = any_brief();
	struct hazptr_shared sp = hazptr_thread_shared_to_shared(&b->ts);

	shared_still(sp.node, b->generation);
	if (pick(2))
		let_go(b);
	shared_keep(any_held(), sp);
}

void brief_asleep(void)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		load_into(any_brief());
	nap_us(pick(pick(8) ? 4000 : 50000));
	for (i = 0; i < BRIEFS; i++)
		shared_still(hazptr_thread_shared_get(&self->briefs[i].ts),
			     self->briefs[i].generation);
}

void briefs_leave(void)
{
	unsigned i;

	for (i = 0; i < BRIEFS; i++)
		let_go(&self->briefs[i]);
}

/* A thread-shared pointer, and now and then a counted one by mail. */
void briefs_in_handler(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	struct worker *w = self;
	const struct hazptr_shared_node *n;

	n = hazptr_thread_shared_load(
		&ts, &sync_sources[w->ticks / WORKLOADS % SYNC_SOURCES]);
	if (n)
		shared_still(n, shared_look(n));
	if (!w->shared_mail_full && w->ticks % 3 == 0) {
		w->shared_mail.sp =
			w->ticks % 2 ? hazptr_thread_shared_to_shared(&ts)
				     : hazptr_sync_shared_load(sync_sources);
		if (w->shared_mail.sp.node)
			w->shared_mail.generation =
				shared_look(w->shared_mail.sp.node);
		__atomic_signal_fence(__ATOMIC_RELEASE);
		w->shared_mail_full = 1;
	}
	hazptr_thread_shared_drop(&ts);
}
