/* SPDX-License-Identifier: MIT */
/*
 * devices/rounds.h - users, the one who unplugs, and the schemes in turn
 */
#ifndef DEVICES_ROUNDS_H
#define DEVICES_ROUNDS_H

#include "schemes.h"

#define MAX_THREADS 1000
#define MAX_ROUNDS 100

/** struct tally - what was seen; the last four should stay zero */
struct tally {
	uint64_t lookups; /* devices opened, or not found */
	uint64_t found;
	uint64_t outlived; /* open when it was unplugged, and used after that */
	uint64_t dead;	   /* used after it was freed */
	uint64_t other;	   /* opened by the name of another device */
	uint64_t gone;	   /* opened after it was unplugged */
	int64_t kept;	   /* plugged, never freed (< 0: freed too often) */
};

/** struct result - what one scheme did, over all rounds */
struct result {
	const struct scheme *scheme;
	double rate[MAX_ROUNDS]; /* look-ups per second */
	uint64_t unplugged;
	struct tally tally;
};

/** struct run - all of it; the caller fills in the first part */
struct run {
	unsigned threads, rounds;
	double seconds; /* in all */
	uint64_t seed;
	bool careless, json;

	unsigned n_results;
	struct result result[SCHEMES + 1]; /* those that were built */
	const struct result *serving;
	bool stop; /* the users */
};

/* Return: false when threads cannot be started. */
bool rounds_run(struct run *run);

/* Was all as it should be? */
bool tally_is_right(const struct tally *t);

#endif /* DEVICES_ROUNDS_H */
