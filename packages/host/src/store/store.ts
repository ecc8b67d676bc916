/**
 * Livepatches that are loaded again at each boot: /var/lib/suture/patches/RELEASE, for each NAME.ko and NAME.json; the second makes it one. Beside them are
 * the crash guard's files (crash-guard.ts). Every file is whole or not there, whenever the power goes; one that cannot be read stops its own livepatch only.
 */
import { SutureError } from "@suture/errors";
import { makeFolderDurably, PARTIAL, removeDurably, removeEmptyFolder, sha256 as sha256Of, writeDurably } from "@suture/files";
import { type Installed, type StoreEntry, storeEntrySchema } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { runningKernel } from "../machine/kernel.ts";
import type { Machine } from "../machine/machine.ts";
import { type ModuleFile, moduleFileOf } from "../module/module-file.ts";
import { fileOnDisk, folderOnDisk } from "./disk.ts";
import { markerOf, markerOfLoaded } from "./marker.ts";
import { ENDED, STORE, STORE_ROOT, type StoreFile, storePath } from "./store-path.ts";

/** What is kept, and what of the store cannot be read: nobody knows what is kept there. */
export interface Kept {
  entries: Installed[];
  unreadable: string[];
}

/** For one whose file cannot be read: it is shown, and never loaded; the others are. */
const DAMAGED: StoreEntry = { suture: 1, sha256: "", buildId: undefined, order: 0, fixes: [], unproven: false, stack: false };

/** All that is kept, by release and in the order of loading. */
export function installed(machine: Machine): Kept {
  const { value: releases = [], unreadable } = folderOnDisk(machine, STORE);
  const parts = releases.map((release) => installedFor(machine, release));
  return {
    entries: parts.flatMap(({ entries }) => entries),
    unreadable: [...whyUnreadable(machine, STORE, unreadable), ...parts.flatMap((part) => part.unreadable)],
  };
}

export function installedFor(machine: Machine, release: string): Kept {
  const folder = `${STORE}/${release}`;
  const { value: files = [], unreadable } = folderOnDisk(machine, folder);
  const names = files.flatMap((file) => /^(\w+)\.json$/.exec(file)?.[1] ?? []);
  const entries = names.map((name) => entryOf(machine, release, name)).sort((a, b) => a.order - b.order);
  return { entries, unreadable: whyUnreadable(machine, folder, unreadable) };
}

function whyUnreadable(machine: Machine, path: string, why: string | undefined): string[] {
  return why === undefined ? [] : [`${machine.path(path)}: ${why}`];
}

/** What cannot be read counts as quarantined. */
function entryOf(machine: Machine, release: string, name: string): Installed {
  const json = fileOnDisk(machine, storePath(release, name, "json"));
  const quarantine = fileOnDisk(machine, storePath(release, name, "quarantine"));
  const marker = fileOnDisk(machine, storePath(release, name, "loading"));
  const entry = json.value === undefined ? undefined : parsedEntry(json.value);
  const why =
    entry === undefined
      ? `its entry in the store is damaged${json.unreadable === undefined ? "" : `: ${json.unreadable}`}`
      : quarantine.unreadable !== undefined
        ? `whether it is quarantined cannot be read: ${quarantine.unreadable}`
        : marker.unreadable !== undefined
          ? `whether the machine went down in its load cannot be read: ${marker.unreadable}`
          : quarantine.value === undefined
            ? undefined
            : quarantine.value.toString("utf8").trim() || "its quarantine does not say why";
  return {
    ...(entry ?? DAMAGED),
    release,
    name,
    quarantine: why,
    unsettled: marker.value === undefined ? undefined : markerOf(marker.value),
  };
}

function parsedEntry(bytes: Buffer): StoreEntry | undefined {
  try {
    const checked = v.safeParse(storeEntrySchema, JSON.parse(bytes.toString("utf8")));
    return checked.success ? checked.output : undefined;
  } catch {
    return undefined;
  }
}

/** The module of an installed livepatch. @throws HOST_STORE if it is not what was installed */
export function storedModule(machine: Machine, { release, name, sha256 }: Installed): ModuleFile {
  const path = storePath(release, name, "ko");
  const { value: bytes, unreadable } = fileOnDisk(machine, path);
  const where = { file: machine.path(path) };
  if (unreadable !== undefined) throw fail("HOST_STORE", `the module of ${name} cannot be read: ${unreadable}`, where);
  if (bytes === undefined) throw fail("HOST_STORE", `the module of ${name} is not there`, where);
  if (sha256Of(bytes) !== sha256) throw fail("HOST_STORE", `${name} is not what was installed`, where);
  return moduleFileOf(bytes, where.file);
}

