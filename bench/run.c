/* SPDX-License-Identifier: MIT */
/*
 * bench/run.c - threads, clocks, rounds
 *
 * A measurement: the main thread makes the scheme's objects, starts the
 * threads, lets them run a while to get warm, and then for the time asked for.
 * Each thread is kept on one processor while there are enough of them. What is
 * counted is CPU time, so that a thread that another program pushed aside
 * does not look slow.
 *
 * Where the reclaiming is part of the job (BENCH_NS_PROCESS) the CPU time is
 * the whole process's, from before the warm-up until all that was retired is
 * reclaimed, and the operations of the warm-up count.
 */
#define _GNU_SOURCE
#include "run.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define BENCH_HELPERS 2 /* at most */
#define WARM_NS 5000000L
#define PACE_NS 100000L
#define TRIES 4
#define TRIES_MORE 300 /* in all: some machines are never quiet */
#define UNDISTURBED 0.95

struct bench_link *bench_chain;
unsigned bench_batch = 1000;
unsigned bench_keys;

struct bench_thread {
	struct bench_task task;
	struct measurement *m;
	bench_body body;
	pthread_t id;
	uint64_t warm; /* operations */
	uint64_t done;
	double cpu; /* ns */
	double wall;
};

struct measurement {
	pthread_barrier_t barrier;
	bool one_cpu;
	int stop;
	unsigned n; /* threads that are measured; helpers come after them */
	struct bench_thread thread[BENCH_THREADS + BENCH_HELPERS];
};

static cpu_set_t cpus; /* that this process may use */

static double clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void sleep_ns(double ns)
{
	struct timespec t;

	t.tv_sec = (time_t)(ns / 1e9);
	t.tv_nsec = (long)(ns - (double)t.tv_sec * 1e9);
	while (nanosleep(&t, &t))
		;
}

#define NAP_NS 2000000L

void bench_nap(const struct bench_task *t)
{
	while (bench_go(t))
		sleep_ns(NAP_NS);
}

static void go_online(const struct bench_scheme *scheme)
{
	if (scheme->online)
		scheme->online();
}

static void go_offline(const struct bench_scheme *scheme)
{
	if (scheme->offline)
		scheme->offline();
}

void bench_rest(const struct bench_task *t)
{
	go_offline(t->scheme);
	bench_nap(t);
	go_online(t->scheme);
}

void bench_look(const struct bench_scheme *scheme)
{
	static const int stop = 1;
	struct bench_task once = { .stop = &stop, .scheme = scheme };

	go_online(scheme);
	scheme->body[BENCH_LOOK](&once);
	go_offline(scheme);
}

/* Registered, as a reader is, and asleep outside of any section. */
static uint64_t rest(struct bench_task *t)
{
	bench_look(t->scheme);
	bench_nap(t);
	return 1;
}

void *bench_alloc(size_t size)
{
	void *p = malloc(size);

	if (!p) {
		fprintf(stderr, "hazptr-bench: out of memory\n");
		exit(1);
	}
	return p;
}

/* A ring of all links in random order, in one block. */
static void make_chain(void)
{
	struct bench_task dice = { .random = 88172645463325252ULL };
	unsigned order[BENCH_LINKS];
	struct bench_link *link;

	link = aligned_alloc(BENCH_OBJECT, sizeof(*link) * BENCH_LINKS);
	if (!link)
		exit(1);
	for (unsigned i = 0; i < BENCH_LINKS; i++) {
		unsigned k = bench_random(&dice) % (i + 1);

		order[i] = order[k];
		order[k] = i;
	}
	for (unsigned i = 0; i < BENCH_LINKS; i++) {
		link[order[i]].next = &link[order[(i + 1) % BENCH_LINKS]];
		link[order[i]].value = i;
	}
	bench_chain = link;
}

void bench_init(void)
{
	const struct bench_scheme *all[] = { &bench_bare,      &bench_hazptr,
					     &bench_ck,	       &bench_cds,
					     &bench_refs,      &bench_epoch,
					     &bench_urcu_memb, &bench_urcu_qsbr,
					     &bench_urcu_mb,   &bench_urcu_bp };

	sched_getaffinity(0, sizeof(cpus), &cpus);
	make_chain();
	for (unsigned i = 0; i < BENCH_COUNT(all); i++)
		if (all[i]->version && all[i]->init)
			all[i]->init();
}

bool bench_can(const struct bench_row *row)
{
	return row->scheme->version && row->scheme->body[row->job];
}

/* The nth processor, while there are enough for all threads. */
static void pin(unsigned n, unsigned threads)
{
	unsigned left = n;
	cpu_set_t one;

	if (threads > (unsigned)CPU_COUNT(&cpus))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &cpus) || left--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
		return;
	}
}

/* Between two runs a thread waits for the others. */
static uint64_t run_body(struct bench_thread *t)
{
	uint64_t done;

	go_online(t->task.scheme);
	done = t->body(&t->task);
	go_offline(t->task.scheme);
	return done;
}

