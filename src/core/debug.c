/* SPDX-License-Identifier: MIT */
/*
 * core/debug.c - misuse that notes show
 *
 * What files with -DHAZPTR_DEBUG call, and what the rest of the core asks:
 * whose is this guard, was the object retired before, what is left at the end
 * of a thread. docs/design/debug.md says why a report is right.
 */
#include "debug.h"
#include "slot.h"

#include <string.h>

#define PLACE_MOST 100 /* the end of a long path says more */

uint32_t hazptr_debug_state_;
static uint32_t stall_ms;

/* Without a lock, as in a signal handler: whoever looks finds the same. */
uint32_t hazptr_debug_choose_(void)
{
	bool on = hazptr_debug_wanted_(false);
	uint32_t unknown = DEBUG_UNKNOWN, state = on ? DEBUG_ON : DEBUG_OFF;

	/* order FM2: before the state; pairs with FM1 */
	hazptr_store_(&stall_ms, hazptr_debug_stall_ms_(false), relaxed);
	/* order FM2: after the limit, and one thread's; pairs with FM1 */
	if (hazptr_cas_(&hazptr_debug_state_, &unknown, state, release,
			relaxed)) {
		hazptr_debug_wanted_(true);
		if (on)
			hazptr_debug_stall_ms_(true);
	}
	return state;
}

/* When it is on. 0: stalls are not reported. */
uint64_t hazptr_debug_stall_ns_(void)
{
	/* order FM1: after the state; pairs with FM2 */
	return (uint64_t)hazptr_load_(&stall_ms, relaxed) * NS_PER_MS;
}

static int thread_id(void)
{
	const struct hazptr_record_ *own = hazptr_self_.own;

	/* order ST1: its own; pairs with ST1 */
	return own ? hazptr_load_(&own->thread, relaxed) : hazptr_thread_id_();
}

/* Words */

static const char *end_of(const char *place)
{
	size_t n = strlen(place);

	return n > PLACE_MOST ? place + n - PLACE_MOST : place;
}

static void add_note(struct hazptr_text *t, const char *what,
		     const struct note *n)
{
	hazptr_text_add_(t, "%s at %s by thread %d %llu ms ago", what,
			 end_of(n->place), n->thread,
			 hazptr_ms_since_(n->since));
}

void hazptr_add_protection_(struct hazptr_text *t, uintptr_t key,
			    uintptr_t object)
{
	struct note n;

	if (hazptr_note_get_(&hazptr_notes_held_, key, &n) && n.value == object)
		add_note(t, ", protected", &n);
}

void hazptr_add_retirement_(struct hazptr_text *t, uintptr_t object)
{
	struct note n;

	if (hazptr_note_get_(&hazptr_notes_retired_, object, &n))
		add_note(t, "; retired", &n);
}

static void begin(struct hazptr_text *t, const char *call, uintptr_t object)
{
	t->n = 0;
	hazptr_text_add_(t, "hazptr: %s: %p: ", call, (void *)object);
}

/* Guards */

/* The guard whose own slot serves; NULL: it has one of a record. */
static struct hazptr_guard *embedding(uintptr_t slot)
{
	struct hazptr_guard *rest = hazptr_rest_of_(slot);

	return rest && (rest->held & OVERFLOWED) ? rest : NULL;
}

/* The slot itself, in the guard or in a record. */
static struct hazptr_slot *slot_of(uintptr_t slot)
{
	struct hazptr_guard *g = embedding(slot);

	if (g)
		return &g->own;
	if (slot & HAZPTR_ELSEWHERE_)
		slot = hazptr_rest_of_(slot)->held;
	return (struct hazptr_slot *)slot;
}

static struct hazptr_record_ *record_at(const struct hazptr_slot *s)
{
	struct chunk *c;

	/* order RG4: the chunk as it was linked; pairs with RG3 */
	for (c = &hazptr_chunks_; c; c = hazptr_load_(&c->next, acquire))
		if (s >= c->slots[0] && s < c->slots[CHUNK_RECORDS])
			return &c->records[(size_t)(s - c->slots[0]) /
					   HAZPTR_CONTEXT_SLOTS];
	return NULL;
}

/* Whose it is; NULL: anybody may release it. */
static const struct hazptr_record_ *owner_of(uintptr_t slot)
{
	const struct hazptr_guard *g = embedding(slot);
	const struct hazptr_slot *s = slot_of(slot);

	if (g)
		return g->held & DETACHED ? NULL : hazptr_overflow_record_(g);
	/* order ST2: a flag that its owner sets; pairs with ST2 */
	return hazptr_load_(&s->value, relaxed) & SLOT_DETACHED ? NULL
								: record_at(s);
}

