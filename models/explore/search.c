/* SPDX-License-Identifier: MIT */
/*
 * explore/search.c - all runs, depth first, and none twice
 *
 * A node is a step of a run: which thread made it, and which of the stores it
 * might have read. After a run the last node with something left is changed,
 * and the program runs from the beginning again, along the same nodes up to
 * there. What is left at a node is what race.c has put there: threads whose
 * later step could have come first with another result. Threads sleep in a
 * node when all that begins with them has been seen from an earlier one.
 *
 * Sources: Flanagan, Godefroid, "Dynamic Partial-Order Reduction for Model
 * Checking Software", 2005; sleep sets: Godefroid, 1996; bound on preemptions:
 * Musuvathi, Qadeer, "Iterative Context Bounding", 2007.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES 20000
#define RACES (8 * EX_MAX)

struct node {
	uint16_t enabled, sleep, done, todo;
	uint8_t tid, before; /* who ran before; EX_MAX: nobody */
	uint8_t choice, choices;
	uint16_t cost;		/* of the run up to here */
	uint16_t block;		/* the node where `before` began to run */
	uint32_t clock;		/* which step of its thread it was */
	struct trace_clock dep; /* and what it follows */
};

struct options options = { .bound = -1 };
struct search search;

static struct node nodes[NODES];
static int depth;	/* nodes of this run so far */
static int followed;	/* so many are given */
static int replayed;	/* by --replay */
static unsigned asleep; /* who sleeps behind the last node */
static uint64_t seed;
static double begun;
static int races[RACES]; /* of the step that is being made */
static int n_races;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % n);
}

int search_depth(void)
{
	return ex.phase == TOGETHER ? depth - 1 : -1;
}

void search_begin(void)
{
	if (begun == 0)
		begun = seconds();
	depth = 0;
	asleep = 0;
	n_races = 0;
	seed = (options.seed + search.runs + 1) * 0x9E3779B97F4A7C15u;
}

static bool is_yielding(int tid)
{
	return ex.threads[tid].pending.kind == EX_BACKOFF ||
	       ex.threads[tid].pending.kind == EX_TIMEOUT;
}

/* Does it cost a preemption when tid goes on here? */
static bool is_preemption(const struct node *n, int tid)
{
	return n->before != EX_MAX && tid != n->before &&
	       (n->enabled & BIT(n->before)) && !is_yielding(n->before);
}

static int first_of(unsigned mask)
{
	return __builtin_ctz(mask);
}

/* Who was running goes on, else the first. */
static int preferred(const struct node *n, unsigned awake)
{
	if (options.random) {
		int k = (int)dice((unsigned)__builtin_popcount(awake));

		if ((awake & BIT(n->before)) && dice(4))
			return n->before;
		while (k--)
			awake &= awake - 1;
	} else if (n->before != EX_MAX && (awake & BIT(n->before)) &&
		   !is_yielding(n->before)) {
		return n->before;
	}
	return first_of(awake);
}

static void node_begin(struct node *n, unsigned enabled)
{
	const struct node *p = depth ? n - 1 : NULL;

	memset(n, 0, sizeof(*n));
	n->enabled = (uint16_t)enabled;
	n->before = p ? p->tid : EX_MAX;
	if (p) {
		n->cost = p->cost + is_preemption(p, p->tid) + (p->choice != 0);
		n->block = p->tid == p->before ? p->block
					       : (uint16_t)(depth - 1);
	}
}

/* Which of the enabled threads makes the next step. -1: none need be tried. */
int search_pick(unsigned enabled)
{
	struct node *n = &nodes[depth];
	unsigned awake;

	if (depth == NODES - 1)
		return -1;
	if (depth < followed || depth < replayed) {
		if (depth < replayed)
			n->enabled = (uint16_t)enabled;
		if (n->enabled != enabled || !(enabled & BIT(n->tid))) {
			if (options.replaying)
				fail("the schedule does not fit the client");
			fail("the run is not the same a second time");
		}
		depth++;
		return n->tid;
	}
	node_begin(n, enabled);
	n->sleep = (uint16_t)(options.random || options.all ? 0 : asleep);
	if (options.all)
		n->todo = (uint16_t)enabled;
	awake = enabled & ~(unsigned)n->sleep;
	if (!awake)
		return -1;
	n->tid = (uint8_t)preferred(n, awake);
	depth++;
	return n->tid;
}

