/** Functions of an object as instructions with names: of the kernel's, as it was compiled again, and of a livepatch's. */
import { archOf } from "@suture/arch";
import { type ElfObject, type ElfSymbol, isSection, type Relocation, relocationSections, type Section, SHF, STT } from "@suture/elf";
import { isKlpSymbol, parseKlpSymbol, ReachedByDistance } from "@suture/livepatch";

export interface Line {
  /** Bytes from the start of the function. */
  start: number;
  text: string;
  /** What is the same in both builds if it does the same: without places inside of the function. */
  alike: string;
}

/** What the kernel has as a string so many bytes behind a symbol of its own; undefined for anything else. */
export type KernelText = (symbol: { object: string; name: string; sympos: number }, offset: number) => string | undefined;

/** Code of one object, read once. */
export class ObjectCode {
  readonly #elf: ElfObject;
  readonly #kernelText: KernelText | undefined;
  readonly #functions = new Map<string, ElfSymbol>();
  readonly #relocations: ReadonlyMap<Section, readonly Section[]>;
  readonly #named = new Map<Section, Map<number, string>>();
  readonly #reached: ReachedByDistance;

  constructor(elf: ElfObject, kernelText?: KernelText) {
    this.#elf = elf;
    this.#kernelText = kernelText;
    this.#relocations = relocationSections(elf);
    this.#reached = new ReachedByDistance(elf);
    for (const symbol of elf.symbols) {
      if (!isSection(symbol.place) || symbol.name === "") continue;
      if (symbol.type === STT.FUNC && symbol.size > 0) this.#functions.set(symbol.name, symbol);
      if (symbol.type === STT.FUNC || symbol.type === STT.OBJECT) this.#namesOf(symbol.place).set(symbol.value, symbol.name);
    }
  }

  /** Undefined if it has no such function; a text if its bytes are not read. */
  linesOf(name: string): Line[] | string | undefined {
    const symbol = this.#functions.get(name);
    if (symbol === undefined || !isSection(symbol.place)) return undefined;
    const { value, size, place } = symbol;
    const code = place.data.subarray(value, value + size);
    if (code.length !== size) return "its bytes are not in the file";
    const arch = archOf(this.#elf);
    const ends = arch.code.operandEnds(code);
    const names = new Map<number, string>();
    for (const table of this.#relocations.get(place) ?? [])
      for (const relocation of table.relocations) {
        const at = relocation.offset - value;
        if (at < 0 || at >= size) continue;
        const toEnd = arch.relocations.isPcRelative(relocation.type) ? (ends.get(at) ?? arch.code.branchToEnd) : 0;
        names.set(at, this.#referredTo(relocation, toEnd));
      }
    const listed = arch.code.listing(code, names);
    if (listed === undefined) return "its bytes are not all instructions";
    return listed.map(
      ({ start, text, target }): Line =>
        target === undefined
          ? { start, text, alike: text.replace(NUMBERED, "$1") }
          : { start, text: `${text} ${target >= 0 && target < size ? `+0x${target.toString(16)}` : "out of the function"}`, alike: text },
    );
  }

  #namesOf(section: Section): Map<number, string> {
    const names = this.#named.get(section) ?? new Map<number, string>();
    this.#named.set(section, names);
    return names;
  }

  #referredTo(relocation: Relocation, toEnd: number): string {
    const { symbol, addend } = relocation;
    if (symbol === undefined) return "0";
    const reached = this.#reached.meant(relocation, toEnd);
    const offset = reached?.offset ?? addend + toEnd;
    if (!isSection(symbol.place)) {
      const klp = reached?.klp ?? (isKlpSymbol(symbol.name) ? parseKlpSymbol(symbol.name) : undefined);
      // A livepatch refers to a string of the kernel's by whatever symbol is near it.
      const text = klp !== undefined && offset !== 0 ? this.#kernelText?.(klp, offset) : undefined;
      return text === undefined ? (klp?.name ?? symbol.name) + moreText(offset) : quoted(text);
    }
    const at = symbol.value + offset;
    return (
      this.#textAt(symbol.place, at) ??
      this.#namesOf(symbol.place).get(at) ??
      (symbol.type === STT.SECTION || symbol.name === "" ? symbol.place.name + moreText(at) : symbol.name + moreText(offset))
    );
  }

  /** Strings are known by what they say: their labels differ from build to build. */
  #textAt(section: Section, at: number): string | undefined {
    if ((section.flags & SHF.STRINGS) === 0 && !STRINGS.test(section.name)) return undefined;
    const end = section.data.indexOf(0, at);
    return at < 0 || end < 0 ? undefined : quoted(Buffer.from(section.data.subarray(at, end)).toString("latin1"));
  }
}

/** Where gcc puts strings; the linker takes the mark from what it joins. */
const STRINGS = /^\.rodata\.(?:.*\.)?str\d+\.\d+$/;
const LONGEST = 80;

function quoted(text: string): string {
  return JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
}

function moreText(offset: number): string {
  if (offset === 0) return "";
  return offset > 0 ? `+0x${offset.toString(16)}` : `-0x${(-offset).toString(16)}`;
}

/** A variable of a function has a number of the build behind its name. */
const NUMBERED = /([\w$])\.\d+\b/g;
