/* SPDX-License-Identifier: MIT */
/*
 * tests/fault/references.h - nodes that tell, and a place to stop anybody
 *
 * A node that was released is poisoned and kept (with AddressSanitizer it is
 * freed), and looked at again at the end: whoever touched it too late shows.
 */
#ifndef HAZPTR_TESTS_FAULT_REFERENCES_H
#define HAZPTR_TESTS_FAULT_REFERENCES_H

#include "fault.h"

enum kind { PLAIN, COUNT_FIRST, WEAK, KINDS };

#define ITEM_MAGIC 0x51a7e5eedf00d001u

struct item {
	uint64_t magic;
	struct hazptr_weak_node weak;
	struct item *next; /* released ones */
	uint64_t also;	   /* the magic again */
};

/* A node and its first reference. */
struct hazptr_shared item_new(enum kind kind);
void item_check(const struct hazptr_shared_node *node);
uint32_t item_references(const struct hazptr_shared_node *node);
int items_alive(void);
int items_expired(void);
/* Everything that can go goes; then so many are alive. */
void items_settle(int alive_then);
/* Nobody has written to one that was released. */
void items_check_released(void);
/* Poisoned memory that no one may touch, of no node; checked as those are. */
struct hazptr_shared_node *node_of_the_past(void);
/* How many this thread can take here before one is counted. */
int slots_free(void);

/* Sync pointers of the cases; empty at the beginning. */
extern struct hazptr_sync_shared a, b;
void put_new(struct hazptr_sync_shared *ssp, enum kind kind);
void put_copy(struct hazptr_sync_shared *dst, struct hazptr_sync_shared *src);

/*
 * A stop: the first thread of that sort that comes to the point waits there
 * until it is opened. One at a time; the next may be set before the last is
 * opened.
 */
enum who { ANYBODY, MARKED /* gate_me */, LIBRARY };
void stops_begin(void); /* first of all */
void stop_at(const char *point, enum who who);
void stop_wait(void);
void stop_open(void);
/* Called at each point as well. */
extern void (*stop_hook)(const char *point);

pthread_t go(void *(*run)(void *), void *arg); /* as spawn() */
pthread_t scan_aside(void);
/* On the first processor that may be used, so that slots are met again. */
void pin(void);
/* For `prepare`: without restartable sequences. */
bool without_rseq(void);

#endif /* HAZPTR_TESTS_FAULT_REFERENCES_H */
