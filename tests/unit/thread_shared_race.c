/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/thread_shared_race.c - holders against promoters
 *
 * Directed: a promoter is held at a named point (it has asked; its fence is
 * done; it has counted), and the holder does something meanwhile. The promoter
 * is a scan, the library's ager, or a drop_sync. Then stress.
 */
#include "nodes.h"

static const char *const points[] = { "promote:asked", "promote:fenced",
				      "promote:counted" };

struct scene {
	struct box box;
	struct box other_box;
	bool count_first;
	struct hazptr_sync_shared place;
	struct hazptr_sync_shared again; /* the same node */
	struct hazptr_sync_shared other; /* another one */
	struct hazptr_thread_shared ts;
	struct hazptr_thread_shared second;
	struct hazptr_shared sp;
};

/* What the holder does */

static void nothing(struct scene *s)
{
	(void)s;
}

static void dropped(struct scene *s)
{
	hazptr_thread_shared_drop(&s->ts);
}

/* Into the same slot, as it happens. */
static void dropped_and_taken_again(struct scene *s)
{
	s->sp = hazptr_thread_shared_to_shared(&s->ts);
	hazptr_sync_shared_store_copy(&s->again, s->sp);
	hazptr_shared_drop(&s->sp);
	hazptr_thread_shared_drop(&s->ts);
	must(hazptr_thread_shared_load(&s->ts, &s->again));
}

static void taken_again_and_the_rest_dropped(struct scene *s)
{
	dropped_and_taken_again(s);
	hazptr_sync_shared_drop(&s->again);
}

static void borrowed_and_the_rest_dropped(struct scene *s)
{
	s->sp = hazptr_thread_shared_to_shared(&s->ts);
	hazptr_thread_shared_drop(&s->ts);
	hazptr_thread_shared_borrow(&s->ts, s->sp);
	hazptr_shared_drop(&s->sp);
}

static void dropped_and_another_taken(struct scene *s)
{
	hazptr_thread_shared_drop(&s->ts);
	must(hazptr_thread_shared_load(&s->second, &s->other));
}

static void moved_to_another(struct scene *s)
{
	must(hazptr_thread_shared_load(&s->ts, &s->other));
}

static void counted(struct scene *s)
{
	s->sp = hazptr_thread_shared_to_shared(&s->ts);
}

static void counted_and_dropped(struct scene *s)
{
	counted(s);
	hazptr_thread_shared_drop(&s->ts);
}

static void counted_and_all_dropped(struct scene *s)
{
	counted_and_dropped(s);
	hazptr_shared_drop(&s->sp);
}

static void counted_for_a_moment(struct scene *s)
{
	counted(s);
	hazptr_shared_drop(&s->sp);
}

static void a_second_one(struct scene *s)
{
	counted(s);
	hazptr_thread_shared_borrow(&s->second, s->sp);
	hazptr_shared_drop(&s->sp);
}

static void a_second_one_the_first_dropped(struct scene *s)
{
	a_second_one(s);
	hazptr_thread_shared_drop(&s->ts);
}

static void elsewhere(struct scene *s)
{
	(void)s;
	pin_to(1);
}

static void elsewhere_and_dropped(struct scene *s)
{
	pin_to(1);
	hazptr_thread_shared_drop(&s->ts);
}

struct act {
	const char *name;
	void (*play)(struct scene *s);
};

static const struct act acts[] = {
	{ "nothing", nothing },
	{ "dropped", dropped },
	{ "taken again", dropped_and_taken_again },
	{ "taken again, the rest dropped", taken_again_and_the_rest_dropped },
	{ "borrowed, the rest dropped", borrowed_and_the_rest_dropped },
	{ "another taken", dropped_and_another_taken },
	{ "moved to another", moved_to_another },
	{ "counted", counted },
	{ "counted and dropped", counted_and_dropped },
	{ "counted and all dropped", counted_and_all_dropped },
	{ "counted for a moment", counted_for_a_moment },
	{ "a second one", a_second_one },
	{ "a second one, the first dropped", a_second_one_the_first_dropped },
	{ "elsewhere", elsewhere },
	{ "elsewhere, dropped", elsewhere_and_dropped },
};

