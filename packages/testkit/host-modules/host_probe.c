// SPDX-License-Identifier: GPL-2.0
/* A kprobe with a post-handler, which holds its function as a livepatch does. */
#include <linux/kprobes.h>
#include <linux/module.h>

static void host_after(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe = { .symbol_name = "cmdline_proc_show", .post_handler = host_after };

static int __init host_probe_init(void)
{
	return register_kprobe(&probe);
}

static void __exit host_probe_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(host_probe_init);
module_exit(host_probe_exit);
MODULE_LICENSE("GPL");
