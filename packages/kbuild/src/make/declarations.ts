/**
 * Whether two preprocessed texts of one C file can compile to different code. Where they differ in declarations that make no code by themselves (a
 * prototype, an inline function, a type), and nothing that makes code comes to one of those by way of what it names, it is the same. In doubt they can.
 */
import { changedMembers } from "./members.ts";

/**
 * @param layoutsHold that whatever lies otherwise is refused where compiled code uses it: of a type that changes, only who names a member that does is concerned
 * @returns false only if nothing that makes code leads to a declaration that differs
 */
export function canDiffer(before: string, after: string, layoutsHold = false): boolean {
  const old = declarationsOf(before);
  const now = declarationsOf(after);
  const changed = differences(old, now);
  if (changed.length === 0) return false;
  const tainted = namesOf(changed, layoutsHold);
  return tainted === undefined || reachesCode([...old.keys()].filter((text) => now.get(text) === old.get(text)).reverse(), tainted);
}

/** Names that hold the preprocessor's counter, which an inserted line moves: what they name is found by other means. */
const COUNTED = /\b(?:(__UNIQUE_ID_\w*?|__compiletime_assert_|__dummy_\w*?|___addressable_\w*?)\d+\b|(__initcall__\w+?__)\d+(?=_\d+_))/g;

const TOKEN = /[A-Za-z_]\w*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[\d.][\w.]*|[^\s\w]/g;
const WORD = /[A-Za-z_]\w*/g;

const [OPEN, CLOSE, QUOTE, APOSTROPHE, BACKSLASH] = [..."{}\"'\\"].map((c) => c.charCodeAt(0));
const [PAREN, PAREN_END, BRACKET, BRACKET_END, SEMICOLON] = [..."()[];"].map((c) => c.charCodeAt(0));
const SPACE = 32;

/** Declarations of the file, as they are spelt, with how often each occurs, in their order. */
function declarationsOf(text: string): Map<string, number> {
  const found = new Map<string, number>();
  const plain = text.replace(COUNTED, "$1$2N");
  let start = 0;
  let depth = 0;
  let isFunction = false;
  /** The last that is no space. */
  let last = 0;
  const end = (to: number): void => {
    const one = plain.slice(start, to).trim();
    start = to;
    if (one !== "") found.set(one, (found.get(one) ?? 0) + 1);
  };
  for (let at = 0; at < plain.length; at++) {
    const c = plain.charCodeAt(at);
    if (c <= SPACE) continue;
    if (c === QUOTE || c === APOSTROPHE) {
      for (at++; at < plain.length && plain.charCodeAt(at) !== c; at++) if (plain.charCodeAt(at) === BACKSLASH) at++;
    } else if (c === OPEN || c === PAREN || c === BRACKET) {
      if (c === OPEN && depth === 0) isFunction = last === PAREN_END;
      depth++;
    } else if (c === CLOSE || c === PAREN_END || c === BRACKET_END) {
      depth--;
      if (depth === 0 && c === CLOSE && isFunction) end(at + 1);
    } else if (c === SEMICOLON && depth === 0) end(at + 1);
    last = c;
  }
  end(plain.length);
  return found;
}

