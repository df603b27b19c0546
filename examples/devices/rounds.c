/* SPDX-License-Identifier: MIT */
/*
 * devices/rounds.c - users, the one who unplugs, and the schemes in turn
 *
 * Rounds go through all schemes, a slice of time for each, so that whatever
 * slows the machine down for a while meets all of them. In a slice the main
 * thread unplugs and plugs devices, and the other threads use them. It begins
 * without devices and ends without: what was made must have been freed.
 */
#include "rounds.h"

#include "report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK 64     /* look-ups between two glances at the flag */
#define LONG_ONE 256 /* each so many, a device stays open until the next */
#define PAUSE_NS 100000

const struct scheme *const schemes[SCHEMES] = {
	&locked_scheme,
	&counted_scheme,
	&rcu_scheme,
};

/*
 * The number of the last device that was unplugged, for each minor. Who reads
 * it before opening must not get that one or an older one.
 */
static uint64_t last_gone[DEVICES];

struct user {
	pthread_t thread;
	const struct run *run;
	pthread_barrier_t *gate;
	uint64_t random;
	struct tally tally;
	/* What stays open for longer. */
	struct device *held;
	uint64_t held_stamp;
	unsigned held_minor;
} __attribute__((aligned(64)));

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* xorshift64 */
static unsigned next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned)(*state >> 32);
}

