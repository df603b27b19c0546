/* SPDX-License-Identifier: MIT */
/*
 * ref/node.c - a node's counts, and its end
 *
 * One word counts the references and the weak pointers, and says what the node
 * waits for. Every change is a read-modify-write of the whole word.
 *
 * The rule: a node that may be seen without a count (VISIBLE) is released only
 * by a scan that began after its last reference was dropped. So whoever has
 * found it through a sync pointer and published it in a guard either is seen
 * by that scan, or has added a reference before it released the guard.
 *
 *	put, not the last	one less
 *	put, the last		RETIRED: it stays counted, and the node goes
 *				to a scan
 *	put, while RETIRED	one less, and AGAIN
 *	scan, before its fence	no AGAIN any more: this scan covers it
 *	scan, after the fence	others have references: one less, and it goes;
 *				AGAIN: it waits for the next scan;
 *				nobody holds it: one less, and that is the end
 *
 * AGAIN is what the scheme on the mailing list lacks. There a deleter that has
 * scanned lets the count fall from 1 to 0 when it is 1 again, though a copy
 * was made, published in another pointer and dropped there meanwhile:
 * models/spin/shared.pml.
 *
 * COUNT_FIRST nodes are the list's first scheme: the count falls to zero, then
 * DEAD is set and the node goes to a scan; a load that finds DEAD looks at its
 * source again. Only the holder of a slot can raise such a count again.
 */
#include "refs.h"

#include <string.h>

/* A node was told to wait again: look for it before the next fence. */
static uint32_t again;

/* Its release function, when it is to be freed; never called. */
void hazptr_node_free_(struct hazptr_shared_node *node)
{
	(void)node;
}

void hazptr_node_queue_(struct hazptr_shared_node *node)
{
	hazptr_cohort_retire_(&hazptr_references_, head_of(node), node, NULL);
}

/* From here on nobody else touches the node: it can be an object's head. */
static enum verdict due(struct hazptr_shared_node *node)
{
	void *object = node;

	if (node->release != hazptr_node_free_)
		return DUE;
	memcpy((char *)node + offsetof(struct hazptr_head, object), &object,
	       sizeof(object));
	return DUE_FREE;
}

/* No reference is left. `counts` is what the put that saw to that made it. */
static enum verdict ended(struct hazptr_shared_node *node, uint64_t counts)
{
	if (counts & EXPIRES)
		return DUE;
	return weak_pointers(counts) ? DONE : due(node);
}

/* The end of a node that no guard can have found. */
void hazptr_node_finish_(struct hazptr_shared_node *node)
{
	/* private: no reference is left; weak pointers change other bits */
	bool expires = hazptr_load_(&node->counts, relaxed) & EXPIRES;

	if (node->release == hazptr_node_free_ && !expires)
		hazptr_free_(node);
	else if (!hazptr_run_after_(&hazptr_references_, head_of(node)))
		hazptr_node_queue_(node);
}

static void last_unseen(struct hazptr_shared_node *node, uint64_t counts)
{
	if ((counts & EXPIRES) || !weak_pointers(counts))
		hazptr_node_finish_(node);
}

/* The expiry keeps a weak pointer of its own. */
static inline uint64_t without_last(uint64_t counts)
{
	return counts & EXPIRES ? counts - 1 + ONE_WEAK : counts - 1;
}

static inline uint64_t as_dead(uint64_t counts)
{
	return (counts & ~(uint64_t)UINT32_MAX) | DEAD | RETIRED;
}

/* What a put makes of the counts. */
static uint64_t one_less(const struct hazptr_shared_node *node, uint64_t old,
			 const char *call)
{
	uint64_t told = old & RETIRED ? old | AGAIN : old;
	bool is_last = references(old) == 1;

	if (!references(old) || (old & DEAD) ||
	    (is_last && (old & (RETIRED | COUNT_FIRST)) == RETIRED))
		hazptr_die_(call, node, "no reference was left");
	if (old & TOO_MANY)
		return old;
	if (!(old & VISIBLE))
		return is_last ? without_last(old) : old - 1;
	if (old & COUNT_FIRST)
		return is_last ? as_dead(told) : told - 1;
	if (old & RETIRED)
		return told - 1;
	return is_last ? old | RETIRED : old - 1;
}

/* Returns what it made of the counts; *old: what they were. */
static uint64_t put(struct hazptr_shared_node *node, uint64_t *old,
		    const char *call)
{
	uint64_t now;

	/* order SP2: a guess that the exchange checks; pairs with SP2 */
	*old = hazptr_load_(&node->counts, relaxed);
	do
		now = one_less(node, *old, call);
	/* order SP4: unlink and uses before, the list after; SP5, SP6 */
	while (!hazptr_cas_(&node->counts, old, now, acq_rel, relaxed));
	HAZPTR_TEST_POINT("shared:put");
	if (now & AGAIN & ~*old)
		/* order SP7: a hint; the flag decides; pairs with SP7 */
		hazptr_store_(&again, 1, relaxed);
	return now;
}

