/* SPDX-License-Identifier: MIT */
/*
 * bench/main.c - hazptr-bench: what make bench runs
 */
#include "run.h"

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

/* Before minutes are spent. */
static void check_outputs(const struct bench_options *o)
{
	if ((o->json && !bench_json_begin(o->json)) ||
	    (o->plot && !bench_plot_begin(o->plot)))
		exit(1);
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

	bench_parse(&o, argc, argv, tables, TABLES);
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
	if (fflush(stdout)) {
		perror("hazptr-bench: standard output");
		return 1;
	}
	if ((o.json && !bench_json(o.json, figures, n)) ||
	    (o.plot && !bench_plot(o.plot, figures, n)))
		return 1;
	return 0;
}
