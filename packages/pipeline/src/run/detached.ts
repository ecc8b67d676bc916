/** A delta names symbols of the objects that it was made of, and each holds its whole object. Here it is cut loose from them. */
import type { Delta } from "@suture/diff";
import type { ElfSymbol } from "@suture/elf";
import { Answers, type Locate, type Owner, type Place } from "@suture/livepatch";

/**
 * The same delta with symbols that hold nothing, how they are located, and what its owner has of their names: looked up now, refused only when one is
 * asked for.
 */
export function detached(delta: Delta, locate: Locate, owner: Owner, object: string): { delta: Delta; locate: Locate; owner: Owner } {
  const answers = new Answers(owner.name);
  for (const { symbol } of delta.externals) answers.ask(owner, symbol.name, object);
  const copies = new Map<ElfSymbol, ElfSymbol>();
  const places = new Map<ElfSymbol, { place: Place } | { error: unknown }>();
  const loose = (symbol: ElfSymbol): ElfSymbol => {
    let copy = copies.get(symbol);
    if (copy === undefined) {
      copy = { ...symbol, place: "undef" };
      copies.set(symbol, copy);
      places.set(copy, tried(symbol, locate));
    }
    return copy;
  };
  return {
    delta: {
      ...delta,
      functions: delta.functions.map((one) => ({ ...one, original: loose(one.original) })),
      externals: delta.externals.map(({ patched: _, original, ...one }) => ({
        ...one,
        original: original === undefined ? undefined : loose(original),
      })),
      exposed: delta.exposed.map(({ name, symbol }) => ({ name, symbol: loose(symbol) })),
      keys: delta.keys.map((one) => ({ ...one, original: undefined })),
    },
    locate: lookUp(places),
    owner: answers,
  };
}

type Places = ReadonlyMap<ElfSymbol, { place: Place } | { error: unknown }>;

/** A function of its own: one made beside others that know the objects would hold those as long as it lives. */
function lookUp(places: Places): Locate {
  return (symbol) => {
    const found = places.get(symbol);
    if (found === undefined) throw new Error(`${symbol.name} is no symbol of the delta`);
    if ("error" in found) throw found.error;
    return found.place;
  };
}

function tried(symbol: ElfSymbol, locate: Locate): { place: Place } | { error: unknown } {
  try {
    return { place: locate(symbol) };
  } catch (error) {
    return { error };
  }
}
