/* SPDX-License-Identifier: MIT */
/* port/alloc.c - the only malloc of the library */
#include "port.h"

#include <stdlib.h>
#include <string.h>

void *hazptr_alloc_(size_t size)
{
	void *p;

	size = (size + HAZPTR_CACHE_LINE - 1) &
	       ~(size_t)(HAZPTR_CACHE_LINE - 1);
	p = aligned_alloc(HAZPTR_CACHE_LINE, size);
	if (p)
		memset(p, 0, size);
	return p;
}

void *hazptr_alloc_zeroed_(size_t size)
{
	return calloc(1, size);
}

void hazptr_free_(void *p)
{
	free(p);
}
