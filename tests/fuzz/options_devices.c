/* SPDX-License-Identifier: MIT */
/* tests/fuzz/options_devices.c - the command line of examples/devices */
#define exit fuzz_exit
#define main devices_main
int devices_main(int argc, char **argv);
#include "../../examples/devices/main.c"
#undef exit

#include "options.h"

static struct run now;

static int fuzz_parse(int argc, char **argv)
{
	now = (struct run){ .rounds = 15, .seconds = 6, .threads = 1 };
	parse_options(&now, argc, argv);
	return WENT_ON;
}

static void fuzz_check(int argc, char **argv)
{
	(void)argv;
	must(now.threads >= 1 && now.threads <= MAX_THREADS);
	must(now.rounds >= 1 && now.rounds <= MAX_ROUNDS);
	must(now.seconds >= .01 && now.seconds <= 1e6);
	must(optind == argc);
}
