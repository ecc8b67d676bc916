/** Functions that ftrace cannot redirect: by a probe if somebody says so (--redirect). */
import type { CFunction } from "../c-file.ts";
import type { Edit, Kind, Subject } from "../edit.ts";
import { edit, enter, inDirectives, NOP, runTime } from "../text.ts";

const family = "redirect";

/** Whoever of the file calls it does so: where it is made part of another function, that one differs as well. */
function isOnlyCalled({ file, facts }: Subject, { name }: CFunction): boolean {
  const callers = file.functions.filter((one) => one.name !== name && one.tokens.some(({ text }) => text === name));
  return callers.every((one) => facts.functions.get(one.name)?.refers.has(name) === true);
}

/** Others than those of the file call them. */
function withoutEntry(subject: Subject): CFunction[] {
  const { file, facts } = subject;
  return file.functions.filter((one) => {
    const { name, isInit, isMacro, isStatic, isInline, words } = one;
    const fact = facts.functions.get(name);
    const isPlain = !isInit && !isMacro && !isStatic && !isInline && !words.some((word) => /noinstr|__kprobes|nokprobe/.test(word));
    return (
      isPlain &&
      fact !== undefined &&
      !fact.init &&
      !fact.hasEntry &&
      fact.isGlobal &&
      !inDirectives(file, name) &&
      isOnlyCalled(subject, one)
    );
  });
}

const isForbidden = ({ file }: Subject, { name }: CFunction): boolean => new RegExp(`NOKPROBE_SYMBOL\\(${name}\\)`).test(file.text);

function changed(subject: Subject, one: CFunction | undefined, word: boolean): Edit | undefined {
  if (one === undefined) return undefined;
  return edit(subject, `${one.name} changes${word ? ", by a probe" : ""}`, [enter(one, NOP)], {
    claims: [{ claim: "redirects", name: one.name }],
    ...(word && { word: { redirects: [one.name] } }),
  });
}

/** Some jump to their own first instruction. */
const redirected: Kind = {
  name: "redirected-function",
  family,
  verdict: "either",
  codes: ["DIFF_REDIRECT"],
  tame: true,
  stays: true,
  make: (subject) => changed(subject, subject.random.of(withoutEntry(subject).filter((one) => !isForbidden(subject, one))), true),
};

const nobodysWord: Kind = {
  name: "not-redirected-function",
  family,
  verdict: "refuse",
  codes: ["DIFF_NOT_PATCHABLE"],
  tame: false,
  make: (subject) => changed(subject, subject.random.of(withoutEntry(subject)), false),
};

const forbidden: Kind = {
  name: "forbidden-redirect",
  family,
  verdict: "refuse",
  codes: ["DIFF_REDIRECT"],
  tame: false,
  make: (subject) => changed(subject, subject.random.of(withoutEntry(subject).filter((one) => isForbidden(subject, one))), true),
};

const needless: Kind = {
  name: "needless-redirect",
  family,
  verdict: "refuse",
  codes: ["BUILD_REDIRECT"],
  tame: false,
  make: (subject) => changed(subject, subject.random.of(runTime(subject)), true),
};

export const redirectKinds: readonly Kind[] = [redirected, nobodysWord, forbidden, needless];
