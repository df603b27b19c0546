/* SPDX-License-Identifier: MIT */
/* workqueue/work.c - reading, cutting into pieces, counting, and the workers */
#include "work.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK 65536

/* ---- reading ---- */

static bool read_all(FILE *in, struct file *file)
{
	size_t room = 0, got;

	do {
		if (file->length + CHUNK > room) {
			char *text;

			room = 2 * room + CHUNK;
			text = realloc(file->text, room);
			if (!text)
				return false;
			file->text = text;
		}
		got = fread(file->text + file->length, 1, CHUNK, in);
		file->length += got;
	} while (got);
	return !ferror(in);
}

bool work_read(struct file *file, const char *name)
{
	FILE *in = fopen(name, "re");
	bool ok;

	*file = (struct file){ .name = name };
	ok = in && read_all(in, file);
	if (!ok)
		fprintf(stderr, "workqueue: cannot read %s: %s\n", name,
			strerror(errno));
	if (in)
		fclose(in);
	return ok;
}

/* ---- counting ---- */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Words are what stands between white space, as for wc(1). FNV-1a of each. */
static void count_words(const char *text, size_t length, struct count *count)
{
	const char *end = text + length;

	while (text < end) {
		uint64_t hash = 0xcbf29ce484222325u;

		if (is_space(*text)) {
			text++;
			continue;
		}
		for (; text < end && !is_space(*text); text++)
			hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
		count->words++;
		count->digest += hash;
	}
}

void work_alone(const struct work *work, struct count *counts)
{
	for (unsigned i = 0; i < work->n_files; i++)
		count_words(work->files[i].text, work->files[i].length,
			    &counts[i]);
}

/* ---- jobs ---- */

/* A piece ends after white space, so no word is in two of them. */
static size_t cut(const struct file *file, size_t from, size_t piece)
{
	size_t end = from + piece;

	while (end < file->length && !is_space(file->text[end - 1]))
		end++;
	return (end < file->length ? end : file->length) - from;
}

/* Calls put for each job. Return: how many. */
static uint64_t each_job(const struct work *work,
			 void (*put)(const struct job *job))
{
	uint64_t n = 0;

	for (unsigned i = 0; i < work->n_files; i++) {
		const struct file *file = &work->files[i];
		struct job job = { .file = i };
		size_t at;

		for (at = 0; at < file->length; at += job.length) {
			job.text = file->text + at;
			job.length = cut(file, at, work->piece);
			if (put)
				put(&job);
			n++;
		}
	}
	return n;
}

uint64_t work_jobs(const struct work *work)
{
	return each_job(work, NULL);
}

/* ---- workers ---- */

struct worker {
	const struct queue *queue;
	struct count *counts; /* of this worker alone, one for each file */
	pthread_t id;
};

static void *work_on(void *arg)
{
	struct worker *w = arg;
	struct job job;

	for (;;) {
		w->queue->take(&job);
		if (!job.text)
			return NULL;
		count_words(job.text, job.length, &w->counts[job.file]);
	}
}

static void stop_workers(const struct work *work, struct worker *workers,
			 unsigned n, struct count *counts)
{
	static const struct job no_more;
	unsigned i, k;

	for (i = 0; i < n; i++)
		workers[i].queue->put(&no_more);
	for (i = 0; i < n; i++) {
		pthread_join(workers[i].id, NULL);
		for (k = 0; k < work->n_files; k++) {
			counts[k].words += workers[i].counts[k].words;
			counts[k].digest += workers[i].counts[k].digest;
		}
		free(workers[i].counts);
	}
}

static bool start_worker(const struct work *work, const struct queue *queue,
			 struct worker *w)
{
	w->queue = queue;
	w->counts = calloc(work->n_files, sizeof(*w->counts));
	if (w->counts && !pthread_create(&w->id, NULL, work_on, w))
		return true;
	free(w->counts);
	return false;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool work_shared(const struct work *work, const struct queue *queue,
		 struct count *counts, double *seconds)
{
	static struct worker workers[MAX_WORKERS];
	double start = now();
	unsigned i, n = 0;
	bool ok;

	while (n < work->workers && start_worker(work, queue, &workers[n]))
		n++;
	ok = n == work->workers;
	for (i = 0; ok && i < work->times; i++)
		each_job(work, queue->put);
	stop_workers(work, workers, n, counts);
	*seconds = now() - start;
	return ok;
}
