/* SPDX-License-Identifier: MIT */
/*
 * geoip/reference.c - the right answers, found in another way
 *
 * An independent look-up to check the fast one against: it shares neither the
 * parser (stdio, strtoul and inet_pton here) nor the search. The question is
 * turned round: not in which range is this address, but which of the addresses
 * are in this range. The addresses are sorted, and for each line of the files
 * those between start and end are marked. One thread, before the readers start.
 */
#include "reference.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sixteen bytes as they travel; IPv4 is 00..00 a.b.c.d. */
struct probe {
	unsigned char byte[16];
	bool is_v6;
	uint16_t *answer;
};

struct probes {
	struct probe *probe;
	size_t n;
};

static void store_bytes(unsigned char *byte, uint64_t number)
{
	for (int i = 7; i >= 0; i--, number >>= 8)
		byte[i] = (unsigned char)number;
}

static int compare(const struct probe *a, const struct probe *b)
{
	if (a->is_v6 != b->is_v6)
		return a->is_v6 - b->is_v6;
	return memcmp(a->byte, b->byte, sizeof(a->byte));
}

static int compare_void(const void *a, const void *b)
{
	return compare(a, b);
}

/* How many of the sorted probes are below @p. */
static size_t count_below(const struct probes *all, const struct probe *p)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&all->probe[middle], p) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool read_address(char *text, struct probe *p)
{
	memset(p, 0, sizeof(*p));
	p->is_v6 = strchr(text, ':');
	if (p->is_v6)
		return inet_pton(AF_INET6, text, p->byte) == 1;
	store_bytes(p->byte + 8, strtoul(text, NULL, 10));
	return true;
}

/* Return: whether the line is a range. */
static bool mark(const struct probes *all, char *line)
{
	char *start = strtok(line, ","), *end = strtok(NULL, ",");
	char *country = strtok(NULL, ",\r\n");
	struct probe first, last;

	if (!country || *start == '#' || !read_address(start, &first) ||
	    !read_address(end, &last))
		return false;
	for (size_t i = count_below(all, &first); i < all->n; i++) {
		if (compare(&all->probe[i], &last) > 0)
			break;
		*all->probe[i].answer =
			(uint16_t)(country[0] << 8 | country[1]);
	}
	return true;
}

/* Return: how many ranges are in the file. */
static size_t mark_file(const struct probes *all, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0, ranges = 0;

	if (!file)
		return 0;
	while (getline(&line, &room, file) > 0)
		ranges += mark(all, line);
	free(line);
	fclose(file);
	return ranges;
}

size_t reference_answers(const struct files *files,
			 const struct address *address, size_t n,
			 uint16_t *answer)
{
	struct probes all = { calloc(n, sizeof(*all.probe)), n };
	size_t ranges = 0;

	if (!all.probe)
		return 0;
	for (size_t i = 0; i < n; i++) {
		store_bytes(all.probe[i].byte, address[i].high);
		store_bytes(all.probe[i].byte + 8, address[i].low);
		all.probe[i].is_v6 = address[i].is_v6;
		all.probe[i].answer = &answer[i];
		answer[i] = COUNTRY_NONE;
	}
	qsort(all.probe, n, sizeof(*all.probe), compare_void);
	for (int i = 0; i < files->n; i++)
		ranges += mark_file(&all, files->path[i]);
	free(all.probe);
	return ranges;
}
