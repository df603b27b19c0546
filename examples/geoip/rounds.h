/* SPDX-License-Identifier: MIT */
/*
 * geoip/rounds.h - readers, the updater, and the schemes in turn
 */
#ifndef GEOIP_ROUNDS_H
#define GEOIP_ROUNDS_H

#include "schemes.h"
#include "stream.h"

#include <pthread.h>

#define MAX_ROUNDS 100

/** struct result - what one scheme did, over all rounds */
struct result {
	const struct scheme *scheme;
	double rate[MAX_ROUNDS]; /* look-ups per second */
	uint64_t reloads;
	unsigned peak; /* tables alive */
	uint64_t wrong;
	uint64_t dead; /* look-ups in a table that was destroyed */
};

/** struct run - all of it; the caller fills in the first part */
struct run {
	const struct files *files;
	const struct stream *stream;
	uint64_t seed;
	size_t n4, n6;	 /* ranges */
	uint64_t digest; /* of the table that the answers belong to */
	unsigned threads, rounds;
	double seconds;	    /* in all */
	double reload_rate; /* at most so many a second */
	bool careless, json;

	unsigned n_results;
	struct result result[SCHEMES + 1];
	uint64_t failed_reloads;
	unsigned leaked; /* tables left in the end */

	pthread_mutex_t service; /* who publishes: the updater, or rounds */
	struct result *serving;	 /* under service */
	bool stop, done;	 /* the readers; the updater */
};

/* Begins with @t in service. Return: false when threads cannot be started. */
bool rounds_run(struct run *run, struct table *t);

/* Seconds since some moment. */
double rounds_now(void);

#endif /* GEOIP_ROUNDS_H */