void hazptr_node_put_(struct hazptr_shared_node *node, const char *call)
{
	uint64_t old, now = put(node, &old, call);

	if (!references(now))
		last_unseen(node, now);
	else if (now & RETIRED & ~old)
		hazptr_node_queue_(node);
}

/* Of a visible node, from a signal handler perhaps. */
void hazptr_node_put_async_(struct hazptr_shared_node *node)
{
	uint64_t old, now = put(node, &old, "hazptr_thread_shared_drop");

	if (now & RETIRED & ~old)
		hazptr_retire_async_(&hazptr_references_, head_of(node));
}

/* Before the fence: what was dropped until now, this scan covers. */
static void forget_again(struct hazptr_head *head)
{
	struct hazptr_shared_node *node;

	for (; head; head = head->next) {
		node = node_of(head);
		/* order SP5: the drop, and the unlink before it; SP4 */
		if (head->object &&
		    (hazptr_load_(&node->counts, relaxed) & AGAIN))
			hazptr_fetch_and_(&node->counts, ~AGAIN, acquire);
	}
}

static void prepare(struct hazptr_cohort *c)
{
	/* order SP7: a hint; the flag decides; pairs with SP7 */
	if (!hazptr_load_(&again, relaxed))
		return;
	hazptr_store_(&again, 0, relaxed); /* order SP7: a hint; SP7 */
	forget_again(c->line);
	forget_again(c->fresh);
}

/* A snapshot that was full had it: as good as a drop. */
static void mark(struct hazptr_head *head)
{
	if (hazptr_snapshot_has_((uintptr_t)head))
		/* order SP5: the scan's own; pairs with SP6 */
		hazptr_fetch_or_(&node_of(head)->counts, AGAIN, relaxed);
}

/* Somebody has a reference besides the retired one: no end is near. */
static bool has_others(uint64_t counts)
{
	return !(counts & DEAD) &&
	       references(counts) > (counts & COUNT_FIRST ? 0u : 1u);
}

/* What a scan makes of the counts when it lets go of the node. */
static uint64_t without_retired(uint64_t old)
{
	uint64_t now = old & ~(RETIRED | AGAIN);

	if (old & DEAD)
		return without_last((now & ~(uint64_t)UINT32_MAX) + 1);
	if (old & (COUNT_FIRST | TOO_MANY))
		return now;
	return references(now) == 1 ? without_last(now) : now - 1;
}

static enum verdict judge(struct hazptr_head *head)
{
	struct hazptr_shared_node *node = node_of(head);
	bool held = hazptr_snapshot_has_((uintptr_t)node);
	/* order SP6: what is counted before a guard goes; SP1, SP4 */
	uint64_t old = hazptr_load_(&node->counts, acquire), now;

	HAZPTR_TEST_POINT("judge:counts");
	/* Neither reference nor guard nor weak pointer: nobody can come. */
	if (!held && (old & ~VISIBLE) == (1 | RETIRED))
		return due(node);
	do {
		now = without_retired(old);
		if (has_others(old))
			continue;
		if (old & AGAIN) {
			/* order SP5: the next fence covers it; SP4 */
			hazptr_fetch_and_(&node->counts, ~AGAIN, acquire);
			return held ? HELD : KEPT;
		}
		if (held)
			return HELD;
		if (!references(old))
			return ended(node, old); /* it came for its end */
		/* order SP6: all uses, before the end or the next list; SP4 */
	} while (!hazptr_cas_(&node->counts, &old, now, acq_rel, acquire));
	return references(now) ? DONE : ended(node, now);
}

static void release(struct hazptr_shared_node *node)
{
	if (node->release == hazptr_node_free_)
		hazptr_free_(node);
	else
		node->release(node);
}

/* Without a lock: its functions. */
static void run(struct hazptr_head *head)
{
	struct hazptr_shared_node *node = node_of(head);

	/* private: no reference is left; weak pointers change other bits */
	if (hazptr_load_(&node->counts, relaxed) & EXPIRES) {
		/* order WK2: expired only once; pairs with WK1 */
		hazptr_fetch_and_(&node->counts, ~EXPIRES, relaxed);
		HAZPTR_CONTAINER(node, struct hazptr_weak_node, node)
			->expire(node);
		if (!hazptr_weak_put_(node))
			return;
	}
	release(node);
}

