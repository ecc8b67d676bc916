/**
 * Where objects of a structure begin and end. What may never happen is that a new object finds what an older one at its address has left: so each place
 * where memory becomes such an object is known for certain, or it is refused. Where objects end what lies beside them is freed; of memory that is freed
 * without its type it stays until the livepatch goes, or the memory is such an object again. Where padding is what counts, each is cleared where it
 * begins, and nothing but its members is written after that.
 */
import type { SutureError } from "@suture/errors";
import { type Declaration, declarationsIn, functionAt } from "../c/declarations.ts";
import { fail } from "../errors.ts";
import { begins, ends } from "./generated.ts";
import { definitionsIn } from "./members.ts";
import type { Said, Spot } from "./probe.ts";
import { isCleared, type Rules } from "./rules.ts";
import { type Place, spanOf, targetsIn } from "./spans.ts";
import {
  argumentsOf,
  type Call,
  callsAround,
  closeOf,
  type Edit,
  endOfExpression,
  indexOf,
  lineOf,
  masked,
  skipBack,
  skipOn,
  startOfOperand,
  wordBefore,
} from "./text.ts";
import type { Inserted, Site } from "./uses.ts";

/** Texts of the files that may make or free objects, by path. */
export type Texts = ReadonlyMap<string, string>;

