/** Runs of bytes with relocations, held against the ground: each byte is the same, and each reference leads to the same. */
import type { Arch } from "@suture/arch";
import { type ByteView, type Relocation, type Section, viewOf } from "@suture/elf";
import { fieldsOf, type Item, isFunction, isWeak, itemAt, type Part, type Parts } from "./items.ts";
import type { Doubt } from "./model.ts";
import type { Placement } from "./placement.ts";
import { checkName, findMerged, type Merged, targetOf, toEntry } from "./references.ts";
import type { Field, RunningCode } from "./running-code.ts";
import { isInitOnly } from "./sections.ts";

/** A run of bytes with relocations: an item, or an entry of a table. */
export interface Span {
  /** That holds it. */
  section: Section;
  data: Uint8Array;
  /** In `data`. */
  start: number;
  end: number;
  relocations: readonly Relocation[];
  /** The ground's bytes of the span, and the address of the first. */
  bytes: Uint8Array;
  address: number;
}

export interface Wrong {
  code: Doubt;
  /** In `data`. */
  offset: number;
  why: string;
}

export interface EntryReference {
  user: Item;
  /** Of the field in the user's section. */
  at: number;
  table: Part;
  /** From the table's start. */
  offset: number;
  /** Where the ground's code refers to. */
  address: number;
}

export class SpanChecker {
  /** See Verdict. */
  readonly uses = new Map<Item, Set<Part>>();
  readonly merged: Merged[] = [];
  /** References of code to entries of tables: whether those are the entries' places is seen when the tables are verified. */
  readonly entries: EntryReference[] = [];
  /** Parts whose symbols are not all where they should be. */
  readonly astray = new Set<Part>();
  readonly #parts: Parts;
  readonly #placement: Placement;
  readonly #running: RunningCode;
  readonly #fieldSize: (type: number) => number | undefined;

  constructor(parts: Parts, placement: Placement, running: RunningCode) {
    this.#parts = parts;
    this.#fieldSize = parts.arch.relocations.fieldSize;
    this.#placement = placement;
    this.#running = running;
  }