/* A stream of numbers of its own for everybody. */
static uint64_t seed_of(const struct run *run, uint64_t who)
{
	uint64_t seed = (run->seed + who + 1) * 0x9e3779b97f4a7c15u;

	return seed ? seed : 1;
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

static void enter(const struct scheme *s)
{
	if (s->enter)
		s->enter();
}

static void leave(const struct scheme *s)
{
	if (s->leave)
		s->leave();
}

/* ---- users ---- */

static uint64_t gone_of(unsigned minor)
{
	return __atomic_load_n(&last_gone[minor], __ATOMIC_ACQUIRE);
}

/* Write and read a bit. Is it still the device that was opened? */
static void use(struct user *u, struct device *d, uint64_t stamp)
{
	if (!device_use(d, stamp, (unsigned)u->tally.found) ||
	    device_stamp(d) != stamp)
		u->tally.dead++;
}

static void check_opened(struct user *u, const struct device *d, uint64_t stamp,
			 unsigned minor, uint64_t gone)
{
	if (!device_is_alive(stamp))
		u->tally.dead++;
	else if (strncmp(d->name, device_name(minor), sizeof(d->name)))
		u->tally.other++;
	else if (device_number(stamp) <= gone)
		u->tally.gone++;
}

static void let_go(struct user *u)
{
	if (!u->held)
		return;
	if (gone_of(u->held_minor) >= device_number(u->held_stamp))
		u->tally.outlived++;
	use(u, u->held, u->held_stamp);
	u->run->serving->scheme->close(u->held);
	u->held = NULL;
}

static void hold(struct user *u, struct device *d, uint64_t stamp,
		 unsigned minor)
{
	let_go(u);
	u->held = d;
	u->held_stamp = stamp;
	u->held_minor = minor;
}

static void visit(struct user *u, const struct scheme *s)
{
	unsigned minor = next_random(&u->random) % DEVICES;
	uint64_t gone = gone_of(minor), stamp;
	struct device *d = s->open(device_name(minor));

	if (!d)
		return;
	stamp = device_stamp(d);
	check_opened(u, d, stamp, minor, gone);
	use(u, d, stamp);
	if (++u->tally.found % LONG_ONE)
		s->close(d);
	else
		hold(u, d, stamp, minor);
}

static void *visit_on(void *arg)
{
	struct user *u = arg;
	const struct scheme *s = u->run->serving->scheme;

	enter(s);
	pthread_barrier_wait(u->gate);
	for (; !is_set(&u->run->stop); u->tally.lookups += BLOCK) {
		for (int n = 0; n < BLOCK; n++)
			visit(u, s);
	}
	let_go(u);
	leave(s);
	return NULL;
}

static struct user *start_users(const struct run *run, unsigned round,
				pthread_barrier_t *gate)
{
	struct user *all =
		aligned_alloc(64, run->threads * sizeof(struct user));

	for (unsigned i = 0; all && i < run->threads; i++) {
		all[i] = (struct user){
			.run = run,
			.gate = gate,
			.random = seed_of(run, round * MAX_THREADS + i + 1),
		};
		if (pthread_create(&all[i].thread, NULL, visit_on, &all[i]))
			return NULL; /* the program ends */
	}
	return all;
}

static void add(struct tally *sum, const struct tally *t)
{
	sum->lookups += t->lookups;
	sum->found += t->found;
	sum->outlived += t->outlived;
	sum->dead += t->dead;
	sum->other += t->other;
	sum->gone += t->gone;
	sum->kept += t->kept;
}

bool tally_is_right(const struct tally *t)
{
	return !t->dead && !t->other && !t->gone && !t->kept;
}

static uint64_t join_users(struct user *all, unsigned n, struct tally *sum)
{
	uint64_t lookups = 0;

	for (unsigned i = 0; i < n; i++) {
		pthread_join(all[i].thread, NULL);
		lookups += all[i].tally.lookups;
		add(sum, &all[i].tally);
	}
	free(all);
	return lookups;
}

/* ---- the one who unplugs ---- */

/* The number of what is plugged in, or 0. */
static uint64_t plugged[DEVICES];

static void plug(struct result *r, unsigned minor)
{
	if (r->scheme->plug(minor))
		plugged[minor] = devices_begun();
}

/* Gone: who looks from now on must not find it, and the first is here. */
static void unplug(struct result *r, unsigned minor)
{
	struct device *d;

	r->scheme->unplug(minor);
	__atomic_store_n(&last_gone[minor], plugged[minor], __ATOMIC_RELEASE);
	plugged[minor] = 0;
	r->unplugged++;
	d = r->scheme->open(device_name(minor));
	if (d) {
		r->tally.gone++;
		r->scheme->close(d);
	}
}

/* Plugs four times as readily as it unplugs: four of five are there. */
static void disturb(struct result *r, uint64_t *random)
{
	unsigned minor, dice;

	do {
		minor = next_random(random) % DEVICES;
		dice = next_random(random) % 4;
	} while (plugged[minor] && dice);
	if (plugged[minor])
		unplug(r, minor);
	else
		plug(r, minor);
}

static void disturb_until(struct result *r, double end, uint64_t *random)
{
	struct timespec pause = { .tv_nsec = PAUSE_NS };

	while (now() < end) {
		nanosleep(&pause, NULL);
		disturb(r, random);
	}
}

/* ---- rounds ---- */

static bool run_users(struct run *run, struct result *r, unsigned round)
{
	double seconds = run->seconds / run->rounds / run->n_results, start;
	uint64_t random = seed_of(run, round * MAX_THREADS), lookups;
	pthread_barrier_t gate;
	struct user *users;

	run->serving = r;
	set(&run->stop, false);
	pthread_barrier_init(&gate, NULL, run->threads + 1);
	users = start_users(run, round, &gate);
	if (!users)
		return false;
	start = now(); /* now: this thread may be the last to run on */
	pthread_barrier_wait(&gate);
	disturb_until(r, start + seconds, &random);
	set(&run->stop, true);
	lookups = join_users(users, run->threads, &r->tally);
	r->rate[round] = (double)lookups / (now() - start);
	pthread_barrier_destroy(&gate);
	return true;
}

/* From nothing to nothing. */
static bool run_slice(struct run *run, struct result *r, unsigned round)
{
	uint64_t begun = devices_begun(), freed = r->scheme->settle();
	bool ok;

	enter(r->scheme);
	for (unsigned minor = 0; minor < DEVICES; minor++)
		plug(r, minor);
	ok = run_users(run, r, round);
	for (unsigned minor = 0; ok && minor < DEVICES; minor++)
		if (plugged[minor])
			unplug(r, minor);
	begun = devices_begun() - begun;
	freed = r->scheme->settle() - freed;
	r->tally.kept += (int64_t)(begun - freed);
	leave(r->scheme);
	return ok;
}

static bool run_round(struct run *run, unsigned round)
{
	for (unsigned i = 0; i < run->n_results; i++) {
		report_slice(run, round, i);
		if (!run_slice(run, &run->result[i], round))
			return false;
	}
	report_round(run, round);
	return true;
}

static void join(struct run *run, const struct scheme *s)
{
	if (!s->missing)
		run->result[run->n_results++].scheme = s;
}

bool rounds_run(struct run *run)
{
	bool ok = true;

	for (unsigned i = 0; i < SCHEMES; i++)
		join(run, schemes[i]);
	if (run->careless)
		join(run, &careless_scheme);
	for (unsigned round = 0; ok && round < run->rounds; round++)
		ok = run_round(run, round);
	return ok;
}
