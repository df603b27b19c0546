/* SPDX-License-Identifier: MIT */
/*
 * tests/torture/locks.c - the locks, while the table is resized under them
 *
 * Many more threads than processors do everything at random, move between
 * processors, and start others that do little and end. Each lock protects
 * something that must be so. Options: parking.h.
 *
 * With --signals handlers post to a semaphore and wake at a word.
 */
#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MUTEXES 3
#define RWLOCKS 2
#define PERMITS 3
#define RING 4
#define OBJECTS 8
#define MAX_THREADS 256
#define GONE 0xA5
#define STEPS_OF_A_SHORT_LIFE 40

/* Under each: a equals b, and one thread at a time is inside. */
static struct pair {
	struct hazptr_mutex mutex;
	struct hazptr_rwlock rwlock;
	uint64_t a, b;
	int writers, readers;
} pairs[MUTEXES + RWLOCKS];

static struct {
	struct hazptr_mutex mutex;
	struct hazptr_cond filled, emptied;
	uint64_t slots[RING];
	unsigned begin, n;
} ring;

/* Everybody who came before the gate opens has passed it afterwards. */
static struct {
	struct hazptr_mutex mutex;
	struct hazptr_cond opened;
	uint64_t generation;
} barrier;

static struct hazptr_sem permits = HAZPTR_SEM_INIT(PERMITS);
static struct hazptr_sem posts; /* by handlers, and by who wants one */
static uint32_t bell;
static int inside;

/* Freed by the last of those who unlocked it. */
static struct object {
	struct hazptr_mutex mutex;
	unsigned refs;
	unsigned char rest[56];
} * objects[OBJECTS];
static struct hazptr_mutex objects_mutex;

static uint64_t put_in, taken_out, put_sum, taken_sum;
static uint64_t posted, got, timed_out, passed, freed, short_lives, stopped;
static int stop;
static __thread bool may_be_disturbed;

static bool is_over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

/* None, past, or in a moment. */
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
	add(&timed_out, 1);
	return false;
}

static void dawdle(void)
{
	if (!pick(64))
		nap_us((unsigned)pick(1500)); /* the others must sleep */
	else if (!pick(8))
		move_thread();
}

/* Not atomic: the lock is all there is. */
static void write_pair(struct pair *p)
{
	if (p->a != p->b || p->writers || p->readers)
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
	if (p->writers || p->a != p->b)
		failed("a writer came in to a reader", p);
	__atomic_fetch_sub(&p->readers, 1, __ATOMIC_RELAXED);
}

static void use_rwlock(void)
{
	struct pair *p = &pairs[MUTEXES + pick(RWLOCKS)];
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);
	bool writes = !pick(3);
	int result = -ETIMEDOUT;

	if (pick(4))
		result = writes ? hazptr_rwlock_wrlock_until(&p->rwlock,
							     deadline)
				: hazptr_rwlock_rdlock_until(&p->rwlock,
							     deadline);
	else if (writes ? hazptr_rwlock_trywrlock(&p->rwlock)
			: hazptr_rwlock_tryrdlock(&p->rwlock))
		result = 0;
	else
		return;
	if (!have(result, deadline))
		return;
	if (writes)
		write_pair(p);
	else
		read_pair(p);
	hazptr_rwlock_unlock(&p->rwlock);
}

static void put(void)
{
	uint64_t value = pick(1000);
	bool early = pick(2);

	hazptr_mutex_lock(&ring.mutex);
	while (ring.n == RING)
		hazptr_cond_wait(&ring.emptied, &ring.mutex);
	if (ring.n > RING)
		failed("the ring has too many", &ring);
	ring.slots[(ring.begin + ring.n++) % RING] = value;
	put_in++;
	put_sum += value;
	if (early)
		hazptr_cond_signal(&ring.filled);
	hazptr_mutex_unlock(&ring.mutex);
	if (!early)
		hazptr_cond_signal(&ring.filled);
}

