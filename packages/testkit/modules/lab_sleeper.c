// SPDX-License-Identifier: GPL-2.0
/* A kernel thread that stays in one function: nothing can patch that function while it is there. */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

static struct task_struct *sleeper;

static noinline int lab_sleep(void *unused)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static int __init lab_sleeper_init(void)
{
	sleeper = kthread_run(lab_sleep, NULL, "lab_sleeper");
	return PTR_ERR_OR_ZERO(sleeper);
}

static void __exit lab_sleeper_exit(void)
{
	kthread_stop(sleeper);
}

module_init(lab_sleeper_init);
module_exit(lab_sleeper_exit);
MODULE_LICENSE("GPL");
