/* SPDX-License-Identifier: MIT */
/* tools/hazptr/main.c - hazptr: the command */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "info", tool_info, "what this machine offers, and what is in use" },
	{ "bench", tool_bench, "measure the library beside its peers" },
	{ "torture", tool_torture, "use everything at once, and check" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	fputs("usage: hazptr COMMAND [OPTION]...\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name,
			commands[i].what);
	fputs("  --version  print the version\n"
	      "  --help     this; hazptr COMMAND --help: its options\n\n"
	      "Exit status: 0; 1 when something failed; 2 for wrong usage.\n",
	      out);
}

void tool_wrong(const char *what, const char *value)
{
	fprintf(stderr, "hazptr: %s: %s\n", what, value);
	fputs("hazptr: see hazptr --help\n", stderr);
	exit(2);
}

/* What went to a full disk or a closed pipe was not said. */
static int finish(int status)
{
	if (fclose(stdout)) {
		perror("hazptr: standard output");
		return status ? status : 1;
	}
	return status;
}

static int run(int argc, char **argv)
{
	bool lone = argc == 2;

	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (lone && !strcmp(argv[1], "--help")) {
		usage(stdout);
		return 0;
	}
	if (lone && !strcmp(argv[1], "--version")) {
		puts("hazptr " TOOL_VERSION);
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "--version"))
		tool_wrong("takes no argument", argv[1]);
	tool_wrong(argv[1][0] == '-' ? "no such option" : "no such command",
		   argv[1]);
}

int main(int argc, char **argv)
{
	return finish(run(argc, argv));
}
