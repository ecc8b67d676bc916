/**
 * What the kernel writes into code too early or too late for a livepatch is made to be read when the code runs, where there is room for that. There is
 * none in branches of two bytes on a module's static key, and in shifts by a constant that is filled in at boot. Both builds are compiled once more in a
 * view of the source whose header says it otherwise; the differ compares those. That original is not what the kernel runs, so its symbols are found
 * through the ordinary one, which is proven.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Arch } from "@suture/arch";
import { type ElfObject, type ElfSymbol, isSection, readElf, STT } from "@suture/elf";
import type { KernelContext, ObjectCommand } from "@suture/kbuild";
import { compile, type Overlay, SourceView, type Variant } from "@suture/kbuild";
import type { Locate } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";

/** What there is to be room for, by the differ's refusal. */
const FOR: Readonly<Record<string, keyof Arch["rewrite"]["room"]>> = { DIFF_MODULE_KEY: "key", DIFF_RUN_TIME_CONSTANT: "constant" };

/** Whether another way to write it may help. */
export function wantsRoom(code: string): boolean {
  return FOR[code] !== undefined;
}

export interface Wide {
  original: ElfObject;
  patched: ElfObject;
  /** The locator of the ordinary object, for symbols of `original`. */
  locateBy(locate: Locate): Locate;
  /** How it was compiled, for people. */
  notes: string[];
}

/** The views that objects of one run are compiled in so, each made once. Dispose of them. */
export class RoomViews {
  readonly #kernel: KernelContext;
  readonly #overlay: Overlay;
  readonly #made = new Map<string, { original: SourceView; patched: SourceView }>();

  constructor(kernel: KernelContext, overlay: Overlay) {
    this.#kernel = kernel;
    this.#overlay = overlay;
  }

  async of(headers: Overlay): Promise<{ original: SourceView; patched: SourceView }> {
    const key = [...headers.keys()].sort().join(" ");
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const { target, commands } = this.#kernel;
    const viewOf = (changed: Overlay): Promise<SourceView> =>
      SourceView.make(target.tree, new Map([...changed, ...headers]), commands.detours);
    const original = await viewOf(new Map());
    try {
      const both = { original, patched: await viewOf(this.#overlay) };
      this.#made.set(key, both);
      return both;
    } catch (error) {
      await original.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    for (const { original, patched } of this.#made.values()) {
      await original.dispose();
      await patched.dispose();
    }
    this.#made.clear();
  }
}

/**
 * @param codes the differ's refusals
 * @param ordinary the original as it is proven
 * @returns undefined if this kernel's headers cannot be changed so
 * @throws BUILD_COMPILE, BUILD_WIDE
 */
export async function recompileWithRoom(
  task: Task,
  kernel: KernelContext,
  command: ObjectCommand,
  codes: ReadonlySet<string>,
  { overlay, views }: { overlay: Overlay; views: RoomViews },
  ordinary: ElfObject,
  variant: Variant,
): Promise<Wide | undefined> {
  const { tree, arch } = kernel.target;
  // The header is in one place, what the fix changes in another: a view shows one of them.
  if (kernel.outside !== undefined) return undefined;
  const headers = new Map<string, string>();
  const notes: string[] = [];
  for (const code of codes) {
    const what = FOR[code];
    const way = what === undefined ? undefined : arch.rewrite.room[what];
    if (way === undefined) continue;
    const text = overlay.get(way.header) ?? (await readFile(join(tree, way.header), "latin1").catch(() => ""));
    const changed = text.replace(way.from, way.to);
    if (changed === text) continue;
    headers.set(way.header, changed);
    notes.push(way.note);
  }
  if (headers.size === 0) return undefined;
  const room = await views.of(headers);
  const original = await compileIn(task, command, variant, room.original);
  const patched = await compileIn(task, command, variant, room.patched);
  const twins = twinsOf(original, ordinary);
  return {
    original,
    patched,
    notes,
    locateBy: (locate) => (symbol) => {
      const twin = twins.get(symbol);
      if (twin === undefined)
        throw fail("BUILD_WIDE", "the object as it was compiled for this has it, the kernel's has not", { symbol: symbol.name });
      return locate(twin);
    },
  };
}

async function compileIn(task: Task, command: ObjectCommand, variant: Variant, view: SourceView): Promise<ElfObject> {
  return readElf((await compile(task, command, variant, view)).bytes, command.object);
}

/** The same functions and variables must be in both, under the same names in the same sections. @throws BUILD_WIDE */
function twinsOf(wide: ElfObject, ordinary: ElfObject): Map<ElfSymbol, ElfSymbol> {
  const known = new Map(named(ordinary));
  const found = named(wide);
  const other = found.find(([key]) => !known.has(key))?.[1];
  if (other !== undefined || known.size !== found.length)
    throw fail(
      "BUILD_WIDE",
      `compiled so, the compiler makes other functions and variables${other === undefined ? "" : `: ${other.name}`}`,
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
