// SPDX-License-Identifier: GPL-2.0
/*
 * Functions of the kernel without an ftrace entry, whose calls a kprobe at their first instruction sends on to new ones.
 *
 * Each call moves over by itself, at the moment when the probe is armed: that is when every task runs the other new functions, so that no old one of these
 * meets a new one of those. Nothing can be refused then any more, so that the probes are registered before, and are not armed; and since a disable that is
 * turned back arms them again without a chance to refuse, they are disarmed before the first task goes back, and unregistered when all have.
 *
 * The livepatch core looks for nobody in these functions. So the module stays once a probe was armed: somebody may sleep in a new one for as long as he likes.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <suture.h>

/*
 * packages/diff/src/emit.ts writes them. Those of an older livepatch are read here, by the state of the function: another form of it is another version
 * of that state.
 */
struct suture_redirect {
	void *where;
	void *now;
	unsigned long state;
	const char *name;
	struct kprobe *probe;
	/* Of the livepatch that this one replaces; its module stays. */
	struct suture_redirect *before;
	unsigned int registered;
	unsigned int on;
};

struct suture_redirect_list {
	/* NULL for vmlinux. */
	const char *module;
	struct suture_redirect *redirects;
	unsigned int count;
	/* Of its probes, among all. */
	unsigned int first;
};

struct suture_redirect_probe {
	struct kprobe probe;
	const struct suture_redirect *redirect;
};

#include "suture_redirect_lists.h"

static void suture_redirect_remove(struct klp_object *obj);

static struct suture_redirect_probe suture_redirect_probes[SUTURE_REDIRECTS];

/* From vmlinux, which is the first object, until all tasks run the new code: only then the kernel tells of the livepatch that this one replaces. */
static bool suture_redirect_coming;

static notrace int suture_redirect_handle(struct kprobe *probe, struct pt_regs *regs)
{
	instruction_pointer_set(regs, (unsigned long)container_of(probe, struct suture_redirect_probe, probe)->redirect->now);
	/* The instruction under the probe is not executed. */
	return 1;
}
NOKPROBE_SYMBOL(suture_redirect_handle);

/* With one, the kernel does not make the probe a jump, which would go on behind the instruction whatever the handler says. */
static notrace void suture_redirect_after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(suture_redirect_after);

static bool suture_redirect_is_of(const struct suture_redirect_list *list, struct klp_object *obj)
{
	return list->module && obj->name ? !strcmp(list->module, obj->name) : !list->module && !obj->name;
}

/* What is to be taken over is the probe of the livepatch that this one replaces: two that stand on each other do not know when to go. */
static int suture_redirect_find_before(struct suture_redirect *redirect)
{
	struct klp_state *state = suture_redirect_coming ? klp_get_prev_state(redirect->state) : NULL;
	struct suture_redirect *before;

	redirect->before = NULL;
	if (!state)
		return 0;
	if (!suture_patch.replace) {
		pr_err("%s: another livepatch redirects %s, and is not replaced by this one\n", KBUILD_MODNAME, redirect->name);
		return -EBUSY;
	}
	before = state->version == 1 ? state->data : NULL;
	if (before && before->where == redirect->where)
		redirect->before = before;
	return 0;
}

static int suture_redirect_register(struct suture_redirect *redirect, struct suture_redirect_probe *at)
{
	struct kprobe *probe = &at->probe;
	int error = suture_redirect_find_before(redirect);

	if (error)
		return error;
	memset(probe, 0, sizeof(*probe));
	at->redirect = redirect;
	probe->addr = redirect->where;
	probe->pre_handler = suture_redirect_handle;
	probe->post_handler = suture_redirect_after;
	probe->flags = KPROBE_FLAG_DISABLED;
	error = register_kprobe(probe);
	if (error) {
		pr_err("%s: the kernel does not allow a probe of %s: error %d\n", KBUILD_MODNAME, redirect->name, error);
		return error;
	}
	/* Where ftrace has an entry the probe would be ftrace's, which goes on in the old function. */
	if (kprobe_ftrace(probe)) {
		unregister_kprobe(probe);
		pr_err("%s: %s has an ftrace entry\n", KBUILD_MODNAME, redirect->name);
		return -EINVAL;
	}
	redirect->probe = probe;
	redirect->registered = 1;
	return 0;
}

