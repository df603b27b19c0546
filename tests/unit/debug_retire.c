/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/debug_retire.c - hazptr/debug.h: retired twice, or while it is published
 *
 * Plain: by a file that is built without HAZPTR_DEBUG (debug_plain.c).
 */
#include "debug_misuse.h"

/* Retired twice */

static void expect_twice(void)
{
	expect("hazptr_retire: %p: retired twice", (void *)&x);
	expect("retired at %s by thread %d", retired_at, my_thread());
}

/* The place is said before the call, which aborts. */
#define AGAIN(call)                                                            \
	do {                                                                   \
		expect("again at %s by thread %d", HAZPTR_HERE_, my_thread()); \
		call;                                                          \
	} while (0)

static void child_retire_twice(void)
{
	set_up();
	retire(&x);
	expect_twice();
	AGAIN(hazptr_retire_free(domain, &x, head));
}

static void nothing(void *object)
{
	(void)object;
}

static void child_retire_ptr_twice(void)
{
	set_up();
	retire(&x);
	expect_twice();
	AGAIN(hazptr_retire_ptr(domain, &x, nothing));
}

static void child_retire_list_twice(void)
{
	set_up();
	retire(&x);
	expect_twice();
	hazptr_head_init(&y.head, &y, item_reclaim);
	hazptr_head_init(&x.head, &x, item_reclaim);
	y.head.next = &x.head;
	AGAIN(hazptr_retire_list(domain, &y.head, &x.head));
}

static void child_cohort_retire_twice(void)
{
	struct hazptr_cohort c;

	set_up();
	must(!hazptr_cohort_init(&c, domain));
	retire(&x);
	expect_twice();
	AGAIN(hazptr_cohort_retire(&c, &x, head, item_reclaim));
}

/* The second time in a file without it: a scan finds it. */
static void child_plain_retire_twice(void)
{
	set_up();
	retire(&x);
	expect_twice();
	plain_retire(domain, &x.head, &x, item_reclaim);
	hazptr_flush(domain);
}

static void retire_again(struct hazptr_head *head)
{
	item_reclaim(head);
	if (item_of(head)->gone < 3)
		hazptr_retire(domain, item_of(head), head, retire_again);
}

static void child_retire_when_reclaimed(void)
{
	set_up();
	hazptr_retire(domain, &x, head, retire_again);
	hazptr_barrier(domain);
	hazptr_barrier(domain);
	hazptr_barrier(domain);
	must(item_gone(&x) == 3);
}

/* Protected after it was retired */

static void expect_published(const char *call)
{
	expect("%s: %p: protected at ", call, (void *)&x);
	expect("after it was retired at %s by thread %d", retired_at,
	       my_thread());
}

static void child_published(void)
{
	set_up();
	retire(&x);
	expect_published("hazptr_protect");
	protect(&guard);
	expect("protected at %s by thread %d", protected_at, my_thread());
	expect("it is still published, at %p", (void *)&source);
	hazptr_release(&guard);
	protect(&guard);
	hazptr_release(&guard);
}

static void child_published_twice(void)
{
	set_up();
	retire(&x);
	protect(&guard);
	hazptr_release(&guard);
	hazptr_flush(domain);
	must(item_gone(&x) == 1);
	retire(&x);
	protect(&guard);
	hazptr_release(&guard);
}

static void child_published_to_try_protect(void)
{
	struct item *seen = &x;

	set_up();
	retire(&x);
	expect_published("hazptr_protect");
	must(AT(protected_at, hazptr_try_protect(&guard, &seen, &source)));
	expect("protected at %s", protected_at);
}

static void child_published_to_protect_tagged(void)
{
	uintptr_t word = (uintptr_t)&x | 1;

	set_up();
	retire(&x);
	expect_published("hazptr_protect");
	must(AT(protected_at, hazptr_protect_tagged(&guard, &word, 3) == word));
	expect("protected at %s", protected_at);
}

