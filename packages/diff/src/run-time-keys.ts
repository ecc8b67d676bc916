/**
 * A branch on a static key that cannot be switched by patching code, since its key's module may come later than the livepatch: it reads the
 * key each time instead, in code behind the function's end. And constants that the kernel writes into its code at boot, which a livepatch comes
 * too late for: code that is carried reads the variable instead. How the code looks then, the processor says.
 */
import type { ElfSymbol } from "@suture/elf";
import { bytesOf, type Item, isItem, type Ref } from "./items.ts";
import type { Entry } from "./tables.ts";

/** A function with such branches, as it is carried. */
export interface Rewritten {
  bytes: Uint8Array;
  refs: readonly Ref[];
  /** Where the code behind the end starts, by the branch that it is for. */
  stubs: readonly { site: number; at: number }[];
}

/** Whether there is room for it. */
export function canReadAtRunTime(entry: Entry): boolean {
  const target = targetOf(entry);
  return entry.owner.arch.rewrite.canReadKey(bytesOf(entry.owner), entry.at) && target !== undefined && isItem(target.to);
}

function targetOf(entry: Entry): Ref | undefined {
  return entry.refs.find((ref) => ref !== entry.refs[0] && ref !== entry.key);
}

export function readAtRunTime(item: Item, refs: readonly Ref[], entries: readonly Entry[]): Rewritten {
  const branches = entries.flatMap(({ at, key, ...entry }) => {
    const target = targetOf({ at, key, ...entry });
    return key === undefined || target === undefined
      ? []
      : [{ at, key, to: target, target: { target: target.target, inside: target.to === item } }];
  });
  const { bytes, reads, gone } = item.arch.rewrite.readKeys(bytesOf(item), branches);
  const rewritten = refs.filter((ref) => !gone.has(ref.at));
  for (const [i, { key, target }] of reads.entries()) {
    const branch = branches[i];
    if (branch === undefined) continue;
    rewritten.push({ ...branch.key, ...key });
    if (target !== undefined) rewritten.push({ ...branch.to, ...target, branch: true });
  }
  return { bytes, refs: rewritten.sort((a, b) => a.at - b.at), stubs: reads.map(({ site, at }) => ({ site, at })) };
}

/** Whether the place can read the variable. */
export function canReadConstant({ owner, at, section }: Entry): boolean {
  return owner.arch.rewrite.canReadConstant(bytesOf(owner), at, section.name);
}

/** The reference to the variable that the carried code has in place of the constant. */
export function constantRef({ owner, at, section }: Entry, variable: (name: string) => Item | ElfSymbol): Ref {
  const { rewrite } = owner.arch;
  return {
    ...rewrite.constantField(at),
    to: variable(rewrite.constantVariable(section.name)),
    branch: false,
    loose: false,
    implied: false,
    weak: undefined,
    fault: undefined,
  };
}

export function readConstants(item: Item, refs: readonly Ref[], constants: readonly { entry: Entry; ref: Ref }[]): Rewritten {
  const places = constants.map(({ entry }) => entry.at);
  const bytes = item.arch.rewrite.readConstants(bytesOf(item), places);
  return { bytes, refs: [...refs, ...constants.map(({ ref }) => ref)].sort((a, b) => a.at - b.at), stubs: [] };
}

/** Unwind entries of the function with those of what follows its end: there the stack is as it is at the branch. */
export function unwindOf(own: readonly Entry[], size: number, { bytes, stubs }: Rewritten): Entry[] {
  const unwind = own.filter((entry) => entry.beside !== undefined);
  const others = own.filter((entry) => entry.beside === undefined);
  const moved = (entry: Entry, at: number): Entry => ({
    ...entry,
    at,
    refs: entry.refs.map((ref) => ({ ...ref, addend: at, target: at })),
  });
  const stubEntries = stubs.flatMap(({ site, at }) => {
    const state = unwind.filter((entry) => entry.at <= site).pop();
    return state === undefined ? [] : [moved(state, at)];
  });
  const inside = unwind.filter((entry) => entry.at < size);
  const ends = unwind.filter((entry) => entry.at >= size).map((entry) => moved(entry, bytes.length));
  return [...others, ...inside, ...stubEntries, ...ends];
}
