/* SPDX-License-Identifier: MIT */
/*
 * bench/report.c - tables, targets and the JSON file
 */
#define _GNU_SOURCE
#include "run.h"

#include <hazptr/hazptr.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const unit_text[] = {
	[BENCH_NS_THREAD] = "ns of CPU time per operation",
	[BENCH_NS_PROCESS] = "ns of CPU time per object, all threads",
	[BENCH_RATE] = "millions per second of CPU time",
	[BENCH_NS_CLOCK] = "ns on the clock per operation",
	[BENCH_RATE_CLOCK] = "millions per second, all threads together",
	[BENCH_US_OWN] = "us for each",
	[BENCH_US_LONGEST] = "us, the longest",
};

static const char *const fence_text[] = {
	[HAZPTR_FENCE_MEMBARRIER] = "membarrier",
	[HAZPTR_FENCE_FULL] = "full",
	[HAZPTR_FENCE_MARKER] = "marker",
};

struct machine {
	char cpu[128];
	char compiler[64];
	struct utsname os;
	long processors;
	const char *fence;
};

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

static void find_machine(struct machine *m)
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
	&bench_urcu,  &bench_ck,      &bench_cds, &bench_std,
	&bench_boost, &bench_pthread, &bench_absl
};

void bench_report_machine(void)
{
	struct machine m;

	find_machine(&m);
	printf("%s, %ld processors, %s %s %s\n", m.cpu, m.processors,
	       m.os.sysname, m.os.release, m.os.machine);
	printf("hazptr %s, fence: %s, %s; peers:", bench_hazptr.version,
	       m.fence, m.compiler);
	for (unsigned i = 0; i < BENCH_COUNT(peers); i++)
		printf("%s %s %s", i ? "," : "", peers[i]->name,
		       peers[i]->version ? peers[i]->version : "not installed");
	printf("\n");
}

static const struct bench_series *series_of(const struct bench_figures *f,
					    unsigned count, unsigned row)
{
	return &f->series[count * f->table->nrows + row];
}

static double median_of(const struct bench_figures *f,
			const struct bench_series *s, size_t field, double *low,
			double *high)
{
	double values[BENCH_ROUNDS];

	for (unsigned i = 0; i < f->rounds; i++)
		memcpy(&values[i], (const char *)&s->sample[i] + field,
		       sizeof(double));
	return bench_median(values, f->rounds, low, high);
}

#define MEDIAN(f, s, field) \
	median_of(f, s, offsetof(struct bench_sample, field), NULL, NULL)

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

static double row_ratio(const struct bench_figures *f, unsigned count,
			unsigned row)
{
	int base = f->table->base;

	if (f->table->rows[row].pair)
		base = (int)row - 1;
	return ratio_of(f, series_of(f, count, row),
			series_of(f, count, (unsigned)base));
}

static bool has_wall(const struct bench_table *t)
{
	return !bench_by_clock(t->unit) &&
	       (t->contend || t->unit != BENCH_NS_THREAD);
}

static void print_row(const struct bench_figures *f, unsigned count,
		      unsigned row)
{
	const struct bench_series *s = series_of(f, count, row);
	const struct bench_row *r = &f->table->rows[row];
	double low, high, median, peak;

	printf("  %-30s", r->name);
	if (s->missing) {
		printf("  %s\n",
		       r->shared || r->setting ? "not built" : "not installed");
		return;
	}
	median = median_of(f, s, offsetof(struct bench_sample, value), &low,
			   &high);
	printf("%8.2f %8.2f ..%8.2f %7.2f", median, low, high,
	       row_ratio(f, count, row));
	if (has_wall(f->table))
		printf(" %7.1f", MEDIAN(f, s, wall));
	peak = MEDIAN(f, s, peak);
	if (f->table->peak && peak > 0)
		printf(" %8.0f", peak);
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
	if (has_wall(t))
		printf("    wall");
	printf("%s\n", t->peak ? "     peak" : "");
	for (unsigned row = 0; row < t->nrows; row++)
		print_row(f, count, row);
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
	median_of(f, s, offsetof(struct bench_sample, peak), NULL, &high);
	return high / (double)f->table->bound;
}

/* Ratio of a target, NAN when it was not measured. */
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
	s = series_of(f, count, (unsigned)g->row);
	if (g->peak)
		return peak_ratio(f, s);
	if (g->absolute)
		return s->missing ? NAN : MEDIAN(f, s, value);
	b = series_of(f, base_count, *base);
	if (base_count == count || s->missing || b->missing)
		return ratio_of(f, s, b);
	return MEDIAN(f, s, value) / MEDIAN(f, b, value);
}

/* As printed: to the hundredth. */
static bool target_met(const struct bench_target *g, double ratio)
{
	ratio = round(ratio * 100) / 100;
	return g->at_least ? ratio >= g->limit : ratio <= g->limit;
}

