/* SPDX-License-Identifier: MIT */
/*
 * core/retire_ptr.c - an object that has no head
 *
 * A node carries it. Without memory for one the caller waits and destroys the
 * object itself: nothing is lost.
 */
#include "debug.h"

struct node {
	struct hazptr_head head;
	void *object;
	void (*destroy)(void *);
};

static void destroy_node(struct hazptr_head *head)
{
	struct node *node = HAZPTR_CONTAINER(head, struct node, head);

	node->destroy(node->object);
	hazptr_free_(node);
}

void hazptr_retire_ptr(struct hazptr_domain *d, void *object,
		       void (*destroy)(void *))
{
	struct node *node = hazptr_alloc_(sizeof(*node));

	if (!node) {
		hazptr_synchronize(object);
		hazptr_debug_forget_(&(struct hazptr_head){ .object = object });
		destroy(object);
		return;
	}
	node->object = object;
	node->destroy = destroy;
	hazptr_retire_(d, &node->head, object, destroy_node);
}
