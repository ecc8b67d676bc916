/**
 * What was loaded in this boot: a copy of each module's file in /run/suture, which a reboot empties. The kernel itself does not say what a
 * livepatch mends, nor can it enable one again that was disabled. Beside it, when and with what it was loaded.
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { readElf } from "@suture/elf";
import { buildIdIn, uptime } from "./kernel.ts";
import { RUN_FOLDER } from "./lock.ts";
import { bytesOf, type Machine, pathOf, textOf } from "./machine.ts";
import { type ModuleFile, moduleFileOf } from "./module-file.ts";

const FOLDER = `${RUN_FOLDER}/loaded`;
const NOTE = ".note.gnu.build-id";

/** NAME.json */
interface Load {
  parameters: string[];
  /** Seconds since boot, just before it. */
  uptime: number;
}

/** @returns the copy's path, from which the module is loaded: nobody changes it between check and load */
export async function keepRecord(machine: Machine, module: ModuleFile, parameters: readonly string[]): Promise<string> {
  const folder = pathOf(machine, FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = pathOf(machine, `${FOLDER}/${module.name}.ko`);
  const load: Load = { parameters: [...parameters], uptime: await uptime(machine) };
  await writeFile(pathOf(machine, `${FOLDER}/${module.name}.json`), JSON.stringify(load), { mode: 0o600 });
  await writeFile(`${path}.partial`, module.bytes, { mode: 0o600 });
  await rename(`${path}.partial`, path);
  return path;
}

export async function dropRecord(machine: Machine, name: string): Promise<void> {
  for (const kind of ["ko", "json"]) await rm(pathOf(machine, `${FOLDER}/${name}.${kind}`), { force: true });
}

/** When and with what a livepatch was loaded; undefined if it was not loaded by Suture. */
export async function loadOf(machine: Machine, name: string): Promise<Load | undefined> {
  const text = await textOf(machine, `${FOLDER}/${name}.json`);
  return text === undefined ? undefined : (JSON.parse(text) as Load);
}

/** The file of a loaded livepatch; undefined if it was not loaded by Suture, or another module has its name by now. */
export async function recordOf(machine: Machine, name: string): Promise<ModuleFile | undefined> {
  const path = `${FOLDER}/${name}.ko`;
  const bytes = await bytesOf(machine, path);
  if (bytes === undefined) return undefined;
  const module = moduleFileOf(bytes, pathOf(machine, path));
  const notes = await bytesOf(machine, `/sys/module/${name}/notes/${NOTE}`);
  if (notes === undefined) return module;
  const own = readElf(bytes, path).sections.find((section) => section.name === NOTE);
  return own !== undefined && buildIdIn(own.data, path) === buildIdIn(notes, NOTE) ? module : undefined;
}
