/**
 * Whether what changed headers declare can make a C file otherwise: from what changed, over what is declared by way of it in headers that the C file may
 * see, to the words of the C file. In doubt it can.
 */
import type { NameIndex, SourceNames } from "./index.ts";
import type { Kind, Pieces } from "./named.ts";
import { Pasting, waysOf } from "./pasting.ts";
import type { Changed } from "./seeds.ts";

/** What changed in one header. */
export interface Seeds {
  /** By name: true if whatever names it is otherwise with it, false if only code is. */
  names: ReadonlyMap<number, boolean>;
  calls: readonly Call[];
  /** Something changed whose effect names do not tell. */
  doubt: boolean;
}

/** Calls of macros at the top level. */
export interface Call {
  macros: readonly number[];
  given: readonly number[];
}

/** In the numbers of the index; what it does not know nobody mentions. */
export function seedsOf(index: NameIndex, { names, calls, doubt }: Changed): Seeds {
  const known = (words: readonly string[]): number[] => words.flatMap((word) => index.words.known(word) ?? []);
  return {
    names: new Map([...names].flatMap(([name, any]) => known([name]).map((word): [number, boolean] => [word, any]))),
    calls: calls.map((one) => ({ macros: known(one.calls), given: known(one.given) })),
    doubt,
  };
}

/** A set of headers, by their numbers in the index. */
export interface Seen {
  has(file: number): boolean;
}

/** Declarations that become otherwise only with the types that they name, unless they ask for the type of what code gives. */
const PLAIN: ReadonlySet<Kind> = new Set(["type", "prototype"]);
const TYPEOF = ["typeof", "__typeof__", "__typeof", "__auto_type"];

/** Declares what it is given, which is elsewhere. */
const DECLARES = /^_*(?:INDIRECT_CALLABLE_)?DECLARE_/;

/** Trace points: code in the file that asks for it; elsewhere they declare what has the name of what they are given. */
const TRACE = /^(?:TRACE_EVENT|DEFINE_EVENT|DECLARE_EVENT_CLASS|DECLARE_TRACE|TRACE_DEFINE_ENUM)/;
const ASKS = "CREATE_TRACE_POINTS";

export class Closure {
  readonly #index: NameIndex;
  readonly #pasting: Pasting;
  /** Declarations that code alone does not lead on through. */
  readonly #plain: Uint8Array;
  readonly #makeCode = new Map<number, boolean>();
  readonly #asks: number | undefined;

  /** Of one C file. What is kept by word or declaration is of this run where its stamp is the run's number. */
  #run = 0;
  #seen: Seen = new Set();
  #found = false;
  #tracing = false;
  #queue: number[] = [];
  readonly #hasWord: Int32Array;
  readonly #visited: Int32Array;
  readonly #tainted: Int32Array;
  /** 1: as code, 2: as anything. */
  readonly #level: Uint8Array;

  constructor(index: NameIndex) {
    this.#index = index;
    this.#pasting = new Pasting(index);
    const [words, declarations] = [index.words.size, index.names.size];
    this.#hasWord = new Int32Array(words);
    this.#tainted = new Int32Array(words);
    this.#level = new Uint8Array(words);
    this.#visited = new Int32Array(declarations);
    this.#plain = new Uint8Array(declarations);
    this.#asks = index.words.known(ASKS);
    const typeofs = new Set(TYPEOF.flatMap((word) => index.words.known(word) ?? []));
    for (let at = 0; at < declarations; at++)
      if (PLAIN.has(index.kindOf(at)) && !index.mentions.of(at).some((word) => typeofs.has(word))) this.#plain[at] = 1;
  }

