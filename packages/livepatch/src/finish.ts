/**
 * The linked module becomes a livepatch: relocations to symbols that only the livepatch core can find move into sections of their own, which
 * the core applies, and the symbols get the section index that makes the module loader leave them alone.
 * Format: Documentation/livepatch/module-elf-format.rst of the kernel.
 */
import { type ElfObject, newRelocations, type Relocation, readElf, Section, SHF, SHT, writeElf } from "@suture/elf";
import { type DraftManifest, type Manifest, writeManifest } from "@suture/protocol";
import { reachByDistance } from "./by-distance.ts";
import { contentsSha256, MANIFEST_SECTION } from "./contents.ts";
import { fail } from "./errors.ts";
import { isKlpSymbol, klpSectionName, LONGEST_OBJECT, parseKlpSymbol, splitUser } from "./names.ts";
import type { KernelView } from "./resolve.ts";

/**
 * @param longest of a symbol's name, in characters: `longestSymbol`
 * @param kernel that it is for; without it, all that the kernel does not export is left to the livepatch core
 */
export function finish(
  linked: Uint8Array,
  file: string,
  draft: DraftManifest,
  longest: number,
  kernel?: KernelView,
): { bytes: Uint8Array; manifest: Manifest } {
  const elf = readElf(linked, file);
  if (kernel !== undefined) reachByDistance(elf, kernel);
  moveRelocations(elf, longest);
  for (const symbol of elf.symbols) {
    if (!isKlpSymbol(symbol.name)) continue;
    symbol.place = "livepatch";
    symbol.name = splitUser(symbol.name).symbol;
  }
  const manifest = { ...draft, contents: contentsSha256(elf) };
  addManifest(elf, writeManifest(manifest));
  return { bytes: writeElf(elf), manifest };
}

function moveRelocations(elf: ElfObject, longest: number): void {
  for (const table of elf.sections.filter((s) => s.type === SHT.RELA && s.target !== undefined)) {
    const { target } = table;
    if (target === undefined) continue;
    const byObject = new Map<string, Relocation[]>();
    const kept: Relocation[] = [];
    for (const relocation of table.relocations) {
      const name = relocation.symbol?.name ?? "";
      if (!isKlpSymbol(name)) {
        kept.push(relocation);
        continue;
      }
      const { symbol, user } = splitUser(name);
      const klp = parseKlpSymbol(symbol);
      if (klp === undefined || klp.object.length > LONGEST_OBJECT || klp.name.length > longest)
        throw fail("KLP_BAD_MODULE", `the livepatch core cannot read the symbol name ${name}`, { file: elf.file, section: table.name });
      const object = user ?? klp.object;
      const list = byObject.get(object);
      if (list === undefined) byObject.set(object, [relocation]);
      else list.push(relocation);
    }
    if (byObject.size === 0) continue;
    const made = [...byObject].map(([object, relocations]) =>
      newRelocations(elf, target, relocations, {
        name: klpSectionName(object, target.name),
        // Allocated: the core reads them again when a module that they belong to comes.
        flags: SHF.ALLOC | SHF.RELA_LIVEPATCH,
      }),
    );
    const at = elf.sections.indexOf(table);
    table.relocations = kept;
    elf.sections.splice(at + (kept.length === 0 ? 0 : 1), kept.length === 0 ? 1 : 0, ...made);
  }
}

function addManifest(elf: ElfObject, manifest: string): void {
  const section = new Section({ name: MANIFEST_SECTION, type: SHT.PROGBITS, data: Buffer.from(manifest, "utf8") });
  const at = elf.symtab === undefined ? elf.sections.length : elf.sections.indexOf(elf.symtab);
  elf.sections.splice(at, 0, section);
}
