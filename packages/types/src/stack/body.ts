/**
 * A function, as the compiler says it back after parsing (-fdump-tree-original): macros are read, each conversion between types of pointers is a cast.
 * Whatever is done with a structure, or a pointer to one, that is not known to leave it where it is, stands in the way.
 */

/** What the structures are called. */
export interface Names {
  tags: ReadonlySet<string>;
  aliases: ReadonlySet<string>;
  /** Members that are such structures themselves. */
  nested: ReadonlySet<string>;
}

/** Parameters that point to one of the structures, and all others. */
export interface Parameters {
  pointers: ReadonlySet<string>;
  others: ReadonlySet<string>;
}

export interface Body {
  /** It has to do with one. */
  knows: boolean;
  /** One is in its frame. */
  owns: boolean;
  /** What stands in the way: the first that was found. */
  ground: string | undefined;
}

const QUALIFIERS = new Set(["const", "volatile", "restrict", "__restrict", "register"]);
const TYPE_WORD = /^(?:const|volatile|struct|union|enum|unsigned|signed|long|short|int|char|void|_Bool|[A-Za-z_]\w*|\*)$/;
const STATEMENTS = new Set(["if", "while", "for", "switch", "return", "do", "else"]);
/** They write zeroes, or look at how much room there is. */
const HARMLESS = new Set(["__builtin_memset", "memset", "__memset", "__builtin_object_size", "__builtin_dynamic_object_size"]);
const FORM = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\/\/[^\n]*|[A-Za-z_]\w*|\d\w*|->|<<<|>>>|==|!=|<=|>=|&&|\|\||\+\+|--|\S/g;

function tokensOf(text: string): string[] {
  return [...text.matchAll(FORM)].map(([token]) => token).filter((token) => !token.startsWith("//"));
}

/** @param text what stands in the dump behind the function's name */
export function readBody(text: string, names: Names, parameters: Parameters): Body {
  const reader = new Reader(tokensOf(text), names);
  const ground = reader.read(parameters);
  return { knows: reader.owned.size + reader.pointers.size > 0 || ground !== undefined, owns: reader.owned.size > 0, ground };
}

class Reader {
  readonly #tokens: readonly string[];
  readonly #names: Names;
  /** Variables that are one, and those that point to one. */
  readonly owned = new Set<string>();
  readonly pointers = new Set<string>();
  /** Places that are accounted for: declarations, and the parentheses that end a cast to a pointer to one. */
  readonly #declared = new Set<number>();
  readonly #cast = new Set<number>();

  constructor(tokens: readonly string[], names: Names) {
    this.#tokens = tokens;
    this.#names = names;
  }

