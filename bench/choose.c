/* SPDX-License-Identifier: MIT */
/*
 * bench/choose.c - which tables and rows the user wants
 *
 * A peer is named by the beginning of any word of its own name or of a row's,
 * with or without "lib": "liburcu", "urcu-qsbr", "ck", "std", "defer_rcu".
 */
#define _GNU_SOURCE
#include "run.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void bench_names_add(struct bench_names *names, const char *list)
{
	char *rest = strdup(list), *name; /* kept: the names point into it */

	while (rest && (name = strsep(&rest, ","))) {
		if (names->n == BENCH_NAMES) {
			fputs("hazptr-bench: too many names\n", stderr);
			exit(2);
		}
		names->name[names->n++] = name;
	}
}

static bool is_in(const struct bench_names *names, const char *name)
{
	for (unsigned i = 0; i < names->n; i++)
		if (!strcasecmp(names->name[i], name))
			return true;
	return false;
}

bool bench_wants_table(const struct bench_options *o,
		       const struct bench_table *t)
{
	return !o->only.n || is_in(&o->only, t->name);
}

static bool is_word(const char *text, const char *at)
{
	return at == text || !isalnum((unsigned char)at[-1]);
}

static bool begins_word(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = text; *at; at++) {
		const char *word = at;

		if (is_word(text, at) && !strncasecmp(at, "lib", 3))
			word += 3;
		if (is_word(text, at) &&
		    (!strncasecmp(at, name, n) || !strncasecmp(word, name, n)))
			return true;
	}
	return false;
}

/* A row that says what differs from the one above has its name. */
static bool is_called(const struct bench_row *row, const char *name)
{
	while (row->pair)
		row--;
	return *name && (begins_word(row->scheme->name, name) ||
			 begins_word(row->name, name));
}

static bool is_peer(const struct bench_table *t, const struct bench_row *row)
{
	return bench_is_peer(row->scheme) && row != &t->rows[t->base];
}

/* Ours and what all are compared with always stay. */
bool bench_wants_row(const struct bench_options *o, const struct bench_table *t,
		     const struct bench_row *row)
{
	if (!is_peer(t, row) || !o->peers.n || is_in(&o->peers, "all"))
		return true;
	for (unsigned i = 0; i < o->peers.n; i++)
		if (is_called(row, o->peers.name[i]))
			return true;
	return false;
}

const char *bench_unknown_table(const struct bench_options *o,
				struct bench_table *const *tables, unsigned n)
{
	for (unsigned i = 0; i < o->only.n; i++) {
		unsigned t = 0;

		while (t < n && strcasecmp(tables[t]->name, o->only.name[i]))
			t++;
		if (t == n)
			return o->only.name[i];
	}
	return NULL;
}

static bool is_known(const char *name, struct bench_table *const *tables,
		     unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned row = 0; row < tables[i]->nrows; row++) {
			const struct bench_row *r = &tables[i]->rows[row];

			if (bench_is_peer(r->scheme) && is_called(r, name))
				return true;
		}
	return !strcasecmp(name, "all");
}

const char *bench_unknown_peer(const struct bench_options *o,
			       struct bench_table *const *tables, unsigned n)
{
	for (unsigned i = 0; i < o->peers.n; i++)
		if (!is_known(o->peers.name[i], tables, n))
			return o->peers.name[i];
	return NULL;
}
