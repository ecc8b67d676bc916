/** What is looked at of every kernel, wherever it comes from: its options, the cache, and the tools; with what mends each. */
import { archHere } from "@suture/arch";
import { SutureError } from "@suture/errors";
import { onPath } from "@suture/files";
import { type KernelConfig, livepatchObstacles } from "@suture/kernel";
import type { Task } from "@suture/task";
import { openCache } from "./cache/store.ts";

export interface Finding {
  what: string;
  /** "bad" keeps livepatches from being built or loaded; "limited" takes something away. */
  outcome: "good" | "limited" | "bad";
  found: string;
  /** Empty where nothing is to be mended. */
  mend: string;
}

export const good = (what: string, found: string): Finding => ({ what, outcome: "good", found, mend: "" });

/** Whether the cache can be worked in: each build begins with it. @throws CANCELLED */
export async function examineCache(task: Task, cache: string): Promise<Finding> {
  return await attempt(task, "cache", async () => {
    await openCache(cache);
    return good("cache", cache);
  });
}

export function ofConfig(config: KernelConfig, mend: string | ((option: string) => string)): Finding[] {
  const obstacles = livepatchObstacles(config);
  const found = obstacles.map(({ option, outcome, why }) => ({
    what: "option",
    outcome,
    found: `${option} is needed: ${why}`,
    mend: typeof mend === "string" ? mend : mend(option),
  }));
  const bad = obstacles.filter(({ outcome }) => outcome === "bad").length;
  return bad === 0 ? [good("livepatching", "the kernel's options allow it"), ...found] : found;
}

/** What building and trying run, and the package that has it. */
const TOOLS: readonly (readonly [program: string, pack: string, needed: boolean])[] = [
  ["make", "make", true],
  ["ld", "binutils", true],
  ["setpriv", "util-linux", true],
  ["xz", "xz-utils", true],
  ["zstd", "zstd", true],
  ["patch", "patch", true],
  ["busybox", "busybox-static", false],
];

/** @param arch of the kernel; this machine's where it is not known */
export async function tools(task: Task, arch = archHere()): Promise<Finding[]> {
  task.check();
  const emulator = arch === undefined ? [] : [[arch.qemu.program, arch.qemu.package, false] as const];
  const found: Finding[] = [];
  for (const [program, pack, needed] of [...TOOLS, ...emulator])
    if (!(await onPath(program)))
      found.push({
        what: "tools",
        outcome: needed ? "bad" : "limited",
        found: `there is no ${program}${needed ? "" : ": livepatches cannot be tried here"}`,
        mend: `apt-get install ${pack}`,
      });
  return found.length > 0 ? found : [good("tools", "all that building and trying take")];
}

/** Refusals become findings. */
export async function attempt<T>(task: Task, what: string, work: () => Promise<T>): Promise<T | Finding> {
  try {
    return await work();
  } catch (error) {
    return refusal(task, what, error);
  }
}

export function refusal(task: Task, what: string, error: unknown): Finding {
  task.check();
  if (!(error instanceof SutureError)) throw error;
  return { what, outcome: "bad", found: `${error.code}: ${error.message}`, mend: error.mend };
}
