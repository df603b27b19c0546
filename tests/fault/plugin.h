/* SPDX-License-Identifier: MIT */
/* tests/fault/plugin.h - what the plug-in of the dlclose tests offers */
#ifndef HAZPTR_TESTS_PLUGIN_H
#define HAZPTR_TESTS_PLUGIN_H

/* Retire n objects with a function of the plug-in's, which counts them. */
typedef void (*plugin_retire_fn)(int n, int *reclaimed);
/* Retire one more object by free alone, into the default domain. */
typedef void (*plugin_retire_free_fn)(void);
/* An object that it will retire when it is unloaded, and where it stands. */
typedef void *const *(*plugin_publish_fn)(int *reclaimed);

#endif /* HAZPTR_TESTS_PLUGIN_H */
