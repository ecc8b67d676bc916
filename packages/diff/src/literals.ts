/** Items that have contents but no identity: the kernel's copy and the patch's copy are as good as each other. */
import { SHF } from "@suture/elf";
import { bytesOf, type Item } from "./items.ts";
import { stem } from "./names.ts";
import { REPORT_PLACE } from "./sections.ts";

const anonymousObjects = new Set(["__func__", "__FUNCTION__", "__PRETTY_FUNCTION__", "CSWTCH"]);

/**
 * Strings, constants, switch tables, function names, pieces of alternatives and what UBSAN reports: compared by what they hold, carried as
 * copies. UBSAN notes in what it has that it has reported it: a copy reports at most once more.
 */
export function isLiteral(item: Item): boolean {
  if (item.kind === "element") return true;
  if (item.kind === "anonymous") return item.role === "rodata" || item.role === "replacement" || item.role === "report";
  return item.kind === "object" && item.role === "rodata" && anonymousObjects.has(stem(item.name));
}

export function isString(item: Item): boolean {
  return item.kind === "element" && (item.section.flags & SHF.STRINGS) !== 0;
}

export function textOfString(item: Item): string {
  return Buffer.from(bytesOf(item)).toString("latin1").replace(/\0+$/, "");
}

/** Line and column, after the pointer to the file's name. Source: struct source_location of lib/ubsan.h. */
const PLACE = { start: 8, end: 16 };

/** The contents without what says nothing about behaviour. */
export function comparedBytes(item: Item): Uint8Array {
  const bytes = bytesOf(item);
  if (item.role !== "report" || !item.section.name.startsWith(REPORT_PLACE) || bytes.length < PLACE.end) return bytes;
  return Uint8Array.from(bytes).fill(0, PLACE.start, PLACE.end);
}
