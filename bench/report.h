/* SPDX-License-Identifier: MIT */
/*
 * bench/report.h - figures, as tables, JSON and charts show them
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "run.h"

#include <sys/utsname.h>

struct bench_machine {
	char cpu[128];
	char compiler[64];
	struct utsname os;
	long processors;
	const char *fence;
};

void bench_find_machine(struct bench_machine *m);
/* The nth that a report names; NULL: no more. */
const struct bench_scheme *bench_nth_peer(unsigned n);

const char *bench_unit_text(enum bench_unit unit);
/* Of a target that is a figure. */
const char *bench_unit_short(enum bench_unit unit);

const struct bench_series *bench_series_of(const struct bench_figures *f,
					   unsigned count, unsigned row);

/* The median of all rounds; lowest and highest where wanted. */
double bench_median_of(const struct bench_figures *f,
		       const struct bench_series *s, size_t field, double *low,
		       double *high);
#define BENCH_MEDIAN(f, s, field) \
	bench_median_of(f, s, offsetof(struct bench_sample, field), NULL, NULL)

/* To the table's baseline, or the row above. NAN: one was not measured. */
double bench_ratio(const struct bench_figures *f, unsigned count, unsigned row);

/*
 * Of the peers of that kind with the row's task the one with the best median;
 * -1: none.
 */
int bench_best_peer(const struct bench_figures *f, unsigned count, unsigned row,
		    enum bench_kind kind);
/* To it. NAN: there is none, or the row is no match for anybody. */
double bench_peer_ratio(const struct bench_figures *f, unsigned count,
			unsigned row, enum bench_kind kind);

/* A target, with what came of it; ratio NAN: it was not measured. */
struct bench_outcome {
	unsigned base;
	double ratio;
	bool met;
};
struct bench_outcome bench_outcome_of(const struct bench_figures *f,
				      const struct bench_target *g,
				      unsigned count);

/* For each target and each number of threads that it is about; sums up. */
unsigned bench_each_target(const struct bench_figures *f,
			   unsigned (*visit)(const struct bench_figures *f,
					     const struct bench_target *g,
					     unsigned count, void *arg),
			   void *arg);

#endif /* BENCH_REPORT_H */
