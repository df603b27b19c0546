/* SPDX-License-Identifier: MIT */
/*
 * explore/main.c - options, the loop over all runs, the report
 *
 * Exit status: 0, no error in what was explored; 1, an error, with its
 * schedule; 2, the explorer cannot work; 3, no error, but not all was explored.
 */
#include "engine.h"
#include "explore.h"
#include "port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORDS 16
#define OUTCOMES 4096

int ex_main(int argc, char **argv, const struct ex_client *client,
	    struct ex_site *first, struct ex_site *end, int *fence);

static const char *words[WORDS];
static int n_words;
static struct {
	char text[64];
	uint64_t n;
} outcomes[OUTCOMES];
static bool show_outcomes, show_trace, show_runs;
static const char *weaken, *weaken_line, *cover;

static const char usage[] =
	"usage: CLIENT [OPTION...]\n"
	"  --fence membarrier|full|marker   the library's mode\n"
	"  --weaken LABEL,...   these orders are relaxed, these fences "
	"nothing\n"
	"  --weaken-at FILE:LINE   one place\n"
	"  --option WORD        for the client; any number of times\n"
	"  --bound N            so many preemptions and old values in a run\n"
	"  --time SECONDS       stop then\n"
	"  --random N           N runs by chance; --seed S\n"
	"  --figures            steps also where only figures are counted\n"
	"  --replay SCHEDULE    one run, printed\n"
	"  --all                every order of all steps, without reduction\n"
	"  --outcomes           print what came out, and how often\n"
	"  --trace              print the last run\n"
	"  --cover FILE         write down labels and pairs\n";

static void set_fence(const char *name, int *fence)
{
	static const char *const names[] = { "membarrier", "full", "marker" };
	int i;

	for (i = 0; i < 3; i++)
		if (!strcmp(name, names[i])) {
			ex.fence_mode = i;
			*fence = 1 + i;
			return;
		}
	fprintf(stderr, "%s", usage);
	exit(2);
}

static void set_option(const char *name, const char *value, int *fence)
{
	if (!strcmp(name, "--fence"))
		set_fence(value, fence);
	else if (!strcmp(name, "--weaken"))
		weaken = value;
	else if (!strcmp(name, "--weaken-at"))
		weaken_line = value;
	else if (!strcmp(name, "--option") && n_words < WORDS)
		words[n_words++] = value;
	else if (!strcmp(name, "--bound"))
		options.bound = atoi(value);
	else if (!strcmp(name, "--time"))
		options.limit = atof(value);
	else if (!strcmp(name, "--random"))
		options.random = strtoull(value, NULL, 10);
	else if (!strcmp(name, "--seed"))
		options.seed = strtoull(value, NULL, 10);
	else if (!strcmp(name, "--cover"))
		cover = value;
	else if (!strcmp(name, "--replay"))
		search_replay(value);
	else {
		fprintf(stderr, "%s", usage);
		exit(2);
	}
}

static void read_options(int argc, char **argv, int *fence)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--outcomes"))
			show_outcomes = true;
		else if (!strcmp(argv[i], "--figures"))
			ex.figures = true;
		else if (!strcmp(argv[i], "--all"))
			options.all = true;
		else if (!strcmp(argv[i], "--runs"))
			show_runs = true;
		else if (!strcmp(argv[i], "--trace"))
			show_trace = true;
		else if (i + 1 < argc) {
			set_option(argv[i], argv[i + 1], fence);
			i++;
		} else {
			set_option(argv[i], "", fence);
		}
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(double used)
{
	const char *how = "complete";
	int i;

	if (options.random)
		how = "random";
	else if (!search.is_finished)
		how = "stopped";
	else if (search.cut)
		how = "bounded";
	for (i = 0; i < OUTCOMES && outcomes[i].n && show_outcomes; i++)
		printf("%10lu  %s\n", (unsigned long)outcomes[i].n,
		       outcomes[i].text);
	printf("%s: %lu runs, %lu redundant, %lu deep, %lu accesses, %.2f s\n",
	       how, (unsigned long)search.runs, (unsigned long)search.redundant,
	       (unsigned long)search.deepest, (unsigned long)ex.accesses, used);
	if (cover)
		labels_write(cover);
}

int ex_main(int argc, char **argv, const struct ex_client *client,
	    struct ex_site *first, struct ex_site *end, int *fence)
{
	double begun = seconds();

	ex.client = client;
	*fence = 1;
	ex.constant = fence;
	read_options(argc, argv, fence);
	labels_resolve(first, end, weaken, weaken_line);
	fibers_start();
	heap_start();
	image_keep();
	do
		run_once(), show_runs ? trace_print() : (void)0;
	while (search_next());
	if (options.replaying || show_trace)
		trace_print();
	report(seconds() - begun);
	return options.random || options.replaying || search.is_finished ? 0
									 : 3;
}

/* What clients and the port may call. */

bool ex_option(const char *word)
{
	int i;

	for (i = 0; i < n_words; i++)
		if (!strcmp(words[i], word))
			return true;
	return false;
}

unsigned long ex_number(const char *word)
{
	size_t n = strlen(word);
	int i;

	for (i = 0; i < n_words; i++)
		if (!strncmp(words[i], word, n) && words[i][n] == '=')
			return strtoul(words[i] + n + 1, NULL, 10);
	return 0;
}

int ex_self(void)
{
	return ex.self < 0 ? 0 : ex.self;
}

void ex_outcome(const char *text)
{
	int i;

	for (i = 0; i < OUTCOMES; i++) {
		if (outcomes[i].n && strcmp(outcomes[i].text, text) != 0)
			continue;
		snprintf(outcomes[i].text, sizeof(outcomes[i].text), "%s",
			 text);
		outcomes[i].n++;
		return;
	}
}

void *ex_new(size_t size)
{
	return heap_alloc(size, true);
}

void *ex_alloc(size_t size)
{
	return heap_alloc(size, false);
}

void ex_free(void *p)
{
	heap_free(p);
}

bool ex_thread_start(void *(*run)(void *), void *arg)
{
	return thread_start(run, arg);
}

bool ex_thread_ended(int tid)
{
	return tid < 0 || tid >= EX_MAX || ex.threads[tid].state == ABSENT ||
	       ex.threads[tid].state == ENDED;
}

void ex_exit_hook(void (*at_exit)(void *))
{
	ex.exit_hook = at_exit;
}

void ex_at_exit(void *arg)
{
	SELF->exit_arg = arg;
}
