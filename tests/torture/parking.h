/* SPDX-License-Identifier: MIT */
/*
 * tests/torture/parking.h - what the tortures of the private futex hash share
 *
 *	parking.c	many threads that wait, and a few that wake them
 *	locks.c		mutex, condition variable, semaphore, rwlock
 *	disturb.c	the options, resizes, signals, moves between processors
 *
 * PROGRAM [--seconds S] [--threads N] [--seed X] [--fence MODE]
 *	[--futex guard|count] [--wake fence|asymmetric] [--signals]
 */
#ifndef HAZPTR_TESTS_PARKING_H
#define HAZPTR_TESTS_PARKING_H

#include <hazptr/hazptr.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SKIPPED 77

extern struct options {
	const char *name;
	double seconds;
	unsigned threads;
	bool signals;
	uint64_t seed;
} options;

/* False: the arguments are wrong. */
bool options_read(int argc, char **argv);

/* Something was seen that must not be: say it and end the process. */
_Noreturn void failed(const char *what, const void *object);

/* A random number below n, another sequence for each thread. */
void random_begin(uint64_t salt);
uint64_t pick(uint64_t n);

void nap_us(unsigned us);
uint64_t now_us(void);
struct timespec after_us(uint64_t us);
void add(uint64_t *sum, uint64_t n);
uint64_t get(const uint64_t *sum);
/* Until *sum is at least n; fails when that takes minutes. */
void await(const uint64_t *sum, uint64_t n, const char *what);

/* False: the system has no more threads. @stack: 0 or how many bytes. */
bool start_thread(pthread_t *thread, size_t stack, void *(*run)(void *),
		  void *arg);
void start(pthread_t *thread, void *(*run)(void *), void *arg);

/* Another size of the table in every millisecond, until it is stopped. */
void resizes_begin(void);
uint64_t resizes_end(void); /* how many there were */

/* To somewhere else, or to any processor again. */
void move_thread(void);

/* SIGUSR1 to these threads, over and over. Their handler is the caller's. */
struct targets {
	pthread_t *threads;
	unsigned n;
	size_t stride; /* bytes from one to the next */
};
void signals_begin(const struct targets *t, void (*handler)(int));
uint64_t signals_end(void);

/* Nothing that was retired is left. */
void all_reclaimed(void);

#endif /* HAZPTR_TESTS_PARKING_H */
