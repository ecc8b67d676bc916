/** What the kernel has beyond its version: livepatches in stack order, what each mends, and what is under way. */
import type { Manifest } from "@suture/protocol";
import { type RunningKernel, switchedOff, taintOf } from "../machine/kernel.ts";
import type { LivePatch } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { type Straggler, stragglers } from "../machine/tasks.ts";
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

/** Reads only; needs no lock, and few rights. */
export async function status(machine: Machine): Promise<Status> {
  const now = new Snapshot(machine);
  const kept = installed(machine);
  const owners = ownersOf(now);
  const loaded = new Set(["vmlinux", ...now.modules.map(({ name }) => name)]);
  const patches = now.patches.map((patch) => statusOf(now, patch, owners, loaded));
  return {
    kernel: now.kernel,
    off: switchedOff(machine),
    taint: taintOf(machine),
    patches,
    idle: now.idle,
    fixes: patches
      .filter((patch) => patch.enabled && patch.transition === undefined)
      .flatMap((patch) => patch.fixes.map(({ subject, cves }) => ({ patch: patch.name, subject, cves }))),
    installed: kept.entries,
    unreadable: kept.unreadable,
  };
}

function statusOf(
  now: Snapshot,
  { name, enabled, transition }: LivePatch,
  owners: ReadonlyMap<string, string>,
  loaded: ReadonlySet<string>,
): PatchStatus {
  const { module: record, damage } = recordOf(now.machine, name);
  return {
    name,
    enabled,
    transition: transition === undefined ? undefined : { to: transition, stragglers: stragglers(now.machine, transition) },
    objects: now.objects(name).map((object) => ({
      name: object.name,
      loaded: loaded.has(object.name),
      patched: object.patched,
      functions: object.functions.map((f) => ({ ...f, owner: owners.get(keyOf(object.name, f)) ?? name })),
    })),
    sha256: record?.sha256,
    proven: record?.manifest?.proof.proven,
    fixes: record?.manifest?.fixes ?? [],
    damage,
  };
}

const keyOf = (object: string, { name, sympos }: { name: string; sympos: number }): string => `${object} ${name},${sympos}`;

/** Of each function the topmost livepatch that is in effect. */
function ownersOf(now: Snapshot): Map<string, string> {
  const owners = new Map<string, string>();
  for (const { name, enabled } of now.patches)
    if (enabled) for (const object of now.objects(name)) for (const f of object.functions) owners.set(keyOf(object.name, f), name);
  return owners;
}
