/* SPDX-License-Identifier: MIT */
/*
 * workqueue/work.h - files, the pieces of them that are jobs, and the counts
 */
#ifndef WORKQUEUE_WORK_H
#define WORKQUEUE_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_LENGTH 16 /* jobs, at most; a power of two */
#define MAX_WORKERS 256
#define MAX_ROUNDS 100

struct file {
	const char *name;
	char *text;
	size_t length;
};

/** struct job - one piece of a file; no text: there are no more */
struct job {
	const char *text;
	size_t length;
	unsigned file;
};

/**
 * struct count - of one file
 *
 * The digest is a sum over all words of a hash of each, so it says whether
 * every word was counted once, in whatever order.
 */
struct count {
	uint64_t words;
	uint64_t digest;
};

/** struct queue - one kind of it; put and take wait while it is full, empty */
struct queue {
	const char *name;
	void (*put)(const struct job *job);
	void (*take)(struct job *job);
};

extern const struct queue hazptr_queue;
extern const struct queue pthread_queue;

/* The whole work, by one kind of queue or by none. */
struct work {
	struct file *files;
	unsigned n_files;
	unsigned workers;
	size_t piece;	/* bytes, about */
	unsigned times; /* all files so often, by workers */
};

/* With a message on stderr when false. */
bool work_read(struct file *file, const char *name);
/* In this thread alone; counts has one for each file. */
void work_alone(const struct work *work, struct count *counts);
/* By workers; *seconds: how long. False: they cannot be started. */
bool work_shared(const struct work *work, const struct queue *queue,
		 struct count *counts, double *seconds);
/* How many jobs it is, all files once. */
uint64_t work_jobs(const struct work *work);

#endif /* WORKQUEUE_WORK_H */
