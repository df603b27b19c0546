/* SPDX-License-Identifier: MIT */
/* port/text.c - a line that is put together, then written at once */
#include "port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void hazptr_text_add_(struct hazptr_text *t, const char *format, ...)
{
	size_t room = sizeof(t->line) - 1 - t->n; /* one is for the newline */
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(t->line + t->n, room, format, arguments);
	va_end(arguments);
	if (n > 0)
		t->n += (size_t)n < room ? (size_t)n : room - 1;
}

/* A place that cannot be written to is not our affair. */
void hazptr_text_write_(struct hazptr_text *t, int fd)
{
	int saved = errno;
	size_t done = 0;
	ssize_t n;

	t->line[t->n] = '\n';
	while (done <= t->n) {
		n = write(fd, t->line + done, t->n + 1 - done);
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			done += (size_t)n;
	}
	t->n = 0;
	errno = saved;
}

void hazptr_text_say_(struct hazptr_text *t)
{
	hazptr_text_write_(t, STDERR_FILENO);
}
