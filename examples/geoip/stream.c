/* SPDX-License-Identifier: MIT */
/*
 * geoip/stream.c - the addresses to look up, and the right answers
 */
#include "stream.h"

#include "reference.h"

#include <stdlib.h>

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static struct address address4(uint64_t number)
{
	return (struct address){ .low = (uint32_t)number };
}

static struct address one_below(struct address a)
{
	if (!a.is_v6)
		return address4(a.low - 1);
	return (struct address){ a.high - !a.low, a.low - 1, true };
}

static struct address one_above(struct address a)
{
	if (!a.is_v6)
		return address4(a.low + 1);
	return (struct address){ a.high + !(a.low + 1), a.low + 1, true };
}

/* The first or the last address of some range. */
static struct address pick_edge(const struct table *t, uint64_t *state,
				bool last)
{
	size_t i = next_random(state) % (t->n4 + t->n6);
	struct key6 key;

	if (i < t->n4)
		return address4(last ? t->v4[i].end : t->v4[i].start);
	key = last ? t->v6[i - t->n4].end : t->v6[i - t->n4].start;
	return (struct address){ key.high, key.low, true };
}

static struct address pick_at_edge(const struct table *t, uint64_t *state)
{
	bool last = next_random(state) & 1;
	struct address a = pick_edge(t, state, last);

	if (next_random(state) & 1)
		return a;
	return last ? one_above(a) : one_below(a);
}

/* Shares the first 16 bits (IPv6: 48) with a range. */
static struct address pick_near(const struct table *t, uint64_t *state)
{
	struct address a = pick_edge(t, state, false);

	if (!a.is_v6)
		return address4(a.low ^ (next_random(state) & 0xffff));
	a.high ^= next_random(state) & 0xffff;
	a.low = next_random(state);
	return a;
}

/* Any IPv4 address, or any in 2000::/3. */
static struct address pick_anywhere(const struct table *t, uint64_t *state)
{
	struct address a = pick_edge(t, state, false);

	if (!a.is_v6)
		return address4(next_random(state));
	a.high = next_random(state) >> 3 | (uint64_t)1 << 61;
	a.low = next_random(state);
	return a;
}

static struct address pick(const struct table *t, uint64_t *state)
{
	switch (next_random(state) & 3) {
	case 0:
		return pick_near(t, state);
	case 1:
		return pick_anywhere(t, state);
	default:
		return pick_at_edge(t, state);
	}
}

struct stream *stream_make(const struct files *files, const struct table *t,
			   uint64_t seed)
{
	struct stream *s = calloc(1, sizeof(*s));
	size_t ranges;

	if (!s)
		return NULL;
	for (size_t i = 0; i < STREAM_LENGTH; i++)
		s->address[i] = pick(t, &seed);
	ranges = reference_answers(files, s->address, STREAM_LENGTH,
				   s->expected);
	if (ranges != t->n4 + t->n6) {
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < STREAM_LENGTH; i++)
		s->found += s->expected[i] != COUNTRY_NONE;
	return s;
}
