/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/capture.h - what a call prints, on either output
 */
#ifndef HAZPTR_TESTS_FUZZ_CAPTURE_H
#define HAZPTR_TESTS_FUZZ_CAPTURE_H

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static struct {
	int file;
	int before[3];
	char text[16384];
} capture = { .file = -1 };

/* Reports of a sanitizer go where they went before. */
extern __attribute__((__weak__)) void __sanitizer_set_report_fd(void *fd);

static void capture_begin(void)
{
	if (capture.file < 0) {
		capture.file = memfd_create("capture", MFD_CLOEXEC);
		capture.before[1] = dup(1);
		capture.before[2] = dup(2);
		must(capture.file >= 0 && capture.before[2] >= 0);
		if (__sanitizer_set_report_fd)
			__sanitizer_set_report_fd(
				(void *)(intptr_t)capture.before[2]);
	}
	fflush(stdout);
	must(!ftruncate(capture.file, 0) && !lseek(capture.file, 0, SEEK_SET));
	dup2(capture.file, 1);
	dup2(capture.file, 2);
}

/* Return: the beginning of what was printed. */
static const char *capture_end(void)
{
	ssize_t n;

	fflush(stdout);
	dup2(capture.before[1], 1);
	dup2(capture.before[2], 2);
	n = pread(capture.file, capture.text, sizeof(capture.text) - 1, 0);
	must(n >= 0);
	capture.text[n] = '\0';
	return capture.text;
}

#endif /* HAZPTR_TESTS_FUZZ_CAPTURE_H */