static void child_published_to_a_slot(void)
{
	struct hazptr_slot *s;

	set_up();
	hazptr_hold(&guard, &y);
	s = hazptr_slot_alloc(NULL);
	retire(&x);
	expect_published("hazptr_protect");
	must(AT(protected_at, hazptr_slot_protect(s, &source) == &x));
	expect("protected at %s", protected_at);
	must(hazptr_slot_try_protect(s, &source) == &x);
	hazptr_slot_free(NULL, s);
}

static void child_published_to_an_embedded_slot(void)
{
	set_up();
	take_all_slots();
	retire(&x);
	expect_published("hazptr_protect");
	protect(&guard);
	give_all_slots();
}

static void child_held_after_retire(void)
{
	set_up();
	retire(&x);
	expect_published("hazptr_hold");
	expect("!published");
	AT(protected_at, hazptr_hold(&guard, &x));
	expect("protected at %s", protected_at);
	hazptr_hold(&guard, &x);
}

static void child_unlinked(void)
{
	set_up();
	protect(&guard);
	unlink_and_retire(&x);
	hazptr_flush(domain);
	must(!item_gone(&x));
	must(!hazptr_protect(&crowd[0], &source));
	hazptr_release(&guard);
}

/* Right after the guard has looked again: it came in time. */
extern void (*hazptr_test_point_)(const char *point);

static void unlink_at_point(const char *point)
{
	if (strcmp(point, "debug:protected") == 0 && source)
		unlink_and_retire(&x);
}

static void child_unlinked_just_now(void)
{
	set_up();
	hazptr_test_point_ = unlink_at_point;
	must(protect(&guard) == &x);
	hazptr_test_point_ = NULL;
	must(!source);
	hazptr_flush(domain);
	must(!item_gone(&x));
	hazptr_release(&guard);
	hazptr_flush(domain);
	must(item_gone(&x) == 1);
}

/* What was reclaimed may be published again. */
static void child_reclaimed_and_published(void)
{
	int i;

	set_up();
	for (i = 0; i < 3; i++) {
		source = &x;
		protect(&guard);
		hazptr_release(&guard);
		unlink_and_retire(&x);
		hazptr_flush(domain);
		must(item_gone(&x) == i + 1);
	}
}

/* The same by free(), which gives the same memory again, sooner or later. */
static void child_freed_and_published(void)
{
	struct item *i;
	int n;

	set_up();
	for (n = 0; n < 1000; n++) {
		source = i = items_new(1);
		protect(&guard);
		hazptr_release(&guard);
		source = NULL;
		hazptr_retire_free(domain, i, head);
		hazptr_flush(domain);
	}
}

struct link {
	struct item *next;
	struct hazptr_head head;
};

static void link_reclaim(struct hazptr_head *head)
{
	(void)head;
}

/* A walk over what was unlinked: it looks at the way there again. */
static void child_link_in_a_retired_object(void)
{
	static struct link first;

	set_up();
	first.next = &x;
	hazptr_hold(&crowd[0], &first);
	hazptr_retire(domain, &first, head, link_reclaim);
	unlink_and_retire(&x);
	must(hazptr_protect(&guard, &first.next) == &x);
	hazptr_release(&guard);
	hazptr_release(&crowd[0]);
}

/* More than there is room for notes: what is not noted is not reported. */
static void child_many(void)
{
	struct item *items = items_new(10000);
	size_t i;

	set_up();
	for (i = 0; i < 10000; i++)
		retire(&items[i]);
	for (i = 0; i < 10000; i += 100) {
		source = &items[i];
		must(protect(&guard) == source);
	}
	hazptr_release(&guard);
	hazptr_flush(domain);
	must(items_gone(items, 10000) == 10000);
	must(lines_said() > 20 && lines_said() <= 100);
	must(!ftruncate(2, 0));
}

