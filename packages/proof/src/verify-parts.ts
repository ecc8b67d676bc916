/** Each placed part is the ground's: its symbols, its bytes, and what is relocated in it. */
import { type ElfSymbol, SHF, STT, viewOf } from "@suture/elf";
import type { Findings } from "./findings.ts";
import { hasNoBytes, type Item, isWeak, itemAt, type Part } from "./items.ts";
import type { Placement } from "./placement.ts";
import type { RunningCode, Stretch } from "./running-code.ts";
import { isFilledLater, isLeftOut } from "./sections.ts";
import { differences, isMoved, type Span, type SpanChecker } from "./spans.ts";

export class PartVerifier {
  readonly #placement: Placement;
  readonly #running: RunningCode;
  readonly #spans: SpanChecker;
  readonly #findings: Findings;

  constructor(placement: Placement, running: RunningCode, spans: SpanChecker, findings: Findings) {
    this.#placement = placement;
    this.#running = running;
    this.#spans = spans;
    this.#findings = findings;
  }

  verify(part: Part): void {
    const { section } = part;
    const base = this.#placement.bases.get(part);
    if (base === undefined) {
      const candidates = this.#placement.ambiguous.get(part);
      if (candidates !== undefined)
        this.#findings.whole(part, "ambiguous", `fits at ${candidates.map((address) => this.#running.show(address)).join(", ")}`);
      else this.#findings.whole(part, "unplaced", `nothing says where ${this.#running.name} has it`);
      return;
    }
    const bytes = section.size === 0 ? new Uint8Array(0) : this.#running.read(base, section.size);
    if (bytes === undefined) {
      this.#findings.whole(
        part,
        "unplaced",
        `${section.size} bytes at ${this.#running.show(base)} are no part of one section of ${this.#running.name}`,
      );
      return;
    }
    const astray = this.#symbols(part, base);
    if (astray) this.#spans.astray.add(part);
    const data = hasNoBytes(section) ? new Uint8Array(section.size) : section.data;
    const wrong = new Set<Item>();
    let next = 0;
    for (const item of part.items) {
      const first = next;
      while ((part.relocations[next]?.offset ?? Number.POSITIVE_INFINITY) < item.end) next++;
      const there = astray ? this.#alone(item, base) : { address: base + item.start, bytes: bytes.subarray(item.start, item.end) };
      if (there === undefined) continue;
      const span: Span = { section, data, start: item.start, end: item.end, relocations: part.relocations.slice(first, next), ...there };
      const found = isFilledLater(section.name) ? undefined : this.#spans.compare(span, item);
      if (found === undefined || (astray && found.code === "bytes" && isMoved(part.arch, span))) continue;
      wrong.add(item);
      this.#findings.put(part, found, section.name, span, found.offset);
    }
    if (!astray) this.#fields(part, base, bytes, wrong);
  }

  /** An item of a section that is laid out otherwise, where the ground has a symbol of its name: to tell what changed from what only moved. */
  #alone(item: Item, base: number): Stretch | undefined {
    const known = item.symbols[0] === undefined ? [] : this.#running.named(item.symbols[0].name);
    const address = known.includes(base + item.start) ? base + item.start : known.length === 1 ? known[0] : undefined;
    const bytes = address === undefined ? undefined : this.#running.read(address, item.end - item.start);
    return address === undefined || bytes === undefined ? undefined : { address, bytes };
  }

  /** Each symbol is the ground's. @returns whether some are elsewhere, so that the section is not laid out as in the ground */
  #symbols(part: Part, base: number): boolean {
    let vouched = 0;
    const elsewhere: string[] = [];
    for (const symbol of part.symbols) {
      const { name, value, type } = symbol;
      const known = this.#running.named(name);
      const address = base + value;
      if (known.includes(address)) vouched++;
      else if (isWeak(symbol)) continue;
      else if (known.length > 0)
        elsewhere.push(`${name} at ${known.map((a) => this.#running.show(a)).join(", ")}, not ${this.#running.show(address)}`);
      // The kernel's symbol table has no labels of the assembler and of the build.
      else if (
        type !== STT.NOTYPE &&
        !(isLeftOut(name) && this.#isKnownOtherwise(symbol, part, address)) &&
        !this.#isPaddingOfAlias(symbol, part, address)
      )
        this.#findings.at(part, "absent", value, `${this.#running.name} does not have ${name}`);
    }
    const [first] = elsewhere;
    if (first !== undefined)
      this.#findings.whole(
        part,
        "unplaced",
        `is laid out otherwise: ${this.#running.name} has ${elsewhere.length} of ${part.symbols.length} symbols elsewhere, such as ${first}`,
      );
    // What can be written, before the kernel starts or later, is known by its place, not by what is in it.
    else if (
      vouched === 0 &&
      !this.#placement.vouched.has(part) &&
      ((part.section.flags & SHF.WRITE) !== 0 || part.role === "code" || isFilledLater(part.section.name))
    )
      this.#findings.whole(part, "unplaced", `no symbol says that ${this.#running.name} has it at ${this.#running.show(base)}`);
    return first !== undefined;
  }

  /** Whether the ground has another symbol of the same variable at the address. */
  #isKnownOtherwise(symbol: ElfSymbol, { symbols }: Part, address: number): boolean {
    return symbols.some(
      (other) =>
        other !== symbol && other.value === symbol.value && other.size === symbol.size && this.#running.named(other.name).includes(address),
    );
  }

  /** Of a function with several names, objtool calls the padding after one of them: another one where it sees the kernel as a whole. */
  #isPaddingOfAlias({ name, value, size }: ElfSymbol, { arch, symbols }: Part, address: number): boolean {
    const start = arch.code.paddingPrefixes.find((prefix) => name.startsWith(prefix));
    if (start === undefined || size === 0) return false;
    const names = symbols.filter((symbol) => symbol.type === STT.FUNC && symbol.value === value + size).map((symbol) => symbol.name);
    return names.includes(name.slice(start.length)) && names.some((other) => this.#running.named(start + other).includes(address));
  }

  /** The ground's fields inside of the part are those that the relocations call for. */
  #fields(part: Part, base: number, bytes: Uint8Array, wrong: Set<Item>): void {
    const found = this.#running.fields(base, base + part.section.size);
    const expected = this.#spans.expected(part.relocations, viewOf(bytes, this.#running.order), 0, base);
    for (const { offset, why } of differences(expected, found, base)) {
      const item = itemAt(part, offset);
      // What differs already needs no second reason.
      if (item === undefined || wrong.has(item)) continue;
      wrong.add(item);
      this.#findings.at(part, "relocation", offset, why);
    }
  }

  /** No two parts are in one place. */
  overlaps(): void {
    const placed = [...this.#placement.bases].filter(([{ section }]) => section.size > 0).sort(([, a], [, b]) => a - b);
    /** Of those so far, the one that reaches furthest. */
    let furthest: [part: Part, end: number] | undefined;
    for (const [part, base] of placed) {
      const end = base + part.section.size;
      if (furthest !== undefined && furthest[1] > base)
        for (const [one, other] of [
          [part, furthest[0]],
          [furthest[0], part],
        ] as const)
          this.#findings.whole(one, "unplaced", `would be at ${this.#running.show(base)}, in one place with ${other.section.name}`);
      if (furthest === undefined || end > furthest[1]) furthest = [part, end];
    }
  }
}
