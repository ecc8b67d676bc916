/** What a header declares, each with the names by way of which it is what it is: its own text's, and those of the conditions that it is under. */
import { type Declaration, declarationsIn } from "../../c/declarations.ts";

/**
 * How a declaration leads from what it names to what it declares. Code is a function that is not inline, or a variable: whatever includes it has it. A call is one of a macro at the top level: what it makes is told by the macro. A
 * directive (#pragma), or what is not understood, may change whatever follows.
 */
export type Kind = "code" | "function" | "macro" | "type" | "prototype" | "call" | "include" | "directive";

/** What stands for itself, and undefined where a macro puts in what it is given. */
export type Pieces = readonly (string | undefined)[];

export interface Named {
  kind: Kind;
  /** What is declared: tags, enumerators and typedefs are names, members are not. */
  names: readonly string[];
  words: ReadonlySet<string>;
  /** Two texts of one header have the same declaration if this is the same. */
  text: string;
  /** Its own lines, without comments, and of macros inside of it only their places. */
  lines: string;
  /** Of a macro that makes names of pieces, each with its pieces in their order. */
  pasted: readonly Pieces[];
  /** A macro that puts something into an object wherever it stands. */
  makesCode: boolean;
  /** Of a call, the macros that are called, and what they are given that is one word. */
  calls: readonly string[];
  given: readonly string[];
}

/** Words of the language that no macro is called by; inline is. */
const WORDS = new Set(
  "if else for while do switch case default return goto break continue sizeof static const volatile struct union enum typedef extern void int long short char unsigned signed float double register auto".split(
    " ",
  ),
);
const TOKEN = /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<![\w.])[A-Za-z_]\w*/g;

/** Identifiers of a text of C, without comments and strings. */
export function wordsOf(text: string): Set<string> {
  const words = new Set<string>();
  for (const [token] of text.matchAll(TOKEN)) if (/^[A-Za-z_]/.test(token) && !WORDS.has(token)) words.add(token);
  return words;
}

const CODE = /\b(?:__used|asm|__asm__|__section|__attribute__|EXPORT_SYMBOL\w*)\b/;
/** A macro whose text begins as a definition does. */
const DEFINES =
  /^\s*#\s*define\s+\w+\([^)]*\)[\s\\]*(?:static|const|volatile|struct|union|enum|void|int|long|short|char|unsigned|signed|bool|[us](?:8|16|32|64)|asmlinkage|notrace|noinline|__\w+|\w+_t)\b/;