static void scene_begin(struct scene *s, void **state)
{
	struct hazptr_shared sp;

	hazptr_thread_shared_set_max_age_ms(0);
	settle();
	pin_to(0);
	memset(s, 0, sizeof(*s));
	s->count_first = *state != NULL;
	sp = box_new(&s->other_box);
	hazptr_sync_shared_store(&s->other, &sp);
	sp = box_of_kind(&s->box, state);
	hazptr_sync_shared_store(&s->place, &sp);
	must(hazptr_thread_shared_load(&s->ts, &s->place));
}

static bool is_held(const struct scene *s)
{
	return s->ts.node == &s->box.weak.node ||
	       s->second.node == &s->box.weak.node || s->sp.node ||
	       s->place.node || s->again.node;
}

/* Alive while somebody has it; ends once; the other is not touched. */
static void scene_end(struct scene *s, const char *point, const char *act)
{
	bool fine;

	hazptr_thread_shared_set_max_age_ms(0);
	settle();
	fine = box_gone(&s->box) == !is_held(s) && !box_gone(&s->other_box) &&
	       box_references(&s->other_box) == 1;
	hazptr_thread_shared_drop(&s->second);
	hazptr_shared_drop(&s->sp);
	settle();
	fine = fine && box_gone(&s->box) == !is_held(s);
	hazptr_thread_shared_drop(&s->ts);
	hazptr_sync_shared_drop(&s->again);
	hazptr_sync_shared_drop(&s->place);
	hazptr_sync_shared_drop(&s->other);
	settle();
	if (!fine || box_gone(&s->box) != 1 || box_gone(&s->other_box) != 1)
		fail_msg("at %s: %s", point, act);
}

/* Promoted by a scan */

static void play_in_a_scan(const char *point, const struct act *act,
			   void **state)
{
	struct hand scans;
	struct scene s;

	scene_begin(&s, state);
	hand_start(&scans);
	stop_arm(&stops[0], point);
	hazptr_sync_shared_drop(&s.place);
	hand_begin(&scans, does_flush, NULL);
	stop_wait(&stops[0]);
	act->play(&s);
	stop_go(&stops[0]);
	hand_end(&scans);
	hand_stop(&scans);
	scene_end(&s, point, act->name);
}

static void while_a_scan_promotes(void **state)
{
	size_t i, j;

	for (i = 0; i < TEST_COUNT(points); i++)
		for (j = 0; j < TEST_COUNT(acts); j++)
			play_in_a_scan(points[i], &acts[j], state);
}

/* Promoted by a drop_sync */

static void play_in_a_drop_sync(const char *point, const struct act *act,
				void **state)
{
	struct hand drops;
	struct scene s;

	scene_begin(&s, state);
	hand_start(&drops);
	stop_arm(&stops[0], point);
	hand_begin(&drops, does_sync_drop_sync, &s.place);
	stop_wait(&stops[0]);
	act->play(&s);
	stop_go(&stops[0]);
	hand_end(&drops);
	hand_stop(&drops);
	scene_end(&s, point, act->name);
}

static void while_a_drop_sync_promotes(void **state)
{
	size_t i, j;

	for (i = 0; i < TEST_COUNT(points); i++)
		for (j = 0; j < TEST_COUNT(acts); j++)
			play_in_a_drop_sync(points[i], &acts[j], state);
}

/*
 * Promoted by age. The ager has no reference of its own: while it is held, the
 * node's place is emptied as well.
 */
static void play_in_the_ager(const char *point, const struct act *act,
			     bool drop_first, void **state)
{
	struct scene s;

	scene_begin(&s, state);
	stop_arm(&stops[0], point);
	hazptr_thread_shared_set_max_age_ms(1);
	stop_wait(&stops[0]);
	if (drop_first)
		hazptr_sync_shared_drop(&s.place);
	act->play(&s);
	hazptr_sync_shared_drop(&s.place);
	stop_go(&stops[0]);
	scene_end(&s, point, act->name);
}

