/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/debug.h - what the tests of reports share
 *
 * Each report is made by a child, as the environment is read once. The child
 * writes to stdout, line by line, what its stderr has to contain; a line that
 * begins with ! is what it must not contain.
 */
#ifndef HAZPTR_TESTS_UNIT_DEBUG_H
#define HAZPTR_TESTS_UNIT_DEBUG_H

#include "test.h"

#include <sys/syscall.h>

/* What it expects of a child, and in which environment. */
struct report {
	const char *child;
	const char *debug; /* HAZPTR_DEBUG */
	const char *stall; /* HAZPTR_DEBUG_STALL_MS */
	size_t lines;	   /* on stderr, all of them */
	bool aborts;
};

static inline void set_or_not(const char *name, const char *value)
{
	if (value)
		must(!setenv(name, value, 1));
	else
		must(!unsetenv(name));
}

static inline void check_line(const struct test_result *r, const char *line)
{
	bool wanted = *line != '!';

	if (wanted != (strstr(r->err, line + !wanted) != NULL))
		fail_msg("'%s', but: %s", line, r->err);
}

static inline void test_report(void **state)
{
	const struct report *report = (const struct report *)*state;
	struct test_result r;
	char *line, *rest = r.out;

	set_or_not("HAZPTR_DEBUG", report->debug);
	set_or_not("HAZPTR_DEBUG_STALL_MS", report->stall);
	test_child_run(&r, report->child, test_fence_assignment());
	if (report->aborts
		    ? !WIFSIGNALED(r.status) || WTERMSIG(r.status) != SIGABRT
		    : r.status)
		fail_msg("status %x: %s", (unsigned)r.status, r.err);
	if (test_lines(r.err) != report->lines)
		fail_msg("not %zu lines: %s", report->lines, r.err);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			check_line(&r, line);
}

static inline void test_reports(struct CMUnitTest *tests,
				struct report *reports, size_t n)
{
	size_t i;

	memset(tests, 0, n * sizeof(*tests));
	for (i = 0; i < n; i++) {
		tests[i].name = reports[i].child;
		tests[i].test_func = test_report;
		tests[i].initial_state = &reports[i];
	}
}

/* In a child */

/* The call, and its place: one expansion, so it is one line. */
#define AT(place, call) ((place) = HAZPTR_HERE_, (call))

#define expect(...) must(dprintf(1, __VA_ARGS__) > 0 && write(1, "\n", 1) == 1)

static inline int my_thread(void)
{
	return (int)syscall(SYS_gettid);
}

/* How many lines its stderr has by now. */
static inline size_t lines_said(void)
{
	static char text[1 << 16];
	ssize_t n = pread(2, text, sizeof(text) - 1, 0);

	must(n >= 0);
	text[n] = '\0';
	return test_lines(text);
}

#endif /* HAZPTR_TESTS_UNIT_DEBUG_H */
