/* SPDX-License-Identifier: MIT */
/* bench/memory.c - what malloc has given out */
#define _GNU_SOURCE
#include "bench.h"

#include <math.h>

#ifdef BENCH_MALLINFO

#include <malloc.h>

double bench_memory_used(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)m.uordblks + (double)m.hblkhd;
}

/* Also makes the next look short: long lists of free blocks are joined. */
void bench_memory_trim(void)
{
	malloc_trim(0);
}

#else

double bench_memory_used(void)
{
	return NAN;
}

void bench_memory_trim(void)
{
}

#endif
