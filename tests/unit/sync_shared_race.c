/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/sync_shared_race.c - sync pointers, several threads
 *
 * Directed: a scan, or a drop_sync, is held between its look at the guards and
 * its change of the count, and a scene is played meanwhile. Then stress.
 */
#include "nodes.h"

/*
 * Scenes. A node stands in a sync pointer, somebody has found it there, and
 * its last reference is dropped. When the scan for that sits at a named point,
 * the node stands in a second sync pointer. What a scene has in its hands at
 * its end is what keeps the node.
 */

enum finder { BY_GUARD, BY_SLOT, BY_SLOT_COUNT_FIRST };

struct scene {
	struct box box;
	enum finder finder;
	struct hazptr_sync_shared first;
	struct hazptr_sync_shared second;
	struct hazptr_thread_shared ts;
	struct hazptr_shared sp;
	struct hazptr_weak weak;
	struct hazptr_guard guard;
	struct hazptr_shared_node *seen; /* under the guard */
};

static void nothing(struct scene *s)
{
	(void)s;
}

static void loaded(struct scene *s)
{
	s->sp = hazptr_sync_shared_load(&s->second);
}

static void loaded_and_dropped(struct scene *s)
{
	loaded(s);
	hazptr_shared_drop(&s->sp);
}

static void second_dropped(struct scene *s)
{
	hazptr_sync_shared_drop(&s->second);
}

static void loaded_second_dropped(struct scene *s)
{
	loaded(s);
	second_dropped(s);
}

static void all_dropped(struct scene *s)
{
	loaded(s);
	second_dropped(s);
	hazptr_shared_drop(&s->sp);
}

static void guarded(struct scene *s)
{
	s->seen = hazptr_protect(&s->guard, &s->second.node);
	must(s->seen == node_of(&s->box));
}

/*
 * The losing interleaving of the mailing list's second scheme: the count is
 * what it was, and the scan did not see the guard.
 */
static void guarded_second_dropped(struct scene *s)
{
	guarded(s);
	second_dropped(s);
}

/* As a load does. */
static void copy_under_guard(struct scene *s)
{
	s->sp.node = s->seen;
	s->sp = hazptr_shared_copy(s->sp);
	hazptr_release(&s->guard);
	s->seen = NULL;
}

static void copied_under_a_guard(struct scene *s)
{
	guarded_second_dropped(s);
	if (s->finder == BY_SLOT_COUNT_FIRST)
		return; /* it is dead, and a load would look again */
	copy_under_guard(s);
}

static void stored_in_the_first_again(struct scene *s)
{
	loaded_second_dropped(s);
	hazptr_sync_shared_store(&s->first, &s->sp);
}

/* There, it is found once more, under a guard, and dropped once more. */
static void stored_guarded_dropped(struct scene *s)
{
	stored_in_the_first_again(s);
	s->seen = hazptr_protect(&s->guard, &s->first.node);
	hazptr_sync_shared_drop(&s->first);
}

static void taken_out(struct scene *s)
{
	s->sp = hazptr_sync_shared_exchange(&s->second, &s->sp);
}

static void taken_out_and_dropped(struct scene *s)
{
	taken_out(s);
	hazptr_shared_drop(&s->sp);
}

static void locked_second_dropped(struct scene *s)
{
	s->sp = hazptr_weak_lock(s->weak);
	second_dropped(s);
}

/* At most the one that is retired is left, which is none. */
static void second_dropped_not_locked(struct scene *s)
{
	second_dropped(s);
	s->sp = hazptr_weak_lock(s->weak);
	must(hazptr_shared_is_null(s->sp));
}

static void held_in_a_slot(struct scene *s)
{
	hazptr_thread_shared_load(&s->ts, &s->second);
}

static void held_in_a_slot_second_dropped(struct scene *s)
{
	held_in_a_slot(s);
	second_dropped(s);
}

static void counted_from_a_slot(struct scene *s)
{
	held_in_a_slot_second_dropped(s);
	s->sp = hazptr_thread_shared_to_shared(&s->ts);
	hazptr_thread_shared_drop(&s->ts);
}

