/**
 * Branches of two bytes on a module's static key cannot be made to read the key when they run: there is no room. Both builds are compiled
 * once more with branches of five bytes, in a view of the source whose header says so; the differ compares those. The original of five-byte
 * branches is not what the kernel runs, so its symbols are found through the ordinary one, which is proven.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ElfObject, type ElfSymbol, isSection, readElf, STT } from "@suture/elf";
import type { Locate } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { compile, type Variant } from "./compile.ts";
import type { KernelContext } from "./context.ts";
import { fail } from "./errors.ts";
import type { ObjectCommand } from "./kbuild/commands.ts";
import { type Overlay, SourceView } from "./view.ts";

/** Where the branch is written, and how the assembler is told its size. */
const HEADER = "arch/x86/include/asm/jump_label.h";
const BRANCH = /\bjmp (?=%l\[l_yes\])/g;

export interface Wide {
  original: ElfObject;
  patched: ElfObject;
  /** The locator of the ordinary object, for symbols of `original`. */
  locateBy(locate: Locate): Locate;
}

/**
 * @param ordinary the original as it is proven
 * @returns undefined if this kernel's branches cannot be made wide so
 * @throws BUILD_COMPILE, BUILD_WIDE
 */
export async function compileWide(
  task: Task,
  kernel: KernelContext,
  command: ObjectCommand,
  overlay: Overlay,
  ordinary: ElfObject,
  variant: Variant,
): Promise<Wide | undefined> {
  const { tree } = kernel.target;
  // The header is in one place, what the fix changes in another: a view shows one of them.
  if (kernel.outside !== undefined) return undefined;
  const header = overlay.get(HEADER) ?? (await readFile(join(tree, HEADER), "latin1").catch(() => ""));
  const wide = header.replace(BRANCH, "jmp.d32 ");
  if (wide === header) return undefined;
  const viewOf = (changed: Overlay): Promise<SourceView> =>
    SourceView.make(tree, new Map([...changed, [HEADER, wide]]), kernel.commands.detours);
  const original = await compileIn(task, command, variant, await viewOf(new Map()));
  const patched = await compileIn(task, command, variant, await viewOf(overlay));
  const twins = twinsOf(original, ordinary);
  return {
    original,
    patched,
    locateBy: (locate) => (symbol) => {
      const twin = twins.get(symbol);
      if (twin === undefined)
        throw fail("BUILD_WIDE", "the object with wide branches has it, the kernel's has not", { symbol: symbol.name });
      return locate(twin);
    },
  };
}

async function compileIn(task: Task, command: ObjectCommand, variant: Variant, view: SourceView): Promise<ElfObject> {
  try {
    return readElf((await compile(task, command, variant, view)).bytes, command.object);
  } finally {
    await view.dispose();
  }
}

/** The same functions and variables must be in both, under the same names in the same sections. @throws BUILD_WIDE */
function twinsOf(wide: ElfObject, ordinary: ElfObject): Map<ElfSymbol, ElfSymbol> {
  const known = new Map(named(ordinary));
  const found = named(wide);
  const other = found.find(([key]) => !known.has(key))?.[1];
  if (other !== undefined || known.size !== found.length)
    throw fail(
      "BUILD_WIDE",
      `with wide branches the compiler makes other functions and variables${other === undefined ? "" : `: ${other.name}`}`,
      {
        file: wide.file,
        symbol: other?.name,
      },
    );
  return new Map(found.map(([key, symbol]) => [symbol, known.get(key) as ElfSymbol]));
}

function named(elf: ElfObject): [key: string, symbol: ElfSymbol][] {
  return elf.symbols.flatMap((symbol): [string, ElfSymbol][] => {
    const { name, type, bind, place, value, size } = symbol;
    if (!isSection(place) || (type !== STT.FUNC && type !== STT.OBJECT)) return [];
    // Code may have grown; data may not.
    return [[JSON.stringify([name, type, bind, place.name, type === STT.FUNC ? 0 : [value, size]]), symbol]];
  });
}
