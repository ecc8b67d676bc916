/**
 * Where kernels that can be built for come from. A provider is one such place: Debian's archive with what is installed of it (debian/), or a
 * tree that somebody prepared (tree/). Another distribution is another folder with such an object.
 */
import type { Task } from "@suture/task";
import type { Configuration } from "./configuration.ts";
import type { Finding } from "./findings.ts";
import type { Target } from "./target.ts";

export interface Provider {
  /** The releases that it may have, the newest first. */
  list(task: Task): Promise<string[]>;
  /** A kernel, ready to build for. What is there already is not made again. @throws KERNEL_*, SOURCE_*, ARCHIVE_*, TREE_*, CACHE_* */
  prepare(task: Task, release: string): Promise<Target>;
  /** Without preparing it: undefined where it is nowhere on this machine. @throws KERNEL_BAD_CONFIG, SOURCE_CONFIG, TREE_* */
  configuration(release: string): Promise<Configuration | undefined>;
  /** What of this machine and of the kernel keeps it from being live-patched or built for. @throws CANCELLED */
  examine(task: Task, release: string): Promise<Finding[]>;
}