struct act {
	const char *name;
	void (*play)(struct scene *s);
};

static const struct act acts[] = {
	{ "nothing", nothing },
	{ "loaded", loaded },
	{ "loaded, dropped", loaded_and_dropped },
	{ "second dropped", second_dropped },
	{ "loaded, second dropped", loaded_second_dropped },
	{ "all dropped", all_dropped },
	{ "guarded", guarded },
	{ "guarded, second dropped", guarded_second_dropped },
	{ "copied under a guard", copied_under_a_guard },
	{ "stored in the first again", stored_in_the_first_again },
	{ "stored, guarded, dropped", stored_guarded_dropped },
	{ "taken out", taken_out },
	{ "taken out, dropped", taken_out_and_dropped },
	{ "locked, second dropped", locked_second_dropped },
	{ "second dropped, not locked", second_dropped_not_locked },
	{ "held in a slot", held_in_a_slot },
	{ "held in a slot, second dropped", held_in_a_slot_second_dropped },
	{ "counted from a slot", counted_from_a_slot },
};

static bool is_held(const struct scene *s)
{
	return s->seen || s->sp.node || s->first.node || s->second.node ||
	       s->ts.node;
}

static void let_all_go(struct scene *s)
{
	hazptr_weak_drop(&s->weak);
	hazptr_release(&s->guard);
	s->seen = NULL;
	hazptr_thread_shared_drop(&s->ts);
	hazptr_shared_drop(&s->sp);
	hazptr_sync_shared_drop(&s->first);
	hazptr_sync_shared_drop(&s->second);
}

/* The node stands in the first, and somebody has found it there. */
static void scene_begin(struct scene *s, void **state)
{
	struct hazptr_shared sp;

	settle();
	memset(s, 0, sizeof(*s));
	s->finder = (enum finder)(uintptr_t)*state;
	sp = s->finder == BY_SLOT_COUNT_FIRST ? box_new_count_first(&s->box)
					      : box_new(&s->box);
	s->weak = hazptr_weak_create(sp);
	hazptr_sync_shared_store(&s->first, &sp);
	if (s->finder == BY_GUARD)
		s->seen = hazptr_protect(&s->guard, &s->first.node);
	else
		hazptr_thread_shared_load(&s->ts, &s->first);
}

/* It has been dropped there: they put it into the second. */
static void republish(struct scene *s)
{
	if (s->finder == BY_GUARD) {
		copy_under_guard(s);
	} else {
		s->sp = hazptr_thread_shared_to_shared(&s->ts);
		hazptr_thread_shared_drop(&s->ts);
	}
	hazptr_sync_shared_store(&s->second, &s->sp);
}

static void check(const struct act *act, bool so)
{
	if (!so)
		fail_msg("after: %s", act->name);
}

