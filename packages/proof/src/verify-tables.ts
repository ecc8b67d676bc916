/** The ground's tables have the object's entries about its code, and no others. */
import { type Section, SHF, viewOf } from "@suture/elf";
import type { Findings } from "./findings.ts";
import { type Item, itemAt, type Part } from "./items.ts";
import type { Placement } from "./placement.ts";
import type { RunningCode } from "./running-code.ts";
import { differences, type Span, type SpanChecker, type Wrong } from "./spans.ts";
import { firstKey, type RunningTables, type TableIndex } from "./table-index.ts";
import type { Entry, ObjectTable } from "./tables.ts";

export class TableVerifier {
  /** Where the ground has each entry that is the same, by table and place there. */
  readonly places = new Map<Section, Map<number, number>>();
  readonly #placement: Placement;
  readonly #running: RunningCode;
  readonly #index: RunningTables;
  readonly #spans: SpanChecker;
  readonly #findings: Findings;

  constructor(placement: Placement, running: RunningCode, index: RunningTables, spans: SpanChecker, findings: Findings) {
    this.#placement = placement;
    this.#running = running;
    this.#index = index;
    this.#spans = spans;
    this.#findings = findings;
  }

  verify(table: ObjectTable): void {
    const index = this.#index.get(table.kind, table.size);
    const used = new Map<Part, { index: TableIndex; taken: Set<number> }>();
    for (const entry of table.entries) {
      const base = this.#placement.bases.get(entry.code);
      if (base === undefined || (table.kind.ranges === true && entry.offset === entry.code.section.size)) continue;
      let use = used.get(entry.code);
      if (use === undefined && index !== undefined) {
        use = { index, taken: new Set() };
        used.set(entry.code, use);
      }
      this.#entry(table, entry, base, use);
    }
    for (const [part, base] of this.#placement.bases) {
      if ((part.section.flags & SHF.EXECINSTR) === 0) continue;
      if (index !== undefined) this.#extra(table, part, base, index, used.get(part)?.taken ?? new Set());
    }
  }

  #entry(table: ObjectTable, entry: Entry, base: number, use: { index: TableIndex; taken: Set<number> } | undefined): void {
    const { data, name } = entry.table;
    const user = itemAt(entry.code, entry.offset) as Item;
    const key = base + entry.offset;
    let first: { wrong: Wrong; span: Span } | undefined;
    if (use !== undefined) {
      const { index, taken } = use;
      for (let i = firstKey(index, key); index.keys[i] === key; i++) {
        if (taken.has(i)) continue;
        const at = (index.order[i] as number) * table.size;
        const bytes = index.entries.bytes.subarray(at, at + table.size);
        const span: Span = {
          section: entry.table,
          data,
          start: entry.start,
          // The last entry of a table may be shorter than the others.
          end: Math.min(entry.end, entry.start + bytes.length),
          relocations: entry.relocations,
          bytes,
          address: index.entries.address + at,
        };
        const wrong =
          this.#spans.compare(span, user) ??
          fillDiffers(span, entry.end) ??
          this.#entryFields(entry, span) ??
          this.#beside(table, entry, index, index.order[i] as number);
        if (wrong === undefined) {
          taken.add(i);
          const places = this.places.get(entry.table) ?? new Map<number, number>();
          this.places.set(entry.table, places.set(entry.start, span.address));
          return;
        }
        first ??= { wrong, span };
      }
    }
    if (first === undefined && (table.kind.unreferenced === true || (use !== undefined && this.#holds(table, entry, use.index, key))))
      return;
    const why =
      first === undefined
        ? `${this.#running.name} has no entry in ${name} for ${this.#running.show(key)}`
        : `its entry in ${name}: ${first.wrong.why}`;
    const wrong: Wrong = { code: "table", offset: first?.wrong.offset ?? entry.start, why };
    this.#findings.put(entry.code, wrong, name, first?.span, Math.min(entry.offset, Math.max(entry.code.section.size - 1, 0)));
  }

  #entryFields(entry: Entry, { bytes, start, address }: Span): Wrong | undefined {
    const expected = this.#spans.expected(entry.relocations, viewOf(bytes, this.#running.order), start, address);
    const [different] = differences(expected, this.#running.fields(address, address + bytes.length), address);
    return different === undefined ? undefined : { code: "relocation", offset: start + different.offset, why: different.why };
  }

  /** Whether the ground's entry for what is before says the same. */
  #holds(table: ObjectTable, entry: Entry, index: TableIndex, key: number): boolean {
    const before = firstKey(index, key) - 1;
    const [address, number] = [index.keys[before], index.order[before]];
    if (table.kind.ranges !== true || address === undefined || number === undefined) return false;
    if (this.#running.locate(address)?.section !== this.#running.locate(key)?.section) return false;
    return this.#beside(table, entry, index, number) === undefined;
  }

  #beside({ beside, size }: ObjectTable, { start }: Entry, index: TableIndex, number: number): Wrong | undefined {
    if (beside === undefined) return undefined;
    const at = (start / size) * beside.size;
    const own = beside.part.section.data.subarray(at, at + beside.size);
    const kernel = index.beside?.bytes.subarray(number * beside.size, (number + 1) * beside.size);
    if (kernel !== undefined && Buffer.compare(own, kernel) === 0) return undefined;
    return { code: "table", offset: start, why: `its entry in ${beside.part.section.name} differs` };
  }

  /** The ground has no entries about the part but those of the object. */
  #extra(table: ObjectTable, part: Part, base: number, index: TableIndex, taken: ReadonlySet<number>): void {
    const { kind } = table;
    const end = base + part.section.size;
    for (let i = firstKey(index, base); i < index.keys.length && (index.keys[i] as number) < end; i++) {
      const at = (index.keys[i] as number) - base;
      // The part before ends its entries with one for the byte after it.
      if (taken.has(i) || (kind.ranges === true && (at === 0 || this.#restates(table, part, at, index, index.order[i] as number))))
        continue;
      const why = `${this.#running.name} has an entry in ${kind.section} for ${this.#running.show(base + at)}, the object has none`;
      this.#findings.at(part, "table", at, why);
    }
  }

  /**
   * Whether an entry of the ground says what the object's entry for the code before says of that code too: after a function that the kernel
   * does not run, since it has another of that name, objtool begins anew.
   */
  #restates(table: ObjectTable, part: Part, at: number, index: TableIndex, number: number): boolean {
    let before: Entry | undefined;
    for (const entry of table.entries)
      if (entry.code === part && entry.offset <= at && (before === undefined || entry.offset > before.offset)) before = entry;
    return before !== undefined && this.#beside(table, before, index, number) === undefined;
  }
}

/** What only the longer of an entry and its counterpart has, where the other is the last of its table: what fills the room up to the next. */
function fillDiffers({ data, bytes, start, end }: Span, entryEnd: number): Wrong | undefined {
  const filled = data.subarray(end, entryEnd).every(isZero) && bytes.subarray(end - start).every(isZero);
  return filled ? undefined : { code: "bytes", offset: end, why: "its last bytes are more than what fills a table" };
}

function isZero(byte: number): boolean {
  return byte === 0;
}
