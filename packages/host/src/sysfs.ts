/** The livepatches that the kernel has: /sys/kernel/livepatch and /proc/modules. Format: Documentation/ABI/testing/sysfs-kernel-livepatch. */
import { foldersIn, lineOf, type Machine, namesIn, textOf } from "./machine.ts";

export const LIVEPATCH = "/sys/kernel/livepatch";

export interface LivePatch {
  name: string;
  enabled: boolean;
  /** Towards what the kernel moves its tasks, if it is in the middle of that. */
  transition: "patched" | "unpatched" | undefined;
  objects: { name: string; patched: boolean; functions: { name: string; sympos: number }[] }[];
}

export interface LoadedModule {
  name: string;
  /** Uses, of which an enabled livepatch is one; undefined where the kernel cannot unload. */
  uses: number | undefined;
  usedBy: string[];
  /** Taint letters; K for a livepatch. */
  taint: string;
}

/** In stack order: the last one's functions are those that run. */
export async function livePatches(machine: Machine): Promise<LivePatch[]> {
  const [found, modules] = await Promise.all([
    foldersIn(machine, LIVEPATCH).then((names) => Promise.all(names.map((name) => livePatch(machine, name)))),
    loadedModules(machine),
  ]);
  // A patch enters the stack when its module is initialised; /proc/modules has the newest first.
  const age = new Map(modules.map(({ name }, i) => [name, i]));
  return found.filter((patch) => patch !== undefined).sort((a, b) => (age.get(b.name) ?? 0) - (age.get(a.name) ?? 0));
}

/** Undefined if it is not there (any more). */
export async function livePatch(machine: Machine, name: string): Promise<LivePatch | undefined> {
  const folder = `${LIVEPATCH}/${name}`;
  const [enabled, transition] = await Promise.all([lineOf(machine, `${folder}/enabled`), lineOf(machine, `${folder}/transition`)]);
  if (enabled === undefined || transition === undefined) return undefined;
  const objects = await foldersIn(machine, folder);
  return {
    name,
    enabled: enabled === "1",
    transition: transition === "1" ? (enabled === "1" ? "patched" : "unpatched") : undefined,
    objects: await Promise.all(objects.map((object) => patchedObject(machine, folder, object))),
  };
}

async function patchedObject(machine: Machine, folder: string, name: string): Promise<LivePatch["objects"][number]> {
  const functions = await foldersIn(machine, `${folder}/${name}`);
  return {
    name,
    patched: (await lineOf(machine, `${folder}/${name}/patched`)) !== "0",
    functions: functions.flatMap((entry) => {
      const comma = entry.lastIndexOf(",");
      return comma < 1 ? [] : [{ name: entry.slice(0, comma), sympos: Number(entry.slice(comma + 1)) }];
    }),
  };
}

/** The newest first. */
export async function loadedModules(machine: Machine): Promise<LoadedModule[]> {
  const text = (await textOf(machine, "/proc/modules")) ?? "";
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", , uses = "", usedBy = "", , , taint = ""] = line.split(" ");
      return {
        name,
        uses: uses === "-" ? undefined : Number(uses),
        usedBy: usedBy.split(",").filter((user) => user !== "" && user !== "-" && user !== "[permanent]"),
        taint: taint.replace(/[()]/g, ""),
      };
    });
}

export async function hasLivepatchCore(machine: Machine): Promise<boolean> {
  return (await namesIn(machine, "/sys/kernel")).includes("livepatch");
}
