/* SPDX-License-Identifier: MIT */
/*
 * geoip/stream.h - the addresses to look up, and the right answers
 */
#ifndef GEOIP_STREAM_H
#define GEOIP_STREAM_H

#include "table.h"

#define STREAM_LENGTH 65536 /* a power of two */

/** struct stream - made once, read by all readers, over and over */
struct stream {
	struct address address[STREAM_LENGTH];
	uint16_t expected[STREAM_LENGTH];
	size_t found; /* how many have a country */
};

/*
 * Half of the addresses hit the edges of ranges of @t or miss them by one, a
 * quarter is near ranges, a quarter anywhere; all follow from @seed.
 * Return: the stream, to be freed; NULL without memory, or when the files are
 * not those any more that @t was loaded from.
 */
struct stream *stream_make(const struct files *files, const struct table *t,
			   uint64_t seed);

#endif /* GEOIP_STREAM_H */
