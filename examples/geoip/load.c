/* SPDX-License-Identifier: MIT */
/*
 * geoip/load.c - ranges from text files
 *
 * The format is that of the Debian package tor-geoipdb: "start,end,CC", where
 * the addresses are decimal numbers (IPv4) or the usual text (IPv6), and CC is
 * two letters or "??". Lines that begin with # and empty lines are skipped.
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define LINE_MAX_BYTES 128
#define CHUNK_BYTES 65536

struct loader {
	const char *path;
	unsigned long line;
	unsigned long ranges; /* in this file */
	range_fn take;
	void *arg;
	struct problem *problem;
};

/* A piece of a line, for messages: what cannot be printed becomes '.'. */
struct quote {
	char text[48];
};

static struct quote quote(const char *p, const char *end)
{
	struct quote q;
	size_t length = (size_t)(end - p);

	if (length >= sizeof(q.text))
		length = sizeof(q.text) - 1;
	for (size_t i = 0; i < length; i++)
		q.text[i] = p[i] < ' ' || p[i] > '~' ? '.' : p[i];
	q.text[length] = '\0';
	return q;
}

static bool fail(struct loader *l, const char *what)
{
	snprintf(l->problem->text, sizeof(l->problem->text), "%s:%lu: %s",
		 l->path, l->line, what);
	return false;
}

static bool fail_field(struct loader *l, const char *p, const char *end,
		       const char *what)
{
	struct quote q = quote(p, end);
	char text[160];

	snprintf(text, sizeof(text), "'%s' is not %s", q.text, what);
	return fail(l, text);
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_country(const char *p, const char *end)
{
	if (end - p != 2)
		return false;
	return (is_letter(p[0]) && is_letter(p[1])) || !memcmp(p, "??", 2);
}

static bool parse_address(struct loader *l, const char *p, const char *end,
			  bool v6, struct address *a)
{
	if (v6)
		return address_parse_v6(p, end, a) ||
		       fail_field(l, p, end, "an IPv6 address");
	return address_parse_number(p, end, a) ||
	       fail_field(l, p, end, "an IPv4 address as a decimal number");
}

static bool parse_range(struct loader *l, const char *p, const char *end,
			struct range *r)
{
	size_t length = (size_t)(end - p);
	const char *comma = memchr(p, ',', length);
	const char *second =
		comma ? memchr(comma + 1, ',', (size_t)(end - comma - 1))
		      : NULL;
	bool v6;

	if (!second)
		return fail(l, "not of the form start,end,country");
	v6 = memchr(p, ':', (size_t)(comma - p));
	if (!parse_address(l, p, comma, v6, &r->start) ||
	    !parse_address(l, comma + 1, second, v6, &r->end))
		return false;
	if (address_below(&r->end, &r->start))
		return fail(l, "the range ends before it starts");
	if (!is_country(second + 1, end))
		return fail_field(l, second + 1, end, "a country: two letters");
	memcpy(r->country, second + 1, 2);
	return true;
}

static bool load_line(struct loader *l, const char *p, const char *end)
{
	struct range r;
	const char *what;

	l->line++;
	if (p < end && end[-1] == '\r')
		end--;
	if (p == end || *p == '#')
		return true;
	if (end - p > LINE_MAX_BYTES)
		return fail(l, "the line is too long");
	if (!parse_range(l, p, end, &r))
		return false;
	what = l->take(l->arg, &r);
	if (what)
		return fail(l, what);
	l->ranges++;
	return true;
}

/*
 * All whole lines of the @length bytes at @text.
 * Return: how many bytes are left at the end; -1 for a bad line.
 */
static ssize_t load_lines(struct loader *l, const char *text, size_t length)
{
	const char *end = text + length, *newline;

	while ((newline = memchr(text, '\n', (size_t)(end - text)))) {
		if (!load_line(l, text, newline))
			return -1;
		text = newline + 1;
	}
	return end - text;
}

static bool fail_errno(struct loader *l)
{
	snprintf(l->problem->text, sizeof(l->problem->text), "%s: %s", l->path,
		 strerror(errno));
	return false;
}

/* Read on until the end of the file. */
static bool load_chunks(struct loader *l, int fd, char *chunk)
{
	size_t left = 0; /* the beginning of a line, at the start of @chunk */

	for (;;) {
		ssize_t n = read(fd, chunk + left, CHUNK_BYTES - left);
		size_t length;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(l);
		if (n == 0)
			return !left || load_line(l, chunk, chunk + left);
		length = left + (size_t)n;
		n = load_lines(l, chunk, length);
		if (n < 0)
			return false;
		left = (size_t)n;
		memmove(chunk, chunk + length - left, left);
		if (left == CHUNK_BYTES) {
			l->line++;
			return fail(l, "the line is too long");
		}
	}
}

static bool load_file(struct loader *l)
{
	char *chunk = malloc(CHUNK_BYTES);
	int fd = open(l->path, O_RDONLY | O_CLOEXEC);
	bool ok = chunk && fd >= 0;

	if (!ok)
		fail_errno(l);
	else
		ok = load_chunks(l, fd, chunk);
	if (fd >= 0)
		close(fd);
	free(chunk);
	if (ok && !l->ranges) {
		l->line += !l->line;
		return fail(l, "the file ends without a single range");
	}
	return ok;
}

bool load_files(const struct files *files, range_fn take, void *arg,
		struct problem *problem)
{
	for (int i = 0; i < files->n; i++) {
		struct loader l = {
			.path = files->path[i],
			.take = take,
			.arg = arg,
			.problem = problem,
		};

		if (!load_file(&l))
			return false;
	}
	return true;
}
