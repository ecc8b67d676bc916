/** What stands at the top level of a C file, as far as edits need it: functions, variables, structures and enumerations, calls of macros. */
import { closing, type Scan, scan, splitAt, type Token } from "./c-tokens.ts";

export interface CFunction {
  name: string;
  /** Of the name in the definition. */
  nameAt: number;
  at: number;
  end: number;
  /** Before the name. */
  words: string[];
  isStatic: boolean;
  isInline: boolean;
  /** Runs only while the kernel boots, or a module comes or goes. */
  isInit: boolean;
  /** Made by a macro: SYSCALL_DEFINE3(name, ...). */
  isMacro: boolean;
  /** Just inside the parentheses of the parameters. */
  parametersAt: number;
  parametersEnd: number;
  parameters: { name: string; isPointer: boolean; text: string }[];
  /** Just behind the brace that opens the body; of the brace that closes it. */
  bodyAt: number;
  bodyEnd: number;
  tokens: Token[];
  /** Its static variables. */
  statics: CVariable[];
}

export interface CVariable {
  name: string;
  nameAt: number;
  at: number;
  end: number;
  isStatic: boolean;
  /** What stands before the name, without stars. */
  words: string[];
  stars: number;
  /** What stands in each pair of brackets. */
  bounds: { at: number; end: number; text: string }[];
  /** Behind the equals sign, without the semicolon. */
  initial: { at: number; end: number; text: string } | undefined;
  /** Attributes of one word: __read_mostly, __ro_after_init. */
  attributes: { name: string; at: number; end: number }[];
}

export interface CMember {
  name: string;
  at: number;
  end: number;
  text: string;
  words: string[];
  stars: number;
  isArray: boolean;
  bits: string | undefined;
}

export interface CComposite {
  kind: "struct" | "union" | "enum";
  tag: string | undefined;
  at: number;
  end: number;
  bodyAt: number;
  bodyEnd: number;
  /** Of a structure, those with a plain declaration; of an enumeration, its constants. */
  members: CMember[];
  /** Whether `members` has all that there are. */
  whole: boolean;
  /** The variable, or the member, that the declaration makes. */
  variable: string | undefined;
  /** Structures without a tag that it has as members. */
  nested: CComposite[];
}

export interface CMacro {
  name: string;
  at: number;
  end: number;
  arguments: string[];
}

export interface CDefine {
  name: string;
  at: number;
  end: number;
  value: { at: number; end: number; text: string };
}

export interface CFile {
  text: string;
  scan: Scan;
  functions: CFunction[];
  variables: CVariable[];
  composites: CComposite[];
  macros: CMacro[];
  /** Of numbers. */
  defines: CDefine[];
}

const INIT = /^__(?:init|exit|meminit|cpuinit|net_init|net_exit|ref|head|init_or_module|devinit)$/;
const CALLED_ATTRIBUTE = /^__\w+$/;

export function readC(text: string): CFile {
  const scanned = scan(text);
  const file: CFile = { text, scan: scanned, functions: [], variables: [], composites: [], macros: [], defines: [] };
  const tokens = scanned.main;
  let start = 0;
  let hasValue = false;
  let hasCall = false;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.text === "=") hasValue = true;
    if (token.text === "{" && hasCall && !hasValue && endsHead(tokens[i - 1])) {
      const close = closing(tokens, i);
      const one = functionOf(file, tokens.slice(start, close + 1), i - start);
      if (one !== undefined) file.functions.push(one);
      i = close;
    } else if (token.text === "(" || token.text === "[" || token.text === "{") {
      if (token.text === "(") hasCall = true;
      i = closing(tokens, i);
      // A macro that no semicolon ends.
      const next = tokens[i + 1];
      const alone = token.text === "(" && i === closing(tokens, start + 1) && /^[A-Z][A-Z0-9_]*$/.test(tokens[start]?.text ?? "");
      if (!(alone && next?.kind === "word" && text.slice((tokens[i] as Token).end, next.at).includes("\n"))) continue;
    } else if (token.text !== ";") continue;
    else addDeclaration(file, tokens.slice(start, i + 1));
    start = i + 1;
    hasValue = false;
    hasCall = false;
  }
  for (const { text: directive, at } of scanned.directives) {
    const [whole, head = "", name = "", value = ""] =
      /^(#\s*define\s+(\w+)[ \t]+)((?:0x[\da-fA-F]+|\d+)[uUlL]*|\(\s*(?:0x[\da-fA-F]+|\d+)[uUlL]*\s*\))(?=\s*(?:\/\*|\/\/|$))/.exec(
        directive,
      ) ?? [];
    if (whole === undefined) continue;
    const valueAt = at + head.length;
    file.defines.push({ name, at, end: at + directive.length, value: { at: valueAt, end: valueAt + value.length, text: value } });
  }
  return file;
}

