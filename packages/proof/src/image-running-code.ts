/** The kernel's image as ground, by the distances from its base: fields are linked, so what they refer to is worked out from their bytes. */
import type { Arch, SpecialTable } from "@suture/arch";
import type { ByteOrder, ByteView, ElfSymbol } from "@suture/elf";
import { type AddressSpace, type KernelImage, type KernelSymbol, offsetBy } from "@suture/kernel";
import type { Anchor, Place } from "./model.ts";
import type { Field, RunningCode, Stretch } from "./running-code.ts";

export class ImageRunningCode implements RunningCode {
  readonly name = "the kernel";
  readonly order: ByteOrder;
  readonly #image: KernelImage;
  readonly #space: AddressSpace;
  readonly #arch: Arch;
  /** What is made read-only after boot. */
  readonly #readOnly: { start: number; end: number };
  #first: KernelSymbol | undefined;

  /** @param arch of the object that is held against it */
  constructor(image: KernelImage, arch: Arch) {
    this.#image = image;
    this.#space = image.space;
    this.#arch = arch;
    this.order = arch.format.order;
    const [start = 0, end = 0] = ["__start_rodata", "__end_rodata"].map((name) => image.symbols.named(name)[0]?.address);
    this.#readOnly = { start, end };
  }

  read(address: number, length: number): Uint8Array | undefined {
    return this.#image.read(this.#space.at(address), length);
  }

  constant(address: number, length: number, init: boolean): Uint8Array | undefined {
    if (this.#space.isLow(this.#space.at(address))) return undefined;
    const { start, end } = this.#readOnly;
    return init || (address >= start && address + length <= end) ? this.read(address, length) : undefined;
  }

  refersTo(view: ByteView, at: number, type: number, address: number): number | undefined {
    const value = this.#arch.relocations.linkedValue(view, at, type, this.#space.value(this.#space.at(address)));
    return value === undefined ? undefined : this.#space.of(value);
  }

  fields(start: number, end: number): readonly Field[] {
    return this.#image.relocationsIn(this.#space.at(start), this.#space.at(end)).map(({ address, kind }) => ({ address, tag: kind }));
  }

  tag(type: number, target: number, missing: boolean): string | undefined {
    if (missing || !this.#image.hasRelocations) return undefined;
    // Numbers that are no kernel addresses are offsets into the per-cpu area, or constants where it is linked like the rest.
    const low = this.#space.isLow(this.#space.at(target));
    if (low && this.#image.perCpu === undefined) return undefined;
    return this.#arch.relocations.relocatedAs(type, low);
  }

  named(name: string): readonly number[] {
    return this.#image.symbols.named(name).map((symbol) => symbol.address);
  }

  globals(name: string): readonly number[] {
    const found = this.#image.symbols.named(name).filter(isGlobal);
    // The symbol table does not list itself.
    const own = found.length === 0 ? this.#image.kallsyms.get(name) : undefined;
    return own === undefined ? found.map((symbol) => symbol.address) : [own];
  }

  table(kind: SpecialTable): { entries: Stretch; beside: Stretch | undefined } | undefined {
    const entries = this.#stretch(kind.section, kind.start, kind.stop);
    if (entries === undefined) return undefined;
    const { beside } = kind;
    return { entries, beside: beside === undefined ? undefined : this.#stretch(beside.section, beside.start, beside.stop) };
  }

  show(address: number): string {
    return this.#space.hex(this.#space.at(address));
  }

  number(value: number): number {
    return this.#space.of(value);
  }

  linkedAt(address: number): number {
    return this.#space.value(this.#space.at(address));
  }

  locate(address: number): { section: string; address: number } | undefined {
    const section = this.#image.sectionAt(this.#space.at(address));
    return section === undefined ? undefined : { section: section.name, address };
  }

  place(symbol: ElfSymbol, address: number): Place | undefined {
    const section = this.#image.sectionAt(this.#space.at(address));
    const found = this.#image.symbols.named(symbol.name).find((s) => s.address === address);
    if (found === undefined || section === undefined) return undefined;
    return { name: symbol.name, sympos: this.#image.symbols.sympos(found), address, section: section.name };
  }

  /**
   * The image is moved as a whole, so that any of its symbols does: the first one, since older kernels go through all symbols for each
   * relocation, and stop at the one that is asked for by its number.
   */
  anchor(address: number): Anchor | undefined {
    const { start, end } = this.#readOnly;
    if (address < start || address >= end) return undefined;
    this.#first ??= this.#firstSymbol();
    return this.#first === undefined ? undefined : { name: this.#first.name, sympos: 1, offset: address - this.#first.address };
  }

  #firstSymbol(): KernelSymbol | undefined {
    const { symbols } = this.#image;
    const text = this.#image.sections.find(({ name }) => name === ".text");
    return text === undefined ? undefined : symbols.at(text.address).find(({ name }) => symbols.named(name).length === 1);
  }

  describe(address: number): string {
    // The object that defines it is not recorded; the function before it mostly is of the same one.
    const before = this.#image.symbols.containing(offsetBy(this.#space.at(address), -1));
    return `the one at ${this.show(address)}${before === undefined ? "" : `, after ${before.name}`}`;
  }

  #stretch(section: string, start: string, stop: string): Stretch | undefined {
    const marked = this.#image.table(start, stop);
    if (marked !== undefined) return marked;
    const found = this.#image.sections.find((s) => s.name === section && !s.nobits);
    const bytes = found === undefined ? undefined : this.#image.read(found.address, found.size);
    return found === undefined || bytes === undefined ? undefined : { address: found.address, bytes };
  }
}

/** The symbol table writes the types of global symbols as capitals; weak ones as w and v, in either case. */
function isGlobal({ type }: KernelSymbol): boolean {
  return type === type.toUpperCase() || type === "w" || type === "v";
}
