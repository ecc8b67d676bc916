// SPDX-License-Identifier: GPL-2.0
/*
 * Words of the kernel's variables that a fix begins with another value: put where the old one stands when every task runs the new code, and put
 * back before the first goes to the old. Nothing can be refused then any more, so that it is looked at before.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <suture.h>

/*
 * packages/diff/src/emit.ts writes them. Those of an older livepatch are read here, by the state of the word: another form of it is another version
 * of that state.
 */
struct suture_live_word {
	void *where;
	unsigned long old;
	unsigned long now;
	unsigned long state;
	const char *name;
	/* What is there before. */
	unsigned long from;
	unsigned int bytes;
	unsigned int flags;
	unsigned int in;
	unsigned int spare;
};

#define SUTURE_LIVE_HOLDS 1
#define SUTURE_LIVE_READ_ONLY 2
#define SUTURE_LIVE_EMPTIES 4

struct suture_live_list {
	/* NULL for vmlinux. */
	const char *module;
	struct suture_live_word *words;
	unsigned int count;
};

#include "suture_live_lists.h"

static bool suture_live_is_of(const struct suture_live_list *list, struct klp_object *obj)
{
	return list->module && obj->name ? !strcmp(list->module, obj->name) : !list->module && !obj->name;
}

/* Each word of an object of the kernel. */
#define suture_live_each(list, word, obj) \
	for (list = suture_live_lists; list < suture_live_lists + ARRAY_SIZE(suture_live_lists); list++) \
		for (word = list->words; suture_live_is_of(list, obj) && word < list->words + list->count; word++)

static unsigned long suture_live_read(const struct suture_live_word *word)
{
	switch (word->bytes) {
	case 1:
		return READ_ONCE(*(u8 *)word->where);
	case 2:
		return READ_ONCE(*(u16 *)word->where);
	case 4:
		return READ_ONCE(*(u32 *)word->where);
	default:
		return READ_ONCE(*(unsigned long *)word->where);
	}
}

static bool suture_live_has(const struct suture_live_word *word, unsigned long value)
{
	return suture_live_read(word) == value;
}

/* A value is another's to keep once it is not the one that is meant. */
static bool suture_live_exchange_at(const struct suture_live_word *word, void *at, unsigned long from, unsigned long to)
{
	switch (word->bytes) {
	case 1:
		return cmpxchg((u8 *)at, (u8)from, (u8)to) == (u8)from;
	case 2:
		return cmpxchg((u16 *)at, (u16)from, (u16)to) == (u16)from;
	case 4:
		return cmpxchg((u32 *)at, (u32)from, (u32)to) == (u32)from;
	default:
		return cmpxchg((unsigned long *)at, from, to) == from;
	}
}

/* What is read-only where it is has another place, for as long as it is written: the kernel's own way with its code. */
static void *suture_live_map(const struct suture_live_list *list, const struct suture_live_word *word)
{
	struct page *page;
	void *base;

	if (!(word->flags & SUTURE_LIVE_READ_ONLY))
		return word->where;
	page = list->module ? vmalloc_to_page(word->where) : virt_to_page(lm_alias(word->where));
	base = page ? vmap(&page, 1, VM_MAP, PAGE_KERNEL) : NULL;
	if (!base)
		return NULL;
	/* It is the same memory, or it is not written. */
	if (!memcmp(base + offset_in_page(word->where), word->where, word->bytes))
		return base + offset_in_page(word->where);
	vunmap(base);
	return NULL;
}

static void suture_live_unmap(const struct suture_live_word *word, void *at)
{
	if (at && at != word->where)
		vunmap((void *)((unsigned long)at & PAGE_MASK));
}

/* All words of an object of the kernel. */
struct suture_live_change {
	struct klp_object *obj;
	/* Where each can be written. */
	void **at;
};

/* All words come or none, so that no entry of a table is there by half. */
static int suture_live_put_all(void *data)
{
	struct suture_live_change *change = data;
	const struct suture_live_list *list;
	struct suture_live_word *word;
	void **at = change->at;

	suture_live_each(list, word, change->obj)
		if (!*at++ || !suture_live_has(word, word->from))
			return -EBUSY;
	at = change->at;
	suture_live_each(list, word, change->obj)
		word->in = suture_live_exchange_at(word, *at++, word->from, word->now);
	return 0;
}

static int suture_live_put_all_back(void *data)
{
	struct suture_live_change *change = data;
	const struct suture_live_list *list;
	struct suture_live_word *word;
	void **at = change->at;

	suture_live_each(list, word, change->obj) {
		if (word->in && *at && suture_live_exchange_at(word, *at, word->now, word->old)) {
			/* A disable that is turned back puts what is there now. */
			word->from = word->old;
			word->in = 0;
		}
		at++;
	}
	return 0;
}

/*
 * Several words are exchanged while no processor does anything else, so that nobody meets one without the other; so is what empties a place: nobody is
 * between a look whether a function is there and its call.
 */
