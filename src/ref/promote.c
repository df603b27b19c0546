/* SPDX-License-Identifier: MIT */
/*
 * ref/promote.c - turn thread-shared pointers into counted references
 *
 * A slot that holds a node stands for a reference to it. Who wants the node
 * gone gives the holder a counted one instead:
 *
 *	holder drops				promoter, with the lock
 *	node = 0	      TS5		request = asked	      TS8
 *	light fence	      TS6		heavy fence
 *	request? then by CAS  TS9		node still there?     TS7
 *						count + 1
 *						asked -> promoted by CAS
 *
 * At least one of the two sees the other. When both do, the CAS on the request
 * decides: the holder's makes the promoter take its count back, the promoter's
 * makes the holder drop a count. Increment first: promoted before it is
 * counted, a holder would drop what is not there yet. The fence is paid only
 * when a slot matched, once for all that did. models/spin/promote.pml.
 *
 * A request names the holder, because a slot is another thread's as soon as
 * its node is 0: a holder that reads a request for somebody else ignores it.
 * A promoted slot would be the holder's until it drops; so its place gets a
 * spare slot, and the old one comes back later (slots.c).
 *
 * The promoter of a scan has a reference of its own, the retired one. The ager
 * has none: it holds the lock that every release of a visible node needs, and
 * takes only slots whose holder had looked at its source again (TS10).
 */
#include "refs.h"

#include <stdio.h>

#define BATCH 64
#define NS_PER_MS 1000000u

struct match {
	struct hazptr_ref_slot_ *slot;
	struct hazptr_ref_slot_ **place;
	uintptr_t node;
	uintptr_t holder;
	bool asked;
};

/* With the lock; static, as it is too large for some stacks. */
static struct batch {
	struct match matches[BATCH];
	size_t n;
	uint64_t filter; /* a bit for each node in it */
	/* References that the ager took for nothing: perhaps the last ones. */
	struct hazptr_shared_node *owed[BATCH];
	size_t n_owed;
} batch;

static struct {
	uint32_t max_age_ms;
	uint32_t dormant; /* nothing was held; takers of slots wake it */
	bool marked;	  /* free slots say so */
	uint64_t last;	  /* pass */
} ager = { 10, 1, false, 0 };

static uint64_t bit_of(uintptr_t node)
{
	return (uint64_t)1 << ((node >> 4) & 63);
}

static bool is_about(uintptr_t request, uintptr_t holder)
{
	return (request & ~REQUEST_MASK) == holder;
}

static bool is_counted(uintptr_t request)
{
	request &= REQUEST_MASK;
	return request == PROMOTED || request == MOVED || request == LEFT;
}

/* What the slot holds, unless it is counted already; 0: nothing. */
static uintptr_t held(const struct hazptr_ref_slot_ *slot, uintptr_t *holder,
		      uintptr_t *request)
{
	/* order TS7: before the request is looked at; pairs with TS5, TS10 */
	uintptr_t node = hazptr_load_(&slot->node, acquire);

	/* order TS7: as old as the node, or younger; pairs with TS1 */
	*holder = hazptr_load_(&slot->holder, relaxed);
	/* order TS8: the promoters' own, under their lock; pairs with TS9 */
	*request = hazptr_load_(&slot->request, relaxed);
	return is_counted(*request) ? 0 : node;
}

static struct match *add(struct hazptr_ref_slot_ *slot,
			 struct hazptr_ref_slot_ **place, uintptr_t node,
			 uintptr_t holder)
{
	struct match *m = &batch.matches[batch.n++];

	m->slot = slot;
	m->place = place;
	m->node = node & ~HAZPTR_TENTATIVE_;
	m->holder = holder;
	m->asked = false;
	batch.filter |= bit_of(m->node);
	return m;
}

/* A late holder, or a taker that removes a mark, may change it meanwhile. */
static void ask(struct match *m)
{
	/* order TS8: a guess that the exchange checks; pairs with TS9 */
	uintptr_t request = hazptr_load_(&m->slot->request, relaxed);

	while (!m->asked && !is_counted(request))
		/* order TS8: before the fence; pairs with TS6 */
		m->asked = hazptr_cas_(&m->slot->request, &request,
				       m->holder | ASKED, relaxed, relaxed);
}

/* Only whom the ager has met before: the mark is still there. */
static void ask_aged(struct match *m)
{
	uintptr_t request = m->holder | AGED;

	/* order TS8: before the fence; pairs with TS6 */
	m->asked = hazptr_cas_(&m->slot->request, &request, m->holder | ASKED,
			       relaxed, relaxed);
}