/* One of n stores, 0 the newest. */
unsigned search_choose(unsigned n)
{
	struct node *node = &nodes[depth - 1];

	if (ex.phase != TOGETHER || n <= 1)
		return 0;
	if (n > 255)
		n = 255;
	node->choices = (uint8_t)n;
	if (options.random && !options.replaying)
		node->choice = (uint8_t)(dice(3) ? 0 : dice(n));
	if (node->choice >= n)
		fail("the run is not the same a second time");
	return node->choice;
}

static bool is_write(enum ex_kind kind)
{
	return kind >= EX_STORE && kind <= EX_CAS;
}

static bool is_sc_step(const struct op *op)
{
	return op->is_sc || op->kind == EX_INJECT;
}

static bool is_fence(const struct op *op)
{
	return op->kind == EX_INJECT ||
	       ((op->kind == EX_FENCE || op->kind == EX_HEAVY) && op->is_sc);
}

/* On the same word: is p, then e, at least as good as e, then p? */
static bool covers(const struct op *p, const struct op *e)
{
	if (p->is_sc && e->is_sc)
		return false;
	switch (p->kind) {
	case EX_LOAD:
		return !is_write(e->kind);
	case EX_STORE:
		return e->kind == EX_LOAD || e->kind == EX_STORE;
	case EX_LOCK:
	case EX_UNLOCK:
		return p->kind == EX_UNLOCK;
	case EX_WAIT:
	case EX_TIMEOUT:
		return e->kind == EX_LOAD;
	case EX_WAKE:
		return e->kind != EX_WAIT && e->kind != EX_TIMEOUT;
	default:
		return e->kind == EX_LOAD;
	}
}

/* p, which sleeps, is covered still when another thread has made step e. */
static bool stays_asleep(int tid, const struct op *p, int other,
			 const struct op *e)
{
	if (p->kind == EX_GO)
		return true;
	if (p->kind == EX_BACKOFF)
		return !is_write(e->kind) && e->kind != EX_UNLOCK;
	if (e->kind == EX_INJECT && e->target == tid)
		return false;
	if (p->kind == EX_INJECT && p->target == other)
		return false;
	if ((is_fence(p) && is_sc_step(e)) || (is_fence(e) && is_sc_step(p)))
		return false;
	return p->addr != e->addr || !p->addr || covers(p, e);
}

static bool follows(const struct trace_clock *dep, const struct node *n)
{
	return dep->at[n->tid] >= n->clock;
}

/*
 * Who could begin a run in which the running thread's step comes before that
 * of node e: all steps behind e that do not follow it, then ours. Of these the
 * first of each thread that follows none of the others.
 */
static unsigned beginners(int e)
{
	const struct node *first = &nodes[e], *end = &nodes[depth - 1];
	unsigned met = 0, found = 0;
	const struct node *n, *k;

	for (n = first + 1; n <= end; n++) {
		if ((met & BIT(n->tid)) || (n < end && follows(&n->dep, first)))
			continue;
		met |= BIT(n->tid);
		for (k = first + 1; k < n; k++)
			if (!follows(&k->dep, first) && follows(&n->dep, k))
				break;
		if (k == n)
			found |= BIT(n->tid);
	}
	return found;
}

static void put_down(struct node *n, unsigned threads)
{
	unsigned enabled = threads & n->enabled;

	if (enabled & (n->todo | n->done | n->sleep | BIT(n->tid)))
		return;
	n->todo |= enabled ? enabled & -enabled : n->enabled;
}

/* The step should have come before that one: done when it is over. */
void backtrack(struct last earlier)
{
	if (earlier.node >= 0 && n_races < RACES)
		races[n_races++] = earlier.node;
}

