/* SPDX-License-Identifier: MIT */
/*
 * geoip/address.h - an IPv4 or IPv6 address as a number
 */
#ifndef GEOIP_ADDRESS_H
#define GEOIP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/** struct address - the first and the last 64 bits; IPv4 stands in `low` */
struct address {
	uint64_t high;
	uint64_t low;
	bool is_v6;
};

/* Is @a below @b? Both are of the same family. */
static inline bool address_below(const struct address *a,
				 const struct address *b)
{
	return a->high < b->high || (a->high == b->high && a->low < b->low);
}

/* Text of the table files, from @p up to @end: a decimal number. */
bool address_parse_number(const char *p, const char *end, struct address *a);

/* The same for IPv6: the usual text, 2001:db8::1. */
bool address_parse_v6(const char *p, const char *end, struct address *a);

/* What people type: 192.0.2.1, 2001:db8::1; ::ffff:192.0.2.1 is IPv4. */
bool address_parse(const char *text, struct address *a);

#endif /* GEOIP_ADDRESS_H */
