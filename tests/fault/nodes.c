/* SPDX-License-Identifier: MIT */
/* tests/fault/nodes.c - what the cases about references share */
#define _GNU_SOURCE
#include "references.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#define POISON 0xa5
#define SLOTS_MOST 64

struct hazptr_sync_shared a, b;
void (*stop_hook)(const char *point);

static int n_alive, n_expired;
static struct item *graves;
static pthread_mutex_t graves_lock = PTHREAD_MUTEX_INITIALIZER;

static struct item *item_of(struct hazptr_shared_node *node)
{
	return (struct item *)((char *)node -
			       offsetof(struct item, weak.node));
}

static void bury(struct item *it)
{
	memset(it, POISON, sizeof(*it));
	pthread_mutex_lock(&graves_lock);
	it->next = graves;
	graves = it;
	pthread_mutex_unlock(&graves_lock);
}

static void release(struct hazptr_shared_node *node)
{
	struct item *it = item_of(node);

	item_check(node);
	if (fault_is_asan())
		free(it);
	else
		bury(it);
	__atomic_fetch_sub(&n_alive, 1, __ATOMIC_ACQ_REL);
}

static void expire(struct hazptr_shared_node *node)
{
	item_check(node);
	__atomic_fetch_add(&n_expired, 1, __ATOMIC_ACQ_REL);
}

struct hazptr_shared item_new(enum kind kind)
{
	struct item *it = calloc(1, sizeof(*it));

	CHECK(it);
	it->magic = it->also = ITEM_MAGIC;
	__atomic_fetch_add(&n_alive, 1, __ATOMIC_ACQ_REL);
	if (kind == COUNT_FIRST)
		return hazptr_shared_create_count_first(&it->weak.node,
							release);
	if (kind == WEAK)
		return hazptr_shared_create_weak(&it->weak, expire, release);
	return hazptr_shared_create(&it->weak.node, release);
}

void item_check(const struct hazptr_shared_node *node)
{
	const struct item *it;

	CHECK(node);
	it = (const struct item *)((const char *)node -
				   offsetof(struct item, weak.node));
	CHECK_EQ(*(const volatile uint64_t *)&it->magic, ITEM_MAGIC);
	CHECK_EQ(*(const volatile uint64_t *)&it->also, ITEM_MAGIC);
}

uint32_t item_references(const struct hazptr_shared_node *node)
{
	return (uint32_t)__atomic_load_n(&node->counts, __ATOMIC_ACQUIRE);
}

int items_alive(void)
{
	return __atomic_load_n(&n_alive, __ATOMIC_ACQUIRE);
}

int items_expired(void)
{
	return __atomic_load_n(&n_expired, __ATOMIC_ACQUIRE);
}

void items_settle(int alive_then)
{
	double end = now() + (fault_is_sanitized() ? 20 : 3);

	do {
		hazptr_barrier(NULL);
		hazptr_barrier(NULL);
	} while (items_alive() != alive_then && now() < end);
	CHECK_EQ(items_alive(), alive_then);
	items_check_released();
}

static void check_grave(const struct item *it)
{
	const unsigned char *byte = (const unsigned char *)it;
	size_t i;

	for (i = 0; i < sizeof(*it); i++) {
		if (i >= offsetof(struct item, next) &&
		    i < offsetof(struct item, also))
			continue;
		CHECK_EQ(byte[i], POISON);
	}
}

void items_check_released(void)
{
	const struct item *it;

	pthread_mutex_lock(&graves_lock);
	for (it = graves; it; it = it->next)
		check_grave(it);
	pthread_mutex_unlock(&graves_lock);
}

/* AddressSanitizer's, where it is linked. */
void __asan_poison_memory_region(const volatile void *begin, size_t size);
#pragma weak __asan_poison_memory_region

struct hazptr_shared_node *node_of_the_past(void)
{
	static struct item *it; /* for a leak checker */

	it = calloc(1, sizeof(*it));
	CHECK(it);
	if (&__asan_poison_memory_region)
		__asan_poison_memory_region(it, sizeof(*it));
	else
		bury(it);
	return &it->weak.node;
}

void put_new(struct hazptr_sync_shared *ssp, enum kind kind)
{
	struct hazptr_shared sp = item_new(kind);

	hazptr_sync_shared_store(ssp, &sp);
}

void put_copy(struct hazptr_sync_shared *dst, struct hazptr_sync_shared *src)
{
	struct hazptr_shared sp = hazptr_sync_shared_load(src);

	hazptr_sync_shared_store(dst, &sp);
}

/* Stops */

static const char *stop_point;
static enum who stop_who;
static sem_t stop_reached, stop_opened;
static __thread bool ours; /* not the library's thread */

static bool is_meant(void)
{
	switch (__atomic_load_n(&stop_who, __ATOMIC_RELAXED)) {
	case MARKED:
		return gate_me;
	case LIBRARY:
		return !ours;
	default:
		return true;
	}
}

static void on_point(const char *point)
{
	const char *armed = __atomic_load_n(&stop_point, __ATOMIC_ACQUIRE);

	if (stop_hook)
		stop_hook(point);
	if (!armed || strcmp(armed, point) || !is_meant() ||
	    !__atomic_compare_exchange_n(&stop_point, &armed, NULL, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	sem_post(&stop_reached);
	while (sem_wait(&stop_opened) && errno == EINTR)
		;
}

void stops_begin(void)
{
	sem_init(&stop_reached, 0, 0);
	sem_init(&stop_opened, 0, 0);
	ours = true;
	gate_hook = on_point;
}

void stop_at(const char *point, enum who who)
{
	__atomic_store_n(&stop_who, who, __ATOMIC_RELAXED);
	__atomic_store_n(&stop_point, point, __ATOMIC_RELEASE);
}

void stop_wait(void)
{
	while (sem_wait(&stop_reached) && errno == EINTR)
		;
}

void stop_open(void)
{
	sem_post(&stop_opened);
}

int slots_free(void)
{
	struct hazptr_promotion_stats s = { .size = sizeof(s) };
	struct hazptr_thread_shared ts[SLOTS_MOST] = { { 0 } };
	struct hazptr_sync_shared ssp = { NULL };
	uint64_t before;
	int n, i;

	put_new(&ssp, PLAIN);
	hazptr_thread_shared_stats(&s);
	before = s.fallen_back;
	for (n = 0; n < SLOTS_MOST && s.fallen_back == before; n++) {
		hazptr_thread_shared_load(&ts[n], &ssp);
		hazptr_thread_shared_stats(&s);
	}
	CHECK(n < SLOTS_MOST);
	for (i = 0; i < n; i++)
		hazptr_thread_shared_drop(&ts[i]);
	hazptr_sync_shared_drop(&ssp);
	return n - 1;
}

/* Threads */

struct start {
	void *(*run)(void *);
	void *arg;
};

static void *begin(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	ours = true;
	return s.run(s.arg);
}

pthread_t go(void *(*run)(void *), void *arg)
{
	struct start *s = malloc(sizeof(*s));

	CHECK(s);
	s->run = run;
	s->arg = arg;
	return spawn(begin, s);
}

static void *flush(void *unused)
{
	(void)unused;
	hazptr_flush(NULL);
	return NULL;
}

pthread_t scan_aside(void)
{
	return go(flush, NULL);
}

void pin(void)
{
	cpu_set_t set;
	int cpu;

	CHECK(!sched_getaffinity(0, sizeof(set), &set));
	for (cpu = 0; !CPU_ISSET(cpu, &set); cpu++)
		;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

bool without_rseq(void)
{
	return !setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
}
