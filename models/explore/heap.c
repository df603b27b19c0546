/* SPDX-License-Identifier: MIT */
/*
 * explore/heap.c - memory that is watched
 *
 * Each thread has an arena of its own, so that addresses do not depend on the
 * order of the threads. Freed memory is filled with garbage and, unless the
 * client says EX_REUSE, not used again in the run. With it the thread that
 * freed a block gets it at once when it asks for the same size.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "explore.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE 64
#define ARENA (256 * 1024)
#define LINES (ARENA / LINE)
#define BLOCKS 512
#define GARBAGE 0xa5
#define FREED 0xdd

struct block {
	char *begin;
	size_t size;
	bool is_free, is_client;
	int freed_by;
	uint64_t freed_at;
};

static struct arena {
	size_t used; /* lines */
	int n;
	struct block blocks[BLOCKS];
	uint16_t block_of[LINES]; /* 1 + its number; 0: none */
} arenas[EX_MAX];

static char *memory;

void heap_start(void)
{
	memory = mmap(NULL, (size_t)EX_MAX * ARENA, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("explore: heap");
		exit(2);
	}
}

void heap_reset(void)
{
	int i;

	for (i = 0; i < EX_MAX; i++) {
		memset(arenas[i].block_of, 0,
		       arenas[i].used * sizeof(arenas[i].block_of[0]));
		arenas[i].used = 0;
		arenas[i].n = 0;
	}
}

static struct arena *arena_of(const void *p, size_t *line)
{
	const char *c = p;

	if (c < memory || c >= memory + (size_t)EX_MAX * ARENA)
		return NULL;
	*line = (size_t)(c - memory) % ARENA / LINE;
	return &arenas[(c - memory) / ARENA];
}

bool heap_has(const void *p)
{
	size_t line;

	return arena_of(p, &line) != NULL;
}

static struct block *block_of(const void *p)
{
	size_t line;
	struct arena *a = arena_of(p, &line);

	if (!a || !a->block_of[line])
		return NULL;
	return &a->blocks[a->block_of[line] - 1];
}

static void *used_again(size_t size, bool is_client)
{
	struct arena *a = &arenas[ex.self];
	int i;

	for (i = a->n - 1; i >= 0; i--) {
		struct block *b = &a->blocks[i];

		if (!b->is_free || b->size != size || b->freed_by != ex.self)
			continue;
		b->is_free = false;
		b->is_client = is_client;
		memset(b->begin, is_client ? GARBAGE : 0, size);
		plain_fresh(b->begin, size);
		return b->begin;
	}
	return NULL;
}

void *heap_alloc(size_t size, bool is_client)
{
	struct arena *a = &arenas[ex.self];
	size_t n = (size + LINE - 1) / LINE, i;
	struct block *b;
	void *p = NULL;

	if (ex.client->flags & EX_REUSE)
		p = used_again(size, is_client);
	if (p)
		return p;
	if (a->used + n + 1 > LINES || a->n == BLOCKS)
		fail("the explorer's heap is too small");
	b = &a->blocks[a->n++];
	*b = (struct block){ .begin = memory + (a - arenas) * ARENA +
				      a->used * LINE,
			     .size = size,
			     .is_client = is_client };
	for (i = 0; i < n; i++)
		a->block_of[a->used++] = (uint16_t)a->n;
	a->used++; /* a line that is nobody's */
	memset(b->begin, is_client ? GARBAGE : 0, n * LINE);
	return b->begin;
}

void heap_free(void *p)
{
	struct block *b = block_of(p);
	char name[96];

	if (!p)
		return;
	if (!b || b->begin != (char *)p || b->is_free) {
		heap_name(p, name, sizeof(name));
		fail("%s: %s", b && b->is_free ? "freed twice" : "bad free",
		     name);
	}
	plain_free(b->begin, b->size);
	b->is_free = true;
	b->freed_by = ex.self;
	b->freed_at = ex.steps;
	memset(b->begin, FREED, b->size);
}

void heap_check(const void *p, size_t size, const char *what)
{
	struct block *b;
	char name[96];
	size_t line;

	if (!arena_of(p, &line))
		return;
	b = block_of(p);
	if (b && !b->is_free && (const char *)p + size <= b->begin + b->size)
		return;
	heap_name(p, name, sizeof(name));
	if (!b || !b->is_free)
		fail("%s outside of all blocks: %s", what, name);
	fail("use after free: %s of %s, freed by thread %c in step %lu", what,
	     name, 'a' + b->freed_by, (unsigned long)b->freed_at);
}

void heap_check_leaks(bool all)
{
	char name[96];
	int i, k;

	for (i = 0; i < EX_MAX; i++)
		for (k = 0; k < arenas[i].n; k++) {
			const struct block *b = &arenas[i].blocks[k];

			if (b->is_free || (!b->is_client && !all))
				continue;
			heap_name(b->begin, name, sizeof(name));
			fail("never freed: %s, %zu bytes", name, b->size);
		}
}

/* "b2+16": the third block of thread b; "symbol+8"; or an address. */
size_t heap_name(const void *p, char *text, size_t size)
{
	struct block *b = block_of(p);
	size_t line;
	struct arena *a = arena_of(p, &line);
	Dl_info info;

	if (b)
		return (size_t)snprintf(text, size, "%c%d+%d",
					(char)('a' + (a - arenas)),
					(int)(b - a->blocks),
					(int)((const char *)p - b->begin));
	if (is_image(p) && dladdr(p, &info) && info.dli_saddr)
		return (size_t)snprintf(
			text, size, "%s+%d", info.dli_sname,
			(int)((const char *)p - (char *)info.dli_saddr));
	return (size_t)snprintf(text, size, "%p", p);
}
