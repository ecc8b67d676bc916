/** Names that macros make of pieces: which may make a name of which words, and which names they make of what they are given. */
import type { NameIndex } from "./index.ts";
import type { Pieces } from "./named.ts";

/** A name is made where all these words stand, and one that `isBy` holds of. */
export interface Made {
  words: readonly number[];
  isBy(word: number): boolean;
  /** Declarations of headers where that is so. */
  declarations: readonly number[];
}

/** Macros that put pieces together in the same way. */
interface Chain {
  pieces: Pieces;
  macros: Set<number>;
  /** By what they are called: themselves, and macros that may hand on what they are given. */
  callers?: ReadonlySet<number>;
}

/** Of a text that tells a macro's names from others. */
const LONG = 3;

export class Pasting {
  readonly #index: NameIndex;
  /** By the text that what they make begins with. */
  readonly #chains = new Map<string, Chain[]>();
  readonly #ofMacro = new Map<number, Pieces[]>();
  readonly #macros = new Map<number, number[]>();
  readonly #known = new Map<string, readonly Made[]>();
  readonly #areMade = new Map<string, boolean>();
  readonly #makes = new Map<number, readonly Pieces[]>();

  constructor(index: NameIndex) {
    this.#index = index;
    const all = new Map<string, Chain>();
    for (const { declaration, pieces } of index.pasting) {
      const key = pieces.map((piece) => piece ?? "#").join(" ");
      let chain = all.get(key);
      if (chain === undefined) {
        chain = { pieces, macros: new Set() };
        all.set(key, chain);
        const open = pieces.indexOf(undefined);
        push(this.#chains, pieces.slice(0, open < 0 ? undefined : open).join(""), chain);
      }
      for (const name of index.names.of(declaration)) {
        chain.macros.add(name);
        push(this.#ofMacro, name, pieces);
      }
    }
    for (let declaration = 0; declaration < index.names.size; declaration++)
      if (index.kindOf(declaration) === "macro") for (const name of index.names.of(declaration)) push(this.#macros, name, declaration);
  }

  /** Macros of that name. */
  macrosOf(word: number): readonly number[] {
    return this.#macros.get(word) ?? [];
  }

  /** How a name may have been made. */
  of(name: string): readonly Made[] {
    let found = this.#known.get(name);
    if (found === undefined) {
      found = this.#waysOf(name);
      this.#known.set(name, found);
    }
    return found;
  }

  #waysOf(name: string): Made[] {
    const found: Made[] = [];
    for (const [chain, given] of this.#matching(name)) {
      const words = given.map((word) => this.#index.words.known(word));
      if (words.every((word) => word !== undefined)) found.push(this.#made(words as number[], (word) => this.#callersOf(chain).has(word)));
      // What it was given has itself been made: of what, is not looked at.
      else if (isLong(chain) && given.every((word, at) => words[at] !== undefined || this.#isMade(word)))
        for (const macro of chain.macros) found.push(this.#made([macro], (word) => word === macro));
    }
    return found;
  }

  #made(words: readonly number[], isBy: (word: number) => boolean): Made {
    const { users, mentions } = this.#index;
    const [first, ...others] = [...words].sort((a, b) => users.of(a).length - users.of(b).length);
    const declarations = [...(first === undefined ? [] : users.of(first))].filter((declaration) => {
      const own = mentions.of(declaration);
      return others.every((other) => own.includes(other)) && own.some(isBy);
    });
    return { words, isBy, declarations };
  }

  *#matching(name: string): Generator<[Chain, string[]]> {
    for (let length = 0; length <= name.length; length++)
      for (const chain of this.#chains.get(name.slice(0, length)) ?? [])
        for (const given of waysOf(name, chain.pieces)) yield [chain, given];
  }

  /** By a macro that puts a text of its own to what it is given. */
  #isMade(name: string): boolean {
    let found = this.#areMade.get(name);
    if (found === undefined) {
      found = false;
      for (const [{ pieces }, given] of this.#matching(name))
        if (pieces.some((piece) => piece !== undefined) && given.every((word) => this.#index.words.known(word) !== undefined)) {
          found = true;
          break;
        }
      this.#areMade.set(name, found);
    }
    return found;
  }

  #callersOf(chain: Chain): ReadonlySet<number> {
    if (chain.callers === undefined) {
      const { names, users } = this.#index;
      const words = new Set(chain.macros);
      for (const word of words)
        for (const user of users.of(word)) if (this.#index.kindOf(user) === "macro") for (const name of names.of(user)) words.add(name);
      chain.callers = words;
    }
    return chain.callers;
  }

  /** Names that calls make, of those that are known somewhere. @returns undefined where there are too many ways */
  madeBy(macros: Iterable<number>, given: readonly string[]): Set<number> | undefined {
    const names = new Set<number>();
    for (const macro of macros)
      for (const pieces of this.#piecesFrom(macro)) {
        const open = pieces.filter((piece) => piece === undefined).length;
        if (open > MOST) return undefined;
        for (const one of open === 0 ? [""] : given)
          for (const other of open === MOST ? given : [""]) {
            let at = 0;
            const made = pieces.map((piece) => piece ?? (at++ === 0 ? one : other)).join("");
            const known = this.#index.words.known(made);
            if (known !== undefined) names.add(known);
          }
      }
    return names;
  }

  /** Of a macro and those that it uses. */
  #piecesFrom(macro: number): readonly Pieces[] {
    let found = this.#makes.get(macro);
    if (found === undefined) {
      found = [...this.using(macro)].flatMap((word) => this.#ofMacro.get(word) ?? []);
      this.#makes.set(macro, found);
    }
    return found;
  }

  /** A macro, and all that it names, by way of the macros among them. */
  using(macro: number): Set<number> {
    const words = new Set([macro]);
    for (const word of words)
      for (const declaration of this.macrosOf(word)) for (const one of this.#index.mentions.of(declaration)) words.add(one);
    return words;
  }
}

function push<K, T>(map: Map<K, T[]>, key: K, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function isLong({ pieces }: Chain): boolean {
  return pieces.some((piece) => piece !== undefined && piece.length >= LONG);
}

/** Of more pieces that are given only the first is asked for. */
const MOST = 2;

/** All ways in which a name consists of the pieces: each what stands for those that are given. */
export function waysOf(name: string, pieces: Pieces): string[][] {
  if (pieces.filter((piece) => piece === undefined).length <= MOST) return allWays(name, pieces);
  const begin = pieces.slice(0, pieces.indexOf(undefined)).join("");
  if (!name.startsWith(begin)) return [];
  return [...name.slice(begin.length + 1)].map((_, at) => [name.slice(begin.length, begin.length + 1 + at)]);
}

function allWays(name: string, pieces: Pieces): string[][] {
  const [piece, ...rest] = pieces;
  if (pieces.length === 0) return name === "" ? [[]] : [];
  if (piece !== undefined) return name.startsWith(piece) ? allWays(name.slice(piece.length), rest) : [];
  if (rest.length === 0) return name === "" ? [] : [[name]];
  const found: string[][] = [];
  for (let length = 1; length <= name.length; length++)
    for (const other of allWays(name.slice(length), rest)) found.push([name.slice(0, length), ...other]);
  return found;
}
