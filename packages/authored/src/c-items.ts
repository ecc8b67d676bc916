/**
 * A C file cut into what stands at its top level: directives, functions, types, variables, and calls of macros. Nothing is preprocessed: what is
 * read is what a person wrote, with its comments.
 */

export type ItemKind = "directive" | "function" | "type" | "variable" | "prototype" | "macro";

export interface CItem {
  kind: ItemKind;
  /** With the comment before it. */
  text: string;
  /** The text without comments and without what strings hold. */
  code: string;
  /** What the rest of the file can name by it. */
  names: string[];
  /** Of a function: what stands before its body, and the body. */
  head: string;
  body: string;
}

/** Macros of the kernel that stand in the head of a function like calls. */
const ATTRIBUTES =
  /^(?:__attribute__|__printf|__scanf|__aligned|__section|__acquires|__releases|__must_hold|__cold|__alloc_size|__nonnull|__no_sanitize\w*)$/;

/** Macros that define a variable: DEFINE_MUTEX, LIST_HEAD, DECLARE_WAIT_QUEUE_HEAD. Others (EXPORT_SYMBOL, module_init, DEVICE_ATTR) only name things. */
const DEFINES = /DEFINE|DECLARE|_HEAD\s*\(/;

/** @param syscall how names of functions begin that SYSCALL_DEFINE makes */
export function cItems(text: string, syscall: string): CItem[] {
  const items: CItem[] = [];
  let start = 0;
  let at = 0;
  let depth = 0;
  /** Depths at the open #if lines within an item. */
  let conditions: number[] = [];
  let isFunction = false;
  /** Whether the item has anything but blanks and comments. */
  let begun = false;
  const end = (kind?: ItemKind): void => {
    const whole = text.slice(start, at);
    if (begun) items.push(itemOf(whole.replace(/^(?:[ \t]*\n)+/, ""), syscall, kind));
    start = at;
    depth = 0;
    conditions = [];
    isFunction = false;
    begun = false;
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] as string;
    if (two === "/*") {
      const close = text.indexOf("*/", at + 2);
      at = close < 0 ? text.length : close + 2;
    } else if (two === "//") at = lineEnd(text, at);
    else if (one === '"' || one === "'") {
      at = literalEnd(text, at);
      begun = true;
    } else if (one === "#" && /^[ \t]*$/.test(text.slice(text.lastIndexOf("\n", at - 1) + 1, at))) {
      const word = /^#\s*(\w+)/.exec(text.slice(at, at + 40))?.[1] ?? "";
      const close = directiveEnd(text, at);
      if (!begun) {
        begun = true;
        at = close;
        end("directive");
        continue;
      }
      if (word.startsWith("if")) conditions.push(depth);
      else if (word === "else" || word === "elif") depth = conditions.at(-1) ?? depth;
      else if (word === "endif") conditions.pop();
      at = close;
    } else {
      if (!/\s/.test(one)) begun = true;
      if (one === "{" && depth === 0) isFunction = isFunctionHead(plain(text.slice(start, at)));
      if (one === "{" || one === "(" || one === "[") depth++;
      if (one === "}" || one === ")" || one === "]") depth--;
      at++;
      if (one === ")" && depth === 0 && standsAlone(text, start, at)) {
        end();
        continue;
      }
      if (depth === 0 && (one === ";" || (one === "}" && isFunction))) end(isFunction ? "function" : undefined);
    }
  }
  end();
  return items;
}

