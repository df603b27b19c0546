/* SPDX-License-Identifier: MIT */
/*
 * devices/device.h - what a device is, whoever keeps it alive
 *
 * There are 64 names, "lp0" to "lp63", and at any time a device behind each of
 * them or none. The names never change; the devices come and go, and how they
 * do is in counted.c, locked.c and rcu.c.
 *
 * A device helps to find users who should not be there. It begins with a stamp
 * of its own, all its words say whose they are, and device_end() overwrites
 * everything. A late user sees poison, or the stamp of another device.
 */
#ifndef DEVICES_DEVICE_H
#define DEVICES_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#define DEVICES 64
#define WORDS 8

/** struct device - all that users see of it */
struct device {
	uint64_t stamp; /* 16 bits that all have, 48 of its own */
	char name[8];
	uint64_t word[WORDS]; /* 48 bits of the stamp, 16 of the last writer */
};

/* The name of a minor number, and back; -1: there is no such name. */
const char *device_name(unsigned minor);
int device_minor(const char *name);

/* A device begins; one thread makes them all. Its number: 1, 2, 3 ... */
void device_begin(struct device *d, unsigned minor);
uint64_t devices_begun(void);

/* Its last user is gone: poison it. Any thread. */
void device_end(struct device *d);

/* The stamp as it is in memory now; its number; is it a living device's? */
uint64_t device_stamp(const struct device *d);
uint64_t device_number(uint64_t stamp);
bool device_is_alive(uint64_t stamp);

/*
 * Write a word and read another, as any number of users may at a time.
 * Return: false when what was read is not of the device with this stamp.
 */
bool device_use(struct device *d, uint64_t stamp, unsigned what);

#endif /* DEVICES_DEVICE_H */
