/** The livepatches that the kernel has: /sys/kernel/livepatch and /proc/modules. Format: Documentation/ABI/testing/sysfs-kernel-livepatch. */
import type { Machine } from "./machine.ts";

export const LIVEPATCH = "/sys/kernel/livepatch";

/** How far it is. */
export interface Progress {
  enabled: boolean;
  /** Towards what the kernel moves its tasks, if it is in the middle of that. */
  transition: "patched" | "unpatched" | undefined;
}

export interface LivePatch extends Progress {
  name: string;
}

/** What a livepatch replaces in the kernel ("vmlinux") or in one module. */
export interface PatchedObject {
  name: string;
  /** Undefined where the kernel does not say it. */
  patched: boolean | undefined;
  functions: { name: string; sympos: number }[];
}

export interface LoadedModule {
  name: string;
  /** Uses, of which an enabled livepatch is one; undefined where the kernel cannot unload. */
  uses: number | undefined;
  usedBy: string[];
  /** Taint letters; K for a livepatch. */
  taint: string;
}

/** In stack order: the last one's functions are those that run. @param modules asked for only where the kernel does not say the order */
export function readLivePatches(machine: Machine, modules: () => readonly LoadedModule[]): LivePatch[] {
  const found = machine.folders(LIVEPATCH).flatMap((name) => {
    const progress = progressOf(machine, name);
    return progress === undefined ? [] : [{ name, ...progress }];
  });
  const place = placesOf(machine, found, modules);
  return found.sort((a, b) => (place.get(a.name) ?? 0) - (place.get(b.name) ?? 0));
}

/** The kernel says it since 6.13. Before, a patch entered the stack when its module was initialised: /proc/modules has the newest first. */
function placesOf(machine: Machine, patches: readonly LivePatch[], modules: () => readonly LoadedModule[]): Map<string, number> {
  const said = new Map<string, number>();
  for (const { name } of patches) {
    const order = machine.line(`${LIVEPATCH}/${name}/stack_order`);
    if (order !== undefined && /^\d+$/.test(order)) said.set(name, Number(order));
  }
  if (said.size === patches.length) return said;
  return new Map(modules().map(({ name }, i) => [name, -i]));
}

/** Undefined if it is not there (any more). Two small files, so that it can be asked often. */
export function progressOf(machine: Machine, name: string): Progress | undefined {
  const folder = `${LIVEPATCH}/${name}`;
  const [enabled, transition] = [machine.line(`${folder}/enabled`), machine.line(`${folder}/transition`)];
  if (enabled === undefined || transition === undefined) return undefined;
  return { enabled: enabled === "1", transition: transition === "1" ? (enabled === "1" ? "patched" : "unpatched") : undefined };
}

/** Two reads for each object, however many functions it has. */
export function readObjects(machine: Machine, name: string): PatchedObject[] {
  const folder = `${LIVEPATCH}/${name}`;
  const patchedOf = (object: string): boolean | undefined => {
    const line = machine.line(`${folder}/${object}/patched`);
    return line === undefined ? undefined : line !== "0";
  };
  return machine.folders(folder).map((object) => ({
    name: object,
    patched: patchedOf(object),
    functions: machine.folders(`${folder}/${object}`).flatMap((entry) => {
      const comma = entry.lastIndexOf(",");
      return comma < 1 ? [] : [{ name: entry.slice(0, comma), sympos: Number(entry.slice(comma + 1)) }];
    }),
  }));
}

/** The newest first. */
export function readModules(machine: Machine): LoadedModule[] {
  const text = machine.text("/proc/modules") ?? "";
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

export function hasLivepatchCore(machine: Machine): boolean {
  return machine.names("/sys/kernel").includes("livepatch");
}
