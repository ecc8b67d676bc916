/**
 * What was loaded in this boot: a copy of each module's file in /run/suture, which a reboot empties. The kernel itself does not say what a
 * livepatch mends, nor can it enable one again that was disabled. Beside it, when and with what it was loaded.
 */
import { rm } from "node:fs/promises";
import { SutureError } from "@suture/errors";
import { makeFolderDurably, sha256, writeDurably } from "@suture/files";
import { type LoadRecord as Load, loadRecordSchema } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { uptime } from "../machine/kernel.ts";
import { RUN_FOLDER } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { knownModuleFile, type ModuleFile, moduleFileOf } from "../module/module-file.ts";
import { isLoadedFrom } from "../module/same-module.ts";
import { fileOnDisk, folderOnDisk, reasonOf } from "./disk.ts";

const FOLDER = `${RUN_FOLDER}/loaded`;

/** What is known here of a livepatch. */
export interface LoadRecord {
  /** Its file; undefined if it was not loaded by Suture, or another module has its name by now, or it is damaged. */
  module: ModuleFile | undefined;
  load: Load | undefined;
  /** Why there is something that tells nothing. */
  damage: string | undefined;
}

/** @returns the copy's path, from which the module is loaded: nobody changes it between check and load. @throws HOST_RUN_FOLDER */
export async function keepRecord(machine: Machine, module: ModuleFile, parameters: readonly string[]): Promise<string> {
  const path = machine.path(`${FOLDER}/${module.name}.ko`);
  const load: Load = { parameters: [...parameters], uptime: uptime(machine), sha256: module.sha256 };
  try {
    await makeFolderDurably(machine.path(FOLDER), 0o700);
    await writeOver(machine, `${FOLDER}/${module.name}.json`, JSON.stringify(load));
    await writeOver(machine, `${FOLDER}/${module.name}.ko`, module.bytes);
  } catch (cause) {
    throw fail("HOST_RUN_FOLDER", `no copy of ${module.name} can be kept: ${reasonOf(cause)}`, { file: path }, { cause });
  }
  return path;
}

/** A folder or link that stands in the way goes. */
async function writeOver(machine: Machine, path: string, bytes: Uint8Array | string): Promise<void> {
  if (fileOnDisk(machine, path).unreadable !== undefined) await rm(machine.path(path), { force: true, recursive: true });
  await writeDurably(machine.path(path), bytes, 0o600);
}

export async function dropRecord(machine: Machine, name: string): Promise<void> {
  for (const kind of ["ko", "json"]) await rm(machine.path(`${FOLDER}/${name}.${kind}`), { force: true, recursive: true });
}

/** Names of which there is a record. */
export function recorded(machine: Machine): string[] {
  return (folderOnDisk(machine, FOLDER).value ?? []).flatMap((file) => /^(\w+)\.ko$/.exec(file)?.[1] ?? []);
}

export function recordOf(machine: Machine, name: string): LoadRecord {
  const path = `${FOLDER}/${name}.ko`;
  const { value: bytes, unreadable } = fileOnDisk(machine, path);
  const damaged = (why: string): LoadRecord => ({ module: undefined, load: undefined, damage: `its record ${path} is damaged: ${why}` });
  // As by a person without rights.
  if (unreadable !== undefined) return { module: undefined, load: undefined, damage: `its record ${path} cannot be read: ${unreadable}` };
  if (bytes === undefined) return { module: undefined, load: undefined, damage: undefined };
  try {
    const load = loadOf(machine, name);
    const hash = sha256(bytes);
    const file = machine.path(path);
    const module = load?.sha256 === hash ? knownModuleFile(bytes, file, hash) : moduleFileOf(bytes, file);
    if (module.name !== name) return damaged(`it is of ${module.name}`);
    if (isLoadedFrom(machine, module) === false) return { module: undefined, load: undefined, damage: undefined };
    return {
      module,
      load,
      damage: load === undefined ? `when and with what ${name} was loaded is not known: its record is damaged` : undefined,
    };
  } catch (error) {
    if (error instanceof SutureError) return damaged(`${error.code}, ${error.message}`);
    throw error;
  }
}

function loadOf(machine: Machine, name: string): Load | undefined {
  try {
    const bytes = fileOnDisk(machine, `${FOLDER}/${name}.json`).value;
    const checked = v.safeParse(loadRecordSchema, JSON.parse(bytes?.toString("utf8") ?? ""));
    return checked.success ? checked.output : undefined;
  } catch {
    return undefined;
  }
}
