/* SPDX-License-Identifier: MIT */
/*
 * geoip/main.c - an address-to-country service inside one process
 *
 * Threads look addresses up in a table that another thread loads again and
 * again. schemes.c is the file to read first: there is what a hazard pointer
 * does for such a program, and what others do.
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
#include <unistd.h>

#ifndef GEOIP_SAMPLE_DIR
#define GEOIP_SAMPLE_DIR "examples/geoip"
#endif

enum { EXIT_RIGHT, EXIT_WRONG, EXIT_USAGE };

static const char usage_text[] =
	"usage: geoip [FILE...] [--threads N] [--seconds S] [--rounds N]\n"
	"             [--reloads N] [--seed N] [--json] [--careless]\n"
	"       geoip [FILE...] --query ADDRESS\n"
	"\n"
	"Looks addresses up in a table that is reloaded all the time, in six\n"
	"ways, checks every answer, and compares the speed.\n"
	"\n"
	"  FILE             ranges: start,end,CC; default: the tables of the\n"
	"                   Debian package tor-geoipdb, else a small sample\n"
	"  --threads N      readers (default: one for each core)\n"
	"  --seconds S      measure for so long in all (default: 15)\n"
	"  --rounds N       take the six ways in turn N times (default: 20)\n"
	"  --reloads N      load at most N tables a second (default: 10)\n"
	"  --seed N         for the addresses (default: from the clock)\n"
	"  --json           print the result as JSON\n"
	"  --careless       another way, which frees too early: it must fail\n"
	"  --query ADDRESS  print the country of one address\n"
	"\n"
	"Exit status: 0 all was right; 1 wrong answers, use after free or a\n"
	"leak, or no country is known for the address; 2 bad usage, the\n"
	"first load failed, or the result cannot be written.\n";

struct options {
	struct files files;
	const char *query;
	struct run run;
};

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
	{ "reloads", required_argument, NULL, 'l' },
	{ "seed", required_argument, NULL, 'e' },
	{ "json", no_argument, NULL, 'j' },
	{ "careless", no_argument, NULL, 'c' },
	{ "query", required_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static bool parse_option(struct options *o, int option)
{
	switch (option) {
	case 't':
		return parse_unsigned(optarg, 1, MAX_READERS, &o->run.threads);
	case 's':
		return parse_number(optarg, .01, 1e6, &o->run.seconds);
	case 'r':
		return parse_unsigned(optarg, 1, MAX_ROUNDS, &o->run.rounds);
	case 'l':
		return parse_number(optarg, 0, 1e6, &o->run.reload_rate);
	case 'e':
		return parse_seed(optarg, &o->run.seed);
	case 'j':
		return o->run.json = true;
	case 'c':
		return o->run.careless = true;
	case 'q':
		o->query = optarg;
		return true;
	}
	return false;
}

static void bad_usage(void)
{
	fprintf(stderr, "try geoip --help\n");
	exit(EXIT_USAGE);
}

static void parse_options(struct options *o, int argc, char **argv)
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
		if (!parse_option(o, option)) {
			fprintf(stderr, "geoip: --%s cannot be %s\n",
				long_options[which].name, optarg);
			bad_usage();
		}
	}
	o->files = (struct files){ argv + optind, argc - optind };
}

/* The real tables where they are installed, else the sample. */
static struct files default_files(void)
{
	static char *const debian[] = { "/usr/share/tor/geoip",
					"/usr/share/tor/geoip6" };
	static char *const sample[] = { GEOIP_SAMPLE_DIR "/sample4.txt",
					GEOIP_SAMPLE_DIR "/sample6.txt" };

	if (!access(debian[0], R_OK) && !access(debian[1], R_OK))
		return (struct files){ debian, 2 };
	return (struct files){ sample, 2 };
}

static unsigned count_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return n > MAX_READERS ? MAX_READERS : (unsigned)n;
}

static struct table *first_load(const struct files *files)
{
	struct problem problem;
	struct table *t = table_load(files, &problem);

	if (!t) {
		fprintf(stderr, "geoip: %s\n", problem.text);
		exit(EXIT_USAGE);
	}
	return t;
}

static int answer_query(const struct files *files, const char *text)
{
	struct address a;
	struct table *t;
	uint16_t country;

	if (!address_parse(text, &a)) {
		fprintf(stderr, "geoip: '%s' is not an address\n", text);
		return EXIT_USAGE;
	}
	t = first_load(files);
	country = table_lookup(t, &a);
	table_destroy(t);
	table_clear_graves();
	if (country == COUNTRY_NONE)
		country = COUNTRY_UNKNOWN;
	printf("%c%c\n", country >> 8, country & 0xff);
	return country == COUNTRY_UNKNOWN ? EXIT_WRONG : EXIT_RIGHT;
}

/* The table, and the right answers to all that will be asked. */
static struct table *prepare(struct run *run)
{
	double start = rounds_now(), loaded;
	struct table *t = first_load(run->files);
	struct stream *stream;

	loaded = rounds_now();
	stream = stream_make(run->files, t, run->seed);
	if (!stream) {
		fprintf(stderr, "geoip: a second look at the files finds "
				"something else\n");
		exit(EXIT_USAGE);
	}
	run->stream = stream;
	run->n4 = t->n4;
	run->n6 = t->n6;
	run->digest = t->digest;
	for (int i = 0; i < run->files->n; i++)
		fprintf(stderr, "%s%s", i ? ", " : "loaded ",
			run->files->path[i]);
	fprintf(stderr,
		" in %.0f ms, the right answers in %.0f ms; seed %llu\n",
		(loaded - start) * 1e3, (rounds_now() - loaded) * 1e3,
		(unsigned long long)run->seed);
	return t;
}

static int measure(struct options *o)
{
	struct table *t = prepare(&o->run);
	bool right;

	if (!rounds_run(&o->run, t)) {
		fprintf(stderr, "geoip: cannot start %u threads\n",
			o->run.threads);
		return EXIT_USAGE;
	}
	right = report_result(&o->run);
	free((void *)o->run.stream);
	return right ? EXIT_RIGHT : EXIT_WRONG;
}

/* What went to a full disk was not said. */
static int finish(int status)
{
	if (!fclose(stdout))
		return status;
	perror("geoip: standard output");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct options o = {
		.run = { .rounds = 20, .seconds = 15, .reload_rate = 10 },
	};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	o.run.seed = (uint64_t)now.tv_nsec;
	o.run.threads = count_cores();
	parse_options(&o, argc, argv);
	if (!o.files.n)
		o.files = default_files();
	o.run.files = &o.files;
	if (o.query)
		return finish(answer_query(&o.files, o.query));
	return finish(measure(&o));
}
