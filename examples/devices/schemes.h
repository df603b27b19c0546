/* SPDX-License-Identifier: MIT */
/*
 * devices/schemes.h - three ways to open what may be unplugged at any moment
 */
#ifndef DEVICES_SCHEMES_H
#define DEVICES_SCHEMES_H

#include "device.h"

/** struct scheme - how openers and the one who unplugs share the devices */
struct scheme {
	const char *name;
	const char *missing; /* why it was not built, or NULL */
	/* Each thread, before the first of the calls below and after the last;
	 * may be NULL. */
	void (*enter)(void);
	void (*leave)(void);
	/* Return: the device, until it is closed; NULL when there is none. */
	struct device *(*open)(const char *name);
	void (*close)(struct device *d);
	/* One thread. Return: false without memory. */
	bool (*plug)(unsigned minor);
	/* The same: from now on nobody opens it; who has it may go on. */
	void (*unplug)(unsigned minor);
	/* All that was unplugged and closed is freed. Return: how many ever. */
	uint64_t (*settle)(void);
};

#define SCHEMES 3
#define BASELINE 0 /* the ratios are to this one */
extern const struct scheme *const schemes[SCHEMES];

/* Frees what is unplugged at once: the checks must find that. */
extern const struct scheme careless_scheme;

extern const struct scheme locked_scheme, counted_scheme, rcu_scheme;

#endif /* DEVICES_SCHEMES_H */
