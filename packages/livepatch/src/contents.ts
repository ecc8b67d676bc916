/**
 * One hash of all that a module holds besides its manifest: contents, relocations and symbols. It stands in the manifest, so that a module that
 * was damaged or changed afterwards is told from the one that was proven. It is no signature: who may write the file may write both.
 */
import { createHash } from "node:crypto";
import { type ElfObject, isSection, SHT } from "@suture/elf";

/** The manifest's own section. */
export const MANIFEST_SECTION = ".suture";

/** SHA-256 in hex. Where things lie in the file does not matter. */
export function contentsSha256(elf: ElfObject): string {
  const hash = createHash("sha256");
  const say = (...words: (string | number)[]): void => void hash.update(`${JSON.stringify(words)}\n`);
  const tables = new Set([elf.symtab, elf.shstrtab, elf.symtab?.link]);
  for (const section of elf.sections) {
    if (section.name === MANIFEST_SECTION || tables.has(section)) continue;
    say("section", section.name, section.type, section.flags, section.align);
    if (section.type === SHT.NOBITS) say(section.size);
    else if (section.type === SHT.RELA)
      for (const { offset, type, symbol, addend } of section.relocations) say(offset, type, symbol?.name ?? "", symbol?.value ?? 0, addend);
    else hash.update(section.data);
  }
  // The writer puts local symbols first.
  const symbols = [...elf.symbols].sort((a, b) => Math.sign(a.bind) - Math.sign(b.bind));
  for (const { name, value, size, bind, type, place } of symbols)
    say("symbol", name, value, size, bind, type, isSection(place) ? `in ${place.name}` : place);
  return hash.digest("hex");
}