/** Those that only one of them has, or has as often, tokens with one space between; what is spelt with other spaces is the same. */
function differences(old: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string[] {
  const counts = new Map<string, number>();
  const count = (text: string, by: number): void => {
    const plain = (text.match(TOKEN) ?? []).join(" ");
    counts.set(plain, (counts.get(plain) ?? 0) + by);
  };
  for (const [text, times] of old) if (now.get(text) !== times) count(text, times);
  for (const [text, times] of now) if (old.get(text) !== times) count(text, -times);
  return [...counts].filter(([text, by]) => by !== 0 && !FORWARD.test(text)).map(([text]) => text);
}

/** That there is such a type: nothing comes of it. */
const FORWARD = /^(?:struct|union) \w+ ;$/;

/** What a name stands for that is otherwise: only code comes to a function's body, or to a member. */
type Tainted = Map<string, "body" | "any">;

/** @returns undefined where one of them makes code, or is not understood */
function namesOf(all: readonly string[], layoutsHold: boolean): Tainted | undefined {
  const { changed, members } = layoutsHold ? withoutMembers(all) : { changed: all, members: [] };
  const heads = new Map<string, number>();
  for (const text of changed) {
    const head = inlineHead(text);
    if (head !== undefined) heads.set(head, (heads.get(head) ?? 0) + 1);
  }
  const tainted: Tainted = new Map(members.map((name) => [name, "body"]));
  for (const text of changed) {
    const names = declaredNames(text);
    if (names === undefined) return undefined;
    const head = inlineHead(text);
    const isBody = head !== undefined && heads.get(head) === 2;
    for (const name of names) if (!isBody || !tainted.has(name)) tainted.set(name, isBody ? "body" : "any");
  }
  return tainted;
}

/** Types of which it can be told by names what is otherwise, as those names. */
function withoutMembers(all: readonly string[]): { changed: string[]; members: string[] } {
  const byHead = new Map<string, string[]>();
  for (const text of all) {
    const [head] = /^(?:struct|union|enum) \w+ (?=\{)/.exec(text) ?? [];
    const list = byHead.get(head ?? "");
    if (list === undefined) byHead.set(head ?? "", [text]);
    else list.push(text);
  }
  const changed = byHead.get("") ?? [];
  const members: string[] = [];
  byHead.delete("");
  for (const texts of byHead.values()) {
    const [old = "", now, ...more] = texts;
    const names = now === undefined || more.length > 0 ? undefined : changedMembers(old, now);
    if (names === undefined) changed.push(...texts);
    else members.push(...names);
  }
  return { changed, members };
}

/** Whether what makes code comes to one of the names. @param texts declarations that are the same, those of the file itself first */
function reachesCode(texts: readonly string[], tainted: Tainted): boolean {
  let waiting = texts;
  for (let names: Tainted = tainted; names.size > 0; ) {
    const next: Tainted = new Map();
    const mentions = mentionsOf(names);
    const rest: string[] = [];
    for (const text of waiting) {
      const how = mentions(text);
      if (how === undefined) {
        rest.push(text);
        continue;
      }
      const plain = (text.match(TOKEN) ?? []).join(" ");
      const declared = declaredNames(plain);
      if (declared === undefined) return true;
      const isInline = inlineHead(plain) !== undefined;
      // A prototype or a type that has a word of a function's name does not come to what it does, unless it asks for the type of what code gives: it may
      // lead to another that is named later.
      if (how === "body" && !isInline && !TYPEOF.test(plain)) {
        rest.push(text);
        continue;
      }
      for (const name of declared) if (how === "any" || !isInline || !next.has(name)) next.set(name, isInline ? how : "any");
    }
    waiting = rest;
    names = next;
  }
  return false;
}

const TYPEOF = /\b(?:__)?(?:typeof|auto_type)/;

/** A regular expression of many words is slower than a look at each word. */
const FEW = 24;

function mentionsOf(names: Tainted): (text: string) => "body" | "any" | undefined {
  if (names.size <= FEW) {
    const own = (kind: "body" | "any"): RegExp | undefined => {
      const words = [...names].filter(([, one]) => one === kind).map(([name]) => name);
      return words.length === 0 ? undefined : new RegExp(`\\b(?:${words.join("|")})\\b`);
    };
    const [any, body] = [own("any"), own("body")];
    return (text) => (any?.test(text) ? "any" : body?.test(text) ? "body" : undefined);
  }
  return (text) => {
    let found: "body" | undefined;
    for (const [word] of text.matchAll(WORD)) {
      const how = names.get(word);
      if (how === "any") return how;
      if (how === "body") found = how;
    }
    return found;
  };
}

/** Attributes by which a declaration that nothing names puts something into the object; a section is only where it goes. */
const MAKES_SYMBOL =
  /__attribute(?:__)? \( \((?:[^()]|\([^()]*\))*(?<!\w)(?:__)?(?:used|retain|constructor|destructor|alias|ifunc)(?:__)?(?!\w)/;

/** What a declaration declares if it makes no code or data by itself; undefined if it may, or is not understood. */
function declaredNames(declaration: string): string[] | undefined {
  if (MAKES_SYMBOL.test(declaration)) return undefined;
  const plain = withoutAttributes(declaration);
  if (plain === ";" || plain === "") return [];
  if (/^typedef |^(?:struct|union|enum) (?:(?:\w+ )?\{|\w+ ;$)/.test(plain)) return typeNames(plain);
  const prototype = /^[^(){}=]*?(\w+) \(.*\) ;$/.exec(plain);
  if (prototype?.[1] !== undefined && !plain.includes("{") && !/^(static_assert|_Static_assert|asm|__asm__)\b/.test(plain))
    return [prototype[1]];
  const inline = inlineName(plain);
  if (inline !== undefined) return [inline];
  const variable = /^extern [^(){}=]*?(\w+)(?: \[[^\]]*\])* ;$/.exec(plain);
  return variable?.[1] === undefined ? undefined : [variable[1]];
}

const TAG = /\b(?:struct|union|enum) (\w+) \{/g;
const ENUMERATION = /\benum (?:\w+ )?\{ ([^{}]*)\}/g;

/** Of a declaration of types and no variable: its tags, its enumerators, also of what is inside of it, and what a typedef calls it. */
function typeNames(plain: string): string[] | undefined {
  const end = plain.lastIndexOf("}");
  const behind = plain.slice(end + 1);
  const names = [...plain.matchAll(TAG)].map(([, tag = ""]) => tag);
  for (const [, list = ""] of plain.matchAll(ENUMERATION))
    names.push(...list.split(",").flatMap((item) => /^\s*(\w+)/.exec(item)?.[1] ?? []));
  if (!plain.startsWith("typedef ")) {
    // Members are reached by way of the tag only.
    const tag = end < 0 ? /^(?:struct|union|enum) (\w+) ;$/.exec(plain)?.[1] : undefined;
    if (tag !== undefined) return [tag];
    return end >= 0 && behind === " ;" ? names : undefined;
  }
  const pointer = /\( \* (?:const )?(\w+) [)[]/.exec(behind)?.[1];
  if (pointer !== undefined) return [...names, pointer];
  const own = behind.includes("(")
    ? [/(\w+) \(/.exec(behind)?.[1]]
    : behind.split(",").map((part) => /(\w+) (?:\[[^\]]*\] )*;?\s*$/.exec(part)?.[1]);
  return own.every((name) => name !== undefined) ? [...names, ...(own as string[])] : undefined;
}

function inlineName(plain: string): string | undefined {
  const [, before = "", name] = /^([^(){}=]*?)(\w+) \(.*\) \{.*\}$/.exec(plain) ?? [];
  return /\bstatic\b/.test(before) && /\b(inline|__inline|__inline__)\b/.test(before) ? name : undefined;
}

/** Of a function that is compiled where it is called only, all before its body. */
function inlineHead(declaration: string): string | undefined {
  return inlineName(withoutAttributes(declaration)) === undefined ? undefined : declaration.slice(0, declaration.indexOf("{"));
}

/** `__attribute__ ( ( ... ) )` with whatever is nested in it. */
function withoutAttributes(declaration: string): string {
  if (!declaration.includes("__attribute")) return declaration;
  const tokens = declaration.split(" ");
  const out: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] !== "__attribute__" && tokens[i] !== "__attribute") {
      out.push(tokens[i] as string);
      continue;
    }
    let depth = 0;
    do {
      i++;
      if (tokens[i] === "(") depth++;
      if (tokens[i] === ")") depth--;
    } while (depth > 0 && i < tokens.length);
  }
  return out.join(" ");
}
