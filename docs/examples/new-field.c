// SPDX-License-Identifier: GPL-2.0
/*
 * A new field in a structure whose objects are alive: how often a host name was read, for each UTS namespace. struct uts_namespace stays as it
 * is; the field is a shadow variable. Namespaces that were there before the livepatch get it when the new code first meets them, like later ones.
 */
#include <linux/cred.h>
#include <linux/proc_ns.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <linux/version.h>
#ifndef ns_free_inum
#include <linux/nstree.h>
#endif
#include <suture.h>

SUTURE_SHADOW(reads, 0x5355540001, atomic_t);

static int new_version_proc_show(struct seq_file *m, void *v)
{
	struct uts_namespace *ns = current->nsproxy->uts_ns;
	atomic_t *count = reads_get_or_alloc(ns, GFP_KERNEL);

	seq_printf(m, linux_proc_banner, ns->name.sysname, ns->name.release, ns->name.version);
	/* Without memory for the field the old behaviour is what is left. */
	if (count)
		seq_printf(m, "reads of %s: %d\n", ns->name.nodename, atomic_inc_return(count));
	return 0;
}
SUTURE_REPLACE("vmlinux", version_proc_show, new_version_proc_show);

/* Where an object ends its field must end too: another object may come to lie at the same address. How a namespace ends is another thing in each age. */
#ifndef ns_free_inum /* since 6.18 */
static void new_free_uts_ns(struct uts_namespace *ns)
{
	reads_free(ns);
	ns_tree_remove(ns);
	dec_ucount(ns->ucounts, UCOUNT_UTS_NAMESPACES);
	put_user_ns(ns->user_ns);
	ns_common_free(ns);
	kfree_rcu(ns, ns.ns_rcu);
}
#else
/* The cache is static in kernel/utsname.c. Nothing else in the kernel has that name, so that is all there is to say. */
extern struct kmem_cache *uts_ns_cache;

static void end_uts_ns(struct uts_namespace *ns)
{
	reads_free(ns);
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
