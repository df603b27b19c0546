/* SPDX-License-Identifier: MIT */
/* port/die.c - say what is wrong in one line; the only abort */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAZPTR_TESTING
void (*hazptr_test_point_)(const char *point);
#endif

/* One write, so that lines of several threads do not mix. */
static void say(const char *what, const char *name, const char *detail)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "hazptr: %s: %s: %s\n", what,
			 name, detail);

	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere to say it */
}

void hazptr_warn_(const char *call, const void *object, const char *what)
{
	char name[32];

	snprintf(name, sizeof(name), "%p", object);
	say(call, name, what);
}

/* The value may be anything, and the line is one line. */
void hazptr_warn_setting_(const char *setting, const char *value,
			  const char *what)
{
	char name[65];
	size_t i;

	for (i = 0; i < sizeof(name) - 1 && value[i]; i++)
		name[i] = value[i] < ' ' || value[i] > '~' ? '?' : value[i];
	name[i] = '\0';
	say(setting, name, what);
}

_Noreturn void hazptr_die_(const char *call, const void *object,
			   const char *what)
{
	hazptr_warn_(call, object, what);
	abort();
}

_Noreturn void hazptr_abort_(void)
{
	abort();
}
