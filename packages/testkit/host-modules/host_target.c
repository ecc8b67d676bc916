// SPDX-License-Identifier: GPL-2.0
/* Two functions that tasks stay in: host_serve, which a kernel thread never leaves, and host_wait, in which readers of /proc/host_wait sleep. */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

static bool thread;
module_param(thread, bool, 0444);

static struct task_struct *server;

static noinline int host_serve(void *unused)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static noinline int host_wait(struct seq_file *m, void *v)
{
	/* Real signals only: the kernel's own nudge, after 15 s, must not be faster than the one that is tested. */
	while (!task_sigpending(current))
		schedule_timeout_uninterruptible(HZ / 10);
	return -ERESTARTSYS;
}

static int __init host_target_init(void)
{
	if (!proc_create_single("host_wait", 0444, NULL, host_wait))
		return -ENOMEM;
	if (thread)
		server = kthread_run(host_serve, NULL, "host_server");
	return PTR_ERR_OR_ZERO(server);
}

static void __exit host_target_exit(void)
{
	if (server)
		kthread_stop(server);
	remove_proc_entry("host_wait", NULL);
}

module_init(host_target_init);
module_exit(host_target_exit);
MODULE_LICENSE("GPL");
