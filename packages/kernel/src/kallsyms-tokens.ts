/**
 * kallsyms_token_table and kallsyms_token_index. A symbol name is stored as a row of token numbers; token i is a NUL-ended string, and the
 * 16-bit index gives where each starts. Every character that symbol names use is the token of its own number, the digits always among them:
 * that is how the table is found. Source: write_src() of scripts/kallsyms.c.
 */
import { type ByteOrder, viewOf } from "@suture/elf";

/** What the labels of kallsyms are aligned to: 8 bytes, or 4 in kernels whose offsets count from themselves. */
export type Unit = 8 | 4;

export interface TokenTable {
  unit: Unit;

  /** Byte offset of the token table in the section. */
  start: number;
  /** Byte offset of the index. */
  indexAt: number;
  /** Byte offset just after the index. */
  end: number;
  tokens: Uint8Array[];
}

const COUNT = 256;
/** The longest name that the kernel allows (KSYM_NAME_LEN 512) and its type letter bound a token too. */
const LONGEST_TOKEN = 512;
const DIGITS = Buffer.from("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00", "latin1");
const ZERO = 0x30;

/** All well-formed token tables of a section, in order; of each unit that fits. @param bias the section's address modulo 8: tables are aligned by address */
export function* findTokenTables(data: Uint8Array, bias: number, order: ByteOrder): Generator<TokenTable> {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let digits = bytes.indexOf(DIGITS); digits >= 0; digits = bytes.indexOf(DIGITS, digits + 1)) {
    for (const unit of [8, 4] as const) {
      const table = tokenTableAround(bytes, digits, bias, order, unit);
      if (table !== undefined) yield table;
    }
  }
}

/** Walks forward over the tokens from "0" to the end, where the index follows; the index then gives the start. */
function tokenTableAround(bytes: Buffer, digits: number, bias: number, order: ByteOrder, unit: Unit): TokenTable | undefined {
  let end = digits;
  for (let token = ZERO; token < COUNT; token++) {
    const stop = bytes.indexOf(0, end);
    if (stop < 0 || stop - end > LONGEST_TOKEN) return undefined;
    end = stop + 1;
  }
  const indexAt = align(end, bias, unit);
  if (indexAt + COUNT * 2 > bytes.length) return undefined;
  const view = viewOf(bytes, order);
  const start = digits - view.u16(indexAt + ZERO * 2);
  if (start < 0 || align(start, bias, unit) !== start) return undefined;
  const tokens: Uint8Array[] = [];
  let at = start;
  for (let token = 0; token < COUNT; token++) {
    if (view.u16(indexAt + token * 2) !== at - start) return undefined;
    const stop = bytes.indexOf(0, at);
    if (stop < 0 || stop >= end) return undefined;
    tokens.push(bytes.subarray(at, stop));
    at = stop + 1;
  }
  return at === end ? { unit, start, indexAt, end: indexAt + COUNT * 2, tokens } : undefined;
}

/** The next offset whose address is a multiple of the unit. */
export function align(offset: number, bias: number, unit: Unit): number {
  return offset + ((unit - ((offset + bias) & (unit - 1))) & (unit - 1));
}
