/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz.h - bytes that are a program
 *
 * A target is a LLVMFuzzerTestOneInput() that turns any bytes into calls and
 * compares what they do with what they should. With clang it is linked to
 * libFuzzer, which looks for bytes that reach more code; else to replay.c,
 * which takes the bytes from files.
 */
#ifndef HAZPTR_TESTS_FUZZ_H
#define HAZPTR_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_COUNT(a) (sizeof(a) / sizeof((a)[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition) \
	((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

static inline _Noreturn void fuzz_fail(const char *what, const char *file,
				       int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* What is left of the bytes; behind their end there are zeros. */
struct input {
	const uint8_t *at, *end;
};

static inline bool has_more(const struct input *in)
{
	return in->at < in->end;
}

static inline unsigned take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline unsigned take_below(struct input *in, unsigned n)
{
	return take(in) % n;
}

static inline uint32_t take_word(struct input *in)
{
	uint32_t word = 0;

	for (int i = 0; i < 4; i++)
		word = word << 8 | take(in);
	return word;
}

#endif /* HAZPTR_TESTS_FUZZ_H */
