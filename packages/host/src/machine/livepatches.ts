/** The livepatches that the kernel has: /sys/kernel/livepatch and /proc/modules. Format: Documentation/ABI/testing/sysfs-kernel-livepatch. */
import { foldersIn, lineOf, type Machine, namesIn, textOf } from "./machine.ts";

export const LIVEPATCH = "/sys/kernel/livepatch";

export interface LivePatch extends Progress {
  name: string;
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
  const found = (await Promise.all((await foldersIn(machine, LIVEPATCH)).map((name) => livePatch(machine, name)))).filter(
    (patch) => patch !== undefined,
  );
  const place = await placesOf(machine, found);
  return found.sort((a, b) => (place.get(a.name) ?? 0) - (place.get(b.name) ?? 0));
}

/** The kernel says it since 6.13. Before, a patch entered the stack when its module was initialised: /proc/modules has the newest first. */
async function placesOf(machine: Machine, patches: readonly LivePatch[]): Promise<Map<string, number>> {
  const said = new Map<string, number>();
  for (const { name } of patches) {
    const order = await lineOf(machine, `${LIVEPATCH}/${name}/stack_order`);
    if (order !== undefined && /^\d+$/.test(order)) said.set(name, Number(order));
  }
  if (said.size === patches.length) return said;
  return new Map((await loadedModules(machine)).map(({ name }, i) => [name, -i]));
}

export interface Progress {
  enabled: boolean;
  /** Towards what the kernel moves its tasks, if it is in the middle of that. */
  transition: "patched" | "unpatched" | undefined;
}

/** Undefined if it is not there (any more). Two small files, so that it can be asked often. */
export async function progressOf(machine: Machine, name: string): Promise<Progress | undefined> {
  const folder = `${LIVEPATCH}/${name}`;
  const [enabled, transition] = await Promise.all([lineOf(machine, `${folder}/enabled`), lineOf(machine, `${folder}/transition`)]);
  if (enabled === undefined || transition === undefined) return undefined;
  return { enabled: enabled === "1", transition: transition === "1" ? (enabled === "1" ? "patched" : "unpatched") : undefined };
}

/** Undefined if it is not there (any more). */
export async function livePatch(machine: Machine, name: string): Promise<LivePatch | undefined> {
  const progress = await progressOf(machine, name);
  if (progress === undefined) return undefined;
  const folder = `${LIVEPATCH}/${name}`;
  const objects = await foldersIn(machine, folder);
  return { name, ...progress, objects: await Promise.all(objects.map((object) => patchedObject(machine, folder, object))) };
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
