/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_none.c - peers that are missing, or their compiler is
 */
#include "bench.h"

#ifndef BENCH_URCU
#define FLAVOUR(f)                                                           \
	const struct bench_scheme bench_urcu_##f = { .name = "liburcu-" #f,  \
						     .kind = BENCH_WEAKER }; \
	const struct bench_scheme bench_defer_##f = { .name = "liburcu-" #f, \
						      .kind = BENCH_WEAKER }
FLAVOUR(memb);
FLAVOUR(qsbr);
FLAVOUR(mb);
FLAVOUR(bp);
FLAVOUR(called_memb);
const struct bench_scheme bench_urcu_refs = { .name = "liburcu-memb",
					      .kind = BENCH_WEAKER };
#endif

#ifndef BENCH_CDS
const struct bench_scheme bench_cds = { .name = "libcds" };
#endif

#ifndef BENCH_STD
const struct bench_scheme bench_std = { .name = "libstdc++" };
#endif

#ifndef BENCH_BOOST
const struct bench_scheme bench_boost = { .name = "Boost" };
#endif

#ifndef BENCH_ABSL
const struct bench_scheme bench_absl = { .name = "abseil" };
#endif

#ifndef BENCH_STD_WAIT
const struct bench_scheme bench_std_wait = { .name = "std::atomic" };
#endif
