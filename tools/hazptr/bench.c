/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/bench.c - hazptr bench
 *
 * Becomes hazptr-bench, which knows its own options: the one of the same build
 * tree, or of the same installation. The command itself needs no peer.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUILT "/tools/hazptr" /* where the command is in a build tree */

/* The directory that this program is in; false: it cannot be told. */
static bool find_here(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *name;

	if (n < 0 || (size_t)n == size - 1)
		return false;
	path[n] = '\0';
	name = strrchr(path, '/');
	if (!name)
		return false;
	*name = '\0';
	return true;
}

static bool is_built(const char *here)
{
	size_t n = strlen(here), tail = strlen(BUILT);

	return n >= tail && !strcmp(here + n - tail, BUILT);
}

int tool_bench(int argc, char **argv)
{
	static char name[] = "hazptr-bench";
	char here[PATH_MAX], path[2 * PATH_MAX];

	(void)argc;
	if (!find_here(here, sizeof(here))) {
		perror("hazptr: bench: cannot tell where this program is");
		return 1;
	}
	snprintf(path, sizeof(path), "%s/%s/hazptr-bench", here,
		 is_built(here) ? "../../bench" : HAZPTR_LIBEXEC);
	argv[0] = name;
	execv(path, argv);
	fprintf(stderr,
		"hazptr: bench: cannot run %s: %s\n"
		"hazptr: bench: it is built with -DHAZPTR_BUILD_BENCH=ON, or "
		"by make bench\n",
		path, strerror(errno));
	return 1;
}
