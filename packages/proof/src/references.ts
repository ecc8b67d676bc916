/** Relocations of an object, as what they say about the ground: where a part must lie, or what a symbol's address must be. */
import type { Arch } from "@suture/arch";
import { type ElfSymbol, isSection, type Relocation, type Section, SHF, STB, STT } from "@suture/elf";
import type { Part, Parts } from "./items.ts";
import type { RunningCode } from "./running-code.ts";
import { isInitOnly } from "./sections.ts";

/** What a relocation's symbol stands for. */
export type Target =
  /** A place in a part of this object that the linker keeps as it is. `strong`: a global symbol, which the kernel must have at that place. */
  | { kind: "part"; part: Part; offset: number; strong: ElfSymbol | undefined }
  /** A string or constant that the linker merges with equal ones. `exact`: S + A is where it is, not S. */
  | { kind: "merged"; arch: Arch; section: Section; offset: number; exact: boolean }
  /** A symbol whose address is found by its name. */
  | { kind: "name"; symbol: ElfSymbol; own: { part: Part; offset: number } | undefined }
  /** An entry of a special table, by where it is: code may hand it on, as warnings do. */
  | { kind: "entry"; table: Part; offset: number }
  /** A constant. */
  | { kind: "number"; value: number }
  | { kind: "unknown"; why: string };

export function targetOf({ symbol, type, addend }: Relocation, parts: Parts): Target {
  if (symbol === undefined) return { kind: "number", value: 0 };
  const { place } = symbol;
  if (place === "abs") return { kind: "number", value: symbol.value };
  if (place === "undef") return { kind: "name", symbol, own: undefined };
  if (!isSection(place)) return { kind: "unknown", why: `refers to ${symbol.name}, a ${place} symbol` };
  const part = parts.of(place);
  if (part?.role === "merged") return merged(part.arch, symbol, place, type, addend);
  if (part?.role === "table") return { kind: "entry", table: part, offset: symbol.value };
  if (part === undefined || part.role === "none")
    return { kind: "unknown", why: `refers to ${place.name}, which is not in the kernel as it is in the object` };
  if (symbol.bind === STB.LOCAL) return { kind: "part", part, offset: symbol.value, strong: undefined };
  if (symbol.bind === STB.GLOBAL) return { kind: "part", part, offset: symbol.value, strong: symbol };
  return { kind: "name", symbol, own: { part, offset: symbol.value } };
}

/** The linker looks up the string at symbol + addend where the symbol is the section's, else the one at the symbol. */
function merged(arch: Arch, symbol: ElfSymbol, section: Section, type: number, addend: number): Target {
  if (symbol.type !== STT.SECTION) return { kind: "merged", arch, section, offset: symbol.value, exact: false };
  if (arch.relocations.isPcRelative(type))
    return { kind: "unknown", why: `refers to ${section.name} relative to the instruction, without a symbol` };
  return { kind: "merged", arch, section, offset: symbol.value + addend, exact: true };
}

/**
 * Bytes from what a field of code holds to the place that it means, where that is an entry of a table: the instruction computes the address, or
 * holds it.
 */
export function toEntry({ type, offset }: Relocation, user: Section, { relocations, code }: Arch): number | undefined {
  if ((user.flags & SHF.EXECINSTR) === 0) return undefined;
  if (!relocations.isPcRelative(type)) return 0;
  return code.mayComputeAddress(user.data, offset) && code.jumpsOrLoadsAddress(user.data, offset) ? code.branchToEnd : undefined;
}

export type EntryTarget = Extract<Target, { kind: "entry" }>;

export type MergedTarget = Extract<Target, { kind: "merged" }>;

/** A string (with its end) or constant of the object, and where the ground has it. */
export interface Merged {
  section: Section;
  bytes: Uint8Array;
  address: number;
}

/**
 * Whether the ground has the same string or constant where a field refers to S + A = `value`.
 * @param user the section of the field: code counts distances from the end of the instruction
 * @returns why not, if it has not
 */