const FROM_CACHE = /^(?:kmem_cache_(?:z?alloc|alloc_node)(?:_noprof)?|alloc_inode_sb)$/;
const FREES =
  /\b(kfree|kvfree|vfree|kfree_sensitive|kvfree_sensitive|kzfree|kmem_cache_free|devm_kfree|kfree_rcu|kvfree_rcu|kfree_rcu_mightsleep)\s*\(/g;
/** The kernel frees them itself, later. */
const LATER = /_rcu|^devm_/;
/** They hand out what was stored: pointers to objects that are there. */
const STORED =
  /^(?:\w+_(?:get_(?:drv|plat)?data|get_intfdata)|dev_get_drvdata|idr_(?:find|remove|replace|get_next\w*)|xa_(?:load|erase|find\w*|store|cmpxchg)|xas_\w+|radix_tree_(?:lookup|delete)|pde_data|PDE_DATA|ERR_PTR|ERR_CAST|rcu_dereference\w*|READ_ONCE|xchg|cmpxchg)$/;

/** What the compiler says of an expression with a part that it has complained of. */
const FOLLOWS =
  /^(?:expression in static assertion|static assertion failed|bit-field .* width not an integer constant|.*has no member named)/;

/** Macros that lead from object to object: of what a pointer leads to they take the type only. */
const LEADS = /^_*(?:rcu_dereference\w*|h?list_\w+|hash_for_each\w*)$/;

/** What comes of a member's type that is not known. */
function isOfUnknown({ message, through }: Said): boolean {
  return /^invalid type argument of (?:unary '\*'|'->') \(have 'int'\)/.test(message) && through.some(({ macro }) => LEADS.test(macro));
}

/** In place of the definition: the structure is not known where it is used. @throws BUILD_SHADOW_OBJECT, BUILD_HOLE */
export function hidden(text: string, type: string, file: string, { code }: Rules): string {
  const refusal = (why: string, at: number): SutureError => fail(code, why, { file: `${file}:${at}`, symbol: `struct ${type}` });
  const mask = masked(text);
  const [definition, other] = definitionsIn(mask).filter((one) => one.type === type);
  if (definition === undefined || other !== undefined) throw refusal("it is not defined once in its file", 1);
  const line = lineOf(text, definition.start);
  const before = mask.slice(0, definition.start).trimEnd();
  if (!/(?:^|[;}]|\n\s*#[^\n]*|\))$/.test(before)) throw refusal("its definition is part of another declaration", line);
  const behind = mask.slice(definition.close + 1, definition.end);
  if (/[=,[]/.test(behind) || /^\s*(?!__)\w+\s*;/.test(behind)) throw refusal("a variable is defined with it", line);
  const { start, open } = definition;
  return `${text.slice(0, start)}struct ${type}; struct suture_hidden_${type} ${text.slice(open)}`;
}

/** The first of the places that is in one of the texts. */
function ownSpot(said: Said, texts: Texts): Spot | undefined {
  return [said, ...said.through].find(({ file }) => texts.has(file));
}

interface Birth {
  file: string;
  call: Call;
}

/** What is found in all objects that know the structure. */
export class Objects {
  readonly #type: string;
  readonly #texts: Texts;
  readonly #masks = new Map<string, string>();
  /** Of the source in which the structure is hidden. */
  readonly #hiding = new Map<string, string>();
  /** Of one module, whose memory is given back with it; or of the kernel. */
  readonly #ofModule: boolean;
  readonly #rules: Rules;
  readonly #births = new Map<string, Birth>();
  readonly #cleared = new Map<string, { file: string; start: number; end: number }>();
  /** Caches for objects of the type, by file. */
  readonly #caches = new Map<string, Set<string>>();
  /** Of such caches: each runs once, for all objects that will be at its place. */
  readonly #constructors: { file: string; line: number; name: string }[] = [];
  readonly #deaths = new Map<string, { file: string; start: number; end: number }>();
  readonly #untyped = new Set<string>();
  /** Static ones. */
  readonly #variables = new Map<string, Spot>();

  constructor(type: string, texts: Texts, ofModule: boolean, rules: Rules) {
    this.#type = type;
    this.#texts = texts;
    this.#ofModule = ofModule;
    this.#rules = rules;
  }

  #mask(file: string): string {
    const known = this.#masks.get(file) ?? masked(this.#texts.get(file) ?? "");
    this.#masks.set(file, known);
    return known;
  }

  #refuse(why: string, file: string, line: number): SutureError {
    return fail(this.#rules.code, why, { file: `${file}:${line}`, symbol: `struct ${this.#type}` });
  }

  /** @param said of a source in which the structure is hidden. @throws BUILD_SHADOW_OBJECT, BUILD_HOLE */
  hiddenUses(said: readonly Said[], textOf: (file: string) => string): void {
    for (const one of said) {
      const { message, kind, file, line, column } = one;
      // All that is wrong is so since the structure is hidden; what follows from that alone says nothing.
      if (kind !== "error" || FOLLOWS.test(message)) continue;
      if (!this.#texts.has(file) && isOfUnknown(one)) continue;
      const text = textOf(file);
      const at = indexOf(text, line, column);
      const where = ownSpot(one, this.#texts) ?? one;
      if (/invalid use of undefined type|dereferencing pointer to incomplete type/.test(message)) {
        if (/^(?:->|\.)/.test(text.slice(at)) || /^(?:__builtin_)?offsetof\b/.test(text.slice(at))) {
          const why = this.#rules.cleared ? spanOf(this.#placesOf(one, textOf)) : undefined;
          if (why !== undefined) throw this.#refuse(why, where.file, where.line);
          continue;
        }
        const around = text.slice(Math.max(0, at - 40), at);
        if (/\b(?:typeof|__typeof__|sizeof)\s*\(\s*$/.test(around)) continue;
        // Its members are looked at, not itself.
        if (/^\*/.test(text.slice(at)) && this.#isMemberOf(text, at)) continue;
        throw this.#refuse("an object is used whole there: copied, compared, or one of several in a row", where.file, where.line);
      }
      if (/invalid application of '(?:sizeof|__alignof__|_Alignof)'/.test(message)) this.#size(one);
      else if (/storage size of|has initializer but incomplete type|variable '\w+' has incomplete type/.test(message)) this.#variable(one);
      else if (/field '\w+' has incomplete type/.test(message))
        throw this.#refuse("it is part of another structure, with whose objects it begins and ends", where.file, where.line);
      else throw this.#refuse(`what is done to an object there is not understood (${message})`, where.file, where.line);
    }
  }

  /** (*p).m */
  #isMemberOf(text: string, at: number): boolean {
    const mask = masked(text);
    const open = skipBack(mask, at);
    if (mask[open - 1] !== "(") return false;
    const close = closeOf(mask, open - 1);
    return close !== undefined && /^\s*\.\s*\w/.test(mask.slice(close + 1));
  }

  #variable(said: Said): void {
    const where = ownSpot(said, this.#texts) ?? said;
    if (!this.#texts.has(where.file)) throw this.#refuse("there is a variable of it", where.file, where.line);
    const mask = this.#mask(where.file);
    const at = indexOf(mask, where.line, where.column);
    const start = Math.max(mask.lastIndexOf(";", at - 1), mask.lastIndexOf("}", at - 1), mask.lastIndexOf("{", at - 1)) + 1;
    const isStatic = /\bstatic\b/.test(mask.slice(start, at)) || !this.#isInFunction(where);
    if (!isStatic) throw this.#refuse("an object lies on the stack, where others come to lie after it", where.file, where.line);
    if (this.#ofModule && !this.#rules.cleared)
      throw this.#refuse("an object is a variable of a module, and ends with that", where.file, where.line);
    this.#variables.set(`${where.file}:${where.line}`, where);
  }

  #placesOf(said: Said, textOf: (file: string) => string): Place[] {
    return [said, ...said.through].map(({ file, line, column }) => {
      const mask = this.#hiding.get(file) ?? masked(textOf(file));
      this.#hiding.set(file, mask);
      return { mask, at: indexOf(mask, line, column) };
    });
  }

  #isInFunction({ file, line }: Spot): boolean {
    return this.#functionAt(file, line) !== undefined;
  }

  #functionAt(file: string, line: number): string | undefined {
    return this.#declarationAt(file, line)?.head;
  }

  #declarationAt(file: string, line: number): Declaration | undefined {
    return functionAt(this.#texts.get(file) ?? "", line);
  }

  /** Where the size of an object is asked for. */
  #size(said: Said): void {
    const where = ownSpot(said, this.#texts);
    if (where === undefined)
      throw this.#refuse("the size of an object is asked for in a file that does not define it", said.file, said.line);
    this.#sizeAt(where.file, indexOf(this.#mask(where.file), where.line, where.column));
  }

  #sizeAt(file: string, at: number): void {
    const mask = this.#mask(file);
    const line = lineOf(mask, at);
    if (/^KMEM_CACHE\b/.test(mask.slice(at))) {
      this.#cache(file, at, line);
      return;
    }
    for (const call of callsAround(mask, at)) {
      const { name } = call;
      if (this.#rules.allocators.test(name)) {
        this.#birth(file, call);
        return;
      }
      if (name === "memset") {
        this.#clear(file, call, line);
        return;
      }
      if (name === "KMEM_CACHE") {
        this.#cache(file, call.start, line);
        return;
      }
      if (/^kmem_cache_create$/.test(name)) {
        const last = argumentsOf(mask, call).at(-1);
        const runs = last === undefined ? "" : mask.slice(last.start, last.end);
        if (!/^\w+$/.test(runs)) throw this.#refuse("what constructor its cache has is not understood", file, line);
        if (runs !== "NULL" && this.#rules.cleared) throw this.#refuse(`its cache has a constructor (${runs})`, file, line);
        if (runs !== "NULL") this.#constructors.push({ file, line, name: runs });
        this.#cache(file, call.start, line);
        return;
      }
      if (/^devm_/.test(name)) throw this.#refuse(`it ends with a device, where nothing of the fix is called (${name})`, file, line);
      if (!/^(?:sizeof|struct_size|size_add|)$/.test(name))
        throw this.#refuse(`its size is given to ${name}(): whether an object begins there cannot be told`, file, line);
    }
    throw this.#refuse("its size is used for something else than to allocate or clear an object", file, line);
  }

  #birth(file: string, call: Call): void {
    const mask = this.#mask(file);
    const given = argumentsOf(mask, call).map(({ start, end }) => mask.slice(start, end));
    if (this.#rules.cleared && !isCleared(call.name, given))
      throw this.#refuse(`an object begins there, and ${call.name}() does not clear its memory`, file, lineOf(mask, call.start));
    this.#births.set(`${file}:${call.start}`, { file, call });
  }

  #clear(file: string, call: Call, line: number): void {
    const mask = this.#mask(file);
    const [first, second] = argumentsOf(mask, call);
    if (first === undefined || second === undefined || mask.slice(second.start, second.end) !== "0")
      throw this.#refuse("an object is filled with something else than 0", file, line);
    this.#cleared.set(`${file}:${first.start}`, { file, ...first });
  }

  #cache(file: string, start: number, line: number): void {
    const mask = this.#mask(file);
    const before = skipBack(mask, start);
    const name = mask[before - 1] === "=" ? wordBefore(mask, skipBack(mask, before - 1)) : "";
    if (name === "" || !new RegExp(`\\bstatic\\s+struct\\s+kmem_cache\\s*\\*\\s*(?:__\\w+\\s+)?${name}\\b`).test(mask))
      throw this.#refuse("its cache is not kept in a static variable of the same file", file, line);
    for (const { index } of mask.matchAll(new RegExp(`\\b${name}\\b`, "g"))) {
      const [call] = callsAround(mask, index);
      const isDeclared = /kmem_cache\s*\*\s*(?:__\w+\s+)?$/.test(mask.slice(0, index));
      const isSet = /^\s*=(?!=)/.test(mask.slice(index + name.length));
      if (
        isDeclared ||
        isSet ||
        call?.name === "if" ||
        FROM_CACHE.test(call?.name ?? "") ||
        /^kmem_cache_(?:free|destroy|shrink)$/.test(call?.name ?? "")
      )
        continue;
      throw this.#refuse(`its cache ${name} is used for something else than to allocate and free objects`, file, lineOf(mask, index));
    }
    const names = this.#caches.get(file) ?? new Set();
    this.#caches.set(file, names.add(name));
  }

  /** Memory without a type becomes an object, or is found to be one. @param said of a source in which all is known. @throws BUILD_SHADOW_OBJECT, BUILD_HOLE */
  conversions(said: readonly Said[]): void {
    for (const one of said) {
      const to = /^request for implicit conversion from '(?:const )?void \*' to '(.*)' not permitted in C\+\+/.exec(one.message)?.[1];
      if (to === undefined || !new RegExp(`\\bstruct ${this.#type}\\s*\\*(?: const)?'?`).test(to)) continue;
      if (/\*\*/.test(to)) continue;
      const where = ownSpot(one, this.#texts);
      if (where === undefined) throw this.#refuse("memory becomes an object in a file that does not define it", one.file, one.line);
      this.#conversion(where);
    }
  }

  #conversion({ file, line, column }: Spot): void {
    const mask = this.#mask(file);
    let at = indexOf(mask, line, column);
    if (/^=(?!=)/.test(mask.slice(at))) at = skipOn(mask, at + 1);
    else if (/^return\b/.test(mask.slice(at))) at = skipOn(mask, at + 6);
    let start = this.#startOf(mask, at);
    while (mask[start] === "(" && /^\(\s*\w/.test(mask.slice(start)) && (closeOf(mask, start) ?? 0) + 1 === endOfExpression(mask, start))
      start = skipOn(mask, start + 1);
    const call = /^(\w+)\s*\(/.exec(mask.slice(start));
    const text = mask.slice(start, start + 120).split("\n")[0] ?? "";
    if (call !== null) {
      const [, name = ""] = call;
      const open = start + call[0].length - 1;
      const close = closeOf(mask, open);
      if (close === undefined) throw this.#refuse(`what becomes an object is not understood: ${text}`, file, line);
      if (this.#rules.allocators.test(name)) {
        this.#birth(file, { name, start, open, close });
        return;
      }
      if (FROM_CACHE.test(name)) {
        const span = argumentsOf(mask, { open, close })[name === "alloc_inode_sb" ? 1 : 0];
        const cache = span === undefined ? "" : mask.slice(span.start, span.end);
        if (this.#caches.get(file)?.has(cache) !== true)
          throw this.#refuse(`an object is made of the cache ${cache}, which is not known`, file, line);
        this.#birth(file, { name, start, open, close });
        return;
      }
      if (STORED.test(name)) return;
      throw this.#refuse(`${name}() gives an object: whether it is a new one cannot be told`, file, line);
    }
    // A pointer that was kept without its type.
    if (/^\*?\w+(?:\s*(?:->|\.)\s*\w+|\s*\[\s*\w+\s*\])*\s*[;,)?:]/.test(mask.slice(start))) return;
    throw this.#refuse(`what becomes an object is not understood: ${text}`, file, line);
  }

  /** The compiler may name the parenthesis of a call, or an operator within. */
  #startOf(mask: string, at: number): number {
    if (/[\w*]/.test(mask[at] ?? "") && !/\w/.test(mask[at - 1] ?? "")) {
      const before = skipBack(mask, at);
      return /(?:->|[^.]\.)$/.test(mask.slice(0, before)) ? (startOfOperand(mask, at + wordAt(mask, at).length) ?? at) : at;
    }
    if (mask[at] === "(" || mask.startsWith("->", at) || mask[at] === "." || mask[at] === "[") return startOfOperand(mask, at) ?? at;
    return at;
  }

  /** Texts in which the compiler tells of each place what it frees, and of which type. */
  asking(file: string): string {
    const text = this.#texts.get(file) ?? "";
    const mask = this.#mask(file);
    const type = `struct ${this.#type}`;
    const edits: Edit[] = [];
    const same = (of: string, ...types: string[]): string =>
      types.map((one) => `__builtin_types_compatible_p(__typeof__(${of}), ${one})`).join(" || ");
    const ask = (condition: string, what: string): string => `struct { _Static_assert(${condition}, "suture:${what}"); char suture; }`;
    for (const match of this.#rules.cleared ? [] : mask.matchAll(FREES)) {
      const span = freed(mask, match);
      if (span === undefined || isDirective(mask, match.index)) continue;
      const operand = text.slice(span.start, span.end);
      const key = `${span.start}-${span.end}`;
      const asked = [
        ask(`!(${same(operand, `${type} *`, `const ${type} *`)})`, `free:${key}`),
        ask(`!(${same(operand, "void *", "const void *")})`, `untyped:${key}`),
      ];
      edits.push({ ...span, text: `(${asked.map((one) => `(void)sizeof(${one})`).join(", ")}, ${operand})` });
    }
    for (const { start, end } of this.#rules.cleared ? targetsIn(mask) : []) {
      if (isDirective(mask, start)) continue;
      const operand = text.slice(start, end);
      const asked = ask(`!(${same(`(${operand})`, `${type} *`)})`, `write:${start}`);
      edits.push({ start, end, text: `((void)sizeof(${asked}), ${operand})` });
    }
    for (const match of mask.matchAll(/\bsizeof\s*\(/g)) {
      const open = match.index + match[0].length - 1;
      const close = closeOf(mask, open);
      if (close === undefined || isDirective(mask, match.index)) continue;
      const operand = text.slice(open + 1, close);
      if (!/->|\./.test(operand) || edits.some(({ start, end }) => start <= match.index && match.index < end)) continue;
      edits.push({
        start: match.index,
        end: close + 1,
        text: `(sizeof(${operand}) + 0 * sizeof(${ask(`!(${same(operand, type)})`, `size:${match.index}`)}))`,
      });
    }
    for (const match of mask.matchAll(new RegExp(`\\(\\s*(?:const\\s+)?struct\\s+${this.#type}\\s*\\*\\s*\\)\\s*(?=[\\w(&*])`, "g"))) {
      if (/\bsizeof\s*$/.test(mask.slice(0, match.index)) || isDirective(mask, match.index)) continue;
      const from = match.index + match[0].length;
      const to = endOfUnary(mask, from);
      const operand = text.slice(from, to);
      if (/^(?:0|NULL)$/.test(operand)) continue;
      if (to === undefined || edits.some(({ start, end }) => start < to && match.index < end)) continue;
      const fine = same(operand, "void *", "const void *", "long", "unsigned long", `${type} *`, `const ${type} *`);
      edits.push({ start: from, end: to, text: `((void)sizeof(${ask(fine, `cast:${match.index}`)}), ${operand})` });
    }
    let out = text;
    for (const { start, end, text: by } of edits.sort((a, b) => b.start - a.start)) out = out.slice(0, start) + by + out.slice(end);
    return out;
  }

  /** Casts that `asking` does not reach: in macros, and in files that only name the structure. @throws BUILD_SHADOW_OBJECT, BUILD_HOLE */
  casts(file: string, text: string): void {
    const cast = new RegExp(`\\(\\s*(?:const\\s+)?struct\\s+${this.#type}\\s*\\*\\s*\\)\\s*(?![\\s0);,]|NULL\\b)`, "g");
    const mask = masked(text);
    for (const { index, 0: found } of mask.matchAll(cast)) {
      const before = mask.slice(0, index);
      // What a function takes or gives.
      if (/\w\s*$/.test(before) && !/\breturn\s*$/.test(before)) continue;
      const isOwn = this.#texts.has(file) && !isDirective(mask, index);
      if (isOwn && /[\w(*]/.test(mask[index + found.length] ?? "")) continue;
      throw this.#refuse("other memory is taken for an object there", file, lineOf(text, index));
    }
    if (new RegExp(`\\btypedef\\s+struct\\s+${this.#type}\\b`).test(mask))
      throw this.#refuse("it has a second name", file, lineOf(text, mask.search(new RegExp(`\\btypedef\\s+struct\\s+${this.#type}\\b`))));
  }

  /** A header that is read by no object that was looked at. @throws BUILD_SHADOW_OBJECT, BUILD_HOLE */
  unread(file: string, text: string): void {
    const mask = masked(text);
    const at = mask.search(new RegExp(`\\bstruct\\s+${this.#type}\\s+\\w+\\s*[;,=[]|\\bsizeof\\s*\\(\\s*struct\\s+${this.#type}\\b`));
    if (at >= 0) throw this.#refuse("an object may begin by way of that file, which none that was looked at reads", file, lineOf(text, at));
    this.casts(file, text);
  }

  /** What the compiler says of `asking`. @throws BUILD_SHADOW_OBJECT, BUILD_HOLE */
  answers(said: readonly Said[]): void {
    for (const { message, kind, line, file } of said) {
      if (kind === "error" && /read-only/.test(message))
        throw this.#refuse(`an object is copied over another one there (${message})`, file, line);
      const [, what, from, to] = /static assertion failed: "suture:(free|untyped|size|cast|write):(\d+)(?:-(\d+))?"/.exec(message) ?? [];
      if (what === undefined || !this.#texts.has(file)) continue;
      const mask = this.#mask(file);
      const start = Number(from);
      if (what === "size") this.#sizeAt(file, start);
      else if (what === "cast") throw this.#refuse("memory of another type is taken for an object there", file, lineOf(mask, start));
      else if (what === "write")
        throw this.#refuse("an object is written as a whole there, or as much of it as a length says", file, lineOf(mask, start));
      else if (what === "untyped") this.#untyped.add(`${file}:${lineOf(mask, start)}`);
      else {
        const [call] = callsAround(mask, start);
        if (call !== undefined && LATER.test(call.name))
          throw this.#refuse(`the kernel frees it later by itself (${call.name})`, file, lineOf(mask, start));
        this.#deaths.set(`${file}:${start}`, { file, start, end: Number(to) });
      }
    }
  }

  /**
   * What a constructor writes holds for several objects, and is taken away where the first begins.
   * @param written lines where a new member is. @throws BUILD_SHADOW_OBJECT
   */
  constructed(written: readonly Pick<Site, "file" | "line">[]): void {
    for (const { file, line, name } of this.#constructors) {
      const text = this.#texts.get(file) ?? "";
      const own = declarationsIn(text).find(({ kind, names }) => kind === "function" && names.includes(name));
      if (own === undefined) throw this.#refuse(`the constructor ${name} of its cache is in another file`, file, line);
      const body = text
        .split("\n")
        .slice(own.first, own.last + 1)
        .join("\n");
      for (const site of written) {
        const writer = this.#declarationAt(site.file, site.line);
        // What is in no function is a macro.
        if (writer === undefined || writer.names.some((one) => new RegExp(`\\b${one}\\b`).test(body)))
          throw this.#refuse(`the constructor ${name} of its cache writes the new member`, site.file, site.line);
      }
    }
  }

  /** Where memory without a type is freed. */
  get untyped(): readonly string[] {
    return [...this.#untyped];
  }

  /** Of objects whose ends do not matter. @throws BUILD_HOLE */
  begun(): { sites: Site[]; functions: string[] } {
    const cleared = [...this.#cleared.values()].map(({ file, start }) => ({ file, line: lineOf(this.#mask(file), start) }));
    const born = [...this.#births.values()].map(({ file, call }) => ({ file, line: lineOf(this.#mask(file), call.start) }));
    const found = [...born, ...cleared, ...this.#variables.values()];
    if (found.length === 0) throw this.#refuse("no place is found where an object begins", [...this.#texts.keys()][0] ?? "", 1);
    return {
      sites: found.map(({ file, line }) => ({ file, line, what: "begins", of: `struct ${this.#type}` })),
      functions: [...born, ...cleared].flatMap(({ file, line }) => this.#declarationAt(file, line)?.names ?? []),
    };
  }

  /** @throws BUILD_SHADOW_OBJECT */
  inserted(): { inserted: ReadonlyMap<string, Inserted[]>; sites: Site[] } {
    const inserted = new Map<string, Inserted[]>();
    const sites: Site[] = [];
    const type = this.#type;
    const add = (file: string, start: number, end: number, by: string, what: Site["what"]): void => {
      const line = lineOf(this.#mask(file), start);
      // What runs only when the kernel or a module begins or ends stays as it is.
      if (/\b__(?:init|exit)\b/.test(this.#functionAt(file, line) ?? "")) {
        if (what === "begins" && this.#ofModule)
          throw this.#refuse("an object begins where the module does, in a function that no livepatch replaces", file, line);
        return;
      }
      const own = inserted.get(file) ?? [];
      inserted.set(file, own);
      own.push({ at: start, text: `${by}(` }, { at: end, text: ")" });
      sites.push({ file, line, what, of: `struct ${type}` });
    };
    for (const { file, call } of this.#births.values()) add(file, call.start, call.close + 1, begins(type), "begins");
    for (const { file, start, end } of this.#cleared.values()) add(file, start, end, begins(type), "begins");
    for (const { file, start, end } of this.#deaths.values()) add(file, start, end, ends(type), "ends");
    const first = [...this.#texts.keys()][0] ?? "";
    if (this.#births.size === 0) throw this.#refuse("no place is found where an object begins", first, 1);
    if (this.#deaths.size === 0) throw this.#refuse("no place is found where an object ends", first, 1);
    return { inserted, sites };
  }
}

function wordAt(mask: string, at: number): string {
  return /^\w+/.exec(mask.slice(at, at + 200))?.[0] ?? "";
}

/** What is given to be freed: of a cache's object the second. */
function freed(mask: string, match: RegExpExecArray): { start: number; end: number } | undefined {
  const open = match.index + match[0].length - 1;
  const close = closeOf(mask, open);
  if (close === undefined) return undefined;
  const spans = argumentsOf(mask, { open, close });
  const span = spans[/^(?:kmem_cache_free|devm_kfree)$/.test(match[1] ?? "") ? 1 : 0];
  return span === undefined || span.end <= span.start ? undefined : span;
}

function isDirective(mask: string, at: number): boolean {
  let start = mask.lastIndexOf("\n", at) + 1;
  while (start > 1 && mask[start - 2] === "\\") start = mask.lastIndexOf("\n", start - 2) + 1;
  return /^\s*#/.test(mask.slice(start, at));
}

/** Of an operand that begins at `from`. */
function endOfUnary(mask: string, from: number): number | undefined {
  let at = from;
  while (/[&*!~\s]/.test(mask[at] ?? "")) at++;
  if (mask[at] === "(") {
    const close = closeOf(mask, at);
    if (close === undefined) return undefined;
    at = close + 1;
  } else {
    const word = wordAt(mask, at);
    if (word === "") return undefined;
    at += word.length;
  }
  for (;;) {
    const next = skipOn(mask, at);
    if (mask[next] === "(" || mask[next] === "[") {
      const close = closeOf(mask, next);
      if (close === undefined) return undefined;
      at = close + 1;
    } else if (mask.startsWith("->", next) || (mask[next] === "." && /\w/.test(mask[skipOn(mask, next + 1)] ?? ""))) {
      const name = skipOn(mask, next + (mask[next] === "-" ? 2 : 1));
      at = name + wordAt(mask, name).length;
    } else if (/^\w/.test(mask[next] ?? "")) return at;
    else return at;
  }
}
