/* SPDX-License-Identifier: MIT */
/*
 * explore/label.c - order labels: taken out, and seen
 *
 * labels.py makes the table of places from the comments of the source. Written
 * down for the report: which labels were executed, and which pairs of labels
 * met while the threads ran together: `rf`, the second read what the first
 * wrote; `met`, both were executed in one run by two threads. For fences there
 * is no more to see than that.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS 256
#define WORDS (LABELS / 64)

typedef uint64_t set[WORDS];

static bool executed[LABELS];
static bool read_from[LABELS][LABELS];
static set met[LABELS];
static set in_run[EX_MAX];
static const char *weaken_list;

static bool has(const set s, int i)
{
	return s[i / 64] >> (i % 64) & 1;
}

static bool in_list(const char *list, const char *label)
{
	size_t n = strlen(label);
	const char *p = list;

	while (p && (p = strstr(p, label))) {
		if ((p == list || p[-1] == ',') &&
		    (p[n] == ',' || p[n] == '\0'))
			return true;
		p += n;
	}
	return false;
}

bool label_is_weak(const char *label)
{
	return weaken_list && in_list(weaken_list, label);
}

static const struct ex_place *find_place(const struct ex_site *s)
{
	const struct ex_place *best = NULL, *p;

	for (p = ex_places; p < ex_places + ex_places_n; p++) {
		size_t n = strlen(p->file), m = strlen(s->file);

		if (s->line < p->first || s->line > p->last || m < n ||
		    strcmp(s->file + m - n, p->file) != 0)
			continue;
		if (!best || p->last - p->first < best->last - best->first)
			best = p;
	}
	return best;
}

static bool is_figure(const struct ex_place *p)
{
	int i;

	for (i = 0; i < p->n; i++)
		if (strncmp(ex_labels[p->ids[i]], "ST", 2) != 0)
			return false;
	return p->n > 0;
}

static bool at_line(const struct ex_site *s, const char *where)
{
	char here[256];
	size_t n;

	if (!where)
		return false;
	snprintf(here, sizeof(here), "%s:%d", s->file, s->line);
	n = strlen(here);
	return strlen(where) <= n && !strcmp(here + n - strlen(where), where);
}

/* Before the first run. False labels are an error: nothing would be shown. */
void labels_resolve(struct ex_site *first, struct ex_site *end,
		    const char *weaken, const char *line)
{
	struct ex_site *s;
	int i, weak = 0;

	weaken_list = weaken;
	if (ex_labels_n > LABELS)
		exit(2);
	for (s = first; s < end; s++) {
		s->place = find_place(s);
		if (at_line(s, line))
			s->is_weak = 1;
		if (!s->place) {
			weak += s->is_weak;
			continue;
		}
		s->is_figure = !ex.figures && is_figure(s->place);
		for (i = 0; weaken && i < s->place->n; i++)
			if (in_list(weaken, ex_labels[s->place->ids[i]]))
				s->is_weak = 1;
		weak += s->is_weak;
	}
	if ((weaken || line) && !weak && !label_is_weak("LK1") &&
	    !label_is_weak("LK2")) {
		fprintf(stderr, "explore: no such place to weaken\n");
		exit(2);
	}
}

void label_run(void)
{
	memset(in_run, 0, sizeof(in_run));
}

static void note(int tid, int label)
{
	int u, w;

	executed[label] = true;
	if (ex.phase != TOGETHER || has(in_run[tid], label))
		return;
	in_run[tid][label / 64] |= (uint64_t)1 << (label % 64);
	for (u = 0; u < EX_MAX; u++)
		for (w = 0; u != tid && w < WORDS; w++)
			met[label][w] |= in_run[u][w];
}

void label_done(int tid, const struct ex_site *s)
{
	int i;

	for (i = 0; s->place && i < s->place->n; i++)
		note(tid, s->place->ids[i]);
}

/* The heavy fence of the library's own port: FM4, by what it is. */
void label_heavy(const struct ex_site *s)
{
	int i;

	(void)s;
	for (i = 0; i < ex_labels_n; i++)
		if (!strcmp(ex_labels[i], "FM4") ||
		    !strcmp(ex_labels[i], "KN1"))
			note(ex.self, i);
}

void label_read(const struct ex_site *reader, const struct store *s)
{
	int i, k;

	if (!reader->place || !s->site || !s->site->place ||
	    s->tid == ex.self || ex.phase == STOPPED)
		return;
	for (i = 0; i < s->site->place->n; i++)
		for (k = 0; k < reader->place->n; k++)
			read_from[s->site->place->ids[i]]
				 [reader->place->ids[k]] = true;
}

void labels_write(const char *path)
{
	FILE *f = fopen(path, "w");
	int a, b;

	if (!f) {
		perror(path);
		exit(2);
	}
	for (a = 0; a < ex_labels_n; a++) {
		if (executed[a])
			fprintf(f, "label %s\n", ex_labels[a]);
		for (b = 0; b < ex_labels_n; b++)
			if (read_from[a][b])
				fprintf(f, "rf %s %s\n", ex_labels[a],
					ex_labels[b]);
		for (b = 0; b < ex_labels_n; b++)
			if (has(met[a], b))
				fprintf(f, "met %s %s\n", ex_labels[a],
					ex_labels[b]);
	}
	fclose(f);
}
