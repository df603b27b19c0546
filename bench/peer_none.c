/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_none.c - libcds, where there is no libcds or no C++ compiler
 */
#include "bench.h"

const struct bench_scheme bench_cds = { .name = "libcds" };
