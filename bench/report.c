/* SPDX-License-Identifier: MIT */
/*
 * bench/report.c - tables and targets
 */
#define _GNU_SOURCE
#include "report.h"

#include <hazptr/hazptr.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const unit_text[] = {
	[BENCH_NS_THREAD] = "ns of CPU time per operation",
	[BENCH_NS_PROCESS] = "ns of CPU time per object, all threads",
	[BENCH_RATE] = "millions per second of CPU time",
	[BENCH_NS_CLOCK] = "ns on the clock per operation",
	[BENCH_RATE_CLOCK] = "millions per second, all threads together",
	[BENCH_US_OWN] = "us for each",
	[BENCH_US_LONGEST] = "us, the longest",
	[BENCH_MIB] = "MiB of malloc, the most",
	[BENCH_BYTES] = "bytes of malloc for each",
	[BENCH_LOOKUP_RATE] = "millions of look-ups per second",
};

static const char *const fence_text[] = {
	[HAZPTR_FENCE_MEMBARRIER] = "membarrier",
	[HAZPTR_FENCE_FULL] = "full",
	[HAZPTR_FENCE_MARKER] = "marker",
};

const char *bench_unit_text(enum bench_unit unit)
{
	return unit_text[unit];
}

static void find_cpu(char *cpu, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(cpu, size, "unknown processor");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(cpu, size, "%s", colon + 2);
		break;
	}
	if (f)
		fclose(f);
}

void bench_find_machine(struct bench_machine *m)
{
#ifdef __clang__
	const char *compiler = "clang " __clang_version__;
#else
	const char *compiler = "gcc " __VERSION__;
#endif

	find_cpu(m->cpu, sizeof(m->cpu));
	snprintf(m->compiler, sizeof(m->compiler), "%s", compiler);
	uname(&m->os);
	m->processors = sysconf(_SC_NPROCESSORS_ONLN);
	m->fence = fence_text[hazptr_fence_mode()];
}

static const struct bench_scheme *const peers[] = {
	&bench_urcu_memb, &bench_ck,	  &bench_cds, &bench_std,
	&bench_boost,	  &bench_pthread, &bench_absl
};

const struct bench_scheme *bench_nth_peer(unsigned n)
{
	return n < BENCH_COUNT(peers) ? peers[n] : NULL;
}

void bench_report_machine(void)
{
	struct bench_machine m;

	bench_find_machine(&m);
	printf("%s, %ld processors, %s %s %s\n", m.cpu, m.processors,
	       m.os.sysname, m.os.release, m.os.machine);
	printf("hazptr %s, fence: %s, %s; peers:", bench_hazptr.version,
	       m.fence, m.compiler);
	for (unsigned i = 0; i < BENCH_COUNT(peers); i++)
		printf("%s %s %s", i ? "," : "", peers[i]->name,
		       peers[i]->version ? peers[i]->version : "not installed");
	printf("\n");
}

const struct bench_series *bench_series_of(const struct bench_figures *f,
					   unsigned count, unsigned row)
{
	return &f->series[count * f->table->nrows + row];
}

double bench_median_of(const struct bench_figures *f,
		       const struct bench_series *s, size_t field, double *low,
		       double *high)
{
	double values[BENCH_ROUNDS];

	for (unsigned i = 0; i < f->rounds; i++)
		memcpy(&values[i], (const char *)&s->sample[i] + field,
		       sizeof(double));
	return bench_median(values, f->rounds, low, high);
}

/* NAN where one of them was not measured. */
static double ratio_of(const struct bench_figures *f,
		       const struct bench_series *s,
		       const struct bench_series *base)
{
	double values[BENCH_ROUNDS];

	if (s->missing || base->missing)
		return NAN;
	for (unsigned i = 0; i < f->rounds; i++)
		values[i] = s->sample[i].value / base->sample[i].value;
	return bench_median(values, f->rounds, NULL, NULL);
}

double bench_ratio(const struct bench_figures *f, unsigned count, unsigned row)
{
	int base = f->table->base;

	if (f->table->rows[row].pair)
		base = (int)row - 1;
	return ratio_of(f, bench_series_of(f, count, row),
			bench_series_of(f, count, (unsigned)base));
}

/* A row that can be compared with others of its table. */
static bool competes(const struct bench_figures *f, unsigned row)
{
	return f->table->rows[row].scheme->kind != BENCH_BARE &&
	       row != (unsigned)f->table->base;
}

static bool is_same_task(const struct bench_row *a, const struct bench_row *b)
{
	return a->task == b->task && a->helped == b->helped &&
	       (!a->helped || a->helper == b->helper);
}

