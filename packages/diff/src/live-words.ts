/** What differs between a variable of the running kernel and that of the fix, as words that one instruction can exchange. */
import { SHT } from "@suture/elf";
import type { Comparer } from "./compare.ts";
import { bytesOf, type Item, isItem, type Ref, sizeOf } from "./items.ts";
import { isLiteral, isString } from "./literals.ts";

/** A pointer, or a number of so many bytes. */
export type LiveValue = { ref: Ref } | { number: bigint };

/** Bytes that one instruction can exchange. */
export interface LiveWord {
  /** From the start of the variable. */
  at: number;
  size: number;
  old: LiveValue;
  now: LiveValue;
}

export interface LiveVariable {
  /** In the patched object. */
  item: Item;
  original: Item;
  words: readonly LiveWord[];
  readOnly: boolean;
}

/** Of which variables somebody knows that nothing has gone by the old values. */
export type AcceptData = (name: string) => boolean;

/** The largest word that is exchanged at once, in bytes. */
export const WORD = 8;

/** Of an undefined symbol the caller of the differ knows whether it is a function. */
function isFunction(value: LiveValue): boolean {
  if (!("ref" in value)) return false;
  const { to, target, addend } = value.ref;
  return isItem(to) ? to.kind === "function" && target === to.entry : to.place === "undef" && addend === 0;
}

function isEmpty(value: LiveValue): boolean {
  return "number" in value && value.number === 0n;
}

/** A function where none was. */
export function fills({ old, now }: LiveWord): boolean {
  return isEmpty(old) && isFunction(now);
}

/** A pointer that is to be none, now or when it is put back: who has seen one must be past the call. */
export function empties({ old, now }: LiveWord): boolean {
  return (isEmpty(old) && "ref" in now) || (isEmpty(now) && "ref" in old);
}

/** What differs, as words that can be exchanged each by itself; or why it cannot be told. */
export function wordsOf(compare: Comparer, original: Item, item: Item): LiveWord[] | string {
  const { relocations } = item.arch;
  const [old, now] = [original, item].map((one) => ({
    item: one,
    bytes: contentsOf(one),
    refs: new Map(one.refs.map((ref) => [ref.at, ref])),
  }));
  if (old === undefined || now === undefined) return [];
  const words: LiveWord[] = [];
  const pointers = new Uint8Array(sizeOf(item));
  for (const at of [...new Set([...old.refs.keys(), ...now.refs.keys()])].sort((a, b) => a - b)) {
    const [a, b] = [old.refs.get(at), now.refs.get(at)];
    for (const ref of [a, b]) {
      const size = ref === undefined ? 0 : (relocations.kind(ref.type)?.size ?? WORD);
      pointers.fill(1, at, at + size);
    }
    if (a !== undefined && b !== undefined && compare.sameRef(a, b)) continue;
    const values = [valueAt(old, at), valueAt(now, at)] as const;
    for (const ref of [a, b]) {
      if (ref === undefined) continue;
      if (ref.type !== relocations.pointer || at % WORD !== 0 || at + WORD > sizeOf(item))
        return `what it has at 0x${at.toString(16)} is no whole pointer`;
      // A string of the fix is the livepatch's.
      const unnamed = isItem(ref.to) && (ref.to.kind === "row" || (isLiteral(ref.to) && (ref === a || !isString(ref.to))));
      if (ref.weak !== undefined || ref.fault !== undefined || unnamed)
        return `what it points to at 0x${at.toString(16)} has no name of its own in the kernel`;
    }
    if (crosses(old.refs, at) || crosses(now.refs, at)) return `its pointers at 0x${at.toString(16)} lie otherwise than before`;
    words.push({ at, size: WORD, old: values[0], now: values[1] });
  }
  const numbers = numbersOf(old.bytes, now.bytes, pointers, item);
  return typeof numbers === "string" ? numbers : [...words, ...numbers].sort((a, b) => a.at - b.at);
}

type Side = { item: Item; bytes: Uint8Array; refs: ReadonlyMap<number, Ref> };

function valueAt({ item, bytes, refs }: Side, at: number): LiveValue {
  const ref = refs.get(at);
  return ref === undefined ? { number: numberAt(bytes, at, WORD, item) } : { ref };
}

/** Whether another pointer is partly where a word is. */
function crosses(refs: ReadonlyMap<number, Ref>, at: number): boolean {
  return [...refs.keys()].some((other) => other !== at && Math.abs(other - at) < WORD);
}

/** What begins as zeros may have no bytes in the file. */
function contentsOf(item: Item): Uint8Array {
  return item.section.type === SHT.NOBITS ? new Uint8Array(sizeOf(item)) : bytesOf(item);
}

/**
 * Numbers that differ. Where one ends and the next begins is not known: what is changed is a whole word of what the variable is aligned to, so that no
 * part of a number is taken for the whole, and nothing is changed where what stands beside it has been. Where the variable ends within such a word it is
 * the largest that there are, which are exchanged together.
 */
function numbersOf(old: Uint8Array, now: Uint8Array, pointers: Uint8Array, item: Item): LiveWord[] | string {
  const words: LiveWord[] = [];
  const step = Math.min(WORD, Math.max(item.section.align, 1));
  for (let at = 0, size = step; at < old.length; at += size) {
    size = step;
    while (at + size > old.length || at % size !== 0) size /= 2;
    const differing = Array.from({ length: size }, (_, i) => at + i).filter((i) => pointers[i] === 0 && old[i] !== now[i]);
    const [first] = differing;
    if (first === undefined) continue;
    if (pointers.subarray(at, at + size).includes(1))
      return `its numbers at 0x${first.toString(16)} cannot be told from what is beside them`;
    words.push({ at, size, old: { number: numberAt(old, at, size, item) }, now: { number: numberAt(now, at, size, item) } });
  }
  return words;
}

function numberAt(bytes: Uint8Array, at: number, size: number, { arch }: Item): bigint {
  let number = 0n;
  for (let i = 0; i < size; i++) {
    const byte = BigInt(bytes[at + i] ?? 0);
    number |= byte << BigInt(8 * (arch.format.order === "little" ? i : size - 1 - i));
  }
  return number;
}
