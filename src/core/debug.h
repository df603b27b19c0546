/* SPDX-License-Identifier: MIT */
/*
 * core/debug.h - what the library knows of who holds what
 *
 *	notes.c		what files with -DHAZPTR_DEBUG say: two tables
 *	debug.c		their calls, misuse that those show, ends of threads
 *	holder.c	all that is held, as the slots say, and in words
 *	stall.c		readers that keep a retired object for too long
 *	dump.c		hazptr_domain_dump()
 *
 * See docs/design/debug.md. None of it is on the way of a program that does
 * not ask for it, but for a load where a batch is freed or a scan has ended.
 */
#ifndef HAZPTR_CORE_DEBUG_H
#define HAZPTR_CORE_DEBUG_H

#include "core.h"

#define NS_PER_MS 1000000u

/* What is known of a slot in use, or of a retired object. */
struct note {
	uintptr_t key;	   /* the slot's address; or the object */
	uintptr_t value;   /* what the slot keeps; or the object's size */
	const char *place; /* of the protect; or of the retire */
	uint64_t since;
	const struct hazptr_record_ *record; /* of an embedded slot */
	int thread;
};

/* notes.c */
struct notes;
extern struct notes hazptr_notes_held_;
extern struct notes hazptr_notes_retired_;
extern uint32_t hazptr_notes_used_;
static inline bool hazptr_notes_are_used_(void)
{
	/* order DB3: notes of what this thread has got; pairs with DB3 */
	return hazptr_unlikely_(hazptr_load_(&hazptr_notes_used_, relaxed));
}
void hazptr_note_put_(struct notes *t, const struct note *note);
void hazptr_note_drop_(struct notes *t, uintptr_t key);
bool hazptr_note_get_(struct notes *t, uintptr_t key, struct note *note);
/* True for the first who asks. */
bool hazptr_note_tell_(struct notes *t, uintptr_t key);
/* The first note from entry *i on, which becomes the next. */
bool hazptr_note_next_(struct notes *t, size_t *i, struct note *note);
void hazptr_notes_after_fork_(void);

/* debug.c */
extern uint32_t hazptr_debug_state_;
enum { DEBUG_UNKNOWN, DEBUG_OFF, DEBUG_ON };
uint32_t hazptr_debug_choose_(void);
static inline bool hazptr_debug_is_on_(void)
{
	/* order FM1: the limit that was set before; pairs with FM2 */
	uint32_t state = hazptr_load_(&hazptr_debug_state_, acquire);

	if (hazptr_unlikely_(state == DEBUG_UNKNOWN))
		state = hazptr_debug_choose_();
	return hazptr_unlikely_(state == DEBUG_ON);
}
uint64_t hazptr_debug_stall_ns_(void);
static inline unsigned long long hazptr_ms_since_(uint64_t then)
{
	uint64_t now = hazptr_now_();

	return now > then ? (now - then) / NS_PER_MS : 0;
}
void hazptr_debug_check_owner_(uintptr_t slot, const char *call);
void hazptr_debug_detached_(uintptr_t slot);
void hazptr_debug_clear_(const struct hazptr_record_ *r);
void hazptr_debug_swapped_(const struct hazptr_guard *a,
			   const struct hazptr_guard *b);
/* A thread ends, and a guard keeps the object in slot i of its record. */
void hazptr_debug_left_(const struct hazptr_record_ *r, int i,
			uintptr_t object);
/* ... and n guards keep objects in their embedded slots. */
void hazptr_debug_left_embedded_(const struct hazptr_record_ *r, uint32_t n);
void hazptr_debug_forget_(const struct hazptr_head *list);
_Noreturn void hazptr_die_twice_(const void *object);

/* What is known of the slot, or of the retirement, is added to the text. */
void hazptr_add_protection_(struct hazptr_text *t, uintptr_t key,
			    uintptr_t object);
void hazptr_add_retirement_(struct hazptr_text *t, uintptr_t object);

/* holder.c */
struct holder {
	uintptr_t object;
	uintptr_t key;
	int slot; /* -1: embedded */
	bool detached;
};
/* How many slots of the record hold the object, 0: any; the first `most`. */
size_t hazptr_holders_(struct hazptr_record_ *r, uintptr_t object,
		       struct holder *holders, size_t most);
void hazptr_add_holder_(struct hazptr_text *t, const struct hazptr_record_ *r,
			const struct holder *h);
/* All records, and the one of threads that have none. */
struct hazptr_record_ *hazptr_owner_first_(struct record_iterator *it);
struct hazptr_record_ *hazptr_owner_next_(struct record_iterator *it,
					  const struct hazptr_record_ *r);

/* stall.c */
struct stall {
	uint64_t since; /* 0: the wait begins */
	bool told;
};
void hazptr_debug_scanned_(struct hazptr_domain *const *d, size_t n);
/* `call` waits for the record's guards to drop one of the objects. */
void hazptr_debug_waits_(struct stall *s, struct hazptr_record_ *r,
			 const void *const *objects, size_t n,
			 const char *call);
/* For how long, in ns, the object is known to wait in the domain, whose scan
 * lock the caller has; 0: unknown. */
uint64_t hazptr_debug_waited_(const struct hazptr_domain *d, uintptr_t object);

#endif /* HAZPTR_CORE_DEBUG_H */
