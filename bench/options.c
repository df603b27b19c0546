/* SPDX-License-Identifier: MIT */
/* bench/options.c - what the user asks for */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static struct bench_table *const *tables;
static unsigned n_tables;

static const char usage[] =
	"usage: hazptr-bench [WORKLOAD...] [OPTION]...\n"
	"Measure hazptr beside its peers, in interleaved rounds.\n"
	"\n"
	"  --seconds S       for each measurement (0.15)\n"
	"  --rounds N        of each table (9)\n"
	"  --only NAME,...   workloads, too\n"
	"  --peers NAME,...  rows of these peers only, \"all\" for all: urcu "
	"(urcu-memb,\n"
	"                    urcu-qsbr, urcu-mb, urcu-bp), call_rcu, "
	"defer_rcu, ck_hp,\n"
	"                    ck_epoch, cds, std, boost, pthread, abseil; ours "
	"and what\n"
	"                    all are compared with stay\n"
	"  --threads N,...   numbers of threads (1,2)\n"
	"  --json FILE       write all samples there, too\n"
	"  --plot DIR        charts there, by gnuplot: SVG, PNG and their "
	"data\n"
	"  --help            this\n"
	"\n"
	"A missed target is printed, not an error. Exit status: 0; 1 when a\n"
	"measurement or the file fails; 2 for wrong usage.\n";

static void print_usage(FILE *out)
{
	fputs(usage, out);
	fputs("\nWorkloads (all):", out);
	for (unsigned i = 0; i < n_tables; i++)
		fprintf(out, "%s %s", i % 12 || !i ? "" : "\n                ",
			tables[i]->name);
	fputs("\n", out);
}

static _Noreturn void wrong(const char *what, const char *value)
{
	fprintf(stderr, "hazptr-bench: %s: %s\n", what, value);
	print_usage(stderr);
	exit(2);
}

static double parse_seconds(const char *s)
{
	char *end;
	double d = strtod(s, &end);

	if (end == s || *end || !(d >= 0.001 && d <= 3600))
		wrong("--seconds: from 0.001 to 3600", s);
	return d;
}

/* From 1 to @max, and where it ends; 0: it is not. strtoul() takes "-1". */
static unsigned parse_number(const char *s, char **end, unsigned max)
{
	unsigned long n;

	errno = 0;
	n = strtoul(s, end, 10);
	return *s < '0' || *s > '9' || errno || n > max ? 0 : (unsigned)n;
}

static unsigned parse_rounds(const char *s)
{
	char *end;
	unsigned n = parse_number(s, &end, BENCH_ROUNDS);

	if (!n || *end)
		wrong("--rounds: from 1 to 101", s);
	return n;
}

static void parse_threads(struct bench_options *o, const char *s)
{
	const char *at = s;
	char *end;

	for (o->ncounts = 0; o->ncounts < BENCH_COUNTS; at = end + 1) {
		unsigned n = parse_number(at, &end, BENCH_THREADS);

		if (!n)
			break;
		o->counts[o->ncounts++] = n;
		if (!*end)
			return;
		if (*end != ',')
			break;
	}
	wrong("--threads: up to 8 numbers from 1 to 64", s);
}

static void check_names(const struct bench_options *o)
{
	const char *name;

	if ((name = bench_unknown_table(o, tables, n_tables)))
		wrong("no such workload", name);
	if ((name = bench_unknown_peer(o, tables, n_tables)))
		wrong("--peers: no such peer", name);
}

void bench_parse(struct bench_options *o, int argc, char **argv,
		 struct bench_table *const *all, unsigned n)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "only", required_argument, NULL, 'o' },
		{ "threads", required_argument, NULL, 't' },
		{ "peers", required_argument, NULL, 'p' },
		{ "json", required_argument, NULL, 'j' },
		{ "plot", required_argument, NULL, 'P' },
		{ "serve", no_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	tables = all;
	n_tables = n;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's') {
			o->seconds = parse_seconds(optarg);
		} else if (c == 'r') {
			o->rounds = parse_rounds(optarg);
		} else if (c == 'o') {
			bench_names_add(&o->only, optarg);
		} else if (c == 'p') {
			bench_names_add(&o->peers, optarg);
		} else if (c == 'P') {
			o->plot = optarg;
		} else if (c == 't') {
			parse_threads(o, optarg);
		} else if (c == 'j') {
			o->json = optarg;
		} else if (c == 'S') {
			o->serve = true;
		} else if (c == 'h') {
			print_usage(stdout);
			exit(0);
		} else {
			print_usage(stderr);
			exit(2);
		}
	}
	for (; optind < argc; optind++)
		bench_names_add(&o->only, argv[optind]);
	check_names(o);
}
