/** Each use of a member in the fixed source becomes a call that reads or writes what lies beside the object. */
import { fail } from "../errors.ts";
import { getter, setter } from "./generated.ts";
import { type NewMember, nameOf } from "./members.ts";
import { argumentsOf, callsAround, endOfExpression, indexOf, masked, skipBack, skipOn, startOfOperand } from "./text.ts";

/** A place where the compiler misses a member. */
export interface Use {
  member: NewMember;
  line: number;
  column: number;
}

/** What was made of a place in the source. */
export interface Site {
  file: string;
  line: number;
  what: "read" | "written" | "begins" | "ends";
  /** The structure, or TYPE.MEMBER. */
  of: string;
}

/** What is put into the text besides. */
export interface Inserted {
  at: number;
  text: string;
}

/** @returns the text with its lines where they were. @throws BUILD_SHADOW_USE */
export function rewriteUses(
  file: string,
  given: string,
  uses: readonly Use[],
  inserted: readonly Inserted[] = [],
): { text: string; sites: Site[] } {
  let text = given;
  const sites: Site[] = [];
  const pending: [number, Use | string][] = [
    ...new Map(uses.map((use) => [indexOf(given, use.line, use.column), use])).entries(),
    ...inserted.map(({ at, text: by }): [number, string] => [at, by]),
  ];
  pending.sort(([a], [b]) => b - a);
  const done = new Set<number>();
  for (let i = 0; i < pending.length; i++) {
    const [at, use] = pending[i] ?? [];
    if (at === undefined || use === undefined) continue;
    if (typeof use === "string") {
      text = text.slice(0, at) + use + text.slice(at);
      continue;
    }
    const one = rewriteOne(text, at, use, file);
    if (done.has(one.arrow)) continue;
    text = text.slice(0, one.start) + one.text + text.slice(one.end);
    done.add(one.arrow);
    // Of those before it, the ones in its own expression have moved.
    const moved = (index: number): number => (index > one.start ? index + one.before : index);
    for (let k = i + 1; k < pending.length; k++) {
      const entry = pending[k];
      if (entry === undefined) continue;
      if (one.twice && entry[0] > one.start && entry[0] < one.arrow)
        throw refusal(use, file, "it is changed in an object that another new member leads to");
      entry[0] = moved(entry[0]);
    }
    sites.push({ file, line: use.line, what: one.what, of: nameOf(use.member) });
  }
  return { text, sites: sites.reverse() };
}

function refusal({ member, line }: Use, file: string, why: string) {
  return fail("BUILD_SHADOW_USE", why, { file: `${file}:${line}`, symbol: nameOf(member) });
}

interface Rewritten {
  start: number;
  end: number;
  text: string;
  /** Of the `->` or `.` before the member. */
  arrow: number;
  /** How many characters now come before the object's own expression. */
  before: number;
  /** The object's expression is there twice. */
  twice: boolean;
  what: "read" | "written";
}

