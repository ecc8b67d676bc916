// SPDX-License-Identifier: GPL-2.0
/* A fix gone wrong: whoever reads /proc/cmdline next stops the machine. */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int host_crash_show(struct seq_file *m, void *v)
{
	panic("host: a fix gone wrong");
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = host_crash_show },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = false };

static int __init host_crash_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit host_crash_exit(void)
{
}

module_init(host_crash_init);
module_exit(host_crash_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
