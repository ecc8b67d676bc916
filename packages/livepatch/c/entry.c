// SPDX-License-Identifier: GPL-2.0
/* The code that every livepatch of Suture starts with. What it registers is data: packages/livepatch/src/descriptor.ts writes it. */
#include <linux/livepatch.h>
#include <linux/module.h>

extern struct klp_patch suture_patch;

static int __init suture_init(void)
{
	return klp_enable_patch(&suture_patch);
}

/* Never called while the patch is enabled, but without it the module could not be removed. */
static void __exit suture_exit(void)
{
}

module_init(suture_init);
module_exit(suture_exit);
MODULE_DESCRIPTION("Live patch made by Suture");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
