/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/settings.c - the library's variables in the environment
 *
 * The first byte says which, the rest is the value. What a value means is
 * written here again; any other one is ignored and reported in one line.
 */
#define _GNU_SOURCE
#include "capture.h"

#include "../../src/park/park.h"

#include <string.h>

static bool is(const char *value, const char *known)
{
	return !strcmp(value, known);
}

static void check_report(const char *name, bool known)
{
	const char *text = capture.text;
	size_t n = strlen(text);

	if (known) {
		must(!n);
		return;
	}
	must(!strncmp(text, "hazptr: ", 8) && strstr(text, name));
	must(strstr(text, ": unknown value ignored; it is one of "));
	must(strchr(text, '\n') == text + n - 1);
	for (; *text != '\n'; text++)
		must(*text >= ' ' && *text <= '~');
}

static void check_fence(const char *value)
{
	enum hazptr_fence_mode usual, mode;

	unsetenv("HAZPTR_FENCE");
	hazptr_fence_chosen_ = 0;
	usual = hazptr_fence_mode();
	setenv("HAZPTR_FENCE", value, 1);
	hazptr_fence_chosen_ = 0;
	capture_begin();
	mode = hazptr_fence_mode();
	capture_end();
	if (is(value, "full"))
		must(mode == HAZPTR_FENCE_FULL);
	else if (is(value, "marker"))
		must(mode == HAZPTR_FENCE_MARKER);
	else
		must(mode == usual);
	check_report("HAZPTR_FENCE",
		     is(value, "full") || is(value, "marker") ||
			     (is(value, "membarrier") &&
			      usual == HAZPTR_FENCE_MEMBARRIER));
}

static void check_table(const char *name, const char *value, const char *other,
			const char *standard, uint32_t bit)
{
	uint32_t policy;

	setenv(name, value, 1);
	capture_begin();
	policy = hazptr_table_start_slow_();
	capture_end();
	unsetenv(name);
	must(policy == (POLICY_READY | (is(value, other) ? bit : 0)));
	check_report(name, is(value, other) || is(value, standard));
}

static void check_stats(const char *value)
{
	setenv("HAZPTR_STATS", value, 1);
	must(hazptr_stats_wanted_() == is(value, "1"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	unsigned which = take_below(&in, 4);
	size_t n = (size_t)(in.end - in.at);
	char *value = malloc(n + 1);

	must(value);
	memcpy(value, in.at, n);
	value[n] = '\0';
	if (which == 0)
		check_fence(value);
	else if (which == 1)
		check_table("HAZPTR_FUTEX", value, "count", "guard",
			    POLICY_COUNT);
	else if (which == 2)
		check_table("HAZPTR_FUTEX_WAKE", value, "asymmetric", "fence",
			    POLICY_ASYMMETRIC);
	else
		check_stats(value);
	free(value);
	return 0;
}
