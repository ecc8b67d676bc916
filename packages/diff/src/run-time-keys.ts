/**
 * A branch on a static key that cannot be switched by patching code, since its key's module may come later than the livepatch: it reads the
 * key each time instead. The branch's five bytes become a jump behind the function's end, where the key is compared and control goes where
 * the patched branch would have gone. The asm statement that the branch is made of may change the flags like any other, so nothing is saved.
 * Source: arch/x86/include/asm/jump_label.h, kernel/jump_label.c (jump_label_type).
 */
import { R_X86_64, viewOf } from "@suture/elf";
import { bytesOf, type Item, isItem, type Ref } from "./items.ts";
import type { Entry } from "./tables.ts";
import { isNop5, JMP_REL32 } from "./x86-64.ts";

/** A function with such branches, as it is carried. */
export interface Rewritten {
  bytes: Uint8Array;
  refs: readonly Ref[];
  /** Where the code behind the end starts, by the branch that it is for. */
  stubs: readonly { site: number; at: number }[];
}

/** Bytes of a site that holds a jump, and of what follows the function for each. */
const SITE = 5;
const STUB = 19;

/** In the key's field of an entry: whether the branch is taken while the key is off; whether it is code of the boot phase. */
const BRANCH = 1;
const FLAGS = 3;

/** Whether there is room for a jump. A branch of two bytes, as objtool makes them of short jumps, has none. */
export function canReadAtRunTime(entry: Entry): boolean {
  const code = bytesOf(entry.owner);
  const target = targetOf(entry);
  return (
    entry.at + SITE <= code.length && (isNop5(code, entry.at) || code[entry.at] === JMP_REL32) && target !== undefined && isItem(target.to)
  );
}

function targetOf(entry: Entry): Ref | undefined {
  return entry.refs.find((ref) => ref !== entry.refs[0] && ref !== entry.key);
}

export function readAtRunTime(item: Item, refs: readonly Ref[], entries: readonly Entry[]): Rewritten {
  const code = bytesOf(item);
  const bytes = new Uint8Array(code.length + entries.length * STUB);
  bytes.set(code);
  const view = viewOf(bytes);
  const sites = new Set(entries.map((entry) => entry.at + 1));
  const rewritten = refs.filter((ref) => !sites.has(ref.at));
  const stubs: { site: number; at: number }[] = [];
  let at = code.length;
  for (const entry of entries) {
    const { key } = entry;
    const target = targetOf(entry);
    if (key === undefined || target === undefined) continue;
    jump(view, entry.at, at);
    // cmpl $0, key(%rip)
    bytes.set([0x83, 0x3d, 0, 0, 0, 0, 0], at);
    rewritten.push({ ...key, at: at + 2, type: R_X86_64.PC32, addend: (key.addend & ~FLAGS) - 5, target: key.target & ~FLAGS });
    // jne or je: a count that is not zero is on.
    bytes.set([0x0f, (key.addend & BRANCH) === 0 ? 0x85 : 0x84], at + 7);
    if (target.to === item) view.setInt32(at + 9, target.target - (at + 13), true);
    else rewritten.push({ ...target, at: at + 9, type: R_X86_64.PC32, addend: target.target - 4, branch: true });
    jump(view, at + 13, entry.at + SITE);
    bytes[at + 18] = 0xcc;
    stubs.push({ site: entry.at, at });
    at += STUB;
  }
  return { bytes, refs: rewritten.sort((a, b) => a.at - b.at), stubs };
}

function jump(view: DataView, from: number, to: number): void {
  view.setUint8(from, JMP_REL32);
  view.setInt32(from + 1, to - (from + SITE), true);
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
