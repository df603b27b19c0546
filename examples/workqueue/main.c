/* SPDX-License-Identifier: MIT */
/*
 * workqueue/main.c - words of real files, counted by workers
 *
 * One thread cuts files into pieces and puts them into a queue of sixteen jobs;
 * N workers take them out and count the words. The queue is a mutex and two
 * condition variables: hazptr_queue.c, which is the file to read first, and
 * pthread_queue.c, which is the same with the C library's.
 *
 *	cmake --preset release
 *	cmake --build build/release --target workqueue
 *	build/release/examples/workqueue/workqueue -j 4 README.md docs/?*.md
 *	workqueue --help
 *
 * What is printed. For each file its words, as wc -w counts them. For each kind
 * of queue the jobs per second, the median of all rounds, the width of the
 * middle half of the rounds, and the ratio to pthread: the median of those
 * within each round, in which both kinds take a turn, so that what slows the
 * machine down meets both.
 *
 * What is checked. Before the rounds one thread counts all files without a
 * queue. Every round of every kind has to find the same number of words and
 * the same digest in each file: a sum of all words' hashes, so that a piece
 * that is lost, counted twice or counted for another file is found. The exit
 * status is 1 when one differs.
 *
 * Small pieces (--piece 64) make it a test of the locks, large ones one of the
 * counting. Without a second processor nobody counts while another one waits,
 * and the ratio says little.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "work.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_RIGHT, EXIT_WRONG, EXIT_USAGE };
#define ENOUGH_JOBS 20000 /* in a round */

enum { PTHREAD, HAZPTR, KINDS };

static const struct queue *const kinds[KINDS] = { &pthread_queue,
						  &hazptr_queue };

static const char usage_text[] =
	"usage: workqueue [-j N] [--rounds N] [--times N] [--piece BYTES]\n"
	"                 [--json] FILE...\n"
	"\n"
	"Counts the words of files by workers that are fed through a queue,\n"
	"checks the counts, and compares two kinds of locks.\n"
	"\n"
	"  -j, --jobs N     workers (default: one for each core)\n"
	"  --rounds N       let both kinds do it in turn N times (default: 9)\n"
	"  --times N        count all files N times in each (default: enough)\n"
	"  --piece BYTES    a job is about so much of a file (default: 1024)\n"
	"  --json           print the result as JSON\n"
	"\n"
	"Exit status: 0 all counts are right; 1 workers counted something\n"
	"else than one thread does; 2 bad usage, a file cannot be read,\n"
	"threads cannot be started, or the result cannot be written.\n";

struct run {
	struct work work;
	unsigned rounds;
	bool json;
	struct count *right;
	unsigned wrong; /* counts that were not */
	double rate[KINDS][MAX_ROUNDS];
};

/* ---- options ---- */

static bool parse_number(const char *text, unsigned long max,
			 unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *out &&
	       *out <= max;
}

static const struct option long_options[] = {
	{ "jobs", required_argument, NULL, 'j' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "times", required_argument, NULL, 't' },
	{ "piece", required_argument, NULL, 'p' },
	{ "json", no_argument, NULL, 'J' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static _Noreturn void bad_usage(void)
{
	fprintf(stderr, "try workqueue --help\n");
	exit(EXIT_USAGE);
}

static void parse_option(struct run *run, int option)
{
	const char *what = "--piece";
	unsigned long max = 1 << 30;
	unsigned long value;

	if (option == 'J') {
		run->json = true;
		return;
	}
	if (option == 'j') {
		what = "-j";
		max = MAX_WORKERS;
	} else if (option == 'r') {
		what = "--rounds";
		max = MAX_ROUNDS;
	} else if (option == 't') {
		what = "--times";
		max = 1000000;
	}
	if (!parse_number(optarg, max, &value)) {
		fprintf(stderr, "workqueue: %s cannot be %s\n", what, optarg);
		bad_usage();
	}
	if (option == 'j')
		run->work.workers = (unsigned)value;
	else if (option == 'r')
		run->rounds = (unsigned)value;
	else if (option == 't')
		run->work.times = (unsigned)value;
	else
		run->work.piece = value;
}

static void parse_options(struct run *run, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "hj:", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			exit(EXIT_RIGHT);
		}
		if (option == '?')
			bad_usage();
		parse_option(run, option);
	}
	if (optind == argc) {
		fprintf(stderr, "workqueue: no files\n");
		bad_usage();
	}
}

static unsigned count_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return n > MAX_WORKERS ? MAX_WORKERS : (unsigned)n;
}

/* ---- rounds ---- */

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p)
		return p;
	fprintf(stderr, "workqueue: out of memory\n");
	exit(EXIT_USAGE);
}

/* All files so often that starting threads is not what is measured. */
static unsigned enough_times(uint64_t jobs)
{
	uint64_t times = jobs ? (ENOUGH_JOBS + jobs - 1) / jobs : 1;

	return (unsigned)times;
}

static void check(struct run *run, const char *kind, const struct count *counts)
{
	for (unsigned i = 0; i < run->work.n_files; i++) {
		struct count right = run->right[i];

		right.words *= run->work.times;
		right.digest *= run->work.times;
		if (!memcmp(&counts[i], &right, sizeof(right)))
			continue;
		fprintf(stderr,
			"workqueue: WRONG: %s counted %llu words in %s, one "
			"thread %llu%s\n",
			kind, (unsigned long long)counts[i].words,
			run->work.files[i].name,
			(unsigned long long)right.words,
			counts[i].words == right.words ? ", others" : "");
		run->wrong++;
	}
}

