/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/command.c - hazptr torture
 *
 * The torture runs in a child, before which this process has used nothing of
 * the library. The parent stops it now and then, and says with which seed it
 * was when it dies of a signal; a shell sees the parent only.
 */
#define _GNU_SOURCE
#include "../tool.h"
#include "torture.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USUAL 4	    /* threads for each processor */
#define OVERFULL 16 /* the same with `overcommit` */

static const char usage[] =
	"usage: hazptr torture [OPTION]...\n"
	"Uses everything at once, at random, and checks what must be so.\n\n"
	"  --seconds S      how long; default 10\n"
	"  --threads N      1 to 1024; default: 4 for each processor, 16 with\n"
	"                   overcommit\n"
	"  --seed N         of all that is random; it is printed\n"
	"  --fence MODE     membarrier, full or marker\n"
	"  --faults LIST    all (the default), none, or some of: overflow, "
	"detach,\n"
	"                   signals, sleep, stop, overcommit, affinity, "
	"churn,\n"
	"                   fork, nomem\n"
	"  --workload LIST  all (the default), or some of: guards, contexts,\n"
	"                   retire, refs, shared, futex, locks\n"
	"  --json           the summary as a JSON object\n"
	"  --progress       a line each second, also when stderr is no "
	"terminal\n\n"
	"Exit status: 0: clean; 1: a check failed; 2: wrong usage.\n";

const char *const fault_names[FAULTS] = {
	"none",	      "overflow", "detach", "signals", "sleep", "stop",
	"overcommit", "affinity", "churn",  "fork",    "nomem",
};

const struct workload *const workloads[WORKLOADS] = {
	&guards_workload, &contexts_workload, &retire_workload, &refs_workload,
	&shared_workload, &futex_workload,    &locks_workload,
};

struct setting setting; /* of an ordinary program, until tool_torture() */
struct watched *watched;

static void say_setting(void)
{
	unsigned i, n = 0;

	fprintf(stderr, "--seed %llu --threads %u --seconds %g",
		(unsigned long long)setting.seed, setting.threads,
		setting.seconds);
	if (setting.fence[0])
		fprintf(stderr, " --fence %s", setting.fence);
	fputs(" --faults ", stderr);
	for (i = 1; i < FAULTS; i++)
		if (has_fault((enum fault)i))
			fprintf(stderr, "%s%s", n++ ? "," : "", fault_names[i]);
	fputs(n ? " --workload " : "none --workload ", stderr);
	for (i = n = 0; i < WORKLOADS; i++)
		if (setting.workloads >> i & 1)
			fprintf(stderr, "%s%s", n++ ? "," : "",
				workloads[i]->name);
	fputc('\n', stderr);
}

_Noreturn void failed(const char *what, const void *object)
{
	const struct place *p = self ? self->place : NULL;

	if (!is_child &&
	    __atomic_exchange_n(&watched->failed, 1, __ATOMIC_ACQ_REL))
		while (true)
			pause(); /* another one is saying it */
	fflush(stdout);
	fprintf(stderr, "\nhazptr: torture: %s: %s: %s: %s, %p\n",
		is_child ? "in a forked child" : "FAILED",
		p && p->workload ? p->workload : "the library's thread",
		p && p->operation ? p->operation : "reclaim", what, object);
	fputs("hazptr: torture: with ", stderr);
	say_setting();
	_exit(1);
}

/* Options */

static double to_seconds(const char *s)
{
	char *end;
	double value = strtod(s, &end);

	if (end == s || *end || !(value > 0 && value <= 1e7))
		tool_wrong("torture: --seconds: not a positive number", s);
	return value;
}

static uint64_t to_number(const char *option, const char *s, uint64_t most)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(s, &end, 0);
	if (*s < '0' || *s > '9' || *end || errno || value > most) {
		fprintf(stderr, "hazptr: torture: --%s: 0 to %llu\n", option,
			(unsigned long long)most);
		tool_wrong("torture: no such number", s);
	}
	return value;
}

static const char *workload_name(unsigned i)
{
	return workloads[i]->name;
}

static const char *fault_name(unsigned i)
{
	return fault_names[i];
}

/* The bits of the names in a list; `all`, and `none` where it is allowed. */
static unsigned to_bits(const char *what, const char *list,
			const char *(*name)(unsigned i), unsigned first,
			unsigned n)
{
	char *copy = strdup(list), *next = copy, *word;
	unsigned bits = 0, i;

	if (!copy)
		exit(1);
	if (!strcmp(list, "all"))
		next = NULL, bits = ~0u << first;
	else if (first && !strcmp(list, "none"))
		next = NULL;
	while ((word = strsep(&next, ","))) {
		for (i = first; i < n && strcmp(word, name(i)) != 0; i++)
			;
		if (i == n)
			tool_wrong(what, word);
		bits |= 1u << i;
	}
	free(copy);
	return bits & (first ? ~1u : ~0u) & ((1u << n) - 1);
}

static void set_fence(const char *mode)
{
	if (strcmp(mode, "membarrier") != 0 && strcmp(mode, "full") != 0 &&
	    strcmp(mode, "marker") != 0)
		tool_wrong("torture: --fence: no such mode", mode);
	snprintf(setting.fence, sizeof(setting.fence), "%s", mode);
	setenv("HAZPTR_FENCE", mode, 1);
}

