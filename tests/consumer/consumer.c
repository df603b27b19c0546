/* SPDX-License-Identifier: MIT */
/*
 * tests/consumer/consumer.c - a program that uses the shared library
 *
 * Calls every public function once, as a user would: through the installed
 * headers, linked to libhazptr.so and nothing else of ours, without a test
 * framework. Built as C11 and as C++17.
 */
#include <hazptr/hazptr.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct route {
	int hops;
	struct hazptr_head head;
};

static struct route *current; /* what readers look at */
static int reclaimed;
static int steps;

/* Says where, and ends the program. */
#define step(condition)                                                      \
	do {                                                                 \
		steps++;                                                     \
		if (!(condition)) {                                          \
			fprintf(stderr, "consumer: line %d: %s\n", __LINE__, \
				#condition);                                 \
			exit(1);                                             \
		}                                                            \
	} while (0)

static struct route *route_new(int hops)
{
	struct route *r = (struct route *)malloc(sizeof(*r));

	if (!r)
		exit(2);
	r->hops = hops;
	return r;
}

static void route_reclaim(struct hazptr_head *head)
{
	free((char *)head - offsetof(struct route, head));
	reclaimed++;
}

static void route_destroy(void *object)
{
	free(object);
	reclaimed++;
}

static void fences(void)
{
	enum hazptr_fence_mode mode = hazptr_fence_mode();

	hazptr_fence_light();
	hazptr_fence_heavy();
	step(mode == hazptr_fence_mode());
}

static void guards(void)
{
	struct hazptr_guard a = HAZPTR_GUARD_INIT;
	struct hazptr_guard b = HAZPTR_GUARD_INIT;
	struct route *seen = current;
	uintptr_t link = (uintptr_t)current | 1;

	step(hazptr_protect(&a, &current)->hops == 1);
	step(hazptr_try_protect(&b, &seen, &current));
	step(hazptr_protect_tagged(&b, &link, 1) == link);
	hazptr_hold(&b, &link);
	hazptr_swap(&a, &b);
	hazptr_release(&a);
	hazptr_detach(&b);
	hazptr_release(&b);
	{
		HAZPTR_GUARD(scoped);
		step(hazptr_protect(&scoped, &current) == seen);
	}
}

static void many_guards(void)
{
	struct hazptr_guard guards[20];
	size_t i;

	memset(guards, 0, sizeof(guards));
	for (i = 0; i < 20; i++)
		step(hazptr_protect(&guards[i], &current) == current);
	for (i = 0; i < 20; i++)
		hazptr_release(&guards[i]);
}

static void contexts(void)
{
	struct hazptr_context c;
	struct hazptr_slot *s;

	step(hazptr_context_init(&c) == 0);
	step(hazptr_context_switch(&c) == NULL);
	step(hazptr_context_switch(NULL) == &c);
	s = hazptr_slot_alloc(&c);
	step(s != NULL);
	step(hazptr_slot_protect(s, &current) == current);
	step(hazptr_slot_try_protect(s, &current) == current);
	hazptr_slot_clear(s);
	hazptr_slot_free(&c, s);
	hazptr_context_cleanup(&c);
}

static void retirements(struct hazptr_domain *d)
{
	struct route *r = route_new(2);
	struct timespec past = { 0, 0 };
	const void *objects[2];

	hazptr_retire(d, route_new(1), head, route_reclaim);
	hazptr_retire_free(d, route_new(1), head);
	hazptr_retire_ptr(d, route_new(1), route_destroy);
	hazptr_head_init(&r->head, r, route_reclaim);
	hazptr_retire_list(d, &r->head, &r->head);
	step(hazptr_flush(d) == 4);
	step(reclaimed == 3);

	objects[0] = objects[1] = current;
	hazptr_synchronize(current);
	step(hazptr_synchronize_until(current, &past) == 0);
	hazptr_synchronize_many(objects, 2);
}

static void cohorts(struct hazptr_domain *d)
{
	struct hazptr_cohort c;

	step(hazptr_cohort_init(&c, d) == 0);
	hazptr_cohort_retire(&c, route_new(3), head, route_reclaim);
	hazptr_cohort_barrier(&c);
	step(reclaimed == 4);
	hazptr_cohort_destroy(&c);
}

static void domains(void)
{
	struct hazptr_domain_opts opts;
	struct hazptr_stats stats;
	struct hazptr_domain *d;

	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	opts.reclaim = HAZPTR_RECLAIM_MANUAL;
	opts.name = "consumer";
	step(hazptr_domain_create(&d, &opts) == 0);
	retirements(d);
	cohorts(d);
	hazptr_barrier(d);
	stats.size = sizeof(stats);
	hazptr_domain_stats(d, &stats);
	step(stats.retired == 5 && stats.pending == 0);
	step(strcmp(stats.name, "consumer") == 0);
	step(hazptr_domain_destroy(d) == 0);
}

int main(void)
{
	current = route_new(1);
	fences();
	guards();
	many_guards();
	contexts();
	domains();
	hazptr_retire_free(NULL, current, head);
	current = NULL;
	hazptr_barrier(NULL);
	printf("consumer: all %d steps\n", steps);
	return 0;
}
