// SPDX-License-Identifier: GPL-2.0
/*
 * A system call: sethostname() refuses control characters. SYSCALL_DEFINE2 makes two entries of it, one for 64-bit and one for 32-bit programs;
 * both have to be replaced. An entry gets the registers of its caller.
 */
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/ptrace.h>
#include <linux/random.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <suture.h>

extern struct rw_semaphore uts_sem;

static long set_host_name(const char __user *from, int length)
{
	struct uts_namespace *ns = current->nsproxy->uts_ns;
	char name[__NEW_UTS_LEN + 1] = "";
	int i;

	if (!ns_capable(ns->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (length < 0 || length > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_user(name, from, length))
		return -EFAULT;
	for (i = 0; i < length; i++)
		if (iscntrl(name[i]))
			return -EINVAL;
	add_device_randomness(name, length);
	down_write(&uts_sem);
	memcpy(ns->name.nodename, name, sizeof(ns->name.nodename));
	uts_proc_notify(UTS_PROC_HOSTNAME);
	up_write(&uts_sem);
	return 0;
}

static long new_x64(const struct pt_regs *regs)
{
	return set_host_name((const char __user *)regs->di, regs->si);
}
SUTURE_REPLACE("vmlinux", __x64_sys_sethostname, new_x64);

static long new_ia32(const struct pt_regs *regs)
{
	return set_host_name((const char __user *)(unsigned long)(u32)regs->bx, regs->cx);
}
SUTURE_REPLACE("vmlinux", __ia32_sys_sethostname, new_ia32);
