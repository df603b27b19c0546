/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/replay.c - one target, and the bytes of files
 *
 *	fuzz_TARGET FILE|DIRECTORY...
 *
 * In place of libFuzzer, with any compiler: for the corpus, and for a file
 * that libFuzzer has left. A failure names the file.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char current[4096];
static unsigned runs;

static void say_which(int signal_number)
{
	static const char text[] = "replay: that was ";
	size_t n = strlen(current);

	current[n] = '\n';
	if (write(2, text, sizeof(text) - 1) < 0 ||
	    write(2, current, n + 1) < 0)
		_exit(1);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void cannot(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	exit(2);
}

static void run_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "re");
	uint8_t *data;

	/* As many bytes as there are, so that a read beyond them is found. */
	data = malloc(size ? size : 1);
	if (!file || !data || fread(data, 1, size, file) != size)
		cannot(path);
	fclose(file);
	snprintf(current, sizeof(current) - 1, "%s", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	runs++;
}

static void run_path(const char *path)
{
	char inner[2048];
	struct dirent *entry;
	struct stat about;
	DIR *directory;

	if (stat(path, &about))
		cannot(path);
	if (!S_ISDIR(about.st_mode)) {
		run_file(path, (size_t)about.st_size);
		return;
	}
	directory = opendir(path);
	if (!directory)
		cannot(path);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		run_path(inner);
	}
	closedir(directory);
}

int main(int argc, char **argv)
{
	signal(SIGABRT, say_which);
	signal(SIGSEGV, say_which);
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("%u inputs\n", runs);
	return runs ? 0 : 1;
}
