// SPDX-License-Identifier: GPL-2.0
/*
 * A lock for objects that never had one: two numbers of a UTS namespace that must change together. The lock is part of a shadow variable, and its
 * constructor makes it ready before anybody can see it. As long as tasks of the old code are about, they do not take the lock: what it guards
 * must bear that, or belong to the new code alone, as here.
 */
#include <linux/cred.h>
#include <linux/proc_ns.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <linux/version.h>
#ifndef ns_free_inum
#include <linux/nstree.h>
#endif
#include <suture.h>

struct guarded {
	spinlock_t lock;
	unsigned long reads;
	unsigned long characters;
};

static int make_ready(void *obj, void *data, void *context)
{
	struct guarded *own = data;

	spin_lock_init(&own->lock);
	return 0;
}
SUTURE_SHADOW_WITH(guarded, 0x5355540002, struct guarded, make_ready, NULL);

static int new_version_proc_show(struct seq_file *m, void *v)
{
	struct uts_namespace *ns = current->nsproxy->uts_ns;
	struct guarded *own = guarded_get_or_alloc(ns, GFP_KERNEL);

	seq_printf(m, linux_proc_banner, ns->name.sysname, ns->name.release, ns->name.version);
	if (!own)
		return 0;
	spin_lock(&own->lock);
	own->reads++;
	own->characters += strlen(ns->name.nodename);
	seq_printf(m, "%lu reads, %lu characters\n", own->reads, own->characters);
	spin_unlock(&own->lock);
	return 0;
}
SUTURE_REPLACE("vmlinux", version_proc_show, new_version_proc_show);

/* As in new-field.c. */
#ifndef ns_free_inum /* since 6.18 */
static void new_free_uts_ns(struct uts_namespace *ns)
{
	guarded_free(ns);
	ns_tree_remove(ns);
	dec_ucount(ns->ucounts, UCOUNT_UTS_NAMESPACES);
	put_user_ns(ns->user_ns);
	ns_common_free(ns);
	kfree_rcu(ns, ns.ns_rcu);
}
#else
extern struct kmem_cache *uts_ns_cache;

static void end_uts_ns(struct uts_namespace *ns)
{
	guarded_free(ns);
	dec_ucount(ns->ucounts, UCOUNT_UTS_NAMESPACES);
	put_user_ns(ns->user_ns);
	ns_free_inum(&ns->ns);
	kmem_cache_free(uts_ns_cache, ns);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
static void new_free_uts_ns(struct kref *kref)
{
	end_uts_ns(container_of(kref, struct uts_namespace, kref));
}
#else
static void new_free_uts_ns(struct uts_namespace *ns)
{
	end_uts_ns(ns);
}
#endif
#endif
SUTURE_REPLACE("vmlinux", free_uts_ns, new_free_uts_ns);
