/* SPDX-License-Identifier: MIT */
/*
 * geoip/schemes.h - six ways to reach a table that is replaced under way
 */
#ifndef GEOIP_SCHEMES_H
#define GEOIP_SCHEMES_H

#include "table.h"

/** struct scheme - how readers and the updater share a table */
struct scheme {
	const char *name;
	/* Any reader thread. */
	uint16_t (*lookup)(const struct address *a);
	/* The updater: @t replaces the table in service, which goes. */
	void (*publish)(struct table *t);
	/* When all readers have stopped: the table is the caller's again. */
	struct table *(*withdraw)(void);
	/* Does it publish, or has it readers that cannot stand that? */
	bool reloads;
};

#define SCHEMES 6
extern const struct scheme schemes[SCHEMES];
#define BASELINE (SCHEMES - 1) /* the ratios are to this one */

/* As hazptr, but destroys the old table at once: the checks must find that. */
extern const struct scheme careless;

/* No more readers than that at a time. */
#define MAX_READERS 1000

#endif /* GEOIP_SCHEMES_H */
