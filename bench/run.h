/* SPDX-License-Identifier: MIT */
/*
 * bench/run.h - one measurement, and many of them in rounds
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "bench.h"

#define BENCH_NAMES 64 /* in a list of the user's, at most */

struct bench_sample {
	double value; /* in the table's unit */
	double wall;  /* the same by the clock on the wall, per thread */
	double peak;  /* objects retired and not reclaimed; 0: unknown */
	double share; /* of their wall time that the threads had a processor */
};

/* Names that the user gave. */
struct bench_names {
	const char *name[BENCH_NAMES];
	unsigned n;
};

struct bench_options {
	double seconds;
	unsigned rounds;
	unsigned counts[BENCH_COUNTS]; /* numbers of threads */
	unsigned ncounts;
	struct bench_names only; /* tables; none: all */
	struct bench_names peers;
	const char *json;
	const char *plot; /* a directory */
	bool serve;
};

/* All rounds of one row with one number of threads. */
struct bench_series {
	struct bench_sample sample[BENCH_ROUNDS];
	bool missing;
	bool unwanted; /* missing, and not worth a line */
	bool refused;  /* by the system */
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

/*
 * registered.c: the threads that the program's environment asks for, asleep,
 * each after one look. False: the system has no room for them.
 */
bool bench_registered_start(const struct bench_scheme *scheme);
/* ... or so many of them. */
bool bench_registered_begin(const struct bench_scheme *scheme, unsigned n);
void bench_registered_end(void);

/* remote.c: the program that is linked to the shared library. */
bool bench_remote_can(void);
bool bench_remote_measure(const struct bench_table *table, unsigned row,
			  unsigned threads, double seconds,
			  struct bench_sample *out);
void bench_remote_serve(struct bench_table *const *tables, unsigned n);
void bench_remote_close(void);

/* options.c: exits when it cannot be. */
void bench_parse(struct bench_options *o, int argc, char **argv,
		 struct bench_table *const *tables, unsigned n);

/* choose.c */
void bench_names_add(struct bench_names *names, const char *list);
bool bench_wants_table(const struct bench_options *o,
		       const struct bench_table *t);
bool bench_wants_row(const struct bench_options *o, const struct bench_table *t,
		     const struct bench_row *row);
/* The first name that no table has, or no peer in one; NULL: none. */
const char *bench_unknown_table(const struct bench_options *o,
				struct bench_table *const *tables, unsigned n);
const char *bench_unknown_peer(const struct bench_options *o,
			       struct bench_table *const *tables, unsigned n);

/* report.c */
void bench_report_machine(void);
unsigned bench_report(const struct bench_figures *f);

/* json.c, plot.c: false when it cannot be done, and it has said why. */
bool bench_json_begin(const char *path);
bool bench_json(const char *path, const struct bench_figures *f, unsigned n);
bool bench_plot_begin(const char *directory);
bool bench_plot(const char *directory, const struct bench_figures *f,
		unsigned n);

#endif /* BENCH_RUN_H */
