// SPDX-License-Identifier: GPL-2.0
/* The code that every livepatch of Suture starts with. What it registers is data: packages/livepatch/src/descriptor.ts writes it. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/string.h>

extern struct klp_patch suture_patch;

/* The build-id that the kernel has, and the one of that whose addresses the code was linked with; of no bytes where it was linked by names only. */
struct suture_kernel {
	const void *build_id;
	unsigned int size;
	unsigned char expected[];
};

extern const struct suture_kernel suture_kernel;

static int __init suture_init(void)
{
	const unsigned char *expected = suture_kernel.expected;

	/* gcc 10 takes an array without a length, of a structure that is defined elsewhere, for one of no more than the structure's own bytes. */
	OPTIMIZER_HIDE_VAR(expected);
	if (memcmp(suture_kernel.build_id, expected, suture_kernel.size)) {
		pr_err("%s: it was built for another kernel than this one\n", KBUILD_MODNAME);
		return -ENOEXEC;
	}
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