static const struct hazptr_kind_ references_kind = { prepare, mark,
						     hazptr_promote_listed_,
						     judge, run };

static const struct hazptr_upper_ upper = { hazptr_promote_holds_,
					    hazptr_promote_exit_,
					    hazptr_promote_fork_,
					    hazptr_promote_tick_ };

static void release_here(struct hazptr_shared_node *node, enum verdict verdict)
{
	if (verdict == DUE_FREE)
		hazptr_free_(node);
	else if (verdict == DUE)
		run(head_of(node));
}

/* Let go of the node when nothing was dropped since the last look. */
static bool try_let_go(struct hazptr_shared_node *node, bool scanned)
{
	/* order SP6: what is counted before a guard goes; SP1, SP4 */
	uint64_t old = hazptr_load_(&node->counts, acquire), now;

	do {
		if (!has_others(old) && (!scanned || (old & AGAIN)))
			return false;
		now = without_retired(old);
		/* order SP6: all uses, before the end; pairs with SP4 */
	} while (!hazptr_cas_(&node->counts, &old, now, acq_rel, acquire));
	if (!references(now))
		release_here(node, ended(node, now));
	return true;
}

/* A scan of its own for one node whose retired reference is the caller's. */
static void scan_one(struct hazptr_shared_node *node, const char *call)
{
	while (!try_let_go(node, false)) {
		/* order SP5: the drop, and the unlink before it; SP4 */
		hazptr_fetch_and_(&node->counts, ~AGAIN, acquire);
		hazptr_synchronize_for_(node, call);
		hazptr_promote_node_(node);
		HAZPTR_TEST_POINT("drop_sync:scanned");
		if (try_let_go(node, true))
			return;
	}
}

/* As put, but with the scan and the release in the caller. */
void hazptr_node_put_sync_(struct hazptr_shared_node *node, const char *call)
{
	uint64_t old, now = put(node, &old, call);

	if (!references(now))
		release_here(node, ended(node, now));
	else if (now & RETIRED & ~old)
		scan_one(node, call);
}

void hazptr_node_hold_(struct hazptr_shared_node *node)
{
	/* order SP1: the slot keeps it; before the slot goes; TS8, SP6 */
	uint64_t old = hazptr_fetch_add_(&node->counts, 1, relaxed);

	if (hazptr_unlikely_(hazptr_shared_is_odd_(old)))
		hazptr_shared_get_slow_(node, old,
					"hazptr_thread_shared_to_shared");
}

void hazptr_node_unhold_(struct hazptr_shared_node *node)
{
	/* order SP2: nothing was done with it; pairs with SP6 */
	uint64_t old = hazptr_load_(&node->counts, relaxed), now;

	do
		now = references(old) == 1 ? as_dead(old) : old - 1;
	/* order SP2: nothing was done with it; pairs with SP6 */
	while (!hazptr_cas_(&node->counts, &old, now, relaxed, relaxed));
}

static void stay_too_many(struct hazptr_shared_node *node)
{
	/* order SP2: a guess that the exchange checks; pairs with SP2 */
	uint64_t old = hazptr_load_(&node->counts, relaxed), now;

	do
		now = (old & ~(uint64_t)UINT32_MAX) | SATURATED;
	/* order SP1: the caller's own reference orders; pairs with SP2 */
	while (!hazptr_cas_(&node->counts, &old, now, relaxed, relaxed));
}

/*
 * Alive again, by who has it in a slot. What was added to a dead count goes
 * with it, so whoever comes second adds anew.
 */
static void revive(struct hazptr_shared_node *node)
{
	/* order SP2: a guess that the exchange checks; pairs with SP2 */
	uint64_t old = hazptr_load_(&node->counts, relaxed), now;

	do
		now = 1 + (old & DEAD ? old & ~(uint64_t)UINT32_MAX : old);
	/* order SP1: the caller's slot orders; pairs with SP2 */
	while (!hazptr_cas_(&node->counts, &old, now, relaxed, relaxed));
}

/* One more was added, and the count was not an ordinary one. */
void hazptr_shared_get_slow_(struct hazptr_shared_node *node, uint64_t old,
			     const char *call)
{
	if (!references(old))
		hazptr_die_(call, node, "no reference is left");
	if (old & DEAD)
		revive(node);
	else
		stay_too_many(node);
}

void hazptr_refs_start_(void)
{
	if (hazptr_unlikely_(!hazptr_upper_get_())) {
		hazptr_own_record_(); /* the hooks at fork and exit */
		hazptr_ref_slots_start_();
		hazptr_upper_join_(&upper, &references_kind);
	}
	hazptr_background_start_(); /* again in the child of a fork */
}
