/** What kernels of our own are configured with, besides what the smallest configuration has. */

export interface Configuration {
  /** Of its folder, and at the end of its release. */
  name: string;
  options: readonly string[];
  /** What the smallest has, and this one not. */
  off: readonly string[];
  modules: readonly string[];
  /** What make is given, as NAME=VALUE. */
  make: readonly string[];
  /** That are done to it. */
  tests: readonly string[];
}

/** What the smallest lacks for livepatching, and for a guest that answers on its serial port. */
export const SMALL: Configuration = {
  name: "own",
  options: [
    ...["64BIT", "SMP", "MODULES", "MODULE_UNLOAD", "MODVERSIONS", "PRINTK", "BUG", "DEBUG_KERNEL", "KALLSYMS", "KALLSYMS_ALL"],
    ...["FTRACE", "FUNCTION_TRACER", "DYNAMIC_FTRACE", "UNWINDER_ORC", "LIVEPATCH"],
    ...["SYSFS", "PROC_FS", "DEBUG_FS", "DEVTMPFS", "TMPFS", "SHMEM", "BLK_DEV_INITRD", "BINFMT_ELF", "BINFMT_SCRIPT"],
    ...["MULTIUSER", "FUTEX", "EPOLL", "POSIX_TIMERS", "TTY", "SERIAL_8250", "SERIAL_8250_CONSOLE", "ACPI", "MAGIC_SYSRQ", "CRYPTO"],
  ],
  off: [],
  modules: ["CRYPTO_MD5", "CRYPTO_SHA256"],
  make: [],
  tests: [],
};

/** One that watches its memory, its locks, its lists and the lives of its objects, with what the tests of docs/means.md change. */
export const INSTRUMENTED: Configuration = {
  name: "instrumented",
  options: [
    ...SMALL.options,
    ...["KASAN", "KASAN_GENERIC", "KASAN_OUTLINE", "KASAN_VMALLOC", "SLUB", "SLUB_DEBUG", "SLUB_DEBUG_ON", "DEBUG_VM"],
    ...["PROVE_LOCKING", "DEBUG_ATOMIC_SLEEP", "DEBUG_LIST", "DEBUG_SG", "DEBUG_NOTIFIERS", "BUG_ON_DATA_CORRUPTION"],
    ...["DEBUG_OBJECTS", "DEBUG_OBJECTS_FREE", "DEBUG_OBJECTS_TIMERS", "DEBUG_OBJECTS_WORK", "DEBUG_OBJECTS_RCU_HEAD"],
    ...["EVENTFD", "TIMERFD", "SIGNALFD", "SYSCTL", "PROC_SYSCTL", "PROC_KCORE", "SYSVIPC", "NAMESPACES", "UTS_NS", "KPROBES", "SECCOMP"],
    ...["NET", "UNIX", "INET", "IP_ADVANCED_ROUTER", "IP_FIB_TRIE_STATS", "NETDEVICES", "NET_CORE", "STACKTRACE", "BPF_SYSCALL"],
  ],
  // Without all that it has to say of its objects the kernel's allocator cannot be watched.
  off: ["SLOB", "SLUB_TINY"],
  modules: ["CRYPTO_MD5", "CRYPTO_SHA256", "DUMMY"],
  // Variables are not watched: each object would have a constructor that hands over a table of them, which nothing tells from that of another object.
  make: [
    `CFLAGS_KASAN=-fsanitize=kernel-address -fasan-shadow-offset=$(CONFIG_KASAN_SHADOW_OFFSET) ${[
      "asan-globals=0",
      "asan-stack=1",
      "asan-instrument-allocas=1",
      "asan-instrumentation-with-call-threshold=0",
    ]
      .map((parameter) => `--param ${parameter}`)
      .join(" ")}`,
  ],
  tests: [
    ...["members", "holes", "means", "tables", "moves", "stack-types", "redirect", "again", "catch-up-means"].map(
      (name) => `test/${name}.e2e.test.ts`,
    ),
  ],
};