static void suture_live_change(struct klp_object *obj, bool back)
{
	int (*exchange)(void *data) = back ? suture_live_put_all_back : suture_live_put_all;
	struct suture_live_change change = { .obj = obj };
	const struct suture_live_list *list;
	struct suture_live_word *word;
	unsigned int count = 0;
	bool alone = false;
	void **at;

	suture_live_each(list, word, obj)
		alone |= ++count > 1 || (word->flags & SUTURE_LIVE_EMPTIES && !(back ? word->old : word->now));
	change.at = at = kcalloc(count, sizeof(*at), GFP_KERNEL);
	if (!at)
		return;
	suture_live_each(list, word, obj)
		*at++ = suture_live_map(list, word);
	if (alone)
		stop_machine(exchange, &change, NULL);
	else
		exchange(&change);
	at = change.at;
	suture_live_each(list, word, obj)
		suture_live_unmap(word, *at++);
	kfree(change.at);
}

/*
 * From the look of vmlinux, which is the first object, until all tasks run the new code: only then the kernel tells of the livepatch that this one
 * replaces, also to a module that comes in between.
 */
static bool suture_live_coming;

/* The word of the livepatch that this one replaces. */
static const struct suture_live_word *suture_live_before(const struct suture_live_word *word)
{
	struct klp_state *state;
	const struct suture_live_word *before;

	if (!suture_patch.replace || !suture_live_coming)
		return NULL;
	state = klp_get_prev_state(word->state);
	before = state && state->version == 1 ? state->data : NULL;
	return before && before->where == word->where && before->bytes == word->bytes ? before : NULL;
}

static int suture_live_look(struct klp_object *obj)
{
	const struct suture_live_list *list;
	struct suture_live_word *word;

	if (!obj->name)
		suture_live_coming = true;
	suture_live_each(list, word, obj) {
		const struct suture_live_word *before = suture_live_before(word);

		word->in = 0;
		word->from = before && !suture_live_has(word, word->old) ? before->now : word->old;
		if ((unsigned long)word->where & (word->bytes - 1) || !suture_live_has(word, word->from)) {
			pr_err("%s: %s of %s holds neither what the kernel was built with nor what a livepatch has put there: it stays as it is\n",
			       KBUILD_MODNAME, word->name, list->module ?: "vmlinux");
			return -EBUSY;
		}
	}
	return 0;
}

static void suture_live_put(struct klp_object *obj)
{
	static bool suture_live_held;
	const struct suture_live_list *list;
	struct suture_live_word *word;

	if (!obj->name)
		suture_live_coming = false;
	/* Nobody can say when the last task has left a function that it came to by this pointer, whichever object it is of. */
	suture_live_each(list, word, obj)
		if (!suture_live_held && (word->flags & SUTURE_LIVE_HOLDS || within_module(word->now, THIS_MODULE))) {
			__module_get(THIS_MODULE);
			suture_live_held = true;
		}
	suture_live_change(obj, false);
	suture_live_each(list, word, obj) {
		struct klp_state *state = klp_get_state(&suture_patch, word->state);

		if (!word->in)
			pr_err("%s: %s of %s stays as it is: of what is changed with it something has been changed by another meanwhile, or there is no memory\n",
			       KBUILD_MODNAME, word->name, list->module ?: "vmlinux");
		else if (state)
			state->data = word;
	}
}

static void suture_live_put_back(struct klp_object *obj)
{
	const struct suture_live_list *list;
	struct suture_live_word *word;

	suture_live_change(obj, true);
	suture_live_each(list, word, obj) {
		if (word->in)
			pr_err("%s: %s of %s has been changed by another, or there is no memory: it is not put back\n", KBUILD_MODNAME, word->name,
			       list->module ?: "vmlinux");
		word->in = 0;
	}
}

/* Whether it holds what was put there. A module's variable may go at any time. */
static bool suture_live_is_in(const struct suture_live_word *word)
{
	unsigned long there = 0, now = word->now;

	return word->in && !copy_from_kernel_nofault(&there, word->where, word->bytes) && !memcmp(&there, &now, word->bytes);
}

/* For who asks whether they are in. */
static int suture_live_show(char *buffer, const struct kernel_param *param)
{
	unsigned int i, j;
	int length = 0;

	for (i = 0; i < ARRAY_SIZE(suture_live_lists); i++)
		for (j = 0; j < suture_live_lists[i].count; j++) {
			const struct suture_live_word *word = &suture_live_lists[i].words[j];

			length += scnprintf(buffer + length, PAGE_SIZE - length, "%s %s %s\n", suture_live_is_in(word) ? "in" : "out",
					    suture_live_lists[i].module ?: "vmlinux", word->name);
		}
	return length;
}

static const struct kernel_param_ops suture_live_ops = { .get = suture_live_show };
module_param_cb(live_data, &suture_live_ops, NULL, 0444);
