/* SPDX-License-Identifier: MIT */
/* port/debug.c - what the environment wants to have reported */
#define _GNU_SOURCE
#include "port.h"

#include <stdlib.h>
#include <string.h>

#define STALL_MS 1000u
#define STALL_DIGITS 9 /* a week and a half */

/* `say`: what is wrong with it. */
bool hazptr_debug_wanted_(bool say)
{
	const char *wanted = secure_getenv("HAZPTR_DEBUG");

	if (!wanted || !*wanted || !strcmp(wanted, "0"))
		return false;
	if (!strcmp(wanted, "1"))
		return true;
	if (say)
		hazptr_warn_setting_("HAZPTR_DEBUG", wanted,
				     "unknown value ignored; it is 0 or 1");
	return false;
}

unsigned hazptr_debug_stall_ms_(bool say)
{
	const char *text = secure_getenv("HAZPTR_DEBUG_STALL_MS");
	size_t digits;

	if (!text)
		return STALL_MS;
	digits = strspn(text, "0123456789");
	if (digits && digits <= STALL_DIGITS && !text[digits])
		return (unsigned)strtoul(text, NULL, 10);
	if (say)
		hazptr_warn_setting_("HAZPTR_DEBUG_STALL_MS", text,
				     "ignored; it is a number of milliseconds");
	return STALL_MS;
}