static void take(void)
{
	hazptr_mutex_lock(&ring.mutex);
	while (!ring.n)
		hazptr_cond_wait(&ring.filled, &ring.mutex);
	taken_sum += ring.slots[ring.begin];
	ring.begin = (ring.begin + 1) % RING;
	ring.n--;
	taken_out++;
	if (pick(4))
		hazptr_cond_signal(&ring.emptied);
	else
		hazptr_cond_broadcast(&ring.emptied);
	hazptr_mutex_unlock(&ring.mutex);
}

static void use_barrier(void)
{
	struct timespec t;
	uint64_t g;
	int result = 0;

	hazptr_mutex_lock(&barrier.mutex);
	if (!pick(6)) {
		barrier.generation++;
		hazptr_cond_broadcast(&barrier.opened);
	} else {
		g = barrier.generation;
		t = after_us(pick(5000));
		while (barrier.generation == g && !result)
			result = hazptr_cond_wait_until(&barrier.opened,
							&barrier.mutex, &t);
		if (result && result != -ETIMEDOUT)
			failed("a condition variable is wrong", &barrier);
		passed += !result;
	}
	hazptr_mutex_unlock(&barrier.mutex);
}

static void use_permit(void)
{
	struct timespec t;
	const struct timespec *deadline = any_deadline(&t);

	if (!have(hazptr_sem_wait_until(&permits, deadline), deadline))
		return;
	if (__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) > PERMITS)
		failed("more are in than permitted", &permits);
	dawdle();
	__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
	if (hazptr_sem_post(&permits))
		failed("sem_post", &permits);
}

static void use_post(void)
{
	struct timespec t;

	if (pick(2)) {
		add(&posted, 1);
		hazptr_sem_post(&posts);
	}
	t = after_us(pick(2000));
	if (have(hazptr_sem_wait_until(&posts, &t), &t))
		add(&got, 1);
}

static void object_free(struct object *o)
{
	memset(o, GONE, sizeof(*o));
	add(&freed, 1);
	free(o);
}

/* A new one with a reference for us, the place's own, or one more. */
static struct object *object_get(void)
{
	struct object **place = &objects[pick(OBJECTS)], *o;

	hazptr_mutex_lock(&objects_mutex);
	o = *place;
	if (!o) {
		o = *place = calloc(1, sizeof(*o));
		if (!o)
			failed("no memory", NULL);
		o->refs = 2;
	} else if (pick(3)) {
		hazptr_mutex_lock(&o->mutex);
		o->refs++;
		hazptr_mutex_unlock(&o->mutex);
	} else {
		*place = NULL;
	}
	hazptr_mutex_unlock(&objects_mutex);
	return o;
}

/* Who unlocked before the last one may still be in its unlock. */
static void use_object(void)
{
	struct object *o = object_get();
	bool last;

	hazptr_mutex_lock(&o->mutex);
	dawdle();
	last = !--o->refs;
	hazptr_mutex_unlock(&o->mutex);
	if (last)
		object_free(o);
}

static void ring_the_bell(void)
{
	struct timespec t = after_us(pick(2000));
	uint32_t value = __atomic_load_n(&bell, __ATOMIC_ACQUIRE);

	if (pick(2)) {
		hazptr_futex_wait(&bell, value, &t);
		return;
	}
	__atomic_fetch_add(&bell, 1, __ATOMIC_RELEASE);
	hazptr_futex_wake(&bell, INT_MAX);
}

static void do_something(void)
{
	static void (*const ways[])(void) = {
		use_mutex,  use_mutex, use_rwlock, use_rwlock,	  use_barrier,
		use_permit, use_post,  use_object, ring_the_bell,
	};

	ways[pick(sizeof(ways) / sizeof(*ways))]();
}

/* Threads */

static void begin(uint64_t salt)
{
	random_begin(salt);
	hazptr_futex_wake(&bell, 0); /* handlers may from here on */
	may_be_disturbed = true;
}

static void *short_life(void *salt)
{
	int i;

	begin(*(uint64_t *)salt);
	for (i = 0; i < STEPS_OF_A_SHORT_LIFE; i++)
		do_something();
	return NULL;
}

static void start_short_life(void)
{
	uint64_t salt = pick(1 << 20);
	pthread_t thread;

	start(&thread, short_life, &salt);
	add(&short_lives, 1);
	pthread_join(thread, NULL);
}

