/* SPDX-License-Identifier: MIT */
/*
 * tests/coverage.c - counts are written when a process ends without exit()
 *
 * For HAZPTR_COVERAGE: every program is linked with --wrap=abort,--wrap=_exit.
 */
#include <sys/auxv.h>

void __gcov_dump(void);
_Noreturn void __real_abort(void);
_Noreturn void __wrap_abort(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

void __wrap_abort(void)
{
	__gcov_dump();
	__real_abort();
}

void __wrap__exit(int status)
{
	if (!getauxval(AT_SECURE)) /* a set-user-ID program may not */
		__gcov_dump();
	__real__exit(status);
}
