/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/options_hazptr.c - the command line of the hazptr command
 *
 * Of the command itself and of `info`; other subcommands are not run here.
 */
#define _GNU_SOURCE
#define exit fuzz_exit
#define main hazptr_main
#define tool_bench other_command
#define tool_torture other_command
#define tool_top other_command
int hazptr_main(int argc, char **argv);
#include "../../tools/hazptr/main.c"
#undef exit

#include "options.h"

static const char *called;

int other_command(int argc, char **argv)
{
	must(argc >= 1 && !argv[argc]);
	called = argv[0];
	return WENT_ON;
}

static int fuzz_parse(int argc, char **argv)
{
	return run(argc, argv);
}

static void fuzz_check(int argc, char **argv)
{
	must(argc >= 2 && called == argv[1]);
}
