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

extern struct kmem_cache *uts_ns_cache;

static void new_free_uts_ns(struct uts_namespace *ns)
{
	guarded_free(ns);
	dec_ucount(ns->ucounts, UCOUNT_UTS_NAMESPACES);
	put_user_ns(ns->user_ns);
	ns_free_inum(&ns->ns);
	kmem_cache_free(uts_ns_cache, ns);
}
SUTURE_REPLACE("vmlinux", free_uts_ns, new_free_uts_ns);
