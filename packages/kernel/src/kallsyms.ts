/**
 * Finds and decodes kallsyms in an image that has no symbol table: the tokens by their digits, then names and markers before them, then
 * offsets and base on either side. Nothing of it depends on the kernel's version; every part is checked as a whole.
 */
import type { ByteOrder } from "@suture/elf";
import { type KernelAddress, offsetBy, RANKS } from "./address.ts";
import { fail } from "./errors.ts";
import { addressCandidates } from "./kallsyms-addresses.ts";
import { type DecodedNames, decodeNames, findNames, type NameRows } from "./kallsyms-names.ts";
import { checkOrder } from "./kallsyms-order.ts";
import { align, findTokenTables, type TokenTable } from "./kallsyms-tokens.ts";
import type { ImageLayout, ImageSection } from "./layout.ts";
import { indexNames } from "./name-index.ts";
import type { Storage } from "./storage.ts";
import type { SymbolArrays } from "./symbols.ts";

/** A kernel has one token table; images made to have more are not searched for long. */
const MOST_TOKEN_TABLES = 8;

export interface Kallsyms {
  symbols: SymbolArrays;
  /** Addresses of the tables themselves, which the table does not list, by the names that the kernel's source has for them. */
  own: Record<string, KernelAddress>;
}

/** @throws KERNEL_NO_KALLSYMS, KERNEL_BAD_KALLSYMS */
export function readKallsyms(storage: Storage, layout: ImageLayout, order: ByteOrder, file: string): Kallsyms {
  let why = "no data section holds a token table";
  let tried = 0;
  for (const section of layout.sections) {
    if (section.nobits || section.executable) continue;
    const data = storage.read(section.offset, section.size);
    const bias = layout.space.value(section.address) & 7;
    for (const tokens of findTokenTables(data, bias, order)) {
      const rows = findNames(data, tokens, bias, order);
      if (rows !== undefined) return decode({ data, bias, tokens, rows, section }, layout, order, file);
      why = `no names lead up to the token table at ${layout.space.hex(offsetBy(section.address, tokens.start))}`;
      if (++tried === MOST_TOKEN_TABLES) throw fail("KERNEL_NO_KALLSYMS", why, { file });
    }
  }
  throw fail("KERNEL_NO_KALLSYMS", why, { file });
}

interface Found {
  data: Uint8Array;
  /** The section's address modulo 8. */
  bias: number;
  tokens: TokenTable;
  rows: NameRows;
  section: ImageSection;
}

function decode({ data, bias, tokens, rows, section }: Found, layout: ImageLayout, order: ByteOrder, file: string): Kallsyms {
  const where = { file, section: section.name, offset: rows.countAt };
  const names = decodeNames(data, rows, tokens, file, section.name);
  const candidates = addressCandidates(
    data,
    { unit: tokens.unit, count: rows.count, countAt: rows.countAt, indexEnd: tokens.end },
    section.address,
    order,
    layout.space,
  );
  const table = candidates.find(({ ranks }) => fits(ranks, names, layout));
  if (table === undefined)
    throw fail("KERNEL_BAD_KALLSYMS", `${rows.count} names, and no table of addresses beside them that fits the image`, where);
  // Kernels before 6.2 may have no order of names: then nothing stands between markers and tokens.
  const orderAt = table.end > tokens.end ? align(table.end, bias, tokens.unit) : rows.sequencesAt;
  if (orderAt !== undefined) {
    if (orderAt + 3 * rows.count > data.length)
      throw fail("KERNEL_BAD_KALLSYMS", "the order of names reaches past the section's end", { ...where, offset: orderAt });
    checkOrder(data, orderAt, names, file, section.name);
  }
  const offsets: Record<string, number> = {
    kallsyms_num_syms: rows.countAt,
    kallsyms_names: rows.start,
    kallsyms_markers: rows.markersAt,
    kallsyms_token_table: tokens.start,
    kallsyms_token_index: tokens.indexAt,
    kallsyms_offsets: table.start,
    ...(table.baseAt === undefined ? {} : { kallsyms_relative_base: table.baseAt }),
    ...(orderAt === undefined ? {} : { kallsyms_seqs_of_names: orderAt }),
  };
  const own = Object.fromEntries(Object.entries(offsets).map(([name, offset]) => [name, offsetBy(section.address, offset)]));
  return { symbols: { ranks: table.ranks, ...names, nameIndex: indexNames(names.names, names.nameStarts) }, own };
}

/**
 * What MODULE_INFO() of built-in code defines. Newer kernels are linked with it behind all else, and it is taken out afterwards. It holds some
 * hundred kilobytes.
 */
const MODULE_INFO = /^__UNIQUE_ID_modinfo_?\d+$/;
const MODULE_INFO_BYTES = 1 << 24;

/** Whether _text or _stext is where the text section starts, and no symbol lies outside of the image. */
function fits(ranks: Uint32Array, { names, nameStarts }: DecodedNames, layout: ImageLayout): boolean {
  const { space } = layout;
  const text = layout.sections.find((section) => section.executable);
  const first = layout.sections.find((section) => space.isInImage(section.address));
  const last = layout.sections.at(-1);
  if (text === undefined || first === undefined || last === undefined) return false;
  const lowest = space.rank(first.address);
  const highest = space.rank(last.address) + last.size;
  const start = space.rank(text.address);
  const strings = Buffer.from(names.buffer, names.byteOffset, names.byteLength);
  const nameOf = (i: number): string => strings.toString("latin1", nameStarts[i], nameStarts[i + 1]);
  const outside = (rank: number, i: number): boolean =>
    rank >= RANKS.image && (rank < lowest || (rank > highest && !(rank <= highest + MODULE_INFO_BYTES && MODULE_INFO.test(nameOf(i)))));
  if (ranks.some(outside)) return false;
  for (let i = ranks.indexOf(start); i >= 0 && ranks[i] === start; i++) {
    const name = nameOf(i);
    if (name === "_text" || name === "_stext") return true;
  }
  return false;
}
