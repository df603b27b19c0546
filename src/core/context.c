/* SPDX-License-Identifier: MIT */
/* core/context.c - explicit contexts and single slots */
#include "debug.h"
#include "slot.h"

#include <errno.h>

int hazptr_context_init(struct hazptr_context *c)
{
	/* The thread's hooks (fork among them) come with its registration. */
	if (!hazptr_own_record_())
		return -ENOMEM;
	c->record = hazptr_record_take_(RECORD_CONTEXT);
	return c->record ? 0 : -ENOMEM;
}

void hazptr_context_cleanup(struct hazptr_context *c)
{
	struct hazptr_record_ *r = c->record;
	int i;

	if (!r)
		hazptr_die_("hazptr_context_cleanup", c, "not initialised");
	/* order CX1: the last user's accesses; pairs with CX2 */
	if (hazptr_load_(&r->user, acquire))
		hazptr_die_("hazptr_context_cleanup", c, "a thread uses it");
	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++)
		slot_clear_to(&r->slots[i], 0);
	hazptr_overflow_drop_(r);
	hazptr_debug_clear_(r);
	hazptr_record_give_back_(r);
	c->record = NULL;
}

struct hazptr_context *hazptr_context_switch(struct hazptr_context *c)
{
	struct hazptr_record_ *own = hazptr_own_record_();
	struct hazptr_context *before;
	struct hazptr_record_ *nobody = NULL;

	if (!own)
		hazptr_die_("hazptr_context_switch", c,
			    "the thread is ending, or there is no memory");
	before = own->context;
	if (c == before)
		return before;
	if (c) {
		/* order CX1: the last user's accesses; pairs with CX2 */
		if (!hazptr_cas_(&c->record->user, &nobody, own, acquire,
				 relaxed))
			hazptr_die_("hazptr_context_switch", c,
				    "another thread uses it");
	}
	hazptr_self_use_(c ? c->record : own);
	own->context = c;
	if (before) /* order CX2: this thread's accesses; pairs with CX1 */
		hazptr_store_(&before->record->user, NULL, release);
	return before;
}

static bool is_slot_of(const struct hazptr_record_ *r,
		       const struct hazptr_slot *s)
{
	int i;

	for (i = 0; r && i < HAZPTR_CONTEXT_SLOTS; i++)
		if (s == &r->slots[i])
			return true;
	return false;
}

static struct hazptr_record_ *record_of(struct hazptr_context *c)
{
	return c ? c->record : hazptr_own_record_();
}

struct hazptr_slot *hazptr_slot_alloc(struct hazptr_context *c)
{
	struct hazptr_record_ *r = record_of(c);
	int i;

	for (i = 0; r && i < HAZPTR_CONTEXT_SLOTS; i++) {
		if (!slot_is_free(&r->slots[i]))
			continue;
		slot_publish(&r->slots[i], HAZPTR_SLOT_IDLE_);
		return &r->slots[i];
	}
	return NULL;
}

void hazptr_slot_free(struct hazptr_context *c, struct hazptr_slot *s)
{
	if (!s)
		return;
	if (!is_slot_of(record_of(c), s))
		hazptr_die_("hazptr_slot_free", s, "not a slot of the context");
	if (slot_is_free(s))
		hazptr_die_("hazptr_slot_free", s, "free already");
	hazptr_debug_drop_((uintptr_t)s, NULL);
	slot_clear_to(s, 0);
}

void hazptr_slot_clear_slow_(struct hazptr_slot *s)
{
	slot_clear_to(s, HAZPTR_SLOT_IDLE_);
}

uintptr_t hazptr_slot_protect_slow_(struct hazptr_slot *s,
				    const hazptr_word_ *src)
{
	uintptr_t word = hazptr_load_(src, relaxed); /* order HP5: HP4 */
	uintptr_t seen;

	do {
		seen = word;
		if (!word)
			break;
		slot_publish(s, word);
		word = slot_look_again(src);
	} while (word != seen);
	if (!word)
		hazptr_slot_clear_slow_(s);
	return word;
}

uintptr_t hazptr_slot_try_protect_slow_(struct hazptr_slot *s,
					const hazptr_word_ *src)
{
	uintptr_t word = hazptr_load_(src, relaxed); /* order HP5: HP4 */

	if (word) {
		slot_publish(s, word);
		if (slot_look_again(src) == word)
			return word;
	}
	hazptr_slot_clear_slow_(s);
	return 0;
}
