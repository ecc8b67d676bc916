/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The macros that patches written for kpatch use, with the same meaning. See docs/kpatch-patches.md.
 */
#ifndef SUTURE_KPATCH_MACROS_H
#define SUTURE_KPATCH_MACROS_H

#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/livepatch.h>
#include <linux/printk.h>
#include <linux/static_call.h>
#include <linux/version.h>
#include "marks.h"

/* What callbacks are given: the part of the kernel, vmlinux or a module, that is patched. */
typedef struct klp_object patch_object;

typedef int (*kpatch_pre_patch_call_t)(patch_object *);
typedef void (*kpatch_post_patch_call_t)(patch_object *);
typedef void (*kpatch_pre_unpatch_call_t)(patch_object *);
typedef void (*kpatch_post_unpatch_call_t)(patch_object *);

/* Before the file's part of the kernel is patched. What is not 0 keeps the livepatch out, or the module that is just loaded. */
#define KPATCH_PRE_PATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(pre_patch, kpatch_pre_patch_call_t, function);
/* When every task runs the new functions. */
#define KPATCH_POST_PATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(post_patch, kpatch_post_patch_call_t, function);
/* Before the first task goes back to the old functions. */
#define KPATCH_PRE_UNPATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(pre_unpatch, kpatch_pre_unpatch_call_t, function);
/* When no task runs the new functions any more. */
#define KPATCH_POST_UNPATCH_CALLBACK(function) SUTURE_MARK_CALLBACK(post_unpatch, kpatch_post_unpatch_call_t, function);

/* Of kpatch before 2018; the core that called them is gone. */
#define KPATCH_LOAD_HOOK(function) _Static_assert(0, "make " #function " a KPATCH_PRE_PATCH_CALLBACK");
#define KPATCH_UNLOAD_HOOK(function) _Static_assert(0, "make " #function " a KPATCH_POST_UNPATCH_CALLBACK");

/* What differs in this section of the object is not part of the fix. */
#define KPATCH_IGNORE_SECTION(name) SUTURE_MARK_NAME(".kpatch.ignore.sections", name);
/* That this function differs is not part of the fix. */
#define KPATCH_IGNORE_FUNCTION(function) SUTURE_MARK_FUNCTION(".kpatch.ignore.functions", function);
/* Its old and its new code may run at the same time. The livepatch core waits all the same: it cannot be told not to. */
#define KPATCH_FORCE_UNSAFE(function) SUTURE_MARK_FUNCTION(".kpatch.force", function);

/* A message whose code the compiler does not move away as unlikely. */
#define KPATCH_PRINTK(format, ...)                       \
	({                                               \
		if (jiffies)                             \
			printk(format, ##__VA_ARGS__);   \
	})
#define KPATCH_PRINTK_DEFERRED(format, ...)                       \
	({                                                        \
		if (jiffies)                                      \
			printk_deferred(format, ##__VA_ARGS__);   \
	})

/* static_call() that reads where to go when it runs. */
#define KPATCH_STATIC_CALL(name) ((typeof(&STATIC_CALL_TRAMP(name)))READ_ONCE(STATIC_CALL_KEY(name).func))

#endif
