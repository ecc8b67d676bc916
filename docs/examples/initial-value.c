// SPDX-License-Identifier: GPL-2.0
/*
 * Another initial value of a variable that is in use: pipes may grow to 2 MiB, where the source says 1 MiB. The variable has had its initial value
 * since boot: it is set by a callback, but only if nobody has set it to something else, and put back in the same way.
 */
#include <linux/compiler.h>
#include <linux/sizes.h>
#include <suture.h>

extern unsigned int pipe_max_size;

static void set_limit(struct klp_object *obj)
{
	cmpxchg(&pipe_max_size, SZ_1M, SZ_2M);
}
SUTURE_POST_PATCH("vmlinux", set_limit);

static void reset_limit(struct klp_object *obj)
{
	cmpxchg(&pipe_max_size, SZ_2M, SZ_1M);
}
SUTURE_PRE_UNPATCH("vmlinux", reset_limit);
