// SPDX-License-Identifier: GPL-2.0
/*
 * Another default of a module's parameter: dummy makes two devices where it made one. The callback runs when the module is loaded, before its
 * parameters are read and its init function runs: what the user says with modprobe still counts. If the module is there already, its init
 * function has run, and the parameter has no effect any more; it is set back when the livepatch goes.
 */
#include <suture.h>

/* Static in drivers/net/dummy.c. */
extern int numdummies;

static int set_default(struct klp_object *obj)
{
	if (numdummies == 1)
		numdummies = 2;
	return 0;
}
SUTURE_PRE_PATCH("dummy", set_default);

static void reset_default(struct klp_object *obj)
{
	if (numdummies == 2)
		numdummies = 1;
}
SUTURE_POST_UNPATCH("dummy", reset_default);