/* Nothing was promoted: as it was. A holder may have done that itself. */
static void take_back(struct match *m)
{
	uintptr_t request = m->holder | ASKED;

	/* order TS8: the slot can be taken again; pairs with TS1 */
	hazptr_cas_(&m->slot->request, &request, 0, acq_rel, acquire);
}

static bool try_promote(struct match *m, bool has_reference)
{
	struct hazptr_shared_node *node = (struct hazptr_shared_node *)m->node;
	struct hazptr_ref_slot_ *spare = NULL;
	uintptr_t request = m->holder | ASKED;

	if (!has_reference && batch.n_owed == BATCH)
		return false;
	if (m->place)
		spare = hazptr_ref_slot_spare_();
	hazptr_node_hold_(node);
	HAZPTR_TEST_POINT("promote:counted");
	/* order TS8: the count before; the holder's uses; pairs with TS9 */
	if (!hazptr_cas_(&m->slot->request, &request,
			 m->holder | (spare ? MOVED : PROMOTED), acq_rel,
			 acquire)) {
		if (has_reference)
			hazptr_node_unhold_(node);
		else
			batch.owed[batch.n_owed++] = node;
		if (spare)
			hazptr_ref_slot_keep_(spare);
		return false;
	}
	if (spare)
		/* order TS12: a free slot; pairs with TS1 */
		hazptr_store_(m->place, spare, release);
	return true;
}

static bool still_holds(const struct match *m, bool has_reference)
{
	/* order TS7: after the fence; pairs with TS5, TS10 */
	uintptr_t node = hazptr_load_(&m->slot->node, acquire);

	/* order TS7: as old as the node, or younger; pairs with TS1 */
	if (hazptr_load_(&m->slot->holder, relaxed) != m->holder)
		return false;
	if (has_reference)
		return (node & ~HAZPTR_TENTATIVE_) == m->node;
	return node == m->node; /* and not tentative */
}

static void fence(void)
{
	struct hazptr_ref_slot_ *returned = hazptr_ref_slots_collect_();

	hazptr_fence_heavy(); /* order TS8: TS6 */
	if (returned)
		hazptr_fence_rseq_(); /* order TS12: TS1 */
	hazptr_ref_slots_reuse_(returned);
}

/* Promote what was asked for in the batch. */
static uint64_t settle_batch(bool has_reference)
{
	uint64_t promoted = 0;
	bool any = false;
	struct match *m;
	size_t i;

	for (i = 0; i < batch.n; i++)
		any |= batch.matches[i].asked;
	if (any) {
		HAZPTR_TEST_POINT("promote:asked");
		fence();
		HAZPTR_TEST_POINT("promote:fenced");
	}
	for (i = 0; i < batch.n; i++) {
		m = &batch.matches[i];
		if (!m->asked)
			continue;
		if (still_holds(m, has_reference) &&
		    try_promote(m, has_reference))
			promoted++;
		else
			take_back(m);
	}
	batch.n = 0;
	batch.filter = 0;
	return promoted;
}

static void ask_for(uintptr_t node)
{
	size_t i;

	if (!(batch.filter & bit_of(node)))
		return;
	for (i = 0; i < batch.n; i++)
		if (batch.matches[i].node == node)
			ask(&batch.matches[i]);
}

static void ask_for_list(const struct hazptr_head *head)
{
	/* Some are there for their end only: a slot that has such a one is
	 * tentative, and its source leads elsewhere. */
	for (; head; head = head->next)
		/* order SP6: nobody adds to none; pairs with SP4 */
		if (head->object &&
		    references(hazptr_load_(&((const struct hazptr_shared_node
						       *)(const void *)head)
						     ->counts,
					    relaxed)))
			ask_for((uintptr_t)head);
}

/* Either the nodes in a cohort's lists, or one node. */
static void promote(const struct hazptr_cohort *c, uintptr_t node)
{
	struct hazptr_ref_slot_ *slot;
	uintptr_t seen, holder, request;
	struct slot_iterator it;

	slot = hazptr_ref_slot_first_(&it);
	while (slot) {
		seen = held(slot, &holder, &request);
		if (seen)
			add(slot, it.place, seen, holder);
		slot = hazptr_ref_slot_next_(&it);
		if (!batch.n || (slot && batch.n < BATCH))
			continue;
		if (c) {
			ask_for_list(c->line);
			ask_for_list(c->fresh);
		} else {
			ask_for(node);
		}
		hazptr_promoted_by_scan_ += settle_batch(true);
	}
}

/* A scan's: with the scan lock, after its fence. */
void hazptr_promote_listed_(struct hazptr_cohort *c)
{
	promote(c, 0);
}