static bool is_foreign(const struct hazptr_record_ *r)
{
	const struct hazptr_record_ *own = hazptr_self_.own, *user;

	if (!r || r == own || r == hazptr_self_.record ||
	    r == &hazptr_shared_record_)
		return false;
	/* order ST2: whose context it is; pairs with ST2 */
	user = hazptr_load_(&r->user, relaxed);
	return r->state != RECORD_CONTEXT || (user && user != own);
}

void hazptr_debug_check_owner_(uintptr_t slot, const char *call)
{
	const struct hazptr_record_ *r = owner_of(slot), *user;
	const struct hazptr_slot *s = slot_of(slot);
	struct hazptr_text t;
	uintptr_t object;

	if (!is_foreign(r))
		return;
	/* order ST2: for the message; pairs with ST2 */
	object = hazptr_load_(&s->value, relaxed) & ~SLOT_FLAGS;
	user = hazptr_load_(&r->user, relaxed);
	begin(&t, call, object);
	/* order ST1: for the message; pairs with ST1 */
	hazptr_text_add_(&t, "a guard of thread %d, used by thread %d",
			 hazptr_load_(user ? &user->thread : &r->thread,
				      relaxed),
			 thread_id());
	hazptr_add_protection_(&t, (uintptr_t)s, object);
	hazptr_text_say_(&t);
	hazptr_abort_();
}

/* `call` NULL: a slot of a context, which any thread may use. */
void hazptr_debug_drop_(uintptr_t slot, const char *call)
{
	if (slot && call)
		hazptr_debug_check_owner_(slot, call);
	if (slot && hazptr_notes_are_used_())
		hazptr_note_drop_(&hazptr_notes_held_,
				  (uintptr_t)slot_of(slot));
}

/* Of a record whose guards were dropped. */
void hazptr_debug_clear_(const struct hazptr_record_ *r)
{
	struct note n;
	size_t i;

	if (!hazptr_notes_are_used_())
		return;
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		/* order ST2: an empty one stays empty; pairs with ST2 */
		if (!(hazptr_load_(&r->slots[i].value, relaxed) & ~SLOT_FLAGS))
			hazptr_note_drop_(&hazptr_notes_held_,
					  (uintptr_t)&r->slots[i]);
	for (i = 0; hazptr_note_next_(&hazptr_notes_held_, &i, &n);)
		if (n.record == r)
			hazptr_note_drop_(&hazptr_notes_held_, n.key);
}

/* It is not left behind when its thread ends. */
void hazptr_debug_detached_(uintptr_t slot)
{
	struct note n;

	if (!hazptr_notes_are_used_() ||
	    !hazptr_note_get_(&hazptr_notes_held_, (uintptr_t)slot_of(slot),
			      &n))
		return;
	n.record = NULL;
	hazptr_note_put_(&hazptr_notes_held_, &n);
}

static bool take_note(const struct hazptr_guard *rest, struct note *n)
{
	uintptr_t key = (uintptr_t)&rest->own;

	if (!hazptr_note_get_(&hazptr_notes_held_, key, n))
		return false;
	hazptr_note_drop_(&hazptr_notes_held_, key);
	return true;
}

static void give_note(const struct hazptr_guard *rest, struct note *n)
{
	n->key = (uintptr_t)&rest->own;
	hazptr_note_put_(&hazptr_notes_held_, n);
}

/* Embedded slots have exchanged what they keep. */
void hazptr_debug_swapped_(const struct hazptr_guard *a,
			   const struct hazptr_guard *b)
{
	struct note note_a, note_b;
	bool has_a, has_b;

	if (!hazptr_notes_are_used_())
		return;
	has_a = take_note(a, &note_a);
	has_b = take_note(b, &note_b);
	if (has_a)
		give_note(b, &note_a);
	if (has_b)
		give_note(a, &note_b);
}

/* Objects */

/* Links in what is retired may lead to what is retired. */
static bool is_in_retired(uintptr_t address)
{
	struct note n;
	size_t i = 0;

	while (hazptr_note_next_(&hazptr_notes_retired_, &i, &n))
		if (address - n.key < n.value)
			return true;
	return false;
}

/* The guard holds already: the object is not reclaimed while we look. */
static bool is_published(const hazptr_word_ *src, uintptr_t word)
{
	/* order DB1: as it was left by who retired the object; DB1 */
	return hazptr_load_(src, relaxed) == word &&
	       !is_in_retired((uintptr_t)src);
}

static void check_retired(const hazptr_word_ *src, uintptr_t word,
			  uintptr_t object, const char *place)
{
	struct hazptr_text t;
	struct note n;

	if (!hazptr_note_get_(&hazptr_notes_retired_, object, &n) ||
	    (src && !is_published(src, word)) ||
	    !hazptr_note_tell_(&hazptr_notes_retired_, object))
		return;
	begin(&t, src ? "hazptr_protect" : "hazptr_hold", object);
	hazptr_text_add_(&t, "protected at %s by thread %d", end_of(place),
			 thread_id());
	add_note(&t, " after it was retired", &n);
	if (src)
		hazptr_text_add_(&t, ": it is still published, at %p",
				 (const void *)src);
	hazptr_text_say_(&t);
}