const TAG = /\b(?:struct|union|enum)\s+(\w+)\s*\{/g;
const ENUMERATION = /\benum\s*(?:\w+\s*)?\{([^{}]*)\}/g;
const COMMENT = /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g;
/** What keeps the numbers of the lines behind it as they were. */
const LINE = /^[ \t]*#[ \t]*line\b.*$/gm;
/** Inside of another declaration, where only its place counts: it is one of its own. */
const MACRO = /^[ \t]*#[ \t]*(define|undef)[ \t]+(\w+)(?:\\\n|.)*$/gm;
const CHAIN = /\w+(?:\s*##\s*\w+)+/g;

export function namedIn(text: string): Named[] {
  const all = text.split("\n");
  const declared = declarationsIn(text);
  const guard = guardOf(declared);
  const conditions: Set<string>[] = [];
  const found: Named[] = [];
  for (const one of declared) {
    const own = all
      .slice(one.first, one.last + 1)
      .join("\n")
      .replace(COMMENT, " ")
      .replace(LINE, "");
    if (one.kind === "condition" && condition(conditions, one.head, guard)) continue;
    const lines = one.kind === "macro" ? own : own.replace(MACRO, "#$1 $2;");
    const words = one.kind === "include" ? new Set<string>() : wordsOf(own.replaceAll("\\\n", " "));
    const names = one.isOpen ? [...words] : [...one.names, ...(one.kind === "type" ? namesInside(own) : [])];
    const kind = kindOf(one, names, own);
    if (kind === "macro") for (const word of ["define", "undef", ...one.names, ...parametersOf(own)]) words.delete(word);
    for (const set of conditions) for (const word of set) words.add(word);
    found.push({
      kind,
      names,
      words,
      text: `${conditions.map((set) => [...set].join(" ")).join(" ")}\n${lines.replace(/\s+/g, " ").trim()}`,
      lines,
      pasted: kind === "macro" && own.includes("##") ? chainsOf(own) : [],
      makesCode: kind === "macro" && (CODE.test(own) || (DEFINES.test(own) && /[{=]/.test(own) && !INLINE.test(own))),
      ...(kind === "call" ? callsIn(own) : { calls: [], given: [] }),
    });
  }
  return found;
}

/** #ifndef X, #define X around a whole header. */
function guardOf([first, second]: readonly Declaration[]): string | undefined {
  const name = first?.kind === "condition" ? /^#\s*ifndef\s+(\w+)/.exec(first.head)?.[1] : undefined;
  return name !== undefined && second?.kind === "macro" && second.names[0] === name ? name : undefined;
}

/** @returns whether it was one of #if and the like */
function condition(conditions: Set<string>[], head: string, guard: string | undefined): boolean {
  const [, word = "", rest = ""] = /^#\s*(\w*)\s*([\s\S]*)$/.exec(head) ?? [];
  const words = [...wordsOf(rest)].filter((one) => one !== "defined" && one !== guard);
  if (word === "if" || word === "ifdef" || word === "ifndef") conditions.push(new Set(words));
  else if (word === "elif") for (const one of words) conditions.at(-1)?.add(one);
  else if (word === "endif") conditions.pop();
  else return word === "else" || word === "line" || word === "error" || word === "warning";
  return true;
}

/** That there is such a type, and a semicolon alone: nothing comes of it. */
const NOTHING = /^(?:(?:struct|union|enum) \w+)? ?;$/;

/** nokprobe_inline and __inline__, and not noinline. */
const INLINE = /(?<!no)inline(?:\b|__)/;

function kindOf({ kind, isOpen, head }: Declaration, names: readonly string[], text: string): Kind {
  if (kind === "include") return "include";
  if (kind === "call") return "call";
  const isNothing = NOTHING.test(text.replace(/\s+/g, " ").trim());
  if (kind === "condition" || (names.length === 0 && !isNothing)) return "directive";
  if (isOpen) return "code";
  if (kind === "other") return "prototype";
  if (kind === "variable") return !/[={]/.test(text) && /\bextern\b/.test(text) ? "prototype" : "code";
  return kind === "function" && !INLINE.test(head) ? "code" : kind;
}

function namesInside(text: string): string[] {
  const names = [...text.matchAll(TAG)].map(([, tag = ""]) => tag);
  for (const [, list = ""] of text.matchAll(ENUMERATION))
    names.push(...list.split(",").flatMap((item) => /^\s*(?:#[^\n]*\n\s*)*(\w+)/.exec(item)?.[1] ?? []));
  return names;
}

function parametersOf(macro: string): string[] {
  return /^\s*#\s*define\s+\w+\(([^)]*)\)/.exec(macro)?.[1]?.match(/\w+/g) ?? [];
}

/** All that are in a text of several macros. */
export function chainsIn(text: string): Pieces[] {
  return declarationsIn(text).flatMap(({ kind, first, last }) =>
    kind === "macro"
      ? chainsOf(
          text
            .split("\n")
            .slice(first, last + 1)
            .join("\n"),
        )
      : [],
  );
}

function chainsOf(macro: string): Pieces[] {
  const parameters = new Set([...parametersOf(macro), "__VA_ARGS__"]);
  return [...macro.matchAll(CHAIN)].map(([chain]) => chain.split(/\s*##\s*/).map((piece) => (parameters.has(piece) ? undefined : piece)));
}

/** `A(x, y) B(z)`: A and B, x, y and z. */
function callsIn(text: string): { calls: string[]; given: string[] } {
  const calls: string[] = [];
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:\\.|[^"\\])*"|\w+\s*(?=\()|[()]/g)) {
    if (token === "(") depth++;
    else if (token === ")") depth--;
    else if (depth === 0 && /^[A-Za-z_]/.test(token)) calls.push(token.trim());
  }
  return { calls, given: [...text.matchAll(/(?<=[(,]\s*)([A-Za-z_]\w*)(?=\s*[,)])/g)].map(([word]) => word) };
}
