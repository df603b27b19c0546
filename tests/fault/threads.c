/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/threads.c - threads come, go, and forget things
 *
 * Findings: a fixed number of threads, and memory that grows with each one
 * that ever lived (CDRC, crossbeam); retire during the destruction of
 * thread-local data, which crashed (folly); a guard that nobody releases.
 */
#include "fault.h"

#include <limits.h> /* PTHREAD_DESTRUCTOR_ITERATIONS */
#include <string.h>

/* Each brings at most one record into use; a chunk of them is the unit. */
static uint64_t slots(void)
{
	return domain_stats(NULL).slots;
}

static void *one_life(void *arg)
{
	struct thing *const *source = arg;
	struct hazptr_guard g[10];
	int i;

	memset(g, 0, sizeof(g));
	for (i = 0; i < 10; i++)
		thing_protect(&g[i], source);
	for (i = 0; i < 5; i++)
		thing_retire(NULL, thing_new(0));
	for (i = 0; i < 10; i++)
		hazptr_release(&g[i]);
	return NULL;
}

static void thousand_threads_come_and_go(void)
{
	struct thing *source = thing_new(0);
	unsigned n, total = fault_scaled(1000);
	uint64_t before;

	for (n = 0; n < 3; n++)
		join(spawn(one_life, &source));
	before = slots();
	for (n = 0; n < total; n++)
		join(spawn(one_life, &source));
	CHECK_EQ(slots(), before);
	thing_retire(NULL, source);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(domain_stats(NULL).pending, 0);
}

static pthread_barrier_t together;

static void *one_life_together(void *arg)
{
	one_life(arg);
	pthread_barrier_wait(&together);
	one_life(arg);
	pthread_barrier_wait(&together);
	return NULL;
}

static void one_wave(unsigned n, struct thing **source)
{
	pthread_t threads[200];
	unsigned i;

	CHECK_EQ(pthread_barrier_init(&together, NULL, n), 0);
	for (i = 0; i < n; i++)
		threads[i] = spawn(one_life_together, source);
	for (i = 0; i < n; i++)
		join(threads[i]);
	pthread_barrier_destroy(&together);
}

static void two_hundred_threads_at_once(void)
{
	struct thing *source = thing_new(0);
	unsigned n = 20 + fault_scaled(180), wave;
	uint64_t before;

	one_wave(n, &source);
	before = slots();
	CHECK(before >= (uint64_t)n * HAZPTR_CONTEXT_SLOTS);
	for (wave = 0; wave < 4; wave++)
		one_wave(n, &source);
	CHECK_EQ(slots(), before);
	thing_retire(NULL, source);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
}

struct held {
	struct thing *t;
	struct hazptr_guard *g;
	int fillers;
	bool detach;
	bool was_detached;
};

/* Ends with its guard, in a slot or embedded, still held. */
static void *end_with_guard(void *arg)
{
	struct held *h = arg;
	static struct hazptr_guard filler[HAZPTR_CONTEXT_SLOTS];
	struct thing *source = thing_new(7);
	int i;

	for (i = 0; i < h->fillers; i++)
		thing_protect(&filler[i], &source);
	if (h->was_detached) {
		thing_protect(h->g, &source);
		hazptr_detach(h->g);
		hazptr_release(h->g);
	}
	h->t = thing_guarded(h->g, 1);
	if (h->detach)
		hazptr_detach(h->g);
	for (i = 0; i < h->fillers; i++)
		hazptr_release(&filler[i]);
	thing_destroy(source);
	return NULL;
}

static void guard_left_behind(int fillers, bool was_detached)
{
	struct hazptr_guard *g = calloc(1, sizeof(*g));
	struct held h = { .g = g, .fillers = fillers,
			  .was_detached = was_detached };

	CHECK(g);
	join(spawn(end_with_guard, &h));
	free(g); /* as a stack would be */
	thing_retire(NULL, h.t);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
}

static void guard_in_a_slot_left_behind(void)
{
	guard_left_behind(0, false);
}

