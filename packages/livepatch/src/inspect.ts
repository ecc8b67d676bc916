/** What a livepatch module says and holds: ours with its manifest, and others' as far as the file shows it. */
import {
  type ElfObject,
  type ElfSymbol,
  isSection,
  R_X86_64,
  readElf,
  relocationSections,
  type Section,
  SHF,
  STT,
  viewOf,
} from "@suture/elf";
import { modinfoOf } from "@suture/kernel";
import { contentsSha256 } from "./contents.ts";
import { fail } from "./errors.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { parseKlpSection, parseKlpSymbol } from "./names.ts";
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
  functions: { name: string; sympos: number; replacement: string; size: number }[];
  /** Functions of the module that replace nothing: new ones, and helpers. */
  others: { name: string; size: number }[];
  /** Found by the livepatch core. */
  klpSymbols: { object: string; name: string; sympos: number }[];
  /** Found by the module loader. */
  imports: string[];
  relocations: { section: string; object: string | undefined; count: number }[];
  /** Why loading it would be wrong, as far as the file alone tells; empty for a well-formed one. */
  faults: string[];
  manifest: Manifest | undefined;
}

/** @throws ELF_*, KLP_BAD_MODULE for a manifest that cannot be read */
export function inspect(bytes: Uint8Array, file: string): Inspection {
  const elf = readElf(bytes, file);
  const info = modinfoOf(elf);
  if (info.size === 0) throw fail("KLP_NOT_LIVEPATCH", "it has no .modinfo: it is no kernel module", { file });
  const vermagic = info.get("vermagic")?.[0] ?? "";
  const functions = replacements(elf);
  const manifest = readManifest(elf);
  const replacing = new Set(functions.map((f) => f.replacement));
  return {
    file,
    name: info.get("name")?.[0] ?? "",
    livepatch: info.get("livepatch")?.[0] === "Y",
    release: vermagic.split(" ")[0] ?? "",
    vermagic,
    modinfo: [...info].map(([key, values]) => ({ key, values: [...values] })),
    functions,
    others: elf.symbols
      .filter((s) => s.type === STT.FUNC && isSection(s.place) && s.size > 0 && !replacing.has(s.name))
      .map((s) => ({ name: s.name, size: s.size })),
    klpSymbols: elf.symbols.filter((s) => s.place === "livepatch").flatMap((s) => parseKlpSymbol(s.name) ?? []),
    imports: elf.symbols.filter((s) => s.place === "undef" && s.name !== "").map((s) => s.name),
    relocations: [...relocationSections(elf)].flatMap(([target, tables]) =>
      tables
        .filter((t) => (target.flags & SHF.ALLOC) !== 0 && t.relocations.length > 0)
        .map((t) => ({ section: target.name, object: parseKlpSection(t.name)?.object, count: t.relocations.length })),
    ),
    faults: faultsOf(elf, manifest),
    manifest,
  };
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

/**
 * The entries of struct klp_func, found by their form: a pointer to a string, a pointer to a function of the module, a small number (old_name,
 * new_func, old_sympos: the first three members since Linux 4.4, whoever built the module).
 */
function replacements(elf: ElfObject): Inspection["functions"] {
  const found: Inspection["functions"] = [];
  for (const [section, tables] of relocationSections(elf)) {
    if ((section.flags & SHF.WRITE) === 0 || (section.flags & SHF.EXECINSTR) !== 0) continue;
    const pointers = new Map(
      tables.flatMap((t) => t.relocations.filter((r) => r.type === R_X86_64[64]).map((r) => [r.offset, r] as const)),
    );
    for (const [offset, name] of pointers) {
      const code = pointers.get(offset + 8);
      if (code?.symbol === undefined || pointers.has(offset + 16) || name.symbol === undefined) continue;
      const target = functionAt(elf, code.symbol, code.addend);
      const text = isSection(name.symbol.place) ? stringAt(name.symbol.place, name.symbol.value + name.addend) : undefined;
      if (target === undefined || text === undefined || text === "" || offset + 24 > section.data.length) continue;
      found.push({ name: text, sympos: viewOf(section.data).getUint32(offset + 16, true), replacement: target.name, size: target.size });
    }
  }
  return found;
}

function functionAt(elf: ElfObject, symbol: ElfSymbol, addend: number): ElfSymbol | undefined {
  if (!isSection(symbol.place) || (symbol.place.flags & SHF.EXECINSTR) === 0) return undefined;
  if (symbol.type === STT.FUNC && addend === 0) return symbol;
  return elf.symbols.find((s) => s.type === STT.FUNC && s.place === symbol.place && s.value === symbol.value + addend);
}

function stringAt(section: Section, offset: number): string | undefined {
  if ((section.flags & (SHF.WRITE | SHF.EXECINSTR)) !== 0 || offset < 0 || offset >= section.data.length) return undefined;
  const end = section.data.indexOf(0, offset);
  const text = end < 0 ? "" : Buffer.from(section.data.subarray(offset, end)).toString("latin1");
  return /^[A-Za-z_][\w.$]*$/.test(text) ? text : undefined;
}
