/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/guards.c - guards, contexts, domains and cohorts, in any sequence
 *
 * Each byte of the input is a call and the thread that makes it, those after
 * it the arguments. The model (guards.h) says what each call returns, which
 * objects are held and must live, which ones a pass must reclaim, and what the
 * statistics are. What breaks a duty of the caller is left out.
 */
#include "guards.h"

#include <errno.h>

/* ---- choices ---- */

static int find_item(struct input *in, enum state a, enum state b)
{
	unsigned first = take_below(in, ITEMS);

	for (unsigned k = 0; k < ITEMS; k++) {
		int i = (int)((first + k) % ITEMS);

		if (m.items[i].state == a || m.items[i].state == b)
			return i;
	}
	return NONE;
}

/* A guard that the thread may use. */
static struct holder *find_guard(struct input *in, int thread)
{
	struct holder *h = &m.holders[take_below(in, GUARDS)];

	return is_mine(h, thread) ? h : NULL;
}

static struct holder *find_slot(struct input *in, int thread)
{
	struct holder *h = &m.holders[GUARDS + take_below(in, SLOTS)];

	return is_mine(h, thread) && h->slot ? h : NULL;
}

static int at_source(int source)
{
	for (int i = 0; i < ITEMS; i++)
		if (m.items[i].state == PUBLISHED &&
		    m.items[i].source == source)
			return i;
	return NONE;
}

/* ---- items ---- */

static void call_new(struct input *in, int thread)
{
	int i = find_item(in, GONE, GONE);
	struct thing *t;

	(void)thread;
	if (i == NONE)
		return;
	t = malloc(sizeof(*t));
	must(t);
	*t = (struct thing){ .alive = ALIVE, .index = i };
	m.items[i] = (struct item){ .state = OURS, .thing = t, .child = NONE };
}

static void write_source(int source, struct thing *t, uintptr_t tag)
{
	if (source < 2)
		__atomic_store_n(&m.plain[source], t, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&m.tagged[source - 2], (uintptr_t)t | tag,
				 __ATOMIC_RELEASE);
}

static int unlink_from(int source, uintptr_t tag)
{
	int i = at_source(source);

	if (i != NONE)
		m.items[i].state = OURS;
	write_source(source, NULL, tag);
	return i;
}

static void call_publish(struct input *in, int thread)
{
	int i = find_item(in, OURS, OURS), source = (int)take_below(in, 4);
	uintptr_t tag = take(in) & TAGS;

	(void)thread;
	unlink_from(source, tag);
	if (i == NONE)
		return;
	m.items[i].state = PUBLISHED;
	m.items[i].source = source;
	write_source(source, m.items[i].thing, tag);
}

static void call_replace(struct input *in, int thread)
{
	int i = unlink_from((int)take_below(in, SOURCES), 0);
	unsigned how = take(in);

	(void)thread;
	if (i != NONE)
		retire(i, how % POOLS, (enum way)(how / POOLS % 3));
}

static void call_retire(struct input *in, int thread)
{
	int i = find_item(in, OURS, OURS);
	unsigned how = take(in);

	(void)thread;
	if (i != NONE)
		retire(i, how % POOLS, (enum way)(how / POOLS % 3));
}

static void call_retire_list(struct input *in, int thread)
{
	struct hazptr_head *first = NULL, *last = NULL;
	int domain = (int)take_below(in, 2);

	(void)thread;
	for (unsigned n = 1 + take_below(in, 12); n; n--) {
		int i = find_item(in, OURS, OURS);
		struct item *it;

		if (i == NONE)
			break;
		it = &m.items[i];
		it->state = RETIRED;
		it->pool = domain;
		it->way = take(in) & 1 && it->child == NONE ? BY_FREE
							    : BY_FUNCTION;
		m.retired[domain]++;
		hazptr_head_init(&it->thing->head, it->thing,
				 it->way == BY_FREE ? NULL : reclaim);
		it->thing->head.next = first;
		first = &it->thing->head;
		last = last ? last : first;
	}
	if (first)
		hazptr_retire_list(m.domains[domain], first, last);
}

/* The first one's function will retire the second. */
static void call_adopt(struct input *in, int thread)
{
	int i = find_item(in, OURS, OURS), child = find_item(in, OURS, OURS);

	(void)thread;
	if (i == NONE || child == NONE || i == child ||
	    m.items[i].child != NONE)
		return;
	m.items[i].child = child;
	m.items[child].state = CHILD;
}

/* ---- guards ---- */

static void call_protect(struct input *in, int thread)
{
	struct holder *h = find_guard(in, thread);
	int source = (int)take_below(in, SOURCES), i = at_source(source);
	uintptr_t word;

	if (!h)
		return;
	if (source < 2) {
		struct thing *t = hazptr_protect(&h->guard, &m.plain[source]);

		must(t == (i == NONE ? NULL : m.items[i].thing));
	} else {
		word = hazptr_protect_tagged(&h->guard, &m.tagged[source - 2],
					     TAGS);
		must(word == m.tagged[source - 2]);
	}
	keeps(h, i, thread);
}

