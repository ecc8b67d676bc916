// SPDX-License-Identifier: GPL-2.0
/* Replaces what /proc/cmdline shows. The parameter makes it misbehave, in the new function or while it is loaded. */
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>

static char *fault = "none";
module_param(fault, charp, 0444);

static int *lab_nowhere;

static noinline void misbehave(const char *how)
{
	if (!strcmp(how, "warn"))
		WARN(1, "lab: as asked\n");
	else if (!strcmp(how, "oops"))
		WRITE_ONCE(*lab_nowhere, 1);
	else if (!strcmp(how, "bug"))
		BUG();
	else if (!strcmp(how, "panic"))
		panic("lab: as asked");
	else if (!strcmp(how, "hang"))
		for (;;)
			cpu_relax();
	else if (!strcmp(how, "freeze")) {
		local_irq_disable();
		for (;;)
			cpu_relax();
	} else if (!strcmp(how, "sleep"))
		/* Who has just woken up is not blocked when the kernel is asked who is. */
		for (;;)
			msleep(3600 * 1000);
}

static int lab_cmdline_show(struct seq_file *m, void *v)
{
	misbehave(fault);
	seq_puts(m, "patched by the lab\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = lab_cmdline_show },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init lab_patch_init(void)
{
	if (!strcmp(fault, "einval"))
		return -EINVAL;
	if (!strncmp(fault, "load-", 5))
		misbehave(fault + 5);
	return klp_enable_patch(&patch);
}

static void __exit lab_patch_exit(void)
{
}

module_init(lab_patch_init);
module_exit(lab_patch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
