/** Assembles the kallsyms of a kernel in each of the layouts that kernels have had. */
import type { ByteOrder } from "@suture/elf";
import { Bytes } from "@suture/testkit/bytes";

export interface BuiltSymbol {
  /** Signed: per-cpu offsets are not negative. */
  address: number;
  type: string;
  name: string;
}

export interface KallsymsShape {
  /** Offsets before the names and the order of names before the tokens, as up to 6.3; both after the tokens; or so, and without a base. */
  layout: "before" | "after" | "themselves";
  /** Per-cpu symbols keep their address, and offsets below zero count from the base. Otherwise all offsets are unsigned. */
  perCpuAbsolute: boolean;
  /** kallsyms_seqs_of_names; the layout "after" always has it. */
  ordered: boolean;
  /** Lowest address that is not per-cpu. */
  base: number;
  /** Of the first byte, for offsets that count from their own places. */
  address?: number;
  /** Little unless given. */
  order?: ByteOrder;
  /** Texts that get a token of their own. */
  tokens: readonly string[];
}

/** @param symbols in kallsyms order */
export function buildKallsyms(symbols: readonly BuiltSymbol[], shape: KallsymsShape): Uint8Array {
  const tokens = tokenTable(symbols, shape.tokens);
  const names = new Bytes();
  const markers: number[] = [];
  symbols.forEach((symbol, i) => {
    if (i % 256 === 0) markers.push(names.length);
    const row = compress(symbol.type + symbol.name, tokens);
    if (row.length < 0x80) names.put([row.length]);
    else names.put([(row.length & 0x7f) | 0x80, row.length >> 7]);
    names.put(row);
  });
  const out = new Bytes(shape.order);
  const unit = shape.layout === "themselves" ? 4 : 8;
  const offsets = (): void => {
    for (const { address } of symbols) out.u32(unit === 4 ? address - (shape.address ?? 0) - out.length : offsetOf(address, shape));
    if (unit === 8) out.align(8).i64(shape.base);
  };
  const order = (): void => {
    for (const i of orderByName(symbols)) out.put([(i >> 16) & 255, (i >> 8) & 255, i & 255]);
  };
  if (shape.layout === "before") offsets();
  out.u32(symbols.length).align(unit);
  out.put(names.done()).align(unit);
  for (const marker of markers) out.u32(marker);
  out.align(unit);
  if (shape.layout === "before" && shape.ordered) order();
  out.align(unit);
  const starts: number[] = [];
  const start = out.length;
  for (const token of tokens) {
    starts.push(out.length - start);
    out.text(`${token}\0`);
  }
  out.align(unit);
  for (const at of starts) out.u16(at);
  out.align(unit);
  if (shape.layout !== "before") {
    offsets();
    order();
    out.align(unit);
  }
  return out.done();
}

function offsetOf(address: number, shape: KallsymsShape): number {
  if (!shape.perCpuAbsolute) return address - shape.base;
  return address >= 0 ? address : shape.base - 1 - address;
}

/** By name as bytes, then in the table's order. */
function orderByName(symbols: readonly BuiltSymbol[]): number[] {
  const names = symbols.map((symbol) => Buffer.from(symbol.name, "latin1"));
  return symbols.map((_, i) => i).sort((a, b) => Buffer.compare(names[a] as Buffer, names[b] as Buffer) || a - b);
}

/** Every character that is used is its own token; the others are free for longer texts. */
function tokenTable(symbols: readonly BuiltSymbol[], texts: readonly string[]): string[] {
  const used = new Set("0123456789");
  for (const { type, name } of symbols) for (const character of type + name) used.add(character);
  const waiting = [...texts];
  return Array.from({ length: 256 }, (_, i) => {
    const character = String.fromCharCode(i);
    return used.has(character) ? character : (waiting.shift() ?? "");
  });
}

/** The longest token first. */
function compress(text: string, tokens: readonly string[]): number[] {
  const longer = tokens.flatMap((token, i) => (token.length > 1 ? [{ token, i }] : [])).sort((a, b) => b.token.length - a.token.length);
  const row: number[] = [];
  for (let at = 0; at < text.length; ) {
    const best = longer.find(({ token }) => text.startsWith(token, at));
    row.push(best?.i ?? text.charCodeAt(at));
    at += best?.token.length ?? 1;
  }
  return row;
}
