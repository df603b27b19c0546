/* SPDX-License-Identifier: MIT */
/*
 * bench/run.h - one measurement, and many of them in rounds
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "bench.h"

struct bench_sample {
	double value; /* in the table's unit */
	double wall;  /* the same by the clock on the wall, per thread */
	double peak;  /* objects retired and not reclaimed; 0: unknown */
	double share; /* of their wall time that the threads had a processor */
};

struct bench_options {
	double seconds;
	unsigned rounds;
	unsigned counts[BENCH_COUNTS]; /* numbers of threads */
	unsigned ncounts;
	const char *only;
	const char *json;
	bool serve;
};

/* All rounds of one row with one number of threads. */
struct bench_series {
	struct bench_sample sample[BENCH_ROUNDS];
	bool missing;
};

/* A table with its figures: series[count * nrows + row]. */
struct bench_figures {
	const struct bench_table *table;
	unsigned counts[BENCH_COUNTS];
	unsigned ncounts;
	unsigned rounds;
	struct bench_series *series;
};

/* Call every scheme's init, build what all share. */
void bench_init(void);

/* Whether the scheme is compiled in and can do the row's job. */
bool bench_can(const struct bench_row *row);

/* In this process. */
void bench_measure(const struct bench_table *table, const struct bench_row *row,
		   unsigned threads, double seconds, struct bench_sample *out);

/* All rows, all numbers of threads, in rounds; progress on stderr. */
void bench_run(const struct bench_table *table,
	       const struct bench_options *options, struct bench_figures *out);

/* Middle of the values that get() picks; lowest and highest where wanted. */
double bench_median(double *values, unsigned n, double *low, double *high);

/* remote.c: the program that is linked to the shared library. */
bool bench_remote_can(void);
bool bench_remote_measure(const struct bench_table *table, unsigned row,
			  unsigned threads, double seconds,
			  struct bench_sample *out);
void bench_remote_serve(struct bench_table *const *tables, unsigned n);
void bench_remote_close(void);

/* report.c */
void bench_report_machine(void);
unsigned bench_report(const struct bench_figures *f);
void bench_report_json(const char *path, const struct bench_figures *f,
		       unsigned n);

#endif /* BENCH_RUN_H */
