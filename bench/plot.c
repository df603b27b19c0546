/* SPDX-License-Identifier: MIT */
/*
 * bench/plot.c - bar charts, by gnuplot
 *
 * Each table and number of threads has TABLE-THREADS.dat, .gp, .svg and .png in
 * the user's directory. Gnuplot runs there: the directory's name is neither in
 * a command nor in a script, and no shell is asked.
 */
#define _GNU_SOURCE
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const int colours[] = { [BENCH_PEER] = 0x9aa5b1,
			       [BENCH_WEAKER] = 0xc9b79c,
			       [BENCH_OURS] = 0x1f6fb2,
			       [BENCH_BARE] = 0xd9d9d9 };

static bool failed(const char *what)
{
	fprintf(stderr, "hazptr-bench: %s: %s\n", what, strerror(errno));
	return false;
}

static int open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* In that directory; its output on stdout is left out when quiet. */
static bool run_gnuplot(int directory, const char *argument, bool quiet)
{
	char program[] = "gnuplot", defaults[] = "--default-settings";
	char *last = strdup(argument);
	char *argv[] = { program, defaults, last, NULL };
	posix_spawn_file_actions_t actions;
	int status = 1, error;
	pid_t id;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addfchdir_np(&actions, directory);
	if (quiet)
		posix_spawn_file_actions_addopen(&actions, 1, "/dev/null",
						 O_WRONLY, 0);
	error = posix_spawnp(&id, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(last);
	if (error) {
		fprintf(stderr,
			"hazptr-bench: --plot: cannot run gnuplot: %s (Debian "
			"package gnuplot-nox)\n",
			strerror(error));
		return false;
	}
	while (waitpid(id, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		fprintf(stderr, "hazptr-bench: --plot: gnuplot %s failed\n",
			argument);
	return !status;
}

bool bench_plot_begin(const char *path)
{
	int directory;
	bool runs;

	if (mkdir(path, 0777) && errno != EEXIST)
		return failed(path);
	directory = open_directory(path);
	if (directory < 0)
		return failed(path);
	runs = !faccessat(directory, ".", W_OK | X_OK, 0) || failed(path);
	runs = runs && run_gnuplot(directory, "--version", true);
	close(directory);
	return runs;
}

static FILE *create(int directory, const char *stem, const char *suffix)
{
	char name[64];
	FILE *file;
	int fd;

	snprintf(name, sizeof(name), "%s.%s", stem, suffix);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0666);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		failed(name);
	return file;
}

/* In quotes of gnuplot's, of either kind. */
static void write_quoted(FILE *file, char quote, const char *s)
{
	putc(quote, file);
	for (; *s; s++)
		putc(*s == quote || *s == '\\' ? ' ' : *s, file);
	putc(quote, file);
}

/* Return: how many rows there are; -1: it could not be written. */
static int write_data(int directory, const char *stem,
		      const struct bench_figures *f, unsigned count)
{
	FILE *file = create(directory, stem, "dat");
	double median, low, high;
	int rows = 0;

	if (!file)
		return -1;
	fprintf(file, "# %s, threads %u: %s\n# row median min max colour\n",
		f->table->name, f->counts[count],
		bench_unit_text(f->table->unit));
	for (unsigned row = 0; row < f->table->nrows; row++) {
		const struct bench_series *s = bench_series_of(f, count, row);
		const struct bench_row *r = &f->table->rows[row];

		if (s->missing)
			continue;
		median = bench_median_of(f, s,
					 offsetof(struct bench_sample, value),
					 &low, &high);
		write_quoted(file, '"', r->name);
		fprintf(file, " %.6g %.6g %.6g %d\n", median, low, high,
			colours[r->scheme->kind]);
		rows++;
	}
	return fclose(file) ? -1 : rows;
}

static bool write_script(int directory, const char *stem,
			 const struct bench_figures *f, unsigned count,
			 int rows)
{
	FILE *file = create(directory, stem, "gp");
	char title[256];

	if (!file)
		return false;
	snprintf(title, sizeof(title), "%s, %u thread%s: %s", f->table->name,
		 f->counts[count], f->counts[count] == 1 ? "" : "s",
		 f->table->title);
	fputs("set encoding utf8\nset title ", file);
	write_quoted(file, '\'', title);
	fputs(" noenhanced\nset xlabel ", file);
	write_quoted(file, '\'', bench_unit_text(f->table->unit));
	fprintf(file,
		" noenhanced\n"
		"set xrange [0:*]\nset yrange [%d.5:-0.5]\nset offsets\n"
		"set style fill solid border -1\nset grid x\n"
		"set ytics noenhanced\nset rmargin 10\nunset key\n"
		"data = '%s.dat'\n",
		rows - 1, stem);
	for (unsigned i = 0; i < 2; i++)
		fprintf(file,
			"set terminal %s size 900,%d\nset output '%s.%s'\n"
			"plot data using 2:0:(0):2:($0-0.35):($0+0.35):5:"
			"ytic(1) with boxxyerror linecolor rgb variable, \\\n"
			" data using 2:0:3:4 with xerrorbars linecolor 'black' "
			"pointtype 0, \\\n"
			" data using 4:0:(sprintf('  %%.3g', $2)) with labels "
			"left\n",
			i ? "png" : "svg", 120 + 30 * rows, stem,
			i ? "png" : "svg");
	return !fclose(file);
}

static bool plot_block(int directory, const struct bench_figures *f,
		       unsigned count)
{
	char stem[48], script[56];
	int rows;

	snprintf(stem, sizeof(stem), "%s-%u", f->table->name, f->counts[count]);
	snprintf(script, sizeof(script), "%s.gp", stem);
	rows = write_data(directory, stem, f, count);
	if (!rows)
		return true;
	if (rows < 0 || !write_script(directory, stem, f, count, rows))
		return failed(script);
	return run_gnuplot(directory, script, false);
}

bool bench_plot(const char *path, const struct bench_figures *f, unsigned n)
{
	int directory = open_directory(path);
	bool done = directory >= 0 || failed(path);

	for (unsigned i = 0; i < n && done; i++)
		for (unsigned c = 0; c < f[i].ncounts && done; c++)
			done = plot_block(directory, &f[i], c);
	if (directory >= 0)
		close(directory);
	return done;
}
