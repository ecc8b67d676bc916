/**
 * Macros that stand for other numbers than before. Where several of a family change places, they are states or flags, and data of the running kernel hold
 * the old numbers. A single one is a limit or a timeout more often: it is told.
 */

import { renumbered } from "@suture/types";
import type { ChangedFile } from "./apply.ts";

interface Macro {
  /** As written, without comments. */
  text: string;
  /** Undefined if it is no number that can be told from this file alone. */
  value: number | undefined;
}

const DEFINE = /^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)(?:[ \t]+((?:\\\n|[^\n])*))?$/gm;
/** As long as what a word can hold exactly. */
const LARGEST = 2 ** 53;

/** @returns what differs. @throws BUILD_RENUMBERED */
export function checkMacros(files: readonly ChangedFile[], accepted: ReadonlySet<string>): string[] {
  const notes: string[] = [];
  for (const { path, before, after } of files) {
    if (before === undefined || !/\.[ch]$/.test(path)) continue;
    const [old, now] = [macrosOf(before), macrosOf(after)];
    for (const [name, { text, value }] of now) {
      const was = old.get(name);
      if (was === undefined || was.text === text) continue;
      if (was.value !== undefined && was.value === value) continue;
      const why = `${name} is ${text}, it was ${was.text}`;
      const other = exchangedWith(name, old, now) ?? flagAmong(name, old, now);
      if (other === undefined && (was.value === undefined || value === undefined)) continue;
      if (other === undefined) notes.push(`the macro ${why}: what was made with the old value is met by the new code`);
      else if (accepted.has(name)) notes.push(`the macro ${why}, which was accepted`);
      else throw renumbered(`the macro ${why}; ${other}`, name, { file: path });
    }
  }
  return notes;
}

/** Another of its family whose number it takes, or that takes its number. */
function exchangedWith(name: string, old: ReadonlyMap<string, Macro>, now: ReadonlyMap<string, Macro>): string | undefined {
  const family = familyOf(name);
  const [was, is] = [old.get(name), now.get(name)];
  // With a type or as a bit: what has the same form and takes the place of the other is of one kind, whatever its name.
  if (was !== undefined && FORMED.test(was.text))
    for (const [other, macro] of now)
      if (other !== name && same(macro, was) && is !== undefined && same(old.get(other), is)) return `that is ${other} now (${macro.text})`;
  if (family === undefined) return undefined;
  for (const [other, macro] of now)
    if (other !== name && same(macro, was) && familyOf(other) === family && !same(old.get(other), was))
      return `that is ${other} now (${macro.text})`;
  for (const [other, macro] of old)
    if (other !== name && same(macro, is) && familyOf(other) === family && !same(now.get(other), is))
      return `that was ${other}, which is ${now.get(other)?.text ?? "gone"}`;
  return undefined;
}

