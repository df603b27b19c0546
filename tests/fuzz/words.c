/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/words.c - the files of examples/workqueue, cut into jobs
 *
 * Two bytes say how large a job is, the rest is a file. The jobs are the whole
 * file, in order, cut between words; and they have as many words as the file.
 */
#include "fuzz.h"

#include "../../examples/workqueue/work.h"

#include <ctype.h>
#include <string.h>

static struct file whole;
static struct count sum;
static size_t at; /* up to which the jobs have come */

static void put(const struct job *job)
{
	struct file piece = { "piece", (char *)(uintptr_t)job->text,
			      job->length };
	struct work work = { .files = &piece, .n_files = 1, .piece = 1 };

	must(job->file == 0 && job->length);
	must(job->text == whole.text + at);
	at += job->length;
	must(at <= whole.length);
	if (at < whole.length)
		must(isspace((unsigned char)whole.text[at - 1]));
	work_alone(&work, &sum);
}

/* Never called: there are no workers. */
static void take_job(struct job *job)
{
	(void)job;
	abort();
}

static uint64_t count_slowly(void)
{
	bool inside = false;
	uint64_t n = 0;

	for (size_t i = 0; i < whole.length; i++) {
		bool space = isspace((unsigned char)whole.text[i]);

		n += !space && !inside;
		inside = !space;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct queue queue = { "here", put, take_job };
	struct input in = { data, data + size };
	struct work work = { .files = &whole, .n_files = 1, .times = 1 };
	struct count right = { 0 }, none[1] = { { 0 } };
	double seconds;

	work.piece = 1 + (take(&in) << 8 | take(&in));
	whole.name = "input";
	whole.length = (size_t)(in.end - in.at);
	whole.text = malloc(whole.length ? whole.length : 1);
	must(whole.text);
	memcpy(whole.text, in.at, whole.length);
	at = 0;
	sum = right;
	must(work_shared(&work, &queue, none, &seconds));
	must(at == whole.length);
	work_alone(&work, &right);
	must(sum.words == right.words && sum.digest == right.digest);
	must(right.words == count_slowly());
	must(work_jobs(&work) <= whole.length / work.piece + 1);
	free(whole.text);
	return 0;
}
