/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/locks.c - mutex, condition variable, semaphore, rwlock
 *
 * Each lock protects something that must be so, in plain memory: two who are
 * in at once are seen, and ThreadSanitizer sees what a lock fails to order.
 */
#include "locks.h"

#include <errno.h>
#include <string.h>

#define MUTEXES 3
#define RWLOCKS 2
#define PERMITS 3
#define OBJECTS 8
#define GONE 0xA5

/* Under each: a equals b, and one thread at a time is inside. */
static struct pair {
	struct hazptr_mutex mutex;
	struct hazptr_rwlock rwlock;
	uint64_t a, b;
	int writers, readers;
} pairs[MUTEXES + RWLOCKS];

/* Everybody who came before the gate opens has passed it afterwards. */
static struct {
	struct hazptr_mutex mutex;
	struct hazptr_cond opened;
	uint64_t generation;
} gate;

static struct hazptr_sem permits = HAZPTR_SEM_INIT(PERMITS);
static struct hazptr_sem posts; /* by handlers, and by who wants one */
static uint64_t posted, got;
static int inside;

/* Used again as soon as the last of those who unlocked it knows it is. */
static struct shared_lock {
	struct hazptr_mutex mutex;
	unsigned refs;
	unsigned char rest[56];
} objects[OBJECTS];
static bool in_place[OBJECTS], alive[OBJECTS];
static struct hazptr_mutex objects_mutex;

static const struct timespec *any_deadline(struct timespec *t)
{
	uint64_t way = pick(4);

	if (way < 2)
		return NULL;
	*t = after_us(way == 2 ? 0 : pick(3000));
	return t;
}

static bool have(int result, const struct timespec *deadline)
{
	if (!result)
		return true;
	if (result != -ETIMEDOUT || !deadline)
		failed("a lock is wrong", deadline);
	return false;
}

static void dawdle(void)
{
	if (!pick(256))
		nap_us(pick(1500)); /* the others must sleep */
	else if (!pick(8))
		spin((unsigned)pick(300));
}

/* Not atomic: the lock is all there is. */
static void write_pair(struct pair *p)
{
	if (p->a != p->b || p->writers ||
	    __atomic_load_n(&p->readers, __ATOMIC_RELAXED))
		failed("two are in", p);
	p->writers = 1;
	p->a++;
	dawdle();
	p->b++;
	p->writers = 0;
}

static void use_mutex(void)
{
	struct pair *p = &pairs[pick(MUTEXES)];
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);

	if (!pick(4)) {
		if (!hazptr_mutex_trylock(&p->mutex))
			return;
	} else if (!have(hazptr_mutex_lock_until(&p->mutex, deadline),
			 deadline)) {
		return;
	}
	write_pair(p);
	hazptr_mutex_unlock(&p->mutex);
}

static void read_pair(struct pair *p)
{
	__atomic_fetch_add(&p->readers, 1, __ATOMIC_RELAXED);
	if (p->writers || p->a != p->b)
		failed("a writer is in with a reader", p);
	dawdle();
	if (*(volatile int *)&p->writers || *(volatile uint64_t *)&p->a != p->b)
		failed("a writer came in to a reader", p);
	__atomic_fetch_sub(&p->readers, 1, __ATOMIC_RELAXED);
}

static void use_rwlock(void)
{
	struct pair *p = &pairs[MUTEXES + pick(RWLOCKS)];
	struct hazptr_rwlock *l = &p->rwlock;
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	bool writes = !pick(3);

	if (!pick(4)) {
		if (!(writes ? hazptr_rwlock_trywrlock(l)
			     : hazptr_rwlock_tryrdlock(l)))
			return;
	} else if (!have(writes ? hazptr_rwlock_wrlock_until(l, deadline)
				: hazptr_rwlock_rdlock_until(l, deadline),
			 deadline)) {
		return;
	}
	if (writes)
		write_pair(p);
	else
		read_pair(p);
	hazptr_rwlock_unlock(l);
}

static void use_gate(void)
{
	struct timespec t = after_us(pick(800));
	uint64_t g;
	int result = 0;

	hazptr_mutex_lock(&gate.mutex);
	if (!pick(4)) {
		gate.generation++;
		hazptr_cond_broadcast(&gate.opened);
	} else {
		g = gate.generation;
		while (gate.generation == g && !result)
			result = hazptr_cond_wait_until(&gate.opened,
							&gate.mutex, &t);
		have(result, &t);
	}
	hazptr_mutex_unlock(&gate.mutex);
}

