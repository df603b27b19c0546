/* SPDX-License-Identifier: MIT */
/*
 * devices/report.c - what the user sees
 */
#include "report.h"

#include <hazptr/hazptr.h>

#include <stdio.h>
#include <stdlib.h>
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

static void print_rates(const struct run *run, unsigned round, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fprintf(stderr, " %s %.2f", run->result[i].scheme->name,
			million(run->result[i].rate[round]));
}

void report_slice(const struct run *run, unsigned round, unsigned scheme)
{
	if (!is_terminal())
		return;
	fprintf(stderr, ERASE "round %u of %u ", round + 1, run->rounds);
	print_rates(run, round, scheme);
	fprintf(stderr, " %s ...", run->result[scheme].scheme->name);
}

void report_round(const struct run *run, unsigned round)
{
	if (is_terminal()) {
		if (round + 1 == run->rounds)
			fprintf(stderr, ERASE);
		return;
	}
	fprintf(stderr, "round %u of %u, million look-ups/s:", round + 1,
		run->rounds);
	print_rates(run, round, run->n_results);
	fprintf(stderr, "\n");
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
		if (!tally_is_right(&run->result[i].tally))
			return false;
	return true;
}

/* ---- as a table ---- */

static void print_row(const struct run *run, unsigned i)
{
	const struct result *r = &run->result[i];
	const struct tally *t = &r->tally;
	struct figures f = figures_of(run, i);

	printf("%-8s %7.2f M %5.1f %% %7.2f %9llu %7llu %6llu %6llu %6llu %6lld"
	       "\n",
	       r->scheme->name, million(f.median), f.spread * 100, f.ratio,
	       (unsigned long long)r->unplugged,
	       (unsigned long long)t->outlived, (unsigned long long)t->dead,
	       (unsigned long long)t->other, (unsigned long long)t->gone,
	       (long long)t->kept);
}

static void print_missing(void)
{
	for (unsigned i = 0; i < SCHEMES; i++)
		if (schemes[i]->missing)
			printf("%-8s not built: %s\n", schemes[i]->name,
			       schemes[i]->missing);
}

static void print_facts(const struct run *run)
{
	const struct tally *t = &run->result[BASELINE].tally;

	printf("\nfence mode %s, %u threads, %d devices, %u rounds, seed %llu"
	       "\n",
	       fence_name(), run->threads, DEVICES, run->rounds,
	       (unsigned long long)run->seed);
	printf("%.0f %% of the look-ups found a device, the others an empty "
	       "place\n",
	       100 * divide((double)t->found, (double)t->lookups));
	puts(is_right(run) ? "no device was used after its end or opened after "
			     "it was unplugged, all freed"
			   : "FAILED");
}

static void print_table(const struct run *run)
{
	puts("          look-ups               x       un-   while   used"
	     "  wrong opened  never");
	puts("scheme        /s    spread   mutex   plugged  in use  freed"
	     " device   gone  freed");
	for (unsigned i = 0; i < run->n_results; i++)
		print_row(run, i);
	print_missing();
	print_facts(run);
}

/* ---- as JSON ---- */

static void print_json_scheme(const struct run *run, unsigned i)
{
	const struct result *r = &run->result[i];
	const struct tally *t = &r->tally;
	struct figures f = figures_of(run, i);

	printf("    { \"name\": \"%s\", \"lookups_per_second\": %.0f, "
	       "\"spread\": %.4f, \"ratio\": %.4f,\n"
	       "      \"lookups\": %llu, \"found\": %llu, \"unplugged\": %llu, "
	       "\"unplugged_in_use\": %llu,\n"
	       "      \"used_freed\": %llu, \"wrong_device\": %llu, "
	       "\"opened_gone\": %llu, \"never_freed\": %lld }%s\n",
	       r->scheme->name, f.median, f.spread, f.ratio,
	       (unsigned long long)t->lookups, (unsigned long long)t->found,
	       (unsigned long long)r->unplugged,
	       (unsigned long long)t->outlived, (unsigned long long)t->dead,
	       (unsigned long long)t->other, (unsigned long long)t->gone,
	       (long long)t->kept, i + 1 < run->n_results ? "," : "");
}

static void print_json(const struct run *run)
{
	const char *comma = "";

	printf("{\n  \"fence_mode\": \"%s\", \"threads\": %u, \"rounds\": %u, "
	       "\"seconds\": %g, \"devices\": %d,\n  \"seed\": %llu, "
	       "\"ok\": %s, \"not_built\": [",
	       fence_name(), run->threads, run->rounds, run->seconds, DEVICES,
	       (unsigned long long)run->seed, is_right(run) ? "true" : "false");
	for (unsigned i = 0; i < SCHEMES; i++) {
		if (!schemes[i]->missing)
			continue;
		printf("%s\"%s\"", comma, schemes[i]->name);
		comma = ", ";
	}
	puts("],\n  \"schemes\": [");
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
