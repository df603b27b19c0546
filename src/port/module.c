/* SPDX-License-Identifier: MIT */
/*
 * port/module.c - stay mapped
 *
 * Threads have our exit hook and the library's thread runs our code: the
 * object that contains it must outlive a dlclose of whatever loaded it. The
 * shared library is linked with -z nodelete; this serves when the static one
 * is linked into a plug-in. In a static program dlopen is not there, nor
 * needed: hence weak.
 */
#define _GNU_SOURCE
#include "port.h"

#include <dlfcn.h>

#pragma weak dladdr
#pragma weak dlopen

void hazptr_pin_(void)
{
	static char here;
	Dl_info module;

	if (!dladdr || !dlopen || !dladdr(&here, &module) || !module.dli_fname)
		return;
	dlopen(module.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}