/* Threads whose notes stand in the same buckets. */

#define PLACES 4
static struct item *places[PLACES];
static int stop_now;

static void *is_busy(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct hazptr_guard g = HAZPTR_GUARD_INIT;
	struct item **place, *old;

	while (!__atomic_load_n(&stop_now, __ATOMIC_RELAXED)) {
		place = &places[test_random(&seed) % PLACES];
		old = __atomic_exchange_n(place, items_new(1),
					  __ATOMIC_ACQ_REL);
		if (old)
			hazptr_retire_free(domain, old, head);
		place = &places[test_random(&seed) % PLACES];
		old = hazptr_protect(&g, place);
		must(!old || !item_gone(old));
	}
	hazptr_release(&g);
	return NULL;
}

static void child_busy(void)
{
	pthread_t threads[4];
	uintptr_t i;

	domain = test_domain(HAZPTR_RECLAIM_INLINE, 1000, 0);
	for (i = 0; i < 4; i++)
		threads[i] = test_start(is_busy, (void *)i);
	test_sleep_ms(300);
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		test_join(threads[i]);
	hazptr_barrier(domain);
}

static const struct test_child children[] = {
	{ "retire twice", child_retire_twice },
	{ "retire_ptr twice", child_retire_ptr_twice },
	{ "retire_list twice", child_retire_list_twice },
	{ "cohort_retire twice", child_cohort_retire_twice },
	{ "plain retire twice", child_plain_retire_twice },
	{ "retire when reclaimed", child_retire_when_reclaimed },
	{ "published", child_published },
	{ "published twice", child_published_twice },
	{ "published to try_protect", child_published_to_try_protect },
	{ "published to protect_tagged", child_published_to_protect_tagged },
	{ "published to a slot", child_published_to_a_slot },
	{ "published, embedded", child_published_to_an_embedded_slot },
	{ "held after retire", child_held_after_retire },
	{ "unlinked", child_unlinked },
	{ "unlinked just now", child_unlinked_just_now },
	{ "reclaimed and published", child_reclaimed_and_published },
	{ "freed and published", child_freed_and_published },
	{ "link in a retired object", child_link_in_a_retired_object },
	{ "many", child_many },
	{ "busy", child_busy },
};

/* Child, HAZPTR_DEBUG, stall, lines, aborts. */
static struct report reports[] = {
	{ "retire twice", NULL, NULL, 1, true },
	{ "retire_ptr twice", NULL, NULL, 1, true },
	{ "retire_list twice", NULL, NULL, 1, true },
	{ "cohort_retire twice", NULL, NULL, 1, true },
	{ "plain retire twice", NULL, NULL, 1, true },
	{ "retire when reclaimed", NULL, NULL, 0, false },
	{ "published", NULL, NULL, 1, false },
	{ "published twice", NULL, NULL, 2, false },
	{ "published to try_protect", NULL, NULL, 1, false },
	{ "published to protect_tagged", NULL, NULL, 1, false },
	{ "published to a slot", NULL, NULL, 1, false },
	{ "published, embedded", NULL, NULL, 1, false },
	{ "held after retire", NULL, NULL, 1, false },
	{ "unlinked", "1", NULL, 0, false },
	{ "unlinked just now", NULL, NULL, 0, false },
	{ "reclaimed and published", NULL, NULL, 0, false },
	{ "freed and published", NULL, NULL, 0, false },
	{ "link in a retired object", NULL, NULL, 0, false },
	{ "many", NULL, NULL, 0, false },
	{ "busy", NULL, NULL, 0, false },
	{ "unlinked", "yes", NULL, 1, false },
	{ "unlinked", "1", "soon", 1, false },
};

int main(int argc, char **argv)
{
	struct CMUnitTest tests[TEST_COUNT(reports)];

	test_main(argc, argv, children, TEST_COUNT(children));
	test_reports(tests, reports, TEST_COUNT(reports));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
