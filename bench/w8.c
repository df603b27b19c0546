/* SPDX-License-Identifier: MIT */
/*
 * bench/w8.c - W8: a thread starts, looks at one object, and ends
 *
 * It registers and leaves as the scheme wants it. CPU time of the process, the
 * kernel's included; who starts it waits for its end.
 */
#define _GNU_SOURCE
#include "ours.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *short_life(void *arg)
{
	const struct bench_scheme *scheme = arg;

	if (scheme->enter)
		scheme->enter();
	bench_look(scheme);
	if (scheme->leave)
		scheme->leave();
	return NULL;
}

uint64_t bench_start_exit(struct bench_task *t)
{
	void *arg = (void *)(uintptr_t)t->scheme;
	pthread_t id;
	uint64_t n;

	for (n = 0; !n || bench_go(t); n++) {
		if (pthread_create(&id, NULL, short_life, arg)) {
			fprintf(stderr,
				"hazptr-bench: cannot start a thread\n");
			exit(1);
		}
		pthread_join(id, NULL);
	}
	return n;
}

uint64_t bare_look(struct bench_task *t)
{
	struct ours_object *o;

	(void)t;
	o = __atomic_load_n(&bench_hot.object, __ATOMIC_ACQUIRE);
	bench_use(o->value);
	return 1;
}

uint64_t ours_look(struct bench_task *t)
{
	HAZPTR_GUARD(guard);
	struct ours_object *o = hazptr_protect(&guard, &bench_hot.object);

	(void)t;
	bench_use(o->value);
	return 1;
}

enum { BARE, OURS, OURS_SO, URCU, CK, CDS };

static const struct bench_row rows[] = {
	[BARE] = BENCH_ROW("start, bare load, exit", bare, START),
	[OURS] = BENCH_ROW("hazptr, fresh guard", hazptr, START),
	[OURS_SO] = BENCH_ROW_SO("hazptr (.so), fresh guard", hazptr, START),
	[URCU] = BENCH_ROW("liburcu-memb", urcu_memb, START),
	[CK] = BENCH_ROW("ck_hp", ck, START),
	[CDS] = BENCH_ROW("libcds HP", cds, START),
};

static const struct bench_target targets[] = {
	{ .row = OURS, .base = BARE, .limit = 1.15 },
	{ .row = OURS_SO, .base = BARE, .limit = 1.15 },
};

struct bench_table bench_w8 = {
	.name = "W8",
	.title = "start a thread, protect one object, end it",
	.unit = BENCH_NS_PROCESS,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.base = BARE,
	.targets = targets,
	.ntargets = BENCH_COUNT(targets),
	.threads = 1,
	.sleeps = true,
};
