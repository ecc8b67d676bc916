// SPDX-License-Identifier: GPL-2.0
/* Stops the machine when it is loaded. */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int host_panic_show(struct seq_file *m, void *v)
{
	seq_puts(m, "never\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = host_panic_show },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = false };

static int __init host_panic_init(void)
{
	panic("host: as asked");
	return klp_enable_patch(&patch);
}

static void __exit host_panic_exit(void)
{
}

module_init(host_panic_init);
module_exit(host_panic_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
