/* SPDX-License-Identifier: MIT */
/* tests/unit/ref.c - the saturating count, and the lookup */
#include "test.h"

#include <hazptr/ref.h>

#define TOO_MANY 0x80000000u /* from here on the count says only that */

/* One thread */

static void a_count_is_a_word(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct hazptr_ref), 4);
}

static void init_sets_what_read_gives(void **state)
{
	static const uint32_t counts[] = { 0, 1, 2, 1000, TOO_MANY - 1 };
	struct hazptr_ref r;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(counts); i++) {
		hazptr_ref_init(&r, counts[i]);
		assert_int_equal(hazptr_ref_read(&r), counts[i]);
	}
}

static void get_adds_one_and_put_takes_one(void **state)
{
	struct hazptr_ref r;

	(void)state;
	hazptr_ref_init(&r, 3);
	hazptr_ref_get(&r);
	assert_int_equal(hazptr_ref_read(&r), 4);
	assert_false(hazptr_ref_put(&r));
	assert_int_equal(hazptr_ref_read(&r), 3);
}

static void put_is_true_for_the_last_only(void **state)
{
	struct hazptr_ref r;
	uint32_t n, i;

	(void)state;
	for (n = 1; n < 20; n++) {
		hazptr_ref_init(&r, n);
		for (i = 1; i < n; i++)
			assert_false(hazptr_ref_put(&r));
		assert_true(hazptr_ref_put(&r));
		assert_int_equal(hazptr_ref_read(&r), 0);
	}
}

static void get_unless_zero_gets_one(void **state)
{
	struct hazptr_ref r;

	(void)state;
	hazptr_ref_init(&r, 1);
	assert_true(hazptr_ref_get_unless_zero(&r));
	assert_int_equal(hazptr_ref_read(&r), 2);
	assert_false(hazptr_ref_put(&r));
	assert_true(hazptr_ref_put(&r));
}

static void get_unless_zero_leaves_zero(void **state)
{
	struct hazptr_ref r;
	int i;

	(void)state;
	hazptr_ref_init(&r, 1);
	assert_true(hazptr_ref_put(&r));
	for (i = 0; i < 3; i++) {
		assert_false(hazptr_ref_get_unless_zero(&r));
		assert_int_equal(hazptr_ref_read(&r), 0);
	}
}

/* Too many: the count stays, whatever is done, and put is never the last. */

static void never_ends(struct hazptr_ref *r)
{
	unsigned seed = 1;
	int i;

	for (i = 0; i < 100000; i++) {
		switch (test_random(&seed) % 4) {
		case 0:
			hazptr_ref_get(r);
			break;
		case 1:
			assert_true(hazptr_ref_get_unless_zero(r));
			break;
		default: /* more often than both */
			assert_false(hazptr_ref_put(r));
		}
		assert_true(hazptr_ref_read(r) >= TOO_MANY);
	}
}

static void get_over_the_limit_stays(void **state)
{
	struct hazptr_ref r;

	(void)state;
	hazptr_ref_init(&r, TOO_MANY - 2);
	hazptr_ref_get(&r);
	assert_int_equal(hazptr_ref_read(&r), TOO_MANY - 1);
	hazptr_ref_get(&r);
	never_ends(&r);
}

static void get_unless_zero_over_the_limit_stays(void **state)
{
	struct hazptr_ref r;

	(void)state;
	hazptr_ref_init(&r, TOO_MANY - 1);
	assert_true(hazptr_ref_get_unless_zero(&r));
	never_ends(&r);
}

static void below_the_limit_all_are_counted(void **state)
{
	struct hazptr_ref r;

	(void)state;
	hazptr_ref_init(&r, TOO_MANY - 1);
	assert_false(hazptr_ref_put(&r));
	assert_int_equal(hazptr_ref_read(&r), TOO_MANY - 2);
	assert_true(hazptr_ref_get_unless_zero(&r));
	assert_int_equal(hazptr_ref_read(&r), TOO_MANY - 1);
}

