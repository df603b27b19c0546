/* SPDX-License-Identifier: MIT */
/*
 * geoip/table.h - which country an address belongs to
 *
 * A table is made from text files, then read by many threads and never
 * changed; a newer one takes its place. How readers get at the table that is
 * in service, and how the old one goes, is in schemes.c.
 *
 * The table helps to find readers that look at it after its end. It begins
 * with a stamp of its own, its countries are stored xor the stamp, and
 * table_destroy() overwrites both. A late reader sees the stamp change under
 * its eyes or gets an answer that is not the expected one, also when the next
 * table stands at the same address.
 */
#ifndef GEOIP_TABLE_H
#define GEOIP_TABLE_H

#include "address.h"

#include <hazptr/hazptr.h>

#include <stddef.h>
#include <stdint.h>

/* Two letters in one number: 'D' << 8 | 'E'. */
#define COUNTRY_NONE 0	   /* no range holds the address */
#define COUNTRY_DEAD 65535 /* the table was destroyed during the look-up */
#define COUNTRY_UNKNOWN ('?' << 8 | '?') /* so says the file */

struct range4 {
	uint32_t start, end;
	uint16_t country;
};

struct range6 {
	struct key6 {
		uint64_t high, low;
	} start, end;
	uint16_t country;
};

/** struct table - ranges in ascending order */
struct table {
	uint64_t stamp;
	uint64_t digest; /* of the content; the same for the same files */
	size_t n4, n6, room4, room6;
	struct range4 *v4;
	struct range6 *v6;
	struct hazptr_head head;	/* for the scheme that retires it */
	struct hazptr_shared_node node; /* for those that share it */
};

/** struct files - where tables come from */
struct files {
	char *const *path;
	int n;
};

/** struct problem - why a table was not loaded: "file:line: what is wrong" */
struct problem {
	char text[512];
};

/* Return: a table, or NULL and @problem. The files are read anew each time. */
struct table *table_load(const struct files *files, struct problem *problem);

/* Poison it, then free it. Any thread; nobody may be looking. */
void table_destroy(struct table *t);

/* Return: the country, COUNTRY_NONE, or (never in a correct program) DEAD. */
uint16_t table_lookup(const struct table *t, const struct address *a);

/* How many tables exist, those being loaded too; the most since the reset. */
unsigned table_alive(void);
unsigned table_peak(void);
void table_peak_reset(void);

/* Free what table_destroy() keeps for late readers to fall into. */
void table_clear_graves(void);

#endif /* GEOIP_TABLE_H */
