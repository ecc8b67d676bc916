/**
 * The kernel's own modules, to be loaded in the guest: which file a name stands for, and what has to be loaded before it. Read from the
 * modules themselves: an unpacked kernel package has no modules.dep, and an installed one may be stale.
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { compressionOf, unpackWithin } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";
import { readable } from "./initramfs.ts";

export interface KernelModuleFile {
  /** With underscores, as in /proc/modules. */
  name: string;
  /** Unpacked. */
  data: Buffer;
  /** Modules that it cannot be loaded without. */
  needs: string[];
}

const MODULE_FILE = /\.ko(?:\.xz|\.zst|\.gz)?$/;

/**
 * The modules of these names and all that they need, each after those that it needs.
 * @param tree the kernel's lib/modules/RELEASE; undefined where it has none
 * @param names or paths of .ko files that are not there, or not so
 * @throws LAB_MODULE_MISSING, LAB_FILE_UNREADABLE
 */
export async function loadOrder(task: Task, tree: string | undefined, names: readonly string[]): Promise<KernelModuleFile[]> {
  const files = tree === undefined ? new Map<string, string>() : await moduleFiles(tree);
  const builtin = tree === undefined ? new Set<string>() : await builtinModules(tree);
  for (const path of names.filter((name) => MODULE_FILE.test(name))) files.set(moduleName(basename(path)), path);
  const order = new Map<string, KernelModuleFile>();
  const visited = new Set<string>();
  const visit = async (wanted: string, by: string | undefined): Promise<void> => {
    const name = moduleName(wanted);
    if (visited.has(name)) return;
    visited.add(name);
    const file = files.get(name);
    if (file === undefined) {
      if (builtin.has(name)) return;
      const needed = by === undefined ? "" : `, which ${by} needs,`;
      throw fail("LAB_MODULE_MISSING", `module ${name}${needed} is not in ${tree ?? "the kernel: it has none"}`, {
        file: tree,
        symbol: name,
      });
    }
    const data = await readModule(task, file);
    const { depends, before } = moduleNeeds(data);
    for (const need of depends) await visit(need, name);
    // A soft dependency is loaded where there is such a module; it may also be an alias, which only depmod's tables resolve.
    for (const need of before) if (files.has(moduleName(need))) await visit(need, name);
    order.set(name, { name, data, needs: depends.map(moduleName) });
  };
  for (const name of names) await visit(basename(name), undefined);
  return [...order.values()];
}

/** Bytes of a module: more than any has. */
const LARGEST = 2 ** 29;

/** A module's file, unpacked. @throws LAB_FILE_UNREADABLE */
export async function readModule(task: Task, file: string): Promise<Buffer> {
  const packed = await readable(file);
  const kind = compressionOf(packed);
  if (kind === undefined && !file.endsWith(".ko")) throw fail("LAB_FILE_UNREADABLE", `${file} is not packed as its name says`, { file });
  if (kind === undefined) return packed;
  const bytes = await unpackWithin(task, kind, packed, { limit: LARGEST });
  if (!(bytes instanceof Uint8Array)) throw fail("LAB_FILE_UNREADABLE", `${file} cannot be unpacked: ${bytes.why}`, { file });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The name that the kernel knows a module by. @throws LAB_NOT_A_MODULE */
export function nameOfModule(data: Buffer, file: string): string {
  const name = modinfo(data, "name");
  if (name === undefined || !/^[\w-]{1,55}$/.test(name)) throw fail("LAB_NOT_A_MODULE", `${file} is no kernel module`, { file });
  return name;
}

function moduleNeeds(data: Buffer): { depends: string[]; before: string[] } {
  const depends = (modinfo(data, "depends") ?? "").split(",").filter((name) => name !== "");
  const before = /(?:^| )pre:([^:]*?)(?= post:|$)/.exec(modinfo(data, "softdep") ?? "")?.[1] ?? "";
  return { depends, before: before.split(" ").filter((name) => name !== "") };
}

/**
 * One field of a module's .modinfo section, a run of `key=value` strings that each end with a zero byte. Found by its form alone: of ELF this
 * package needs to know nothing else.
 */
function modinfo(data: Buffer, key: string): string | undefined {
  const wanted = `${key}=`;
  for (let at = data.indexOf(wanted); at >= 0; at = data.indexOf(wanted, at + 1)) {
    const before = data[at - 1] ?? 0;
    const end = data.indexOf(0, at);
    // Other sections may end in any byte before .modinfo starts, but not in one of a word.
    if (end >= 0 && (before < 0x20 || before > 0x7e)) return data.toString("latin1", at + wanted.length, end);
  }
  return undefined;
}

async function moduleFiles(tree: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  // What is linked to is not gone into: the folder of an installed kernel leads to its source.
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (MODULE_FILE.test(entry.name)) found.set(moduleName(entry.name), path);
    }
  };
  await walk(tree).catch((error: unknown) => {
    throw fail("LAB_FILE_UNREADABLE", `${tree} cannot be read`, { file: tree }, { cause: error });
  });
  return found;
}

async function builtinModules(tree: string): Promise<Set<string>> {
  const text = await readFile(join(tree, "modules.builtin"), "utf8").catch(() => "");
  return new Set(text.split("\n").map((path) => moduleName(basename(path))));
}

/** As in /proc/modules: without the suffixes, with underscores. */
function moduleName(file: string): string {
  return file.replace(MODULE_FILE, "").replaceAll("-", "_");
}
