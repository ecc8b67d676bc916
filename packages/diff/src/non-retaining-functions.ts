/**
 * Functions of the kernel that only read what their arguments point to: when they return, nothing holds the pointers. Source: their definitions
 * in kernel/printk, kernel/workqueue.c, lib (vsprintf.c,
 * string.c, string_helpers.c, kobject.c, dynamic_debug.c), drivers/base/core.c, net/core (dev.c, xdp.c), fs/seq_file.c, fs/sysfs/file.c.
 */
const readers: ReadonlySet<string> = new Set([
  ..."_printk _printk_deferred vprintk panic __warn_printk print_hex_dump ___ratelimit audit_log_format".split(" "),
  ..."_dev_printk _dev_emerg _dev_alert _dev_crit _dev_err _dev_warn _dev_notice _dev_info".split(" "),
  ..."netdev_printk netdev_emerg netdev_alert netdev_crit netdev_err netdev_warn netdev_notice netdev_info".split(" "),
  ..."dev_set_name kobject_set_name alloc_workqueue fortify_panic __fortify_panic __fortify_report xdp_warn".split(" "),
  ..."__dynamic_pr_debug __dynamic_dev_dbg __dynamic_netdev_dbg".split(" "),
  ..."sprintf snprintf scnprintf vsnprintf vscnprintf kasprintf sysfs_emit sysfs_emit_at seq_printf seq_puts seq_write".split(" "),
  ..."strcmp strncmp strcasecmp strncasecmp strlen strnlen memcmp sysfs_streq".split(" "),
  ..."strcpy strncpy strscpy strscpy_pad sized_strscpy strlcpy strcat strncat strlcat kstrdup kstrndup".split(" "),
]);

export function onlyReads(name: string): boolean {
  return readers.has(name);
}

/** Copy what they are given a pointer to, with the pointers in it: nobody holds the one to the original, but those inside live on. Source: lib/string.c, mm/util.c. */
const copiers: ReadonlySet<string> = new Set(
  "memcpy __memcpy memmove __memmove kmemdup kmemdup_noprof kvmemdup kmemdup_array devm_kmemdup".split(" "),
);

export function copies(name: string): boolean {
  return copiers.has(name);
}