static void call_try_protect(struct input *in, int thread)
{
	struct holder *h = find_guard(in, thread);
	unsigned how = take(in);
	int i = at_source(how % 2);
	struct thing *there = i == NONE ? NULL : m.items[i].thing;
	struct thing *seen = there;
	bool same;

	if (how & 2)
		seen = NULL;
	else if (how & 4)
		seen = (struct thing *)(void *)&m.items[0]; /* never there */
	if (!h)
		return;
	same = seen == there;
	must(hazptr_try_protect(&h->guard, &seen, &m.plain[how % 2]) == same);
	must(seen == there);
	keeps(h, same ? i : NONE, thread);
}

static void call_hold(struct input *in, int thread)
{
	struct holder *h = find_guard(in, thread);
	int i = find_item(in, OURS, PUBLISHED);

	if (!h)
		return;
	hazptr_hold(&h->guard, i == NONE ? NULL : m.items[i].thing);
	keeps(h, i, thread);
}

/* More at once than there are slots: some keep it in the guard itself. */
static void call_crowd(struct input *in, int thread)
{
	unsigned first = take_below(in, GUARDS), n = 1 + take_below(in, 14);
	int source = (int)take_below(in, 2), i = at_source(source);

	for (; n--; first++) {
		struct holder *h = &m.holders[first % GUARDS];

		if (!is_mine(h, thread))
			continue;
		must(hazptr_protect(&h->guard, &m.plain[source]) ==
		     m.plain[source]);
		keeps(h, i, thread);
	}
}

static void call_release(struct input *in, int thread)
{
	struct holder *h = &m.holders[take_below(in, GUARDS)];

	if (!h->detached && !is_mine(h, thread))
		return;
	hazptr_release(&h->guard);
	keeps(h, NONE, thread);
}

static void call_swap(struct input *in, int thread)
{
	struct holder *a = find_guard(in, thread);
	struct holder *b = find_guard(in, thread);
	struct holder before;

	if (!a || !b)
		return;
	hazptr_swap(&a->guard, &b->guard);
	before = *a;
	a->item = b->item, a->place = b->place, a->embedded = b->embedded;
	b->item = before.item, b->place = before.place;
	b->embedded = before.embedded;
}

static void call_detach(struct input *in, int thread)
{
	struct holder *h = find_guard(in, thread);

	if (!h)
		return;
	hazptr_detach(&h->guard);
	h->detached = h->place != NONE;
}

/* ---- contexts and slots ---- */

static bool is_usable(int context, int thread)
{
	return m.is_context[context] &&
	       (m.user[context] == NONE || m.user[context] == thread);
}

static void call_switch(struct input *in, int thread)
{
	int to = (int)take_below(in, CONTEXTS + 1) - 1;
	int before = m.context[thread];

	if (to != NONE && !is_usable(to, thread))
		return;
	must(hazptr_context_switch(to == NONE ? NULL : &m.contexts[to]) ==
	     (before == NONE ? NULL : &m.contexts[before]));
	if (before != NONE)
		m.user[before] = NONE;
	if (to != NONE)
		m.user[to] = thread;
	m.context[thread] = to;
}

/* What was taken in it is forgotten, memory and all. */
static void forget_place(int place)
{
	for (int i = 0; i < HOLDERS; i++) {
		struct holder *h = &m.holders[i];

		if (h->place != place)
			continue;
		h->item = NONE;
		leave_place(h);
		h->slot = NULL;
		h->guard.slot = 0;
	}
}

static void call_context(struct input *in, int thread)
{
	unsigned which = take_below(in, CONTEXTS);

	(void)thread;
	if (!m.is_context[which]) {
		must(!hazptr_context_init(&m.contexts[which]));
		m.is_context[which] = true;
	} else if (m.user[which] == NONE) {
		hazptr_context_cleanup(&m.contexts[which]);
		forget_place(2 + (int)which);
		m.is_context[which] = false;
	}
}

static void call_slot_alloc(struct input *in, int thread)
{
	struct holder *h = &m.holders[GUARDS + take_below(in, SLOTS)];
	int which = (int)take_below(in, CONTEXTS + 1) - 1;
	int place = which == NONE ? thread : 2 + which;

	if (h->slot || (which != NONE && !is_usable(which, thread)))
		return;
	h->slot = hazptr_slot_alloc(which == NONE ? NULL : &m.contexts[which]);
	must(!h->slot == (m.used[place] == HAZPTR_CONTEXT_SLOTS));
	if (!h->slot)
		return;
	h->place = place;
	h->embedded = false;
	m.used[place]++;
	if (++m.in_use > m.most_in_use)
		m.most_in_use = m.in_use;
}

