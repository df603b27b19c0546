/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/address.c - addresses as text
 *
 * The parsers of the table files are by hand; libc's know the same addresses.
 */
#include "fuzz.h"

#include "../../examples/geoip/address.h"

#include <arpa/inet.h>
#include <string.h>

static uint64_t number_of(const unsigned char *byte, int n)
{
	uint64_t number = 0;

	while (n--)
		number = number << 8 | *byte++;
	return number;
}

static void check_v6(const char *text, size_t size)
{
	struct address a = { 1, 2, false };
	bool ok = address_parse_v6(text, text + size, &a);
	unsigned char byte[16];
	bool right = strlen(text) == size &&
		     inet_pton(AF_INET6, text, byte) == 1;

	must(ok == right);
	if (ok) {
		must(a.is_v6 && a.high == number_of(byte, 8));
		must(a.low == number_of(byte + 8, 8));
	}
}

static void check_number(const char *text, size_t size)
{
	struct address a = { 1, 2, true };
	bool ok = address_parse_number(text, text + size, &a);
	bool right = size && strspn(text, "0123456789") == size && size <= 10 &&
		     strtoull(text, NULL, 10) <= UINT32_MAX;

	must(ok == right);
	if (ok)
		must(!a.is_v6 && !a.high && a.low == strtoull(text, NULL, 10));
}

static void check_people(const char *text)
{
	struct address a;
	unsigned char byte[16];

	if (!address_parse(text, &a)) {
		must(inet_pton(AF_INET, text, byte) != 1);
		must(inet_pton(AF_INET6, text, byte) != 1);
	} else if (a.is_v6) {
		must(inet_pton(AF_INET6, text, byte) == 1);
		must(a.high == number_of(byte, 8));
		must(a.low == number_of(byte + 8, 8));
	} else if (inet_pton(AF_INET, text, byte) == 1) {
		must(a.low == number_of(byte, 4));
	} else {
		must(inet_pton(AF_INET6, text, byte) == 1);
		must(!memcmp(byte, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12));
		must(a.low == number_of(byte + 12, 4));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *exact = malloc(size ? size : 1);
	struct address a;

	must(text && exact);
	memcpy(text, data, size);
	text[size] = '\0';
	check_v6(text, size);
	check_number(text, size);
	check_people(text);
	/* Nothing is read beyond the end. */
	memcpy(exact, data, size);
	address_parse_v6(exact, exact + size, &a);
	address_parse_number(exact, exact + size, &a);
	free(exact);
	free(text);
	return 0;
}
