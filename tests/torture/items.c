/* SPDX-License-Identifier: MIT */
/*
 * tests/torture/items.c - nodes that are used again at the same address
 *
 * They come from an array and go back to it, last in first out. One that was
 * released is poisoned; when it is made again, it must be as it was left. Those
 * without a release function come back through free(), which the linker leads
 * here (--wrap).
 */
#include "references.h"

#include <pthread.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, size) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, size) ((void)0)
#endif

#define ALIVE 0x5ea11fe5ea11fe01u
#define EXPIRED 0xe0d0fe0d0fe0d002u
#define POISON 0xdbu

enum kind { DEFAULT, COUNT_FIRST, FREED, EXPIRES, EXPIRES_FREED, KINDS };

static struct item {
	struct hazptr_weak_node weak; /* first: what free() gets */
	uint64_t magic, generation, word;
	struct hazptr_shared child; /* older than its parent: no cycles */
	enum kind kind;
	struct item *next; /* in the pool; not poisoned from here on */
} __attribute__((__aligned__(64))) items[ITEMS];

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct item *pool;
uint64_t generations, none_free;
uint64_t created, made_weak, expired, released;

static struct item *item_of(const struct hazptr_shared_node *node)
{
	return (struct item *)(uintptr_t)node;
}

static uint64_t word_of(uint64_t generation)
{
	return generation * 0x9e3779b97f4a7c15u ^ ALIVE;
}

static uint64_t magic(const struct item *i)
{
	return figure(&i->magic);
}

/* What it is now. The compiler may not remember it. */
static uint64_t look(const struct item *i)
{
	uint64_t generation = *(const volatile uint64_t *)&i->generation;

	if (*(const volatile uint64_t *)&i->word != word_of(generation))
		failed("use after release: word", i);
	return generation;
}

/* By who has a reference; signal-safe. */
uint64_t check(const struct hazptr_shared_node *node)
{
	const struct item *i = item_of(node);
	uint64_t generation = look(i);

	if (magic(i) == EXPIRED)
		failed("it has expired, and there is a reference", i);
	if (magic(i) != ALIVE)
		failed("use after release: magic", i);
	if (i->child.node && magic(item_of(i->child.node)) != ALIVE)
		failed("what it has was released", i);
	return generation;
}

void check_still(const struct hazptr_shared_node *node,
			uint64_t generation)
{
	if (node && check(node) != generation)
		failed("use after release: generation", node);
}

void check_weak(const struct weakly *w)
{
	const struct item *i = item_of(w->w.node);

	if (!i)
		return;
	if (magic(i) != ALIVE && magic(i) != EXPIRED)
		failed("a weak pointer to what was released", i);
	if (look(i) != w->generation)
		failed("a weak pointer to another generation", i);
}

/* Poisoned, whole but for `next`, and into the pool. */
static void item_back(struct item *i)
{
	memset(i, POISON, offsetof(struct item, next));
	ASAN_POISON_MEMORY_REGION(i, offsetof(struct item, next));
	pthread_mutex_lock(&pool_lock);
	i->next = pool;
	pool = i;
	pthread_mutex_unlock(&pool_lock);
}

static void item_end(struct item *i)
{
	if (magic(i) != (i->kind >= EXPIRES ? EXPIRED : ALIVE))
		failed("released twice, or before it expired", i);
	look(i);
	item_back(i);
	add_one(&released);
}

static void expire(struct hazptr_shared_node *node)
{
	struct item *i = item_of(node);

	if (__atomic_exchange_n(&i->magic, EXPIRED, __ATOMIC_RELAXED) != ALIVE)
		failed("expired twice, or after its release", i);
	hazptr_shared_drop(&i->child);
	add_one(&expired);
}

static void release(struct hazptr_shared_node *node)
{
	hazptr_shared_drop(&item_of(node)->child);
	item_end(item_of(node));
}

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	struct item *i = p;

	if ((uintptr_t)p < (uintptr_t)items ||
	    (uintptr_t)p >= (uintptr_t)(items + ITEMS))
		__real_free(p);
	else if (i->kind == FREED || i->kind == EXPIRES_FREED)
		item_end(i);
	else
		failed("freed, though it has a release function", i);
}

/* From the pool, and nobody has written to it there. */
struct item *item_from_pool(void)
{
	struct item *i;
	size_t k;

	pthread_mutex_lock(&pool_lock);
	i = pool;
	if (i)
		pool = i->next;
	pthread_mutex_unlock(&pool_lock);
	if (!i)
		return NULL;
	ASAN_UNPOISON_MEMORY_REGION(i, offsetof(struct item, next));
	for (k = 0; k < offsetof(struct item, next); k++)
		if (((const volatile unsigned char *)i)[k] != POISON)
			failed("written to after its release", i);
	return i;
}

/* The first reference to it; null when there is none in the pool. */
struct hazptr_shared item_new(void)
{
	struct item *i = item_from_pool();
	struct hazptr_shared none = { NULL };
	enum kind kind = (enum kind)pick(KINDS);

	if (!i) {
		add_one(&none_free);
		return none;
	}
	i->generation = __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED);
	i->word = word_of(i->generation);
	i->kind = kind;
	i->child = none;
	if (kind != FREED && !pick(4))
		i->child = hazptr_shared_copy(some_reference());
	__atomic_store_n(&i->magic, ALIVE, __ATOMIC_RELAXED);
	add_one(&created);
	if (kind == COUNT_FIRST)
		return hazptr_shared_create_count_first(&i->weak.node, release);
	if (kind < EXPIRES)
		return hazptr_shared_create(&i->weak.node,
					    kind == FREED ? NULL : release);
	add_one(&made_weak);
	return hazptr_shared_create_weak(&i->weak, expire,
					 kind == EXPIRES ? release : NULL);
}

void items_begin(void)
{
	size_t i;

	for (i = 0; i < ITEMS; i++)
		item_back(&items[i]);
}
