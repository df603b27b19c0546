/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_none.c - the peers in C++, where they or a compiler are missing
 */
#include "bench.h"

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