  /**
   * @param seen headers that it may see
   * @param seeds of the changed ones among them
   */
  reaches({ words: source, pasting }: SourceNames, seen: Seen, seeds: readonly Seeds[]): boolean {
    if (seeds.some(({ doubt }) => doubt)) return true;
    this.#run++;
    this.#seen = seen;
    this.#found = false;
    this.#queue = [];
    for (const word of source) this.#hasWord[word] = this.#run;
    this.#tracing = this.#asks !== undefined && this.#has(this.#asks);
    for (const { names, calls } of seeds) {
      for (const [name, any] of names) this.#taint(name, any);
      for (const { macros, given } of calls) this.#call(macros, given);
    }
    const { users, words } = this.#index;
    for (let word = this.#queue.pop(); word !== undefined && !this.#found; word = this.#queue.pop()) {
      const any = this.#level[word] === 2;
      for (const user of users.of(word)) if (any || this.#plain[user] === 0) this.#visit(user);
      for (const { words: pieces, isBy, declarations } of this.#pasting.of(words.textOf(word))) {
        if (pieces.every((piece) => this.#has(piece)) && source.some(isBy)) this.#found = true;
        for (const declaration of declarations) this.#visit(declaration);
      }
      if (pasting.some((pieces) => this.#makes(pieces, words.textOf(word as number)))) this.#found = true;
    }
    return this.#found;
  }

  /** A macro of the C file itself, of words of it. */
  #makes(pieces: Pieces, name: string): boolean {
    return waysOf(name, pieces).some((given) =>
      given.every((text) => {
        const word = this.#index.words.known(text);
        return word !== undefined && this.#has(word);
      }),
    );
  }

  #has(word: number): boolean {
    return this.#hasWord[word] === this.#run;
  }

  #taint(word: number, any: boolean): void {
    const level = any ? 2 : 1;
    if (this.#tainted[word] === this.#run && (this.#level[word] ?? 0) >= level) return;
    this.#tainted[word] = this.#run;
    this.#level[word] = level;
    if (this.#has(word)) this.#found = true;
    this.#queue.push(word);
  }

  #visit(declaration: number): void {
    const { names, calls, given } = this.#index;
    if (this.#found || this.#visited[declaration] === this.#run || !this.#sees(declaration)) return;
    this.#visited[declaration] = this.#run;
    const kind = this.#index.kindOf(declaration);
    // What includes it has its code; and whether something is included, or packed, is not followed.
    if (kind === "code" || kind === "directive" || kind === "include") this.#found = true;
    else if (kind === "call") this.#call(calls.of(declaration), given.of(declaration));
    else for (const name of names.of(declaration)) this.#taint(name, kind !== "function" && kind !== "prototype");
  }

  #sees(declaration: number): boolean {
    return this.#seen.has(this.#index.fileOf[declaration] ?? -1);
  }

  #call(macros: Iterable<number>, given: Iterable<number>): void {
    const { words } = this.#index;
    const texts = [...macros].map((macro) => words.textOf(macro));
    const traces = texts.every((text) => TRACE.test(text));
    const declares = texts.every((text) => DECLARES.test(text)) || (traces && !this.#tracing);
    const made = this.#pasting.madeBy(
      macros,
      [...given].map((word) => words.textOf(word)),
    );
    if (!declares && (made === undefined || [...macros].some((macro) => this.#mayMakeCode(macro)))) this.#found = true;
    if (this.#found) return;
    for (const name of [...(made ?? []), ...given]) this.#taint(name, true);
    if (!traces) return;
    for (const name of given) {
      const own = words.known(`trace_${words.textOf(name)}`);
      if (own !== undefined) this.#taint(own, false);
    }
  }

  /** A macro that is not known, or the C file's own, or that makes code by itself or by one that it uses. */
  #mayMakeCode(macro: number): boolean {
    if (this.#has(macro) || !this.#pasting.macrosOf(macro).some((declaration) => this.#sees(declaration))) return true;
    let found = this.#makeCode.get(macro);
    if (found === undefined) {
      found = [...this.#pasting.using(macro)].some((word) => this.#pasting.macrosOf(word).some((one) => this.#index.coding.has(one)));
      this.#makeCode.set(macro, found);
    }
    return found;
  }
}
