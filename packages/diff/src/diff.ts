/** Two builds of one object → what changed, and an object that holds it. Passes in a row. */
import type { ElfObject, ElfSymbol } from "@suture/elf";
import { emit, type External } from "./emit.ts";
import { fail } from "./errors.ts";
import { cut, type Item, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { pair } from "./pair.ts";
import type { Build } from "./sections.ts";
import { type Inputs, Selector } from "./select.ts";
import { entriesOf } from "./tables.ts";
import type { TypeLayouts } from "./x86-64.ts";

export interface ChangedFunction {
  /** Its name in the original, which is the kernel's. */
  name: string;
  why: string;
  /** Bytes, before and after. */
  sizeBefore: number;
  size: number;
  original: ElfSymbol;
  /** Its symbol in `Delta.object`. */
  symbol: ElfSymbol;
}

export interface Added {
  name: string;
  kind: "function" | "variable";
  size: number;
}

/** What a patch of one object is made of. */
export interface Delta {
  /** Calls of these are redirected. */
  functions: ChangedFunction[];
  /** Changed functions without an ftrace entry: carried along with their callers. */
  carriedAlong: { name: string; why: string }[];
  added: Added[];
  /** What differs but needs nothing at run time. */
  skipped: { name: string; why: string }[];
  /** Undefined symbols of `object` that the running kernel has. */
  externals: External[];
  /** Undefined if nothing changed that runs. */
  object: ElfObject | undefined;
}

export interface DiffOptions {
  layouts: TypeLayouts;
  /** What decides which sections the kernel keeps. */
  build: Build;
  /** Take these functions in even if they are the same: a livepatch that replaces a function by itself. */
  force?: (name: string) => boolean;
}

/** @throws DIFF_* with what cannot be patched, where, and the way out */
export function diff(original: ElfObject, patched: ElfObject, options: DiffOptions): Delta {
  checkComparable(original, patched);
  const before = cut(original, options.build);
  const after = cut(patched, options.build);
  const inputs: Inputs = {
    original: before,
    patched: after,
    pairs: pair(before, after),
    originalEntries: entriesOf(before, options.layouts),
    patchedEntries: entriesOf(after, options.layouts),
  };
  const selector = new Selector(inputs);
  const { changed, carried, skipped } = selector.run((item) => options.force?.(item.name) === true && selector.patchable(item));
  if (changed.size === 0) return { functions: [], carriedAlong: [], added: [], skipped, externals: [], object: undefined };
  const emitted = emit(inputs, selector, patched.file);
  const functions: ChangedFunction[] = [];
  const carriedAlong: { name: string; why: string }[] = [];
  for (const [item, why] of changed) {
    const originalItem = inputs.pairs.original(item);
    const symbol = emitted.symbols.get(item);
    const name = originalItem?.symbols[0];
    if (originalItem === undefined || name === undefined || symbol === undefined) continue;
    if (selector.redirected(item))
      functions.push({ name: name.name, why, sizeBefore: sizeOf(originalItem), size: sizeOf(item), original: name, symbol });
    else carriedAlong.push({ name: name.name, why });
  }
  if (functions.length === 0)
    throw fail("DIFF_NOT_PATCHABLE", `none of the changed functions can be redirected: ${carriedAlong.map((f) => f.name).join(", ")}`, {
      file: patched.file,
    });
  return { functions, carriedAlong, added: addedOf(inputs, carried), skipped, externals: emitted.externals, object: emitted.object };
}

function addedOf(inputs: Inputs, carried: ReadonlySet<Item>): Added[] {
  return inputs.patched.items
    .filter((item) => carried.has(item) && inputs.pairs.original(item) === undefined && item.symbols.length > 0 && !isLiteral(item))
    .map((item) => ({ name: item.name, kind: item.kind === "function" ? ("function" as const) : ("variable" as const), size: sizeOf(item) }));
}

function checkComparable(original: ElfObject, patched: ElfObject): void {
  for (const field of ["type", "machine", "flags", "osabi", "abiVersion"] as const)
    if (original[field] !== patched[field])
      throw fail("DIFF_NOT_COMPARABLE", `${field} is ${original[field]} in ${original.file}`, { file: patched.file });
  for (const elf of [original, patched])
    if (elf.segments.length > 0) throw fail("DIFF_NOT_COMPARABLE", "it has program headers: an image, not an object", { file: elf.file });
}
