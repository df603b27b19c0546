/* SPDX-License-Identifier: MIT */
/* tests/facts.c - says which paths the tests of this machine take */
#include <hazptr/hazptr.h>

#include <stdio.h>

static void release(struct hazptr_shared_node *node)
{
	(void)node;
}

/* Take one: then the library has decided where they stand. */
static bool has_sequences(void)
{
	struct hazptr_thread_shared ts = HAZPTR_THREAD_SHARED_INIT;
	static struct hazptr_shared_node node;
	struct hazptr_shared sp = hazptr_shared_create(&node, release);

	hazptr_thread_shared_borrow(&ts, sp);
	hazptr_thread_shared_drop(&ts);
	hazptr_shared_drop_sync(&sp);
	return hazptr_ref_self_.rseq != NULL;
}

int main(void)
{
	static const char *const fences[] = { "membarrier", "full", "marker" };

	printf("fence %s, %s\n", fences[hazptr_fence_mode()],
	       has_sequences() ? "rseq" : "no rseq");
	return 0;
}
