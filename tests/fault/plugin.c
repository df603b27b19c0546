/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/plugin.c - a plug-in that retires with functions of its own
 *
 * As hazptr/retire.h asks of one: a cohort, and its barrier (destroy has one)
 * before the code goes away.
 */
#include "plugin.h"

#include <hazptr/hazptr.h>

#include <stdlib.h>

struct part {
	int *reclaimed;
	struct hazptr_head head;
};

static struct hazptr_cohort cohort;
static struct part *published;

void plugin_retire(int n, int *reclaimed);
void plugin_retire_free(void);
void *const *plugin_publish(int *reclaimed);

static void reclaim(struct hazptr_head *head)
{
	struct part *part =
		(struct part *)((char *)head - offsetof(struct part, head));

	__atomic_fetch_add(part->reclaimed, 1, __ATOMIC_ACQ_REL);
	free(part);
}

static struct part *new_part(int *reclaimed)
{
	struct part *part = calloc(1, sizeof(*part));

	if (!part)
		abort();
	part->reclaimed = reclaimed;
	return part;
}

void plugin_retire(int n, int *reclaimed)
{
	struct part *part;

	while (n--) {
		part = new_part(reclaimed);
		hazptr_cohort_retire(&cohort, part, head, reclaim);
	}
}

void plugin_retire_free(void)
{
	struct part *part = new_part(NULL);

	hazptr_retire_free(NULL, part, head);
}

void *const *plugin_publish(int *reclaimed)
{
	published = new_part(reclaimed);
	return (void *const *)&published;
}

__attribute__((constructor)) static void loaded(void)
{
	if (hazptr_cohort_init(&cohort, NULL))
		abort();
}

__attribute__((destructor)) static void unloaded(void)
{
	struct part *last = __atomic_exchange_n(&published, NULL,
						__ATOMIC_ACQ_REL);

	if (last)
		hazptr_cohort_retire(&cohort, last, head, reclaim);
	hazptr_cohort_destroy(&cohort);
}
