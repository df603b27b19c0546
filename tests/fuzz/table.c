/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/table.c - the table files of examples/geoip
 *
 * The bytes are a file. Either it is refused with a line that names file and
 * line; or every answer is the one of the example's reference, which shares
 * neither the parser nor the search.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include "../../examples/geoip/reference.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROBES 64

static char path[64];
static int file = -1;

static void write_file(const uint8_t *data, size_t size)
{
	if (file < 0) {
		file = memfd_create("table", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	must(!ftruncate(file, 0));
	must(pwrite(file, data, size, 0) == (ssize_t)size);
}

static void check_problem(const struct problem *p)
{
	size_t n = strlen(path);

	must(!strncmp(p->text, path, n) && p->text[n] == ':');
	must(strlen(p->text) < sizeof(p->text));
	for (const char *c = p->text; *c; c++)
		must(*c >= ' ' && *c <= '~');
}

static bool is_above(struct key6 a, struct key6 b)
{
	return a.high > b.high || (a.high == b.high && a.low > b.low);
}

static struct address shift(struct address a, int by)
{
	uint64_t low = a.low + (uint64_t)by;

	if (!a.is_v6)
		return (struct address){ .low = (uint32_t)low };
	if (by > 0)
		a.high += low < a.low;
	else if (by < 0)
		a.high -= low > a.low;
	a.low = low;
	return a;
}

/* The edges of ranges, and what is beside them. */
static size_t choose_probes(const struct table *t, struct address *probe)
{
	size_t n = 0, all = t->n4 + t->n6;
	size_t step = all / (PROBES / 6) + 1;

	for (size_t i = 0; i < all && n + 6 <= PROBES; i += step) {
		struct address start, end;

		if (i < t->n4) {
			start = (struct address){ .low = t->v4[i].start };
			end = (struct address){ .low = t->v4[i].end };
		} else {
			const struct range6 *r = &t->v6[i - t->n4];

			start = (struct address){ r->start.high, r->start.low,
						  true };
			end = (struct address){ r->end.high, r->end.low, true };
		}
		for (int by = -1; by <= 1; by++) {
			probe[n++] = shift(start, by);
			probe[n++] = shift(end, by);
		}
	}
	return n;
}

/* In ascending order, and apart. */
static void check_order(const struct table *t)
{
	for (size_t i = 0; i < t->n4; i++) {
		must(t->v4[i].start <= t->v4[i].end);
		must(!i || t->v4[i - 1].end < t->v4[i].start);
	}
	for (size_t i = 0; i < t->n6; i++) {
		must(!is_above(t->v6[i].start, t->v6[i].end));
		must(!i || is_above(t->v6[i].start, t->v6[i - 1].end));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *paths[] = { path };
	struct files files = { paths, 1 };
	struct address probe[PROBES];
	uint16_t answer[PROBES];
	struct problem problem;
	struct table *t;
	size_t n;

	write_file(data, size);
	t = table_load(&files, &problem);
	if (!t) {
		check_problem(&problem);
		table_clear_graves();
		return 0;
	}
	check_order(t);
	n = choose_probes(t, probe);
	must(reference_answers(&files, probe, n, answer) == t->n4 + t->n6);
	for (size_t i = 0; i < n; i++)
		must(table_lookup(t, &probe[i]) == answer[i]);
	table_destroy(t);
	table_clear_graves();
	return 0;
}