function rewriteOne(text: string, at: number, use: Use, file: string): Rewritten {
  const { member } = use;
  const { name } = member;
  const refuse = (why: string) => refusal(use, file, why);
  const mask = masked(text);
  const arrow = arrowAt(mask, at, name);
  if (arrow === undefined) throw refuse("it is named in another way than as a member of an object: in an initial value, or by offsetof()");
  const isPointer = mask[arrow] === "-";
  const begin = startOfOperand(mask, arrow);
  if (begin === undefined) throw refuse("what object it is a member of cannot be told for certain from the text");
  const operand = text.slice(begin, skipBack(mask, arrow));
  const object = isPointer ? operand : `&(${operand})`;
  const lead = isPointer ? 0 : 2;
  const end = skipOn(mask, arrow + (isPointer ? 2 : 1)) + name.length;
  const next = skipOn(mask, end);
  const previous = skipBack(mask, begin);
  const [around] = callsAround(mask, begin);
  const isArgument = (i: number): boolean => {
    if (around === undefined) return false;
    const span = argumentsOf(mask, around)[i];
    return span?.start === begin && span.end === end;
  };
  const read = (start = begin, stop = end): Rewritten => {
    const before = `${getter(member)}(`;
    return {
      start,
      end: stop,
      text: `${before}${object})`,
      arrow,
      before: before.length + lead + start - begin,
      twice: false,
      what: "read",
    };
  };
  const written = (stop: number, value: string, { start = begin, twice = false } = {}): Rewritten => {
    const before = `${setter(member)}(`;
    return {
      start,
      end: stop,
      text: `${before}${object}, ${value})`,
      arrow,
      before: before.length + lead + start - begin,
      twice,
      what: "written",
    };
  };
  const changed = (stop: number, operator: string, value: string, start = begin): Rewritten => {
    if (/\w\s*\(|\)\s*\(|\+\+|--|=/.test(operand.replace(/[<>!=]=/g, "")))
      throw refuse("its object would have to be evaluated twice, which may do something each time");
    return written(stop, `${getter(member)}(${object}) ${operator} ${value}`, { start, twice: true });
  };
  if (around?.name === "WRITE_ONCE" && isArgument(0)) {
    const second = argumentsOf(mask, around)[1];
    if (second === undefined) throw refuse("it is written in a way that is not understood");
    const value = text.slice(second.start, second.end);
    return {
      ...written(around.close + 1, `(${value})`, { start: around.start }),
      before: setter(member).length + 1 + lead + around.start - begin,
    };
  }
  if (around?.name === "READ_ONCE" && isArgument(0)) return read(around.start, around.close + 1);
  const sign = mask[previous - 1] ?? "";
  const isUnary = (width: number): boolean =>
    !/[\w)\]]/.test(mask[skipBack(mask, previous - width) - 1] ?? "") || /\breturn$/.test(mask.slice(0, skipBack(mask, previous - width)));
  if (sign === "&" && mask[previous - 2] !== "&" && isUnary(1)) throw refuse("its address is taken");
  const isStatement = (start: number, stop: number): boolean =>
    /[;{}):]|^$/.test(mask[skipBack(mask, start) - 1] ?? "") && /[;)]/.test(mask[skipOn(mask, stop)] ?? "");
  const twin = mask.slice(previous - 2, previous);
  if (twin === "++" || twin === "--") {
    if (/[\w)\]]/.test(mask[skipBack(mask, previous - 2) - 1] ?? "")) throw refuse("how it is changed is not understood");
    return changed(end, twin[0] ?? "", "1", previous - 2);
  }
  const two = mask.slice(next, next + 2);
  if (two === "++" || two === "--") {
    if (!isStatement(begin, next + 2)) throw refuse(`what it was before ${two} is used`);
    return changed(next + 2, two[0] ?? "", "1");
  }
  const operator = /^(?:<<|>>|[-+*/%&|^])?=(?!=)/.exec(mask.slice(next, next + 3))?.[0];
  if (operator !== undefined) {
    const from = skipOn(mask, next + operator.length);
    const stop = endOfExpression(mask, from);
    if (stop === undefined) throw refuse("where what is assigned to it ends cannot be told");
    const last = skipBack(mask, stop);
    const value = text.slice(from, last);
    return operator === "=" ? written(last, `(${value})`) : changed(last, operator.slice(0, -1), `(${value})`);
  }
  return read();
}

/** The compiler names the place of the sign, or of the name behind it. */
export function arrowAt(mask: string, at: number, name: string): number | undefined {
  const isName = (index: number): boolean => mask.startsWith(name, index) && !/\w/.test(mask[index + name.length] ?? "");
  // In an initial value, { .name = ... }, there is no object.
  const isBehindObject = (index: number): boolean => /[\w)\]]/.test(mask[skipBack(mask, index) - 1] ?? "");
  for (const sign of ["->", "."])
    if (mask.startsWith(sign, at) && isName(skipOn(mask, at + sign.length))) return isBehindObject(at) ? at : undefined;
  if (!isName(at)) return undefined;
  const before = skipBack(mask, at);
  const arrow = mask.slice(before - 2, before) === "->" ? before - 2 : mask[before - 1] === "." ? before - 1 : undefined;
  return arrow !== undefined && isBehindObject(arrow) ? arrow : undefined;
}
