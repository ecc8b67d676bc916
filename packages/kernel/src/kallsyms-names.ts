/**
 * kallsyms_num_syms, kallsyms_names and kallsyms_markers, which stand in that order before the token table in every layout. A name is a
 * length in one byte, or in two if the first has its top bit set, and that many token numbers; every 256th name's offset is a marker.
 */
import { type ByteOrder, type ByteView, viewOf } from "@suture/elf";
import { fail } from "./errors.ts";
import { align, type TokenTable } from "./kallsyms-tokens.ts";

export interface NameRows {
  count: number;
  /** Byte offset of kallsyms_num_syms in the section. */
  countAt: number;
  /** Byte offset of the first name. */
  start: number;
  /** Byte offset of kallsyms_markers. */
  markersAt: number;
  /** Byte offset of kallsyms_seqs_of_names between the markers and the tokens; undefined if nothing stands there. */
  sequencesAt: number | undefined;
}

/** Ten times what the largest distribution kernel has. */
const MOST_SYMBOLS = 2_000_000;
/** KSYM_NAME_LEN is 512; the type letter comes on top. */
const LONGEST_NAME = 513;
const MOST_NAME_BYTES = 128 << 20;
const MARKER_STEP = 256;

/** What of a section with a token table names are looked for in. */
interface Search {
  data: Uint8Array;
  view: ByteView;
  tokens: TokenTable;
  bias: number;
}

export function findNames(data: Uint8Array, tokens: TokenTable, bias: number, order: ByteOrder): NameRows | undefined {
  const search = { data, view: viewOf(data, order), tokens, bias };
  return tokens.unit === 8 ? findByCount(search) : findByMarkers(search);
}

/** Looks for a count from the token table backwards, such that names, markers and what may follow them end where the tokens start. */
function findByCount(search: Search): NameRows | undefined {
  const { data, view, tokens, bias } = search;
  // What is no count fails within a few bytes; data made to fail late are given up on after some passes over the section.
  let effort = 4 * data.length;
  for (let at = align(tokens.start, bias, 8) - 16; at >= 0; at -= 8) {
    const count = view.u32(at);
    if (count === 0 || count > MOST_SYMBOLS || view.u32(at + 4) !== 0) continue;
    const start = at + 8;
    if (count * 2 > tokens.start - start) continue;
    const walked = walkNames(search, start, count);
    effort -= walked.bytes;
    const { markersAt, sequencesAt } = walked;
    if (sequencesAt !== "none") return { count, countAt: at, start, markersAt, sequencesAt };
    if (effort < 0) return undefined;
  }
  return undefined;
}

/**
 * Where labels are aligned to 4 bytes, nothing stands between the markers and the tokens: the markers ascend from 0 up to there, and say how
 * many names there are but for the last 256, and how far before them the first one starts.
 */
function findByMarkers(search: Search): NameRows | undefined {
  const { view, tokens } = search;
  let at = tokens.start - 4;
  for (let above = MOST_NAME_BYTES; at >= 0; at -= 4) {
    const mark = view.u32(at);
    if (mark >= above) return undefined;
    above = mark;
    if (mark === 0) break;
  }
  if (at < 0) return undefined;
  const marks = (tokens.start - at) / 4;
  const latest = at - view.u32(tokens.start - 4);
  // A length may take two bytes.
  const earliest = Math.max(latest - MARKER_STEP * (LONGEST_NAME + 2) - 4, 4);
  for (let start = latest - ((latest + search.bias) & 3); start >= earliest; start -= 4) {
    const count = view.u32(start - 4);
    if (count <= (marks - 1) * MARKER_STEP || count > Math.min(marks * MARKER_STEP, MOST_SYMBOLS)) continue;
    const { markersAt, sequencesAt } = walkNames(search, start, count);
    if (sequencesAt === undefined && markersAt === at) return { count, countAt: start - 4, start, markersAt, sequencesAt };
  }
  return undefined;
}

function walkNames(
  { data, view, tokens, bias }: Search,
  start: number,
  count: number,
): { bytes: number; markersAt: number; sequencesAt: number | undefined | "none" } {
  const { unit, start: limit } = tokens;
  const marks: number[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (i % MARKER_STEP === 0) marks.push(at - start);
    const first = data[at] as number;
    const length = first < 0x80 ? first : (first & 0x7f) | ((data[at + 1] as number) << 7);
    at += (first < 0x80 ? 1 : 2) + length;
    if (length === 0 || length > LONGEST_NAME || at > limit) return { bytes: at - start, markersAt: 0, sequencesAt: "none" };
  }
  const markersAt = align(at, bias, unit);
  const markersEnd = markersAt + marks.length * 4;
  const found = { bytes: at - start, markersAt, sequencesAt: "none" as const };
  if (markersEnd > limit) return found;
  for (let k = 0; k < marks.length; k++) if (view.u32(markersAt + k * 4) !== marks[k]) return found;
  const next = align(markersEnd, bias, unit);
  if (next === limit) return { ...found, sequencesAt: undefined };
  return align(next + 3 * count, bias, unit) === limit ? { ...found, sequencesAt: next } : found;
}

export interface DecodedNames {
  types: Uint8Array;
  names: Uint8Array;
  nameStarts: Uint32Array;
}

/** Expands every name. The first character of an expanded name is the symbol's type. */
export function decodeNames(data: Uint8Array, rows: NameRows, { tokens }: TokenTable, file: string, section: string): DecodedNames {
  const types = new Uint8Array(rows.count);
  const nameStarts = new Uint32Array(rows.count + 1);
  const name = new Uint8Array(2 * LONGEST_NAME);
  let names = new Uint8Array(rows.count * 24);
  let used = 0;
  let at = rows.start;
  for (let i = 0; i < rows.count; i++) {
    const where = { file, section, offset: at };
    const first = data[at] as number;
    let length = first;
    at++;
    if (first >= 0x80) length = (first & 0x7f) | ((data[at++] as number) << 7);
    let size = 0;
    for (const end = at + length; at < end; at++) {
      const token = tokens[data[at] as number] as Uint8Array;
      if (size + token.length > LONGEST_NAME) throw fail("KERNEL_BAD_KALLSYMS", `the name of symbol ${i} is too long`, where);
      for (let k = 0; k < token.length; k++) name[size++] = token[k] as number;
    }
    const type = name[0] as number;
    if (size < 2 || !isTypeLetter(type)) throw fail("KERNEL_BAD_KALLSYMS", `symbol ${i} has no name or no type letter`, where);
    for (let k = 1; k < size; k++)
      if ((name[k] as number) <= 0x20 || name[k] === 0x7f)
        throw fail("KERNEL_BAD_KALLSYMS", `the name of symbol ${i} holds the character ${name[k]}`, where);
    if (used + size > names.length) {
      if (used + size > MOST_NAME_BYTES) throw fail("KERNEL_BAD_KALLSYMS", "the names expand beyond any kernel's", where);
      const grown = new Uint8Array(2 * (used + size));
      grown.set(names);
      names = grown;
    }
    types[i] = type;
    for (let k = 1; k < size; k++) names[used++] = name[k] as number;
    nameStarts[i + 1] = used;
  }
  return { types, names: names.slice(0, used), nameStarts };
}

/** Letters, and the ? of nm. */
function isTypeLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x3f;
}
