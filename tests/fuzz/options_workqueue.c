/* SPDX-License-Identifier: MIT */
/* tests/fuzz/options_workqueue.c - the command line of examples/workqueue */
#define exit fuzz_exit
#define main workqueue_main
int workqueue_main(int argc, char **argv);
#include "../../examples/workqueue/main.c"
#undef exit

#include "options.h"

static struct run now;

static int fuzz_parse(int argc, char **argv)
{
	now = (struct run){ .rounds = 9,
			    .work = { .piece = 1024, .workers = 1 } };
	parse_options(&now, argc, argv);
	return WENT_ON;
}

static void fuzz_check(int argc, char **argv)
{
	(void)argv;
	must(now.work.workers >= 1 && now.work.workers <= MAX_WORKERS);
	must(now.rounds >= 1 && now.rounds <= MAX_ROUNDS);
	must(now.work.times <= 1000000);
	must(now.work.piece >= 1 && now.work.piece <= 1 << 30);
	must(optind < argc);
}
