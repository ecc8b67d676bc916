/** Functions that nothing but one word of a table leads to, and another that the fix has in their place. */
import type { Kind, Subject } from "../edit.ts";
import { copyOf, inTables } from "../tables.ts";
import { edit, enter, insert, isFree, NOP, rename } from "../text.ts";

const family = "place";
const NEW = "edit_in_its_place";

const placeOf = (subject: Subject) => (isFree(subject.file, NEW) ? subject.random.of(inTables(subject)) : undefined);

/** The old one is gone. */
const another: Kind = {
  name: "another-function-in-its-place",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const found = placeOf(subject);
    if (found === undefined) return undefined;
    const { one } = found;
    return edit(subject, `${NEW} in place of ${one.name}`, [...rename(subject.file, one.name, NEW), enter(one, NOP)], {
      claims: [{ claim: "replaces", name: one.name }],
    });
  },
};

/** It takes more than whoever calls by the table hands it. */
const anotherType: Kind = {
  name: "another-type-in-its-place",
  family,
  verdict: "refuse",
  codes: ["BUILD_SUCCESSOR"],
  tame: false,
  make(subject) {
    const found = placeOf(subject);
    if (found === undefined) return undefined;
    const { one, value } = found;
    const isEmpty = /^\s*(?:void)?\s*$/.test(subject.file.text.slice(one.parametersAt, one.parametersEnd));
    return edit(subject, `${NEW}, which takes more, in place of ${one.name}`, [
      { at: one.nameAt, end: one.nameAt + one.name.length, text: NEW },
      { at: isEmpty ? one.parametersAt : one.parametersEnd, end: one.parametersEnd, text: `${isEmpty ? "" : ", "}unsigned long edit_more` },
      enter(one, '\tasm volatile("nop" :: "r" (edit_more) : "memory");\n'),
      { at: value.at, end: value.end, text: `(void *)${NEW}` },
    ]);
  },
};

/** The new one calls the old one: replaced by it, that would call itself, but where the compiler has made one of both. */
const around: Kind = {
  name: "function-around-it-in-its-place",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const found = placeOf(subject);
    if (found === undefined) return undefined;
    const { one, value } = found;
    const { text } = subject.file;
    const isVoid = one.words.includes("void") && !text.slice(one.at, one.nameAt).includes("*");
    const call = `${one.name}(${one.parameters.map(({ name }) => name).join(", ")});`;
    const head = copyOf(subject, { ...one, end: one.bodyAt }, NEW)
      .slice(0, -1)
      .trimEnd();
    const body = `{\n${NOP}\t${isVoid ? "" : "return "}${call}\n}\n`;
    return edit(
      subject,
      `${NEW} around ${one.name} in its place`,
      [insert(one.end, `\n\n${head}\n${body}`), { at: value.at, end: value.end, text: NEW }],
      { claims: [{ claim: "replaces", name: one.name }] },
    );
  },
};

export const placeKinds: readonly Kind[] = [another, anotherType, around];