/**
 * Keeps a livepatch for the kernel that it is for. One of the same name is replaced; a quarantine ends.
 * @param prepare what loads the store at boot is made ready by it, first: then there is nothing in the store that is not loaded, whenever the power goes
 */
export async function keep(
  machine: Machine,
  module: ModuleFile,
  allowed: { unproven: boolean; stack: boolean },
  prepare: () => Promise<void>,
): Promise<Installed> {
  const { name, release, manifest } = module;
  if (manifest?.proof.proven !== true && !allowed.unproven)
    throw fail("HOST_UNPROVEN", `nothing shows that ${name} fits its kernel. Nothing was installed.`, { file: module.file });
  const running = runningKernel(machine);
  if (manifest !== undefined && release === running.release && running.buildId !== undefined && manifest.kernel.buildId !== running.buildId)
    throw fail(
      "HOST_OTHER_KERNEL",
      `it is for the ${release} with build-id ${manifest.kernel.buildId}; the one that runs has ${running.buildId}. Nothing was installed.`,
      { file: module.file },
    );
  return writing(machine, async () => {
    await prepare();
    return put(machine, module, allowed);
  });
}

/** @throws HOST_STORE for whatever the file system says */
async function writing<T>(machine: Machine, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SutureError) throw cause;
    const file = machine.path(STORE);
    throw fail("HOST_STORE", `the store cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  }
}

async function put(machine: Machine, module: ModuleFile, allowed: { unproven: boolean; stack: boolean }): Promise<Installed> {
  const { name, release, manifest, bytes, sha256 } = module;
  await makeFolderDurably(machine.path(`${STORE}/${release}`));
  await sweep(machine, release);
  const { entries: others, unreadable } = installedFor(machine, release);
  if (unreadable.length > 0) throw fail("HOST_STORE", `the store cannot be read: ${unreadable.join("; ")}`);
  const old = others.find((entry) => entry.name === name);
  const entry: StoreEntry = {
    suture: 1,
    sha256,
    buildId: manifest?.kernel.buildId,
    order: old?.order ?? Math.max(0, ...others.map(({ order }) => order)) + 1,
    fixes: manifest?.fixes ?? [],
    unproven: allowed.unproven,
    stack: allowed.stack,
  };
  const path = (kind: StoreFile): string => storePath(release, name, kind);
  // Between the two writes an older module would not be what its entry says: it goes first, and then it is not installed.
  if (old !== undefined && old.sha256 !== sha256) await removeDurably(machine.path(path("json")));
  await writeOver(machine, path("ko"), bytes);
  const marker = markerOfLoaded(machine, module);
  if (marker === undefined) await removeDurably(machine.path(path("loading")));
  else await writeOver(machine, path("loading"), `${JSON.stringify(marker)}\n`);
  await removeDurably(machine.path(path("quarantine")));
  await writeOver(machine, path("json"), `${JSON.stringify(entry)}\n`);
  return { ...entry, release, name, quarantine: undefined, unsettled: marker };
}

/** A folder that stands in the way goes. */
async function writeOver(machine: Machine, path: string, bytes: Uint8Array | string): Promise<void> {
  if (fileOnDisk(machine, path).unreadable !== undefined) await removeDurably(machine.path(path));
  await writeDurably(machine.path(path), bytes);
}

/** Its files, and the folders that are empty without them. @throws HOST_NOT_INSTALLED, HOST_STORE */
export async function discard(machine: Machine, release: string, name: string): Promise<void> {
  const { entries, unreadable } = installedFor(machine, release);
  if (unreadable.length > 0) throw fail("HOST_STORE", `the store cannot be read: ${unreadable.join("; ")}. Nothing was changed.`);
  if (!entries.some((entry) => entry.name === name))
    throw fail("HOST_NOT_INSTALLED", `no ${name} is kept for ${release}. Nothing was changed.`, { file: machine.path(STORE) });
  await writing(machine, async () => {
    for (const kind of ["json", "ko", "loading", "quarantine"] as const) await removeDurably(machine.path(storePath(release, name, kind)));
    await sweep(machine, release);
    for (const folder of [`${STORE}/${release}`, STORE, STORE_ROOT]) {
      if (folder === STORE_ROOT) await removeDurably(machine.path(ENDED));
      if (!(await removeEmptyFolder(machine.path(folder)))) break;
    }
  });
}

/** What interrupted writes left, and modules without an entry. */
async function sweep(machine: Machine, release: string): Promise<void> {
  const { value: files = [] } = folderOnDisk(machine, `${STORE}/${release}`);
  for (const file of files) {
    const [name = ""] = file.split(".");
    if (file.startsWith(PARTIAL) || !files.includes(`${name}.json`)) await removeDurably(machine.path(`${STORE}/${release}/${file}`));
  }
}
