/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/own_scan.c - a thread that scans what it has retired itself
 *
 * It is stopped when it has taken the objects out of its lane, where nobody
 * else finds them, and when it has sifted them. One of them has a reader.
 * Meanwhile others wait for a barrier, end a cohort, flush, or fork.
 */
#include "fault.h"

#define BOUND 400 /* the first lane has room for 300 */
#define MANY 300
#define HELD 200 /* the number of the object that has a reader */

static struct hazptr_domain *domain;
static struct hazptr_cohort cohort;
static struct thing *source;
static struct hazptr_guard guard = HAZPTR_GUARD_INIT;
static int barrier_done;

/* One more than there is room for: the last one finds the lane full. */
static void *retire_many(void *arg)
{
	struct hazptr_cohort *c = arg;
	uint32_t i;

	for (i = 0; i <= MANY; i++) {
		struct thing *t = i == HELD ? source : thing_new(i);

		gate_me = i == MANY;
		if (c)
			hazptr_cohort_retire(c, t, head, thing_reclaim);
		else
			hazptr_retire(domain, t, head, thing_reclaim);
	}
	return NULL;
}

static void *barrier_of(void *arg)
{
	if (arg)
		hazptr_cohort_barrier(arg);
	else
		hazptr_barrier(domain);
	__atomic_store_n(&barrier_done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *destroy_cohort(void *c)
{
	hazptr_cohort_destroy(c);
	__atomic_store_n(&barrier_done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static pthread_t stop_at(const char *point, struct hazptr_cohort *c)
{
	pthread_t retirer;

	domain = domain_new(HAZPTR_RECLAIM_INLINE, BOUND, 60000);
	if (c)
		CHECK_EQ(hazptr_cohort_init(c, domain), 0);
	source = thing_new(HELD);
	thing_protect(&guard, &source);
	gate_arm(point);
	retirer = spawn(retire_many, c);
	gate_wait();
	CHECK(alive() >= MANY);
	return retirer;
}

static bool is_done(void)
{
	return __atomic_load_n(&barrier_done, __ATOMIC_ACQUIRE);
}

/* Waits for the scan, and after that for the reader. */
static void waits(const char *point, struct hazptr_cohort *c,
		  void *(*wait)(void *))
{
	pthread_t retirer = stop_at(point, c), waiter = spawn(wait, c);

	nap_ms(30);
	CHECK(!is_done());
	gate_open();
	join(retirer);
	nap_ms(30);
	CHECK(!is_done());
	thing_check(source);
	hazptr_release(&guard);
	join(waiter);
	CHECK(is_done());
}

static void end(void)
{
	hazptr_barrier(domain);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(reclaimed(), MANY + 1);
	CHECK_EQ(hazptr_domain_destroy(domain), 0);
}

static void barrier_while_it_has_the_list(void)
{
	waits("own:taken", NULL, barrier_of);
	CHECK(reclaimed() >= MANY);
	end();
}

static void barrier_while_it_frees(void)
{
	waits("own:sifted", NULL, barrier_of);
	CHECK(reclaimed() >= MANY);
	end();
}

static void cohort_barrier_while_it_has_the_list(void)
{
	waits("own:taken", &cohort, barrier_of);
	CHECK(reclaimed() >= MANY);
	hazptr_cohort_destroy(&cohort);
	end();
}

/* The retirer has ended by then, but for the object of the reader. */
static void cohort_destroyed_after_it(void)
{
	pthread_t retirer = stop_at("own:taken", &cohort), waiter;

	gate_open();
	join(retirer);
	waiter = spawn(destroy_cohort, &cohort);
	nap_ms(30);
	CHECK(!is_done());
	hazptr_release(&guard);
	join(waiter);
	end();
}

/* Nobody waits for the scan; nothing is freed twice, or lost. */
static void flush_meanwhile(void)
{
	pthread_t retirer = stop_at("own:taken", NULL);
	struct hazptr_stats s;

	CHECK_EQ(hazptr_flush(domain), 0);
	s = domain_stats(domain);
	CHECK_EQ(s.retired, MANY);
	CHECK_EQ(s.reclaimed, 0);
	gate_open();
	join(retirer);
	hazptr_flush(domain);
	CHECK_EQ(alive(), 1);
	thing_check(source);
	hazptr_release(&guard);
	CHECK_EQ(hazptr_flush(domain), 1);
	end();
}

/* The room that the objects take stays taken until they are gone. */
static void bound_meanwhile(void)
{
	pthread_t retirer = stop_at("own:taken", NULL);
	uint32_t i;

	for (i = 0; i < 4 * BOUND; i++) {
		thing_retire(domain, thing_new(i));
		CHECK(alive() <= BOUND + 1);
	}
	gate_open();
	join(retirer);
	hazptr_release(&guard);
	hazptr_barrier(domain);
	CHECK_EQ(alive(), 0);
	CHECK_EQ(hazptr_domain_destroy(domain), 0);
}

static void child_frees_all(const char *point)
{
	pthread_t retirer = stop_at(point, NULL);
	pid_t child = fault_fork();

	if (!child) {
		hazptr_flush(domain);
		CHECK_EQ(alive(), 2); /* the last one was in no list yet */
		thing_check(source);
		hazptr_release(&guard);
		hazptr_barrier(domain);
		CHECK_EQ(alive(), 1);
		_exit(0);
	}
	CHECK(child_ok(child));
	gate_open();
	join(retirer);
	hazptr_release(&guard);
	end();
}

static void fork_while_it_has_the_list(void)
{
	child_frees_all("own:taken");
}

static void fork_while_it_frees(void)
{
	child_frees_all("own:sifted");
}

#define CASE(function)                             \
	{                                          \
		.name = #function, .run = function \
	}

static const struct fault_case cases[] = {
	CASE(barrier_while_it_has_the_list),
	CASE(barrier_while_it_frees),
	CASE(cohort_barrier_while_it_has_the_list),
	CASE(cohort_destroyed_after_it),
	CASE(flush_meanwhile),
	CASE(bound_meanwhile),
	CASE(fork_while_it_has_the_list),
	CASE(fork_while_it_frees),
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
