/**
 * What a C file declares at its top level, and in which lines: read from the text alone, without a preprocessor, so that a release's difference can be
 * cut into what belongs together. Both branches of a condition are read. What is not understood is there without a name.
 */

export type DeclarationKind = "function" | "type" | "macro" | "variable" | "include" | "condition" | "call" | "other";

export interface Declaration {
  kind: DeclarationKind;
  /** What others call it by: a function's name, a tag, a typedef, a macro, a variable. */
  names: readonly string[];
  /** Members and enumerators, with what is said of each. */
  members: ReadonlyMap<string, string>;
  /** Of a function, all before its body; of others, all. Comments left out, spaces made one. */
  head: string;
  isStatic: boolean;
  /** The file ends before it does: it may be several, and what they are is not told. */
  isOpen: boolean;
  /** Lines, from 0; the last is one of it. */
  first: number;
  last: number;
}

const TOKEN =
  /\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=^[ \t]*)#(?:\\\n|\/\*[\s\S]*?\*\/|[^\n])*|\n|[{};]|[^{};"'/#\n]+|[/#"']/gm;

const KEYWORDS = new Set(
  "if else for while do switch case default return goto break continue sizeof typeof static const volatile struct union enum typedef extern inline void int long short char unsigned signed float double bool register auto asm __asm__ __attribute__ _Static_assert static_assert __always_inline noinline __inline __inline__ u8 u16 u32 u64 s8 s16 s32 s64 __init __exit __user __iomem __rcu NULL true false".split(
    " ",
  ),
);

export const IDENTIFIER = /[A-Za-z_]\w*/g;

/** Identifiers of a text of C that are no words of the language; comments and strings left out. */
export function identifiersOf(text: string): Set<string> {
  const plain = text.replace(/\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, " ");
  return new Set((plain.match(IDENTIFIER) ?? []).filter((word) => !KEYWORDS.has(word)));
}

export function declarationsIn(text: string): Declaration[] {
  return new Reader().read(text);
}

/** @param line from 1 */
export function functionAt(text: string, line: number): Declaration | undefined {
  return declarationsIn(text).find(({ kind, first, last }) => kind === "function" && first <= line - 1 && line - 1 <= last);
}

class Reader {
  readonly #out: Declaration[] = [];
  #line = 0;
  #depth = 0;
  #parens = 0;
  #head = "";
  #text = "";
  #first = -1;
  #inFunction = false;
  /** The line behind which a call of a macro may be over that has no semicolon. */
  #maybeOver = -1;
  /** Macros of the file that only check something while it is compiled. */
  readonly #checks = new Set<string>();
  readonly #branches: { depth: number; parens: number }[] = [];

