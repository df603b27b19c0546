/* SPDX-License-Identifier: MIT */
/* core/holder.c - what the slots hold, and whose they are, in words */
#include "debug.h"
#include "slot.h"

struct search {
	uintptr_t object; /* 0: any */
	struct holder *holders;
	size_t most;
	size_t n;
};

static void found(struct search *s, const struct holder *h)
{
	if (!h->object || (s->object && h->object != s->object))
		return;
	if (s->n < s->most)
		s->holders[s->n] = *h;
	s->n++;
}

static void look_at_slot(struct search *s, struct hazptr_slot *slot, int i)
{
	/* order HP8: as a scan does, but it frees nothing; HP6, HP2 */
	uintptr_t value = hazptr_load_(&slot->value, acquire);
	struct holder h = { .object = value & ~SLOT_FLAGS,
			    .key = (uintptr_t)slot,
			    .slot = i,
			    .detached = value & SLOT_DETACHED };

	found(s, &h);
}

/* With the list's lock: who is in it cannot vanish. */
static void look_at_embedded(struct hazptr_guard *g, void *search)
{
	struct holder h = { .key = (uintptr_t)&g->own,
			    .slot = -1,
			    .detached = g->held & DETACHED };

	/* order HP8: as a scan does, but it frees nothing; HP6, HP2 */
	h.object = hazptr_load_(&g->own.value, acquire);
	found(search, &h);
}

size_t hazptr_holders_(struct hazptr_record_ *r, uintptr_t object,
		       struct holder *holders, size_t most)
{
	struct search s = { object, holders, most, 0 };
	int i;

	for (i = 0; r->slots && i < HAZPTR_CONTEXT_SLOTS; i++)
		look_at_slot(&s, &r->slots[i], i);
	hazptr_overflow_visit_(r, look_at_embedded, &s);
	return s.n;
}

struct hazptr_record_ *hazptr_owner_first_(struct record_iterator *it)
{
	struct hazptr_record_ *r = hazptr_record_first_(it);

	return r ? r : &hazptr_shared_record_;
}

struct hazptr_record_ *hazptr_owner_next_(struct record_iterator *it,
					  const struct hazptr_record_ *r)
{
	if (r == &hazptr_shared_record_)
		return NULL;
	r = hazptr_record_next_(it);
	return r ? (struct hazptr_record_ *)r : &hazptr_shared_record_;
}

static void add_owner(struct hazptr_text *t, const struct hazptr_record_ *r)
{
	const struct hazptr_record_ *user;
	enum record_state state;
	int thread;

	if (r == &hazptr_shared_record_) {
		hazptr_text_add_(t, "a thread without a record");
		return;
	}
	hazptr_registry_lock_();
	state = r->state;
	hazptr_registry_unlock_();
	/* order ST1: facts for a report; pairs with ST1 */
	user = hazptr_load_(&r->user, relaxed);
	thread = hazptr_load_(user ? &user->thread : &r->thread, relaxed);
	if (state == RECORD_THREAD)
		hazptr_text_add_(t, "thread %d", thread);
	else if (state != RECORD_CONTEXT)
		hazptr_text_add_(t, "thread %d, which has ended", thread);
	else if (user)
		hazptr_text_add_(t, "a context that thread %d uses", thread);
	else
		hazptr_text_add_(t, "a context that no thread uses");
}

void hazptr_add_holder_(struct hazptr_text *t, const struct hazptr_record_ *r,
			const struct holder *h)
{
	hazptr_text_add_(t, "held by ");
	add_owner(t, r);
	if (h->slot < 0)
		hazptr_text_add_(t, ", in the guard's own slot");
	else
		hazptr_text_add_(t, ", slot %d", h->slot);
	if (h->detached)
		hazptr_text_add_(t, ", detached");
	hazptr_add_protection_(t, h->key, h->object);
}
