/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/references.c - shared, weak, sync and thread-shared pointers
 *
 * The model counts what each node has. The library's thread ends nodes when it
 * likes, so between two barriers a node without references may have ended or
 * not; one with a reference, or a guard, must not; and behind a barrier all of
 * them have, once.
 */
#include "actor.h"

#include <hazptr/hazptr.h>

#include <string.h>

enum { NODES = 16, SHARED = 8, SYNC = 3, WEAK = 4, THREAD = 24, GUARDS = 4 };
enum { NONE = -1 };

enum kind { PLAIN, FREED, COUNT_FIRST, EXPIRES, KINDS };

struct thing { /* the object itself */
	struct hazptr_weak_node node;
	int index;
	struct hazptr_shared next; /* dropped at its end */
};

struct node {
	struct thing *thing; /* NULL: there is none */
	enum kind kind;
	unsigned counted; /* in shared and sync pointers, and in others' next */
	unsigned maybe;	  /* in the next of one that may have ended */
	unsigned threads; /* in thread-shared pointers */
	unsigned weak;
	bool has_dropped; /* its last counted reference, at some time */
	bool has_left;	  /* its next */
	int next;
	unsigned expired, released; /* atomic */
};

static struct {
	struct node nodes[NODES];
	struct hazptr_shared shared[SHARED];
	struct hazptr_sync_shared sync[SYNC];
	struct hazptr_weak weak[WEAK];
	struct hazptr_thread_shared thread[THREAD];
	struct hazptr_guard guard[GUARDS];
	int guarded[GUARDS];
} m;

static void *to_free[NODES]; /* by the library; atomic */

void __real_free(void *p);
void __wrap_free(void *p);

/* ---- the end of a node ---- */

static void end_step(unsigned *step)
{
	must(__atomic_fetch_add(step, 1, __ATOMIC_RELEASE) == 0);
}

static void expire(struct hazptr_shared_node *node)
{
	struct thing *t = (struct thing *)(void *)node;

	hazptr_shared_drop(&t->next);
	end_step(&m.nodes[t->index].expired);
}

static void release(struct hazptr_shared_node *node)
{
	struct thing *t = (struct thing *)(void *)node;

	hazptr_shared_drop(&t->next);
	end_step(&m.nodes[t->index].released);
	memset(t, 0x5a, sizeof(*t));
	__real_free(t);
}

