/* SPDX-License-Identifier: MIT */
/*
 * devices/main.c - devices that are unplugged while they are opened and used
 *
 * Threads open devices by name, use them and close them; another one unplugs
 * and plugs them. counted.c is the file to read first: there a look-up takes a
 * reference without a lock. locked.c is what it replaces.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "report.h"
#include "rounds.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EXIT_RIGHT, EXIT_WRONG, EXIT_USAGE };

static const char usage_text[] =
	"usage: devices [--threads N] [--seconds S] [--rounds N] [--seed N]\n"
	"               [--json] [--careless]\n"
	"\n"
	"Opens devices that are unplugged at any moment, in three ways,\n"
	"checks every use of a device, and compares the look-ups per second.\n"
	"\n"
	"  --threads N   users of devices (default: one for each core)\n"
	"  --seconds S   measure for so long in all (default: 6)\n"
	"  --rounds N    take the three ways in turn N times (default: 15)\n"
	"  --seed N      for what is opened and when (default: the clock)\n"
	"  --json        print the result as JSON\n"
	"  --careless    another way, which frees too early: it must fail\n"
	"\n"
	"Exit status: 0 all was right; 1 a device was used after its end,\n"
	"opened after it was unplugged, or never freed; 2 bad usage,\n"
	"threads cannot be started, or the result cannot be written.\n";

static bool parse_number(const char *text, double min, double max, double *out)
{
	char *end;

	errno = 0;
	*out = strtod(text, &end);
	return end != text && !*end && !errno && *out >= min && *out <= max;
}

static bool parse_unsigned(const char *text, unsigned min, unsigned max,
			   unsigned *out)
{
	double value;

	if (!parse_number(text, min, max, &value) || value != (unsigned)value)
		return false;
	*out = (unsigned)value;
	return true;
}

static bool parse_seed(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static const struct option long_options[] = {
	{ "threads", required_argument, NULL, 't' },
	{ "seconds", required_argument, NULL, 's' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "seed", required_argument, NULL, 'e' },
	{ "json", no_argument, NULL, 'j' },
	{ "careless", no_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static bool parse_option(struct run *run, int option)
{
	switch (option) {
	case 't':
		return parse_unsigned(optarg, 1, MAX_THREADS, &run->threads);
	case 's':
		return parse_number(optarg, .01, 1e6, &run->seconds);
	case 'r':
		return parse_unsigned(optarg, 1, MAX_ROUNDS, &run->rounds);
	case 'e':
		return parse_seed(optarg, &run->seed);
	case 'j':
		return run->json = true;
	case 'c':
		return run->careless = true;
	}
	return false;
}

static void bad_usage(void)
{
	fprintf(stderr, "try devices --help\n");
	exit(EXIT_USAGE);
}

static void parse_options(struct run *run, int argc, char **argv)
{
	int option, which;

	while ((option = getopt_long(argc, argv, "h", long_options, &which)) !=
	       -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			exit(EXIT_RIGHT);
		}
		if (option == '?')
			bad_usage();
		if (!parse_option(run, option)) {
			fprintf(stderr, "devices: --%s cannot be %s\n",
				long_options[which].name, optarg);
			bad_usage();
		}
	}
	if (optind < argc) {
		fprintf(stderr, "devices: what is %s?\n", argv[optind]);
		bad_usage();
	}
}

static unsigned count_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return n > MAX_THREADS ? MAX_THREADS : (unsigned)n;
}

/* What went to a full disk was not said. */
static int finish(int status)
{
	if (!fclose(stdout))
		return status;
	perror("devices: standard output");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct run run = { .rounds = 15, .seconds = 6 };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	run.seed = (uint64_t)now.tv_nsec;
	run.threads = count_cores();
	parse_options(&run, argc, argv);
	if (!rounds_run(&run)) {
		fprintf(stderr, "devices: cannot start %u threads\n",
			run.threads);
		return EXIT_USAGE;
	}
	return finish(report_result(&run) ? EXIT_RIGHT : EXIT_WRONG);
}