void hazptr_debug_protected_(uintptr_t slot, const hazptr_word_ *src,
			     uintptr_t word, uintptr_t tag_mask,
			     const char *place)
{
	struct note n = { .value = word & ~tag_mask, .place = place };
	const struct hazptr_guard *g = embedding(slot);

	if (!slot || !n.value)
		return;
	HAZPTR_TEST_POINT("debug:protected");
	n.key = (uintptr_t)slot_of(slot);
	n.since = hazptr_now_();
	n.thread = thread_id();
	if (g)
		n.record = hazptr_overflow_record_(g);
	hazptr_note_put_(&hazptr_notes_held_, &n);
	check_retired(src, word, n.value, place);
}

/* Found by a scan, or by the second retire(), which knows `again`. */
static _Noreturn void die_twice(uintptr_t object, const char *again)
{
	struct hazptr_text t;

	begin(&t, "hazptr_retire", object);
	hazptr_text_add_(&t, "retired twice");
	hazptr_add_retirement_(&t, object);
	if (again)
		hazptr_text_add_(&t, "; again at %s by thread %d",
				 end_of(again), thread_id());
	hazptr_text_say_(&t);
	hazptr_abort_();
}

_Noreturn void hazptr_die_twice_(const void *object)
{
	die_twice((uintptr_t)object, NULL);
}

void hazptr_debug_retire_(const void *object, size_t size, const char *place)
{
	struct note n = { .key = (uintptr_t)object,
			  .value = size,
			  .place = place };

	if (!n.key || (n.key & 3))
		return; /* retire() says it */
	if (hazptr_note_get_(&hazptr_notes_retired_, n.key,
			     &(struct note){ .key = 0 }))
		die_twice(n.key, place);
	n.since = hazptr_now_();
	n.thread = thread_id();
	hazptr_note_put_(&hazptr_notes_retired_, &n);
}

void hazptr_debug_retire_list_(const struct hazptr_head *first,
			       const struct hazptr_head *last,
			       const char *place)
{
	struct ring_check ring = { 0 };
	const struct hazptr_head *head;

	for (head = first; head; head = head->next) {
		hazptr_ring_check_(&ring, head);
		hazptr_debug_retire_(head->object, 0, place);
		if (head == last)
			return;
	}
}

/* Nobody holds them any more; before they are freed, or their functions run. */
void hazptr_debug_forget_(const struct hazptr_head *list)
{
	if (!hazptr_notes_are_used_())
		return;
	for (; list; list = list->next)
		if (list->object)
			hazptr_note_drop_(&hazptr_notes_retired_,
					  (uintptr_t)list->object &
						  ~(uintptr_t)3);
}

/* Ends of threads */

void hazptr_debug_left_(const struct hazptr_record_ *r, int i, uintptr_t object)
{
	uintptr_t key = (uintptr_t)&r->slots[i];
	struct hazptr_text t;

	begin(&t, "thread exit", object);
	/* order ST1: for the message; pairs with ST1 */
	hazptr_text_add_(&t,
			 "a guard of thread %d, slot %d, still holds it; its "
			 "protection is dropped",
			 hazptr_load_(&r->thread, relaxed), i);
	hazptr_add_protection_(&t, key, object);
	hazptr_text_say_(&t);
	hazptr_note_drop_(&hazptr_notes_held_, key);
}

static void left_noted(const struct note *n)
{
	struct hazptr_text t;

	begin(&t, "thread exit", n->value);
	hazptr_text_add_(&t, "a guard still holds it in its own slot; its "
			     "protection is dropped");
	add_note(&t, ", protected", n);
	hazptr_text_say_(&t);
	hazptr_note_drop_(&hazptr_notes_held_, n->key);
}

/* The guards may be gone with the stack: only notes know what they keep. */
void hazptr_debug_left_embedded_(const struct hazptr_record_ *r, uint32_t n)
{
	struct hazptr_text t;
	struct note note;
	size_t i = 0;

	while (n && hazptr_note_next_(&hazptr_notes_held_, &i, &note)) {
		if (note.record != r)
			continue;
		left_noted(&note);
		n--;
	}
	if (!n)
		return;
	begin(&t, "thread exit", (uintptr_t)r);
	/* order ST1: for the message; pairs with ST1 */
	hazptr_text_add_(&t,
			 "%u guards of thread %d are still held in their own "
			 "slots; their protection is dropped",
			 n, hazptr_load_(&r->thread, relaxed));
	hazptr_text_say_(&t);
}
