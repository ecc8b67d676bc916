/** Edits that mean the same as before. */

import type { CFunction } from "../c-file.ts";
import { closing } from "../c-tokens.ts";
import type { Kind, Subject } from "../edit.ts";
import { type Change, edit, enter, inDirectives, insert, isFree, NOP, rename, runTime, uses } from "../text.ts";

const family = "refactoring";

/** A comment or a blank line between statements. */
const comment: Kind = {
  name: "comment",
  family,
  verdict: "same",
  tame: true,
  make(subject) {
    const one = subject.random.of(subject.file.functions);
    if (one === undefined) return undefined;
    const ends = one.tokens.filter(({ text }) => text === ";" || text === "{");
    const place = subject.random.of(ends);
    return place && edit(subject, `a comment in ${one.name}`, [insert(place.end, " /* what this does is told here */")]);
  },
};

const whitespace: Kind = {
  name: "whitespace",
  family,
  verdict: "same",
  tame: true,
  make(subject) {
    const one = subject.random.of(subject.file.functions);
    const place = one && subject.random.of(one.tokens);
    return one && place && edit(subject, `blanks in ${one.name}`, [insert(place.at, "   ")]);
  },
};

/** Two functions beside each other change places; neither names the other. */
const reorder: Kind = {
  name: "reorder-functions",
  family,
  verdict: "same",
  tame: true,
  make(subject) {
    const { functions, text } = subject.file;
    const pairs = functions.flatMap((first, i): [CFunction, CFunction][] => {
      const second = functions[i + 1];
      if (second === undefined || first.isMacro || second.isMacro) return [];
      const between = text.slice(first.end, second.at).replace(/\/\*[\s\S]*?\*\//g, "");
      if (between.trim() !== "" || second.tokens.some((token) => token.text === first.name)) return [];
      return [[first, second]];
    });
    const pair = subject.random.of(pairs);
    if (pair === undefined) return undefined;
    const [first, second] = pair;
    return edit(subject, `${first.name} and ${second.name} change places`, [
      { at: first.at, end: first.end, text: text.slice(second.at, second.end) },
      { at: second.at, end: second.end, text: text.slice(first.at, first.end) },
    ]);
  },
};

const renameLocal: Kind = {
  name: "rename-local",
  family,
  verdict: "same",
  tame: true,
  make(subject) {
    const one = subject.random.of(subject.file.functions.filter(({ isMacro }) => !isMacro));
    const parameter = one && subject.random.of(one.parameters);
    if (one === undefined || parameter === undefined || !isFree(subject.file, `${parameter.name}_here`)) return undefined;
    return edit(
      subject,
      `parameter ${parameter.name} of ${one.name} renamed`,
      renameWithin(subject, one, parameter.name, `${parameter.name}_here`),
    );
  },
};

function renameWithin({ file }: Subject, one: CFunction, name: string, by: string): Change[] {
  return uses(file, name)
    .filter(({ at }) => at >= one.parametersAt && at < one.bodyEnd)
    .map(({ at, end }) => ({ at, end, text: by }));
}

const renameFunction: Kind = {
  name: "rename-static-function",
  family,
  verdict: "same",
  tame: true,
  make(subject) {
    const one = subject.random.of(runTime(subject).filter(({ isStatic, name }) => isStatic && !inDirectives(subject.file, name)));
    if (one === undefined) return undefined;
    return edit(subject, `${one.name} renamed`, rename(subject.file, one.name, `${one.name}_now`));
  },
};

const splitReturn: Kind = {
  name: "split-expression",
  family,
  verdict: "same",
  tame: true,
  make(subject) {
    const places = runTime(subject).flatMap((one) =>
      one.tokens.flatMap(({ text, at }, i) => {
        const end = one.tokens.slice(i).find((token) => token.text === ";");
        const inside = text === "return" && end !== undefined ? subject.file.text.slice(at + 6, end.at).trim() : "";
        return end === undefined || inside === "" || /[{}#\n]/.test(inside) ? [] : [{ one, at, end: end.end, inside }];
      }),
    );
    const place = subject.random.of(places);
    if (place === undefined) return undefined;
    const { one, at, end, inside } = place;
    return edit(subject, `the value that ${one.name} returns gets a name`, [
      { at, end, text: `do { __auto_type value_here = ${inside}; return value_here; } while (0);` },
    ]);
  },
};

/** A static function gets a parameter, and all of its callers give one. */
const addParameter: Kind = {
  name: "add-parameter",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const { file, random } = subject;
    const { tokens } = file.scan;
    const suitable = runTime(subject).filter(({ isStatic, name }) => isStatic && !inDirectives(file, name) && onlyCalled(subject, name));
    const one = random.of(suitable);
    if (one === undefined) return undefined;
    const changes = tokens.flatMap((token, i): Change[] => {
      if (token.kind !== "word" || token.text !== one.name) return [];
      const close = tokens[closing(tokens, i + 1)];
      const open = tokens[i + 1];
      if (close === undefined || open === undefined) return [];
      const inside = file.text.slice(open.end, close.at).trim();
      const isHead = one.nameAt === token.at || isPrototype(subject, i);
      const given = isHead ? "unsigned long edit_extra" : "1UL";
      if (inside === "" || inside === "void") return [{ at: open.end, end: close.at, text: given }];
      return [insert(close.at, `, ${given}`)];
    });
    const code = '\tasm volatile("nop" :: "r" (edit_extra) : "memory");\n';
    return edit(subject, `${one.name} gets a parameter`, [...changes, enter(one, code)]);
  },
};

function isPrototype({ file }: Subject, at: number): boolean {
  const { tokens } = file.scan;
  const close = closing(tokens, at + 1);
  const inside = file.functions.some(({ bodyAt, bodyEnd }) => (tokens[at]?.at ?? 0) > bodyAt && (tokens[at]?.at ?? 0) < bodyEnd);
  return !inside && /^(?:;|__\w+)$/.test(tokens[close + 1]?.text ?? "");
}

export function onlyCalled({ file }: Subject, name: string): boolean {
  const { tokens } = file.scan;
  return tokens.every((token, i) => token.text !== name || tokens[i + 1]?.text === "(");
}

/** A part of a function goes into a new one. */
const newHelper: Kind = {
  name: "new-helper",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const one = subject.random.of(runTime(subject));
    if (one === undefined || !isFree(subject.file, "edit_helper")) return undefined;
    return edit(
      subject,
      `${one.name} calls a new function`,
      [insert(one.at, `static noinline void edit_helper(void)\n{\n${NOP}}\n\n`), enter(one, "\tedit_helper();\n")],
      { claims: [{ claim: "replacesIfDiffers", name: one.name }] },
    );
  },
};

const staticToGlobal: Kind = {
  name: "static-function-to-global",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const one = subject.random.of(
      runTime(subject).filter(
        ({ isStatic, isInline, name, at }) =>
          isStatic &&
          !isInline &&
          subject.file.text.startsWith("static ", at) &&
          uses(subject.file, name).every((use) => use.at >= at) &&
          subject.tree.kernelSymbol(name) === "t",
      ),
    );
    if (one === undefined) return undefined;
    return edit(subject, `${one.name} is global now, and changed`, [{ at: one.at, end: one.at + 7, text: "" }, enter(one, NOP)], {
      claims: [{ claim: "replacesIfDiffers", name: one.name }],
    });
  },
};

export const refactorings: readonly Kind[] = [
  comment,
  whitespace,
  reorder,
  renameLocal,
  renameFunction,
  splitReturn,
  addParameter,
  newHelper,
  staticToGlobal,
];