/* Wherever in the upper half it is, it comes back to the middle. */
static void no_step_leaves_the_upper_half(void **state)
{
	static const uint32_t counts[] = { TOO_MANY, TOO_MANY + 1, 0xC0000000u,
					   UINT32_MAX - 1, UINT32_MAX };
	struct hazptr_ref r;
	size_t i;

	(void)state;
	for (i = 0; i < TEST_COUNT(counts); i++) {
		hazptr_ref_init(&r, counts[i]);
		assert_false(hazptr_ref_put(&r));
		assert_true(hazptr_ref_read(&r) >= TOO_MANY);
		hazptr_ref_init(&r, counts[i]);
		hazptr_ref_get(&r);
		never_ends(&r);
	}
}

/* Misuse */

static void child_get_of_none(void)
{
	struct hazptr_ref r;

	hazptr_ref_init(&r, 1);
	hazptr_ref_put(&r);
	test_names(&r);
	hazptr_ref_get(&r);
}

static void child_put_of_none(void)
{
	struct hazptr_ref r;

	hazptr_ref_init(&r, 1);
	hazptr_ref_put(&r);
	test_names(&r);
	hazptr_ref_put(&r);
}

/* Lookup */

#define GOOD 0x600dL
#define BAD 0x0badL

struct device {
	long magic;
	struct hazptr_ref ref; /* not the first field */
	struct hazptr_head head;
};

static void lookup_of_nothing(void **state)
{
	struct device *slot = NULL;

	(void)state;
	assert_null(hazptr_ref_lookup(&slot, ref));
}

static void lookup_finds_and_counts(void **state)
{
	struct device d, *slot = &d;
	struct device *const *read_only = &slot;

	(void)state;
	hazptr_ref_init(&d.ref, 1);
	assert_ptr_equal(hazptr_ref_lookup(&slot, ref), &d);
	assert_int_equal(hazptr_ref_read(&d.ref), 2);
	assert_ptr_equal(hazptr_ref_lookup(read_only, ref), &d);
	assert_int_equal(hazptr_ref_read(&d.ref), 3);
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
}

static void lookup_of_what_goes_away(void **state)
{
	struct device d, *slot = &d;

	(void)state;
	hazptr_ref_init(&d.ref, 1);
	assert_true(hazptr_ref_put(&d.ref));
	assert_null(hazptr_ref_lookup(&slot, ref));
	assert_int_equal(hazptr_ref_read(&d.ref), 0);
	assert_int_equal(free_slots(NULL), HAZPTR_CONTEXT_SLOTS);
}

/* Its guard is a guard like all: beside others, also in an explicit context. */
static void lookup(void **state)
{
	struct device d, *slot = &d;

	(void)state;
	hazptr_ref_init(&d.ref, 1);
	assert_ptr_equal(hazptr_ref_lookup(&slot, ref), &d);
	assert_false(hazptr_ref_put(&d.ref));
	assert_true(hazptr_ref_put(&d.ref));
	assert_null(hazptr_ref_lookup(&slot, ref));
}

/* Two threads */

#define ROUNDS TEST_MANY(100000)

static struct hazptr_ref shared_ref;
static int turn; /* each thread adds one when it is done with a round */

static void both_are_here(int round)
{
	__atomic_fetch_add(&turn, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) < 2 * round)
		sched_yield();
}

static void *gets_and_puts(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		hazptr_ref_get(&shared_ref);
		must(hazptr_ref_get_unless_zero(&shared_ref));
		must(!hazptr_ref_put(&shared_ref));
		must(!hazptr_ref_put(&shared_ref));
	}
	return NULL;
}

static void two_threads_balance(void **state)
{
	pthread_t other;

	(void)state;
	hazptr_ref_init(&shared_ref, 1);
	other = test_start(gets_and_puts, NULL);
	gets_and_puts(NULL);
	test_join(other);
	assert_int_equal(hazptr_ref_read(&shared_ref), 1);
	assert_true(hazptr_ref_put(&shared_ref));
}

static long lasts[2];

/* Both have a reference, of which one is the last. */
static void *puts_its_own(void *arg)
{
	long *mine = (long *)arg;
	int i;

	for (i = 1; i <= ROUNDS / 10; i++) {
		both_are_here(4 * i - 3);
		if (arg == &lasts[0])
			hazptr_ref_init(&shared_ref, 2);
		both_are_here(4 * i - 2);
		*mine += hazptr_ref_put(&shared_ref);
		both_are_here(4 * i - 1);
		must(hazptr_ref_read(&shared_ref) == 0);
		both_are_here(4 * i);
	}
	return NULL;
}

