/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_absl.cpp - absl::Mutex, absl::CondVar
 */
#include <absl/base/config.h>
#include <absl/synchronization/mutex.h>

#define STRING_(x) #x
#define STRING(x) STRING_(x)

namespace
{
struct lock {
	absl::Mutex mutex;
};
struct cond {
	absl::CondVar condvar;
};
} // namespace

#define lock_take(l) (l)->mutex.Lock()
#define lock_give(l) (l)->mutex.Unlock()
#define cond_wait(c, l) (c)->condvar.Wait(&(l)->mutex)
#define cond_one(c) (c)->condvar.Signal()
#define cond_all(c) (c)->condvar.SignalAll()
#include "locks.h"

#define SET(does, loop) s.body[BENCH_##does] = loop;

static bench_scheme scheme()
{
	bench_scheme s = {};

	s.name = "abseil";
	s.version = STRING(ABSL_LTS_RELEASE_VERSION);
	s.begin = locks_start;
	s.end = locks_end;
	LOCKS_BODIES(SET)
	return s;
}

const struct bench_scheme bench_absl = scheme();
