/* SPDX-License-Identifier: MIT */
/* explore/pool.c - the engine's memory, all of it given back after each run */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE ((size_t)64 << 20)

static char *pool;
static size_t used;

void pool_reset(void)
{
	used = 0;
}

void *pool_take(size_t size)
{
	void *p;

	if (!pool) {
		pool = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pool == MAP_FAILED) {
			perror("explore: pool");
			exit(2);
		}
	}
	size = (size + 15) & ~(size_t)15;
	if (used + size > SIZE)
		fail("the explorer has no memory for a run as long as this");
	p = pool + used;
	used += size;
	return memset(p, 0, size);
}
