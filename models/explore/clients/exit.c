/* SPDX-License-Identifier: MIT */
/*
 * exit - threads meet the library and leave it, while another one scans
 *
 * The reader is not registered when it begins. --option again: a second thread
 * registers too, perhaps with the record that the first gave back.
 * --option retire: the reader has something in its lane when it exits.
 */
#include "common.h"

static void first_use(void)
{
	read_source();
	if (ex_option("retire"))
		hazptr_retire_free(domain, make(3), head);
}

static void update(void)
{
	hazptr_retire_free(domain, unlink_object(make(2)), head);
	hazptr_flush(domain);
}

static void second_use(void)
{
	if (ex_option("again"))
		read_source();
}

static void enter(void)
{
	if (ex_self() == 2)
		register_thread();
}

const struct ex_client ex_client = {
	.setup = setup_source,
	.enter = enter,
	.thread = { first_use, update, second_use },
	.finish = finish_source,
	.flags = EX_KEEPS | EX_EXITS,
};