/* Return: whether it was measured and missed. */
static bool print_target(const struct bench_figures *f,
			 const struct bench_target *g, unsigned count)
{
	const struct bench_row *rows = f->table->rows;
	unsigned base;
	double ratio = target_ratio(f, g, count, &base);
	bool met = target_met(g, ratio);

	if (isnan(ratio))
		return false;
	printf("  %-6s %5.2f %s %4.2f  %s", met ? "met" : "missed", ratio,
	       g->at_least ? ">=" : "<=", g->limit, rows[g->row].name);
	if (g->peak)
		printf(", peak / %llu\n", (unsigned long long)f->table->bound);
	else if (g->absolute)
		printf(", in us\n");
	else if (g->base_threads)
		printf(", %u threads / %u\n", f->counts[count],
		       g->base_threads);
	else if (rows[g->row].pair)
		printf(" / %s\n", rows[base].name);
	else
		printf(" / %s (%u)\n", rows[base].name, f->counts[count]);
	return !met;
}

/* Calls visit for each target and each number of threads that it is about. */
static unsigned each_target(const struct bench_figures *f,
			    bool (*visit)(const struct bench_figures *f,
					  const struct bench_target *g,
					  unsigned count))
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->table->ntargets; i++) {
		const struct bench_target *g = &f->table->targets[i];

		for (unsigned count = 0; count < f->ncounts; count++)
			if (!g->threads || g->threads == f->counts[count])
				n += visit(f, g, count);
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
	missed = each_target(f, print_target);
	fflush(stdout);
	return missed;
}

static FILE *json;

/* JSON has no infinity. */
static void json_number(const char *before, double value)
{
	if (isfinite(value))
		fprintf(json, "%s%.4f", before, value);
	else
		fprintf(json, "%snull", before);
}

static void json_series(const struct bench_figures *f, unsigned count,
			unsigned row)
{
	const struct bench_series *s = series_of(f, count, row);
	double ratio = row_ratio(f, count, row);

	fprintf(json, "    {\"row\": \"%s\", \"threads\": %u",
		f->table->rows[row].name, f->counts[count]);
	if (s->missing) {
		fprintf(json, ", \"missing\": true}");
		return;
	}
	json_number(", \"median\": ", MEDIAN(f, s, value));
	json_number(", \"ratio\": ", ratio);
	json_number(", \"wall\": ", MEDIAN(f, s, wall));
	json_number(", \"peak\": ", MEDIAN(f, s, peak));
	fprintf(json, ", \"samples\": [");
	for (unsigned i = 0; i < f->rounds; i++)
		json_number(i ? ", " : "", s->sample[i].value);
	fprintf(json, "]}");
}

static const char *json_separator;

static bool json_target(const struct bench_figures *f,
			const struct bench_target *g, unsigned count)
{
	unsigned base;
	double ratio = target_ratio(f, g, count, &base);

	if (isnan(ratio))
		return false;
	fprintf(json,
		"%s\n    {\"row\": \"%s\", \"threads\": %u, \"base\": \"%s\","
		" \"ratio\": %.4f, \"limit\": %.2f, \"met\": %s}",
		json_separator, f->table->rows[g->row].name, f->counts[count],
		g->absolute ? "1 us"
		: g->peak   ? "bound"
			    : f->table->rows[base].name,
		ratio, g->limit, target_met(g, ratio) ? "true" : "false");
	json_separator = ",";
	return false;
}

static void json_table(const struct bench_figures *f)
{
	unsigned rows = f->ncounts * f->table->nrows;

	fprintf(json,
		"  {\"name\": \"%s\", \"title\": \"%s\", \"unit\": \"%s\","
		" \"rows\": [\n",
		f->table->name, f->table->title, unit_text[f->table->unit]);
	for (unsigned i = 0; i < rows; i++) {
		json_series(f, i / f->table->nrows, i % f->table->nrows);
		fprintf(json, "%s\n", i + 1 < rows ? "," : "");
	}
	fprintf(json, "   ], \"targets\": [");
	json_separator = "";
	each_target(f, json_target);
	fprintf(json, "\n   ]}");
}

static void json_machine(void)
{
	struct machine m;

	find_machine(&m);
	fprintf(json,
		"{\"cpu\": \"%s\", \"processors\": %ld, \"kernel\": \"%s\","
		" \"compiler\": \"%s\",\n \"hazptr\": \"%s\", \"fence\": "
		"\"%s\"",
		m.cpu, m.processors, m.os.release, m.compiler,
		bench_hazptr.version, m.fence);
	for (unsigned i = 0; i < BENCH_COUNT(peers); i++)
		if (peers[i]->version)
			fprintf(json, ", \"%s\": \"%s\"", peers[i]->name,
				peers[i]->version);
}

void bench_report_json(const char *path, const struct bench_figures *f,
		       unsigned n)
{
	json = fopen(path, "we");
	if (!json) {
		perror(path);
		exit(1);
	}
	json_machine();
	fprintf(json, ",\n \"tables\": [\n");
	for (unsigned i = 0; i < n; i++) {
		json_table(&f[i]);
		fprintf(json, "%s\n", i + 1 < n ? "," : "");
	}
	fprintf(json, " ]}\n");
	if (fclose(json)) {
		perror(path);
		exit(1);
	}
}