static void while_the_ager_promotes(void **state)
{
	size_t i, j;

	for (i = 0; i < TEST_COUNT(points); i++) {
		for (j = 0; j < TEST_COUNT(acts); j++) {
			play_in_the_ager(points[i], &acts[j], false, state);
			play_in_the_ager(points[i], &acts[j], true, state);
		}
	}
}

/* Both are held: the holder has emptied its slot, and not looked further. */

static void does_ts_drop(void *arg)
{
	hazptr_thread_shared_drop((struct hazptr_thread_shared *)arg);
}

static void does_load(void *arg)
{
	struct scene *s = (struct scene *)arg;

	must(hazptr_thread_shared_load(&s->ts, &s->place));
}

/* Who goes on first. */
static void drop_meets_promoter(const char *point, bool holder_first,
				void **state)
{
	struct hand holds, scans;
	struct scene s;

	scene_begin(&s, state);
	hazptr_thread_shared_drop(&s.ts);
	hand_start(&holds);
	hand_start(&scans);
	hand_do(&holds, does_load, &s);
	stop_arm(&stops[0], point);
	hazptr_sync_shared_drop(&s.place);
	hand_begin(&scans, does_flush, NULL);
	stop_wait(&stops[0]);
	stop_arm(&stops[1], "thread_shared:dropping");
	hand_begin(&holds, does_ts_drop, &s.ts);
	stop_wait(&stops[1]);
	if (holder_first) {
		stop_go(&stops[1]);
		hand_end(&holds);
		stop_go(&stops[0]);
		hand_end(&scans);
	} else {
		stop_go(&stops[0]);
		hand_end(&scans);
		settle();
		stop_go(&stops[1]);
		hand_end(&holds);
	}
	hand_stop(&holds);
	hand_stop(&scans);
	scene_end(&s, point, holder_first ? "holder first" : "promoter first");
}

static void while_a_holder_drops(void **state)
{
	size_t i;

	for (i = 0; i < TEST_COUNT(points); i++) {
		drop_meets_promoter(points[i], false, state);
		drop_meets_promoter(points[i], true, state);
	}
}

/*
 * A slot that was taken, and whose source was not looked at again. For that
 * stop, another one is held before, so that the inline path does not serve.
 */

struct taker {
	struct scene *s;
	struct hazptr_thread_shared before;
	struct hazptr_thread_shared ts;
	struct hazptr_sync_shared *from;
};

static void does_take(void *arg)
{
	struct taker *t = (struct taker *)arg;

	hazptr_thread_shared_load(&t->ts, t->from);
}

static void does_take_other(void *arg)
{
	struct taker *t = (struct taker *)arg;

	pin_to(0);
	must(hazptr_thread_shared_load(&t->before, &t->s->other));
}

static void does_drop_all(void *arg)
{
	struct taker *t = (struct taker *)arg;

	hazptr_thread_shared_drop(&t->before);
	hazptr_thread_shared_drop(&t->ts);
}

static void taker_stops(struct hand *h, struct taker *t, struct scene *s)
{
	memset(t, 0, sizeof(*t));
	t->s = s;
	t->from = &s->place;
	hand_start(h);
	hand_do(h, does_take_other, t);
	stop_arm(&stops[0], "thread_shared:claimed");
	hand_begin(h, does_take, t);
	stop_wait(&stops[0]);
}

static void taker_ends(struct hand *h, struct taker *t)
{
	hand_do(h, does_drop_all, t);
	hand_stop(h);
}

