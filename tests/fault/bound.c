/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/bound.c - one reader sleeps, a million objects are retired
 *
 * Findings: memory that grows without bound while one reader sleeps (every
 * scheme by epochs), or until somebody calls flush (crossbeam). Here what
 * waits for readers stays below the domain's bound plus the slots in use, and
 * the process does not grow.
 */
#include "fault.h"

#include <string.h>

#define RETIREMENTS 1000000u
#define GROWTH_MAX (4l << 20)

struct sleeper {
	unsigned guards;
	struct thing *held[32];
	int ready, wake;
};

static void *sleep_on_guards(void *arg)
{
	struct sleeper *s = arg;
	struct hazptr_guard g[32];
	unsigned i;

	memset(g, 0, sizeof(g));
	for (i = 0; i < s->guards; i++)
		s->held[i] = thing_guarded(&g[i], i);
	__atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&s->wake, __ATOMIC_ACQUIRE))
		nap_ms(20);
	for (i = 0; i < s->guards; i++) {
		thing_check(s->held[i]);
		hazptr_release(&g[i]);
	}
	return NULL;
}

static long resident_bytes(void)
{
	long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f);
	CHECK_EQ(fscanf(f, "%ld %ld", &all, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* How the objects are retired, and what can be counted of them. */
struct scene {
	enum hazptr_reclaim policy;
	size_t max_retired;
	bool plain_free;
	unsigned guards;
	bool figure_only;
};

static void retire_one(const struct scene *s, struct hazptr_domain *d)
{
	struct thing *t;

	if (!s->plain_free) {
		thing_retire(d, thing_new(0));
		return;
	}
	t = malloc(sizeof(*t));
	CHECK(t);
	hazptr_retire_free(d, t, head);
}

/* Then the library's word is not needed. */
static bool counts_alive(const struct scene *s)
{
	return s->policy == HAZPTR_RECLAIM_INLINE && !s->plain_free;
}

/* The figure has a case of its own below; here the least of some is taken. */
static uint64_t waiting(const struct scene *s, struct hazptr_domain *d,
			uint64_t bound)
{
	uint64_t n = 0;
	int tries;

	for (tries = 0; tries < 8; tries++) {
		n = counts_alive(s) ? (uint64_t)alive() :
				      domain_stats(d).waiting;
		if (n <= bound || s->figure_only)
			break;
	}
	return n;
}

static void retire_a_million(const struct scene *s)
{
	/* No other thread is to run functions where what lives is counted. */
	struct hazptr_domain *d = domain_new(s->policy, s->max_retired,
					     counts_alive(s) ? 600000 : 0);
	struct sleeper sleeper = { .guards = s->guards };
	pthread_t reader = spawn(sleep_on_guards, &sleeper);
	unsigned i, n = fault_scaled(RETIREMENTS);
	uint64_t bound, most = 0, now_waiting;
	long before = 0;

	CHECK(wait_for(&sleeper.ready, 1, 60));
	for (i = 0; i < s->guards; i++)
		thing_retire(d, sleeper.held[i]);
	bound = domain_stats(d).max_retired + s->guards;
	for (i = 0; i < n; i++) {
		retire_one(s, d);
		if (i % 16 == 0 || s->max_retired) {
			now_waiting = waiting(s, d, bound);
			most = now_waiting > most ? now_waiting : most;
			CHECK(now_waiting <= bound);
		}
		if (i == n / 10)
			before = resident_bytes();
	}
	before = resident_bytes() - before;
	fprintf(stderr, "bound %llu, most %llu, grown by %ld KiB\n",
		(unsigned long long)bound, (unsigned long long)most,
		before / 1024);
	if (!fault_is_sanitized())
		CHECK(before < GROWTH_MAX);
	__atomic_store_n(&sleeper.wake, 1, __ATOMIC_RELEASE);
	join(reader);
	hazptr_barrier(d);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(domain_stats(d).pending, 0);
	CHECK_EQ(hazptr_domain_destroy(d), 0);
}

static void sleeping_reader_inline(void)
{
	retire_a_million(&(struct scene){
		.policy = HAZPTR_RECLAIM_INLINE,
		.guards = 1,
	});
}

static void sleeping_reader_inline_plain_free(void)
{
	retire_a_million(&(struct scene){
		.policy = HAZPTR_RECLAIM_INLINE,
		.plain_free = true,
		.guards = 1,
	});
}

static void sleeping_reader_background_plain_free(void)
{
	retire_a_million(&(struct scene){
		.policy = HAZPTR_RECLAIM_BACKGROUND,
		.plain_free = true,
		.guards = 1,
	});
}

static void sleeping_reader_background_function(void)
{
	retire_a_million(&(struct scene){
		.policy = HAZPTR_RECLAIM_BACKGROUND,
		.guards = 1,
	});
}

/* "Each figure is exact at some moment", also while functions are counted. */
static void waiting_figure_stays_below_the_bound(void)
{
	retire_a_million(&(struct scene){
		.policy = HAZPTR_RECLAIM_BACKGROUND,
		.guards = 1,
		.figure_only = true,
	});
}

static void small_bound_and_embedded_guards(void)
{
	retire_a_million(&(struct scene){
		.policy = HAZPTR_RECLAIM_INLINE,
		.max_retired = 10,
		.guards = 20,
	});
}

static void bound_of_one(void)
{
	retire_a_million(&(struct scene){
		.policy = HAZPTR_RECLAIM_INLINE,
		.max_retired = 1,
		.guards = 1,
	});
}

static struct hazptr_domain *shared;

static void *retire_many(void *unused)
{
	unsigned i;

	(void)unused;
	for (i = fault_scaled(RETIREMENTS / 4); i; i--) {
		struct thing *t = malloc(sizeof(*t));

		CHECK(t);
		hazptr_retire_free(shared, t, head);
	}
	return NULL;
}

/* Several threads share one bound, whatever lies in their own lists. */
static void several_threads_share_the_bound(void)
{
	struct sleeper sleeper = { .guards = 1 };
	pthread_t reader = spawn(sleep_on_guards, &sleeper), threads[4];
	long before;
	int i;

	shared = domain_new(HAZPTR_RECLAIM_BACKGROUND, 0, 0);
	retire_many(NULL);
	CHECK(wait_for(&sleeper.ready, 1, 60));
	thing_retire(shared, sleeper.held[0]);
	before = resident_bytes();
	for (i = 0; i < 4; i++)
		threads[i] = spawn(retire_many, NULL);
	for (i = 0; i < 4; i++)
		join(threads[i]);
	before = resident_bytes() - before;
	fprintf(stderr, "grown by %ld KiB\n", before / 1024);
	if (!fault_is_sanitized())
		CHECK(before < GROWTH_MAX);
	__atomic_store_n(&sleeper.wake, 1, __ATOMIC_RELEASE);
	join(reader);
	CHECK_EQ(hazptr_domain_destroy(shared), 0);
	CHECK_EQ(alive(), 0);
}

static const struct fault_case cases[] = {
	{ "sleeping_reader_inline", sleeping_reader_inline,
	  .fences = FENCE_DEFAULT },
	{ "sleeping_reader_inline_plain_free",
	  sleeping_reader_inline_plain_free, .fences = FENCE_DEFAULT },
	{ "sleeping_reader_background_plain_free",
	  sleeping_reader_background_plain_free, .fences = FENCE_ALL },
	{ "sleeping_reader_background_function",
	  sleeping_reader_background_function, .fences = FENCE_DEFAULT },
	{ "waiting_figure_stays_below_the_bound",
	  waiting_figure_stays_below_the_bound, .fences = FENCE_DEFAULT },
	{ "small_bound_and_embedded_guards", small_bound_and_embedded_guards,
	  .fences = FENCE_DEFAULT },
	{ "bound_of_one", bound_of_one, .fences = FENCE_DEFAULT },
	{ "several_threads_share_the_bound", several_threads_share_the_bound,
	  .fences = FENCE_DEFAULT },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