  read(text: string): Declaration[] {
    for (const [token] of text.matchAll(TOKEN)) {
      if (token === "\n") this.#endOfLine();
      else if (token.startsWith("/*") || token.startsWith("//")) this.#space();
      else if (token.startsWith("#")) this.#directive(token);
      else this.#code(token);
      this.#line += count(token);
    }
    if (this.#text.trim() !== "") this.#end(this.#line);
    return this.#out;
  }

  #endOfLine(): void {
    // Between declarations there is nothing to be over: headers of hardware have a hundred thousand lines of macros.
    if (this.#first < 0) return;
    if (this.#maybeOver < 0 && this.#depth === 0 && this.#parens === 0 && CALL.test(this.#text)) this.#maybeOver = this.#line;
    this.#space();
  }

  #space(): void {
    if (this.#first >= 0) this.#text += " ";
  }

  #directive(token: string): void {
    const [, word = "", rest = ""] = /^#\s*(\w*)\s*([\s\S]*)$/.exec(token) ?? [];
    if (word === "if" || word === "ifdef" || word === "ifndef") this.#branches.push({ depth: this.#depth, parens: this.#parens });
    else if (word === "else" || word === "elif") {
      const at = this.#branches.at(-1);
      this.#depth = at?.depth ?? this.#depth;
      this.#parens = at?.parens ?? this.#parens;
    } else if (word === "endif") this.#branches.pop();
    const lines = { first: this.#line, last: this.#line + count(token) };
    const plain = squeezed(token.replace(/\/\*[\s\S]*?\*\//g, " ").replaceAll("\\\n", " "));
    const one = { names: [] as string[], members: new Map<string, string>(), head: plain, isStatic: false, isOpen: false, ...lines };
    if (word === "define" && CHECKING.test(rest)) this.#checks.add(/^\w*/.exec(rest)?.[0] ?? "");
    if (word === "define" || word === "undef")
      this.#out.push({ ...one, kind: "macro", names: [/^[A-Za-z_]\w*/.exec(rest)?.[0] ?? ""].filter((name) => name !== "") });
    else if (this.#first >= 0) return;
    else if (word === "include") this.#out.push({ ...one, kind: "include" });
    else this.#out.push({ ...one, kind: "condition" });
  }

  #code(token: string): void {
    if (token.trim() === "") {
      if (this.#first >= 0) this.#text += token;
      return;
    }
    // module_init(x) without a semicolon, and then something else.
    if (this.#maybeOver >= 0 && /^\s*(?!__)[A-Za-z_]/.test(token)) this.#end(this.#maybeOver);
    this.#maybeOver = -1;
    if (this.#first < 0) this.#first = this.#line;
    if (token === "{") {
      if (this.#depth === 0) {
        this.#head = this.#text;
        this.#inFunction = this.#parens === 0 && isFunctionHead(this.#text);
      }
      this.#depth++;
      this.#text += token;
    } else if (token === "}") {
      this.#depth = Math.max(0, this.#depth - 1);
      this.#text += token;
      if (this.#depth === 0 && this.#inFunction) this.#end(this.#line);
    } else if (token === ";") {
      this.#text += token;
      // Not in what a macro is given: TP_fast_assign(a = b; c = d;)
      if (this.#depth === 0 && this.#parens === 0) this.#end(this.#line);
    } else {
      this.#text += token;
      if (this.#depth === 0) {
        for (const c of token) this.#parens += c === "(" ? 1 : c === ")" ? -1 : 0;
        this.#parens = Math.max(0, this.#parens);
      }
    }
  }

  #end(last: number): void {
    const text = squeezed(this.#text);
    const head = this.#inFunction ? squeezed(this.#head) : text;
    const what = this.#inFunction
      ? { kind: "function" as const, names: functionNames(head), members: new Map<string, string>() }
      : described(text, this.#checks);
    const isOpen = this.#depth > 0 || this.#parens > 0;
    this.#out.push({ ...what, head, isStatic: /\bstatic\b/.test(head), isOpen, first: this.#first, last });
    this.#text = "";
    this.#head = "";
    this.#first = -1;
    this.#depth = 0;
    this.#parens = 0;
    this.#inFunction = false;
    this.#maybeOver = -1;
  }
}

const CALL = /^\s*[A-Za-z_]\w*\s*\([\s\S]*\)\s*$/;

function count(token: string): number {
  let lines = 0;
  for (let at = token.indexOf("\n"); at >= 0; at = token.indexOf("\n", at + 1)) lines++;
  return lines;
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** What stands before a function's body: its parameters, and perhaps attributes. */
const FUNCTION = /\)\s*(__\w+\s*(\([^()]*\)\s*)?)*$/;
const TYPE = /\b(?:struct|union|enum)\s*(?:__\w+\s*(?:\((?:[^()]|\([^()]*\))*\)\s*)?)*$/;

function isFunctionHead(text: string): boolean {
  const plain = text.trim();
  return FUNCTION.test(plain) && !TYPE.test(plain) && !plain.includes("=");
}

/** `int f(int a)`: f. `SYSCALL_DEFINE3(read, ...)`: read too. What stands before it without a semicolon, `module_init(x)`, is its too. */
function functionNames(head: string): string[] {
  const names: string[] = [];
  const all = [...withoutAttributes(head).matchAll(/(\w+)\s*\(\s*(\w*)/g)];
  for (const [, name = "", first = ""] of all) {
    if (/^[A-Z][A-Z0-9_]*$/.test(name) || KEYWORDS.has(name)) {
      if (first !== "" && !KEYWORDS.has(first)) names.push(first);
    } else {
      names.push(name);
      break;
    }
  }
  // static int NF_DROP_REASON(struct sk_buff *skb)
  const [[, name = ""] = []] = all;
  return names.length > 0 || name === "" ? names : [name];
}

function withoutAttributes(text: string): string {
  return text.replace(/__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)/g, " ");
}

/** `__printf(1, 2) int f(...)`: what stands before a declaration. */
const LEADING = /^(?:__\w+\s*\([^()]*\)\s*)+(?=[A-Za-z_])/;

/** @param checks macros that only check something */
function described(text: string, checks: ReadonlySet<string>): Pick<Declaration, "kind" | "names" | "members"> {
  const plain = withoutAttributes(text).trimStart().replace(LEADING, "");
  const members = new Map<string, string>();
  const type = /^(?:typedef\s+)?(?:static\s+|const\s+)*(struct|union|enum)\b[^{=(;]*\{/.exec(plain);
  if (type !== null) {
    const [open] = type;
    const end = plain.lastIndexOf("}");
    const tag = /(?:struct|union|enum)\s+(?:__\w+\s+)*(\w+)\s*\{$/.exec(open)?.[1];
    const body = plain.slice(open.length, end < 0 ? undefined : end);
    if (type[1] === "enum") for (const part of body.split(",")) addMember(members, /^\s*(\w+)/.exec(part)?.[1], part);
    else membersOf(body, members);
    const behind = (plain.slice(end + 1).match(IDENTIFIER) ?? []).filter((word) => !KEYWORDS.has(word) && !word.startsWith("__"));
    return { kind: "type", names: [...(tag === undefined ? [] : [tag]), ...behind.slice(0, 1)], members };
  }
  if (/^typedef\b/.test(plain)) {
    const name = /\(\s*\*\s*(\w+)\s*\)/.exec(plain)?.[1] ?? /(\w+)\s*(?:\[[^\]]*\]\s*)*;$/.exec(plain)?.[1];
    return { kind: "type", names: name === undefined ? [] : [name], members };
  }
  const before = plain.split("=")[0] ?? "";
  const made = /^(?:static\s+|const\s+|__\w+\s+)+([A-Z][A-Z0-9_]*)\s*\(/.exec(plain);
  if (made !== null) return { kind: "variable", names: VARIABLES.test(made[1] ?? "") ? madeBy(made[1] ?? "", plain) : [], members };
  const call = /^(\w+)\s*\(/.exec(plain);
  if (call !== null) {
    const [, macro = ""] = call;
    return { kind: "call", names: checks.has(macro) || CHECK.test(macro) ? [] : madeBy(macro, plain), members };
  }
  const declared = /^(?:struct|union|enum)\s+(\w+)\s*;$/.exec(plain);
  if (declared !== null) return { kind: "other", names: [], members };
  const prototype = /(\w+)\s*\([^=]*$/.exec(before);
  if (prototype !== null && before.includes("(")) {
    const name = /^[^(]*?(\w+)\s*\(/.exec(before)?.[1];
    const inner = /\(\s*\*\s*(\w+)/.exec(before)?.[1];
    return { kind: plain.includes("=") ? "variable" : "other", names: [inner ?? name ?? ""].filter((one) => one !== ""), members };
  }
  const names = before.split(",").flatMap((part) => {
    const found = /(\w+)\s*(?:\[[^\]]*\]\s*)*(?:__\w+\s*)*;?\s*$/.exec(part)?.[1];
    return found === undefined || KEYWORDS.has(found) ? [] : [found];
  });
  return { kind: "variable", names, members };
}

/** Macros that make a variable of the name that they are given; others make names of it. */
const VARIABLES = /DEFINE|DECLARE|_HEAD$/;

/** What is held while a file is compiled, and declares nothing. */
const CHECK = /^(?:static_assert|_Static_assert|BUILD_BUG_ON\w*)$/;
/** What a macro is that is nothing but such a check: its name, what it is given, and the check. */
const CHECKING = /^\w+\([^()]*\)(?:\s|\\\n)*(?:static_assert|_Static_assert|BUILD_BUG_ON\w*)\s*\([^;]*;?\s*$/;

/** What the call of a macro declares: its first argument, if that is a name; for each processor a type comes first. */
function madeBy(macro: string, text: string): string[] {
  const given = argumentsOf(text.slice(text.indexOf("(") + 1));
  const [, name] =
    (/PER_CPU/.test(macro) ? /(\w+)\s*(?:\[[^\]]*\]\s*)*$/.exec(given[1] ?? "") : /^(\w+)\s*(?:\[|$)/.exec(given[0] ?? "")) ?? [];
  return name === undefined || KEYWORDS.has(name) ? [] : [name];
}

/** Up to the parenthesis that closes them. */
function argumentsOf(text: string): string[] {
  const given: string[] = [];
  let [depth, from] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (c === "(") depth++;
    else if ((c === "," && depth === 0) || (c === ")" && depth-- === 0)) {
      given.push(text.slice(from, at).trim());
      from = at + 1;
      if (c === ")") return given;
    }
  }
  return [...given, text.slice(from).trim()];
}

/** Members, those of what is nested too. */
function membersOf(body: string, into: Map<string, string>): void {
  for (const [, end = "", part = ""] of body.matchAll(/([;{}]|^)([^;{}]*)/g)) {
    const pointer = /\(\s*\*\s*(\w+)\s*\)/.exec(part)?.[1];
    if (pointer !== undefined) addMember(into, pointer, part);
    else for (const [at, one] of part.split(",").entries()) addMember(into, at === 0 && end !== "}" ? firstName(one) : nameIn(one), part);
  }
}

/** Behind it there may be attributes: `int a[4] __aligned(8)`. */
function nameIn(text: string): string | undefined {
  return /(\w+)\s*(?::\s*[\w\s+*()-]+|(?:\[[^\]]*\]\s*)*)(?:\s+__\w+(?:\([^()]*\))?)*\s*$/.exec(text.trim())?.[1];
}

/** `struct page __page_1`, `u32 __reserved[4]`: what looks like an attribute is the name, where nothing but the type is before it. */
function firstName(text: string): string | undefined {
  return /^\s*(?:(?:const|volatile|struct|union|enum)\s+)*\w+\s+(__\w+)\s*(?::.*|(?:\[[^\]]*\]\s*)*)$/.exec(text)?.[1] ?? nameIn(text);
}

function addMember(into: Map<string, string>, name: string | undefined, text: string): void {
  if (name !== undefined && !KEYWORDS.has(name) && !/^\d/.test(name)) into.set(name, `${into.get(name) ?? ""}${squeezed(text)};`);
}