static bool is_better(enum bench_unit unit, double a, double b)
{
	if (unit == BENCH_RATE || unit == BENCH_RATE_CLOCK ||
	    unit == BENCH_LOOKUP_RATE)
		return a > b;
	return a < b;
}

int bench_best_peer(const struct bench_figures *f, unsigned count, unsigned row,
		    enum bench_kind kind)
{
	const struct bench_row *rows = f->table->rows;
	double best = 0, median;
	int found = -1;

	for (unsigned i = 0; i < f->table->nrows; i++) {
		const struct bench_series *s = bench_series_of(f, count, i);

		if (s->missing || rows[i].scheme->kind != kind ||
		    !competes(f, i) || !is_same_task(&rows[i], &rows[row]))
			continue;
		median = BENCH_MEDIAN(f, s, value);
		if (found >= 0 && !is_better(f->table->unit, median, best))
			continue;
		best = median;
		found = (int)i;
	}
	return found;
}

double bench_peer_ratio(const struct bench_figures *f, unsigned count,
			unsigned row, enum bench_kind kind)
{
	int best = bench_best_peer(f, count, row, kind);

	if (best < 0 || !competes(f, row))
		return NAN;
	return ratio_of(f, bench_series_of(f, count, row),
			bench_series_of(f, count, (unsigned)best));
}

static bool has_wall(const struct bench_table *t)
{
	return !bench_by_clock(t->unit) &&
	       (t->contend || t->unit != BENCH_NS_THREAD);
}

static bool has_peers(const struct bench_table *t, enum bench_kind kind)
{
	for (unsigned row = 0; row < t->nrows; row++)
		if (t->rows[row].scheme->kind == kind &&
		    row != (unsigned)t->base)
			return true;
	return false;
}

static void print_peer_ratio(const struct bench_figures *f, unsigned count,
			     unsigned row, enum bench_kind kind)
{
	double ratio = bench_peer_ratio(f, count, row, kind);

	if (!has_peers(f->table, kind))
		return;
	if (isnan(ratio))
		printf("       -");
	else
		printf(" %7.2f", ratio);
}

static void print_row(const struct bench_figures *f, unsigned count,
		      unsigned row)
{
	const struct bench_series *s = bench_series_of(f, count, row);
	const struct bench_row *r = &f->table->rows[row];
	double low, high, median, peak;

	if (s->unwanted)
		return;
	printf("  %-30s", r->name);
	if (s->missing) {
		printf("  %s\n", s->refused		   ? "not possible here"
				 : r->shared || r->setting ? "not built"
							   : "not installed");
		return;
	}
	median = bench_median_of(f, s, offsetof(struct bench_sample, value),
				 &low, &high);
	printf("%8.2f %8.2f ..%8.2f %7.2f", median, low, high,
	       bench_ratio(f, count, row));
	print_peer_ratio(f, count, row, BENCH_PEER);
	print_peer_ratio(f, count, row, BENCH_WEAKER);
	if (has_wall(f->table))
		printf(" %7.1f", BENCH_MEDIAN(f, s, wall));
	peak = BENCH_MEDIAN(f, s, peak);
	if (f->table->peak && peak > 0)
		printf(" %8.0f", peak);
	if (f->table->stop_at > 0 && high >= f->table->stop_at)
		printf(" (stopped there)");
	printf("\n");
}

/* Whom a column of peers is about, for each task that has one. */
static void print_best(const struct bench_figures *f, unsigned count,
		       enum bench_kind kind)
{
	const struct bench_row *rows = f->table->rows;
	bool any = false;

	for (unsigned row = 0; row < f->table->nrows; row++) {
		int best = bench_best_peer(f, count, row, kind);
		bool ours = rows[row].scheme->kind == BENCH_OURS;
		bool said = false;

		for (unsigned i = 0; i < row; i++)
			said = said || (rows[i].scheme->kind == BENCH_OURS &&
					is_same_task(&rows[i], &rows[row]));
		if (best < 0 || !ours || said)
			continue;
		printf(any		    ? "; "
		       : kind == BENCH_PEER ? "  best peer: "
					    : "  best of the weaker: ");
		if (rows[best].pair)
			printf("%s ", rows[best - 1].name);
		printf("%s", rows[best].name);
		any = true;
	}
	if (any)
		printf("\n");
}

static void print_block(const struct bench_figures *f, unsigned count)
{
	const struct bench_table *t = f->table;
	char threads[32];

	snprintf(threads, sizeof(threads), "%u thread%s", f->counts[count],
		 f->counts[count] == 1 ? "" : "s");
	printf("  %-30s  median      min ..     max   ratio",
	       t->threads ? "" : threads);
	if (has_peers(t, BENCH_PEER))
		printf("    peer");
	if (has_peers(t, BENCH_WEAKER))
		printf("  weaker");
	if (has_wall(t))
		printf("    wall");
	printf("%s\n", t->peak ? "     peak" : "");
	for (unsigned row = 0; row < t->nrows; row++)
		print_row(f, count, row);
	print_best(f, count, BENCH_PEER);
	print_best(f, count, BENCH_WEAKER);
}

