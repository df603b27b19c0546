/* SPDX-License-Identifier: MIT */
/*
 * tools/hazptr/torture/handover.c - threads that wait for each other
 *
 * Through a ring of four places, and by two semaphores. Nobody has a deadline:
 * a signal or a post that is lost stops them for ever, and the watch sees it.
 */
#include "locks.h"

#define SLOTS 4
#define LAST UINT64_MAX

static struct {
	struct hazptr_mutex mutex;
	struct hazptr_cond filled, emptied;
	uint64_t slots[SLOTS];
	unsigned begin, n;
	uint64_t put_sum, taken_sum, put_in, taken_out;
} ring;

static struct hazptr_sem balls[2] = { HAZPTR_SEM_INIT(1), HAZPTR_SEM_INIT(0) };
static uint64_t bounces; /* plain: one thread at a time has the ball */
static bool ball_is_down;

static void put(uint64_t value)
{
	bool early = pick(2);

	hazptr_mutex_lock(&ring.mutex);
	while (ring.n == SLOTS)
		hazptr_cond_wait(&ring.emptied, &ring.mutex);
	if (ring.n > SLOTS)
		failed("the ring has too many", &ring);
	ring.slots[(ring.begin + ring.n++) % SLOTS] = value;
	ring.put_in++;
	ring.put_sum += value;
	if (early)
		hazptr_cond_signal(&ring.filled);
	hazptr_mutex_unlock(&ring.mutex);
	if (!early)
		hazptr_cond_signal(&ring.filled);
}

static uint64_t take(void)
{
	uint64_t value;

	hazptr_mutex_lock(&ring.mutex);
	while (!ring.n)
		hazptr_cond_wait(&ring.filled, &ring.mutex);
	value = ring.slots[ring.begin];
	ring.taken_sum += value;
	ring.begin = (ring.begin + 1) % SLOTS;
	ring.n--;
	ring.taken_out++;
	if (pick(4))
		hazptr_cond_signal(&ring.emptied);
	else
		hazptr_cond_broadcast(&ring.emptied);
	hazptr_mutex_unlock(&ring.mutex);
	return value;
}

static void rest(void)
{
	if (!pick(16))
		nap_us(pick(2000)); /* now it is full, now it is empty */
}

void produce(unsigned i)
{
	(void)i;
	while (!is_over()) {
		put(pick(1000));
		did(&locks_ops[RING]);
		rest();
	}
	put(LAST); /* for one of the consumers */
}

void consume(unsigned i)
{
	(void)i;
	while (take() != LAST) {
		did(&locks_ops[RING]);
		rest();
	}
}

void ping_pong(unsigned i)
{
	bool over = false;

	while (!over) {
		hazptr_sem_wait(&balls[i]);
		bounces++;
		over = ball_is_down;
		if (is_over())
			ball_is_down = true;
		if (hazptr_sem_post(&balls[!i]))
			failed("sem_post", &balls[!i]);
		did(&locks_ops[PING]);
		rest();
	}
}

void handover_check(void)
{
	if (ring.n || ring.put_in != ring.taken_out ||
	    ring.put_sum != ring.taken_sum)
		failed("the ring lost something", &ring);
	if (ring.mutex.word || ring.filled.mutex || ring.emptied.mutex)
		failed("the ring's locks are not as they were", &ring);
	if (hazptr_sem_value(&balls[0]) + hazptr_sem_value(&balls[1]) != 1)
		failed("the ball is lost", balls);
}
