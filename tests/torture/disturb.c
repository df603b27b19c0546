/* SPDX-License-Identifier: MIT */
/* tests/torture/disturb.c - what goes on beside the waiting; see parking.h */
#include "parking.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifndef PATIENCE_S
#define PATIENCE_S 300
#endif
#define SMALLEST_BITS 4 /* tables of 16 to 16384 buckets */
#define SIZES 11

struct options options;

static __thread uint64_t random_state;
static cpu_set_t cpus; /* that the process may use */

bool options_read(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 'x' },
		{ "fence", required_argument, NULL, 'f' },
		{ "futex", required_argument, NULL, 'k' },
		{ "wake", required_argument, NULL, 'w' },
		{ "signals", no_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	const char *futex = "guard", *wake = "fence";
	int option;

	options.seed = (uint64_t)time(NULL) * 1000003u ^ (uint64_t)getpid();
	options.seed &= 0xffffffffu;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 's')
			options.seconds = strtod(optarg, NULL);
		else if (option == 't')
			options.threads = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 'x')
			options.seed = strtoull(optarg, NULL, 0);
		else if (option == 'f')
			setenv("HAZPTR_FENCE", optarg, 1);
		else if (option == 'k')
			futex = optarg;
		else if (option == 'w')
			wake = optarg;
		else if (option == 'i')
			options.signals = true;
		else
			return false;
	}
	setenv("HAZPTR_FUTEX", futex, 1);
	setenv("HAZPTR_FUTEX_WAKE", wake, 1);
	random_begin(0);
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		failed("sched_getaffinity", NULL);
	printf("%s: seed %llu, %u threads, %.3g s, %s, %s%s\n", options.name,
	       (unsigned long long)options.seed, options.threads,
	       options.seconds, futex, wake,
	       options.signals ? ", signals" : "");
	fflush(stdout);
	return options.threads && options.seconds > 0;
}

_Noreturn void failed(const char *what, const void *object)
{
	fflush(stdout);
	fprintf(stderr, "%s: seed %llu: %s, %p\n", options.name,
		(unsigned long long)options.seed, what, object);
	_exit(1);
}

void random_begin(uint64_t salt)
{
	random_state = (options.seed + 1) * 0x9e3779b97f4a7c15u ^
		       (salt << 20 | 1);
}

uint64_t pick(uint64_t n)
{
	uint64_t x = random_state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	random_state = x;
	return (x >> 11) % n;
}

void nap_us(unsigned us)
{
	struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct timespec after_us(uint64_t us)
{
	struct timespec t;

	us += now_us();
	t.tv_sec = (time_t)(us / 1000000);
	t.tv_nsec = (long)(us % 1000000) * 1000;
	return t;
}

void add(uint64_t *sum, uint64_t n)
{
	__atomic_fetch_add(sum, n, __ATOMIC_ACQ_REL);
}

uint64_t get(const uint64_t *sum)
{
	return __atomic_load_n(sum, __ATOMIC_ACQUIRE);
}

void await(const uint64_t *sum, uint64_t n, const char *what)
{
	uint64_t end = now_us() + PATIENCE_S * (uint64_t)1000000;

	while (get(sum) < n) {
		if (now_us() > end) {
			fprintf(stderr, "%s: %llu of %llu\n", options.name,
				(unsigned long long)get(sum),
				(unsigned long long)n);
			failed(what, sum);
		}
		nap_us(500);
	}
}

bool start_thread(pthread_t *thread, size_t stack, void *(*run)(void *),
		  void *arg)
{
	pthread_attr_t attr;
	bool started;

	pthread_attr_init(&attr);
	if (stack)
		pthread_attr_setstacksize(&attr, stack);
	started = !pthread_create(thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return started;
}

void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (!start_thread(thread, 0, run, arg))
		failed("no thread to be had", NULL);
}

/* Resizes */

static pthread_t resizer;
static int resizer_stops;
static uint64_t resizes;

static void *resize(void *unused)
{
	unsigned buckets = 0;

	(void)unused;
	random_begin(0x7e512e);
	while (!__atomic_load_n(&resizer_stops, __ATOMIC_ACQUIRE)) {
		buckets = 1u << (SMALLEST_BITS + pick(SIZES));
		if (hazptr_futex_hash_resize(buckets))
			failed("resize", NULL);
		if (hazptr_futex_hash_buckets() != buckets)
			failed("resized, and of another size", NULL);
		resizes++;
		nap_us(1000);
	}
	return NULL;
}

void resizes_begin(void)
{
	resizer_stops = 0;
	resizes = 0;
	start(&resizer, resize, NULL);
}

uint64_t resizes_end(void)
{
	__atomic_store_n(&resizer_stops, 1, __ATOMIC_RELEASE);
	pthread_join(resizer, NULL);
	return resizes;
}

/* Processors */

void move_thread(void)
{
	cpu_set_t set = cpus;
	int k, n = (int)pick((uint64_t)CPU_COUNT(&cpus) + 1);

	if (n < CPU_COUNT(&cpus)) {
		CPU_ZERO(&set);
		for (k = 0; !CPU_ISSET(k, &cpus) || n--; k++)
			;
		CPU_SET(k, &set);
	}
	sched_setaffinity(0, sizeof(set), &set);
}

/* Signals */

static struct targets targets;
static pthread_t sender;
static int sender_stops;
static uint64_t signals;

static void *send(void *unused)
{
	char *first = (char *)targets.threads;

	(void)unused;
	random_begin(0x516a1);
	while (!__atomic_load_n(&sender_stops, __ATOMIC_ACQUIRE)) {
		size_t i = pick(targets.n);

		pthread_kill(*(pthread_t *)(void *)(first + i * targets.stride),
			     SIGUSR1);
		if (++signals % 8 == 0)
			nap_us(50);
	}
	return NULL;
}

void signals_begin(const struct targets *t, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(SIGUSR1, &action, NULL);
	targets = *t;
	start(&sender, send, NULL);
}

uint64_t signals_end(void)
{
	__atomic_store_n(&sender_stops, 1, __ATOMIC_RELEASE);
	pthread_join(sender, NULL);
	return signals;
}

void all_reclaimed(void)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };
	int i;

	for (i = 0; i < 1000; i++) {
		hazptr_barrier(NULL);
		hazptr_domain_stats(NULL, &stats);
		if (!stats.pending)
			return;
		nap_us(1000);
	}
	failed("a table is left", NULL);
}
