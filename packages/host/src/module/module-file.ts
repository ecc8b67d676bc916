/** A livepatch's file, read and held against its own manifest. */
import { readFile } from "node:fs/promises";
import { readElf } from "@suture/elf";
import { sha256 } from "@suture/files";
import { modinfoOf } from "@suture/kernel";
import { type Inspection, inspect, moduleName, readManifest } from "@suture/livepatch";
import type { Manifest } from "@suture/protocol";
import { fail } from "../errors.ts";

export interface ModuleFile {
  file: string;
  bytes: Buffer;
  sha256: string;
  /** As the kernel has it. */
  name: string;
  release: string;
  /** Of one that was looked through before, made when it is asked for. */
  readonly inspection: Inspection;
  /** Undefined for a livepatch that Suture did not build. */
  manifest: Manifest | undefined;
}

/** @throws HOST_BAD_MODULE, ELF_*, KLP_* */
export async function readModuleFile(file: string): Promise<ModuleFile> {
  return moduleFileOf(await readFile(file), file);
}

export function moduleFileOf(bytes: Buffer, file: string): ModuleFile {
  const inspection = inspect(bytes, file);
  const { manifest, livepatch, faults } = inspection;
  if (!livepatch) throw fail("HOST_BAD_MODULE", "it is a module, but no livepatch", { file });
  if (faults.length > 0) throw fail("HOST_BAD_MODULE", faults.join("; "), { file });
  const name = moduleName(inspection.name);
  // It becomes part of paths.
  if (!/^\w{1,55}$/.test(name)) throw fail("HOST_BAD_MODULE", `"${name}" is no module's name`, { file });
  if (manifest !== undefined) checkManifest(inspection, manifest);
  return {
    file,
    bytes,
    sha256: sha256(bytes),
    name,
    release: inspection.release,
    inspection,
    manifest,
  };
}

/** One that was looked through, as its hash shows. @throws HOST_BAD_MODULE, ELF_*, KLP_* */
export function knownModuleFile(bytes: Buffer, file: string, hash: string): ModuleFile {
  const elf = readElf(bytes, file);
  const info = modinfoOf(elf);
  const manifest = readManifest(elf);
  let inspection: Inspection | undefined;
  return {
    file,
    bytes,
    sha256: hash,
    name: moduleName(info.get("name")?.[0] ?? ""),
    release: info.get("vermagic")?.[0]?.split(" ")[0] ?? "",
    get inspection() {
      inspection ??= inspect(bytes, file);
      return inspection;
    },
    manifest,
  };
}

/** What the module holds is what its manifest says: a file from which something was taken loads, and crashes later. */
function checkManifest(found: Inspection, manifest: Manifest): void {
  const { file } = found;
  const wrong = (why: string): Error => fail("HOST_BAD_MODULE", `its manifest and its contents disagree: ${why}`, { file });
  if (manifest.kernel.release !== found.release) throw wrong(`it is for ${manifest.kernel.release}, its vermagic names ${found.release}`);
  const replaced = new Set(found.functions.map(({ name, sympos }) => `${name},${sympos}`));
  for (const { name, sympos } of manifest.functions)
    if (!replaced.has(`${name},${sympos}`)) throw wrong(`it does not replace ${name},${sympos}`);
  if (manifest.functions.length !== found.functions.length) throw wrong(`it replaces ${found.functions.length} functions`);
  const { objects = [], states = [] } = found.descriptor ?? {};
  const called = new Set(
    objects.flatMap(({ name, callbacks }) => callbacks.map((callback) => `${callback.kind} ${callback.name} of ${name}`)),
  );
  const callbacks = (manifest.callbacks ?? []).map(({ owner, kind, name }) => `${kind} ${name} of ${owner}`);
  for (const callback of callbacks) if (!called.has(callback)) throw wrong(`it does not call ${callback}`);
  if (called.size !== callbacks.length) throw wrong(`it has ${called.size} callbacks`);
  const declared = (list: readonly { id: number; version: number }[]): string =>
    list.map(({ id, version }) => `${id}:${version}`).join(", ");
  if (declared(states) !== declared(manifest.states ?? [])) throw wrong(`its states are ${declared(states) || "none"}`);
  const symbols = new Set(found.klpSymbols.map(({ object, name, sympos }) => `${object}.${name},${sympos}`));
  const klp = manifest.symbols.filter(({ how }) => how === "klp");
  for (const { name, object, symbol } of klp)
    if (!symbols.has(symbol.replace(/^\.klp\.sym\./, "")))
      throw wrong(`${object ?? "the kernel"}'s ${name} is not among its livepatch symbols`);
  if (klp.length > 0 && !found.relocations.some(({ object }) => object !== undefined))
    throw wrong("its relocations for the livepatch core are missing");
}
