/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The macros that patches written for the kernel's klp-build use, with the same meaning. See docs/kpatch-patches.md.
 */
#ifndef SUTURE_LINUX_LIVEPATCH_HELPERS_H
#define SUTURE_LINUX_LIVEPATCH_HELPERS_H

#include <linux/livepatch.h>
#include <linux/static_call.h>
#include <linux/syscalls.h>
#include "../marks.h"

#define KLP_PRE_PATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(pre_patch, typeof(int (*)(struct klp_object *)), function)
#define KLP_POST_PATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(post_patch, typeof(void (*)(struct klp_object *)), function)
#define KLP_PRE_UNPATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(pre_unpatch, typeof(void (*)(struct klp_object *)), function)
#define KLP_POST_UNPATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(post_unpatch, typeof(void (*)(struct klp_object *)), function)

/* static_call() that reads where to go when it runs. */
#define KLP_STATIC_CALL(name) ((typeof(&STATIC_CALL_TRAMP(name)))READ_ONCE(STATIC_CALL_KEY(name).func))

#define KLP_SYSCALL_DEFINE0 SYSCALL_DEFINE0
#define KLP_SYSCALL_DEFINE1 SYSCALL_DEFINE1
#define KLP_SYSCALL_DEFINE2 SYSCALL_DEFINE2
#define KLP_SYSCALL_DEFINE3 SYSCALL_DEFINE3
#define KLP_SYSCALL_DEFINE4 SYSCALL_DEFINE4
#define KLP_SYSCALL_DEFINE5 SYSCALL_DEFINE5
#define KLP_SYSCALL_DEFINE6 SYSCALL_DEFINE6
#define KLP_SYSCALL_DEFINEx SYSCALL_DEFINEx

#endif