static void *work(void *arg)
{
	uint64_t i = *(uint64_t *)arg;

	begin(i);
	while (!is_over()) {
		/* As many put as take, so that each gets its turn. */
		if (i % 8 == 0)
			put();
		else if (i % 8 == 1)
			take();
		else if (!pick(500))
			start_short_life();
		else
			do_something();
	}
	add(&stopped, 1);
	return NULL;
}

static void handler(int sig)
{
	int saved = errno;

	(void)sig;
	if (may_be_disturbed) {
		add(&posted, 1);
		hazptr_sem_post(&posts);
		hazptr_futex_wake(&bell, 1);
	}
	errno = saved;
}

/* Who waits for the ring at the end finds what it needs. */
static void end_all(pthread_t *threads)
{
	uint64_t end = now_us() + 300000000;
	unsigned i;

	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	while (get(&stopped) < options.threads) {
		hazptr_mutex_lock(&ring.mutex);
		if (!ring.n) {
			ring.slots[(ring.begin + ring.n++) % RING] = 0;
			put_in++;
			hazptr_cond_signal(&ring.filled);
		} else if (ring.n == RING) {
			ring.begin = (ring.begin + 1) % RING;
			ring.n--;
			taken_out++;
			taken_sum += ring.slots[(ring.begin + RING - 1) % RING];
			hazptr_cond_signal(&ring.emptied);
		}
		hazptr_mutex_unlock(&ring.mutex);
		if (now_us() > end)
			failed("somebody waits for ever", NULL);
		nap_us(200);
	}
	for (i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
}

static void tell(const char *what, uint64_t n)
{
	printf("%26s %12llu\n", what, (unsigned long long)n);
}

static void check_sums(void)
{
	unsigned i;

	while (ring.n) {
		taken_sum += ring.slots[ring.begin];
		ring.begin = (ring.begin + 1) % RING;
		ring.n--;
		taken_out++;
	}
	if (put_in != taken_out || put_sum != taken_sum)
		failed("the ring lost something", &ring);
	for (i = 0; i < MUTEXES + RWLOCKS; i++) {
		tell(i < MUTEXES ? "mutex" : "rwlock", pairs[i].a);
		if (pairs[i].a != pairs[i].b || !pairs[i].a ||
		    pairs[i].mutex.word || pairs[i].rwlock.word)
			failed("a lock is not as it was", &pairs[i]);
	}
	if (ring.mutex.word || barrier.mutex.word || objects_mutex.word ||
	    ring.filled.mutex || ring.emptied.mutex || barrier.opened.mutex)
		failed("a mutex or condition variable is not as it was", NULL);
	if (permits.word != PERMITS || posts.word != posted - got)
		failed("a semaphore is not as it was", &posts);
	tell("through the ring", taken_out);
	tell("passed the barrier", passed);
	tell("permits posted", posted);
	tell("objects freed", freed);
	tell("timed out", timed_out);
	tell("short lives", short_lives);
	for (i = 0; i < OBJECTS; i++)
		free(objects[i]);
	if (!taken_out || !passed || !got || !freed || !timed_out)
		failed("something was never tried", NULL);
}

static int run(void)
{
	static pthread_t threads[MAX_THREADS];
	static uint64_t salts[MAX_THREADS];
	struct targets targets = { threads, options.threads, sizeof(*threads) };
	unsigned i;

	resizes_begin();
	for (i = 0; i < options.threads; i++) {
		salts[i] = i;
		start(&threads[i], work, &salts[i]);
	}
	if (options.signals)
		signals_begin(&targets, handler);
	nap_us((unsigned)(options.seconds * 1e6));
	if (options.signals)
		tell("signals", signals_end());
	end_all(threads);
	tell("resizes", resizes_end());
	check_sums();
	all_reclaimed();
	return 0;
}

int main(int argc, char **argv)
{
	options.name = "locks";
	options.seconds = 2;
	options.threads = 32;
	if (!options_read(argc, argv) || options.threads > MAX_THREADS)
		return 2;
	return run();
}
