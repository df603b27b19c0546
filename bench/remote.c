/* SPDX-License-Identifier: MIT */
/*
 * bench/remote.c - rows that the other program measures
 *
 * A program is linked to the static library or to the shared one, not to both,
 * but rows of one table have to be measured in turns. So hazptr-bench starts
 * hazptr-bench-shared --serve, which stands beside it, and asks it for one
 * measurement at a time:
 *
 *	-> table row threads seconds
 *	<- value wall peak share
 */
#define _GNU_SOURCE
#include "run.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "hazptr-bench-shared"

extern char **environ;

static FILE *to, *from;
static pid_t child = -1;
static bool failed;

bool bench_remote_can(void)
{
#ifdef BENCH_SHARED
	return false;
#else
	return true;
#endif
}

/* The program of that name beside this one. */
static bool find_program(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *name;

	if (n < 0)
		return false;
	path[n] = 0;
	name = strrchr(path, '/');
	if (!name || (size_t)(name + 1 - path) + sizeof(PROGRAM) > size)
		return false;
	strcpy(name + 1, PROGRAM);
	return !access(path, X_OK);
}

static bool spawn(char *path, int in, int out)
{
	char serve[] = "--serve";
	char *argv[] = { path, serve, NULL };
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	error = posix_spawn(&child, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return !error;
}

static bool start(void)
{
	int there[2], back[2];
	char path[4096];

	if (!find_program(path, sizeof(path)))
		return false;
	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		return false;
	signal(SIGPIPE, SIG_IGN);
	if (!spawn(path, there[0], back[1]))
		return false;
	close(there[0]);
	close(back[1]);
	to = fdopen(there[1], "w");
	from = fdopen(back[0], "r");
	return to && from;
}

bool bench_remote_measure(const struct bench_table *table, unsigned row,
			  unsigned threads, double seconds,
			  struct bench_sample *out)
{
	if (failed)
		return false;
	failed = true;
	if (!to && !start())
		return false;
	fprintf(to, "%s %u %u %g\n", table->name, row, threads, seconds);
	if (fflush(to))
		return false;
	if (fscanf(from, "%lf %lf %lf %lf", &out->value, &out->wall, &out->peak,
		   &out->share) != 4)
		return false;
	failed = false;
	return true;
}

void bench_remote_serve(struct bench_table *const *tables, unsigned n)
{
	unsigned row, threads;
	double seconds;
	char name[16];

	while (scanf("%15s %u %u %lf", name, &row, &threads, &seconds) == 4) {
		struct bench_sample s;
		unsigned i;

		for (i = 0; i < n && strcmp(tables[i]->name, name); i++)
			;
		if (i == n || row >= tables[i]->nrows ||
		    threads > BENCH_THREADS)
			return;
		bench_measure(tables[i], &tables[i]->rows[row], threads,
			      seconds, &s);
		printf("%.17g %.17g %.17g %.17g\n", s.value, s.wall, s.peak,
		       s.share);
		fflush(stdout);
	}
}

void bench_remote_close(void)
{
	if (to)
		fclose(to);
	if (from)
		fclose(from);
	if (child > 0)
		waitpid(child, NULL, 0);
}