static void run_rounds(struct run *run)
{
	unsigned n_files = run->work.n_files;
	uint64_t jobs = work_jobs(&run->work);
	double seconds;

	if (!run->work.times)
		run->work.times = enough_times(jobs);
	run->right = allocate(n_files, sizeof(*run->right));
	work_alone(&run->work, run->right);
	for (unsigned round = 0; round < run->rounds; round++) {
		for (unsigned k = 0; k < KINDS; k++) {
			struct count *counts;

			counts = allocate(n_files, sizeof(*counts));
			if (!work_shared(&run->work, kinds[k], counts,
					 &seconds)) {
				fprintf(stderr,
					"workqueue: cannot start %u workers\n",
					run->work.workers);
				exit(EXIT_USAGE);
			}
			check(run, kinds[k]->name, counts);
			run->rate[k][round] =
				(double)(jobs * run->work.times) / seconds;
			free(counts);
		}
	}
}

/* ---- what the user sees ---- */

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

struct figures {
	double median; /* jobs per second */
	double spread;
	double ratio;
};

static struct figures figures_of(const struct run *run, unsigned kind)
{
	double rate[MAX_ROUNDS], ratio[MAX_ROUNDS];
	unsigned n = run->rounds;
	struct figures f;

	for (unsigned i = 0; i < n; i++) {
		rate[i] = run->rate[kind][i];
		ratio[i] = divide(rate[i], run->rate[PTHREAD][i]);
	}
	f.median = sort_to_median(rate, n);
	f.spread = divide(rate[n - 1 - n / 4] - rate[n / 4], f.median);
	f.ratio = sort_to_median(ratio, n);
	return f;
}

static void print_table(const struct run *run)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < run->work.n_files; i++) {
		total += run->right[i].words;
		printf("%9llu %s\n", (unsigned long long)run->right[i].words,
		       run->work.files[i].name);
	}
	printf("%9llu words, %llu jobs of about %zu bytes, %u workers, %u "
	       "rounds of %u times\n\n",
	       (unsigned long long)total,
	       (unsigned long long)work_jobs(&run->work), run->work.piece,
	       run->work.workers, run->rounds, run->work.times);
	puts("queue         jobs/s   spread       x");
	for (unsigned k = 0; k < KINDS; k++) {
		struct figures f = figures_of(run, k);

		printf("%-8s %9.3f M %6.1f %% %7.2f\n", kinds[k]->name,
		       f.median / 1e6, f.spread * 100, f.ratio);
	}
	puts(run->wrong ? "\nFAILED: see above"
			: "\nall rounds counted what one thread does");
}

/* A file's name, with what JSON wants escaped. */
static void print_name(const char *name)
{
	for (; *name; name++) {
		if ((unsigned char)*name < ' ')
			printf("\\u%04x", *name);
		else if (*name == '"' || *name == '\\')
			printf("\\%c", *name);
		else
			putchar(*name);
	}
}

static void print_json(const struct run *run)
{
	printf("{ \"workers\": %u, \"rounds\": %u, \"jobs\": %llu, \"ok\": %s,"
	       "\n  \"files\": [",
	       run->work.workers, run->rounds,
	       (unsigned long long)work_jobs(&run->work),
	       run->wrong ? "false" : "true");
	for (unsigned i = 0; i < run->work.n_files; i++) {
		printf("%s\n    { \"name\": \"", i ? "," : "");
		print_name(run->work.files[i].name);
		printf("\", \"words\": %llu }",
		       (unsigned long long)run->right[i].words);
	}
	printf(" ],\n  \"queues\": [");
	for (unsigned k = 0; k < KINDS; k++) {
		struct figures f = figures_of(run, k);

		printf("%s\n    { \"name\": \"%s\", \"jobs_per_second\": %.0f, "
		       "\"ratio\": %.3f }",
		       k ? "," : "", kinds[k]->name, f.median, f.ratio);
	}
	printf(" ] }\n");
}

/* What went to a full disk was not said. */
static int finish(int status)
{
	if (!fclose(stdout))
		return status;
	perror("workqueue: standard output");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct run run = { .rounds = 9, .work.piece = 1024 };
	bool all_read = true;

	run.work.workers = count_cores();
	parse_options(&run, argc, argv);
	run.work.n_files = (unsigned)(argc - optind);
	run.work.files = allocate(run.work.n_files, sizeof(*run.work.files));
	for (unsigned i = 0; i < run.work.n_files; i++)
		all_read &= work_read(&run.work.files[i],
				      argv[(unsigned)optind + i]);
	if (!all_read)
		return EXIT_USAGE;
	run_rounds(&run);
	if (run.json)
		print_json(&run);
	else
		print_table(&run);
	for (unsigned i = 0; i < run.work.n_files; i++)
		free(run.work.files[i].text);
	free(run.work.files);
	free(run.right);
	return finish(run.wrong ? EXIT_WRONG : EXIT_RIGHT);
}
