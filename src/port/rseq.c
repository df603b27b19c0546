/* SPDX-License-Identifier: MIT */
/* port/rseq.c - restartable sequences, when libc registered the thread */
#define _GNU_SOURCE
#include "port.h"

#include <hazptr/rseq.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#if HAZPTR_HAS_RSEQ_ && defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAVE_AREA 1
#endif
#endif

/* The calling thread's area; NULL: it has none, or the kernel refused it. */
void *hazptr_rseq_area_(void)
{
#ifdef HAVE_AREA
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size >= 20 && (int)((struct rseq *)area)->cpu_id >= 0)
		return area;
#endif
	return NULL;
}

/* One more than the highest number that a processor can have; 0: unknown. */
size_t hazptr_cpus_possible_(void)
{
	char text[256], *last = text;
	int saved = errno, fd;
	ssize_t n = 0, i;

	fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	errno = saved;
	if (n <= 0)
		return 0;
	text[n] = '\0';
	for (i = 0; i < n; i++)
		if (text[i] == '-' || text[i] == ',')
			last = &text[i + 1];
	return (size_t)strtoul(last, NULL, 10) + 1;
}

bool hazptr_stats_wanted_(void)
{
	const char *wanted = secure_getenv("HAZPTR_STATS");

	return wanted && wanted[0] == '1' && !wanted[1];
}