static void call_slot_use(struct input *in, int thread)
{
	struct holder *h = find_slot(in, thread);
	unsigned how = take(in);
	int i = at_source(how % 2);
	struct thing *t = i == NONE ? NULL : m.items[i].thing;

	if (!h)
		return;
	if (how & 2) {
		hazptr_slot_clear(h->slot);
		i = NONE;
	} else if (how & 4) {
		must(hazptr_slot_try_protect(h->slot, &m.plain[how % 2]) == t);
	} else {
		must(hazptr_slot_protect(h->slot, &m.plain[how % 2]) == t);
	}
	h->item = i;
}

static void call_slot_free(struct input *in, int thread)
{
	struct holder *h = find_slot(in, thread);
	int context = h ? h->place - 2 : NONE;

	if (!h)
		return;
	hazptr_slot_free(context < 0 ? NULL : &m.contexts[context], h->slot);
	h->slot = NULL;
	h->item = NONE;
	leave_place(h);
}

/* ---- passes and waiting ---- */

static void call_flush(struct input *in, int thread)
{
	int domain = (int)take_below(in, 2);
	size_t n = count_free(domain);
	bool due[ITEMS];

	(void)thread;
	for (int i = 0; i < ITEMS; i++)
		due[i] = m.items[i].state == RETIRED &&
			 m.items[i].pool % 2 == domain && !is_held(i);
	must(hazptr_flush(m.domains[domain]) == n);
	for (int i = 0; i < ITEMS; i++)
		must(!due[i] || m.items[i].state == GONE);
}

static void call_barrier(struct input *in, int thread)
{
	int pool = (int)take_below(in, POOLS);
	bool due[ITEMS], all = pool < 2;

	(void)thread;
	if (has_held(pool, all))
		return;
	for (int i = 0; i < ITEMS; i++)
		due[i] = m.items[i].state == RETIRED &&
			 (all ? m.items[i].pool % 2 == pool
			      : m.items[i].pool == pool);
	if (all)
		hazptr_barrier(m.domains[pool]);
	else
		hazptr_cohort_barrier(&m.cohorts[pool - 2]);
	for (int i = 0; i < ITEMS; i++)
		must(!due[i] || m.items[i].state == GONE);
}

static void call_synchronize(struct input *in, int thread)
{
	static const struct timespec past = { 1, 0 }, wrong = { 1, 1000000000 };
	int i = find_item(in, OURS, RETIRED);
	unsigned how = take(in);
	const void *object;

	(void)thread;
	if (i == NONE)
		return;
	object = m.items[i].thing;
	must(hazptr_synchronize_until(object, &wrong) == -EINVAL);
	must(hazptr_synchronize_until(object, &past) ==
	     (is_held(i) ? -ETIMEDOUT : 0));
	if (is_held(i))
		return;
	if (how & 1)
		hazptr_synchronize(object);
	else
		hazptr_synchronize_many(&object, how / 2 % 2);
}

static void make_domain(int which)
{
	struct hazptr_domain_opts o = { .size = sizeof(o),
					.reclaim = HAZPTR_RECLAIM_MANUAL,
					.max_retired = m.max_retired,
					.max_delay_ms = UINT32_MAX,
					.name = "fuzz" };

	if (which)
		o.reclaim = HAZPTR_RECLAIM_INLINE;
	must(!hazptr_domain_create(&m.domains[which], &o));
	must(!hazptr_cohort_init(&m.cohorts[which], m.domains[which]));
	m.retired[which] = m.reclaimed[which] = 0;
}

static void destroy_cohort(int which)
{
	hazptr_cohort_destroy(&m.cohorts[which]);
	for (int i = 0; i < ITEMS; i++)
		must(m.items[i].state != RETIRED ||
		     m.items[i].pool != 2 + which);
}

static void destroy_domain(int which)
{
	destroy_cohort(which);
	must(!hazptr_domain_destroy(m.domains[which]));
	for (int i = 0; i < ITEMS; i++)
		must(m.items[i].state != RETIRED ||
		     m.items[i].pool % 2 != which);
	must(m.retired[which] == m.reclaimed[which]);
}

static void call_remake(struct input *in, int thread)
{
	unsigned how = take(in);
	int which = how % 2;

	(void)thread;
	if (has_held(which, true))
		return;
	if (how & 2) {
		destroy_domain(which);
		make_domain(which);
	} else {
		destroy_cohort(which);
		must(!hazptr_cohort_init(&m.cohorts[which], m.domains[which]));
	}
}

/* ---- after each call ---- */

