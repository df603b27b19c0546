/* SPDX-License-Identifier: MIT */
/*
 * devices/locked.c - the static mutex
 *
 * What drivers do: one lock for all devices, around the look-up and the count
 * of users. It is simple and right, and openers of different devices wait for
 * each other.
 */
#include "schemes.h"

#include <pthread.h>
#include <stdlib.h>

struct printer {
	struct device device;
	unsigned users; /* and one for being plugged in; under the lock */
};

static pthread_mutex_t lock
	__attribute__((aligned(64))) = PTHREAD_MUTEX_INITIALIZER;
static struct printer *slot[DEVICES]; /* under the lock */
static uint64_t freed;

static struct device *locked_open(const char *name)
{
	int minor = device_minor(name);
	struct printer *p;

	if (minor < 0)
		return NULL;
	pthread_mutex_lock(&lock);
	p = slot[minor];
	if (p)
		p->users++;
	pthread_mutex_unlock(&lock);
	return (struct device *)p;
}

static void destroy(struct printer *p)
{
	device_end(&p->device);
	free(p);
	__atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
}

static void locked_close(struct device *d)
{
	struct printer *p = (struct printer *)d;
	unsigned left;

	pthread_mutex_lock(&lock);
	left = --p->users;
	pthread_mutex_unlock(&lock);
	if (!left)
		destroy(p);
}

static bool locked_plug(unsigned minor)
{
	struct printer *p = malloc(sizeof(*p));

	if (!p)
		return false;
	device_begin(&p->device, minor);
	p->users = 1;
	pthread_mutex_lock(&lock);
	slot[minor] = p;
	pthread_mutex_unlock(&lock);
	return true;
}

static void locked_unplug(unsigned minor)
{
	struct printer *p;
	unsigned left;

	pthread_mutex_lock(&lock);
	p = slot[minor];
	slot[minor] = NULL;
	left = --p->users;
	pthread_mutex_unlock(&lock);
	if (!left)
		destroy(p);
}

static uint64_t locked_settle(void)
{
	return __atomic_load_n(&freed, __ATOMIC_RELAXED);
}

const struct scheme locked_scheme = {
	.name = "mutex",
	.open = locked_open,
	.close = locked_close,
	.plug = locked_plug,
	.unplug = locked_unplug,
	.settle = locked_settle,
};
