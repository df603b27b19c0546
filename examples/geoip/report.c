/* SPDX-License-Identifier: MIT */
/*
 * geoip/report.c - what the user sees
 */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERASE "\r\033[K" /* the line that is rewritten */

static bool is_terminal(void)
{
	return isatty(STDERR_FILENO);
}

static double million(double rate)
{
	return rate / 1e6;
}

/* The names, above the lines of the rounds. */
static void print_names(const struct run *run)
{
	fprintf(stderr, "million/s    ");
	for (unsigned i = 0; i < run->n_results; i++)
		fprintf(stderr, " %6s", run->result[i].scheme->name);
	fprintf(stderr, "\n");
}

/* What the first @n schemes did in a round, each below its name. */
static void print_rates(const struct run *run, unsigned round, unsigned n)
{
	fprintf(stderr, "round %3u/%-3u", round + 1, run->rounds);
	for (unsigned i = 0; i < n; i++) {
		size_t width = strlen(run->result[i].scheme->name);

		fprintf(stderr, " %*.2f", width > 6 ? (int)width : 6,
			million(run->result[i].rate[round]));
	}
}

void report_slice(const struct run *run, unsigned round, unsigned scheme)
{
	if (!round && !scheme)
		print_names(run);
	if (!is_terminal())
		return;
	fprintf(stderr, ERASE);
	print_rates(run, round, scheme);
	fprintf(stderr, " ...");
}

void report_round(const struct run *run, unsigned round)
{
	if (is_terminal())
		fprintf(stderr, ERASE);
	if (is_terminal() && round + 1 < run->rounds)
		return;
	print_rates(run, round, run->n_results);
	fprintf(stderr, "\n");
}

void report_failed_reload(const char *why)
{
	fprintf(stderr, "%sgeoip: %s; the old table stays in service\n",
		is_terminal() ? ERASE : "", why);
}

/* ---- figures ---- */

/** struct figures - of one scheme, from its rounds */
struct figures {
	double median;
	double spread; /* width of the middle half of the rounds / median */
	double ratio;  /* median of the ratios to the same round's baseline */
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double sort_to_median(double *value, unsigned n)
{
	qsort(value, n, sizeof(*value), compare_doubles);
	return (value[(n - 1) / 2] + value[n / 2]) / 2;
}

static double divide(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static struct figures figures_of(const struct run *run, unsigned i)
{
	const double *mine = run->result[i].rate;
	const double *base = run->result[BASELINE].rate;
	double rate[MAX_ROUNDS], ratio[MAX_ROUNDS];
	unsigned n = run->rounds;
	struct figures f;

	for (unsigned round = 0; round < n; round++) {
		rate[round] = mine[round];
		ratio[round] = divide(mine[round], base[round]);
	}
	f.median = sort_to_median(rate, n);
	f.spread = divide(rate[n - 1 - n / 4] - rate[n / 4], f.median);
	f.ratio = sort_to_median(ratio, n);
	return f;
}

static const char *fence_name(void)
{
	switch (hazptr_fence_mode()) {
	case HAZPTR_FENCE_MEMBARRIER:
		return "membarrier";
	case HAZPTR_FENCE_FULL:
		return "full";
	case HAZPTR_FENCE_MARKER:
		return "marker";
	}
	return "unknown";
}

static bool is_right(const struct run *run)
{
	for (unsigned i = 0; i < run->n_results; i++)
		if (run->result[i].wrong || run->result[i].dead)
			return false;
	return !run->leaked;
}

/* ---- as a table ---- */

static void print_row(const struct run *run, unsigned i)
{
	const struct result *r = &run->result[i];
	struct figures f = figures_of(run, i);
	char reloads[24] = "-";

	if (r->scheme->reloads)
		snprintf(reloads, sizeof(reloads), "%llu",
			 (unsigned long long)r->reloads);
	printf("%-13s %10.2f M  %5.1f %%  %11.3f  %7s  %6u  %7llu  %9llu\n",
	       r->scheme->name, million(f.median), f.spread * 100, f.ratio,
	       reloads, r->peak, (unsigned long long)r->wrong,
	       (unsigned long long)r->dead);
}

static void print_facts(const struct run *run)
{
	printf("\nfence mode %s, %u reader threads, %u rounds, seed %llu\n",
	       fence_name(), run->threads, run->rounds,
	       (unsigned long long)run->seed);
	printf("%zu IPv4 and %zu IPv6 ranges; %d addresses, %zu with a country,"
	       " each answer checked\n",
	       run->n4, run->n6, STREAM_LENGTH, run->stream->found);
	if (run->failed_reloads)
		printf("%llu reloads failed; the old table stayed in service\n",
		       (unsigned long long)run->failed_reloads);
	if (run->leaked)
		printf("%u tables were never reclaimed\n", run->leaked);
	puts(is_right(run) ? "all answers right, no use after free, all tables "
			     "reclaimed"
			   : "FAILED");
}

static void print_table(const struct run *run)
{
	puts("               look-ups/s           ratio to              tables"
	     "    wrong  use after");
	puts("scheme             median   spread  unprotected  reloads  (peak)"
	     "  answers       free");
	for (unsigned i = 0; i < run->n_results; i++)
		print_row(run, i);
	print_facts(run);
}

/* ---- as JSON ---- */

static void print_json_scheme(const struct run *run, unsigned i)
{
	const struct result *r = &run->result[i];
	struct figures f = figures_of(run, i);

	printf("    { \"name\": \"%s\", \"lookups_per_second\": %.0f, "
	       "\"spread\": %.4f, \"ratio\": %.4f,\n"
	       "      \"reloads\": %llu, \"tables_peak\": %u, "
	       "\"wrong\": %llu, \"use_after_free\": %llu }%s\n",
	       r->scheme->name, f.median, f.spread, f.ratio,
	       (unsigned long long)r->reloads, r->peak,
	       (unsigned long long)r->wrong, (unsigned long long)r->dead,
	       i + 1 < run->n_results ? "," : "");
}

static void print_json(const struct run *run)
{
	printf("{\n  \"fence_mode\": \"%s\", \"threads\": %u, \"rounds\": %u, "
	       "\"seconds\": %g, \"seed\": %llu,\n",
	       fence_name(), run->threads, run->rounds, run->seconds,
	       (unsigned long long)run->seed);
	printf("  \"ranges4\": %zu, \"ranges6\": %zu, \"addresses\": %d, "
	       "\"addresses_with_country\": %zu,\n",
	       run->n4, run->n6, STREAM_LENGTH, run->stream->found);
	printf("  \"failed_reloads\": %llu, \"leaked_tables\": %u, "
	       "\"ok\": %s,\n  \"schemes\": [\n",
	       (unsigned long long)run->failed_reloads, run->leaked,
	       is_right(run) ? "true" : "false");
	for (unsigned i = 0; i < run->n_results; i++)
		print_json_scheme(run, i);
	puts("  ]\n}");
}

bool report_result(const struct run *run)
{
	if (run->json)
		print_json(run);
	else
		print_table(run);
	return is_right(run);
}