static void *thread_main(void *arg)
{
	struct bench_thread *t = arg;
	struct measurement *m = t->m;
	double cpu, wall;

	pin(m->one_cpu ? 0 : t->task.index, m->one_cpu ? 1 : t->task.threads);
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (t->task.scheme->enter)
		t->task.scheme->enter();
	pthread_barrier_wait(&m->barrier);
	t->warm = run_body(t);
	t->task.own = 0;
	pthread_barrier_wait(&m->barrier);
	pthread_barrier_wait(&m->barrier);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	wall = clock_ns(CLOCK_MONOTONIC);
	t->done = run_body(t);
	t->wall = clock_ns(CLOCK_MONOTONIC) - wall;
	t->cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	if (t->task.scheme->leave)
		t->task.scheme->leave();
	return NULL;
}

static void set_stop(struct measurement *m, int stop)
{
	__atomic_store_n(&m->stop, stop, __ATOMIC_RELAXED);
}

static bench_body body_of(const struct bench_row *row, enum bench_job job)
{
	if (job == BENCH_PACED)
		return bench_paced;
	if (job == BENCH_REST)
		return rest;
	return row->scheme->body[job];
}

static void start_threads(struct measurement *m, const struct bench_row *row)
{
	unsigned total = m->n + row->helped;

	pthread_barrier_init(&m->barrier, NULL, total + 1);
	for (unsigned i = 0; i < total; i++) {
		enum bench_job job = i < m->n ? row->job : row->helper;
		struct bench_thread *t = &m->thread[i];

		t->m = m;
		t->body = body_of(row, job);
		t->task = (struct bench_task){
			.stop = &m->stop,
			.scheme = row->scheme,
			.index = i,
			.threads = total,
			.random = 0x9e3779b97f4a7c15ULL * (i + 1),
		};
		if (pthread_create(&t->id, NULL, thread_main, t)) {
			fprintf(stderr,
				"hazptr-bench: cannot start a thread\n");
			exit(1);
		}
	}
}

/* The two runs of every thread, from the main thread's side. */
static void conduct(struct measurement *m, double seconds)
{
	pthread_barrier_wait(&m->barrier);
	sleep_ns(WARM_NS);
	set_stop(m, 1);
	pthread_barrier_wait(&m->barrier);
	set_stop(m, 0);
	pthread_barrier_wait(&m->barrier);
	sleep_ns(seconds * 1e9);
	set_stop(m, 1);
}

static double value_of(const struct measurement *m, enum bench_unit unit,
		       double process)
{
	double cpu = 0, wall = 0, done = 0, all = 0, own = 0, longest = 0;

	for (unsigned i = 0; i < m->n; i++) {
		const struct bench_thread *t = &m->thread[i];

		cpu += t->cpu;
		wall += t->wall;
		done += (double)t->done;
		all += (double)(t->done + t->warm);
		own += t->task.own;
		longest = t->task.own > longest ? t->task.own : longest;
	}
	switch (unit) {
	case BENCH_NS_THREAD:
		return cpu / done;
	case BENCH_NS_PROCESS:
		return process / all;
	case BENCH_RATE:
		return m->n * done / cpu * 1e3;
	case BENCH_NS_CLOCK:
		return wall / done;
	case BENCH_RATE_CLOCK:
		return m->n * done / wall * 1e3;
	case BENCH_US_OWN:
		return own / done / 1e3;
	case BENCH_US_LONGEST:
		return longest / 1e3;
	case BENCH_MIB:
	case BENCH_BYTES:
	case BENCH_LOOKUP_RATE:
		return own;
	}
	return 0;
}

static void sum_up(const struct measurement *m, enum bench_unit unit,
		   double process, struct bench_sample *out)
{
	double cpu = 0, wall = 0, done = 0;

	for (unsigned i = 0; i < m->n; i++) {
		cpu += m->thread[i].cpu;
		wall += m->thread[i].wall;
		done += (double)m->thread[i].done;
	}
	out->wall = wall / done;
	out->share = cpu / wall;
	if (unit == BENCH_RATE)
		out->wall = m->n * done / wall * 1e3;
	out->value = value_of(m, unit, process);
}

static void measure(const struct bench_table *table,
		    const struct bench_row *row, unsigned threads,
		    double seconds, struct bench_sample *out)
{
	static struct measurement m;
	const struct bench_thread *helper = &m.thread[threads];
	double process;

	memset(&m, 0, sizeof(m));
	m.n = threads;
	m.one_cpu = table->one_cpu;
	bench_keys = 2 * table->nodes;
	if (row->scheme->begin)
		row->scheme->begin(row->job);
	if (!bench_registered_start(row->scheme)) {
		if (row->scheme->end)
			row->scheme->end(row->job);
		*out = (struct bench_sample){ .value = NAN };
		return;
	}
	process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	start_threads(&m, row);
	conduct(&m, seconds);
	for (unsigned i = 0; i < threads + row->helped; i++)
		pthread_join(m.thread[i].id, NULL);
	out->peak = 0;
	if (row->scheme->end)
		out->peak = (double)row->scheme->end(row->job);
	process = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process;
	sum_up(&m, table->unit, process, out);
	if (row->helped && helper->cpu / helper->wall < out->share &&
	    row->helper != BENCH_PACED && !bench_by_clock(table->unit))
		out->share = helper->cpu / helper->wall;
	pthread_barrier_destroy(&m.barrier);
	bench_registered_end();
}