/* What the library frees by itself is seen here. */
void __wrap_free(void *p)
{
	void *seen;

	for (int i = 0; p && i < NODES; i++) {
		seen = p;
		if (__atomic_compare_exchange_n(&to_free[i], &seen, NULL, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			end_step(&m.nodes[i].released);
	}
	__real_free(p);
}

static unsigned read_step(const unsigned *step)
{
	return __atomic_load_n(step, __ATOMIC_ACQUIRE);
}

/* ---- the model ---- */

static int index_of(const struct hazptr_shared_node *node)
{
	return node ? ((const struct thing *)(const void *)node)->index : NONE;
}

static bool is_guarded(int i)
{
	for (int k = 0; k < GUARDS; k++)
		if (m.guarded[k] == i)
			return true;
	return false;
}

static bool has_guards(void)
{
	for (int k = 0; k < GUARDS; k++)
		if (m.guarded[k] != NONE)
			return true;
	return false;
}

static bool is_alive(const struct node *n)
{
	return n->counted || n->threads;
}

/* Nobody has it: what it had in `next`, nobody may have either. */
static void look_at_end(int i)
{
	struct node *n = &m.nodes[i];
	bool ends = n->kind == EXPIRES || !n->weak;

	n->has_dropped |= !n->counted;
	if (is_alive(n) || !ends || n->next == NONE || n->has_left)
		return;
	n->has_left = true;
	m.nodes[n->next].counted--;
	m.nodes[n->next].maybe++;
	look_at_end(n->next);
}

static void gets(const struct hazptr_shared_node *node)
{
	if (node)
		m.nodes[index_of(node)].counted++;
}

static void loses(int i)
{
	if (i == NONE)
		return;
	m.nodes[i].counted--;
	look_at_end(i);
}

static void check_node(const struct node *n)
{
	bool kept = is_alive(n) || is_guarded((int)(n - m.nodes));

	if (kept)
		must(!read_step(&n->expired));
	if (kept || n->weak)
		must(!read_step(&n->released));
	if (kept)
		must(n->thing->index == n - m.nodes);
}

static void check_ended(struct node *n)
{
	if (n->kind == EXPIRES)
		must(read_step(&n->expired));
	if (n->weak)
		return;
	must(read_step(&n->released));
	n->thing = NULL;
}

static void check_all(void)
{
	for (int i = 0; i < NODES; i++)
		if (m.nodes[i].thing)
			check_node(&m.nodes[i]);
}

/* Everything that nobody has comes to its end. */
static void settle(void)
{
	for (int i = 0; i <= NODES; i++)
		hazptr_barrier(NULL);
	for (int i = 0; i < NODES; i++) {
		m.nodes[i].maybe = 0;
		if (m.nodes[i].thing && !is_alive(&m.nodes[i]))
			check_ended(&m.nodes[i]);
	}
}

/* ---- shared pointers ---- */

static struct hazptr_shared *pick(struct input *in)
{
	return &m.shared[take_below(in, SHARED)];
}

static struct hazptr_sync_shared *pick_sync(struct input *in)
{
	return &m.sync[take_below(in, SYNC)];
}

static void drop(struct hazptr_shared *sp)
{
	int i = index_of(sp->node);

	hazptr_shared_drop(sp);
	must(hazptr_shared_is_null(*sp));
	loses(i);
}

static struct hazptr_shared create(struct thing *t, enum kind kind)
{
	struct hazptr_shared_node *node = &t->node.node;

	switch (kind) {
	case FREED:
		return hazptr_shared_create(node, NULL);
	case COUNT_FIRST:
		return hazptr_shared_create_count_first(node, release);
	case EXPIRES:
		return hazptr_shared_create_weak(&t->node, expire, release);
	default:
		return hazptr_shared_create(node, release);
	}
}

static void call_create(struct input *in, int thread)
{
	struct hazptr_shared *sp = pick(in);
	enum kind kind = take_below(in, KINDS);
	struct thing *t;
	int i = 0;

	(void)thread;
	while (i < NODES && m.nodes[i].thing)
		i++;
	if (i == NODES)
		return;
	t = aligned_alloc(16, (sizeof(*t) + 15) / 16 * 16);
	must(t);
	memset(t, 0, sizeof(*t));
	t->index = i;
	drop(sp);
	m.nodes[i] = (struct node){ .kind = kind, .counted = 1, .next = NONE };
	m.nodes[i].thing = t;
	__atomic_store_n(&to_free[i], kind == FREED ? t : NULL,
			 __ATOMIC_RELEASE);
	*sp = create(t, kind);
	must(sp->node == &t->node.node);
}

static void call_copy(struct input *in, int thread)
{
	struct hazptr_shared *to = pick(in), *from = pick(in), sp;

	(void)thread;
	sp = hazptr_shared_copy(*from);
	must(sp.node == from->node);
	gets(sp.node);
	drop(to);
	*to = sp;
}

static void call_drop(struct input *in, int thread)
{
	(void)thread;
	drop(pick(in));
}

/* The release is done when nobody else can have had the node's last one. */
static void check_sync(int i)
{
	const struct node *n;
	bool was_last;

	if (i == NONE)
		return;
	n = &m.nodes[i];
	was_last = !n->has_dropped && !n->maybe;
	loses(i);
	if (is_alive(n) || !was_last)
		return;
	must(n->kind != EXPIRES || read_step(&n->expired));
	must(n->weak || read_step(&n->released));
}

static void call_drop_sync(struct input *in, int thread)
{
	struct hazptr_shared *sp = pick(in);
	int i = index_of(sp->node);

	(void)thread;
	if (i != NONE && is_guarded(i))
		return;
	hazptr_shared_drop_sync(sp);
	check_sync(i);
}

/* Is @i in the chain that begins at @from? */
static bool leads_to(int from, int i)
{
	for (; from != NONE; from = m.nodes[from].next)
		if (from == i)
			return true;
	return false;
}

static void call_link(struct input *in, int thread)
{
	struct hazptr_shared *owner = pick(in), *sp = pick(in);
	int i = index_of(owner->node), next = index_of(sp->node);

	(void)thread;
	if (i == NONE || next == NONE || m.nodes[i].next != NONE ||
	    m.nodes[i].kind == FREED || leads_to(next, i))
		return;
	m.nodes[i].thing->next = *sp;
	m.nodes[i].next = next;
	sp->node = NULL;
}

/* ---- sync pointers ---- */

static void call_load(struct input *in, int thread)
{
	struct hazptr_shared *to = pick(in), sp;
	struct hazptr_sync_shared *ssp = pick_sync(in);

	(void)thread;
	sp = hazptr_sync_shared_load(ssp);
	must(sp.node == ssp->node);
	gets(sp.node);
	drop(to);
	*to = sp;
}

static void call_store(struct input *in, int thread)
{
	struct hazptr_sync_shared *ssp = pick_sync(in);
	struct hazptr_shared *sp = pick(in);
	struct hazptr_shared_node *node = sp->node;
	int before = index_of(ssp->node);

	(void)thread;
	if (take(in) & 1) {
		hazptr_sync_shared_store_copy(ssp, *sp);
		gets(node);
	} else {
		hazptr_sync_shared_store(ssp, sp);
		must(!sp->node);
	}
	must(ssp->node == node);
	loses(before);
}

static void call_exchange(struct input *in, int thread)
{
	struct hazptr_sync_shared *ssp = pick_sync(in);
	struct hazptr_shared *sp = pick(in), old;
	struct hazptr_shared_node *node = sp->node, *before = ssp->node;

	(void)thread;
	old = hazptr_sync_shared_exchange(ssp, sp);
	must(old.node == before && ssp->node == node && !sp->node);
	*sp = old;
}

static void call_compare(struct input *in, int thread)
{
	struct hazptr_sync_shared *ssp = pick_sync(in);
	struct hazptr_shared *expected = pick(in), *desired = pick(in);
	struct hazptr_shared_node *node = desired->node;
	int before = index_of(ssp->node);
	bool same = ssp->node == expected->node;
	struct hazptr_shared was = *expected;

	(void)thread;
	if (desired == expected)
		return;
	must(hazptr_sync_shared_compare_exchange(ssp, *expected, desired) ==
	     same);
	must(expected->node == was.node);
	must(desired->node == (same ? NULL : node));
	if (same) {
		must(ssp->node == node);
		loses(before);
	}
}

static void call_clear(struct input *in, int thread)
{
	struct hazptr_sync_shared *ssp = pick_sync(in);
	int i = index_of(ssp->node);

	(void)thread;
	if (take(in) & 1 && (i == NONE || !is_guarded(i))) {
		hazptr_sync_shared_drop_sync(ssp);
		check_sync(i);
	} else {
		hazptr_sync_shared_drop(ssp);
		loses(i);
	}
	must(!ssp->node);
}

/* A guard on what a sync pointer leads to. */
static void call_guard(struct input *in, int thread)
{
	int k = (int)take_below(in, GUARDS / 2) * 2 + thread;
	struct hazptr_sync_shared *ssp = pick_sync(in);

	if (take(in) & 1) {
		must(hazptr_protect(&m.guard[k], &ssp->node) == ssp->node);
		m.guarded[k] = index_of(ssp->node);
	} else {
		hazptr_release(&m.guard[k]);
		m.guarded[k] = NONE;
	}
}

/* ---- weak pointers ---- */

static void drop_weak(struct hazptr_weak *w)
{
	int i = index_of(w->node);

	hazptr_weak_drop(w);
	must(!w->node);
	if (i == NONE)
		return;
	m.nodes[i].weak--;
	look_at_end(i);
}

static void call_weak(struct input *in, int thread)
{
	struct hazptr_weak *to = &m.weak[take_below(in, WEAK)], w;
	unsigned how = take(in);

	(void)thread;
	if (how & 1)
		w = hazptr_weak_create(m.shared[how / 2 % SHARED]);
	else
		w = hazptr_weak_copy(m.weak[how / 2 % WEAK]);
	if (w.node)
		m.nodes[index_of(w.node)].weak++;
	drop_weak(to);
	*to = w;
}

static void call_weak_drop(struct input *in, int thread)
{
	(void)thread;
	drop_weak(&m.weak[take_below(in, WEAK)]);
}

static void call_lock(struct input *in, int thread)
{
	struct hazptr_weak *w = &m.weak[take_below(in, WEAK)];
	struct hazptr_shared *to = pick(in), sp;
	const struct node *n = w->node ? &m.nodes[index_of(w->node)] : NULL;

	(void)thread;
	sp = hazptr_weak_lock(*w);
	must(!sp.node || sp.node == w->node);
	if (n && n->counted)
		must(sp.node);
	if (n && !is_alive(n) && !n->maybe)
		must(!sp.node);
	gets(sp.node);
	drop(to);
	*to = sp;
}

/* ---- thread-shared pointers ---- */

static struct hazptr_thread_shared *pick_own(struct input *in, int thread)
{
	return &m.thread[take_below(in, THREAD / 2) * 2 + (unsigned)thread];
}

static void drop_own(struct hazptr_thread_shared *ts)
{
	int i = index_of(hazptr_thread_shared_get(ts));

	hazptr_thread_shared_drop(ts);
	must(!hazptr_thread_shared_get(ts));
	if (i == NONE)
		return;
	m.nodes[i].threads--;
	look_at_end(i);
}

static void call_thread_load(struct input *in, int thread)
{
	struct hazptr_thread_shared *ts = pick_own(in, thread);
	unsigned how = take(in);
	struct hazptr_shared_node *wanted, *node;

	drop_own(ts);
	if (how & 1) {
		wanted = m.sync[how / 2 % SYNC].node;
		node = hazptr_thread_shared_load(ts, &m.sync[how / 2 % SYNC]);
	} else {
		wanted = m.shared[how / 2 % SHARED].node;
		node = hazptr_thread_shared_borrow(ts,
						   m.shared[how / 2 % SHARED]);
	}
	must(node == wanted && hazptr_thread_shared_get(ts) == wanted);
	if (node)
		m.nodes[index_of(node)].threads++;
}

static void call_thread_drop(struct input *in, int thread)
{
	drop_own(pick_own(in, thread));
}

static void call_to_shared(struct input *in, int thread)
{
	struct hazptr_thread_shared *ts = pick_own(in, thread);
	struct hazptr_shared *to = pick(in), sp;

	sp = hazptr_thread_shared_to_shared(ts);
	must(sp.node == hazptr_thread_shared_get(ts));
	gets(sp.node);
	drop(to);
	*to = sp;
}

/* ---- passes ---- */

static void call_settle(struct input *in, int thread)
{
	(void)in;
	(void)thread;
	if (has_guards())
		hazptr_flush(NULL);
	else
		settle();
}

/* ---- the sequence ---- */

typedef void (*call_fn)(struct input *in, int thread);

static const call_fn calls[] = {
	call_create,	call_create,	  call_copy,	    call_drop,
	call_drop,	call_drop_sync,	  call_link,	    call_load,
	call_store,	call_store,	  call_exchange,    call_compare,
	call_clear,	call_guard,	  call_weak,	    call_weak_drop,
	call_lock,	call_thread_load, call_thread_load, call_thread_drop,
	call_to_shared, call_settle,
};

struct step {
	call_fn call;
	struct input *in;
	int thread;
};

static void run_step(void *arg)
{
	struct step *s = arg;

	s->call(s->in, s->thread);
}

static void leave_thread(struct input *in, int thread)
{
	(void)in;
	for (int i = thread; i < THREAD; i += 2)
		drop_own(&m.thread[i]);
	for (int k = thread; k < GUARDS; k += 2) {
		hazptr_release(&m.guard[k]);
		m.guarded[k] = NONE;
	}
}

static void end_second(void)
{
	struct step s = { leave_thread, NULL, 1 };

	actor_do(run_step, &s);
	actor_end();
}

static void begin(struct input *in)
{
	static const unsigned ages[] = { 10, 0, 1 };

	memset(&m, 0, sizeof(m));
	for (int k = 0; k < GUARDS; k++)
		m.guarded[k] = NONE;
	hazptr_thread_shared_set_max_age_ms(ages[take_below(in, 3)]);
}

static void end(struct input *in)
{
	leave_thread(in, 0);
	for (int i = 0; i < SHARED; i++)
		drop(&m.shared[i]);
	for (int i = 0; i < SYNC; i++) {
		int before = index_of(m.sync[i].node);

		hazptr_sync_shared_drop(&m.sync[i]);
		loses(before);
	}
	for (int i = 0; i < WEAK; i++)
		drop_weak(&m.weak[i]);
	settle();
	for (int i = 0; i < NODES; i++)
		must(!m.nodes[i].thing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	unsigned threads = 0;

	begin(&in);
	while (has_more(&in)) {
		unsigned what = take(&in);
		struct step s = { NULL, &in, 0 };

		s.thread = what & 0x80 && threads < 64;
		threads += (unsigned)s.thread;
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
	end(&in);
	return 0;
}