export function findMerged(
  target: MergedTarget,
  { addend, type }: Relocation,
  value: number,
  user: Section,
  running: RunningCode,
): Merged | string {
  const { section, offset, exact } = target;
  const strings = (section.flags & SHF.STRINGS) !== 0;
  const entity = mergedEntity(section, offset, strings);
  if (entity === undefined) return `refers to ${section.name} + ${offset}, where nothing whole is`;
  const start = (exact ? value : value - addend) - (offset - entity.start);
  // The linker keeps its section's alignment, which is less than its size where it is a table of smaller ones (gcc 16).
  const kernel =
    !strings && start % Math.max(Math.min(section.entsize, section.align), 1) !== 0
      ? undefined
      : running.constant(start, entity.bytes.length, isInitOnly(user.name));
  if (kernel === undefined || Buffer.compare(kernel, entity.bytes) !== 0)
    return `refers to ${textOf(entity.bytes)}, ${running.name} to ${kernel === undefined ? "nothing" : textOf(kernel)}`;
  // What could be equal by chance must be referred to inside of it, or at its end: the limit of a loop over its characters. A precision is such a limit too.
  const inside = exact ? 0 : Math.min(...ahead(target.arch, type, user).map((bytes) => Math.abs(offset - entity.start + addend + bytes)));
  return inside <= entity.bytes.length || entity.bytes.length >= TELLING
    ? { section, bytes: entity.bytes, address: start }
    : `refers to ${addend} bytes from ${textOf(entity.bytes)}`;
}

/** Bytes that are not equal by chance. */
const TELLING = 6;

/** Bytes that may lie between the place a distance counts from and its field: the field itself and an immediate. */
function ahead({ relocations, code }: Arch, type: number, { flags }: Section): readonly number[] {
  return relocations.isPcRelative(type) && (flags & SHF.EXECINSTR) !== 0 ? code.fieldToEnds : [0];
}

/** The string (with its end) or constant at the offset; undefined if it does not end. */
function mergedEntity({ data, entsize }: Section, offset: number, strings: boolean): { start: number; bytes: Uint8Array } | undefined {
  const unit = Math.max(entsize, 1);
  if (offset < 0 || offset >= data.length) return undefined;
  if (!strings) {
    const start = offset - (offset % unit);
    return start + unit > data.length ? undefined : { start, bytes: data.subarray(start, start + unit) };
  }
  for (let end = offset; end + unit <= data.length; end += unit)
    if (isZero(data, end, unit)) return { start: offset, bytes: data.subarray(offset, end + unit) };
  return undefined;
}

function isZero(data: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (data[i] !== 0) return false;
  return true;
}

function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1").replace(/\0+$/, "");
  return /^[\t\n\x20-\x7e]*$/.test(text) ? JSON.stringify(text) : `0x${Buffer.from(bytes).toString("hex")}`;
}

/** Why S is not an address of the symbol; undefined if it is. */
export function checkName(symbol: ElfSymbol, target: number, own: number | undefined, running: RunningCode): string | undefined {
  const known = running.globals(symbol.name);
  if (known.length === 0) {
    if (symbol.bind === STB.WEAK)
      return target === running.number(0) ? undefined : `refers to ${running.show(target)}, and nothing defines the weak ${symbol.name}`;
    // A global symbol that the kernel's symbol table leaves out can only be held to the place of its section.
    if (own !== undefined) return target === own ? undefined : `refers to ${running.show(target)}, not to ${symbol.name} of this object`;
    return `refers to ${symbol.name}, which ${running.name} does not have`;
  }
  if (!known.includes(target))
    return `refers to ${running.show(target)}, not to ${symbol.name} at ${known.map((a) => running.show(a)).join(", ")}`;
  if (known.length > 1 && own !== target)
    return `refers to ${symbol.name} at ${running.show(target)}, of which ${running.name} has ${known.length}`;
  return undefined;
}
