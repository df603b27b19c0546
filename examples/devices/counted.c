/* SPDX-License-Identifier: MIT */
/*
 * devices/counted.c - a look-up that takes a reference, without a lock
 *
 * The device has a count: one for being plugged in, one for each user. The
 * hard part is to get from the pointer in the slot to a reference, while the
 * device may be unplugged, closed by its last user and freed. For these few
 * instructions a guard keeps the memory; hazptr_ref_lookup() is all of it.
 *
 * Whoever gives back the last reference retires the device: another thread may
 * have found it in the slot before, and not yet seen that its count is zero.
 */
#include "schemes.h"

#include <hazptr/hazptr.h>

#include <stdlib.h>

struct printer {
	struct device device;
	struct hazptr_ref ref;
	struct hazptr_head head;
};

static struct printer *slot[DEVICES];

static struct device *counted_open(const char *name)
{
	int minor = device_minor(name);

	if (minor < 0)
		return NULL;
	return (struct device *)hazptr_ref_lookup(&slot[minor], ref);
}

/*
 * With no reference left, the count and the head are all that anybody may look
 * at: the device can be poisoned before it is freed.
 */
static void put(struct printer *p)
{
	if (!hazptr_ref_put(&p->ref))
		return;
	device_end(&p->device);
	hazptr_retire_free(NULL, p, head);
}

static void counted_close(struct device *d)
{
	put((struct printer *)d);
}

static bool counted_plug(unsigned minor)
{
	struct printer *p = malloc(sizeof(*p));

	if (!p)
		return false;
	device_begin(&p->device, minor);
	hazptr_ref_init(&p->ref, 1);
	__atomic_store_n(&slot[minor], p, __ATOMIC_RELEASE);
	return true;
}

static void counted_unplug(unsigned minor)
{
	struct printer *p = slot[minor]; /* only this thread stores to it */

	__atomic_store_n(&slot[minor], NULL, __ATOMIC_RELEASE);
	put(p);
}

/* This program retires nothing else. */
static uint64_t counted_settle(void)
{
	struct hazptr_stats stats = { .size = sizeof(stats) };

	hazptr_barrier(NULL);
	hazptr_domain_stats(NULL, &stats);
	return stats.reclaimed;
}

const struct scheme counted_scheme = {
	.name = "hazptr",
	.open = counted_open,
	.close = counted_close,
	.plug = counted_plug,
	.unplug = counted_unplug,
	.settle = counted_settle,
};

/* ---- careless ---- */

/* No count, no guard: the pointer will be good for long enough. */
static struct device *careless_open(const char *name)
{
	int minor = device_minor(name);

	if (minor < 0)
		return NULL;
	return (struct device *)__atomic_load_n(&slot[minor], __ATOMIC_ACQUIRE);
}

static void careless_close(struct device *d)
{
	(void)d;
}

static uint64_t careless_freed;

static void careless_unplug(unsigned minor)
{
	struct printer *p = slot[minor];

	__atomic_store_n(&slot[minor], NULL, __ATOMIC_RELEASE);
	device_end(&p->device);
	free(p);
	careless_freed++;
}

static uint64_t careless_settle(void)
{
	return careless_freed;
}

const struct scheme careless_scheme = {
	.name = "careless",
	.open = careless_open,
	.close = careless_close,
	.plug = counted_plug,
	.unplug = careless_unplug,
	.settle = careless_settle,
};
