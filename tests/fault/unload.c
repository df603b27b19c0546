/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/unload.c - a plug-in that retired objects is unloaded
 *
 * Finding: retire into the default domain of a library that is unloaded, or
 * by functions that are, crashed (folly). The program and the plug-in share
 * one libhazptr.so; PLUGIN names the plug-in.
 */
#include "fault.h"
#include "plugin.h"

#include <dlfcn.h>
#include <string.h>

static void *load(void)
{
	void *plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);

	if (!plugin)
		fprintf(stderr, "%s\n", dlerror());
	CHECK(plugin);
	return plugin;
}

static void unload(void *plugin)
{
	CHECK_EQ(dlclose(plugin), 0);
	CHECK(!dlopen(PLUGIN, RTLD_NOW | RTLD_NOLOAD)); /* it is gone */
}

/* dlsym returns an object pointer, which C does not convert. */
static void find(void *plugin, const char *name, void *function)
{
	void *p = dlsym(plugin, name);

	CHECK(p);
	memcpy(function, &p, sizeof(p));
}

static void plugin_retired_objects_and_was_unloaded(void)
{
	plugin_retire_fn retire;
	int i, count = 0;
	void *plugin;

	for (i = 1; i <= 20; i++) {
		plugin = load();
		find(plugin, "plugin_retire", &retire);
		retire(100, &count);
		unload(plugin);
		CHECK_EQ(count, i * 100);
		hazptr_flush(NULL);
		hazptr_barrier(NULL);
	}
}

struct user {
	void *plugin;
	int count, used, unloaded;
};

static void *use_plugin(void *arg)
{
	struct user *u = arg;
	plugin_retire_fn retire;

	find(u->plugin, "plugin_retire", &retire);
	retire(10, &u->count);
	__atomic_store_n(&u->used, 1, __ATOMIC_RELEASE);
	CHECK(wait_for(&u->unloaded, 1, 60));
	thing_retire(NULL, thing_new(0));
	return NULL;
}

/* A thread that has objects of the plug-in's in its lists outlives it. */
static void thread_outlives_the_plugin(void)
{
	struct user u = { .plugin = load() };
	pthread_t thread = spawn(use_plugin, &u);

	CHECK(wait_for(&u.used, 1, 60));
	unload(u.plugin);
	CHECK_EQ(u.count, 10);
	__atomic_store_n(&u.unloaded, 1, __ATOMIC_RELEASE);
	join(thread);
	hazptr_barrier(NULL);
	CHECK_EQ(alive(), 0);
}

static void *unload_it(void *plugin)
{
	unload(plugin);
	return NULL;
}

/* dlclose waits for the reader of an object that only the plug-in can free. */
static void unloading_waits_for_a_reader(void)
{
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	plugin_publish_fn publish;
	void *plugin = load();
	int count = 0, i;
	pthread_t thread;
	void *held;

	find(plugin, "plugin_publish", &publish);
	held = hazptr_protect(&g, publish(&count));
	CHECK(held);
	thread = spawn(unload_it, plugin);
	for (i = 0; i < 20; i++) {
		nap_ms(5);
		hazptr_flush(NULL);
		CHECK_EQ(__atomic_load_n(&count, __ATOMIC_ACQUIRE), 0);
	}
	hazptr_release(&g);
	join(thread);
	CHECK_EQ(count, 1);
}

static const struct fault_case cases[] = {
	{ "plugin_retired_objects_and_was_unloaded",
	  plugin_retired_objects_and_was_unloaded, .fences = FENCE_DEFAULT },
	{ "thread_outlives_the_plugin", thread_outlives_the_plugin,
	  .fences = FENCE_DEFAULT },
	{ "unloading_waits_for_a_reader", unloading_waits_for_a_reader,
	  .fences = FENCE_ALL },
	{ 0 },
};

int main(int argc, char **argv)
{
	return fault_main(argc, argv, cases);
}
