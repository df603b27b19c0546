/* SPDX-License-Identifier: MIT */
/*
 * explore/trace.c - what happened, and the end of a run that went wrong
 *
 * Each step is noted while it happens; an error prints them all, and a string
 * with which --replay makes the same run again.
 */
#include "engine.h"
#include "explore.h"
#include "port.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 20500
#define NOTES 8

static struct entry {
	struct op op;
	const struct ex_site *site;
	int tid;
	int node;
	bool has_value;
	uint64_t value;
	unsigned newer;
} entries[STEPS];

static int n;
static char notes[NOTES][128];
static int n_notes;

const char *const kind_names[] = { "load",   "store",	"exchange", "add",
				   "sub",    "or",	"and",	    "xor",
				   "cas",    "fence",	"heavy",    "light",
				   "inject", "lock",	"unlock",   "wait",
				   "wake",   "timeout", "back off", "go" };
static const char *const order_names[] = { "relaxed", "acquire", "release",
					   "acq_rel", "seq_cst", "compiler" };

void trace_reset(void)
{
	n = 0;
	n_notes = 0;
}

void trace_add(const struct op *op, const struct ex_site *site, int tid)
{
	if (n == STEPS)
		return;
	entries[n++] = (struct entry){
		.op = *op, .site = site, .tid = tid, .node = search_depth()
	};
}

/* What the last step wrote or read, and how many newer stores there were. */
void trace_value(uint64_t value, unsigned newer)
{
	if (!n || ex.phase != TOGETHER)
		return;
	entries[n - 1].has_value = true;
	entries[n - 1].value = value;
	entries[n - 1].newer = newer;
}

void trace_note(const char *note)
{
	if (n_notes < NOTES)
		snprintf(notes[n_notes++], sizeof(notes[0]), "%s", note);
}

static void print_entry(const struct entry *e)
{
	const struct ex_site *s = e->site;
	char place[96] = "", addr[96] = "", what[64];

	if (s)
		snprintf(place, sizeof(place), "%s:%d", s->file, s->line);
	if (e->op.addr)
		heap_name(e->op.addr, addr, sizeof(addr));
	snprintf(what, sizeof(what), "%s%s%s", kind_names[e->op.kind],
		 s && e->op.kind != EX_INJECT ? " " : "",
		 s && e->op.kind != EX_INJECT ? order_names[s->order] : "");
	printf("%5d  %c  %-34s %-10s %-16s %s", e->node, 'a' + e->tid, place,
	       s && s->place ? s->place->labels : "", what, addr);
	if (e->op.kind == EX_INJECT)
		printf("into %c", 'a' + e->op.target);
	else if (e->has_value)
		printf(" = 0x%lx", (unsigned long)e->value);
	if (e->newer && e->op.kind == EX_STORE)
		printf("   (before %u others)", e->newer);
	else if (e->newer)
		printf("   (old: %u newer)", e->newer);
	if (s && s->is_weak)
		printf("   (weakened)");
	putchar('\n');
}

void trace_print(void)
{
	static char text[65536];
	int i;

	for (i = 0; i < n; i++)
		print_entry(&entries[i]);
	for (i = 0; i < n_notes; i++)
		printf("       %s\n", notes[i]);
	search_print(text, sizeof(text));
	printf("--replay %s\n", text);
}

_Noreturn void fail(const char *format, ...)
{
	const char *phase = ex.phase == TOGETHER ? "" : ", alone";
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	trace_print();
	printf("run %lu, thread %c%s\nERROR: %s\n",
	       (unsigned long)search.runs + 1,
	       ex.self < 0 ? '-' : 'a' + ex.self, phase, what);
	fflush(stdout);
	_Exit(1);
}

_Noreturn void ex_fail(const char *file, int line, const char *what)
{
	fail("%s:%d: %s", file, line, what);
}

_Noreturn void ex_die(const char *call, const void *object, const char *what)
{
	char name[96];

	heap_name(object, name, sizeof(name));
	fail("the library aborts: %s: %s: %s", call, name, what);
}

void ex_warn(const char *call, const void *object, const char *what)
{
	char name[96];

	if (ex.phase == STOPPED || (ex.client->flags & EX_WARNS))
		return;
	heap_name(object, name, sizeof(name));
	fail("the library warns: %s: %s: %s", call, name, what);
}
