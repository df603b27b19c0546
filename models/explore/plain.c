/* SPDX-License-Identifier: MIT */
/*
 * explore/plain.c - races of plain accesses
 *
 * The compiler's thread sanitizer calls these functions for each plain access;
 * the library's atomic ones do not come here. Two accesses of a word of which
 * one writes, one is plain, and none happens before the other, are a race; so
 * is an access to memory that is freed without an order between them.
 *
 * Source: Flanagan, Freund, "FastTrack", 2009; with full clocks of readers.
 */
#include "engine.h"

#include <string.h>

#define TABLE 32768
#define GRAIN 4

struct shadow {
	uint64_t run;
	uintptr_t key;
	uint8_t writer;
	uint32_t written;
	uint32_t read[EX_MAX];
	struct location *loc;
};

static struct shadow table[TABLE];
static uint64_t run = 1;
static unsigned filled;

void plain_reset(void)
{
	run++;
	filled = 0;
}

static struct shadow *find(uintptr_t key)
{
	size_t k = (key * 0x9E3779B97F4A7C15u) >> 40;

	while (table[k % TABLE].run == run && table[k % TABLE].key != key)
		k++;
	return &table[k % TABLE];
}

static struct shadow *shadow_of(const char *p)
{
	uintptr_t key = (uintptr_t)p / GRAIN;
	struct shadow *s = find(key);

	if (s->run == run)
		return s;
	if (++filled > TABLE / 2)
		fail("too many plain accesses for the explorer's table");
	memset(s, 0, sizeof(*s));
	s->run = run;
	s->key = key;
	return s;
}

static bool after(int tid, uint32_t clock)
{
	return clock <= SELF->now.hb[tid] || tid == ex.self;
}

static _Noreturn void race(const char *what, const char *p, int other)
{
	char name[96];

	heap_name(p, name, sizeof(name));
	fail("race at %s: %s, not ordered with an access of thread %c", name,
	     what, 'a' + other);
}

static void check_writer(const struct shadow *s, const char *p,
			 const char *what)
{
	if (s->written && !after(s->writer, s->written))
		race(what, p, s->writer);
}

static void check_readers(const struct shadow *s, const char *p,
			  const char *what)
{
	int u;

	for (u = 0; u < EX_MAX; u++)
		if (s->read[u] && !after(u, s->read[u]))
			race(what, p, u);
}

static void check_atomics(const uint32_t *clocks, const char *p,
			  const char *what)
{
	int u;

	for (u = 0; u < EX_MAX; u++)
		if (clocks[u] && !after(u, clocks[u]))
			race(what, p, u);
}

static bool is_watched(const void *p)
{
	return ex.phase != STOPPED && ex.self >= 0 && !is_thread_local(p);
}

static void plain_read(const char *p, size_t size)
{
	const char *end = p + size;

	if (!is_watched(p))
		return;
	heap_check(p, size, "a plain read");
	for (p -= (uintptr_t)p % GRAIN; p < end; p += GRAIN) {
		struct shadow *s = shadow_of(p);

		check_writer(s, p, "a plain read");
		if (s->loc)
			check_atomics(s->loc->written, p, "a plain read");
		s->read[ex.self] = SELF->clock;
	}
}

static void note_write(struct shadow *s)
{
	s->writer = (uint8_t)ex.self;
	s->written = SELF->clock;
	if (s->loc) {
		s->loc->is_dirty = true;
		s->loc->dirty_tid = (uint8_t)ex.self;
		s->loc->dirty_clock = SELF->clock;
	}
}

static void written(const char *p, size_t size, const char *what)
{
	const char *end = p + size;

	for (p -= (uintptr_t)p % GRAIN; p < end; p += GRAIN) {
		struct shadow *s = shadow_of(p);

		check_writer(s, p, what);
		check_readers(s, p, what);
		if (s->loc)
			check_atomics(s->loc->accessed, p, what);
		note_write(s);
	}
}

static void plain_write(const char *p, size_t size)
{
	if (!is_watched(p))
		return;
	heap_check(p, size, "a plain write");
	written(p, size, "a plain write");
	if (is_image(p) || heap_has(p))
		lock_changing();
}

/* An atomic access, before it is done. */
void plain_atomic(struct location *loc, bool writes)
{
	uint32_t clock = SELF->clock;
	const char *p = loc->addr;
	unsigned i;

	heap_check(p, loc->size, "an atomic access");
	for (i = 0; i < loc->size; i += GRAIN) {
		struct shadow *s = shadow_of(p + i);

		check_writer(s, p, "an atomic access");
		if (writes)
			check_readers(s, p, "an atomic write");
	}
	loc->accessed[ex.self] = clock;
	if (writes)
		loc->written[ex.self] = clock;
}

/* Plain accesses there concern the location from now on. */
void plain_bind(struct location *loc)
{
	unsigned i;

	for (i = 0; i < loc->size; i += GRAIN)
		shadow_of(loc->addr + i)->loc = loc;
}

/* Only what somebody has touched can be in a race. */
void plain_free(char *p, size_t size)
{
	char *end = p + size;

	for (; p < end; p += GRAIN)
		if (find((uintptr_t)p / GRAIN)->run == run)
			written(p, GRAIN, "freed");
}

/* Memory that serves again, after whoever freed it. */
void plain_fresh(char *p, size_t size)
{
	char *end = p + size;

	for (; p < end; p += GRAIN) {
		struct shadow *s = find((uintptr_t)p / GRAIN);

		if (s->run == run)
			note_write(s);
	}
}

/* What the compiler calls. */

#define ACCESS(n)                                      \
	void __tsan_read##n(const void *p);            \
	void __tsan_write##n(const void *p);           \
	void __tsan_unaligned_read##n(const void *p);  \
	void __tsan_unaligned_write##n(const void *p); \
	void __tsan_read##n(const void *p)             \
	{                                              \
		plain_read(p, n);                      \
	}                                              \
	void __tsan_write##n(const void *p)            \
	{                                              \
		plain_write(p, n);                     \
	}                                              \
	void __tsan_unaligned_read##n(const void *p)   \
	{                                              \
		plain_read(p, n);                      \
	}                                              \
	void __tsan_unaligned_write##n(const void *p)  \
	{                                              \
		plain_write(p, n);                     \
	}
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_init(void);
void __tsan_read_range(const void *p, size_t size);
void __tsan_write_range(const void *p, size_t size);
void *ex_memset(void *p, int c, size_t n);
void *ex_memcpy(void *p, const void *q, size_t n);

void __tsan_init(void)
{
}

void __tsan_read_range(const void *p, size_t size)
{
	plain_read(p, size);
}

void __tsan_write_range(const void *p, size_t size)
{
	plain_write(p, size);
}

void *ex_memset(void *p, int c, size_t n)
{
	plain_write(p, n);
	return memset(p, c, n);
}

void *ex_memcpy(void *p, const void *q, size_t n)
{
	plain_read(q, n);
	plain_write(p, n);
	return memcpy(p, q, n);
}
