/* SPDX-License-Identifier: MIT */
/*
 * bench/json.c - all figures, for programs
 *
 * One object: the machine and the versions, and "tables", each with its rows
 * and targets. What was not measured is left out or null.
 */
#include "report.h"

#include <math.h>
#include <stdio.h>

#ifdef BENCH_JSON
#include <json-c/json.h>

static struct json_object *text(const char *s)
{
	return s ? json_object_new_string(s) : NULL;
}

/* Six digits; JSON has neither infinity nor NaN. */
static struct json_object *number(double value)
{
	static char format[] = "%.6g";
	struct json_object *o;

	if (!isfinite(value))
		return NULL;
	o = json_object_new_double(value);
	json_object_set_serializer(o, json_object_double_to_json_string, format,
				   NULL);
	return o;
}

static void put(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}

static struct json_object *samples(const struct bench_figures *f,
				   const struct bench_series *s)
{
	struct json_object *o = json_object_new_array();

	for (unsigned i = 0; i < f->rounds; i++)
		json_object_array_add(o, number(s->sample[i].value));
	return o;
}

static const char *const kind_text[] = { [BENCH_PEER] = "peer",
					 [BENCH_WEAKER] = "weaker",
					 [BENCH_OURS] = "hazptr",
					 [BENCH_BARE] = "unprotected" };

/* The best peer of a kind, and the ratio to it. */
static void put_best(struct json_object *o, const struct bench_figures *f,
		     unsigned count, unsigned row, enum bench_kind kind)
{
	double ratio = bench_peer_ratio(f, count, row, kind);
	int best = bench_best_peer(f, count, row, kind);
	bool weaker = kind == BENCH_WEAKER;

	if (isnan(ratio))
		return;
	put(o, weaker ? "best_weaker" : "best_peer",
	    text(f->table->rows[best].name));
	put(o, weaker ? "weaker_ratio" : "peer_ratio", number(ratio));
}

static struct json_object *series(const struct bench_figures *f, unsigned count,
				  unsigned row)
{
	const struct bench_series *s = bench_series_of(f, count, row);
	struct json_object *o = json_object_new_object();
	const struct bench_row *r = &f->table->rows[row];

	put(o, "row", text(r->name));
	put(o, "scheme", text(r->scheme->name));
	put(o, "kind", text(kind_text[r->scheme->kind]));
	put(o, "threads", json_object_new_int64(f->counts[count]));
	if (s->missing) {
		put(o, "missing", json_object_new_boolean(1));
		return o;
	}
	put(o, "median", number(BENCH_MEDIAN(f, s, value)));
	put(o, "ratio", number(bench_ratio(f, count, row)));
	put_best(o, f, count, row, BENCH_PEER);
	put_best(o, f, count, row, BENCH_WEAKER);
	put(o, "wall", number(BENCH_MEDIAN(f, s, wall)));
	put(o, "peak", number(BENCH_MEDIAN(f, s, peak)));
	put(o, "share", number(BENCH_MEDIAN(f, s, share)));
	put(o, "samples", samples(f, s));
	return o;
}

static unsigned add_target(const struct bench_figures *f,
			   const struct bench_target *g, unsigned count,
			   void *array)
{
	struct bench_outcome out = bench_outcome_of(f, g, count);
	const struct bench_row *rows = f->table->rows;
	struct json_object *o;

	if (isnan(out.ratio))
		return 0;
	o = json_object_new_object();
	put(o, "row", text(rows[g->row].name));
	put(o, "threads", json_object_new_int64(f->counts[count]));
	put(o, "base",
	    text(g->absolute ? "1 us"
		 : g->peak   ? "bound"
			     : rows[out.base].name));
	put(o, "ratio", number(out.ratio));
	put(o, "limit", number(g->limit));
	put(o, "at_least", json_object_new_boolean(g->at_least));
	put(o, "met", json_object_new_boolean(out.met));
	json_object_array_add(array, o);
	return 0;
}

static struct json_object *table(const struct bench_figures *f)
{
	struct json_object *o = json_object_new_object();
	struct json_object *rows = json_object_new_array();
	struct json_object *targets = json_object_new_array();

	put(o, "name", text(f->table->name));
	put(o, "title", text(f->table->title));
	put(o, "unit", text(bench_unit_text(f->table->unit)));
	for (unsigned i = 0; i < f->ncounts * f->table->nrows; i++)
		if (!f->series[i].unwanted)
			json_object_array_add(rows,
					      series(f, i / f->table->nrows,
						     i % f->table->nrows));
	bench_each_target(f, add_target, targets);
	put(o, "rows", rows);
	put(o, "targets", targets);
	return o;
}

static struct json_object *machine(void)
{
	struct json_object *o = json_object_new_object();
	const struct bench_scheme *peer;
	struct bench_machine m;

	bench_find_machine(&m);
	put(o, "cpu", text(m.cpu));
	put(o, "processors", json_object_new_int64(m.processors));
	put(o, "kernel", text(m.os.release));
	put(o, "compiler", text(m.compiler));
	put(o, "hazptr", text(bench_hazptr.version));
	put(o, "fence", text(m.fence));
	for (unsigned i = 0; (peer = bench_nth_peer(i)); i++)
		if (peer->version)
			put(o, peer->name, text(peer->version));
	return o;
}

/* Now, not when everything has been measured; what is there stays so long. */
bool bench_json_begin(const char *path)
{
	FILE *file = fopen(path, "ae");

	if (!file || fclose(file)) {
		fprintf(stderr, "hazptr-bench: ");
		perror(path);
		return false;
	}
	return true;
}

bool bench_json(const char *path, const struct bench_figures *f, unsigned n)
{
	struct json_object *o = machine(), *tables = json_object_new_array();
	const char *string;
	FILE *file = fopen(path, "we");
	bool written;

	for (unsigned i = 0; i < n; i++)
		json_object_array_add(tables, table(&f[i]));
	put(o, "tables", tables);
	string = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);
	written = file && string && fputs(string, file) >= 0 &&
		  fputs("\n", file) >= 0;
	if (file && fclose(file))
		written = false;
	if (!written) {
		fprintf(stderr, "hazptr-bench: ");
		perror(path);
	}
	json_object_put(o);
	return written;
}

#else

bool bench_json_begin(const char *path)
{
	fprintf(stderr,
		"hazptr-bench: %s: built without json-c (see scripts/deps)\n",
		path);
	return false;
}

bool bench_json(const char *path, const struct bench_figures *f, unsigned n)
{
	(void)f;
	(void)n;
	return bench_json_begin(path);
}

#endif
