/* SPDX-License-Identifier: MIT */
/*
 * geoip/address.c - addresses from text
 *
 * The two parsers of the table files are by hand, because a reload reads a
 * million addresses; the one for people is inet_pton().
 */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>

bool address_parse_number(const char *p, const char *end, struct address *a)
{
	uint64_t value = 0;

	if (p == end || end - p > 10)
		return false;
	for (; p < end; p++) {
		unsigned digit = (unsigned char)*p - (unsigned)'0';

		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*a = (struct address){ .low = value };
	return value <= UINT32_MAX;
}

static unsigned hex_digit(char c)
{
	unsigned digit = (unsigned char)c - (unsigned)'0';
	unsigned letter = ((unsigned char)c | 0x20) - (unsigned)'a';

	if (digit <= 9)
		return digit;
	return letter <= 5 ? letter + 10 : 16;
}

/* One to four hexadecimal digits. Return: where they end, or NULL. */
static const char *parse_group(const char *p, const char *end, uint16_t *group)
{
	const char *start = p;
	unsigned value = 0;

	for (; p < end; p++) {
		unsigned digit = hex_digit(*p);

		if (digit > 15)
			break;
		value = value << 4 | digit;
	}
	*group = (uint16_t)value;
	return p > start && p - start <= 4 ? p : NULL;
}

/* Put @n groups in their places; "::" stands before the group @gap. */
static void join_groups(const uint16_t *group, int n, int gap,
			struct address *a)
{
	uint64_t half[2] = { 0, 0 };

	for (int i = 0; i < n; i++) {
		int place = i < gap ? i : i + 8 - n;

		half[place / 4] |= (uint64_t)group[i] << (48 - place % 4 * 16);
	}
	*a = (struct address){ half[0], half[1], true };
}

static uint64_t big_endian(const unsigned char *byte, int n)
{
	uint64_t value = 0;

	for (int i = 0; i < n; i++)
		value = value << 8 | byte[i];
	return value;
}

static bool parse_v6_text(const char *text, struct address *a)
{
	unsigned char byte[16];

	if (inet_pton(AF_INET6, text, byte) != 1)
		return false;
	*a = (struct address){ big_endian(byte, 8), big_endian(byte + 8, 8),
			       true };
	return true;
}

/* The rare texts that end like an IPv4 address. */
static bool parse_v6_slow(const char *p, const char *end, struct address *a)
{
	char text[INET6_ADDRSTRLEN];
	size_t length = (size_t)(end - p);

	if (length >= sizeof(text))
		return false;
	memcpy(text, p, length);
	text[length] = '\0';
	return strlen(text) == length && parse_v6_text(text, a);
}

bool address_parse_v6(const char *p, const char *end, struct address *a)
{
	const char *text = p;
	uint16_t group[8];
	int n = 0, gap = -1;

	if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
		gap = 0;
		p += 2;
	}
	while (p < end) {
		if (n == 8 || !(p = parse_group(p, end, &group[n++])))
			return false;
		if (p == end)
			break;
		if (*p == '.')
			return parse_v6_slow(text, end, a);
		if (*p++ != ':' || p == end)
			return false;
		if (*p == ':') {
			if (gap >= 0)
				return false;
			gap = n;
			p++;
		}
	}
	if (gap < 0 ? n != 8 : n > 7)
		return false;
	join_groups(group, n, gap, a);
	return true;
}

bool address_parse(const char *text, struct address *a)
{
	unsigned char byte[4];

	if (inet_pton(AF_INET, text, byte) == 1) {
		*a = (struct address){ .low = big_endian(byte, 4) };
		return true;
	}
	if (!parse_v6_text(text, a))
		return false;
	if (!a->high && a->low >> 32 == 0xffff)
		*a = (struct address){ .low = (uint32_t)a->low };
	return true;
}
