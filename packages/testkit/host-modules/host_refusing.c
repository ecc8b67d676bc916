// SPDX-License-Identifier: GPL-2.0
/* Would replace what /proc/cmdline shows, and finds that it must not. */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int host_refusing_show(struct seq_file *m, void *v)
{
	seq_puts(m, "never\n");
	return 0;
}

static int host_refusing_before(struct klp_object *obj)
{
	return -EBUSY;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = host_refusing_show },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs, .callbacks = { .pre_patch = host_refusing_before } },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init host_refusing_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit host_refusing_exit(void)
{
}

module_init(host_refusing_init);
module_exit(host_refusing_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
