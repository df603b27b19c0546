/* SPDX-License-Identifier: MIT */
/*
 * geoip/table.c - sorted arrays of ranges, and the search in them
 */
#include "table.h"

#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP_MAGIC ((uint64_t)0x67656f69 << 32) /* above the serial number */
#define POISON 0x5a

static uint64_t tables_made;
static unsigned tables_alive, tables_peak;

/* A destroyed table waits here for the next one, see table_destroy(). */
static struct table *grave;

unsigned table_alive(void)
{
	return __atomic_load_n(&tables_alive, __ATOMIC_RELAXED);
}

unsigned table_peak(void)
{
	return __atomic_load_n(&tables_peak, __ATOMIC_RELAXED);
}

void table_peak_reset(void)
{
	__atomic_store_n(&tables_peak, table_alive(), __ATOMIC_RELAXED);
}

static void count_new_table(void)
{
	unsigned alive = __atomic_add_fetch(&tables_alive, 1, __ATOMIC_RELAXED);

	if (alive > table_peak()) /* one thread makes tables */
		__atomic_store_n(&tables_peak, alive, __ATOMIC_RELAXED);
}

static struct table *table_new(void)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t) {
		t->stamp = STAMP_MAGIC | (uint32_t)++tables_made;
		count_new_table();
	}
	return t;
}

static void free_all(struct table *t)
{
	if (!t)
		return;
	free(t->v4);
	free(t->v6);
	free(t);
}

static void poison(struct table *t)
{
	if (t->v4)
		memset(t->v4, POISON, t->n4 * sizeof(*t->v4));
	if (t->v6)
		memset(t->v6, POISON, t->n6 * sizeof(*t->v6));
	memset(&t->stamp, POISON, sizeof(t->stamp));
}

/*
 * A table that has been poisoned lies in its grave until the next one comes,
 * pointers and lengths intact, so that a reader that should not be there finds
 * poison, where free memory could be anything.
 */
void table_destroy(struct table *t)
{
	poison(t);
	__atomic_sub_fetch(&tables_alive, 1, __ATOMIC_RELAXED);
	free_all(__atomic_exchange_n(&grave, t, __ATOMIC_ACQ_REL));
}

void table_clear_graves(void)
{
	free_all(__atomic_exchange_n(&grave, NULL, __ATOMIC_ACQ_REL));
}

/* Return: @array with room for one more than its @n elements, or NULL. */
static void *grow(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 1024;
	void *larger;

	if (n < *room)
		return array;
	larger = realloc(array, more * size);
	if (larger)
		*room = more;
	return larger;
}

/* What separates this range from the one before it. */
static const char *check_order(const struct address *previous_start,
			       const struct address *previous_end,
			       const struct range *r)
{
	if (address_below(previous_end, &r->start))
		return NULL;
	if (address_below(&r->end, previous_start))
		return "the range stands below the previous one";
	return "the range overlaps the previous one";
}

static const char *add4(struct table *t, const struct range *r, uint16_t sealed)
{
	struct range4 *larger;

	if (t->n4) {
		const struct range4 *last = &t->v4[t->n4 - 1];
		struct address start = { .low = last->start };
		struct address end = { .low = last->end };
		const char *wrong = check_order(&start, &end, r);

		if (wrong)
			return wrong;
	}
	larger = grow(t->v4, t->n4, &t->room4, sizeof(*larger));
	if (!larger)
		return strerror(ENOMEM);
	t->v4 = larger;
	t->v4[t->n4++] = (struct range4){ (uint32_t)r->start.low,
					  (uint32_t)r->end.low, sealed };
	return NULL;
}

static const char *add6(struct table *t, const struct range *r, uint16_t sealed)
{
	struct range6 *larger;

	if (t->n6) {
		const struct range6 *last = &t->v6[t->n6 - 1];
		struct address start = { last->start.high, last->start.low,
					 true };
		struct address end = { last->end.high, last->end.low, true };
		const char *wrong = check_order(&start, &end, r);

		if (wrong)
			return wrong;
	}
	larger = grow(t->v6, t->n6, &t->room6, sizeof(*larger));
	if (!larger)
		return strerror(ENOMEM);
	t->v6 = larger;
	t->v6[t->n6++] = (struct range6){ { r->start.high, r->start.low },
					  { r->end.high, r->end.low },
					  sealed };
	return NULL;
}

static void digest(struct table *t, uint64_t word)
{
	t->digest = (t->digest ^ word) * 0x9e3779b97f4a7c15;
	t->digest ^= t->digest >> 32;
}

static const char *add_range(void *arg, const struct range *r)
{
	struct table *t = arg;
	uint16_t country = (uint16_t)((unsigned char)r->country[0] << 8 |
				      (unsigned char)r->country[1]);
	uint16_t sealed = country ^ (uint16_t)t->stamp;

	digest(t, r->start.high ^ r->end.high << 1);
	digest(t, r->start.low);
	digest(t, r->end.low ^ (uint64_t)country << 48);
	return r->start.is_v6 ? add6(t, r, sealed) : add4(t, r, sealed);
}

struct table *table_load(const struct files *files, struct problem *problem)
{
	struct table *t = table_new();

	if (!t) {
		snprintf(problem->text, sizeof(problem->text), "%s",
			 strerror(ENOMEM));
		return NULL;
	}
	if (!load_files(files, add_range, t, problem)) {
		table_destroy(t);
		return NULL;
	}
	return t;
}

/* The last range that begins at or below the address, or NULL. */
static const struct range4 *search4(const struct table *t, uint32_t a)
{
	const struct range4 *first = t->v4;
	size_t n = t->n4;

	while (n) {
		size_t half = n / 2;

		if (first[half].start <= a) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return first > t->v4 ? first - 1 : NULL;
}

static bool key6_above(struct key6 a, struct key6 b)
{
	return a.high > b.high || (a.high == b.high && a.low > b.low);
}

static const struct range6 *search6(const struct table *t, struct key6 a)
{
	const struct range6 *first = t->v6;
	size_t n = t->n6;

	while (n) {
		size_t half = n / 2;

		if (!key6_above(first[half].start, a)) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return first > t->v6 ? first - 1 : NULL;
}

static uint16_t lookup4(const struct table *t, uint32_t a, uint16_t seal)
{
	const struct range4 *r = search4(t, a);

	return r && a <= r->end ? r->country ^ seal : COUNTRY_NONE;
}

static uint16_t lookup6(const struct table *t, struct key6 a, uint16_t seal)
{
	const struct range6 *r = search6(t, a);

	return r && !key6_above(a, r->end) ? r->country ^ seal : COUNTRY_NONE;
}

/*
 * The stamp is read before and after, as memory and not as the compiler may
 * remember it. No reader of a living table meets a store to it, so that these
 * are plain reads: a thread sanitizer is to report them when they race.
 */
static uint64_t read_stamp(const struct table *t)
{
	uint64_t stamp;

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	stamp = *(const volatile uint64_t *)&t->stamp;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return stamp;
}

uint16_t table_lookup(const struct table *t, const struct address *a)
{
	uint64_t stamp = read_stamp(t);
	uint16_t seal = (uint16_t)stamp;
	uint16_t country;

	if (stamp >> 32 != STAMP_MAGIC >> 32)
		return COUNTRY_DEAD;
	if (a->is_v6)
		country = lookup6(t, (struct key6){ a->high, a->low }, seal);
	else
		country = lookup4(t, (uint32_t)a->low, seal);
	return read_stamp(t) == stamp ? country : COUNTRY_DEAD;
}
