/** Functions that nothing but one word of a table leads to, and another that the fix has in their place. */
import type { CFunction } from "../c-file.ts";
import type { Kind, Subject } from "../edit.ts";
import { type Change, edit, enter, inDirectives, insert, isFree, NOP, rename, runTime, uses } from "../text.ts";

const family = "place";
const NEW = "edit_in_its_place";

/** Static ones with one use, which is the value of a member: `.open = one,`. */
function inPlaces(subject: Subject): { one: CFunction; use: Change }[] {
  const { file, facts } = subject;
  const { tokens } = file.scan;
  if (!isFree(file, NEW)) return [];
  return runTime(subject).flatMap((one) => {
    const [use, ...others] = uses(file, one.name).filter(({ at }) => at !== one.nameAt);
    if (!one.isStatic || use === undefined || others.length > 0 || inDirectives(file, one.name)) return [];
    // What a function fills in is code.
    if (file.functions.some(({ bodyAt, bodyEnd }) => use.at > bodyAt && use.at < bodyEnd)) return [];
    // The compiler may have read the table for others.
    if ([...facts.functions].some(([name, { refers }]) => name !== one.name && refers.has(one.name))) return [];
    const i = tokens.indexOf(use);
    const isMember = tokens[i - 1]?.text === "=" && tokens[i - 3]?.text === "." && [",", "}"].includes(tokens[i + 1]?.text ?? "");
    return isMember ? [{ one, use: { at: use.at, end: use.end, text: NEW } }] : [];
  });
}

/** The old one is gone. */
const another: Kind = {
  name: "another-function-in-its-place",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const found = subject.random.of(inPlaces(subject));
    if (found === undefined) return undefined;
    const { one } = found;
    return edit(subject, `${NEW} in place of ${one.name}`, [...rename(subject.file, one.name, NEW), enter(one, NOP)], {
      claims: [{ claim: "replaces", name: one.name }],
    });
  },
};

/** The new one calls the old one: replaced by it, that would call itself, but where the compiler has made one of both. */
const around: Kind = {
  name: "function-around-it-in-its-place",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const found = subject.random.of(inPlaces(subject).filter(({ one }) => one.parameters.every(({ name }) => name !== "")));
    if (found === undefined) return undefined;
    const { one, use } = found;
    const { text } = subject.file;
    const head = `${text.slice(one.at, one.nameAt)}${NEW}${text.slice(one.nameAt + one.name.length, one.bodyAt - 1).trimEnd()}`;
    const isVoid = one.words.includes("void") && !text.slice(one.at, one.nameAt).includes("*");
    const call = `${one.name}(${one.parameters.map(({ name }) => name).join(", ")});`;
    const body = `{\n${NOP}\t${isVoid ? "" : "return "}${call}\n}\n`;
    return edit(subject, `${NEW} around ${one.name} in its place`, [insert(one.end, `\n\n${head}\n${body}`), use], {
      claims: [{ claim: "replaces", name: one.name }],
    });
  },
};

export const placeKinds: readonly Kind[] = [another, around];
