/* SPDX-License-Identifier: MIT */
/* tests/fuzz/options_bench.c - the command line of hazptr-bench */
#define _GNU_SOURCE
#include "../../bench/run.h"

#include "options.h"

/* As much of two tables as names need. */
static const struct bench_scheme peer = { .name = "liburcu-memb",
					  .kind = BENCH_PEER };
static const struct bench_scheme ours = { .name = "hazptr",
					  .kind = BENCH_OURS };
static const struct bench_row rows[] = {
	{ .name = "bare load", .scheme = &ours },
	{ .name = "ck_hp", .scheme = &peer },
	{ .name = "std::atomic wait, adaptive", .scheme = &peer },
};
static struct bench_table one = { .name = "W1", .rows = rows, .nrows = 3 };
static struct bench_table two = { .name = "P8d", .rows = rows, .nrows = 2 };
static struct bench_table *const tables[] = { &one, &two };

static struct bench_options now;

/* Names point into copies that the program keeps; here they are few. */
static char *copies[ARGUMENTS + 1];
static unsigned n_copies;

char *fuzz_strdup(const char *text);
char *fuzz_strdup(const char *text)
{
	char *copy = malloc(strlen(text) + 1);

	must(copy && n_copies < FUZZ_COUNT(copies));
	return copies[n_copies++] = strcpy(copy, text);
}

static int fuzz_parse(int argc, char **argv)
{
	while (n_copies)
		free(copies[--n_copies]);
	now = (struct bench_options){
		.seconds = 0.15, .rounds = 9, .counts = { 1, 2 }, .ncounts = 2
	};
	bench_parse(&now, argc, argv, tables, FUZZ_COUNT(tables));
	return WENT_ON;
}

static void fuzz_check(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	must(now.seconds >= 0.001 && now.seconds <= 3600);
	must(now.rounds >= 1 && now.rounds <= BENCH_ROUNDS);
	must(now.ncounts >= 1 && now.ncounts <= BENCH_COUNTS);
	for (unsigned i = 0; i < now.ncounts; i++)
		must(now.counts[i] >= 1 && now.counts[i] <= BENCH_THREADS);
	must(now.only.n <= BENCH_NAMES && now.peers.n <= BENCH_NAMES);
	for (unsigned i = 0; i < now.only.n; i++)
		must(!strcasecmp(now.only.name[i], "w1") ||
		     !strcasecmp(now.only.name[i], "p8d"));
	for (unsigned i = 0; i < now.peers.n; i++)
		must(bench_wants_row(&now, &one, &rows[1]) ||
		     bench_wants_row(&now, &one, &rows[2]));
}
