/** What a livepatch module says and holds: ours with its manifest, and others' as far as the file shows it. */
import { type ElfObject, isSection, readElf, relocationSections, SHF, STT } from "@suture/elf";
import { modinfoOf } from "@suture/kernel";
import type { Manifest } from "@suture/protocol";
import { readSignature, type Signature } from "@suture/signature";
import { contentsSha256 } from "./contents.ts";
import { fail } from "./errors.ts";
import { parseKlpSection, parseKlpSymbol } from "./names.ts";
import { type ReadDescriptor, type Replacement, readDescriptor } from "./read-descriptor.ts";
import { readManifest } from "./read-manifest.ts";
import { checkForm } from "./verify.ts";

export interface Inspection {
  file: string;
  name: string;
  livepatch: boolean;
  /** Release that the vermagic names. */
  release: string;
  vermagic: string;
  /** modinfo, in order; a key may occur more than once. */
  modinfo: { key: string; values: string[] }[];
  /** What replaces what: from the module's own tables. */
  functions: Replacement[];
  /** What it registers with the livepatch core; undefined if it has no such tables, but makes them when it is loaded. */
  descriptor: ReadDescriptor | undefined;
  /** Functions of the module that replace nothing and are no callbacks: new ones, and helpers. */
  others: { name: string; size: number }[];
  /** Found by the livepatch core. */
  klpSymbols: { object: string; name: string; sympos: number }[];
  /** Found by the module loader. */
  imports: string[];
  relocations: { section: string; object: string | undefined; count: number }[];
  /** Why loading it would be wrong, as far as the file alone tells; empty for a well-formed one. */
  faults: string[];
  manifest: Manifest | undefined;
  /** Undefined for one that is not signed. */
  signature: Signature | undefined;
}

/** @throws ELF_*, KLP_BAD_MODULE for a manifest that cannot be read */
export function inspect(bytes: Uint8Array, file: string): Inspection {
  const elf = readElf(bytes, file);
  const info = modinfoOf(elf);
  if (info.size === 0) throw fail("KLP_NOT_LIVEPATCH", "it has no .modinfo: it is no kernel module", { file });
  const vermagic = info.get("vermagic")?.[0] ?? "";
  const descriptor = readDescriptor(elf);
  const objects = descriptor?.objects ?? [];
  const functions = objects.flatMap((object) => object.functions);
  const manifest = readManifest(elf);
  const faults = faultsOf(elf, manifest);
  const named = new Set([...functions.map((f) => f.replacement), ...objects.flatMap((object) => object.callbacks.map((c) => c.name))]);
  return {
    file,
    name: info.get("name")?.[0] ?? "",
    livepatch: info.get("livepatch")?.[0] === "Y",
    release: vermagic.split(" ")[0] ?? "",
    vermagic,
    modinfo: [...info].map(([key, values]) => ({ key, values: [...values] })),
    functions,
    descriptor,
    others: elf.symbols
      .filter((s) => s.type === STT.FUNC && isSection(s.place) && s.size > 0 && !named.has(s.name))
      .map((s) => ({ name: s.name, size: s.size })),
    klpSymbols: elf.symbols.filter((s) => s.place === "livepatch").flatMap((s) => parseKlpSymbol(s.name) ?? []),
    imports: elf.symbols.filter((s) => s.place === "undef" && s.name !== "").map((s) => s.name),
    relocations: [...relocationSections(elf)].flatMap(([target, tables]) =>
      tables
        .filter((t) => (target.flags & SHF.ALLOC) !== 0 && t.relocations.length > 0)
        .map((t) => ({ section: target.name, object: parseKlpSection(t.name)?.object, count: t.relocations.length })),
    ),
    faults,
    manifest,
    signature: signatureIn(bytes, file, faults),
  };
}

function signatureIn(bytes: Uint8Array, file: string, faults: string[]): Signature | undefined {
  try {
    return readSignature(bytes, file);
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function faultsOf(elf: ElfObject, manifest: Manifest | undefined): string[] {
  const faults: string[] = [];
  try {
    checkForm(elf);
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  }
  if (manifest !== undefined && manifest.contents !== contentsSha256(elf))
    faults.push("it is not what its manifest was written for: it was damaged, or changed after it was built");
  return faults;
}