/** A call of a macro that no semicolon ends: ACPI_EXPORT_SYMBOL(name) on a line of its own, before the next item. */
function standsAlone(text: string, start: number, at: number): boolean {
  if (!/^\s*[A-Z][A-Z0-9_]*\s*\([^(]*\)$/.test(plain(text.slice(start, at)))) return false;
  return /^[ \t]*\n\s*(?:[A-Za-z_#]|\/[*/])/.test(text.slice(at, at + 400));
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

function literalEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== text[start] && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** Behind its last line: lines that end with a backslash go on, and so do comments. */
function directiveEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== "\n") {
    if (text.startsWith("/*", at)) {
      const close = text.indexOf("*/", at + 2);
      at = close < 0 ? text.length : close + 2;
    } else at += text[at] === "\\" && text[at + 1] === "\n" ? 2 : 1;
  }
  return Math.min(at + 1, text.length);
}

/** Without comments and the contents of strings. */
function plain(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (found) =>
    found.startsWith("/") ? " " : found[0] + (found[0] as string),
  );
}

function isFunctionHead(head: string): boolean {
  const flat = flatten(head);
  return flat.includes("(") && !flat.includes("=") && !/^\s*typedef\b/.test(flat);
}

/** What stands in brackets is left out: f(int (*g)(void)) → f() */
function flatten(code: string): string {
  let out = "";
  let depth = 0;
  for (const one of code) {
    if (one === ")" || one === "]" || one === "}") depth--;
    if (depth === 0) out += one;
    if (one === "(" || one === "[" || one === "{") depth++;
  }
  return out;
}

function itemOf(text: string, syscall: string, known?: ItemKind): CItem {
  const code = plain(text);
  const bare = { text, code, head: "", body: "" };
  if (known === "directive") {
    const name = /#\s*define\s+(\w+)/.exec(code)?.[1];
    return { ...bare, kind: "directive", names: name === undefined ? [] : [name] };
  }
  const flat = flatten(code).trim();
  if (known === "function") {
    const open = bodyStart(text);
    const name = functionName(flat);
    const argument = /\(\s*(\w+)/.exec(code)?.[1] ?? name;
    const made = name.includes("SYSCALL_DEFINE") ? syscall + argument : /^[A-Z]/.test(name) ? argument : name;
    return { ...bare, kind: /^[A-Z]/.test(name) ? "macro" : "function", names: [made], head: text.slice(0, open), body: text.slice(open) };
  }
  if (/^typedef\b/.test(flat)) return { ...bare, kind: "type", names: typeNames(code, flat) };
  if (/^(?:static\s+|const\s+)*(?:struct|union|enum)\b[^=(]*\{/.test(flat) || /^(?:struct|union|enum)\s+\w+\s*;/.test(flat)) {
    const variable = /\}\s*([^;=]*?)(?:=[^;]*)?;$/.exec(flat)?.[1]?.trim() ?? "";
    const own = declarators(variable);
    const kind = own.length > 0 && /^static\b/.test(flat) ? "variable" : "type";
    return { ...bare, kind, names: [...typeNames(code, flat), ...own] };
  }
  if (/^(?:static\s+)?[A-Za-z_]\w*\s*\(\)\s*;?$/.test(flat) || /^(?:static\s+)?(?:__\w+\s+)*[A-Z][A-Z0-9_]+\s*\(\)/.test(flat))
    return { ...bare, kind: "macro", names: DEFINES.test(flat) ? ((/\(([^()]*)/.exec(code)?.[1] ?? "").match(/[A-Za-z_]\w*/g) ?? []) : [] };
  const beforeValue = flat.split("=")[0] ?? flat;
  // int f(void); has brackets, int (*f)(void) = g; has two pairs of them.
  if (!flat.includes("=") && /\w\s*\(\)[^()]*;$/.test(beforeValue) && !/\(\)\s*\(\)/.test(beforeValue))
    return { ...bare, kind: "prototype", names: [functionName(flat)] };
  const pointer = /\(\s*\*\s*(?:const\s+)?(\w+)/.exec(code)?.[1];
  if (pointer !== undefined && /\(\)\s*\(\)/.test(beforeValue)) return { ...bare, kind: "variable", names: [pointer] };
  return { ...bare, kind: "variable", names: declarators(flat.replace(/;$/, "")) };
}

/** Where the braces of the body open. */
function bodyStart(text: string): number {
  const hidden = text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (found) => found.replace(/[^\n]/g, " "));
  return hidden.indexOf("{");
}

function functionName(flat: string): string {
  for (const [, name = ""] of flat.matchAll(/(\w+)\s*\(/g)) if (!ATTRIBUTES.test(name)) return name;
  return "";
}

function typeNames(code: string, flat: string): string[] {
  const tag = /\b(?:struct|union|enum)\s+(\w+)/.exec(flat)?.[1];
  const constants = /\benum\b[^{;]*\{([\s\S]*)\}/.exec(code)?.[1] ?? "";
  const pointer = /\(\)\s*\(\)/.test(flat) ? /\(\s*\*\s*(\w+)/.exec(code)?.[1] : undefined;
  const alias = /^typedef\b/.test(flat) ? (pointer ?? /(\w+)\s*(?:\[\]|\(\))*\s*;$/.exec(flat)?.[1]) : undefined;
  return [tag, alias, ...constants.split(",").map((one) => /^\s*(?:#[^\n]*\n\s*)*(\w+)/.exec(one)?.[1])].filter(
    (name): name is string => name !== undefined,
  );
}

/** `static int a, *b = , c[]` → a, b, c */
function declarators(flat: string): string[] {
  return flat.split(",").flatMap((one) => {
    const words =
      (one.split("=")[0] ?? "")
        .replace(/\[\]/g, " ")
        .replace(/\b__\w+\b(?:\(\))?|\b____\w+\b/g, " ")
        .match(/[A-Za-z_]\w*/g) ?? [];
    const last = words.at(-1);
    return last === undefined ? [] : [last];
  });
}
