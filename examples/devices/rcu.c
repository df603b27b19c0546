/* SPDX-License-Identifier: MIT */
/*
 * devices/rcu.c - the same as counted.c with liburcu, its memb flavour
 *
 * A read-side section keeps the memory between the pointer and the reference.
 * Each thread has to register before it opens anything. What call_rcu() is
 * given is freed when every reader has left the section it was in.
 */
#include "schemes.h"

#ifndef DEVICES_NO_URCU

#define _LGPL_SOURCE /* the read side inline, as fast as it gets */
#include <stdlib.h>
#include <urcu/ref.h>
#include <urcu/urcu-memb.h>

struct printer {
	struct device device;
	struct urcu_ref ref;
	struct rcu_head head;
};

static struct printer *slot[DEVICES];
static uint64_t freed; /* by the thread of call_rcu() */

static struct device *rcu_open(const char *name)
{
	int minor = device_minor(name);
	struct printer *p;

	if (minor < 0)
		return NULL;
	urcu_memb_read_lock();
	p = rcu_dereference(slot[minor]);
	if (p && !urcu_ref_get_unless_zero(&p->ref))
		p = NULL;
	urcu_memb_read_unlock();
	return (struct device *)p;
}

static void free_printer(struct rcu_head *head)
{
	free(caa_container_of(head, struct printer, head));
	__atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
}

static void release(struct urcu_ref *ref)
{
	struct printer *p = caa_container_of(ref, struct printer, ref);

	device_end(&p->device);
	urcu_memb_call_rcu(&p->head, free_printer);
}

static void rcu_close(struct device *d)
{
	urcu_ref_put(&((struct printer *)d)->ref, release);
}

static bool rcu_plug(unsigned minor)
{
	struct printer *p = malloc(sizeof(*p));

	if (!p)
		return false;
	device_begin(&p->device, minor);
	urcu_ref_init(&p->ref);
	rcu_set_pointer(&slot[minor], p);
	return true;
}

static void rcu_unplug(unsigned minor)
{
	struct printer *p = slot[minor]; /* only this thread stores to it */

	rcu_set_pointer(&slot[minor], NULL);
	urcu_ref_put(&p->ref, release);
}

static uint64_t rcu_settle(void)
{
	urcu_memb_barrier();
	return __atomic_load_n(&freed, __ATOMIC_RELAXED);
}

const struct scheme rcu_scheme = {
	.name = "liburcu",
	.enter = urcu_memb_register_thread,
	.leave = urcu_memb_unregister_thread,
	.open = rcu_open,
	.close = rcu_close,
	.plug = rcu_plug,
	.unplug = rcu_unplug,
	.settle = rcu_settle,
};

#else

const struct scheme rcu_scheme = {
	.name = "liburcu",
	.missing = DEVICES_NO_URCU,
};

#endif
