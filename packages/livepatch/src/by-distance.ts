/**
 * The livepatch core looks up a symbol for each relocation anew, which on older kernels means to go through all that the kernel has. But the image is
 * moved as a whole: what vmlinux has lies as far from a symbol that it exports as it does in the image, so that the module loader finds it by that
 * one. This is right in the very kernel only: entry.c refuses every other. What the loader reads before that code runs stays with the livepatch core.
 *
 * A symbol that is reached so has its distance from the anchor as its value, which the loader does not look at: for those who read the module.
 */
import { archOf } from "@suture/arch";
import { type ElfObject, isSection, R_NONE, type Relocation, relocationSections, SHF, STB, viewOf } from "@suture/elf";
import type { KernelSymbol, SymbolTable } from "@suture/kernel";
import { BRANCH_ADDEND } from "./branches.ts";
import { EXPECTED, KERNEL_SYMBOL, SIZE } from "./descriptor.ts";
import { fail } from "./errors.ts";
import { isKlpSymbol, type KlpSymbol, parseKlpSymbol, splitUser } from "./names.ts";
import type { KernelView } from "./resolve.ts";

/** What every livepatch calls, so that it is among its imports. */
const ANCHOR = "klp_enable_patch";

/** Relocations of a linked module. Where anything of it is used before the kernel is known by its build-id, all are left as they are. */
export function reachByDistance(elf: ElfObject, kernel: KernelView): void {
  const anchor = elf.symbols.find(({ name, place }) => name === ANCHOR && place === "undef");
  if (anchor === undefined || !knowsKernel(elf, kernel) || isUsedEarly(elf)) return;
  const distances = new Distances(kernel);
  for (const [target, tables] of relocationSections(elf)) {
    if ((target.flags & SHF.ALLOC) === 0 || isEarly(elf, target.name)) continue;
    for (const relocation of tables.flatMap(({ relocations }) => relocations)) {
      const { symbol } = relocation;
      const distance = symbol === undefined || !isKlpSymbol(symbol.name) ? undefined : distances.of(symbol.name);
      if (symbol === undefined || distance === undefined) continue;
      symbol.value = distance;
      relocation.symbol = anchor;
      relocation.addend += distance;
    }
  }
}

/** Whether the code of entry.c holds the build-id that it finds in the kernel against this kernel's. */
function knowsKernel(elf: ElfObject, { buildId }: KernelView): boolean {
  const [guard, ...others] = elf.symbols.filter(({ name, place }) => name === KERNEL_SYMBOL && isSection(place));
  if (buildId === undefined || guard === undefined || others.length > 0 || guard.bind !== STB.GLOBAL || !isSection(guard.place))
    return false;
  const { place: section, value, size } = guard;
  const data = section.data.subarray(value, value + size);
  if (data.length !== EXPECTED + buildId.bytes.length || viewOf(data, elf.format.order).u32(SIZE) !== buildId.bytes.length) return false;
  if (Buffer.compare(data.subarray(EXPECTED), buildId.bytes) !== 0) return false;
  const found = [...relocationSections(elf)]
    .flatMap(([target, tables]) => (target === section ? tables : []))
    .flatMap(({ relocations }) => relocations.filter(({ offset, type }) => offset === value && type !== R_NONE));
  const klp = parseKlpSymbol(found[0]?.symbol?.name ?? "");
  return found.length === 1 && klp?.object === "vmlinux" && klp.name === buildId.symbol && found[0]?.addend === buildId.offset;
}

/** What the kernel calls or follows before it runs the module's own code: parameters, events, constructors. */
const USED_EARLY = /^(?:__param|_ftrace_events|\.(?:preinit_array|init_array|ctors)(?:\..*)?)$/;

function isUsedEarly({ sections }: ElfObject): boolean {
  return sections.some(({ name, flags, data }) => (flags & SHF.ALLOC) !== 0 && USED_EARLY.test(name) && data.length > 0);
}

/** Read by the loader before the module's own code can refuse the kernel. */
function isEarly(elf: ElfObject, section: string): boolean {
  return archOf(elf).tables.early.includes(section);
}

/** What symbols of vmlinux are from the anchor, by the kernel's own symbol table. */
class Distances {
  readonly #kernel: KernelView;
  readonly #anchor: KernelSymbol | undefined;
  readonly #known = new Map<string, number | undefined>();

  constructor(kernel: KernelView) {
    this.#kernel = kernel;
    const { exports, symbols } = kernel;
    const exported = exports.get(ANCHOR);
    const [anchor, ...others] = symbols.named(ANCHOR);
    const certain = exported?.module === "vmlinux" && exported.namespace === "" && others.length === 0;
    this.#anchor = certain && anchor !== undefined && moves(anchor, symbols) ? anchor : undefined;
  }

