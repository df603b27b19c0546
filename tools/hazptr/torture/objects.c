/* SPDX-License-Identifier: MIT */
/* tools/hazptr/torture/objects.c - where objects come from and go to */
#define _GNU_SOURCE
#include "torture.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#if __has_include(<sanitizer/asan_interface.h>) /* without ASan: nothing */
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, size) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, size) ((void)0)
#endif

#define ARENA 65536
#define STACKS 64
#define KEPT_MOST 32 /* beyond it a thread shares what is free */
#define POISON 0xdb
#define POISONED offsetof(struct obj, next)

static struct obj *arena;
static size_t used;
static uint64_t none; /* how often all were in use */

/* Pushed one by one, taken all at once: so no lock is held at a fork. */
static struct {
	struct obj *top;
} __attribute__((__aligned__(64))) stacks[STACKS];

void objects_begin(void)
{
	arena = mmap(NULL, ARENA * sizeof(*arena), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		failed("no memory for objects", NULL);
}

bool obj_is_ours(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)arena &&
	       (uintptr_t)p < (uintptr_t)(arena + ARENA) && arena;
}

static void push(struct obj *o)
{
	uint64_t i = self ? pick(STACKS) : (uintptr_t)o / sizeof(*o) % STACKS;
	struct obj *top = __atomic_load_n(&stacks[i].top, __ATOMIC_RELAXED);

	do
		o->next = top;
	while (!__atomic_compare_exchange_n(&stacks[i].top, &top, o, true,
					    __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED));
}

/* Others may find less free than there is: then they take fresh ones. */
static bool take_all(unsigned i)
{
	struct obj *o = NULL;

	if (__atomic_load_n(&stacks[i].top, __ATOMIC_RELAXED))
		o = __atomic_exchange_n(&stacks[i].top, NULL, __ATOMIC_ACQUIRE);
	self->free = o;
	for (; o; o = o->next)
		self->n_free++;
	return self->free;
}

static struct obj *take_fresh(void)
{
	size_t i = __atomic_load_n(&used, __ATOMIC_RELAXED);

	do
		if (i == ARENA)
			return NULL;
	while (!__atomic_compare_exchange_n(
		&used, &i, i + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	memset(&arena[i], POISON, POISONED);
	return &arena[i];
}

static struct obj *take(void)
{
	struct obj *o;
	unsigned i;

	for (i = 0; i < 4 && !self->free; i++)
		take_all((unsigned)pick(STACKS));
	if (!self->free && (o = take_fresh()))
		return o;
	for (i = 0; i < STACKS && !self->free; i++)
		take_all(i);
	o = self->free;
	if (!o)
		return NULL;
	self->free = o->next;
	self->n_free--;
	ASAN_UNPOISON_MEMORY_REGION(o, POISONED);
	return o;
}

static void check_poison(const struct obj *o)
{
	const volatile unsigned char *p = (const volatile unsigned char *)o;
	size_t i;

	for (i = 0; i < POISONED; i++)
		if (p[i] != POISON)
			failed("written to after its end", o);
}

static uint64_t word_of(uint64_t generation, unsigned i)
{
	return (generation + i) * 0x9e3779b97f4a7c15u;
}

struct obj *obj_new(enum obj_kind kind)
{
	struct obj *o = take();
	unsigned i;

	if (!o) {
		add(&none, 1);
		hazptr_flush(NULL);
		nap_us(1000); /* those who must reclaim need a processor */
		return NULL;
	}
	check_poison(o);
	o->births++;
	o->generation = (uint64_t)o->births << 24 ^ (uint64_t)(o - arena);
	for (i = 0; i < OBJ_WORDS; i++)
		o->word[i] = word_of(o->generation, i);
	o->kind = kind;
	o->end = 0;
	o->holders = 0;
	o->child.node = NULL;
	__atomic_store_n(&o->magic, OBJ_ALIVE, __ATOMIC_RELAXED);
	return o;
}

/* The compiler may not remember what it saw before. */
static uint64_t look(const uint64_t *word)
{
	return *(const volatile uint64_t *)word;
}

static uint64_t magic(const struct obj *o)
{
	return __atomic_load_n(&o->magic, __ATOMIC_RELAXED);
}

static uint64_t look_at_words(const struct obj *o)
{
	uint64_t generation = look(&o->generation);
	unsigned i;

	for (i = 0; i < OBJ_WORDS; i++)
		if (look(&o->word[i]) != word_of(generation, i))
			failed("used after its end: word", o);
	return generation;
}

uint64_t obj_look(const struct obj *o, enum obj_kind kind)
{
	uint64_t m = magic(o);

	if (m == OBJ_EXPIRED)
		failed("it has expired, and there is a reference", o);
	if (m != OBJ_ALIVE)
		failed("used after its end: magic", o);
	if (*(const volatile uint32_t *)&o->kind != kind)
		failed("used after its end: kind", o);
	return look_at_words(o);
}

void obj_check_still(const struct obj *o, enum obj_kind kind,
		     uint64_t generation)
{
	if (o && obj_look(o, kind) != generation)
		failed("used after its end: generation", o);
}

uint64_t obj_check(const struct obj *o, enum obj_kind kind)
{
	uint64_t generation = obj_look(o, kind), delay = pick(64);

	if (!delay)
		sched_yield();
	else if (delay < 16)
		spin((unsigned)pick(500));
	obj_check_still(o, kind, generation);
	return generation;
}

void obj_check_weak(const struct obj *o, uint64_t generation)
{
	if (!o)
		return;
	if (magic(o) != OBJ_ALIVE && magic(o) != OBJ_EXPIRED)
		failed("a weak pointer to what has ended", o);
	if (look_at_words(o) != generation)
		failed("a weak pointer to another generation", o);
}

void obj_end(struct obj *o, enum obj_end how)
{
	if (magic(o) != OBJ_ALIVE && magic(o) != OBJ_EXPIRED)
		failed("ended twice, or never made", o);
	if (o->end != how)
		failed("ended in another way than it was given up", o);
	if (__atomic_load_n(&o->holders, __ATOMIC_RELAXED))
		failed("ended while somebody has a reference", o);
	look_at_words(o);
	memset(o, POISON, POISONED);
	ASAN_POISON_MEMORY_REGION(o, POISONED);
	o->deaths++;
	if (!self || self->n_free >= KEPT_MOST) {
		push(o); /* the library's thread has no use for it */
		return;
	}
	o->next = self->free;
	self->free = o;
	self->n_free++;
}

void obj_reclaim(struct hazptr_head *head)
{
	obj_end((struct obj *)(void *)((char *)head -
				       offsetof(struct obj, head)),
		BY_FUNCTION);
}

void obj_destroy(void *o)
{
	obj_end(o, BY_FUNCTION);
}

void objects_leave(void)
{
	struct obj *o;

	while ((o = self->free)) {
		self->free = o->next;
		push(o);
	}
	self->n_free = 0;
}

void objects_check(void)
{
	size_t i, free = 0;

	objects_leave();
	for (i = 0; i < STACKS; i++) {
		take_all((unsigned)i);
		for (; self->free; self->free = self->free->next, free++)
			;
	}
	self->n_free = 0;
	for (i = 0; i < used; i++)
		if (arena[i].births != arena[i].deaths)
			failed("an object was lost", &arena[i]);
	if (free != used)
		failed("a free object was lost", NULL);
}

uint64_t objects_used(void)
{
	return __atomic_load_n(&used, __ATOMIC_RELAXED);
}

uint64_t objects_made(void)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < used; i++)
		n += arena[i].births;
	return n;
}

uint64_t objects_none(void)
{
	return get(&none);
}
