/* SPDX-License-Identifier: MIT */
/*
 * geoip/rounds.c - readers, the updater, and the schemes in turn
 *
 * One updater thread loads table after table for the whole run and publishes
 * each through the scheme that is in service. Rounds go through all schemes,
 * a slice of time for each with readers of its own, so that whatever slows the
 * machine down for a while meets all of them.
 */
#include "rounds.h"

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK 64       /* look-ups between two glances at the clock's flag */
#define RETRY_AFTER .1 /* seconds after a reload that failed */

struct reader {
	pthread_t thread;
	const struct run *run;
	pthread_barrier_t *gate;
	uint16_t (*lookup)(const struct address *a);
	size_t position;
	uint64_t lookups, wrong, dead;
} __attribute__((aligned(64)));

double rounds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_for(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

/* ---- readers ---- */

static void look_up_one(struct reader *r, size_t i)
{
	const struct stream *s = r->run->stream;
	uint16_t answer = r->lookup(&s->address[i]);

	if (__builtin_expect(answer == s->expected[i], 1))
		return;
	if (answer == COUNTRY_DEAD)
		r->dead++;
	else
		r->wrong++;
}

static void *read_on(void *arg)
{
	struct reader *r = arg;
	size_t i = r->position;

	pthread_barrier_wait(r->gate);
	for (; !is_set(&r->run->stop); r->lookups += BLOCK) {
		for (int n = 0; n < BLOCK; n++)
			look_up_one(r, i++ % STREAM_LENGTH);
	}
	return NULL;
}

/* Each reader begins at another place of the stream. */
static struct reader *start_readers(const struct run *run,
				    pthread_barrier_t *gate)
{
	size_t bytes = run->threads * sizeof(struct reader);
	struct reader *all = aligned_alloc(64, bytes);

	for (unsigned i = 0; all && i < run->threads; i++) {
		all[i] = (struct reader){
			.run = run,
			.gate = gate,
			.lookup = run->serving->scheme->lookup,
			.position = STREAM_LENGTH / run->threads * i,
		};
		if (pthread_create(&all[i].thread, NULL, read_on, &all[i]))
			return NULL; /* the program ends */
	}
	return all;
}

static void join_readers(struct reader *all, unsigned n, double elapsed,
			 struct result *result, unsigned round)
{
	uint64_t lookups = 0;

	for (unsigned i = 0; i < n; i++) {
		pthread_join(all[i].thread, NULL);
		lookups += all[i].lookups;
		result->wrong += all[i].wrong;
		result->dead += all[i].dead;
	}
	result->rate[round] = (double)lookups / elapsed;
	free(all);
}

/* ---- the updater ---- */

/* Another table of the same content; a changed file is not what we expect. */
static struct table *load_again(const struct run *run, struct problem *problem)
{
	struct table *t = table_load(run->files, problem);

	if (!t || t->digest == run->digest)
		return t;
	snprintf(problem->text, sizeof(problem->text),
		 "the files are not those that the answers were taken from");
	table_destroy(t);
	return NULL;
}

static void publish(struct run *run, struct table *t)
{
	struct result *serving;

	pthread_mutex_lock(&run->service);
	serving = run->serving;
	serving->scheme->publish(t);
	serving->reloads += serving->scheme->reloads;
	pthread_mutex_unlock(&run->service);
}

static void pause_until(const struct run *run, double then)
{
	double left;

	while (!is_set(&run->done) && (left = then - rounds_now()) > 0)
		sleep_for(left < .01 ? left : .01);
}

static void *update_on(void *arg)
{
	struct run *run = arg;
	struct problem problem, reported = { "" };

	while (!is_set(&run->done)) {
		double next = rounds_now();
		struct table *t = load_again(run, &problem);

		if (t) {
			publish(run, t);
			next += 1 / run->reload_rate;
		} else {
			run->failed_reloads++;
			if (strcmp(problem.text, reported.text))
				report_failed_reload(problem.text);
			reported = problem;
			next += RETRY_AFTER;
		}
		pause_until(run, next);
	}
	return NULL;
}

/* ---- rounds ---- */

/* Pass the table on from the scheme before; there are no readers now. */
static void put_in_service(struct run *run, struct result *next)
{
	struct table *t;

	pthread_mutex_lock(&run->service);
	t = run->serving->scheme->withdraw();
	table_peak_reset();
	run->serving = next;
	next->scheme->publish(t);
	pthread_mutex_unlock(&run->service);
}

static void note_peak(struct run *run)
{
	unsigned peak = table_peak();

	if (peak > run->serving->peak)
		run->serving->peak = peak;
}

static bool run_slice(struct run *run, unsigned round)
{
	double seconds = run->seconds / run->rounds / run->n_results;
	pthread_barrier_t gate;
	struct reader *readers;
	double start;

	set(&run->stop, false);
	pthread_barrier_init(&gate, NULL, run->threads + 1);
	readers = start_readers(run, &gate);
	if (!readers)
		return false;
	start = rounds_now(); /* now: this thread may be the last to run on */
	pthread_barrier_wait(&gate);
	sleep_for(seconds);
	set(&run->stop, true);
	join_readers(readers, run->threads, rounds_now() - start, run->serving,
		     round);
	pthread_barrier_destroy(&gate);
	note_peak(run);
	return true;
}

static bool run_round(struct run *run, unsigned round)
{
	for (unsigned i = 0; i < run->n_results; i++) {
		put_in_service(run, &run->result[i]);
		report_slice(run, round, i);
		if (!run_slice(run, round))
			return false;
	}
	report_round(run, round);
	return true;
}

static void begin(struct run *run, struct table *t)
{
	for (unsigned i = 0; i < SCHEMES; i++)
		run->result[i].scheme = &schemes[i];
	run->n_results = SCHEMES;
	if (run->careless)
		run->result[run->n_results++].scheme = &careless;
	pthread_mutex_init(&run->service, NULL);
	run->serving = &run->result[0];
	run->serving->scheme->publish(t);
}

/* The last table goes; then none may be left. */
static void end(struct run *run)
{
	table_destroy(run->serving->scheme->withdraw());
	hazptr_barrier(NULL);
	run->leaked = table_alive();
	table_clear_graves();
	pthread_mutex_destroy(&run->service);
}

bool rounds_run(struct run *run, struct table *t)
{
	pthread_t updater;
	bool ok = true;

	begin(run, t);
	if (run->reload_rate && pthread_create(&updater, NULL, update_on, run))
		return false;
	for (unsigned round = 0; ok && round < run->rounds; round++)
		ok = run_round(run, round);
	set(&run->done, true);
	if (run->reload_rate)
		pthread_join(updater, NULL);
	if (ok)
		end(run);
	return ok;
}
