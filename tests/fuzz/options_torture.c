/* SPDX-License-Identifier: MIT */
/* tests/fuzz/options_torture.c - the command line of hazptr torture */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

_Noreturn void fuzz_exit(int with);
char *fuzz_strdup(const char *text);
void fuzz_free(void *text);
#undef _GNU_SOURCE /* command.c has its own */
#define exit fuzz_exit
#define strdup fuzz_strdup
#define free fuzz_free
#include "../../tools/hazptr/torture/command.c"
#undef exit
#undef strdup
#undef free

#include "options.h"

/* As much of the torture as its options need. */
#define WORKLOAD(what) const struct workload what##_workload = { .name = #what }
WORKLOAD(guards);
WORKLOAD(contexts);
WORKLOAD(retire);
WORKLOAD(refs);
WORKLOAD(shared);
WORKLOAD(futex);
WORKLOAD(locks);
__thread struct worker *self;
bool is_child;

int torture_run(void)
{
	abort();
}

struct op *op_number(unsigned i, const struct workload **of)
{
	(void)i;
	(void)of;
	abort();
}

void tool_wrong(const char *what, const char *value)
{
	fprintf(stderr, "hazptr: %s: %s\n", what, value);
	fuzz_exit(2);
}

/* The program may end with one of these in its hands. */
static char *kept;

char *fuzz_strdup(const char *text)
{
	char *copy;

	free(kept);
	copy = malloc(strlen(text) + 1);
	must(copy);
	return kept = strcpy(copy, text);
}

void fuzz_free(void *text)
{
	must(text == kept);
	free(kept);
	kept = NULL;
}

static int fuzz_parse(int argc, char **argv)
{
	int end;

	setting = (struct setting){ .seconds = 10,
				    .faults = ~1u,
				    .workloads = ~0u };
	end = take_options(argc, argv);
	if (end < 0)
		complete_setting();
	return end < 0 ? WENT_ON : end;
}

static void fuzz_check(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	must(setting.seconds > 0 && setting.seconds <= 1e7);
	must(setting.threads >= 1 && setting.threads <= WORKERS_MAX);
	must(setting.seed <= INT64_MAX);
	must(!(setting.faults & 1) && !(setting.faults >> FAULTS));
	must(setting.workloads && !(setting.workloads >> WORKLOADS));
	must(strlen(setting.fence) < sizeof(setting.fence));
}