static void check_stats(int domain)
{
	struct hazptr_stats s = { .size = sizeof(s) };
	uint64_t pending = m.retired[domain] - m.reclaimed[domain];

	hazptr_domain_stats(m.domains[domain], &s);
	must(s.retired == m.retired[domain]);
	must(s.reclaimed == m.reclaimed[domain]);
	must(s.pending == pending && s.waiting == pending && !s.ready);
	must(s.pending_peak >= pending);
	must(s.max_retired == m.max_retired);
	must(!strcmp(s.name, "fuzz"));
	/* Nobody but a caller scans the MANUAL one. */
	if (domain)
		must(pending <= m.max_retired + m.most_in_use);
}

static void check_all(void)
{
	for (int i = 0; i < HOLDERS; i++)
		if (m.holders[i].item != NONE)
			check_alive(m.holders[i].item);
	check_stats(0);
	check_stats(1);
}

/* ---- the sequence ---- */

typedef void (*call_fn)(struct input *in, int thread);

static const call_fn calls[] = {
	call_new,	 call_new,	   call_publish,  call_publish,
	call_replace,	 call_replace,	   call_retire,	  call_retire_list,
	call_adopt,	 call_protect,	   call_protect,  call_try_protect,
	call_hold,	 call_release,	   call_swap,	  call_detach,
	call_switch,	 call_context,	   call_flush,	  call_barrier,
	call_slot_alloc, call_slot_use,	   call_slot_use, call_slot_free,
	call_remake,	 call_synchronize, call_crowd,
};

struct step {
	call_fn call;
	struct input *in;
	int thread;
};

static void run_step(void *arg)
{
	struct step *s = arg;

	inside = true;
	s->call(s->in, s->thread);
	inside = false;
}

/* What a thread leaves behind: detached guards, and what it has retired. */
static void leave_thread(struct input *in, int thread)
{
	struct input to_own = { NULL, NULL };

	(void)in;
	call_switch(&to_own, thread); /* no bytes: its own */
	for (int i = 0; i < HOLDERS; i++) {
		struct holder *h = &m.holders[i];

		if (h->place != thread || h->detached)
			continue;
		if (h->slot)
			hazptr_slot_free(NULL, h->slot);
		else
			hazptr_release(&h->guard);
		h->slot = NULL;
		keeps(h, NONE, thread);
	}
}

/* Detached guards stay, in a record that nobody else gets meanwhile. */
static void end_second(void)
{
	struct step s = { leave_thread, NULL, 1 };

	must(m.context[1] == NONE || actor.runs);
	actor_do(run_step, &s);
	actor_end();
	for (int i = 0; i < HOLDERS; i++)
		if (m.holders[i].place == 1)
			m.holders[i].embedded = true; /* no slot of the next */
	m.used[1] = 0;
}

static void begin(struct input *in)
{
	memset(&m, 0, sizeof(m));
	m.max_retired = 1 + take_below(in, 64);
	for (int i = 0; i < ITEMS; i++)
		m.items[i].child = NONE;
	for (int i = 0; i < HOLDERS; i++) {
		m.holders[i].item = m.holders[i].place = NONE;
		if (i % 2)
			m.holders[i].guard.rest = &m.holders[i].rest;
	}
	for (int i = 0; i < CONTEXTS; i++)
		m.user[i] = NONE;
	m.context[0] = m.context[1] = NONE;
	make_domain(0);
	make_domain(1);
}

/* Let everything go, and nothing is left. */
static void end(struct input *in, int thread)
{
	leave_thread(in, thread);
	for (int i = 0; i < GUARDS; i++) {
		hazptr_release(&m.holders[i].guard);
		keeps(&m.holders[i], NONE, thread);
	}
	for (int i = 0; i < CONTEXTS; i++)
		if (m.is_context[i]) {
			hazptr_context_cleanup(&m.contexts[i]);
			forget_place(2 + i);
		}
	for (int i = 0; i < ITEMS; i++)
		if (m.items[i].state == OURS || m.items[i].state == PUBLISHED)
			retire(i, i % POOLS, i % 3);
	destroy_domain(0);
	destroy_domain(1);
	for (int i = 0; i < ITEMS; i++)
		must(m.items[i].state == GONE);
	must(!m.in_use);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct step s = { end, &in, 0 };
	unsigned threads = 0;

	begin(&in);
	while (has_more(&in)) {
		unsigned what = take(&in);

		s.thread = what & 0x80 && threads < 64;
		threads += s.thread;
		what &= 0x7f;
		if (what == 0x7f) {
			end_second();
			continue;
		}
		s.call = calls[what % FUZZ_COUNT(calls)];
		if (s.thread)
			actor_do(run_step, &s);
		else
			run_step(&s);
		check_all();
	}
	if (actor.runs)
		end_second();
	s = (struct step){ end, &in, 0 };
	run_step(&s);
	return 0;
}