/* The source is empty when the taker looks again: it has nothing. */
static void dropped_before_the_second_look(void **state)
{
	struct taker t;
	struct scene s;
	struct hand h;

	scene_begin(&s, state);
	hazptr_thread_shared_drop(&s.ts);
	taker_stops(&h, &t, &s);
	hazptr_sync_shared_drop(&s.place);
	settle(); /* it waits for nobody */
	stop_go(&stops[0]);
	hand_end(&h);
	assert_null(t.ts.node);
	settle();
	assert_int_equal(box_gone(&s.box), 1);
	taker_ends(&h, &t);
	scene_end(&s, "claimed", "dropped");
}

/* Another node: it has that one. */
static void replaced_before_the_second_look(void **state)
{
	struct hazptr_shared sp;
	struct taker t;
	struct scene s;
	struct hand h;

	scene_begin(&s, state);
	hazptr_thread_shared_drop(&s.ts);
	taker_stops(&h, &t, &s);
	sp = hazptr_sync_shared_load(&s.other);
	hazptr_sync_shared_store(&s.place, &sp);
	settle();
	stop_go(&stops[0]);
	hand_end(&h);
	assert_ptr_equal(t.ts.node, node_of(&s.other_box));
	settle();
	assert_int_equal(box_gone(&s.box), 1);
	hazptr_sync_shared_drop(&s.place);
	taker_ends(&h, &t);
	scene_end(&s, "claimed", "replaced");
}

/* The same node, back again: the taker has it. */
static void put_back_before_the_second_look(void **state)
{
	struct hazptr_shared null = { NULL }, sp;
	struct taker t;
	struct scene s;
	struct hand h;

	scene_begin(&s, state);
	hazptr_thread_shared_drop(&s.ts);
	taker_stops(&h, &t, &s);
	sp = hazptr_sync_shared_exchange(&s.place, &null);
	hazptr_flush(NULL);
	hazptr_sync_shared_store(&s.place, &sp);
	stop_go(&stops[0]);
	hand_end(&h);
	assert_ptr_equal(t.ts.node, node_of(&s.box));
	hazptr_sync_shared_drop(&s.place);
	settle();
	assert_int_equal(box_gone(&s.box), 0);
	taker_ends(&h, &t);
	scene_end(&s, "claimed", "put back");
}

/* Nobody knows whether it is alive: however old, it is not the ager's. */
static void no_age_before_the_second_look(void **state)
{
	uint64_t before;
	struct taker t;
	struct scene s;
	struct hand h;

	scene_begin(&s, state);
	hazptr_thread_shared_drop(&s.ts);
	taker_stops(&h, &t, &s);
	before = promotions().promoted_by_age;
	hazptr_thread_shared_set_max_age_ms(1);
	/* The other one's slot grows old, ... */
	assert_true(test_eventually(promotions().promoted_by_age > before));
	/* ... and one that is taken after that, whole passes later. */
	must(hazptr_thread_shared_load(&s.second, &s.other));
	assert_true(test_eventually(promotions().promoted_by_age > before + 1));
	hazptr_thread_shared_drop(&s.second);
	assert_int_equal(box_references(&s.box), 1);
	hazptr_sync_shared_drop(&s.place);
	hazptr_thread_shared_set_max_age_ms(0);
	settle();
	stop_go(&stops[0]);
	hand_end(&h);
	assert_null(t.ts.node);
	taker_ends(&h, &t);
	scene_end(&s, "claimed", "aged");
}

/* Stress: all at once; what was released is poisoned. */

#define GOOD 0x600dL
#define BAD 0x0badL

struct thing {
	long magic;
	struct hazptr_shared_node node;
};

static struct hazptr_sync_shared shelf[2];
static long made, released;
static bool count_first;
static int stop_now;

static struct thing *thing_of(struct hazptr_shared_node *node)
{
	return (struct thing *)(void *)((char *)node -
					offsetof(struct thing, node));
}

static void thing_release(struct hazptr_shared_node *node)
{
	must(thing_of(node)->magic == GOOD);
	thing_of(node)->magic = BAD;
	__atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
	free(thing_of(node));
}

