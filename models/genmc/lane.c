/* SPDX-License-Identifier: MIT */
/*
 * lane.c - a thread retires, another takes its lane: core/retire.c
 *
 * The owner's two objects go into its lane, or where it finds a taker there,
 * on the cohort's list. The taker has the lane's list, or leaves it. Each
 * object is somewhere, once, with its head filled in.
 *
 *	(none)		OK	for each INTERRUPT
 *	-DFULL		OK
 *	-DNOHEAVY	BAD	LN2, LN6
 *	-DWEAK_RELEASE	BAD	LN4, LN8, RT2
 *	-DWEAK_ACQUIRE	BAD	LN3, LN7, RT3
 */
#include "source.h"

#include "../../src/core/retire.c"

static struct hazptr_record_ record;
static struct hazptr_domain domain;
static struct hazptr_head heads[2];
static struct object objects[2];
int hazptr_fence_chosen_ = 1 + HAZPTR_FENCE_MEMBARRIER;

int hazptr_fence_choose_slow_(void)
{
	return hazptr_fence_chosen_;
}

/* One record, one taker. */
struct hazptr_record_ *hazptr_record_first_(struct record_iterator *it)
{
	(void)it;
	return &record;
}

struct hazptr_record_ *hazptr_record_next_(struct record_iterator *it)
{
	(void)it;
	return NULL;
}

void hazptr_lock_(struct hazptr_lock *l)
{
	(void)l;
}

void hazptr_unlock_(struct hazptr_lock *l)
{
	(void)l;
}

void hazptr_fence_heavy(void)
{
	model_heavy();
}

static void *owner(void *unused)
{
	int i;

	model_reader_begin();
	for (i = 0; i < 2; i++) {
		if (retire_fast(&record, &domain.own, &heads[i], &objects[i],
				NULL))
			continue;
		reserve(&domain, 1);
		heads[i].next = NULL;
		fill(&domain.own, &heads[i], &objects[i], NULL);
		hazptr_retired_push_(&domain.own, &heads[i], &heads[i], 1);
	}
	model_reader_end();
	return unused;
}

/* What scans do first, RT3. */
static int collect(void)
{
	struct hazptr_head *head;
	int n = 0;

	head = hazptr_exchange_(&domain.own.retired, NULL, acquire);
	for (; head; head = head->next) {
		assert(head->object == &objects[head - heads]);
		n++;
	}
	return n;
}

static void *taker(void *found)
{
	hazptr_lanes_take_(&domain);
	*(int *)found = collect();
	return NULL;
}

int main(void)
{
	struct lane *lane = &record.lanes[0];
	int found = 0;
	pthread_t o, t;

	domain.own.domain = &domain;
	domain.lanes = 1;
	domain.reserved = 4;
	lane->domain = &domain;
	lane->cohort = &domain.own;
	lane->quota = 4;
	pthread_create(&o, NULL, owner, NULL);
	pthread_create(&t, NULL, taker, &found);
	pthread_join(o, NULL);
	pthread_join(t, NULL);
	found += collect();
	lane_empty(lane);
	found += collect();
	assert(found == 2 && domain.reserved == 2);
	return 0;
}
