/* SPDX-License-Identifier: MIT */
/* ref/ref.c - counts out of their ordinary range */
#undef HAZPTR_DEBUG /* is for files of the user's */
#include <hazptr/ref.h>

#include "../port/port.h"

#define RCUREF_SATURATED 0xA0000000u
#define RCUREF_RELEASED 0xC0000000u
#define RCUREF_DEAD 0xE0000000u
#define RCUREF_NONE 0xFFFFFFFFu

void hazptr_ref_get_slow_(struct hazptr_ref *r, uint32_t old)
{
	if (!old)
		hazptr_die_("hazptr_ref_get", r, "no reference is left");
	/* order RF4: far from both ends again, for ever; pairs with RF1 */
	hazptr_store_(&r->count, HAZPTR_REF_SATURATED_, relaxed);
}

void hazptr_ref_put_slow_(struct hazptr_ref *r, uint32_t old)
{
	if (!old)
		hazptr_die_("hazptr_ref_put", r, "no reference was left");
	/* order RF4: far from both ends again, for ever; pairs with RF1 */
	hazptr_store_(&r->count, HAZPTR_REF_SATURATED_, relaxed);
}

/* `now` is what this get made it, and all that decides. */
bool hazptr_rcuref_get_slow_(struct hazptr_rcuref *r, uint32_t now)
{
	if (now < RCUREF_RELEASED) {
		/* order RC6: far from both ends again; pairs with RC1 */
		hazptr_store_(&r->count, RCUREF_SATURATED, relaxed);
		return true;
	}
	/* Gets of a dead one add up. An init meanwhile makes this fail. */
	if (now >= RCUREF_DEAD + (RCUREF_NONE - RCUREF_DEAD) / 2)
		/* order RC6: far from both ends again; pairs with RC1 */
		hazptr_cas_(&r->count, &now, RCUREF_DEAD, relaxed, relaxed);
	return false;
}

/* `now` is what this put made it: to look again could blame another's. */
bool hazptr_rcuref_put_slow_(struct hazptr_rcuref *r, uint32_t now)
{
	if (now == RCUREF_NONE) {
		HAZPTR_TEST_POINT("rcuref:none");
		/* order RC3: after everybody's put, before the end; RC2. A get
		 * that came first makes it fail, and has the reference */
		return hazptr_cas_(&r->count, &now, RCUREF_DEAD, acq_rel,
				   relaxed);
	}
	if (now >= RCUREF_RELEASED)
		hazptr_die_("hazptr_rcuref_put", r, "no reference was left");
	/* order RC6: far from both ends again; pairs with RC1 */
	hazptr_store_(&r->count, RCUREF_SATURATED, relaxed);
	return false;
}