static void come_in(void)
{
	if (__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) > PERMITS)
		failed("more are in than permitted", &permits);
}

static void go_out(void)
{
	__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
	if (hazptr_sem_post(&permits))
		failed("sem_post", &permits);
}

/* In and out in a hurry: where two meet in one word. */
static void hurry(void)
{
	unsigned i;

	for (i = 0; i < 200; i++) {
		if (!hazptr_sem_trywait(&permits))
			continue;
		come_in();
		go_out();
	}
}

static void use_permit(void)
{
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);

	if (!have(hazptr_sem_wait_until(&permits, deadline), deadline))
		return;
	come_in();
	dawdle();
	go_out();
}

static void use_post(void)
{
	struct timespec t = after_us(pick(300));

	if (pick(2)) {
		add(&posted, 1);
		hazptr_sem_post(&posts);
	}
	if (have(hazptr_sem_wait_until(&posts, &t), &t))
		add(&got, 1);
}

/* A new one with a reference for us, the place's own, or one more. */
static struct shared_lock *object_get(unsigned i)
{
	struct shared_lock *o = &objects[i];

	hazptr_mutex_lock(&objects_mutex);
	if (!in_place[i] && alive[i]) {
		o = NULL; /* the old one is not gone yet */
	} else if (!in_place[i]) {
		memset(o, 0, sizeof(*o));
		o->refs = 2;
		in_place[i] = alive[i] = true;
	} else if (pick(3)) {
		hazptr_mutex_lock(&o->mutex);
		o->refs++;
		hazptr_mutex_unlock(&o->mutex);
	} else {
		in_place[i] = false;
	}
	hazptr_mutex_unlock(&objects_mutex);
	return o;
}

/* Who unlocked before the last one may still be in its unlock. */
static void use_object(void)
{
	unsigned i = (unsigned)pick(OBJECTS), k;
	struct shared_lock *o = object_get(i);
	bool last;

	if (!o)
		return;
	hazptr_mutex_lock(&o->mutex);
	dawdle();
	last = !--o->refs;
	hazptr_mutex_unlock(&o->mutex);
	if (!last)
		return;
	memset(o, GONE, sizeof(*o));
	spin((unsigned)pick(300));
	for (k = 0; k < sizeof(*o); k++)
		if (((volatile unsigned char *)o)[k] != GONE)
			failed("an unlock wrote to a mutex that was gone", o);
	hazptr_mutex_lock(&objects_mutex);
	alive[i] = false;
	hazptr_mutex_unlock(&objects_mutex);
}

static void in_handler(void)
{
	add(&posted, 1);
	hazptr_sem_post(&posts);
}

static void check(void)
{
	unsigned i;

	for (i = 0; i < MUTEXES + RWLOCKS; i++)
		if (pairs[i].a != pairs[i].b || pairs[i].mutex.word ||
		    pairs[i].rwlock.word)
			failed("a lock is not as it was", &pairs[i]);
	if (gate.mutex.word || objects_mutex.word || gate.opened.mutex)
		failed("a mutex or condition variable is not as it was", NULL);
	if (permits.word != PERMITS || posts.word != posted - got)
		failed("a semaphore is not as it was", &posts);
	handover_check();
}

struct op locks_ops[] = {
	[RING] = { .name = "ring" },
	[PING] = { .name = "ping pong" },
	[FIRST_LOCK] = { .name = "mutex", .run = use_mutex, .weight = 40 },
	{ .name = "rwlock", .run = use_rwlock, .weight = 40 },
	{ .name = "gate", .run = use_gate, .weight = 10 },
	{ .name = "permit", .run = use_permit, .weight = 20 },
	{ .name = "permit in a hurry", .run = hurry, .weight = 10 },
	{ .name = "post", .run = use_post, .weight = 20 },
	{ .name = "freed lock", .run = use_object, .weight = 40 },
};

static const struct helper helpers[] = {
	{ .name = "producer", .run = produce, .n = 2 },
	{ .name = "consumer", .run = consume, .n = 2, .late = true },
	{ .name = "ping pong", .run = ping_pong, .n = 2 },
};

const struct workload locks_workload = {
	.name = "locks",
	.ops = locks_ops,
	.n_ops = COUNT(locks_ops),
	.helpers = helpers,
	.n_helpers = COUNT(helpers),
	.check = check,
	.signal = in_handler,
};
