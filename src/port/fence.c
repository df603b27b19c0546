/* SPDX-License-Identifier: MIT */
/*
 * port/fence.c - which fence, and its heavy half
 *
 * Chosen once, at first use. Some kernels and sandboxes answer QUERY and then
 * refuse REGISTER; some kill for either. So nothing is called when the
 * environment says `full` or `marker`, and nothing is believed but a
 * registration that succeeded.
 */
#define _GNU_SOURCE
#include "port.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int hazptr_fence_chosen_;
static struct hazptr_lock choosing;
static bool rseq_registered; /* under the lock of layer 2 that calls */

static long membarrier(int command)
{
	int saved = errno;
	long result = syscall(SYS_membarrier, command, 0, 0);

	errno = saved;
	return result;
}

static bool membarrier_register(void)
{
	long known = membarrier(MEMBARRIER_CMD_QUERY);

	if (known < 0 || !(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return false;
	return !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

static enum hazptr_fence_mode choose(void)
{
	const char *forced = secure_getenv("HAZPTR_FENCE");

	if (forced && !strcmp(forced, "full"))
		return HAZPTR_FENCE_FULL;
	if (forced && !strcmp(forced, "marker"))
		return HAZPTR_FENCE_MARKER;
	if (forced && strcmp(forced, "membarrier") != 0) {
		hazptr_warn_setting_("HAZPTR_FENCE", forced,
				     "unknown value ignored; it is one of "
				     "membarrier, full, marker");
		forced = NULL;
	}
	if (membarrier_register())
		return HAZPTR_FENCE_MEMBARRIER;
	if (forced)
		hazptr_warn_setting_(
			"HAZPTR_FENCE", forced,
			"the kernel refuses membarrier; using full");
	return HAZPTR_FENCE_FULL;
}

int hazptr_fence_choose_slow_(void)
{
	int chosen;

	hazptr_lock_(&choosing);
	/* private: under the lock that every writer takes */
	chosen = hazptr_load_(&hazptr_fence_chosen_, relaxed);
	if (!chosen) {
		chosen = 1 + (int)choose();
		/* order FM2: after the registration; pairs with FM1 */
		hazptr_store_(&hazptr_fence_chosen_, chosen, release);
	}
	hazptr_unlock_(&choosing);
	return chosen;
}

/* The call is a full fence of the calling thread, too. */
static void fence_by(int command)
{
	hazptr_compiler_fence_(); /* order FM4: before the others'; FM3 */
	if (membarrier(command))
		hazptr_die_("hazptr_fence_heavy", NULL,
			    "the kernel refuses the membarrier that it granted "
			    "before; set HAZPTR_FENCE=full");
	hazptr_compiler_fence_(); /* order FM4: after the others'; FM3 */
}

void hazptr_fence_heavy(void)
{
	if (hazptr_fence_mode() == HAZPTR_FENCE_MEMBARRIER)
		fence_by(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	else
		hazptr_fence_(seq_cst); /* order FM4: FM3 */
}

/* False: not in this mode, or not by this kernel. */
bool hazptr_fence_rseq_register_(void)
{
	long known;

	if (hazptr_fence_mode() != HAZPTR_FENCE_MEMBARRIER)
		return false;
	known = membarrier(MEMBARRIER_CMD_QUERY);
	rseq_registered =
		known > 0 && (known & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) &&
		!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ);
	return rseq_registered;
}

void hazptr_fence_rseq_(void)
{
	fence_by(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
}

/*
 * The registration belongs to the address space, and the child has its own. A
 * kernel that refuses it now is no reason to stop a child that may only exec.
 */
void hazptr_fence_after_fork_(void)
{
	hazptr_lock_reset_(&choosing);
	if (hazptr_fence_chosen_ == 1 + HAZPTR_FENCE_MEMBARRIER)
		membarrier_register();
	if (rseq_registered)
		membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ);
}
