/* SPDX-License-Identifier: MIT */
/*
 * devices/device.c - names, and what a device is made of
 */
#include "device.h"

#include <stdio.h>
#include <string.h>

#define MAGIC ((uint64_t)0x6c70 << 48)
#define NUMBER (((uint64_t)1 << 48) - 1)
#define POISON 0x5a

/* ---- names ---- */

#define BUCKETS 256 /* a power of two, and much more than names */

static char names[DEVICES][8];
static unsigned char bucket[BUCKETS]; /* minor + 1; 0: empty */

static unsigned hash(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return (h ^ h >> 16) % BUCKETS;
}

/* Before main(): nobody has to take care that it was done. */
__attribute__((constructor)) static void make_names(void)
{
	for (unsigned minor = 0; minor < DEVICES; minor++) {
		unsigned at;

		snprintf(names[minor], sizeof(names[minor]), "lp%u", minor);
		for (at = hash(names[minor]); bucket[at];)
			at = (at + 1) % BUCKETS;
		bucket[at] = (unsigned char)(minor + 1);
	}
}

const char *device_name(unsigned minor)
{
	return names[minor];
}

int device_minor(const char *name)
{
	unsigned at = hash(name);

	for (; bucket[at]; at = (at + 1) % BUCKETS)
		if (!strcmp(names[bucket[at] - 1], name))
			return bucket[at] - 1;
	return -1;
}

/* ---- devices ---- */

static uint64_t begun;

void device_begin(struct device *d, unsigned minor)
{
	uint64_t number = ++begun & NUMBER;

	d->stamp = MAGIC | number;
	memcpy(d->name, names[minor], sizeof(d->name));
	for (int i = 0; i < WORDS; i++)
		d->word[i] = number << 16;
}

uint64_t devices_begun(void)
{
	return begun;
}

void device_end(struct device *d)
{
	memset(d, POISON, sizeof(*d));
}

uint64_t device_number(uint64_t stamp)
{
	return stamp & NUMBER;
}

bool device_is_alive(uint64_t stamp)
{
	return (stamp & ~NUMBER) == MAGIC;
}

/*
 * From memory, and not as the compiler may remember it. Nobody who may look
 * meets a store to it, so that this is a plain read: a thread sanitizer is to
 * report when it races.
 */
uint64_t device_stamp(const struct device *d)
{
	uint64_t stamp;

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	stamp = *(const volatile uint64_t *)&d->stamp;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return stamp;
}

bool device_use(struct device *d, uint64_t stamp, unsigned what)
{
	uint64_t *mine = &d->word[what % WORDS];
	uint64_t *other = &d->word[(what + 1) % WORDS];
	uint64_t word = stamp << 16 | (what & 0xffff), found;

	__atomic_store_n(mine, word, __ATOMIC_RELAXED);
	found = __atomic_load_n(other, __ATOMIC_RELAXED);
	return found >> 16 == device_number(stamp);
}
