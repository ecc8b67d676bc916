/** What the kernel has beyond its version: livepatches in stack order, what each mends, and what is under way. */
import type { PatchStatus, Status } from "@suture/protocol";
import { switchedOff, taintOf } from "../machine/kernel.ts";
import { liveWordsOf } from "../machine/live-data.ts";
import type { LivePatch } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { redirectsOf } from "../machine/redirects.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { stragglers } from "../machine/tasks.ts";
import { recordOf } from "../store/records.ts";
import { installed } from "../store/store.ts";
import { effectiveOf } from "./effective.ts";

/** Reads only; needs no lock, and few rights. */
export async function status(machine: Machine): Promise<Status> {
  const now = new Snapshot(machine);
  const kept = installed(machine);
  const owners = ownersOf(now);
  const loaded = new Set(["vmlinux", ...now.modules.map(({ name }) => name)]);
  const records = new Map(now.patches.map(({ name }) => [name, recordOf(machine, name)]));
  const patches = now.patches.map((patch) => statusOf(now, patch, records.get(patch.name), owners, loaded));
  const inEffect = patches.filter((patch) => patch.enabled && patch.transition === undefined);
  return {
    kernel: now.kernel,
    off: switchedOff(machine),
    taint: taintOf(machine),
    patches,
    idle: now.idle,
    fixes: inEffect.flatMap((patch) => patch.fixes.map(({ subject, cves }) => ({ patch: patch.name, subject, cves }))),
    effective: inEffect.flatMap(({ name }) => effectiveOf(name, records.get(name)?.module?.manifest, loaded) ?? []),
    installed: kept.entries,
    unreadable: kept.unreadable,
  };
}

function statusOf(
  now: Snapshot,
  { name, enabled, transition }: LivePatch,
  kept: ReturnType<typeof recordOf> | undefined,
  owners: ReadonlyMap<string, string>,
  loaded: ReadonlySet<string>,
): PatchStatus {
  const record = kept?.module;
  const live = liveWordsOf(now.machine, name);
  const redirects = redirectsOf(now.machine, name);
  return {
    name,
    enabled,
    transition: transition === undefined ? undefined : { to: transition, stragglers: stragglers(now.machine, transition) },
    objects: now.objects(name).map((object) => ({
      name: object.name,
      loaded: loaded.has(object.name),
      // All that is loaded is patched until the livepatch is out again.
      patched: object.patched ?? (loaded.has(object.name) && (enabled || transition !== undefined)),
      functions: object.functions.map((f) => ({ ...f, owner: owners.get(keyOf(object.name, f)) ?? name })),
    })),
    sha256: record?.sha256,
    proven: record?.manifest?.proof.proven,
    fixes: record?.manifest?.fixes ?? [],
    damage: kept?.damage,
    ...(redirects.length === 0 ? {} : { redirects }),
    ...(live.length === 0 ? {} : { live }),
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
