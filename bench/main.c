/* SPDX-License-Identifier: MIT */
/*
 * bench/main.c - hazptr-bench: what make bench runs
 */
#define _GNU_SOURCE
#include "run.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static struct bench_table *const tables[] = {
	&bench_w1,  &bench_w1c, &bench_w2,  &bench_w2f, &bench_w3,  &bench_w3p,
	&bench_w4,  &bench_w4k, &bench_w5,  &bench_w6,	&bench_w7,  &bench_w7r,
	&bench_w8,  &bench_w9,	&bench_w10, &bench_r1,	&bench_r1t, &bench_r1w,
	&bench_r1h, &bench_r2,	&bench_p1,  &bench_p2,	&bench_p3,  &bench_p4,
	&bench_p5,  &bench_p5t, &bench_p6,  &bench_p6t, &bench_p7,  &bench_p7c,
	&bench_p8,  &bench_p8w, &bench_p8d
};

#define TABLES BENCH_COUNT(tables)

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
	for (unsigned i = 0; i < TABLES; i++)
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

static unsigned parse_rounds(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (end == s || *end || n < 1 || n > BENCH_ROUNDS)
		wrong("--rounds: from 1 to 101", s);
	return (unsigned)n;
}

static void parse_threads(struct bench_options *o, const char *s)
{
	const char *at = s;
	char *end;

	for (o->ncounts = 0; o->ncounts < BENCH_COUNTS; at = end + 1) {
		unsigned long n = strtoul(at, &end, 10);

		if (end == at || n < 1 || n > BENCH_THREADS)
			break;
		o->counts[o->ncounts++] = (unsigned)n;
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

	if ((name = bench_unknown_table(o, tables, TABLES)))
		wrong("no such workload", name);
	if ((name = bench_unknown_peer(o, tables, TABLES)))
		wrong("--peers: no such peer", name);
}

/* Before minutes are spent. */
static void check_outputs(const struct bench_options *o)
{
	if ((o->json && !bench_json_begin(o->json)) ||
	    (o->plot && !bench_plot_begin(o->plot)))
		exit(1);
}

static void parse(int argc, char **argv, struct bench_options *o)
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

static void print_legend(const struct bench_options *o)
{
	printf("%u rounds of %g s, all rows in turn; ratios: medians of those "
	       "in each round.\n",
	       o->rounds, o->seconds);
}

/* How much of a processor the threads had: what other programs took. */
static void print_noise(const struct bench_figures *f, unsigned n)
{
	double sum = 0, low = 1;
	unsigned samples = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned series = f[i].ncounts * f[i].table->nrows;

		if (bench_by_clock(f[i].table->unit) || f[i].table->sleeps)
			continue; /* they sleep of their own accord */
		for (unsigned k = 0; k < series * f[i].rounds; k++) {
			const struct bench_series *s;
			double share;

			s = &f[i].series[k / f[i].rounds];
			if (s->missing)
				continue;
			share = s->sample[k % f[i].rounds].share;
			low = share < low ? share : low;
			sum += share;
			samples++;
		}
	}
	if (samples)
		printf("\nThe threads had a processor for %.1f %% of the time "
		       "(at worst %.1f %%)%s.\n",
		       sum / samples * 100, low * 100,
		       sum / samples < 0.97 ? ": this machine is busy" : "");
}

int main(int argc, char **argv)
{
	struct bench_options o = {
		.seconds = 0.15, .rounds = 9, .counts = { 1, 2 }, .ncounts = 2
	};
	static struct bench_figures figures[TABLES];
	unsigned n = 0, missed = 0;

	parse(argc, argv, &o);
	bench_init();
	if (o.serve) {
		bench_remote_serve(tables, TABLES);
		return 0;
	}
	check_outputs(&o);
	bench_report_machine();
	print_legend(&o);
	for (unsigned i = 0; i < TABLES; i++) {
		if (tables[i]->prepare)
			tables[i]->prepare(tables[i]);
		if (!bench_wants_table(&o, tables[i]))
			continue;
		bench_run(tables[i], &o, &figures[n]);
		missed += bench_report(&figures[n++]);
	}
	bench_remote_close();
	print_noise(figures, n);
	printf(missed ? "%u target%s missed.\n" : "All targets met.\n", missed,
	       missed == 1 ? "" : "s");
	fflush(stdout);
	if ((o.json && !bench_json(o.json, figures, n)) ||
	    (o.plot && !bench_plot(o.plot, figures, n)))
		return 1;
	return 0;
}