static void reverse_races(void)
{
	while (n_races) {
		struct node *n = &nodes[races[--n_races]];
		unsigned threads = beginners(races[n_races]);

		put_down(n, threads);
		if (options.bound >= 0) /* where its thread began: cheaper */
			put_down(&nodes[n->block], threads);
	}
}

/* The step is done: who goes on sleeping? */
void search_performed(const struct op *op)
{
	struct node *n = &nodes[depth - 1];
	unsigned before = (n->sleep | n->done) & ~BIT(n->tid);
	int tid;

	if (ex.phase != TOGETHER)
		return;
	n->clock = SELF->dep.at[ex.self];
	n->dep = SELF->dep;
	reverse_races();
	asleep = 0;
	for (tid = 0; tid < EX_MAX; tid++)
		if ((before & BIT(tid)) &&
		    stays_asleep(tid, &ex.threads[tid].pending, n->tid, op))
			asleep |= BIT(tid);
}

/* The last step should have been that thread's. */
void backtrack_to(int tid)
{
	struct node *n = &nodes[depth - 1];

	if (ex.phase == TOGETHER)
		n->todo |= BIT(tid) & n->enabled;
}

static bool within_bound(const struct node *n, int tid, unsigned choice)
{
	return options.bound < 0 ||
	       n->cost + is_preemption(n, tid) + (choice != 0) <= options.bound;
}

/* Another store for the same thread, or another thread. */
static bool change(struct node *n)
{
	unsigned left;

	if (n->choice + 1 < n->choices) {
		if (within_bound(n, n->tid, 1)) {
			n->choice++;
			return true;
		}
		search.cut++;
	}
	n->done |= BIT(n->tid);
	n->choice = n->choices = 0;
	left = n->todo & ~(n->done | n->sleep) & n->enabled;
	while (left) {
		int tid = first_of(left);

		left &= left - 1;
		if (within_bound(n, tid, 0)) {
			n->tid = (uint8_t)tid;
			return true;
		}
		search.cut++;
		n->done |= BIT(tid);
	}
	return false;
}

bool search_next(void)
{
	search.runs++;
	if ((uint64_t)depth > search.deepest)
		search.deepest = (uint64_t)depth;
	if (options.replaying)
		return false;
	if (options.limit > 0 && (search.runs & 63) == 0 &&
	    seconds() - begun > options.limit)
		return false;
	if (options.random)
		return search.runs < options.random;
	while (depth && !change(&nodes[depth - 1]))
		depth--;
	followed = depth;
	search.is_finished = !depth;
	return depth > 0;
}

/* "a3b2=1c": thread a, three steps; b, two, the second with store 1; c. */
void search_replay(const char *text)
{
	options.replaying = true;
	while (*text) {
		struct node *n = &nodes[replayed];
		unsigned long times = 1;
		char *end;

		if (*text < 'a' || *text >= 'a' + EX_MAX)
			break;
		n->tid = (uint8_t)(*text++ - 'a');
		if (*text >= '0' && *text <= '9') {
			times = strtoul(text, &end, 10);
			text = end;
		}
		while (times-- && replayed < NODES - 1) {
			nodes[replayed].tid = n->tid;
			nodes[replayed++].choice = 0;
		}
		if (*text == '=') {
			nodes[replayed - 1].choice =
				(uint8_t)strtoul(text + 1, &end, 10);
			text = end;
		}
	}
}

int search_print(char *text, size_t size)
{
	size_t used = 0;
	int i = 0, k;

	while (i < depth && used + 16 < size) {
		for (k = i; k + 1 < depth && nodes[k + 1].tid == nodes[i].tid &&
			    !nodes[k].choice;)
			k++;
		used += (size_t)snprintf(text + used, size - used, "%c%d",
					 'a' + nodes[i].tid, k - i + 1);
		if (nodes[k].choice)
			used += (size_t)snprintf(text + used, size - used,
						 "=%d", nodes[k].choice);
		i = k + 1;
	}
	text[used] = '\0';
	return depth;
}
