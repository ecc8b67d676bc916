/** Where a variable lives: whether the running kernel has it at all, and who may write it. */
import type { Item } from "./items.ts";

/** "late": writable until the kernel has booted, or its module was loaded. "once" and other kinds of writable memory are one. */
export type Home = "writable" | "late" | "read-only" | "per-CPU" | "boot";

export function homeOf({ role, section }: Pick<Item, "role" | "section">): Home | undefined {
  switch (role) {
    case "data":
      return /^\.data\.\.ro_after_init\b/.test(section.name) ? "late" : "writable";
    case "once":
      return "writable";
    case "rodata":
      return "read-only";
    case "percpu":
      return "per-CPU";
    case "init":
    case "exit":
      return "boot";
    default:
      return undefined;
  }
}

/** For people. */
export const HOMES: Record<Home, string> = {
  writable: "writable",
  late: "read-only after boot",
  "read-only": "read-only",
  "per-CPU": "per-CPU",
  boot: "freed after boot",
};

export function isReadOnly(home: Home | undefined): boolean {
  return home === "late" || home === "read-only";
}
