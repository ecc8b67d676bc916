// SPDX-License-Identifier: GPL-2.0
/*
 * New members of the kernel's structures, which lie beside the objects in shadow variables. An object that has none reads as 0, as one that was there
 * before. There are such variables only while every task runs code that knows them: what is written while a transition lasts is not kept, as if the old
 * code had been there, so that no object can find what an older one at its address has left.
 */
#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <suture.h>

struct suture_member {
	unsigned long id;
	bool on;
	/* The livepatch that this one replaces has it too, and its variables are of use to it until this one is in. */
	bool shared;
};

#include "suture_members_list.h"

void suture_member_load(const void *object, unsigned long id, void *value, unsigned long size);
void suture_member_store(void *object, unsigned long id, const void *value, unsigned long size);
void suture_member_end(const void *object, unsigned long id);

/* Values that there was no memory for, or that were written where none may be had. */
static atomic_long_t suture_members_lost = ATOMIC_LONG_INIT(0);

static int suture_members_lost_get(char *buffer, const struct kernel_param *param)
{
	return scnprintf(buffer, PAGE_SIZE, "%ld\n", atomic_long_read(&suture_members_lost));
}

static const struct kernel_param_ops suture_members_lost_ops = {
	.get = suture_members_lost_get,
};

module_param_cb(members_lost, &suture_members_lost_ops, NULL, 0444);

static bool suture_member_is_on(unsigned long id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(suture_members); i++)
		if (suture_members[i].id == id)
			return READ_ONCE(suture_members[i].on);
	return false;
}

/* Others may read it meanwhile: never in halves. */
static void suture_member_copy(void *to, const void *from, unsigned long size)
{
	switch (size) {
	case 1:
		WRITE_ONCE(*(u8 *)to, READ_ONCE(*(const u8 *)from));
		break;
	case 2:
		WRITE_ONCE(*(u16 *)to, READ_ONCE(*(const u16 *)from));
		break;
	case 4:
		WRITE_ONCE(*(u32 *)to, READ_ONCE(*(const u32 *)from));
		break;
	case 8:
		WRITE_ONCE(*(u64 *)to, READ_ONCE(*(const u64 *)from));
		break;
	default:
		memcpy(to, from, size);
	}
}

void suture_member_load(const void *object, unsigned long id, void *value, unsigned long size)
{
	void *beside;

	memset(value, 0, size);
	rcu_read_lock();
	if (suture_member_is_on(id)) {
		beside = klp_shadow_get((void *)object, id);
		if (beside)
			suture_member_copy(value, beside, size);
	}
	rcu_read_unlock();
}

void suture_member_store(void *object, unsigned long id, const void *value, unsigned long size)
{
	void *beside;

	rcu_read_lock();
	if (!suture_member_is_on(id))
		goto out;
	beside = klp_shadow_get(object, id);
	/* 0 is what it reads as without one. */
	if (!beside && !memchr_inv(value, 0, size))
		goto out;
	/* The shadow variables have a lock that an NMI may have interrupted. */
	if (!beside && !in_nmi())
		beside = klp_shadow_get_or_alloc(object, id, size, GFP_ATOMIC | __GFP_NOWARN, NULL, NULL);
	if (beside)
		suture_member_copy(beside, value, size);
	else
		atomic_long_inc(&suture_members_lost);
out:
	rcu_read_unlock();
}

void suture_member_end(const void *object, unsigned long id)
{
	/* Most objects have none: looked for without the lock. */
	if (klp_shadow_get((void *)object, id))
		klp_shadow_free((void *)object, id, NULL);
}

/* Members are the livepatch's as a whole: they come and go with vmlinux, which is always there. */
static int suture_members_pre_patch(struct klp_object *obj)
{
	unsigned int i;

	if (obj->name)
		return 0;
	for (i = 0; i < ARRAY_SIZE(suture_members); i++) {
		struct suture_member *member = &suture_members[i];

		if (!klp_get_prev_state(member->id))
			continue;
		if (!suture_patch.replace) {
			pr_err("%s: another livepatch has a member that it brings, and is not replaced by it\n", KBUILD_MODNAME);
			return -EBUSY;
		}
		/* Both know it, and free it where objects end. */
		member->shared = true;
		WRITE_ONCE(member->on, true);
	}
	return 0;
}

static void suture_members_post_patch(struct klp_object *obj)
{
	unsigned int i;

	if (obj->name)
		return;
	for (i = 0; i < ARRAY_SIZE(suture_members); i++) {
		struct suture_member *member = &suture_members[i];

		/* What is left from before a disable that was turned back may be of objects that old code has ended meanwhile. */
		if (!member->on)
			klp_shadow_free_all(member->id, NULL);
		member->shared = false;
		WRITE_ONCE(member->on, true);
	}
}

static void suture_members_stop(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(suture_members); i++)
		WRITE_ONCE(suture_members[i].on, false);
	/* Nobody is about to make one any more. */
	synchronize_rcu();
}

static void suture_members_pre_unpatch(struct klp_object *obj)
{
	if (!obj->name)
		suture_members_stop();
}

static void suture_members_post_unpatch(struct klp_object *obj)
{
	unsigned int i;

	if (obj->name)
		return;
	suture_members_stop();
	for (i = 0; i < ARRAY_SIZE(suture_members); i++)
		/* Where it was to replace another one and did not, they are that one's. */
		if (!suture_members[i].shared)
			klp_shadow_free_all(suture_members[i].id, NULL);
}