/** `) {` of a function, also with attributes behind the parameters; a structure has its name there. */
function endsHead(before: Token | undefined): boolean {
  return before?.text === ")" || (before?.kind === "word" && CALLED_ATTRIBUTE.test(before.text));
}

function functionOf(file: CFile, tokens: Token[], brace: number): CFunction | undefined {
  const open = tokens.findIndex(
    (token, i) => i < brace && token.text === "(" && tokens[i - 1]?.kind === "word" && !CALLED_ATTRIBUTE.test(tokens[i - 1]?.text ?? "__"),
  );
  const anyOpen = open >= 0 ? open : tokens.findIndex((token) => token.text === "(");
  const name = tokens[anyOpen - 1];
  const first = tokens[0];
  const last = tokens.at(-1);
  if (name === undefined || first === undefined || last === undefined) return undefined;
  const close = closing(tokens, anyOpen);
  const words = tokens.slice(0, anyOpen - 1).map(({ text }) => text);
  const all = tokens.slice(0, brace).map(({ text }) => text);
  const inside = tokens.slice(anyOpen + 1, close);
  const body = tokens.slice(brace + 1, -1);
  return {
    name: name.text,
    nameAt: name.at,
    at: first.at,
    end: last.end,
    words,
    isStatic: words.includes("static"),
    isInline: words.some((word) => /inline/.test(word)),
    isInit: all.some((word) => INIT.test(word)),
    isMacro: words.filter((word) => !word.startsWith("__")).length === 0,
    parametersAt: (tokens[anyOpen] as Token).end,
    parametersEnd: (tokens[close] as Token).at,
    parameters: splitAt(inside, ",").flatMap((part) => {
      const own = part.findLast(({ kind }) => kind === "word")?.text;
      const text = part.map((token) => token.text).join(" ");
      return own === undefined || text === "void" || text.includes("(") ? [] : [{ name: own, isPointer: text.includes("*"), text }];
    }),
    bodyAt: (tokens[brace] as Token).end,
    bodyEnd: last.at,
    tokens: body,
    statics: staticsOf(file, body),
  };
}

function staticsOf(file: CFile, body: readonly Token[]): CVariable[] {
  return body.flatMap((token, i) => {
    if (token.text !== "static") return [];
    const before = body[i - 1]?.text;
    if (before !== undefined && !["{", "}", ";"].includes(before)) return [];
    const rest = body.slice(i);
    const statement = splitAt(rest, ";")[0] ?? [];
    const end = rest[statement.length];
    return end === undefined ? [] : (variableOf(file, [...statement, end]) ?? []);
  });
}

function addDeclaration(file: CFile, tokens: Token[]): void {
  const [first] = tokens;
  if (first === undefined || tokens.length < 3) return;
  if (["typedef", "extern"].includes(first.text)) return;
  const composite = compositeOf(file, tokens);
  if (composite !== undefined) file.composites.push(composite);
  const open = tokens[1]?.text === "(" ? 1 : first.text === "static" && tokens[2]?.text === "(" ? 2 : -1;
  if (open > 0) {
    const close = closing(tokens, open);
    const parts = splitAt(tokens.slice(open + 1, close), ",").map((part) => {
      const [from, to] = [part[0], part.at(-1)];
      return from === undefined || to === undefined ? "" : file.text.slice(from.at, to.end);
    });
    file.macros.push({ name: (tokens[open - 1] as Token).text, at: first.at, end: (tokens.at(-1) as Token).end, arguments: parts });
    return;
  }
  const variable = variableOf(file, tokens);
  if (variable !== undefined) file.variables.push(variable);
}

