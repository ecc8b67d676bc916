/** What patched code expects of the memory of variables that the running kernel has, held against where they are. */
import { type Delta, isReadOnlySection } from "@suture/diff";
import { type ElfSymbol, isSection } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { hex, type KernelAddress, type KernelImage, type KernelModule } from "@suture/kernel";
import type { Locate, Owner, Place } from "@suture/livepatch";
import { fail } from "../errors.ts";

interface Part {
  object: string;
  owner: Owner;
  delta: Pick<Delta, "writes" | "externals">;
  locate: Locate;
}

/** @throws BUILD_READ_ONLY, BUILD_ALIGNMENT */
export function checkMemory({ image, symbolSources }: KernelContext, module: KernelModule | undefined, part: Part): void {
  const { object, owner, delta, locate } = part;
  for (const { function: by, name } of delta.writes) {
    const own = owner.global(name, object);
    const place = own ?? symbolSources.vmlinux.global(name, object);
    if (place === undefined) continue;
    const symbol = module === undefined || own === undefined ? undefined : symbolOf(module, place);
    const isFixed = symbol === undefined ? isReadOnlyAt(image, addressOf(image, place)) : isReadOnlySymbol(symbol);
    if (isFixed) throw fail("BUILD_READ_ONLY", `${by} writes ${name}`, { file: object, symbol: name });
  }
  for (const { original, align } of delta.externals) {
    if (original === undefined || align === undefined) continue;
    const place = locate(original);
    const symbol = module === undefined ? undefined : symbolOf(module, place);
    const address = addressOf(image, place);
    const inImage = address === undefined ? undefined : image.space.value(address);
    const [at, given] = symbol === undefined ? [inImage, align] : [symbol.value, isSection(symbol.place) ? symbol.place.align : 1];
    if (at === undefined || at % align !== 0 || given % align !== 0)
      throw fail("BUILD_ALIGNMENT", `${original.name} is to be aligned to ${align} bytes; the kernel has it at ${hex(at ?? 0)}`, {
        file: object,
        symbol: original.name,
      });
  }
}

function addressOf({ symbols }: KernelImage, { name, sympos }: Place): KernelAddress | undefined {
  return symbols.named(name)[Math.max(sympos - 1, 0)]?.address;
}

function symbolOf(module: KernelModule, { name, sympos }: Place): ElfSymbol | undefined {
  const named = module.named(name);
  return sympos === 0 ? named[0] : named.find((symbol) => module.sympos(symbol) === sympos);
}

function isReadOnlySymbol({ place }: ElfSymbol): boolean {
  return isSection(place) && isReadOnlySection(place);
}

/** What the kernel makes read-only after boot lies among its constants. */
function isReadOnlyAt({ symbols }: KernelImage, address: KernelAddress | undefined): boolean {
  const [start, end] = ["__start_rodata", "__end_rodata"].map((name) => symbols.named(name)[0]?.address);
  return address !== undefined && start !== undefined && end !== undefined && address >= start && address < end;
}