  /** Undefined for what does not move with the image, is of a module, or is found when another module comes. @param name as it is linked */
  of(name: string): number | undefined {
    if (!this.#known.has(name)) this.#known.set(name, this.#find(name));
    return this.#known.get(name);
  }

  #find(name: string): number | undefined {
    const { symbol, user } = splitUser(name);
    const klp = parseKlpSymbol(symbol);
    if (this.#anchor === undefined || user !== undefined || klp?.object !== "vmlinux") return undefined;
    // The kernel is known by what is found there.
    if (klp.name === this.#kernel.buildId?.symbol) return undefined;
    const named = this.#kernel.symbols.named(klp.name);
    const found = klp.sympos > 0 ? named[klp.sympos - 1] : named.length === 1 ? named[0] : undefined;
    return found !== undefined && moves(found, this.#kernel.symbols) ? found.address - this.#anchor.address : undefined;
  }
}

/** Data of each processor has addresses of its own, and a number has none. */
function moves({ address, type }: KernelSymbol, { space }: SymbolTable): boolean {
  return space.isInImage(address) && !space.isLow(address) && type.toUpperCase() !== "A";
}

/** The names of what a finished module reaches by its distance. */
export class ReachedByDistance {
  readonly #symbols: readonly { distance: number; klp: KlpSymbol }[];

  constructor(elf: ElfObject) {
    this.#symbols = elf.symbols
      .flatMap(({ name, place, value }) => {
        const klp = place === "livepatch" && value !== 0 ? parseKlpSymbol(name) : undefined;
        return klp === undefined ? [] : [{ distance: value, klp }];
      })
      .sort((a, b) => a.distance - b.distance);
  }

  /**
   * What a relocation means: the symbol before the place, and how far behind it that is. Undefined where the anchor itself is meant, or another symbol.
   * @param toEnd bytes from the field to the place that its distance counts from
   */
  meant({ symbol, addend }: Relocation, toEnd: number): { klp: KlpSymbol; offset: number } | undefined {
    const distance = addend + toEnd;
    if (symbol?.name !== ANCHOR || symbol.place !== "undef" || distance === 0) return undefined;
    let low = 0;
    let high = this.#symbols.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#symbols[middle]?.distance ?? 0) <= distance) low = middle + 1;
      else high = middle;
    }
    const found = this.#symbols[low - 1];
    return found === undefined ? undefined : { klp: found.klp, offset: distance - found.distance };
  }

  /** Whether a branch ends where one of the symbols is, or at the anchor itself. */
  isEntry(branch: Relocation): boolean {
    if (branch.symbol?.name !== ANCHOR || branch.symbol.place !== "undef" || branch.addend === BRANCH_ADDEND) return true;
    return this.meant(branch, -BRANCH_ADDEND)?.offset === 0;
  }
}

/**
 * Holds each relocation of the finished module against that of the linked one, which has names: it is the same, or goes to the same address of the
 * kernel's image.
 * @throws KLP_BAD_MODULE
 */
export function verifyDistances(finished: ElfObject, linked: ElfObject, kernel: KernelView): void {
  const { symbols, exports, buildId } = kernel;
  const wrong = (section: string, offset: number | undefined, why: string): Error =>
    fail("KLP_BAD_MODULE", why, { file: finished.file, section, ...(offset === undefined ? {} : { offset }) });
  const before = bySection(linked);
  const after = bySection(finished);
  const isGuarded = knowsKernel(finished, kernel) && !isUsedEarly(finished);
  if (before.length !== after.length) throw wrong("", undefined, "its relocations are of other sections than they were linked for");
  for (const [i, { section, relocations }] of before.entries()) {
    const now = after[i];
    if (now?.section !== section || now.relocations.length !== relocations.length)
      throw wrong(section, undefined, "it has other relocations than it was linked with");
    for (const [j, was] of relocations.entries()) {
      const is = now.relocations[j];
      const name = splitUser(was.symbol?.name ?? "").symbol;
      if (is?.offset !== was.offset || is.type !== was.type) throw wrong(section, was.offset, "it has another relocation there");
      if ((is.symbol?.name ?? "") === name && is.addend === was.addend) continue;
      if (!isGuarded) throw wrong(section, was.offset, "it is used in any kernel, and goes by a distance that only the right one has");
      const klp = parseKlpSymbol(name);
      const anchor = is.symbol;
      if (klp?.object !== "vmlinux" || anchor?.place !== "undef" || exports.get(anchor.name)?.module !== "vmlinux")
        throw wrong(section, was.offset, `it went to ${name}, and goes to ${anchor?.name ?? "nothing"}`);
      const [from, ...others] = symbols.named(anchor.name);
      const named = symbols.named(klp.name);
      const to = klp.sympos === 0 && named.length === 1 ? named[0] : named[klp.sympos - 1];
      if (from === undefined || others.length > 0 || to === undefined || from.address + is.addend !== to.address + was.addend)
        throw wrong(section, was.offset, `it is not ${name} that lies ${is.addend - was.addend} bytes from ${anchor.name}`);
      if ([from, to].some((symbol) => !moves(symbol, symbols))) throw wrong(section, was.offset, `${name} does not move with the image`);
      if (klp.name === buildId?.symbol)
        throw wrong(section, was.offset, "the kernel would be known by a distance that only the right one has");
      if (isEarly(finished, section)) throw wrong(section, was.offset, "it is read before the kernel is known to be the right one");
    }
  }
}

/** Of what is loaded and means something, in the order of the file. */
function bySection(elf: ElfObject): { section: string; relocations: Relocation[] }[] {
  return [...relocationSections(elf)]
    .filter(([target]) => (target.flags & SHF.ALLOC) !== 0)
    .map(([target, tables]) => ({
      target,
      relocations: tables.flatMap(({ relocations }) => relocations.filter(({ type }) => type !== R_NONE)),
    }))
    .filter(({ relocations }) => relocations.length > 0)
    .sort((a, b) => elf.sections.indexOf(a.target) - elf.sections.indexOf(b.target))
    .map(({ target, relocations }) => ({
      section: target.name,
      relocations: relocations.sort((a, b) => a.offset - b.offset || a.type - b.type),
    }));
}
