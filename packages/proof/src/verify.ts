/**
 * Holds every symbol, byte, relocation and table entry of the placed parts against the ground. functions.ts works out what the findings mean for
 * each function.
 */
import { type Finding, Findings } from "./findings.ts";
import type { Item, Part, Parts } from "./items.ts";
import type { Placement } from "./placement.ts";
import type { Merged } from "./references.ts";
import type { RunningCode } from "./running-code.ts";
import { SpanChecker } from "./spans.ts";
import type { RunningTables } from "./table-index.ts";
import type { ObjectTable } from "./tables.ts";
import { PartVerifier } from "./verify-parts.ts";
import { TableVerifier } from "./verify-tables.ts";

export interface Verdict {
  findings: readonly Finding[];
  /** Data that each item, and each table entry about it, refers to; by item, or by part for what is about no item. */
  uses: ReadonlyMap<Item, ReadonlySet<Part>>;
  /** Strings and constants that code and data that stay refer to, once for each reference. */
  merged: readonly Merged[];
}

export function verify(
  parts: Parts,
  tables: readonly ObjectTable[],
  placement: Placement,
  running: RunningCode,
  index: RunningTables,
): Verdict {
  const findings = new Findings();
  const spans = new SpanChecker(parts, placement, running);
  const ofParts = new PartVerifier(placement, running, spans, findings);
  for (const part of parts.all) if (part.role === "code" || part.role === "data") ofParts.verify(part);
  ofParts.overlaps();
  const ofTables = new TableVerifier(placement, running, index, spans, findings);
  for (const table of tables) ofTables.verify(table);
  for (const { user, at, table, offset, address } of spans.entries) {
    const place = ofTables.places.get(table.section)?.get(offset);
    if (place === address) continue;
    const meant = place === undefined ? "which the kernel does not have so" : `not to ${running.show(place)}`;
    findings.at(user.section, "reference", at, `refers to ${running.show(address)} as an entry of ${table.section.name}, ${meant}`);
  }
  // Data that nothing refers to (lists that the linker makes of many objects) needs no place.
  const used = new Set([...spans.uses.values()].flatMap((set) => [...set]));
  const counted = findings.all.filter(({ part }) => part.role === "code" || used.has(part) || placement.bases.has(part));
  return { findings: counted, uses: spans.uses, merged: spans.merged };
}
