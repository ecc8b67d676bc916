// SPDX-License-Identifier: GPL-2.0
/*
 * Data that the old code has spoilt, repaired by a callback. The old code takes any bytes as a host name; the new code would not let control
 * characters in (see syscall.c), but one may be there already: it is repaired once, when all tasks run the new code.
 */
#include <linux/ctype.h>
#include <linux/rwsem.h>
#include <linux/utsname.h>
#include <suture.h>

extern struct rw_semaphore uts_sem;

static void repair_name(struct klp_object *obj)
{
	char *c;

	down_write(&uts_sem);
	for (c = init_uts_ns.name.nodename; *c; c++)
		if (iscntrl(*c))
			*c = '?';
	up_write(&uts_sem);
}
SUTURE_POST_PATCH("vmlinux", repair_name);
