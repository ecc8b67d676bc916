// SPDX-License-Identifier: GPL-2.0
/* Patches the function that the sleeper never leaves. */
#include <linux/livepatch.h>
#include <linux/module.h>

static int lab_new_sleep(void *unused)
{
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "lab_sleep", .new_func = lab_new_sleep },
	{ }
};

static struct klp_object objs[] = {
	{ .name = "lab_sleeper", .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init lab_sleeper_patch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lab_sleeper_patch_exit(void)
{
}

module_init(lab_sleeper_patch_init);
module_exit(lab_sleeper_patch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
