/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/pinned.c - the library outlives the plug-in that brought it
 *
 * Finding: a library with a thread and with thread-exit hooks, unloaded under
 * them. This program knows nothing of hazptr; it loads a plug-in that does, by
 * the shared library or with the static one inside, and unloads it again.
 *
 *	pinned PLUGIN NAME: NAME is what must stay mapped
 */
#include "plugin.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(what)                                                        \
	do {                                                               \
		if (!(what)) {                                             \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__,   \
				__LINE__, #what);                          \
			exit(1);                                           \
		}                                                          \
	} while (0)

static const char *path;
static int count;

static bool is_mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[4096];

	CHECK(maps);
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, name) != NULL;
	fclose(maps);
	return found;
}

static int counted(void)
{
	return __atomic_load_n(&count, __ATOMIC_ACQUIRE);
}

static void find(void *plugin, const char *name, void *function)
{
	void *p = dlsym(plugin, name);

	CHECK(p);
	memcpy(function, &p, sizeof(p));
}

static void use_and_unload(void)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	plugin_retire_free_fn retire_free;
	plugin_retire_fn retire;
	int before = counted();

	if (!plugin)
		fprintf(stderr, "%s\n", dlerror());
	CHECK(plugin);
	find(plugin, "plugin_retire", &retire);
	find(plugin, "plugin_retire_free", &retire_free);
	retire(100, &count);
	retire_free();
	CHECK(!dlclose(plugin));
	/* A library that is pinned runs its destructors when we exit. */
	if (!is_mapped(path))
		CHECK(counted() == before + 100);
}

static void *use_in_thread(void *unused)
{
	(void)unused;
	use_and_unload();
	return NULL; /* the library's exit hook runs now */
}

int main(int argc, char **argv)
{
	struct timespec a_while = { 0, 150000000 };
	pthread_t thread;
	int i;

	CHECK(argc == 3);
	path = argv[1];
	CHECK(!is_mapped("libhazptr"));
	for (i = 0; i < 10; i++) {
		use_and_unload();
		CHECK(!pthread_create(&thread, NULL, use_in_thread, NULL));
		CHECK(!pthread_join(thread, NULL));
	}
	CHECK(is_mapped(argv[2]));
	nanosleep(&a_while, NULL); /* the library's thread frees the rest */
	use_and_unload();
	return 0;
}
