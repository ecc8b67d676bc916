/** Where a variable lives: whether the running kernel has it at all, and who may write it. */
import { type Section, SHF } from "@suture/elf";
import type { Item } from "./items.ts";

/** "late": writable until the kernel has booted, or its module was loaded. "once" and other kinds of writable memory are one. */
export type Home = "writable" | "late" | "read-only" | "per-CPU" | "boot";

export function homeOf({ role, section }: Pick<Item, "role" | "section">): Home | undefined {
  switch (role) {
    case "data":
      return isLate(section) ? "late" : "writable";
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

function isLate({ name }: Section): boolean {
  return /^\.data\.\.ro_after_init\b/.test(name);
}

/** Of a module that is loaded: whether its memory is read-only by then. */
export function isReadOnlySection(section: Section): boolean {
  return isLate(section) || (section.flags & (SHF.ALLOC | SHF.WRITE)) === SHF.ALLOC;
}