/** One variable with one declarator; everything else is left alone. */
function variableOf(file: CFile, tokens: Token[]): CVariable | undefined {
  const semicolon = tokens.at(-1) as Token;
  const declaration = tokens.slice(0, -1);
  if (splitAt(declaration, ",").length > 1) return undefined;
  const equals = splitAt(declaration, "=")[0]?.length ?? declaration.length;
  const value = declaration.slice(equals + 1);
  const head = declaration.slice(0, equals);
  const attributes: CVariable["attributes"] = [];
  const bounds: CVariable["bounds"] = [];
  const plain: Token[] = [];
  for (let i = 0; i < head.length; i++) {
    const token = head[i] as Token;
    if (token.text === "(") {
      // Of an attribute: __aligned(8). A prototype or a pointer to a function is none of ours.
      if (!CALLED_ATTRIBUTE.test(head[i - 1]?.text ?? "")) return undefined;
      plain.pop();
      attributes.pop();
      i = closing(head, i);
    } else if (token.text === "[") {
      const close = closing(head, i);
      bounds.push({ at: token.end, end: (head[close] as Token).at, text: file.text.slice(token.end, (head[close] as Token).at).trim() });
      i = close;
    } else if (token.text === "{") i = closing(head, i);
    else {
      if (/^__[a-z]\w*$/.test(token.text) && !/^__(?:[su]\d+|[bl]e\d+|typeof__)$/.test(token.text))
        attributes.push({ name: token.text, at: token.at, end: token.end });
      else plain.push(token);
    }
  }
  const name = plain.findLast(({ kind }) => kind === "word");
  if (name === undefined || plain.some(({ kind, text }) => kind !== "word" && text !== "*")) return undefined;
  // The tag of a type that is only declared.
  if (name.at < (head.findLast(({ text }) => text === "{")?.at ?? 0)) return undefined;
  const words = plain.filter((token) => token !== name && token.kind === "word").map(({ text }) => text);
  const types = words.filter((word) => !["static", "const", "volatile"].includes(word));
  if (
    types.length === 0 ||
    (types.length === 1 && ["struct", "union", "enum"].includes(types[0] ?? "") && !head.some((t) => t.text === "{"))
  )
    return undefined;
  if (words.includes("return") || words.includes("goto") || words.includes("extern")) return undefined;
  const [from, to] = [value[0], value.at(-1)];
  return {
    name: name.text,
    nameAt: name.at,
    at: (tokens[0] as Token).at,
    end: semicolon.end,
    isStatic: words.includes("static"),
    words,
    stars: plain.filter(({ text }) => text === "*").length,
    bounds,
    initial: from === undefined || to === undefined ? undefined : { at: from.at, end: to.end, text: file.text.slice(from.at, to.end) },
    attributes,
  };
}

function compositeOf(file: CFile, tokens: Token[]): CComposite | undefined {
  const at = tokens.findIndex(({ text }) => ["struct", "union", "enum"].includes(text));
  const open = tokens.findIndex(({ text }) => text === "{");
  const equals = tokens.findIndex(({ text }) => text === "=");
  if (at < 0 || open < 0 || (equals >= 0 && equals < open) || tokens.slice(0, open).some(({ text }) => text === "(")) return undefined;
  const close = closing(tokens, open);
  const kind = (tokens[at] as Token).text as CComposite["kind"];
  const inside = tokens.slice(open + 1, close);
  const parts = splitAt(inside, kind === "enum" ? "," : ";").filter((part) => part.length > 0);
  const members = parts.flatMap((part) => (kind === "enum" ? constantOf(file, part) : memberOf(file, part)));
  const nested = parts.flatMap((part) => {
    const semicolon = inside[inside.indexOf(part.at(-1) as Token) + 1];
    return kind === "enum" || part[1]?.text !== "{" || semicolon === undefined ? [] : (compositeOf(file, [...part, semicolon]) ?? []);
  });
  const behind = splitAt(tokens.slice(close + 1, -1), "=")[0] ?? [];
  return {
    kind,
    tag: tokens.slice(at + 1, open).findLast(({ kind, text }) => kind === "word" && !text.startsWith("__"))?.text,
    at: (tokens[0] as Token).at,
    end: (tokens.at(-1) as Token).end,
    bodyAt: (tokens[open] as Token).end,
    bodyEnd: (tokens[close] as Token).at,
    members,
    whole: members.length === parts.length,
    variable: behind.find(({ kind, text }) => kind === "word" && !text.startsWith("__"))?.text,
    nested,
  };
}

function constantOf(file: CFile, part: Token[]): CMember[] {
  const [name, ...rest] = part;
  const last = part.at(-1);
  if (name?.kind !== "word" || last === undefined || (rest.length > 0 && rest[0]?.text !== "=")) return [];
  const text = file.text.slice(name.at, last.end);
  return [{ name: name.text, at: name.at, end: last.end, text, words: [], stars: 0, isArray: false, bits: undefined }];
}

function memberOf(file: CFile, part: Token[]): CMember[] {
  const [first] = part;
  const last = part.at(-1);
  if (first === undefined || last === undefined || part.some(({ text }) => ["{", "(", ","].includes(text))) return [];
  const colon = part.findIndex(({ text }) => text === ":");
  const bracket = part.findIndex(({ text }) => text === "[");
  const head = part.slice(0, Math.min(...[colon, bracket, part.length].filter((i) => i >= 0)));
  const plain = head.filter(({ text }) => !/^__[a-z]\w*$/.test(text) || /^__(?:[su]\d+|[bl]e\d+)$/.test(text));
  const name = plain.at(-1);
  if (name?.kind !== "word" || plain.length < 2) return [];
  return [
    {
      name: name.text,
      at: first.at,
      // With its semicolon.
      end: last.end + 1,
      text: file.text.slice(first.at, last.end),
      words: plain.slice(0, -1).flatMap(({ kind, text }) => (kind === "word" ? [text] : [])),
      stars: plain.filter(({ text }) => text === "*").length,
      isArray: bracket >= 0,
      bits: colon < 0 ? undefined : part[colon + 1]?.text,
    },
  ];
}
