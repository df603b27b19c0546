/* SPDX-License-Identifier: MIT */
/*
 * source.h - what clients that include a file of src/ need beside it
 *
 * A client includes the file itself, so that GenMC has it in one module and the
 * client can call what is static there. It defines what its own calls reach;
 * the linker drops the other functions of the file.
 */
#ifndef HAZPTR_MODEL_SOURCE_H
#define HAZPTR_MODEL_SOURCE_H

#include "model.h"

#include <stdlib.h>

#include "../../src/port/port.h"

void hazptr_die_(const char *call, const void *object, const char *what)
{
	(void)call;
	(void)object;
	(void)what;
	assert(0);
	abort();
}

#endif /* HAZPTR_MODEL_SOURCE_H */
