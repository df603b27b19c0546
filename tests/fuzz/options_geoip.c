/* SPDX-License-Identifier: MIT */
/* tests/fuzz/options_geoip.c - the command line of examples/geoip */
#define exit fuzz_exit
#define main geoip_main
int geoip_main(int argc, char **argv);
#include "../../examples/geoip/main.c"
#undef exit

#include "options.h"

static struct options now;

static int fuzz_parse(int argc, char **argv)
{
	now = (struct options){ .run = { .rounds = 20,
					 .seconds = 15,
					 .threads = 1,
					 .reload_rate = 10 } };
	parse_options(&now, argc, argv);
	return WENT_ON;
}

static void fuzz_check(int argc, char **argv)
{
	const struct run *r = &now.run;

	must(r->threads >= 1 && r->threads <= MAX_READERS);
	must(r->rounds >= 1 && r->rounds <= MAX_ROUNDS);
	must(r->seconds >= .01 && r->seconds <= 1e6);
	must(r->reload_rate >= 0 && r->reload_rate <= 1e6);
	must(now.files.n >= 0 && now.files.n < argc);
	must(now.files.path + now.files.n == argv + argc);
}
