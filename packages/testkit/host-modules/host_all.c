// SPDX-License-Identifier: GPL-2.0
/* Replaces all livepatches that are loaded. */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int host_all_show(struct seq_file *m, void *v)
{
	seq_puts(m, "all\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = host_all_show },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = true };

static int __init host_all_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit host_all_exit(void)
{
}

module_init(host_all_init);
module_exit(host_all_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
