/**
 * Livepatches that are loaded again at each boot: /var/lib/suture/patches/RELEASE, for each NAME.ko and NAME.json; the second makes it one.
 * Beside them the crash guard's files: NAME.loading from before a load until it has settled or the machine goes down in order, and
 * NAME.quarantine for one that must not be loaded any more. Every file is whole or not there, whenever the power goes.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { SutureError } from "@suture/errors";
import { makeFolder, PARTIAL, removeDurably, writeDurably } from "./durable.ts";
import { fail } from "./errors.ts";
import { runningKernel, uptime } from "./kernel.ts";
import { bytesOf, foldersIn, type Machine, namesIn, pathOf, textOf } from "./machine.ts";
import { type ModuleFile, moduleFileOf } from "./module-file.ts";
import { loadOf, recordOf } from "./records.ts";
import { livePatch } from "./sysfs.ts";
import { isLeftInTransition } from "./transition.ts";

const STORE = "/var/lib/suture/patches";

/** NAME.json */
interface Entry {
  suture: 1;
  sha256: string;
  /** Of the kernel; undefined for a livepatch that does not tell. */
  buildId: string | undefined;
  /** Boot loads them in this order. */
  order: number;
  fixes: { subject?: string; cves: string[] }[];
  /** What the person who installed it allowed. */
  unproven: boolean;
  stack: boolean;
}

export interface Installed extends Entry {
  release: string;
  name: string;
  /** Why it is not loaded any more. */
  quarantine: string | undefined;
  /** It is being loaded, or was loaded a short time ago. */
  unsettled: Marker | undefined;
}

/** For one whose file cannot be read: it is shown, and never loaded; the others are. */
const DAMAGED: Entry = { suture: 1, sha256: "", buildId: undefined, order: 0, fixes: [], unproven: false, stack: false };

export interface Marker {
  bootId: string;
  phase: "loading" | "settling";
  /** Seconds since boot. */
  uptime: number;
}

const pathIn = (release: string, name: string, kind: "ko" | "json" | "loading" | "quarantine"): string =>
  `${STORE}/${release}/${name}.${kind}`;

/** All that is kept, by release and in the order of loading. */
export async function installed(machine: Machine): Promise<Installed[]> {
  const releases = await foldersIn(machine, STORE);
  return (await Promise.all(releases.map((release) => installedFor(machine, release)))).flat();
}

export async function installedFor(machine: Machine, release: string): Promise<Installed[]> {
  const names = (await namesIn(machine, `${STORE}/${release}`)).flatMap((file) => /^(\w+)\.json$/.exec(file)?.[1] ?? []);
  const found = await Promise.all(
    names.map(async (name): Promise<Installed> => {
      const [entry, quarantine, unsettled] = await Promise.all([
        textOf(machine, pathIn(release, name, "json")).then((text) => parsed(text ?? "")),
        textOf(machine, pathIn(release, name, "quarantine")),
        textOf(machine, pathIn(release, name, "loading")),
      ]);
      const known = isEntry(entry) ? entry : DAMAGED;
      const why = known === DAMAGED ? "its entry in the store is damaged" : quarantine?.trim();
      return { ...known, release, name, quarantine: why, unsettled: unsettled === undefined ? undefined : markerOf(unsettled) };
    }),
  );
  return found.sort((a, b) => a.order - b.order);
}

/** The module of an installed livepatch. @throws HOST_STORE if it is not what was installed */
export async function storedModule(machine: Machine, { release, name, sha256 }: Installed): Promise<ModuleFile> {
  const path = pathIn(release, name, "ko");
  const bytes = await bytesOf(machine, path);
  const where = { file: pathOf(machine, path) };
  if (bytes === undefined) throw fail("HOST_STORE", `the module of ${name} is not there`, where);
  if (createHash("sha256").update(bytes).digest("hex") !== sha256) throw fail("HOST_STORE", `${name} is not what was installed`, where);
  return moduleFileOf(bytes, where.file);
}

/**
 * Keeps a livepatch for the kernel that it is for. One of the same name is replaced; a quarantine ends.
 * @param prepare what loads the store at boot is made ready by it, first: then there is nothing in the store that is not loaded, whenever the power goes
 */
