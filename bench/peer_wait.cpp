/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_wait.cpp - std::atomic's wait and notify_one
 */
#include <atomic>
#include <version>

#define STRING_(x) #x
#define STRING(x) STRING_(x)

/* The type that libstdc++ waits for by futex(2) directly. */
#define word_type std::atomic<int>
#define word_load(w) (w)->load(std::memory_order_acquire)
#define word_store(w, v) (w)->store(v, std::memory_order_release)
#define word_wait(w, v) (w)->wait(v, std::memory_order_acquire)
#define word_wake(w) (w)->notify_one()
#include "words.h"

static uint64_t stale(struct bench_task *t)
{
	static std::atomic<int> word;
	uint64_t n;

	BENCH_LOOP(t, n)
		word.wait(1, std::memory_order_acquire);
	return n;
}

static bench_scheme scheme()
{
	bench_scheme s = {};

	s.name = "std::atomic";
	s.version = STRING(_GLIBCXX_RELEASE) " (" STRING(__GLIBCXX__) ")";
	s.body[BENCH_STALE] = stale;
	s.body[BENCH_PING] = words_ping;
	return s;
}

const struct bench_scheme bench_std_wait = scheme();