static struct hazptr_shared thing_new(void)
{
	struct thing *t = (struct thing *)calloc(1, sizeof(*t));

	must(t != NULL);
	t->magic = GOOD;
	__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
	if (count_first)
		return hazptr_shared_create_count_first(&t->node,
							thing_release);
	return hazptr_shared_create(&t->node, thing_release);
}

static void check_good(struct hazptr_shared_node *node)
{
	must(!node || thing_of(node)->magic == GOOD);
}

#define OWN 12

struct player {
	struct hazptr_thread_shared ts[OWN];
	struct hazptr_shared sp;
	unsigned seed;
};

static void play(struct player *p)
{
	struct hazptr_thread_shared *ts = &p->ts[test_random(&p->seed) % OWN];
	struct hazptr_sync_shared *place = &shelf[test_random(&p->seed) % 2];

	check_good(ts->node);
	switch (test_random(&p->seed) % 8) {
	case 0:
	case 1:
	case 2:
		check_good(hazptr_thread_shared_load(ts, place));
		break;
	case 3:
		check_good(hazptr_thread_shared_borrow(ts, p->sp));
		break;
	case 4:
		hazptr_shared_drop(&p->sp);
		p->sp = hazptr_thread_shared_to_shared(ts);
		break;
	case 5:
		hazptr_sync_shared_store_copy(place, p->sp);
		break;
	case 6:
		if (test_random(&p->seed) % 256 == 0)
			pin_to(test_random(&p->seed) % 2);
		break;
	default:
		hazptr_thread_shared_drop(ts);
	}
	check_good(ts->node);
	check_good(p->sp.node);
}

static void *plays(void *arg)
{
	struct player p;
	int i;

	memset(&p, 0, sizeof(p));
	p.seed = (unsigned)(uintptr_t)arg;
	for (i = 0; i < TEST_MANY(300000); i++)
		play(&p);
	for (i = 0; i < OWN; i++)
		hazptr_thread_shared_drop(&p.ts[i]);
	hazptr_shared_drop(&p.sp);
	return NULL;
}

static void *stores(void *arg)
{
	unsigned seed = 99;
	struct hazptr_shared sp;
	struct hazptr_sync_shared *place;

	while (!__atomic_load_n(&stop_now, __ATOMIC_ACQUIRE)) {
		place = &shelf[test_random(&seed) % 2];
		switch (test_random(&seed) % 16) {
		case 0:
			hazptr_sync_shared_drop_sync(place);
			break;
		case 1:
			hazptr_sync_shared_drop(place);
			break;
		case 2:
			sched_yield();
			break;
		default:
			sp = thing_new();
			hazptr_sync_shared_store(place, &sp);
		}
	}
	return arg;
}

static void all_operations_at_once(void **state)
{
	pthread_t players[2], storer;
	uintptr_t i;

	made = released = 0;
	stop_now = 0;
	count_first = *state != NULL;
	hazptr_thread_shared_set_max_age_ms(1);
	storer = test_start(stores, NULL);
	for (i = 0; i < 2; i++)
		players[i] = test_start(plays, (void *)(i + 1));
	for (i = 0; i < 2; i++)
		test_join(players[i]);
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELEASE);
	test_join(storer);
	for (i = 0; i < 2; i++)
		hazptr_sync_shared_drop(&shelf[i]);
	settle();
	hazptr_thread_shared_set_max_age_ms(0);
	assert_int_equal(released, made);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		BOTH_KINDS(while_a_scan_promotes),
		BOTH_KINDS(while_a_drop_sync_promotes),
		BOTH_KINDS(while_the_ager_promotes),
		BOTH_KINDS(while_a_holder_drops),
		BOTH_KINDS(dropped_before_the_second_look),
		BOTH_KINDS(replaced_before_the_second_look),
		BOTH_KINDS(put_back_before_the_second_look),
		BOTH_KINDS(no_age_before_the_second_look),
		BOTH_KINDS(all_operations_at_once),
	};

	stops_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, nodes_teardown);
}