static int suture_redirect_prepare(struct klp_object *obj)
{
	unsigned int i, j;

	if (!obj->name)
		suture_redirect_coming = true;
	for (i = 0; i < ARRAY_SIZE(suture_redirect_lists); i++) {
		const struct suture_redirect_list *list = &suture_redirect_lists[i];

		if (!suture_redirect_is_of(list, obj))
			continue;
		for (j = 0; j < list->count; j++) {
			int error = suture_redirect_register(&list->redirects[j], &suture_redirect_probes[list->first + j]);

			if (error) {
				suture_redirect_remove(obj);
				return error;
			}
		}
	}
	return 0;
}

/* A call comes to one of both probes all the time, to the newer one if both are armed. */
static void suture_redirect_take_over(struct suture_redirect *redirect)
{
	struct suture_redirect *before = redirect->before;

	redirect->before = NULL;
	if (!before || !before->registered)
		return;
	before->on = 0;
	before->registered = 0;
	unregister_kprobe(before->probe);
}

static void suture_redirect_arm(struct klp_object *obj)
{
	static bool suture_redirect_held;
	unsigned int i, j;

	if (!obj->name)
		suture_redirect_coming = false;
	for (i = 0; i < ARRAY_SIZE(suture_redirect_lists); i++) {
		const struct suture_redirect_list *list = &suture_redirect_lists[i];

		if (!suture_redirect_is_of(list, obj))
			continue;
		for (j = 0; j < list->count; j++) {
			struct suture_redirect *redirect = &list->redirects[j];
			struct klp_state *state = klp_get_state(&suture_patch, redirect->state);
			int error;

			if (!redirect->registered)
				continue;
			if (!suture_redirect_held) {
				__module_get(THIS_MODULE);
				suture_redirect_held = true;
			}
			error = enable_kprobe(redirect->probe);
			if (error) {
				pr_err("%s: the probe of %s cannot be armed: error %d\n", KBUILD_MODNAME, redirect->name, error);
				continue;
			}
			redirect->on = 1;
			if (state)
				state->data = redirect;
			suture_redirect_take_over(redirect);
		}
	}
}

static void suture_redirect_disarm(struct klp_object *obj)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(suture_redirect_lists); i++) {
		const struct suture_redirect_list *list = &suture_redirect_lists[i];

		if (!suture_redirect_is_of(list, obj))
			continue;
		for (j = 0; j < list->count; j++) {
			struct suture_redirect *redirect = &list->redirects[j];

			/* Where the module that has the function is going, the kernel has taken the probe away already. */
			if (redirect->on && disable_kprobe(redirect->probe) && !kprobe_gone(redirect->probe))
				pr_err("%s: the probe of %s cannot be disarmed\n", KBUILD_MODNAME, redirect->name);
			redirect->on = 0;
		}
	}
}

static void suture_redirect_remove(struct klp_object *obj)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(suture_redirect_lists); i++) {
		const struct suture_redirect_list *list = &suture_redirect_lists[i];

		if (!suture_redirect_is_of(list, obj))
			continue;
		for (j = 0; j < list->count; j++) {
			struct suture_redirect *redirect = &list->redirects[j];

			if (redirect->registered)
				unregister_kprobe(redirect->probe);
			redirect->registered = 0;
			redirect->on = 0;
			redirect->before = NULL;
		}
	}
}

/* Somebody may have disarmed all probes of the kernel, or do so at any time. A module's function may go at any time. */
static bool suture_redirect_is_in(const struct suture_redirect *redirect)
{
	kprobe_opcode_t there;

	return redirect->registered && redirect->on && !copy_from_kernel_nofault(&there, redirect->probe->addr, sizeof(there)) &&
	       memcmp(&there, &redirect->probe->opcode, sizeof(there));
}

/* For who asks whether they are in, and how many calls came to the old one meanwhile: those that other probes' handlers made. */
static int suture_redirect_show(char *buffer, const struct kernel_param *param)
{
	unsigned int i, j;
	int length = 0;

	for (i = 0; i < ARRAY_SIZE(suture_redirect_lists); i++)
		for (j = 0; j < suture_redirect_lists[i].count; j++) {
			const struct suture_redirect *redirect = &suture_redirect_lists[i].redirects[j];

			length += scnprintf(buffer + length, PAGE_SIZE - length, "%s %s %s %lu\n", suture_redirect_is_in(redirect) ? "in" : "out",
					    suture_redirect_lists[i].module ?: "vmlinux", redirect->name,
					    redirect->registered ? redirect->probe->nmissed : 0);
		}
	return length;
}

static const struct kernel_param_ops suture_redirect_ops = { .get = suture_redirect_show };
module_param_cb(redirects, &suture_redirect_ops, NULL, 0444);
