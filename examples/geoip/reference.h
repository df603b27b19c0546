/* SPDX-License-Identifier: MIT */
/*
 * geoip/reference.h - the right answers, found in another way
 */
#ifndef GEOIP_REFERENCE_H
#define GEOIP_REFERENCE_H

#include "table.h"

/*
 * Find the country of each of the @n addresses.
 * Return: how many ranges the files have; 0 without memory.
 */
size_t reference_answers(const struct files *files,
			 const struct address *address, size_t n,
			 uint16_t *answer);

#endif /* GEOIP_REFERENCE_H */