/* A synchronizer's, which has a reference and has had its fence. */
void hazptr_promote_node_(struct hazptr_shared_node *node)
{
	hazptr_lock_(&hazptr_default_domain_.scan_lock);
	promote(NULL, (uintptr_t)node);
	hazptr_unlock_(&hazptr_default_domain_.scan_lock);
}

/* It was promoted when there was no spare slot for its place. */
static void move(struct hazptr_ref_slot_ *slot, struct hazptr_ref_slot_ **place,
		 uintptr_t request)
{
	struct hazptr_ref_slot_ *spare;

	if (!place || ((request & REQUEST_MASK) != PROMOTED &&
		       (request & REQUEST_MASK) != LEFT))
		return;
	spare = hazptr_ref_slot_spare_();
	if (!spare)
		return;
	/* order TS8: its holder gives it back; pairs with TS9 */
	if (hazptr_cas_(&slot->request, &request,
			(request & ~REQUEST_MASK) | MOVED, acq_rel, relaxed))
		/* order TS12: a free slot; pairs with TS1 */
		hazptr_store_(place, spare, release);
	else
		hazptr_ref_slot_keep_(spare);
}

/* The ager looks at a slot; true: somebody holds it. */
static bool grow_old(struct hazptr_ref_slot_ *slot,
		     struct hazptr_ref_slot_ **place)
{
	uintptr_t holder, request, node = held(slot, &holder, &request);

	move(slot, place, request);
	if ((request & REQUEST_MASK) == AGED &&
	    (!node || !is_about(request, holder))) {
		/* order TS8: it can be taken again; pairs with TS1 */
		hazptr_cas_(&slot->request, &request, 0, acq_rel, acquire);
	} else if (node && !request) {
		/* order TS8: as a request, which a drop undoes; TS9 */
		hazptr_cas_(&slot->request, &request, holder | AGED, relaxed,
			    relaxed);
	} else if (node && (request & REQUEST_MASK) == AGED &&
		   !(node & HAZPTR_TENTATIVE_)) {
		ask_aged(add(slot, place, node, holder));
	}
	return node != 0;
}

static bool grow_all_old(void)
{
	struct hazptr_ref_slot_ *slot;
	struct slot_iterator it;
	bool any = false;

	slot = hazptr_ref_slot_first_(&it);
	while (slot) {
		any |= grow_old(slot, it.place);
		slot = hazptr_ref_slot_next_(&it);
		if (batch.n && (!slot || batch.n == BATCH))
			hazptr_promoted_by_age_ += settle_batch(false);
	}
	return any;
}

/* Mark free slots, so that who takes one comes by; and the reverse. */
static void change_all(uintptr_t from, uintptr_t to)
{
	struct hazptr_ref_slot_ *slot;
	struct slot_iterator it;
	uintptr_t request;

	for (slot = hazptr_ref_slot_first_(&it); slot;
	     slot = hazptr_ref_slot_next_(&it)) {
		request = from;
		/* order TS15: before the fence, or the wake; TS1 */
		hazptr_cas_(&slot->request, &request, to, acq_rel, relaxed);
	}
}

static bool any_held(void)
{
	struct hazptr_ref_slot_ *slot;
	uintptr_t holder, request;
	struct slot_iterator it;

	for (slot = hazptr_ref_slot_first_(&it); slot;
	     slot = hazptr_ref_slot_next_(&it))
		if (held(slot, &holder, &request))
			return true;
	return false;
}

/*
 * By who has just taken a slot, other than inline. Async-signal-safe: the marks
 * are the ager's to remove.
 *
 *	takes a slot	      TS1	dormant = 1	      TS15
 *	light fence	      TS15	heavy fence
 *	dormant? wake	      TS15	anything held?	      TS7
 */
void hazptr_ager_wake_(void)
{
	/* order TS15: after the slot was taken; pairs with TS15 */
	if (hazptr_likely_(!hazptr_load_(&ager.dormant, relaxed)))
		return;
	/* order TS15: one wakes it; pairs with TS15 */
	if (hazptr_exchange_(&ager.dormant, 0, acq_rel))
		hazptr_background_call_();
}

/* Nothing is held. Whoever takes a slot from now on comes by. */
static void go_to_sleep(void)
{
	change_all(0, DORMANT);
	ager.marked = true;
	/* order TS15: before the look; pairs with TS15 */
	hazptr_store_(&ager.dormant, 1, seq_cst);
	hazptr_fence_heavy();		  /* order TS15: TS15 */
	hazptr_ref_slots_abort_takers_(); /* order TS15: TS1 */
	if (any_held())
		hazptr_ager_wake_();
}

static void unmark(void)
{
	if (ager.marked)
		change_all(DORMANT, 0);
	ager.marked = false;
}

