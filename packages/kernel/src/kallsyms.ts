/**
 * Finds and decodes kallsyms in an image that has no symbol table: the tokens by their digits, then names and markers before them, then
 * offsets and base on either side. Nothing of it depends on the kernel's version; every part is checked as a whole.
 */
import { fail } from "./errors.ts";
import { addressCandidates } from "./kallsyms-addresses.ts";
import { decodeNames, findNames } from "./kallsyms-names.ts";
import { findTokenTables } from "./kallsyms-tokens.ts";
import { hex, type ImageLayout, type ImageSection } from "./layout.ts";
import type { Storage } from "./storage.ts";
import type { SymbolArrays } from "./symbols.ts";

/** @throws KERNEL_NO_KALLSYMS, KERNEL_BAD_KALLSYMS */
export function readKallsyms(storage: Storage, layout: ImageLayout, file: string): SymbolArrays {
  let closest = "no token table is in any data section";
  for (const section of layout.sections) {
    if (section.nobits || section.executable) continue;
    const data = storage.read(section.offset, section.size);
    const bias = section.address & 7;
    for (const tokens of findTokenTables(data, bias)) {
      const rows = findNames(data, tokens, bias);
      if (rows === undefined) {
        closest = `no names lead up to the token table at ${hex(section.address + tokens.start)}`;
        continue;
      }
      const names = decodeNames(data, rows, tokens, file, section.name);
      for (const { addresses } of addressCandidates(data, rows.count, rows.countAt, tokens.end, bias)) {
        const arrays = { addresses, ...names };
        if (fits(arrays, layout)) return arrays;
      }
      throw fail("KERNEL_BAD_KALLSYMS", `${rows.count} names, but no table of their addresses beside them`, {
        file,
        section: section.name,
        offset: rows.countAt,
      });
    }
  }
  throw fail("KERNEL_NO_KALLSYMS", closest, { file });
}

/** Whether _text or _stext is where the text section starts. */
function fits(arrays: SymbolArrays, layout: ImageLayout): boolean {
  const text = layout.sections.find((section: ImageSection) => section.executable);
  if (text === undefined) return false;
  const names = Buffer.from(arrays.names.buffer, arrays.names.byteOffset, arrays.names.byteLength);
  const key = text.address >>> 0;
  for (let i = arrays.addresses.indexOf(key); arrays.addresses[i] === key; i++) {
    const name = names.toString("latin1", arrays.nameStarts[i], arrays.nameStarts[i + 1]);
    if (name === "_text" || name === "_stext") return true;
  }
  return false;
}
