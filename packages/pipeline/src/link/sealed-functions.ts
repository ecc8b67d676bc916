/**
 * Where an indirect branch must end on a landing pad, the kernel takes away the pads of functions that it only calls by name, which a table lists; and
 * the compiler makes none for a function of one file that is only called by name there. A fix that is the first to keep such a function's address would
 * stop the machine where it calls it.
 */
import { type Arch, archOf } from "@suture/arch";
import type { External } from "@suture/diff";
import { type ElfObject, isSection, relocationSections, type Section, STB, STT, viewOf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { type KernelAddress, type KernelImage, type KernelModule, offsetBy } from "@suture/kernel";
import { isBranch, type Part, type Place, parseKlpSymbol, splitUser } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";

type Seals = Arch["tables"]["all"][number];
type IsSealed = (name: string, sympos: number) => boolean;

/** Of a kernel that checks no branches every function will do. */
const NONE: IsSealed = () => false;

/** @param livepatch as it is linked: with names for all that it reaches. @throws BUILD_SEALED */
export async function checkSealed(task: Task, kernel: KernelContext, livepatch: ElfObject): Promise<void> {
  for (const [target, tables] of relocationSections(livepatch))
    for (const relocation of tables.flatMap(({ relocations }) => relocations)) {
      const klp = parseKlpSymbol(splitUser(relocation.symbol?.name ?? "").symbol);
      // Farther on there are strings, which are found by the kernel's first symbol.
      if (klp === undefined || isBranch(livepatch, target, relocation) || relocation.addend > 0) continue;
      if ((await sealedIn(task, kernel, klp.object))(klp.name, klp.sympos))
        throw sealed(klp.name, livepatch.file, target, relocation.offset);
    }
}

/**
 * The same of what is taken of one object, as far as its symbols tell without the others: who is told of the object can say which change it is.
 * @throws BUILD_SEALED
 */
export async function checkSealedIn(task: Task, kernel: KernelContext, { object: file, owner, delta, locate }: Part): Promise<void> {
  const { object } = delta;
  if (object === undefined || sealsOf(kernel) === undefined) return;
  const externals = new Map(delta.externals.map((one) => [one.symbol, one]));
  for (const [target, tables] of relocationSections(object))
    for (const relocation of tables.flatMap(({ relocations }) => relocations)) {
      const external = relocation.symbol === undefined ? undefined : externals.get(relocation.symbol);
      if (external === undefined || external.anchor !== undefined) continue;
      if (isBranch(object, target, relocation) || relocation.addend > 0) continue;
      const own = placeOf(kernel, external, { owner, locate, file });
      if (own === undefined) continue;
      if ((await sealedIn(task, kernel, owner.name))(own.name, own.sympos)) throw sealed(own.name, file, target, relocation.offset);
    }
}

/** Undefined for what the module loader finds, what another object has, and what is not certain, which is refused where all are joined. */
function placeOf(
  kernel: KernelContext,
  { original, symbol: { name } }: External,
  { owner, locate, file }: Pick<Part, "owner" | "locate"> & { file: string },
): Place | undefined {
  if ((original === undefined || original.bind !== STB.LOCAL) && kernel.symbolSources.kernel.exports.has(name)) return undefined;
  try {
    return original !== undefined && original.bind !== STB.WEAK ? locate(original) : owner.global(name, file);
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    return undefined;
  }
}

function sealed(symbol: string, file: string, { name: section }: Section, offset: number): SutureError {
  return fail("BUILD_SEALED", `it keeps a pointer to ${symbol}, which this kernel only calls by name`, { file, section, offset, symbol });
}

function sealsOf(kernel: KernelContext): Seals | undefined {
  return kernel.target.arch.tables.all.find(({ unreferenced }) => unreferenced === true);
}

/** As long as the image or module is held: it is what the answers are read of. */
const known = new WeakMap<KernelImage | KernelModule, IsSealed>();

async function sealedIn(task: Task, kernel: KernelContext, owner: string): Promise<IsSealed> {
  const seals = sealsOf(kernel);
  if (seals === undefined) return NONE;
  const image = remembered(kernel.image, (one) => inImage(one, seals));
  if (owner === "vmlinux" || image === NONE) return image;
  return remembered(await kernel.module(task, owner), (one) => inModule(one, seals));
}

function remembered<T extends KernelImage | KernelModule>(of: T, read: (one: T) => IsSealed): IsSealed {
  const found = known.get(of) ?? read(of);
  known.set(of, found);
  return found;
}

/** Of kallsyms: functions. */
const CODE = /^[tw]$/i;

function inImage(image: KernelImage, seals: Seals): IsSealed {
  const section = image.sections.find(({ name }) => name === seals.section);
  const bytes = section === undefined ? undefined : image.read(section.address, section.size);
  const table =
    image.table(seals.start, seals.stop) ??
    (section === undefined || bytes === undefined ? undefined : { address: section.address, bytes });
  if (table === undefined) return NONE;
  const view = viewOf(table.bytes, image.arch.format.order);
  const sealed = new Set<KernelAddress>();
  for (let at = 0; at + 4 <= view.length; at += 4) sealed.add(offsetBy(table.address, at + view.i32(at)));
  const { symbols } = image;
  const { landingPad } = image.arch.code;
  const isPadless = (address: KernelAddress): boolean =>
    Buffer.compare(image.read(address, landingPad.length) ?? Buffer.alloc(0), landingPad) !== 0;
  return (name, sympos) => {
    const named = symbols.named(name);
    return named.some(
      (symbol) =>
        (sealed.has(symbol.address) || (CODE.test(symbol.type) && isPadless(symbol.address))) &&
        (named.length === 1 || symbols.sympos(symbol) === sympos),
    );
  };
}

function inModule(module: KernelModule, seals: Seals): IsSealed {
  const sealed = new Map<Section, Set<number>>();
  for (const [target, tables] of relocationSections(module.elf)) {
    if (target.name !== seals.section) continue;
    for (const { symbol, addend } of tables.flatMap(({ relocations }) => relocations)) {
      if (symbol === undefined || !isSection(symbol.place)) continue;
      const offsets = sealed.get(symbol.place) ?? new Set();
      sealed.set(symbol.place, offsets.add(symbol.value + addend));
    }
  }
  const { landingPad } = archOf(module.elf).code;
  const isPadless = ({ data }: Section, at: number): boolean => Buffer.compare(data.subarray(at, at + landingPad.length), landingPad) !== 0;
  return (name, sympos) => {
    const named = module.named(name);
    return named.some(
      (symbol) =>
        isSection(symbol.place) &&
        (sealed.get(symbol.place)?.has(symbol.value) === true || (symbol.type === STT.FUNC && isPadless(symbol.place, symbol.value))) &&
        (named.length === 1 || module.sympos(symbol) === sympos),
    );
  };
}
