/* SPDX-License-Identifier: MIT */
/*
 * core/thread.c - a thread meets the library, and leaves it
 *
 * An unregistered thread's `slots` lead to slots that are never free, so the
 * inline paths need no test for it; nor do they for the modes in which they
 * may not be used.
 */
#include "debug.h"
#include "slot.h"

#define BUSY HAZPTR_SLOT_IDLE_

static struct hazptr_slot
	busy_slots[HAZPTR_CONTEXT_SLOTS] HAZPTR_ALIGNED_LINE = {
		{ BUSY }, { BUSY }, { BUSY }, { BUSY },
		{ BUSY }, { BUSY }, { BUSY }, { BUSY }
	};

__thread struct hazptr_self_ hazptr_self_
	__attribute__((__tls_model__("initial-exec"))) = { busy_slots, NULL,
							   NULL };

/* The exit hook of this thread has run for the last time. */
static __thread bool gone __attribute__((__tls_model__("initial-exec")));

static struct {
	struct hazptr_lock lock;
	uint32_t ready;
	bool forks; /* the hooks around fork are in place */
} once;

/* The guards of this thread now take their slots from @r. */
void hazptr_self_use_(struct hazptr_record_ *r)
{
	hazptr_self_.record = r;
	if (r && hazptr_fence_mode() == HAZPTR_FENCE_MEMBARRIER)
		hazptr_self_.slots = r->slots;
	else
		hazptr_self_.slots = busy_slots;
}

void hazptr_self_adopt_(struct hazptr_record_ *r)
{
	hazptr_self_.own = r;
	hazptr_self_use_(r);
}

void hazptr_slots_drop_(struct hazptr_record_ *r)
{
	uintptr_t value;
	int i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++) {
		/* order ST2: the owner reads its own; pairs with ST2 */
		value = hazptr_load_(&r->slots[i].value, relaxed) & ~MARKER;
		if ((value & SLOT_DETACHED) && value != HAZPTR_SLOT_IDLE_)
			continue;
		if (value & ~SLOT_FLAGS)
			hazptr_debug_left_(r, i, value & ~SLOT_FLAGS);
		slot_clear_to(&r->slots[i], 0);
	}
}

static bool holds_guards(const struct hazptr_record_ *r)
{
	uintptr_t value;
	int i;

	for (i = 0; i < HAZPTR_CONTEXT_SLOTS; i++) {
		/* order ST2: the owner reads its own; pairs with ST2 */
		value = hazptr_load_(&r->slots[i].value, relaxed) & ~MARKER;
		if (value && !(value & SLOT_DETACHED))
			return true;
	}
	if (r->overflow_n)
		return true;
	return hazptr_upper_get_() && hazptr_upper_get_()->thread_holds(r);
}

/*
 * Other destructors may still have guards to release: then we come back in a
 * later round. Who calls the library after our last one is served without a
 * record, as no further round would give it back.
 */
static void thread_exit(void *arg)
{
	struct hazptr_record_ *r = arg;
	sigset_t before;

	if (holds_guards(r) && hazptr_record_leaving_(r) < HAZPTR_EXIT_ROUNDS &&
	    hazptr_thread_at_exit_(r))
		return;
	HAZPTR_TEST_POINT("exit:begin");
	gone = true;
	hazptr_signals_block_(&before);
	if (hazptr_self_.record != r)
		hazptr_context_switch(NULL);
	hazptr_self_adopt_(NULL);
	if (hazptr_upper_get_())
		hazptr_upper_get_()->thread_exit(r);
	hazptr_lanes_leave_(r);
	hazptr_slots_drop_(r);
	hazptr_overflow_abandon_(r);
	hazptr_record_give_back_(r);
	hazptr_signals_restore_(&before);
}

/*
 * When the program or library is loaded: a fork that is under way in another
 * thread would not call hooks that are placed meanwhile.
 */
static bool place_fork_hooks(void)
{
	if (!once.forks)
		once.forks = hazptr_fork_hooks_(hazptr_fork_prepare_,
						hazptr_fork_parent_,
						hazptr_fork_child_);
	return once.forks;
}

__attribute__((__constructor__)) static void at_load(void)
{
	place_fork_hooks();
}

static bool place_hooks(void)
{
	bool ready;

	hazptr_lock_(&once.lock);
	ready = hazptr_load_(&once.ready, relaxed); /* private: locked */
	if (!ready) {
		ready = place_fork_hooks() && hazptr_exit_hook_(thread_exit);
		/* order FM2: after the hooks; pairs with FM1 */
		hazptr_store_(&once.ready, ready, release);
	}
	hazptr_unlock_(&once.lock);
	return ready;
}

static void set_thread(struct hazptr_record_ *r)
{
	/* order ST1: for reports; pairs with ST1 */
	hazptr_store_(&r->thread, hazptr_thread_id_(), relaxed);
}

/*
 * In the child of a fork: another thread may have been in place_hooks(). Then
 * there is one key too many.
 */
void hazptr_self_after_fork_(void)
{
	hazptr_lock_reset_(&once.lock);
	if (hazptr_self_.own)
		set_thread(hazptr_self_.own);
}

/* The pin takes the loader's lock, so none of ours is held then. */
static bool hooks_ready(void)
{
	/* order FM1: the hooks are in place; pairs with FM2 */
	if (hazptr_load_(&once.ready, acquire))
		return true;
	hazptr_pin_();
	return place_hooks();
}

/* Once per thread. NULL: there is no memory, or the thread is ending. */
struct hazptr_record_ *hazptr_self_register_(void)
{
	struct hazptr_record_ *r = NULL;
	sigset_t before;

	if (gone)
		return NULL;
	hazptr_signals_block_(&before);
	if (hooks_ready())
		r = hazptr_record_take_(RECORD_THREAD);
	if (r && !hazptr_thread_at_exit_(r)) {
		hazptr_record_give_back_(r);
		r = NULL;
	}
	if (r) {
		set_thread(r);
		hazptr_self_adopt_(r);
	}
	hazptr_signals_restore_(&before);
	return r;
}
