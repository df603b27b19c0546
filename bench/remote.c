/* SPDX-License-Identifier: MIT */
/*
 * bench/remote.c - rows that the other program measures
 *
 * A program is linked to the static library or to the shared one, not to both,
 * and the environment is read once, but rows of one table have to be measured
 * in turns. So hazptr-bench starts hazptr-bench-shared --serve, which stands
 * beside it, or itself with another environment, and asks it for one
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
#define CHILDREN 16
#define SETTINGS 4 /* at most, in one row's environment */

extern char **environ;

/* What a row wants of the program that measures it is what tells them apart. */
struct child {
	bool shared;
	const char *setting;
	FILE *to, *from;
	pid_t id;
	bool failed;
};

static struct child children[CHILDREN];
static unsigned nchildren;

bool bench_remote_can(void)
{
#ifdef BENCH_SHARED
	return false;
#else
	return true;
#endif
}

/* This program, or the one of that name beside it. */
static bool find_program(char *path, size_t size, bool shared)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *name;

	if (n < 0)
		return false;
	path[n] = 0;
	name = strrchr(path, '/');
	if (!name || (size_t)(name + 1 - path) + sizeof(PROGRAM) > size)
		return false;
	if (shared)
		strcpy(name + 1, PROGRAM);
	return !access(path, X_OK);
}

/* In the child's environment only: "NAME=VALUE NAME=VALUE". */
static char **make_environment(char *settings)
{
	size_t n = 0, used = 0;
	char **all, *one;

	while (environ[n])
		n++;
	all = bench_alloc((n + SETTINGS + 1) * sizeof(*all));
	while (settings && used < SETTINGS && (one = strsep(&settings, " ")))
		all[used++] = one;
	memcpy(&all[used], environ, (n + 1) * sizeof(*all));
	return all;
}

static bool spawn(struct child *c, char *path, int in, int out)
{
	char *settings = c->setting ? strdup(c->setting) : NULL;
	char **environment = make_environment(settings);
	char serve[] = "--serve";
	char *argv[] = { path, serve, NULL };
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	error = posix_spawn(&c->id, path, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	free(environment);
	free(settings);
	return !error;
}

static bool start(struct child *c)
{
	int there[2], back[2];
	char path[4096];

	if (!find_program(path, sizeof(path), c->shared))
		return false;
	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		return false;
	signal(SIGPIPE, SIG_IGN);
	if (!spawn(c, path, there[0], back[1]))
		return false;
	close(there[0]);
	close(back[1]);
	c->to = fdopen(there[1], "w");
	c->from = fdopen(back[0], "r");
	return c->to && c->from;
}

static struct child *child_of(const struct bench_row *row)
{
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (c->shared == row->shared &&
		    !strcmp(c->setting ? c->setting : "",
			    row->setting ? row->setting : ""))
			return c;
	if (nchildren == CHILDREN)
		return NULL;
	nchildren++;
	c->shared = row->shared;
	c->setting = row->setting;
	c->failed = !start(c);
	return c;
}

bool bench_remote_measure(const struct bench_table *table, unsigned row,
			  unsigned threads, double seconds,
			  struct bench_sample *out)
{
	struct child *c = child_of(&table->rows[row]);

	if (!c || c->failed)
		return false;
	c->failed = true;
	fprintf(c->to, "%s %u %u %g\n", table->name, row, threads, seconds);
	if (fflush(c->to))
		return false;
	if (fscanf(c->from, "%lf %lf %lf %lf", &out->value, &out->wall,
		   &out->peak, &out->share) != 4)
		return false;
	c->failed = false;
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
	struct child *c;

	for (c = children; c < children + nchildren; c++) {
		if (c->to)
			fclose(c->to);
		if (c->from)
			fclose(c->from);
		if (c->id > 0)
			waitpid(c->id, NULL, 0);
	}
}
