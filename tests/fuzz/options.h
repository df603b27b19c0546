/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/options.h - the command line of a program
 *
 * Each line of the input is an argument. A file that includes this has
 * included the program's own, with exit and main renamed, and says how to
 * parse and what the program would go on with. Wrong usage is exit status 2
 * and a line that says so; nothing else ends the program here but --help.
 */
#ifndef HAZPTR_TESTS_FUZZ_OPTIONS_H
#define HAZPTR_TESTS_FUZZ_OPTIONS_H

#include "capture.h"

#include <getopt.h>
#include <setjmp.h>
#include <string.h>

#define ARGUMENTS 32
enum { WENT_ON = -1 };

/* The status with which it wants to end; WENT_ON: it has not. */
static int fuzz_parse(int argc, char **argv);
static void fuzz_check(int argc, char **argv);

static jmp_buf leave;
static int status;

_Noreturn void fuzz_exit(int with);
_Noreturn void fuzz_exit(int with)
{
	status = with;
	longjmp(leave, 1);
}

static void check_end(const char *text)
{
	must(status == 0 || status == 2);
	must(text[0]);
	if (status == 2)
		must(strchr(text, '\n'));
}

static void run_caught(int argc, char **argv)
{
	optind = 0; /* getopt begins anew */
	capture_begin();
	if (!setjmp(leave))
		status = fuzz_parse(argc, argv);
	capture_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char program[] = "program";
	char *argv[ARGUMENTS + 2] = { program }, *text, *rest, *copy;
	int argc = 1;

	rest = text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	while (size && argc <= ARGUMENTS && (copy = strsep(&rest, "\n")))
		argv[argc++] = copy;
	run_caught(argc, argv);
	if (status == WENT_ON)
		fuzz_check(argc, argv);
	else
		check_end(capture.text);
	free(text);
	return 0;
}

#endif /* HAZPTR_TESTS_FUZZ_OPTIONS_H */
