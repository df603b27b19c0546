/* SPDX-License-Identifier: MIT */
/*
 * tests/callgrind/paths.c - PATH TIMES: a fast path, so many times
 *
 * Counted by run.sh: what a turn more of the same path costs. The compiler sees
 * one guard in a loop, as in most programs; what it makes of several in a row
 * can be longer. Nothing of one turn serves the next.
 */
#include <hazptr/hazptr.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is in memory is loaded again, and what is to be stored there, stored. */
#define FORGET() __asm__ volatile("" : : : "memory")
#define PATH(path)                                              \
	static __attribute__((__noinline__)) void path##_often( \
		unsigned long times)                            \
	{                                                       \
		for (; times; times--) {                        \
			path();                                 \
			FORGET();                               \
		}                                               \
	}
#define USE(value) __asm__ volatile("" : : "r"(value))

struct object {
	unsigned long value;
};

static struct object object, *hot = &object;
static struct hazptr_mutex lock;
static uint32_t word;

static inline void empty(void)
{
}

static inline void bare(void)
{
	USE(__atomic_load_n(&hot, __ATOMIC_ACQUIRE)->value);
}

static inline void guard(void)
{
	HAZPTR_GUARD(guard);

	USE(((struct object *)hazptr_protect(&guard, &hot))->value);
}

static inline void mutex(void)
{
	hazptr_mutex_lock(&lock);
	hazptr_mutex_unlock(&lock);
}

static inline void wake(void)
{
	hazptr_futex_wake(&word, 1);
}

PATH(empty)
PATH(bare)
PATH(guard)
PATH(mutex)
PATH(wake)

static const struct path {
	const char *name;
	void (*run)(unsigned long times);
} paths[] = {
	{ "empty", empty_often }, { "bare", bare_often },
	{ "guard", guard_often }, { "mutex", mutex_often },
	{ "wake", wake_often },
};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER) {
		puts("the fence is not membarrier");
		return 77;
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (strcmp(argv[1], paths[i].name))
			continue;
		paths[i].run(strtoul(argv[2], NULL, 10));
		return 0;
	}
	return 2;
}