static void take_option(int c)
{
	if (c == 's')
		setting.seconds = to_seconds(optarg);
	else if (c == 't')
		setting.threads =
			(unsigned)to_number("threads", optarg, WORKERS_MAX);
	else if (c == 'x')
		setting.seed = to_number("seed", optarg, INT64_MAX);
	else if (c == 'f')
		set_fence(optarg);
	else if (c == 'd')
		setting.faults = to_bits("torture: --faults: no such fault",
					 optarg, fault_name, 1, FAULTS);
	else if (c == 'w')
		setting.workloads =
			to_bits("torture: --workload: no such workload", optarg,
				workload_name, 0, WORKLOADS);
	else if (c == 'j')
		setting.json = true;
	else if (c == 'p')
		setting.progress = true;
}

/* -1: go on; else the exit status. */
static int take_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 'x' },
		{ "fence", required_argument, NULL, 'f' },
		{ "faults", required_argument, NULL, 'd' },
		{ "workload", required_argument, NULL, 'w' },
		{ "json", no_argument, NULL, 'j' },
		{ "progress", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "hazptr torture";
	int c;

	argv[0] = name; /* for getopt's messages */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			fputs(usage, stdout);
		else if (c == '?')
			fputs(usage, stderr);
		if (c == 'h' || c == '?')
			return c == 'h' ? 0 : 2;
		take_option(c);
	}
	if (optind < argc)
		tool_wrong("torture takes no argument", argv[optind]);
	return -1;
}

static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

static void complete_setting(void)
{
	unsigned each = has_fault(OVERCOMMIT) ? OVERFULL : USUAL;

	setting.workloads &= (1u << WORKLOADS) - 1;
	setting.faults &= (1u << FAULTS) - 1;
	if (!setting.threads)
		setting.threads = each * processors();
	if (setting.threads > WORKERS_MAX)
		setting.threads = WORKERS_MAX;
	if (SANITIZED && has_fault(FORK)) {
		fputs("hazptr: torture: fork: skipped: the sanitizer's "
		      "allocator does not survive it\n",
		      stderr);
		setting.faults &= ~(1u << FORK);
	}
}

/* In the child */

static void find_fence(void)
{
	static const char *const modes[] = { "membarrier", "full", "marker" };
	const char *mode = modes[hazptr_fence_mode()];

	if (setting.fence[0] && strcmp(setting.fence, mode) != 0)
		fprintf(stderr, "hazptr: torture: the fence is %s\n", mode);
	snprintf(setting.fence, sizeof(setting.fence), "%s", mode);
}

static int torture(pid_t parent)
{
	const struct workload *of;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return 1;
	op_number(0, &of);
	find_fence();
	fputs("hazptr: torture: ", stderr);
	say_setting();
	return torture_run();
}

/* In the parent */

static uint64_t random_state;

static uint64_t some(uint64_t n)
{
	random_state =
		random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % n;
}

static void nap(uint64_t us)
{
	struct timespec t = { (time_t)(us / 1000000),
			      (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

static bool has_ended(pid_t child, int *status, int flags)
{
	pid_t got;

	do
		got = waitpid(child, status, flags);
	while (got < 0 && errno == EINTR);
	return got == child;
}

/* Stops of all its threads at once, short and long. */
static void stop_now_and_then(pid_t child, int *status)
{
	while (!has_ended(child, status, WNOHANG)) {
		nap(some(some(4) ? 30000 : 200000));
		if (__atomic_load_n(&watched->quiet, __ATOMIC_ACQUIRE) ||
		    __atomic_load_n(&watched->failed, __ATOMIC_ACQUIRE)) {
			has_ended(child, status, 0);
			return;
		}
		kill(child, SIGSTOP);
		nap(some(some(8) ? 2000 : 60000));
		kill(child, SIGCONT);
		watched->stops++;
	}
}

/* Where everybody was; once each. */
static void say_places(void)
{
	unsigned i, k;

	for (i = 0; i < PLACES_MAX && watched->places[i].thread; i++) {
		const struct place *p = &watched->places[i];

		for (k = 0; k < i; k++)
			if (watched->places[k].busy &&
			    watched->places[k].operation == p->operation)
				break;
		if (p->busy && k == i && p->operation)
			fprintf(stderr, "  %s was in %s: %s\n", p->thread,
				p->workload, p->operation);
	}
}

static int supervise(pid_t child)
{
	int status = 0;

	random_state = setting.seed;
	if (has_fault(STOP))
		stop_now_and_then(child, &status);
	else
		has_ended(child, &status, 0);
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? 1 : 0;
	fprintf(stderr, "\nhazptr: torture: FAILED: died of signal %d (%s)\n",
		WTERMSIG(status), strsignal(WTERMSIG(status)));
	say_places();
	fputs("hazptr: torture: with ", stderr);
	say_setting();
	return 1;
}

int tool_torture(int argc, char **argv)
{
	struct timespec t;
	pid_t parent = getpid(), child;
	int status;

	setting.seconds = 10;
	setting.faults = ~1u;
	setting.workloads = ~0u;
	clock_gettime(CLOCK_REALTIME, &t);
	setting.seed = ((uint64_t)t.tv_sec * 1000003u ^ (uint64_t)t.tv_nsec ^
			(uint64_t)parent << 20) &
		       0xffffffffu;
	status = take_options(argc, argv);
	if (status >= 0)
		return status;
	complete_setting();
	watched = mmap(NULL, sizeof(*watched), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (watched == MAP_FAILED) {
		perror("hazptr: torture");
		return 1;
	}
	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("hazptr: torture: fork");
		return 1;
	}
	return child ? supervise(child) : torture(parent);
}