export async function install(
  machine: Machine,
  module: ModuleFile,
  allowed: { unproven: boolean; stack: boolean },
  prepare: () => Promise<void>,
): Promise<Installed> {
  const { name, release, manifest } = module;
  if (manifest?.proof.proven !== true && !allowed.unproven)
    throw fail("HOST_UNPROVEN", `nothing shows that ${name} fits its kernel. Nothing was installed.`, { file: module.file });
  const running = await runningKernel(machine);
  if (manifest !== undefined && release === running.release && running.buildId !== undefined && manifest.kernel.buildId !== running.buildId)
    throw fail(
      "HOST_OTHER_KERNEL",
      `it is for the ${release} with build-id ${manifest.kernel.buildId}; the one that runs has ${running.buildId}. Nothing was installed.`,
      { file: module.file },
    );
  try {
    await prepare();
    return await put(machine, module, allowed);
  } catch (cause) {
    if (cause instanceof SutureError) throw cause;
    const file = pathOf(machine, STORE);
    throw fail("HOST_STORE", `the store cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  }
}

async function put(machine: Machine, module: ModuleFile, allowed: { unproven: boolean; stack: boolean }): Promise<Installed> {
  const { name, release, manifest, bytes, sha256 } = module;
  await makeFolder(pathOf(machine, `${STORE}/${release}`));
  await sweep(machine, release);
  const others = await installedFor(machine, release);
  const old = others.find((entry) => entry.name === name);
  const entry: Entry = {
    suture: 1,
    sha256,
    buildId: manifest?.kernel.buildId,
    order: old?.order ?? Math.max(0, ...others.map(({ order }) => order)) + 1,
    fixes: manifest?.fixes ?? [],
    unproven: allowed.unproven,
    stack: allowed.stack,
  };
  // Between the two writes an older module would not be what its entry says: it goes first, and then it is not installed.
  if (old !== undefined && old.sha256 !== sha256) await removeDurably(pathOf(machine, pathIn(release, name, "json")));
  await writeDurably(pathOf(machine, pathIn(release, name, "ko")), bytes);
  const marker = await markerOfLoaded(machine, module);
  if (marker === undefined) await removeDurably(pathOf(machine, pathIn(release, name, "loading")));
  else await writeMarker(machine, module, marker);
  await removeDurably(pathOf(machine, pathIn(release, name, "quarantine")));
  await writeDurably(pathOf(machine, pathIn(release, name, "json")), `${JSON.stringify(entry)}\n`);
  return { ...entry, release, name, quarantine: undefined, unsettled: marker };
}

/** One that is in the kernel already may still show that it does harm: the guard stands from its load on, as far as that is known. */
async function markerOfLoaded(machine: Machine, { name, release, sha256 }: ModuleFile): Promise<Marker | undefined> {
  const running = await runningKernel(machine);
  if (release !== running.release || (await livePatch(machine, name)) === undefined) return undefined;
  const record = await recordOf(machine, name);
  if (record !== undefined && record.sha256 !== sha256) return undefined;
  const load = record === undefined ? undefined : await loadOf(machine, name);
  return { bootId: running.bootId, phase: "settling", uptime: load?.uptime ?? (await uptime(machine)) };
}

async function writeMarker(machine: Machine, { release, name }: ModuleFile, marker: Marker): Promise<void> {
  await writeDurably(pathOf(machine, pathIn(release, name, "loading")), `${JSON.stringify(marker)}\n`);
}

/** @throws HOST_NOT_INSTALLED */
export async function uninstall(machine: Machine, release: string, name: string): Promise<void> {
  if (!(await installedFor(machine, release)).some((entry) => entry.name === name))
    throw fail("HOST_NOT_INSTALLED", `no ${name} is kept for ${release}. Nothing was changed.`, { file: pathOf(machine, STORE) });
  for (const kind of ["json", "ko", "loading", "quarantine"] as const) await removeDurably(pathOf(machine, pathIn(release, name, kind)));
}

/** What interrupted writes left, and modules without an entry. */
async function sweep(machine: Machine, release: string): Promise<void> {
  const files = await namesIn(machine, `${STORE}/${release}`);
  for (const file of files) {
    const [name = ""] = file.split(".");
    if (file.startsWith(PARTIAL) || !files.includes(`${name}.json`))
      await rm(pathOf(machine, `${STORE}/${release}/${file}`), { force: true });
  }
}

/** Runs the load of a livepatch so that the next boot knows if the machine went down in it. One that is not installed needs no guard. */
export async function guarded<T>(machine: Machine, module: ModuleFile, work: () => Promise<T>): Promise<T> {
  const { release, bootId } = await runningKernel(machine);
  const entry = (await installedFor(machine, release)).find(({ name, sha256 }) => name === module.name && sha256 === module.sha256);
  if (entry === undefined) return work();
  const path = pathOf(machine, pathIn(release, module.name, "loading"));
  const mark = async (phase: Marker["phase"]): Promise<void> =>
    writeMarker(machine, module, { bootId, phase, uptime: await uptime(machine) });
  await mark("loading");
  try {
    const value = await work();
    await mark("settling");
    return value;
  } catch (error) {
    // The machine is still up: whatever it was, it was no crash. But one that hangs in its transition can still make one.
    if (isLeftInTransition(error)) await mark("settling");
    else await removeDurably(path);
    throw error;
  }
}

/** A machine that went down while the marker stood: the livepatch is not loaded again until it is installed anew. */
export async function quarantine(machine: Machine, { release, name }: Installed, why: string): Promise<void> {
  await writeDurably(pathOf(machine, pathIn(release, name, "quarantine")), `${why}\n`);
  await removeDurably(pathOf(machine, pathIn(release, name, "loading")));
}

/**
 * Takes the markers of livepatches that have settled: of all when the machine goes down in order, else of those that were loaded `seconds` ago.
 * @returns the names of those that still have one
 */
export async function settle(machine: Machine, seconds: number): Promise<string[]> {
  const { release, bootId } = await runningKernel(machine);
  const now = await uptime(machine);
  const left: string[] = [];
  for (const { name, unsettled } of await installedFor(machine, release)) {
    if (unsettled === undefined) continue;
    const settled = unsettled.bootId === bootId && unsettled.phase === "settling" && now - unsettled.uptime >= seconds;
    if (settled) await removeDurably(pathOf(machine, pathIn(release, name, "loading")));
    else left.push(name);
  }
  return left;
}

/** One that cannot be read stands for a load that was interrupted. */
function markerOf(text: string): Marker {
  const value = parsed(text) as Partial<Record<keyof Marker, unknown>> | undefined;
  const { bootId, phase, uptime: at } = value ?? {};
  if (typeof bootId === "string" && (phase === "loading" || phase === "settling") && typeof at === "number")
    return { bootId, phase, uptime: at };
  return { bootId: "", phase: "loading", uptime: 0 };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const entry = value as Partial<Record<keyof Entry, unknown>>;
  return (
    entry.suture === 1 &&
    typeof entry.sha256 === "string" &&
    typeof entry.order === "number" &&
    Array.isArray(entry.fixes) &&
    typeof entry.unproven === "boolean" &&
    typeof entry.stack === "boolean"
  );
}
