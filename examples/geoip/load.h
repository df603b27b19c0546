/* SPDX-License-Identifier: MIT */
/*
 * geoip/load.h - ranges from text files
 */
#ifndef GEOIP_LOAD_H
#define GEOIP_LOAD_H

#include "table.h"

/** struct range - one line of a file: "start,end,CC" */
struct range {
	struct address start, end;
	char country[2];
};

/**
 * range_fn - takes the next range; ranges come in the order of the files
 *
 * Return: NULL, or what is wrong with it.
 */
typedef const char *(*range_fn)(void *arg, const struct range *r);

/* Call @take for each range. Return: true; or false and @problem. */
bool load_files(const struct files *files, range_fn take, void *arg,
		struct problem *problem);

#endif /* GEOIP_LOAD_H */
