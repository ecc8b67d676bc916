/** Symbols by name: hash chains in two arrays, made when an image is decoded and kept with it. Each chain is in kallsyms order. */

export interface NameIndex {
  /** First symbol of each chain, plus 1; 0 for an empty one. A power of two long. */
  heads: Uint32Array;
  /** The symbol after symbol i in its chain, plus 1; 0 ends it. */
  next: Uint32Array;
}

/** FNV-1a. */
const SEED = 0x811c9dc5;
const PRIME = 0x01000193;

/** @param starts where each name starts in `names`, and where the last one ends */
export function indexNames(names: Uint8Array, starts: Uint32Array): NameIndex {
  const count = starts.length - 1;
  const heads = new Uint32Array(2 ** Math.ceil(Math.log2(count + 1)));
  const next = new Uint32Array(count);
  for (let i = count - 1; i >= 0; i--) {
    let hash = SEED;
    const end = starts[i + 1] as number;
    for (let at = starts[i] as number; at < end; at++) hash = Math.imul(hash ^ (names[at] as number), PRIME);
    const chain = mix(hash) & (heads.length - 1);
    next[i] = heads[chain] as number;
    heads[chain] = i + 1;
  }
  return { heads, next };
}

/** Indices of the symbols of that name, ascending. */
export function findName(index: NameIndex, names: Uint8Array, starts: Uint32Array, name: string): number[] {
  let hash = SEED;
  for (let k = 0; k < name.length; k++) hash = Math.imul(hash ^ name.charCodeAt(k), PRIME);
  const found: number[] = [];
  let link = index.heads[mix(hash) & (index.heads.length - 1)] as number;
  for (; link !== 0; link = index.next[link - 1] as number) if (isName(names, starts, link - 1, name)) found.push(link - 1);
  return found;
}

function isName(names: Uint8Array, starts: Uint32Array, i: number, name: string): boolean {
  const start = starts[i] as number;
  if ((starts[i + 1] as number) - start !== name.length) return false;
  for (let k = 0; k < name.length; k++) if (names[start + k] !== name.charCodeAt(k)) return false;
  return true;
}

/** FNV's low bits are its weakest. */
function mix(hash: number): number {
  return hash ^ (hash >>> 15);
}