/*
 * Where threads are measured beside others that they get in the way of, all
 * have to run: when other programs took a processor away, again, and the least
 * disturbed of the tries counts. Where that happens all the time it is only
 * said at the end.
 */
void bench_measure(const struct bench_table *table, const struct bench_row *row,
		   unsigned threads, double seconds, struct bench_sample *out)
{
	bool shares = table->contend || table->unit == BENCH_NS_PROCESS;
	bool together = row->helped || (shares && threads > 1);
	static unsigned more = TRIES_MORE;
	struct bench_sample next;

	together = together && !bench_by_clock(table->unit);
	measure(table, row, threads, seconds, out);
	for (unsigned i = 1; i < TRIES && together && more; i++) {
		if (out->share >= UNDISTURBED)
			return;
		more--;
		measure(table, row, threads, seconds, &next);
		if (next.share > out->share)
			*out = next;
	}
}

uint64_t bench_paced(struct bench_task *t)
{
	struct timespec due;
	uint64_t n = 0;

	clock_gettime(CLOCK_MONOTONIC, &due);
	while (bench_go(t)) {
		t->scheme->replace();
		n++;
		due.tv_nsec += PACE_NS;
		if (due.tv_nsec >= 1000000000L) {
			due.tv_nsec -= 1000000000L;
			due.tv_sec++;
		}
		go_offline(t->scheme);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		go_online(t->scheme);
	}
	return n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, unsigned n, double *low, double *high)
{
	qsort(values, n, sizeof(*values), by_value);
	if (low)
		*low = values[0];
	if (high)
		*high = values[n - 1];
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static void progress(const struct bench_figures *f, unsigned count,
		     unsigned round, const char *row)
{
	if (isatty(2))
		fprintf(stderr, "\r\033[K%s: %u thread%s, round %u of %u: %s",
			f->table->name, count, count == 1 ? "" : "s", round + 1,
			f->rounds, row);
	else if (!round && row == f->table->rows[0].name)
		fprintf(stderr, "%s: %u thread%s, %u rounds\n", f->table->name,
			count, count == 1 ? "" : "s", f->rounds);
}

static void measure_row(const struct bench_figures *f, unsigned count,
			unsigned row, unsigned round, double seconds)
{
	const struct bench_row *r = &f->table->rows[row];
	struct bench_series *s = &f->series[count * f->table->nrows + row];
	struct bench_sample *out = &s->sample[round];
	unsigned threads = f->counts[count];

	if (s->missing)
		return;
	progress(f, threads, round, r->name);
	if (!bench_can(r))
		s->missing = true;
	else if ((!r->shared && !r->setting) || !bench_remote_can())
		bench_measure(f->table, r, threads, seconds, out);
	else if (!bench_remote_measure(f->table, row, threads, seconds, out))
		s->missing = true;
	if (!s->missing && isnan(out->value))
		s->missing = s->refused = true;
}

static void choose_counts(struct bench_figures *f,
			  const struct bench_table *table,
			  const struct bench_options *options)
{
	const unsigned *counts = table->counts;
	unsigned n = 0;

	if (table->threads) {
		f->counts[0] = table->threads;
		f->ncounts = 1;
		return;
	}
	while (n < BENCH_COUNTS && counts[n])
		n++;
	if (!n) {
		counts = options->counts;
		n = options->ncounts;
	}
	memcpy(f->counts, counts, sizeof(f->counts));
	f->ncounts = n;
}

static void leave_out(struct bench_figures *f,
		      const struct bench_options *options)
{
	unsigned rows = f->table->nrows;

	for (unsigned i = 0; i < f->ncounts * rows; i++) {
		const struct bench_row *row = &f->table->rows[i % rows];

		f->series[i].unwanted =
			!bench_wants_row(options, f->table, row);
		f->series[i].missing = f->series[i].unwanted;
	}
}

void bench_run(const struct bench_table *table,
	       const struct bench_options *options, struct bench_figures *f)
{
	f->table = table;
	f->rounds = options->rounds;
	choose_counts(f, table, options);
	f->series =
		calloc((size_t)f->ncounts * table->nrows, sizeof(*f->series));
	if (!f->series)
		exit(1);
	leave_out(f, options);
	for (unsigned count = 0; count < f->ncounts; count++)
		for (unsigned round = 0; round < f->rounds; round++)
			for (unsigned row = 0; row < table->nrows; row++)
				measure_row(f, count, row, round,
					    options->seconds);
	if (isatty(2))
		fprintf(stderr, "\r\033[K");
}
