/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/nomem.c - memory that is not to be had
 *
 * The linker leads the library's calls of the allocator here (--wrap), as in
 * tests/fault/nomem.c, and free() too: objects of the torture that are freed
 * are found there. Without a torture every call goes straight on.
 */
#include "torture.h"

#include <errno.h>

#define FIRST_THREADS 2 /* of the library, that it does not get */

uint64_t refused;
static unsigned one_in;
static uint32_t asked;
static int threads_asked;
static __thread int exempt;
static __thread bool force;

void nomem_exempt(int more)
{
	exempt += more;
}

void nomem_force(bool on)
{
	force = on;
}

void nomem_set(unsigned one_in_n)
{
	__atomic_store_n(&one_in, one_in_n, __ATOMIC_RELAXED);
}

static bool refuse(void)
{
	unsigned n = __atomic_load_n(&one_in, __ATOMIC_RELAXED);

	if (exempt || !(n || force))
		return false;
	if (!force &&
	    __atomic_fetch_add(&asked, 0x9e3779b9u, __ATOMIC_RELAXED) % n)
		return false;
	add(&refused, 1);
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *p);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *p);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg);

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return refuse() ? NULL : __real_aligned_alloc(alignment, size);
}

void __wrap_free(void *p)
{
	if (obj_is_ours(p))
		obj_end(p, BY_FREE);
	else
		__real_free(p);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg)
{
	if (!exempt && has_fault(NOMEM) &&
	    __atomic_fetch_add(&threads_asked, 1, __ATOMIC_RELAXED) <
		    FIRST_THREADS) {
		add(&refused, 1);
		return EAGAIN;
	}
	return __real_pthread_create(thread, attr, run, arg);
}