const FORMED = /<<|\bBIT(_ULL)?\(|\(\s*[A-Za-z_][\w\s]*\)\s*[\w(]/;

/** Of what no number can be told, by what is written. */
function same(a: Macro | undefined, b: Macro | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.value === undefined && b.value === undefined ? a.text === b.text : a.value === b.value;
}

/** One bit, written as such, in both versions. */
const BIT = /(^|[^<])\b1[uUlL]*\s*<<|\b(BIT|BIT_ULL|_BITUL)\(/;
const QUANTITY = /(^|_)(SIZE|MAX|MIN|LIMIT|LEN|LENGTH|COUNT|CNT|NUM|NR|ORDER|UNIT|THRESHOLD|TIMEOUT|SCALE|ONE)(_|$)/i;

/** Whether it is one of several flags: what holds it is no longer known by the new code. */
function flagAmong(name: string, old: ReadonlyMap<string, Macro>, now: ReadonlyMap<string, Macro>): string | undefined {
  const family = familyOf(name);
  const isFlag = (other: string, macro: Macro | undefined): boolean => {
    const { value, text } = macro ?? {};
    const isBit = value !== undefined && value > 0 && Number.isInteger(Math.log2(value));
    return isBit && BIT.test(text ?? "") && !QUANTITY.test(other);
  };
  if (family === undefined || !isFlag(name, old.get(name)) || !isFlag(name, now.get(name))) return undefined;
  const others = [...old].filter(([other, macro]) => other !== name && familyOf(other) === family && isFlag(other, macro));
  const values = new Set([old.get(name), ...others.map(([, macro]) => macro)].map((macro) => macro?.value));
  return others.length >= 2 && values.size === others.length + 1
    ? `it is a flag like ${others[0]?.[0]}, and what is set is not seen any more`
    : undefined;
}

/** By the first word of its name: LO_FLAGS_READ_ONLY, LO_FLAGS_AUTOCLEAR. */
function familyOf(name: string): string | undefined {
  return /^_*[A-Za-z0-9]+(?=_)/.exec(name)?.[0];
}

/** Those without parameters that are defined once. */
function macrosOf(source: string): Map<string, Macro> {
  const texts = new Map<string, string | undefined>();
  const plain = source.replace(/\/\*[\s\S]*?\*\//g, (comment) => (comment.includes("\n") ? "\n" : " ")).replace(/\/\/[^\n]*/g, " ");
  for (const [, name = "", text = ""] of plain.matchAll(DEFINE))
    texts.set(name, texts.has(name) ? undefined : text.replaceAll("\\\n", " ").replace(/\s+/g, " ").trim());
  const macros = new Map<string, Macro>();
  for (const [name, text] of texts) if (text !== undefined && text !== "") macros.set(name, { text, value: numberOf(text, texts, 0) });
  return macros;
}

const DEEPEST = 8;
const TOKEN = /\s*(?:(0[xX][0-9a-fA-F]+|\d+)[uUlL]*|([A-Za-z_]\w*)|(<<|[-+*()|~]))/gy;

/** What an expression of numbers, other macros of the file, +, -, *, <<, |, ~ and BIT() comes to. */
function numberOf(text: string, texts: ReadonlyMap<string, string | undefined>, depth: number): number | undefined {
  const tokens: (number | string)[] = [];
  let read = 0;
  for (const found of text.matchAll(TOKEN)) {
    read += found[0].length;
    const [, number, word, operator] = found;
    if (number !== undefined) tokens.push(/^0[0-7]+$/.test(number) ? Number.parseInt(number, 8) : Number(number));
    else if (operator !== undefined) tokens.push(operator);
    else if (word === "BIT" || word === "BIT_ULL" || word === "_BITUL") tokens.push(1, "<<");
    else {
      const known = word === undefined || depth >= DEEPEST ? undefined : texts.get(word);
      const value = known === undefined ? undefined : numberOf(known, texts, depth + 1);
      if (value === undefined) return undefined;
      tokens.push(value);
    }
  }
  // Something that is none of these stands there.
  if (read < text.length) return undefined;
  const value = new Expression(tokens).value();
  return value !== undefined && Math.abs(value) <= LARGEST ? value : undefined;
}

/** From the loosest: | then << then + and - then *. */
const OPERATORS: readonly Readonly<Record<string, (a: number, b: number) => number>>[] = [
  { "|": (a, b) => Number(BigInt(a) | BigInt(b)) },
  { "<<": (a, b) => a * 2 ** b },
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "*": (a, b) => a * b },
];

class Expression {
  readonly #tokens: readonly (number | string)[];
  #at = 0;

  constructor(tokens: readonly (number | string)[]) {
    this.#tokens = tokens;
  }

  value(): number | undefined {
    const value = this.#level(0);
    return this.#at === this.#tokens.length && Number.isSafeInteger(value) ? value : undefined;
  }

  #level(level: number): number {
    const operators = OPERATORS[level];
    if (operators === undefined) return this.#one();
    let value = this.#level(level + 1);
    for (;;) {
      const apply = operators[String(this.#tokens[this.#at])];
      if (apply === undefined || !Number.isSafeInteger(value)) return value;
      this.#at++;
      const right = this.#level(level + 1);
      value = Number.isSafeInteger(right) ? apply(value, right) : Number.NaN;
    }
  }

  /** NaN for what is no expression. */
  #one(): number {
    const token = this.#tokens[this.#at++];
    if (typeof token === "number") return token;
    if (token === "-") return -this.#one();
    if (token === "~") return -this.#one() - 1;
    if (token !== "(") return Number.NaN;
    const value = this.#level(0);
    return this.#tokens[this.#at++] === ")" ? value : Number.NaN;
  }
}
