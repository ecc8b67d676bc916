/**
 * What the manifest says of an object as it was compiled: the SHA-256 of the file. Debug information names the folders in which that was done, which
 * are others each time and everywhere: an object that has some is told by all else that is in it.
 */
import { type ElfObject, isSection, readElf, SHT } from "@suture/elf";
import { sha256 } from "@suture/files";

const DEBUG = /^(\.rela)?\.(debug_|BTF)/;

/** @param file for errors. @throws ELF_* */
export function objectDigest(bytes: Uint8Array, file: string): string {
  if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(".debug_info\0") < 0) return sha256(bytes);
  return sha256(...partsOf(readElf(bytes, file)));
}

function* partsOf(elf: ElfObject): Generator<string | Uint8Array> {
  for (const section of elf.sections) {
    if (DEBUG.test(section.name) || section.type === SHT.STRTAB || section.type === SHT.SYMTAB) continue;
    yield `\0section ${section.name} ${section.type} ${section.flags} ${section.align} ${section.nobitsSize ?? section.data.length}\0`;
    if (section.type !== SHT.RELA) yield section.data;
    else for (const { offset, type, addend, symbol } of section.relocations) yield `${offset} ${type} ${addend} ${symbol?.name ?? ""}\0`;
  }
  for (const { name, type, bind, value, size, place } of elf.symbols)
    if (!isSection(place) || !DEBUG.test(place.name))
      yield `\0symbol ${name} ${type} ${bind} ${value} ${size} ${isSection(place) ? place.name : place}\0`;
}