  /** @param user whose bytes they are, or whom the entry is about */
  compare(span: Span, user: Item): Wrong | undefined {
    const view = viewOf(span.bytes, this.#running.order);
    let from = span.start;
    for (const relocation of span.relocations) {
      const { offset, type } = relocation;
      const size = this.#fieldSize(type);
      if (size === undefined || offset < from || offset + size > span.end)
        return { code: "unsupported", offset, why: `a relocation of type ${type} that is not understood` };
      const different = firstDifference(span, from, offset);
      if (different !== undefined) return different;
      from = offset + size;
      const at = offset - span.start;
      const address = span.address + at;
      const value = this.#running.refersTo(view, at, type, address);
      const wrong =
        value === undefined || Number.isNaN(value)
          ? ({ code: "reference", why: `${this.#running.name} has no such reference there` } as const)
          : this.#reference(relocation, value, user, span.section);
      if (wrong !== undefined) return { ...wrong, offset };
    }
    return firstDifference(span, from, span.end);
  }

  #reference(relocation: Relocation, value: number, user: Item, holder: Section): { code: Doubt; why: string } | undefined {
    const target = targetOf(relocation, this.#parts);
    const address = value - relocation.addend;
    const running = this.#running;
    switch (target.kind) {
      case "unknown":
        return { code: "unsupported", why: target.why };
      case "entry": {
        const more = toEntry(relocation, holder, this.#parts.arch);
        if (more === undefined)
          return { code: "unsupported", why: `refers to ${target.table.section.name} in a way that is not understood` };
        const offset = target.offset + relocation.addend + more;
        this.entries.push({ user, at: relocation.offset, table: target.table, offset, address: value + more });
        return undefined;
      }
      case "number":
        return address === running.number(target.value)
          ? undefined
          : { code: "reference", why: `holds ${running.show(address)}, not ${target.value}` };
      case "name": {
        const base = target.own === undefined ? undefined : this.#placement.bases.get(target.own.part);
        const why = checkName(
          target.symbol,
          address,
          base === undefined || target.own === undefined ? undefined : base + target.own.offset,
          running,
        );
        return wrongIf(why);
      }
      case "merged": {
        const found = findMerged(target, relocation, value, holder, running);
        if (typeof found === "string") return { code: "reference", why: found };
        if (!isInitOnly(user.section.section.name)) this.merged.push(found);
        return undefined;
      }
      case "part": {
        const base = this.#placement.bases.get(target.part);
        this.#use(user, target.part);
        // Parts that have no certain place are put down themselves, and with them all that refers to them.
        if (base === undefined || this.astray.has(target.part)) return undefined;
        if (address !== base + target.offset)
          return {
            code: "reference",
            why: `refers to ${running.show(address)}, not to ${inPart(target.part, target.offset)} at ${running.show(base + target.offset)}`,
          };
        const why = target.strong === undefined ? undefined : checkName(target.strong, address, address, running);
        return wrongIf(why);
      }
    }
  }

  /** What the ground is to have marked as relocated. `view` holds its bytes, from `start` of the relocations' section on. */
  expected(relocations: readonly Relocation[], view: ByteView, start: number, address: number): Field[] {
    const fields: Field[] = [];
    for (const relocation of relocations) {
      const at = relocation.offset - start;
      if (this.#fieldSize(relocation.type) === undefined) continue;
      const value = this.#running.refersTo(view, at, relocation.type, address + at);
      if (value === undefined) continue;
      const { symbol } = relocation;
      const missing = symbol?.place === "undef" && isWeak(symbol) && this.#running.globals(symbol.name).length === 0;
      const tag = this.#running.tag(relocation.type, value - relocation.addend, missing || symbol === undefined || symbol.place === "abs");
      if (tag !== undefined) fields.push({ address: address + at, tag });
    }
    return fields;
  }

  #use(item: Item, part: Part): void {
    const set = this.uses.get(item);
    if (set === undefined) this.uses.set(item, new Set([part]));
    else set.add(part);
  }
}

/** Whether only distances to other places differ. */
export function isMoved(arch: Arch, { data, start, end, relocations, bytes }: Span): boolean {
  return arch.code.likeness({ code: data.subarray(start, end), fields: fieldsOf(arch, relocations, start) }, bytes) === "same";
}

function wrongIf(why: string | undefined): { code: Doubt; why: string } | undefined {
  return why === undefined ? undefined : { code: "reference", why };
}

function firstDifference({ data, bytes, start }: Span, from: number, to: number): Wrong | undefined {
  for (let i = from; i < to; i++)
    if (data[i] !== bytes[i - start])
      return { code: "bytes", offset: i, why: `byte 0x${hex2(data[i])}, the kernel has 0x${hex2(bytes[i - start])}` };
  return undefined;
}

function hex2(byte: number | undefined): string {
  return (byte ?? 0).toString(16).padStart(2, "0");
}

/** Fields that only one side has, or that are relocated otherwise. */
export function* differences(
  expected: readonly Field[],
  found: readonly Field[],
  base: number,
): Generator<{ offset: number; why: string }> {
  let f = 0;
  for (const field of expected) {
    for (; f < found.length && (found[f] as Field).address < field.address; f++)
      yield {
        offset: (found[f] as Field).address - base,
        why: `the kernel relocates it (${(found[f] as Field).tag}), the object does not`,
      };
    const same = found[f]?.address === field.address;
    const tag = same ? found[f]?.tag : undefined;
    if (same) f++;
    if (tag !== field.tag)
      yield {
        offset: field.address - base,
        why: `to be relocated as ${field.tag}, the kernel ${tag === undefined ? "does not" : `does as ${tag}`}`,
      };
  }
  for (; f < found.length; f++)
    yield { offset: (found[f] as Field).address - base, why: `the kernel relocates it (${(found[f] as Field).tag}), the object does not` };
}

function inPart(part: Part, offset: number): string {
  const item = itemAt(part, offset);
  const name = item?.symbols.find(isFunction)?.name ?? item?.symbols[0]?.name;
  return name === undefined ? `${part.section.name} + 0x${offset.toString(16)}` : name;
}