  #at(i: number): string {
    return this.#tokens[i] ?? "";
  }

  read(parameters: Parameters): string | undefined {
    for (const name of parameters.pointers) this.pointers.add(name);
    const casts: number[] = [];
    for (let i = 0; i < this.#tokens.length; i++) {
      const end = this.#tagAt(i);
      if (end === undefined) continue;
      const why = this.#mention(i, end, casts);
      if (why !== undefined) return why;
      i = end - 1;
    }
    for (const name of [...this.owned, ...this.pointers])
      if (this.#isOtherwise(name, parameters)) return `it has several variables ${name}`;
    for (const at of casts) {
      const why = this.#castOf(at);
      if (why !== undefined) return why;
    }
    for (let i = 0; i < this.#tokens.length; i++) {
      const why = this.#occurrence(i);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  /** Where the name of one of the structures ends that begins here. */
  #tagAt(i: number): number | undefined {
    const token = this.#at(i);
    const isMember = this.#at(i - 1) === "." || this.#at(i - 1) === "->";
    if ((token === "struct" || token === "union") && (this.#names.tags.has(this.#at(i + 1)) || this.#names.aliases.has(this.#at(i + 1))))
      return i + 2;
    return !isMember && this.#names.aliases.has(token) ? i + 1 : undefined;
  }

  /** A declaration or a cast; all else is not understood. */
  #mention(from: number, end: number, casts: number[]): string | undefined {
    let first = from - 1;
    while (QUALIFIERS.has(this.#at(first))) first--;
    let [at, stars] = [end, 0];
    for (; this.#at(at) === "*" || QUALIFIERS.has(this.#at(at)); at++) if (this.#at(at) === "*") stars++;
    const before = this.#at(first);
    if (stars === 1 && before === "(" && this.#at(at) === ")") {
      casts.push(at);
      return undefined;
    }
    const begins = ["{", "}", ";", ":", ">", ""].includes(before);
    if (stars === 0 && this.#at(at) === "D" && this.#at(at + 1) === "." && this.#at(at + 3) === "=") {
      // A value without a name, where it is declared, or used: `= <<< Unknown tree: compound_literal_expr struct s D.1 = {...}; >>>`
      const isValue = before === "compound_literal_expr" && this.#at(first - 4) === "<<<" && this.#at(first - 5) === "=";
      if (!begins && !isValue) return "it has one without a name, and not just to copy it";
      this.owned.add("");
      return undefined;
    }
    const name = this.#at(at);
    if (!begins || stars > 1 || !/^[A-Za-z_]\w*$/.test(name) || !["=", ";"].includes(this.#at(at + 1)))
      return `it says ${this.#text(Math.max(first, 0), at + 2)}`;
    (stars === 0 ? this.owned : this.pointers).add(name);
    this.#declared.add(at);
    return undefined;
  }

  /** Whether a name stands for something else, too. */
  #isOtherwise(name: string, { others }: Parameters): boolean {
    if (name === "") return false;
    if (others.has(name) || (this.owned.has(name) && this.pointers.has(name))) return true;
    return this.#tokens.some((token, i) => {
      if (token !== name || this.#declared.has(i) || !["=", ";", "["].includes(this.#at(i + 1))) return false;
      let first = i - 1;
      while (this.#at(first) === "*" || QUALIFIERS.has(this.#at(first))) first--;
      const type = this.#at(first);
      if (!/^[A-Za-z_]\w*$/.test(type) || STATEMENTS.has(type) || type === "goto") return false;
      // `a * b;` is no statement that a compiler keeps.
      return this.#at(first - 1) !== "." && this.#at(first - 1) !== "->";
    });
  }

  /** What is made a pointer to one: nothing, another such pointer, or the address of one. */
  #castOf(end: number): string | undefined {
    const [one, other] = [this.#at(end + 1), this.#at(end + 2)];
    const ends = (at: number): boolean => [";", ",", ")", "}", "==", "!="].includes(this.#at(at));
    if ((one === "0B" || one === "0") && ends(end + 2)) return undefined;
    const isIts = (one === "&" && this.owned.has(other) && ends(end + 3)) || (this.pointers.has(one) && ends(end + 2));
    if (!isIts) return `it takes ${this.#text(end + 1, end + 12)} for one`;
    this.#cast.add(end);
    return undefined;
  }

  #occurrence(i: number): string | undefined {
    const name = this.#at(i);
    const isPointer = this.pointers.has(name);
    if ((!isPointer && !this.owned.has(name)) || this.#declared.has(i)) return undefined;
    const [before, next] = [this.#at(i - 1), this.#at(i + 1)];
    if (before === "." || before === "->" || before === "goto" || before === "struct" || before === "union") return undefined;
    if (next === ":" && [";", "{", "}"].includes(before)) return undefined;
    return isPointer ? this.#pointer(i, before, next) : this.#value(i, before, next);
  }

  #value(i: number, before: string, next: string): string | undefined {
    if (next === ".") return this.#member(i);
    if (before === "&") return this.#address(i - 1, next);
    if (before === "=" || next === "=") return undefined;
    if (before === "<" && this.#at(i - 2) === "BIT_FIELD_REF") return undefined;
    return this.#not(i);
  }

  #pointer(i: number, before: string, next: string): string | undefined {
    if (next === "->") return this.#member(i);
    if (before === "*") {
      const there = this.#at(i - 2);
      return next === "=" || there === "=" || (there === "<" && this.#at(i - 3) === "BIT_FIELD_REF") ? undefined : this.#not(i);
    }
    if (before === "&") return `it gives the address of its pointer ${this.#at(i)} away`;
    return this.#address(i, next);
  }

  /** The address of a part is that part's business, unless the part is such a structure itself, or points to one. */
  #member(i: number): string | undefined {
    let isNested = false;
    for (let at = i + 1; this.#at(at) === "." || this.#at(at) === "->"; at += 2)
      if (this.#names.nested.has(this.#at(at + 1))) isNested = true;
    if (!isNested) return undefined;
    const before = this.#at(i - 1) === "&" ? this.#at(i - 2) : this.#at(i - 1);
    return ["=", "(", ",", "==", "!=", ";", "{", "}"].includes(before) ? undefined : this.#not(i);
  }

  /** A pointer to one as a whole. @param from where what says it begins */
  #address(from: number, next: string): string | undefined {
    const before = this.#at(from - 1);
    if (["==", "!=", "||", "&&", "!"].includes(before)) return undefined;
    // What a statement's value is put into has no name, nor is its type said.
    if (before === "=") return this.#at(from - 4) === "D" && this.#at(from - 3) === "." ? this.#not(from) : undefined;
    if ([";", "{", "}"].includes(before)) return next === "=" ? undefined : this.#not(from);
    if (before === "(") {
      return isFunction(this.#at(from - 2)) || next === "==" || next === "!=" ? undefined : this.#not(from);
    }
    if (before === ",") {
      const isTemporary = /^\d/.test(this.#at(from - 2)) && this.#at(from - 3) === "." && this.#at(from - 5) === "<";
      return isTemporary || !this.#isArgument(from) ? this.#not(from) : undefined;
    }
    return before === ")" ? this.#afterParenthesis(from, next) : this.#not(from);
  }

  /** Whether what stands behind a comma is what a function is called with, or one of the values in braces. */
  #isArgument(from: number): boolean {
    const open = this.#opening(from - 1);
    if (open === undefined) return false;
    return this.#at(open) === "{" || (this.#at(open) === "(" && isFunction(this.#at(open - 1)));
  }

  #afterParenthesis(from: number, next: string): string | undefined {
    if (this.#cast.has(from - 1)) return undefined;
    const open = this.#opening(from - 1);
    if (open === undefined) return this.#not(from);
    if (STATEMENTS.has(this.#at(open - 1))) return next === "=" ? undefined : this.#not(from);
    const isType = this.#tokens.slice(open + 1, from - 1).every((token) => TYPE_WORD.test(token));
    if (!isType) return this.#not(from);
    const called = this.#at(open - 1) === "(" ? this.#at(open - 2) : "";
    if (HARMLESS.has(called) && next === ",") return undefined;
    const function_ = this.#callee(open);
    return `it hands one to ${function_ ?? "others"} as ${this.#text(open, from)}`;
  }

  /** The function that what begins here is given to. */
  #callee(at: number): string | undefined {
    for (let open = this.#opening(at); open !== undefined; open = this.#opening(open)) {
      const name = this.#at(open - 1);
      if (this.#at(open) === "(" && isFunction(name)) return name;
      if (this.#at(open) === "{") return undefined;
    }
    return undefined;
  }

  /** The parenthesis or brace that is open before a place. */
  #opening(before: number): number | undefined {
    let depth = 0;
    for (let i = before - 1; i >= 0; i--) {
      const token = this.#at(i);
      if (token === ")" || token === "}" || token === "]") depth++;
      else if (token === "(" || token === "{" || token === "[") {
        if (depth === 0) return i;
        depth--;
      }
    }
    return undefined;
  }

  #not(i: number): string {
    return `what it does there is not understood: ${this.#text(Math.max(0, i - 6), i + 6)}`;
  }

  #text(from: number, to: number): string {
    const text: string[] = [];
    for (const token of this.#tokens.slice(from, to)) {
      text.push(token);
      if (token === ";") break;
    }
    return text.join(" ");
  }
}

/** Whether a name before a parenthesis is that of a function that is called. */
function isFunction(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !STATEMENTS.has(name);
}