/* Which of the numbers of threads it is; ncounts when it was not measured. */
static unsigned find_count(const struct bench_figures *f, unsigned threads)
{
	unsigned i;

	for (i = 0; i < f->ncounts && f->counts[i] != threads; i++)
		;
	return i;
}

/* The highest of all rounds, of what the table's bound allows. */
static double peak_ratio(const struct bench_figures *f,
			 const struct bench_series *s)
{
	double high;

	if (s->missing || !f->table->bound)
		return NAN;
	bench_median_of(f, s, offsetof(struct bench_sample, peak), NULL, &high);
	return high / (double)f->table->bound;
}

/* NAN when it was not measured. */
static double target_ratio(const struct bench_figures *f,
			   const struct bench_target *g, unsigned count,
			   unsigned *base)
{
	unsigned base_count = count;
	const struct bench_series *s, *b;

	*base = (unsigned)(g->base == BENCH_BASE ? f->table->base : g->base);
	if (g->base_threads)
		base_count = find_count(f, g->base_threads);
	if (base_count >= f->ncounts)
		return NAN;
	s = bench_series_of(f, count, (unsigned)g->row);
	if (g->peak)
		return peak_ratio(f, s);
	if (g->absolute)
		return s->missing ? NAN : BENCH_MEDIAN(f, s, value);
	b = bench_series_of(f, base_count, *base);
	if (base_count == count || s->missing || b->missing)
		return ratio_of(f, s, b);
	return BENCH_MEDIAN(f, s, value) / BENCH_MEDIAN(f, b, value);
}

const char *bench_unit_short(enum bench_unit unit)
{
	return unit == BENCH_MIB ? "MiB" : "us";
}

/* As printed: to the hundredth. */
static bool target_met(const struct bench_target *g, double ratio)
{
	ratio = round(ratio * 100) / 100;
	return g->at_least ? ratio >= g->limit : ratio <= g->limit;
}

struct bench_outcome bench_outcome_of(const struct bench_figures *f,
				      const struct bench_target *g,
				      unsigned count)
{
	struct bench_outcome o;

	o.ratio = target_ratio(f, g, count, &o.base);
	o.met = target_met(g, o.ratio);
	return o;
}

/* Return: 1 when it was measured and missed. */
static unsigned print_target(const struct bench_figures *f,
			     const struct bench_target *g, unsigned count,
			     void *arg)
{
	const struct bench_row *rows = f->table->rows;
	struct bench_outcome o = bench_outcome_of(f, g, count);

	(void)arg;
	if (isnan(o.ratio))
		return 0;
	printf("  %-6s %5.2f %s %4.2f  %s", o.met ? "met" : "missed", o.ratio,
	       g->at_least ? ">=" : "<=", g->limit, rows[g->row].name);
	if (g->peak)
		printf(", peak / %llu\n", (unsigned long long)f->table->bound);
	else if (g->absolute)
		printf(", in %s\n", bench_unit_short(f->table->unit));
	else if (g->base_threads)
		printf(", %u threads / %u\n", f->counts[count],
		       g->base_threads);
	else if (rows[g->row].pair)
		printf(" / %s\n", rows[o.base].name);
	else
		printf(" / %s (%u)\n", rows[o.base].name, f->counts[count]);
	return !o.met;
}

unsigned bench_each_target(const struct bench_figures *f,
			   unsigned (*visit)(const struct bench_figures *f,
					     const struct bench_target *g,
					     unsigned count, void *arg),
			   void *arg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->table->ntargets; i++) {
		const struct bench_target *g = &f->table->targets[i];

		for (unsigned count = 0; count < f->ncounts; count++)
			if (!g->threads || g->threads == f->counts[count])
				n += visit(f, g, count, arg);
	}
	return n;
}

unsigned bench_report(const struct bench_figures *f)
{
	const struct bench_table *t = f->table;
	unsigned missed;

	printf("\n%s  %s: %s\n", t->name, t->title, unit_text[t->unit]);
	printf("  ratio: to %s%s%s\n", t->rows[t->base].name,
	       t->note ? "; " : "", t->note ? t->note : "");
	for (unsigned count = 0; count < f->ncounts; count++)
		print_block(f, count);
	missed = bench_each_target(f, print_target, NULL);
	fflush(stdout);
	return missed;
}
