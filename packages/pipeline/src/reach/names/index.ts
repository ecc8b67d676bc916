/**
 * What all headers of a kernel declare by way of which names, and which names each C file has: from the text alone, so that it is made in seconds and holds
 * whatever the conditions are. Words, files and declarations are numbers.
 */
import { Growing, GrowingLists, Lists, Words } from "./lists.ts";
import { chainsIn, type Kind, type Named, namedIn, type Pieces, wordsOf } from "./named.ts";

const KINDS: readonly Kind[] = ["code", "function", "macro", "type", "prototype", "call", "include", "directive"];

/** As it is kept: lists are the starts of their ranges and all that is in them. */
export interface IndexData {
  words: readonly string[];
  /** Headers, and C files that others include. */
  files: readonly string[];
  /** C files that objects are compiled from. */
  sources: readonly string[];
  /** Macros that make names of pieces. */
  pasting: readonly (readonly [declaration: number, pieces: readonly (string | null)[]])[];
  /** Macros that put something into an object wherever they stand. */
  coding: readonly number[];
  /** What macros of C files make of pieces. */
  own: readonly (readonly [source: number, pieces: readonly (string | null)[]])[];
  arrays: readonly Int32Array[];
}

/** Of a C file, its words, and what its own macros make of pieces. */
export interface SourceNames {
  words: Int32Array;
  pasting: readonly Pieces[];
}

export class NameIndex {
  readonly words: Words;
  readonly files: readonly string[];
  /** Of each declaration, its file. */
  readonly fileOf: Int32Array;
  /** Of each declaration, what it declares, and what it mentions. */
  readonly names: Lists;
  readonly mentions: Lists;
  /** Of each word, the declarations that mention it. */
  readonly users: Lists;
  /** Of a call, the macros, and what they are given. */
  readonly calls: Lists;
  readonly given: Lists;
  readonly pasting: readonly { declaration: number; pieces: Pieces }[];
  readonly coding: ReadonlySet<number>;
  /** By C file, what its own macros make of pieces. */
  readonly #own = new Map<number, Pieces[]>();
  readonly #kinds: Int32Array;
  readonly #sources: ReadonlyMap<string, number>;
  readonly #wordsOf: Lists;
  #sourceCounts: Int32Array | undefined;

  constructor({ words, files, sources, pasting, coding, own, arrays }: IndexData) {
    const lists = (at: number): Lists => new Lists(arrays[at] ?? Int32Array.of(0), arrays[at + 1] ?? Int32Array.of());
    this.words = new Words(words);
    this.files = files;
    this.fileOf = arrays[0] ?? Int32Array.of();
    this.#kinds = arrays[1] ?? Int32Array.of();
    this.names = lists(2);
    this.mentions = lists(4);
    this.calls = lists(6);
    this.given = lists(8);
    this.#wordsOf = lists(10);
    this.users = this.mentions.inverted(words.length);
    this.pasting = pasting.map(([declaration, pieces]) => ({ declaration, pieces: pieces.map((piece) => piece ?? undefined) }));
    this.coding = new Set(coding);
    for (const [source, pieces] of own)
      this.#own.set(source, [...(this.#own.get(source) ?? []), pieces.map((piece) => piece ?? undefined)]);
    this.#sources = new Map(sources.map((path, number) => [path, number]));
  }

  kindOf(declaration: number): Kind {
    return KINDS[this.#kinds[declaration] ?? -1] as Kind;
  }

  /** In how many C files a word is. */
  sourcesWith(word: string): number {
    const id = this.words.known(word);
    return id === undefined ? 0 : (this.#counts()[id] ?? 0);
  }

  #counts(): Int32Array {
    if (this.#sourceCounts === undefined) {
      this.#sourceCounts = new Int32Array(this.words.size);
      for (let source = 0; source < this.#wordsOf.size; source++)
        for (const word of this.#wordsOf.of(source)) this.#sourceCounts[word] = (this.#sourceCounts[word] ?? 0) + 1;
    }
    return this.#sourceCounts;
  }

  /** @returns undefined of a file that no object is compiled from */
  sourceOf(path: string): SourceNames | undefined {
    const number = this.#sources.get(path);
    return number === undefined ? undefined : { words: this.#wordsOf.of(number), pasting: this.#own.get(number) ?? [] };
  }
}

export class IndexMaker {
  readonly #words = new Words();
  readonly #files: string[] = [];
  readonly #fileOf = new Growing();
  readonly #kinds = new Growing();
  readonly #names = new GrowingLists();
  readonly #mentions = new GrowingLists();
  readonly #calls = new GrowingLists();
  readonly #given = new GrowingLists();
  readonly #pasting: [number, (string | null)[]][] = [];
  readonly #coding: number[] = [];
  readonly #own: [number, (string | null)[]][] = [];
  readonly #sources: string[] = [];
  readonly #wordsOf = new GrowingLists();

  addHeader(path: string, text: string): void {
    const file = this.#files.push(path) - 1;
    for (const named of namedIn(text)) if (named.words.size > 0 || named.pasted.length > 0) this.#add(file, named);
  }

  #add(file: number, { kind, names, words, pasted, makesCode, calls, given }: Named): void {
    const declaration = this.#fileOf.push(file);
    this.#kinds.push(KINDS.indexOf(kind));
    this.#names.add(this.#numbers(new Set(names)));
    this.#mentions.add(this.#numbers(words));
    this.#calls.add(this.#numbers(calls));
    this.#given.add(this.#numbers(given));
    if (makesCode) this.#coding.push(declaration);
    for (const pieces of pasted) this.#pasting.push([declaration, pieces.map((piece) => piece ?? null)]);
  }

  addSource(path: string, text: string): void {
    const source = this.#sources.push(path) - 1;
    this.#wordsOf.add(this.#numbers(wordsOf(text)));
    if (text.includes("##")) for (const pieces of chainsIn(text)) this.#own.push([source, pieces.map((piece) => piece ?? null)]);
  }

  #numbers(words: Iterable<string>): number[] {
    return Array.from(words, (word) => this.#words.idOf(word));
  }

  done(): IndexData {
    const lists = [this.#names, this.#mentions, this.#calls, this.#given, this.#wordsOf];
    return {
      words: this.#words.texts,
      files: this.#files,
      sources: this.#sources,
      pasting: this.#pasting,
      coding: this.#coding,
      own: this.#own,
      arrays: [this.#fileOf.done(), this.#kinds.done(), ...lists.flatMap((one) => one.done().arrays)],
    };
  }
}
