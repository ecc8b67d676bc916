// SPDX-License-Identifier: GPL-2.0
/* Patches both. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int host_new_serve(void *unused)
{
	return 0;
}

static int host_new_wait(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "host_serve", .new_func = host_new_serve },
	{ .old_name = "host_wait", .new_func = host_new_wait },
	{ }
};

static struct klp_object objs[] = {
	{ .name = "host_target", .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init host_target_patch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit host_target_patch_exit(void)
{
}

module_init(host_target_patch_init);
module_exit(host_target_patch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