static void embedded_guard_left_behind(void)
{
	guard_left_behind(HAZPTR_CONTEXT_SLOTS, false);
}

/* That the slot was detached once, and given back, makes no difference. */
static void guard_in_a_once_detached_slot_left_behind(void)
{
	guard_left_behind(0, true);
}

static void guard_detached(int fillers)
{
	struct hazptr_domain *d = domain_new(HAZPTR_RECLAIM_MANUAL, 0, 0);
	struct hazptr_guard *g = calloc(1, sizeof(*g));
	struct held h = { .g = g, .fillers = fillers, .detach = true };
	struct thing *source = thing_new(0);
	int i;

	CHECK(g);
	join(spawn(end_with_guard, &h));
	thing_retire(d, h.t);
	CHECK_EQ(hazptr_flush(d), 0);
	thing_check(h.t);
	/* Nobody may get the context, and with it the slot, meanwhile. */
	for (i = 0; i < 100; i++)
		join(spawn(one_life, &source));
	CHECK_EQ(hazptr_flush(d), 0);
	thing_check(h.t);
	hazptr_release(g);
	CHECK_EQ(hazptr_flush(d), 1);
	free(g);
	thing_destroy(source);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void detached_guard_outlives_its_thread(void)
{
	guard_detached(0);
	guard_detached(HAZPTR_CONTEXT_SLOTS);
}

/* Contexts whose last guard is released elsewhere are used again. */
static void detached_guards_do_not_cost_a_context_each(void)
{
	struct hazptr_guard *g = calloc(1, sizeof(*g));
	struct held h = { .g = g, .detach = true };
	uint64_t before = 0;
	unsigned i;

	CHECK(g);
	for (i = 0; i < 100; i++) {
		join(spawn(end_with_guard, &h));
		thing_retire(NULL, h.t);
		hazptr_release(g);
		if (i == 2)
			before = slots();
	}
	CHECK_EQ(slots(), before);
	free(g);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
}

#define KEYS 3
static pthread_key_t keys[KEYS];
static int in_destructors;

struct late {
	int key;
	unsigned rounds;
	struct hazptr_guard g;
	struct thing *t;
};

static void use_again(void)
{
	struct hazptr_guard g[10];
	struct thing *source = thing_new(0);
	int i;

	memset(g, 0, sizeof(g));
	for (i = 0; i < 10; i++)
		thing_protect(&g[i], &source);
	for (i = 0; i < 10; i++)
		hazptr_release(&g[i]);
	thing_retire(NULL, source);
	hazptr_flush(NULL);
	__atomic_fetch_add(&in_destructors, 1, __ATOMIC_ACQ_REL);
}

/* Uses the library in each round that there is, whoever is called first. */
static void use_in_destructor(void *arg)
{
	struct late *late = arg;

	use_again();
	if (--late->rounds)
		CHECK_EQ(pthread_setspecific(keys[late->key], late), 0);
	else
		free(late);
}

static void set_keys(unsigned rounds)
{
	int i;

	for (i = 0; i < KEYS; i++) {
		struct late *late = calloc(1, sizeof(*late));

		CHECK(late);
		late->key = i;
		late->rounds = rounds;
		CHECK_EQ(pthread_setspecific(keys[i], late), 0);
	}
}

static void *die_noisily(void *rounds)
{
	set_keys(*(unsigned *)rounds);
	thing_retire(NULL, thing_new(1));
	return NULL;
}

/* Had not met the library before its destructors ran. */
static void *die_a_newcomer(void *rounds)
{
	set_keys(*(unsigned *)rounds);
	return NULL;
}

static void make_keys(void (*destructor)(void *), int before_the_library)
{
	int i;

	for (i = 0; i < KEYS; i++) {
		if (i == before_the_library)
			thing_retire(NULL, thing_new(0));
		CHECK_EQ(pthread_key_create(&keys[i], destructor), 0);
	}
}

static void retire_in_rounds(unsigned rounds, int before_the_library)
{
	unsigned i, n = fault_scaled(200) + 10;
	uint64_t before = 0;

	make_keys(use_in_destructor, before_the_library);
	for (i = 0; i < n; i++) {
		join(spawn(die_noisily, &rounds));
		join(spawn(die_a_newcomer, &rounds));
		if (i == 4)
			before = slots();
	}
	CHECK_EQ(in_destructors, (int)(n * 2 * KEYS * rounds));
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
	/* A few may wait until the kernel has forgotten their threads. */
	CHECK(slots() <= before + 8 * HAZPTR_CONTEXT_SLOTS);
}

static void retire_in_destructors_before_the_librarys(void)
{
	retire_in_rounds(1, KEYS);
}

static void retire_in_destructors_after_the_librarys(void)
{
	retire_in_rounds(1, 0);
}

static void retire_in_destructors_of_two_rounds(void)
{
	retire_in_rounds(2, 1);
}

/* After the last round nobody calls the library any more. */
static void retire_in_destructors_of_the_last_round(void)
{
	if (fault_is_tsan())
		fault_skip("this sanitizer forgets the thread in that round");
	retire_in_rounds(PTHREAD_DESTRUCTOR_ITERATIONS, 1);
}

static void release_in_destructor(void *arg)
{
	struct late *late = arg;

	thing_check(late->t);
	hazptr_release(&late->g);
	thing_retire(NULL, late->t);
	free(late);
}

static void *hold_until_destructor(void *unused)
{
	struct late *late = calloc(1, sizeof(*late));

	(void)unused;
	CHECK(late);
	late->t = thing_guarded(&late->g, 0);
	CHECK_EQ(pthread_setspecific(keys[0], late), 0);
	return NULL;
}

/* The thread's own destructors may release what it holds: no complaint. */
static void guard_released_in_destructor(int before_the_library)
{
	int i;

	make_keys(release_in_destructor, before_the_library);
	for (i = 0; i < 10; i++)
		join(spawn(hold_until_destructor, NULL));
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
}

static void guard_released_in_destructor_before_the_librarys(void)
{
	guard_released_in_destructor(KEYS);
}

static void guard_released_in_destructor_after_the_librarys(void)
{
	guard_released_in_destructor(0);
}

static const struct fault_case cases[] = {
	{ "thousand_threads_come_and_go", thousand_threads_come_and_go,
	  .fences = FENCE_ALL },
	{ "two_hundred_threads_at_once", two_hundred_threads_at_once,
	  .fences = FENCE_DEFAULT },
	{ "guard_in_a_slot_left_behind", guard_in_a_slot_left_behind,
	  .fences = FENCE_ALL, .says = "guard" },
	{ "embedded_guard_left_behind", embedded_guard_left_behind,
	  .fences = FENCE_ALL, .says = "guard" },
	{ "guard_in_a_once_detached_slot_left_behind",
	  guard_in_a_once_detached_slot_left_behind,
	  .fences = FENCE_ALL, .says = "guard" },
	{ "detached_guard_outlives_its_thread",
	  detached_guard_outlives_its_thread, .fences = FENCE_ALL },
	{ "detached_guards_do_not_cost_a_context_each",
	  detached_guards_do_not_cost_a_context_each,
	  .fences = FENCE_DEFAULT },
	{ "retire_in_destructors_before_the_librarys",
	  retire_in_destructors_before_the_librarys,
	  .fences = FENCE_DEFAULT },
	{ "retire_in_destructors_after_the_librarys",
	  retire_in_destructors_after_the_librarys,
	  .fences = FENCE_DEFAULT },
	{ "retire_in_destructors_of_two_rounds",
	  retire_in_destructors_of_two_rounds, .fences = FENCE_DEFAULT },
	{ "retire_in_destructors_of_the_last_round",
	  retire_in_destructors_of_the_last_round, .fences = FENCE_DEFAULT },
	{ "guard_released_in_destructor_before_the_librarys",
	  guard_released_in_destructor_before_the_librarys,
	  .fences = FENCE_DEFAULT },
	{ "guard_released_in_destructor_after_the_librarys",
	  guard_released_in_destructor_after_the_librarys,
	  .fences = FENCE_DEFAULT },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
