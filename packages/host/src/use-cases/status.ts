/** What the kernel has beyond its version: livepatches in stack order, what each mends, and what is under way. */
import type { Manifest } from "@suture/livepatch";
import { type RunningKernel, runningKernel, switchedOff, taintOf } from "../machine/kernel.ts";
import { type LivePatch, livePatches, loadedModules } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { type Straggler, stragglers } from "../machine/tasks.ts";
import { idleLivepatches } from "../module/idle.ts";
import { recordOf } from "../store/records.ts";
import { type Installed, installed } from "../store/store.ts";

export interface PatchStatus {
  name: string;
  enabled: boolean;
  transition: { to: "patched" | "unpatched"; stragglers: Straggler[] } | undefined;
  objects: {
    name: string;
    loaded: boolean;
    patched: boolean;
    /** `owner`: the livepatch whose code runs, where several replace the function. */
    functions: { name: string; sympos: number; owner: string }[];
  }[];
  /** Undefined if it was not loaded by Suture, or its record is damaged. */
  sha256: string | undefined;
  proven: boolean | undefined;
  fixes: Manifest["fixes"];
  /** What is damaged of what was noted when it was loaded. */
  damage: string | undefined;
}

export interface Status {
  kernel: RunningKernel;
  /** `suture=off` was given to it. */
  off: boolean;
  taint: { value: number; letters: string };
  /** In stack order, the last on top. */
  patches: PatchStatus[];
  /** Livepatch modules without effect. */
  idle: string[];
  /** What is mended by the livepatches that are in effect. */
  fixes: { patch: string; subject: string | undefined; cves: string[] }[];
  installed: Installed[];
  /** What of the store cannot be read: nobody knows what is kept there. */
  unreadable: string[];
}

export async function status(machine: Machine): Promise<Status> {
  const [kernel, off, taint, stack, idle, kept, modules] = await Promise.all([
    runningKernel(machine),
    switchedOff(machine),
    taintOf(machine),
    livePatches(machine),
    idleLivepatches(machine),
    installed(machine),
    loadedModules(machine),
  ]);
  const loaded = new Set(["vmlinux", ...modules.map(({ name }) => name)]);
  const patches = await Promise.all(stack.map((patch) => statusOf(machine, patch, stack, loaded)));
  return {
    kernel,
    off,
    taint,
    patches,
    idle,
    fixes: patches
      .filter((patch) => patch.enabled && patch.transition === undefined)
      .flatMap((patch) => patch.fixes.map(({ subject, cves }) => ({ patch: patch.name, subject, cves }))),
    installed: kept.entries,
    unreadable: kept.unreadable,
  };
}

async function statusOf(
  machine: Machine,
  patch: LivePatch,
  stack: readonly LivePatch[],
  loaded: ReadonlySet<string>,
): Promise<PatchStatus> {
  const { module: record, damage } = await recordOf(machine, patch.name);
  return {
    name: patch.name,
    enabled: patch.enabled,
    transition:
      patch.transition === undefined ? undefined : { to: patch.transition, stragglers: await stragglers(machine, patch.transition) },
    objects: patch.objects.map((object) => ({
      name: object.name,
      loaded: loaded.has(object.name),
      patched: object.patched,
      functions: object.functions.map((f) => ({ ...f, owner: ownerOf(stack, object.name, f) ?? patch.name })),
    })),
    sha256: record?.sha256,
    proven: record?.manifest?.proof.proven,
    fixes: record?.manifest?.fixes ?? [],
    damage,
  };
}

/** The topmost that is in effect. */
function ownerOf(stack: readonly LivePatch[], object: string, f: { name: string; sympos: number }): string | undefined {
  return stack.findLast(
    (patch) =>
      patch.enabled && patch.objects.some((o) => o.name === object && o.functions.some((g) => g.name === f.name && g.sympos === f.sympos)),
  )?.name;
}