static void one_of_two_is_the_last(void **state)
{
	pthread_t other;

	(void)state;
	turn = 0;
	lasts[0] = lasts[1] = 0;
	other = test_start(puts_its_own, &lasts[1]);
	puts_its_own(&lasts[0]);
	test_join(other);
	assert_int_equal(lasts[0] + lasts[1], ROUNDS / 10);
}

/* Devices are plugged and unplugged; another thread opens and closes them. */

static struct device *plug;
static long made, ended;
static int stop_now;

static void device_reclaim(struct hazptr_head *head)
{
	struct device *d =
		(struct device *)(void *)((char *)head -
					  offsetof(struct device, head));

	must(d->magic == GOOD);
	must(hazptr_ref_read(&d->ref) == 0);
	d->magic = BAD;
	__atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
	free(d);
}

static void device_put(struct device *d)
{
	if (d && hazptr_ref_put(&d->ref))
		hazptr_retire(NULL, d, head, device_reclaim);
}

static void *opens_and_closes(void *arg)
{
	long *opened = (long *)arg;
	struct device *d, *kept = NULL;

	while (!__atomic_load_n(&stop_now, __ATOMIC_ACQUIRE)) {
		d = hazptr_ref_lookup(&plug, ref);
		if (!d)
			continue;
		++*opened;
		must(d->magic == GOOD);
		if (*opened % 3 == 0) { /* keep it longer than others do */
			device_put(kept);
			kept = d;
			continue;
		}
		must(!kept || kept->magic == GOOD);
		device_put(d);
	}
	device_put(kept);
	return NULL;
}

static struct device *device_new(void)
{
	struct device *d = (struct device *)malloc(sizeof(*d));

	must(d != NULL);
	made++;
	d->magic = GOOD;
	hazptr_ref_init(&d->ref, 1);
	return d;
}

static void devices_are_unplugged_at_any_time(void **state)
{
	long opened = 0;
	pthread_t other;
	int i;

	(void)state;
	made = ended = 0;
	stop_now = 0;
	other = test_start(opens_and_closes, &opened);
	for (i = 0; i < ROUNDS; i++) {
		device_put(__atomic_exchange_n(
			&plug, i % 4 ? device_new() : NULL, __ATOMIC_ACQ_REL));
		if (i % 1000 == 0)
			sched_yield();
	}
	device_put(__atomic_exchange_n(&plug, (struct device *)NULL,
				       __ATOMIC_ACQ_REL));
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELEASE);
	test_join(other);
	hazptr_barrier(NULL);
	assert_int_equal(ended, made);
}

static const struct test_child children[] = {
	{ "get of none", child_get_of_none },
	{ "put of none", child_put_of_none },
};

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_count_is_a_word),
		cmocka_unit_test(init_sets_what_read_gives),
		cmocka_unit_test(get_adds_one_and_put_takes_one),
		cmocka_unit_test(put_is_true_for_the_last_only),
		cmocka_unit_test(get_unless_zero_gets_one),
		cmocka_unit_test(get_unless_zero_leaves_zero),
		cmocka_unit_test(get_over_the_limit_stays),
		cmocka_unit_test(get_unless_zero_over_the_limit_stays),
		cmocka_unit_test(below_the_limit_all_are_counted),
		cmocka_unit_test(no_step_leaves_the_upper_half),
		MISUSE("get of none", "hazptr_ref_get"),
		MISUSE("put of none", "hazptr_ref_put"),
		cmocka_unit_test(lookup_of_nothing),
		cmocka_unit_test(lookup_finds_and_counts),
		cmocka_unit_test(lookup_of_what_goes_away),
		CROWDED(lookup),
		cmocka_unit_test(two_threads_balance),
		cmocka_unit_test(one_of_two_is_the_last),
		cmocka_unit_test(devices_are_unplugged_at_any_time),
	};

	test_main(argc, argv, children, TEST_COUNT(children));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