#define BY_ALL_FINDERS(f)                                             \
	{ #f ", by a guard", f, NULL, NULL, (void *)BY_GUARD },       \
		{ #f ", by a slot", f, NULL, NULL, (void *)BY_SLOT }, \
	{                                                             \
#f ", by a slot, count first", f, NULL, NULL,         \
			(void *)BY_SLOT_COUNT_FIRST                   \
	}

static void play_in_a_scan(const struct act *act, void **state)
{
	struct scene s;
	struct hand scans;

	scene_begin(&s, state);
	hand_start(&scans);
	stop_arm(&stops[0], "judge:counts");
	hazptr_sync_shared_drop(&s.first);
	republish(&s);
	hand_begin(&scans, does_flush, NULL);
	stop_wait(&stops[0]);
	act->play(&s);
	stop_go(&stops[0]);
	hand_end(&scans);
	hazptr_flush(NULL);
	hazptr_flush(NULL);
	if (is_held(&s))
		check(act, box_gone(&s.box) == 0);
	let_all_go(&s);
	settle();
	check(act, box_gone(&s.box) == 1);
	hand_stop(&scans);
}

static void while_a_scan_decides(void **state)
{
	size_t i;

	for (i = 0; i < TEST_COUNT(acts); i++)
		play_in_a_scan(&acts[i], state);
}

/*
 * It waits for the guard from the beginning, and looks at the count again. Is
 * it late, then it finds that there are others, and does not come to the point.
 */
static void play_in_a_drop_sync(const struct act *act, void **state)
{
	struct hand drops;
	struct scene s;
	bool is_busy;

	scene_begin(&s, state);
	hand_start(&drops);
	stop_arm(&stops[0], "drop_sync:scanned");
	hand_begin(&drops, does_sync_drop_sync, &s.first);
	while (__atomic_load_n(&s.first.node, __ATOMIC_ACQUIRE))
		sched_yield();
	if (s.finder == BY_GUARD) {
		test_sleep_ms(2);
		republish(&s);
	}
	is_busy = stop_wait_or_end(&stops[0], &drops);
	if (s.finder != BY_GUARD)
		republish(&s);
	act->play(&s);
	if (is_busy)
		stop_go(&stops[0]);
	if (is_busy && !s.seen) /* else it may wait for the guard, rightly */
		hand_end(&drops);
	hazptr_flush(NULL);
	if (is_held(&s))
		check(act, box_gone(&s.box) == 0);
	if (is_busy && s.seen) {
		hazptr_release(&s.guard);
		s.seen = NULL;
		hand_end(&drops);
	}
	let_all_go(&s);
	settle();
	check(act, box_gone(&s.box) == 1);
	hand_stop(&drops);
}

static void while_a_drop_sync_decides(void **state)
{
	size_t i;

	for (i = 0; i < TEST_COUNT(acts); i++)
		play_in_a_drop_sync(&acts[i], state);
}

/*
 * While a scan is between two of its steps, who has found the node takes a
 * reference, and lets go of what it had.
 */
static void copied_between_steps_of_a_scan(void **state)
{
	static const char *const points[] = { "scan:collected", "scan:fenced",
					      "judge:counts" };
	struct scene s;
	struct hand scans;
	size_t i;

	for (i = 0; i < TEST_COUNT(points); i++) {
		scene_begin(&s, state);
		hand_start(&scans);
		hazptr_sync_shared_drop(&s.first);
		stop_arm(&stops[0], points[i]);
		hand_begin(&scans, does_flush, NULL);
		stop_wait(&stops[0]);
		republish(&s);
		stop_go(&stops[0]);
		hand_end(&scans);
		hand_stop(&scans);
		hazptr_weak_drop(&s.weak);
		settle();
		assert_int_equal(box_gone(&s.box), 0);
		assert_int_equal(box_references(&s.box), 1);
		hazptr_sync_shared_drop(&s.second);
		assert_released(&s.box);
	}
}

/*
 * Two deleters: one has dropped the last reference, and is held before it puts
 * the node into a list; the node is found, and dropped by another.
 */

static void two_deleters(void (*second_drops)(void *), void **state)
{
	struct hand drops, also_drops;
	struct scene s;

	scene_begin(&s, state);
	hazptr_weak_drop(&s.weak);
	hand_start(&drops);
	hand_start(&also_drops);
	stop_arm(&stops[0], "shared:put");
	hand_begin(&drops, does_sync_drop, &s.first);
	stop_wait(&stops[0]);
	republish(&s);
	hand_do(&also_drops, second_drops, &s.second);
	hazptr_flush(NULL);
	hazptr_flush(NULL);
	assert_int_equal(box_gone(&s.box), 0); /* the first is at it */
	stop_go(&stops[0]);
	hand_end(&drops);
	settle();
	assert_int_equal(box_gone(&s.box), 1);
	hand_stop(&drops);
	hand_stop(&also_drops);
}

static void two_deleters_drop(void **state)
{
	two_deleters(does_sync_drop, state);
}

static void two_deleters_one_sync(void **state)
{
	two_deleters(does_sync_drop_sync, state);
}

/* Whoever found the node before the second drop is seen by a later scan. */
static void two_deleters_and_a_guard(void **state)
{
	struct hand drops;
	struct scene s;

	scene_begin(&s, state);
	hazptr_weak_drop(&s.weak);
	hand_start(&drops);
	stop_arm(&stops[0], "shared:put");
	hand_begin(&drops, does_sync_drop, &s.first);
	stop_wait(&stops[0]);
	republish(&s);
	guarded_second_dropped(&s);
	stop_go(&stops[0]);
	hand_end(&drops);
	assert_alive(&s.box);
	let_all_go(&s);
	settle();
	assert_int_equal(box_gone(&s.box), 1);
	hand_stop(&drops);
}

/* The same node in many places, dropped by four threads at once. */

#define PLACES 400

static struct hazptr_sync_shared places[PLACES];

static void *drops_a_quarter(void *arg)
{
	size_t i;

	for (i = (size_t)(uintptr_t)arg; i < PLACES; i += 4) {
		if (i % 16 == 0)
			hazptr_sync_shared_drop_sync(&places[i]);
		else
			hazptr_sync_shared_drop(&places[i]);
	}
	return NULL;
}

static void many_deleters(void **state)
{
	struct hazptr_shared sp;
	pthread_t threads[4];
	struct box box;
	size_t i;
	int turn;

	for (turn = 0; turn < TEST_MANY(200); turn++) {
		sp = box_of_kind(&box, state);
		for (i = 0; i < PLACES; i++)
			hazptr_sync_shared_store_copy(&places[i], sp);
		hazptr_shared_drop(&sp);
		for (i = 0; i < 4; i++)
			threads[i] = test_start(drops_a_quarter,
						(void *)(uintptr_t)i);
		for (i = 0; i < 4; i++)
			test_join(threads[i]);
		settle();
		assert_int_equal(box_gone(&box), 1);
	}
}

/* Stress: all operations at once; what was released is poisoned. */

#define GOOD 0x600dL
#define BAD 0x0badL

struct thing {
	long magic;
	struct hazptr_weak_node weak;
	struct hazptr_shared next;
	int expired;
};

static struct hazptr_sync_shared shelf[3];
static long made, released;
static bool count_first;

static struct thing *thing_of(struct hazptr_shared_node *node)
{
	return (struct thing *)(void *)((char *)node -
					offsetof(struct thing, weak));
}

static void thing_expire(struct hazptr_shared_node *node)
{
	must(thing_of(node)->magic == GOOD);
	must(thing_of(node)->expired++ == 0);
	hazptr_shared_drop(&thing_of(node)->next);
}

static void thing_release(struct hazptr_shared_node *node)
{
	struct thing *t = thing_of(node);

	must(t->magic == GOOD);
	t->magic = BAD;
	hazptr_shared_drop(&t->next);
	__atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
	free(t);
}

static struct hazptr_shared thing_new(bool expires)
{
	struct thing *t = (struct thing *)calloc(1, sizeof(*t));

	must(t != NULL);
	t->magic = GOOD;
	__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
	if (expires)
		return hazptr_shared_create_weak(&t->weak, thing_expire,
						 thing_release);
	if (count_first)
		return hazptr_shared_create_count_first(&t->weak.node,
							thing_release);
	return hazptr_shared_create(&t->weak.node, thing_release);
}

static void check_good(struct hazptr_shared sp)
{
	must(!sp.node || thing_of(sp.node)->magic == GOOD);
	must(!sp.node || !thing_of(sp.node)->expired);
}

struct player {
	struct hazptr_shared own[3];
	struct hazptr_weak weak;
	unsigned seed;
};

static void replace(struct hazptr_shared *own, struct hazptr_shared sp)
{
	check_good(sp);
	hazptr_shared_drop(own);
	*own = sp;
}

static void store_or_take(struct player *p, struct hazptr_shared *own,
			  struct hazptr_sync_shared *place)
{
	struct hazptr_shared expected;

	switch (test_random(&p->seed) % 7) {
	case 0:
		hazptr_sync_shared_store(place, own);
		break;
	case 1:
		hazptr_sync_shared_store_copy(place, *own);
		break;
	case 2:
		*own = hazptr_sync_shared_exchange(place, own);
		break;
	case 3:
		expected = hazptr_sync_shared_load(place);
		hazptr_sync_shared_compare_exchange(place, expected, own);
		check_good(expected);
		hazptr_shared_drop(&expected);
		break;
	case 4:
		hazptr_sync_shared_drop(place);
		break;
	case 5:
		if (test_random(&p->seed) % 16 == 0)
			hazptr_sync_shared_drop_sync(place);
		break;
	default:
		if (test_random(&p->seed) % 16 == 0)
			hazptr_shared_drop_sync(own);
	}
}

static void look_at(struct hazptr_sync_shared *place)
{
	struct hazptr_shared_node *node;
	HAZPTR_GUARD(g);

	node = hazptr_protect(&g, &place->node);
	must(!node || thing_of(node)->magic == GOOD);
}

static void link_a_new_one(struct player *p, struct hazptr_shared *own)
{
	struct hazptr_shared sp = thing_new(test_random(&p->seed) % 4 == 0);

	if (test_random(&p->seed) % 4 == 0) {
		thing_of(sp.node)->next = *own;
		own->node = NULL;
	}
	replace(own, sp);
}

static void play(struct player *p)
{
	struct hazptr_shared *own = &p->own[test_random(&p->seed) % 3];
	struct hazptr_sync_shared *place = &shelf[test_random(&p->seed) % 3];

	switch (test_random(&p->seed) % 8) {
	case 0:
		link_a_new_one(p, own);
		break;
	case 1:
	case 2:
		replace(own, hazptr_sync_shared_load(place));
		break;
	case 3:
		replace(own,
			hazptr_shared_copy(p->own[test_random(&p->seed) % 3]));
		break;
	case 4:
		look_at(place);
		break;
	case 5:
		hazptr_weak_drop(&p->weak);
		p->weak = hazptr_weak_create(*own);
		break;
	case 6:
		replace(own, hazptr_weak_lock(p->weak));
		break;
	default:
		store_or_take(p, own, place);
	}
	check_good(*own);
}

static void *plays(void *arg)
{
	struct player p;
	int i;

	memset(&p, 0, sizeof(p));
	p.seed = (unsigned)(uintptr_t)arg;
	for (i = 0; i < TEST_MANY(1000000); i++)
		play(&p);
	for (i = 0; i < 3; i++)
		hazptr_shared_drop(&p.own[i]);
	hazptr_weak_drop(&p.weak);
	return NULL;
}

static void all_operations_at_once(void **state)
{
	pthread_t threads[3];
	uintptr_t i;

	made = released = 0;
	count_first = *state != NULL;
	for (i = 0; i < 3; i++)
		threads[i] = test_start(plays, (void *)(i + 1));
	for (i = 0; i < 3; i++)
		test_join(threads[i]);
	for (i = 0; i < 3; i++)
		hazptr_sync_shared_drop(&shelf[i]);
	settle();
	assert_int_equal(released, made);
}

/* No slot is promoted by age: the last drop in a scene is the last. */
static int group_setup(void **state)
{
	(void)state;
	hazptr_thread_shared_set_max_age_ms(0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		BY_ALL_FINDERS(while_a_scan_decides),
		BY_ALL_FINDERS(while_a_drop_sync_decides),
		BY_ALL_FINDERS(copied_between_steps_of_a_scan),
		BY_ALL_FINDERS(two_deleters_drop),
		BY_ALL_FINDERS(two_deleters_one_sync),
		BY_ALL_FINDERS(two_deleters_and_a_guard),
		BOTH_KINDS(many_deleters),
		BOTH_KINDS(all_operations_at_once),
	};

	stops_init();
	test_main(argc, argv, NULL, 0);
	return cmocka_run_group_tests(tests, group_setup, nodes_teardown);
}
