/* SPDX-License-Identifier: MIT */
/* explore/start.c - the client's main(): its sites and itself to the engine */
#include "backend.h"
#include "explore.h"

extern struct ex_site __start_ex_sites[], __stop_ex_sites[];
extern int hazptr_fence_chosen_;
extern uint32_t hazptr_debug_state_;

int ex_main(int argc, char **argv, const struct ex_client *client,
	    struct ex_site *first, struct ex_site *end, int *fence);

int main(int argc, char **argv)
{
	hazptr_debug_state_ = 1; /* the environment does not want it */
	return ex_main(argc, argv, &ex_client, __start_ex_sites,
		       __stop_ex_sites, &hazptr_fence_chosen_);
}