/* Without the lock: the last one of a node retires it. */
static void put_owed(void)
{
	while (batch.n_owed)
		hazptr_node_put_(batch.owed[--batch.n_owed],
				 "hazptr_thread_shared_drop");
}

static void pass(bool ages)
{
	hazptr_lock_(&hazptr_default_domain_.scan_lock);
	unmark();
	if (ages && !grow_all_old())
		go_to_sleep();
	hazptr_unlock_(&hazptr_default_domain_.scan_lock);
	put_owed();
}

uint64_t hazptr_promote_tick_(uint64_t now)
{
	/* order TS16: a setting; pairs with TS16 */
	uint64_t ms = hazptr_load_(&ager.max_age_ms, relaxed);
	uint64_t due = ager.last + ms * NS_PER_MS;

	/* order TS15: who woke it has a slot; pairs with TS15 */
	if (hazptr_load_(&ager.dormant, acquire))
		return UINT64_MAX;
	hazptr_ref_slots_refill_();
	if (!ager.marked && (!ms || now < due))
		return ms ? due : UINT64_MAX;
	ager.last = now;
	pass(ms != 0);
	return now; /* another look: it may be asleep */
}

void hazptr_thread_shared_set_max_age_ms(unsigned ms)
{
	/* order TS16: a setting; pairs with TS16 */
	hazptr_store_(&ager.max_age_ms, ms, relaxed);
	hazptr_background_start_(); /* there is none in the child of a fork */
	hazptr_background_call_();
}

static void warn(const struct hazptr_record_ *r, uintptr_t node, uint64_t n)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "thread %d still has it in a thread-shared pointer (of %u), "
		 "which is a counted reference from now on",
		 r->thread, (unsigned)n);
	hazptr_warn_("thread exit", (void *)(node & ~HAZPTR_TENTATIVE_), text);
}

/* Of the calling thread. */
static bool is_own(const struct hazptr_ref_slot_ *slot,
		   const struct hazptr_record_ *r, uintptr_t *node,
		   uintptr_t *request)
{
	uintptr_t holder;

	*node = held(slot, &holder, request);
	return *node && holder == (uintptr_t)r;
}

/* The calling thread has thread-shared pointers that are no counted ones. */
bool hazptr_promote_holds_(const struct hazptr_record_ *r)
{
	struct hazptr_lock *lock = &hazptr_default_domain_.scan_lock;
	struct hazptr_ref_slot_ *slot;
	uintptr_t node, request;
	struct slot_iterator it;

	if (!hazptr_ref_self_.counters)
		return false;
	hazptr_lock_(lock);
	for (slot = hazptr_ref_slot_first_(&it); slot;
	     slot = hazptr_ref_slot_next_(&it))
		if (is_own(slot, r, &node, &request))
			break;
	hazptr_unlock_(lock);
	return slot != NULL;
}

/* The thread ends, and what its thread-shared pointers have is not lost. */
void hazptr_promote_exit_(struct hazptr_record_ *r)
{
	struct hazptr_lock *lock = &hazptr_default_domain_.scan_lock;
	uintptr_t node, request, first = 0;
	struct hazptr_ref_slot_ *slot;
	struct slot_iterator it;
	uint64_t n = 0;

	if (!hazptr_ref_self_.counters)
		return;
	hazptr_ref_self_end_();
	hazptr_lock_(lock);
	slot = hazptr_ref_slot_first_(&it);
	while (slot) {
		if (is_own(slot, r, &node, &request)) {
			first = node;
			ask(add(slot, it.place, node, (uintptr_t)r));
		}
		slot = hazptr_ref_slot_next_(&it);
		if (batch.n && (!slot || batch.n == BATCH))
			n += settle_batch(true);
	}
	hazptr_promoted_by_exit_ += n;
	/* Who drops it is another thread: perhaps one that forks before. */
	change_all((uintptr_t)r | PROMOTED, (uintptr_t)r | LEFT);
	hazptr_unlock_(lock);
	if (first)
		warn(r, first, n);
}

/* In the child of a fork, which has the locks: only one thread is here. */
void hazptr_promote_fork_(const struct hazptr_record_ *self)
{
	struct hazptr_ref_slot_ *slot;
	struct slot_iterator it;

	for (slot = hazptr_ref_slot_first_(&it); slot;
	     slot = hazptr_ref_slot_next_(&it)) {
		if ((slot->request & REQUEST_MASK) == DORMANT)
			slot->request = 0;
		/* One that was left may be the thread's that is here. */
		if (slot->holder == (uintptr_t)self ||
		    (slot->request & REQUEST_MASK) == LEFT)
			continue;
		slot->node = 0;
		slot->request = 0;
	}
	ager.marked = false;
	ager.dormant = 0;
	hazptr_ref_slots_after_fork_();
}
