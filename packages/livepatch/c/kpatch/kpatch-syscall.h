/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls in patches written for kpatch. The kernel's own macros will do: what they make besides the code stays as it is, and where the
 * function with the body has no ftrace entry, the one that calls it is replaced.
 */
#ifndef SUTURE_KPATCH_SYSCALL_H
#define SUTURE_KPATCH_SYSCALL_H

#include <linux/syscalls.h>
#include "kpatch-macros.h"

#define KPATCH_SYSCALL_DEFINE0 SYSCALL_DEFINE0
#define KPATCH_SYSCALL_DEFINE1 SYSCALL_DEFINE1
#define KPATCH_SYSCALL_DEFINE2 SYSCALL_DEFINE2
#define KPATCH_SYSCALL_DEFINE3 SYSCALL_DEFINE3
#define KPATCH_SYSCALL_DEFINE4 SYSCALL_DEFINE4
#define KPATCH_SYSCALL_DEFINE5 SYSCALL_DEFINE5
#define KPATCH_SYSCALL_DEFINE6 SYSCALL_DEFINE6
#define KPATCH_SYSCALL_DEFINEx SYSCALL_DEFINEx

#endif
