/* SPDX-License-Identifier: MIT */
/*
 * bench/w9.c - W9: a real program, examples/geoip, with reloads and without
 *
 * It stands beside this program in the build tree, and compares its ways to
 * reach a table itself, in turns; each run serves all rows of one kind. It
 * checks every answer, and a run in which one was wrong has no figures.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "/../examples/geoip/geoip"
#define OPTIONS "--json --threads 1 --rounds 1 --seconds 1.2 --reloads"
#define RELOADS 10 /* a second */

static const char *const names[] = { "hazptr", "thread-shared", "counted",
				     "rwlock", "refcount",	"unprotected" };

/* One run's figures; what a row has taken is NAN again. */
static double found[2][BENCH_COUNT(names)];
static bool warm;

static unsigned index_of(const char *name)
{
	unsigned i;

	for (i = 0; i < BENCH_COUNT(names) && strcmp(names[i], name); i++)
		;
	return i;
}

static void read_figures(FILE *f, double *out)
{
	char line[512], name[32];
	unsigned i;
	double rate;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line,
			   " { \"name\": \"%31[^\"]\", "
			   "\"lookups_per_second\": %lf",
			   name, &rate) != 2)
			continue;
		i = index_of(name);
		if (i < BENCH_COUNT(names))
			out[i] = rate / 1e6;
	}
}

static void forget(double *out)
{
	for (unsigned i = 0; i < BENCH_COUNT(names); i++)
		out[i] = NAN;
}

static void run_program(bool load, double *out)
{
	char path[4096], command[4096 + 256];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	FILE *f;

	forget(out);
	if (n < 0)
		return;
	path[n] = 0;
	*strrchr(path, '/') = 0;
	snprintf(command, sizeof(command), "'%s" PROGRAM "' %s %d 2>/dev/null",
		 path, OPTIONS, load ? RELOADS : 0);
	f = popen(command, "re");
	if (!f)
		return;
	read_figures(f, out);
	if (pclose(f))
		forget(out);
}

static void geoip_begin(enum bench_job job)
{
	(void)job;
	warm = true;
}

static uint64_t look_up(struct bench_task *t, bool load)
{
	unsigned i = index_of(t->scheme->name);

	if (!warm) {
		if (!(found[load][i] > 0))
			run_program(load, found[load]);
		t->own = found[load][i];
		found[load][i] = NAN;
	}
	warm = false;
	return 1;
}

static uint64_t lookups(struct bench_task *t)
{
	return look_up(t, false);
}

static uint64_t lookups_load(struct bench_task *t)
{
	return look_up(t, true);
}

#define SCHEME(called, is)                                   \
	{                                                    \
		.name = called, .kind = is, .version = "",   \
		.begin = geoip_begin,                        \
		.body = {                                    \
			[BENCH_LOOKUPS] = lookups,           \
			[BENCH_LOOKUPS_LOAD] = lookups_load, \
		},                                           \
	}

static const struct bench_scheme unprotected =
	SCHEME("unprotected", BENCH_BARE);
static const struct bench_scheme guard = SCHEME("hazptr", BENCH_OURS);
static const struct bench_scheme thread_shared =
	SCHEME("thread-shared", BENCH_OURS);
static const struct bench_scheme rwlock = SCHEME("rwlock", BENCH_PEER);
static const struct bench_scheme refcount = SCHEME("refcount", BENCH_PEER);

#define STILL(called, by)                                           \
	{                                                           \
		.name = called, .scheme = &by, .job = BENCH_LOOKUPS \
	}
#define LOADING(by)                                                \
	{                                                          \
		.name = "... with reloads", .scheme = &by,         \
		.job = BENCH_LOOKUPS_LOAD, .pair = true, .task = 1 \
	}

static const struct bench_row rows[] = {
	STILL("unprotected", unprotected),
	LOADING(unprotected),
	STILL("hazptr, guard", guard),
	LOADING(guard),
	STILL("hazptr, thread-shared", thread_shared),
	LOADING(thread_shared),
	STILL("rwlock", rwlock),
	LOADING(rwlock),
	STILL("shared count", refcount),
	LOADING(refcount),
};

struct bench_table bench_w9 = {
	.name = "W9",
	.title = "geoip: which country has an address",
	.unit = BENCH_LOOKUP_RATE,
	.rows = rows,
	.nrows = BENCH_COUNT(rows),
	.threads = 1,
	.note = "with 10 reloads a second: to the same without",
};
