/** Variables that the running kernel has and that code which can be replaced uses. */
import type { CFunction, CVariable } from "./c-file.ts";
import type { Subject } from "./edit.ts";
import { variableSymbol } from "./facts.ts";
import { type Change, inDirectives, runTime } from "./text.ts";

export interface Live {
  variable: CVariable;
  /** The symbol's name in the object. */
  symbol: string;
  size: number;
  section: string;
  /** The function that it is in. */
  within: CFunction | undefined;
  /** Functions that use it and can be replaced. */
  users: CFunction[];
}

/** Writable ones, of the file or of a function. Those that macros name are left out: they cannot be changed token by token. */
export function live(subject: Subject, where: "file" | "function"): Live[] {
  const { file, facts } = subject;
  const functions = runTime(subject);
  const all =
    where === "file"
      ? file.variables.map((variable) => ({ variable, within: undefined }))
      : functions.flatMap((within) => within.statics.map((variable) => ({ variable, within })));
  return all.flatMap(({ variable, within }) => {
    const symbol = variableSymbol(facts, variable.name, within !== undefined);
    const fact = symbol === undefined ? undefined : facts.variables.get(symbol);
    if (symbol === undefined || fact === undefined || !fact.writable || inDirectives(file, variable.name)) return [];
    if (/init\.|^\.init|percpu/.test(fact.section) && !fact.section.includes("after_init")) return [];
    const users = functions.filter(({ name }) => fact.users.includes(name));
    return users.length === 0 ? [] : [{ variable, symbol, size: fact.size, section: fact.section, within, users }];
  });
}

/** Integers whose every use is a plain one, without its address. */
export function isPlainlyUsed({ file }: Subject, { name }: CVariable): boolean {
  const { tokens } = file.scan;
  return tokens.every((token, i) => token.text !== name || !["&", "sizeof"].includes(tokens[i - 1]?.text ?? ""));
}

/** Those that begin with a number, and the next one. */
export function numbers(subject: Subject): (Live & { value: Change })[] {
  return live(subject, "file").flatMap((one) => {
    const value = one.section.includes("after_init") || one.variable.stars > 0 ? undefined : next(one.variable.initial);
    return value === undefined ? [] : [{ ...one, value }];
  });
}

/** The next number in place of one. */
export function next(number: { at: number; end: number; text: string } | undefined): Change | undefined {
  if (number === undefined || !/^(?:0x[\da-fA-F]+|\d+)[uUlL]*$/.test(number.text)) return undefined;
  const { at, end, text } = number;
  return { at, end, text: String(Number.parseInt(text, text.startsWith("0x") ? 16 : 10) + 1) };
}
