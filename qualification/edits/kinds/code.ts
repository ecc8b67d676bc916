/** Edits of code alone, as most fixes are: a module must come out. */

import type { CFunction } from "../c-file.ts";
import type { Kind, Subject } from "../edit.ts";
import { afterIncludes, edit, enter, insert, isFree, NOP, runTime } from "../text.ts";

const family = "code";

/** A limit that something is compared with. */
const limit: Kind = {
  name: "constant-in-comparison",
  family,
  verdict: "build",
  tame: false,
  make(subject) {
    const places = runTime(subject).flatMap((one) =>
      one.tokens.flatMap((token, i) =>
        token.kind === "number" && /^[1-9]\d{0,4}$/.test(token.text) && ["<", ">", "<=", ">="].includes(one.tokens[i - 1]?.text ?? "")
          ? [{ one, token }]
          : [],
      ),
    );
    const place = subject.random.of(places);
    if (place === undefined) return undefined;
    const { one, token } = place;
    return edit(
      subject,
      `${token.text} in ${one.name} is one more`,
      [{ at: token.at, end: token.end, text: String(Number(token.text) + 1) }],
      {
        claims: [{ claim: "replacesIfDiffers", name: one.name }],
      },
    );
  },
};

/** What a function may return at once. */
function bailOut({ words }: CFunction, stars: boolean): string | undefined {
  if (stars) return "return NULL;";
  if (words.includes("void")) return "return;";
  return words.some((word) => ["int", "bool", "long", "ssize_t", "unsigned", "u32", "u64", "size_t", "loff_t"].includes(word))
    ? "return 0;"
    : undefined;
}

const addCheck: Kind = {
  name: "add-check",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const places = runTime(subject).flatMap((one) => {
      const pointer = one.parameters.find(({ isPointer }) => isPointer);
      const leave = bailOut(one, subject.file.text.slice(one.at, one.nameAt).includes("*"));
      return pointer === undefined || leave === undefined ? [] : [{ one, pointer, leave }];
    });
    const place = subject.random.of(places);
    if (place === undefined) return undefined;
    const { one, pointer, leave } = place;
    return edit(
      subject,
      `${one.name} checks ${pointer.name}`,
      [enter(one, `\tif (unlikely((unsigned long)${pointer.name} == 0xdead4eadUL))\n\t\t${leave}\n`)],
      {
        claims: [{ claim: "replacesIfDiffers", name: one.name }],
      },
    );
  },
};

const debugMessage: Kind = {
  name: "add-debug-message",
  family,
  verdict: "build",
  tame: true,
  make: (subject) => entering(subject, "a debug message", '\tpr_debug("edit: %s is entered\\n", __func__);\n'),
};

const onceMessage: Kind = {
  name: "add-message-once",
  family,
  verdict: "build",
  tame: true,
  make: (subject) => entering(subject, "a message that comes once", '\tpr_info_once("edit: entered\\n");\n'),
};

function entering(subject: Subject, what: string, code: string) {
  const one = subject.random.of(runTime(subject));
  return one && edit(subject, `${what} in ${one.name}`, [enter(one, code)], { claims: [{ claim: "replacesIfDiffers", name: one.name }] });
}

const counter: Kind = {
  name: "new-static-variable",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const one = subject.random.of(runTime(subject));
    if (one === undefined || !isFree(subject.file, "edit_count")) return undefined;
    return edit(
      subject,
      `${one.name} counts in a new variable`,
      [insert(one.at, "static unsigned long edit_count;\n\n"), enter(one, "\tWRITE_ONCE(edit_count, READ_ONCE(edit_count) + 1);\n")],
      { claims: [{ claim: "own", name: "edit_count" }], news: ["edit_count"] },
    );
  },
};

const localCounter: Kind = {
  name: "new-static-local",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const one = subject.random.of(runTime(subject));
    if (one === undefined || !isFree(subject.file, "edit_calls")) return undefined;
    return edit(
      subject,
      `${one.name} counts in a new static variable of its own`,
      [enter(one, "\tstatic int edit_calls = 7;\n\tWRITE_ONCE(edit_calls, READ_ONCE(edit_calls) + 1);\n")],
      { news: ["edit_calls"] },
    );
  },
};

const perCpu: Kind = {
  name: "new-per-cpu-variable",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const one = subject.random.of(runTime(subject));
    if (one === undefined || !isFree(subject.file, "edit_hits")) return undefined;
    return edit(
      subject,
      `${one.name} counts in a new per-CPU variable`,
      [
        insert(afterIncludes(subject.file), "#include <linux/percpu.h>\n"),
        insert(one.at, "static DEFINE_PER_CPU(unsigned long, edit_hits);\n\n"),
        enter(one, "\tthis_cpu_inc(edit_hits);\n"),
      ],
      { news: ["edit_hits"] },
    );
  },
};

/** Two functions of a file at once. */
const two: Kind = {
  name: "two-functions",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const [first, second] = subject.random.shuffled(runTime(subject));
    if (first === undefined || second === undefined) return undefined;
    return edit(subject, `${first.name} and ${second.name} change`, [enter(first, NOP), enter(second, NOP)], {
      claims: [
        { claim: "replacesIfDiffers", name: first.name },
        { claim: "replacesIfDiffers", name: second.name },
      ],
    });
  },
};

/** A number behind a macro that only code uses. */
const limitMacro: Kind = {
  name: "macro-in-comparison",
  family,
  verdict: "build",
  tame: false,
  make(subject) {
    const { file } = subject;
    const functions = runTime(subject);
    const suitable = file.defines.filter(({ name }) => {
      const { tokens } = file.scan;
      const at = tokens.flatMap((token, i) => (token.text === name ? [i] : []));
      return (
        at.length > 0 &&
        !file.scan.directives.some(({ text }) => !/^#\s*define\s+/.test(text) && new RegExp(`\\b${name}\\b`).test(text)) &&
        file.scan.directives.filter(({ text }) => new RegExp(`\\b${name}\\b`).test(text)).length === 1 &&
        // Inlined into others it is theirs; of a function that has no entry there is nothing to replace.
        at.every((i) => functions.some(({ bodyAt, bodyEnd }) => (tokens[i]?.at ?? 0) > bodyAt && (tokens[i]?.at ?? 0) < bodyEnd)) &&
        at.every((i) => ["<", ">", "<=", ">="].includes(tokens[i - 1]?.text ?? "") && /^[);&|?]/.test(tokens[i + 1]?.text ?? ""))
      );
    });
    const one = subject.random.of(suitable);
    const value = one && /0x[\da-fA-F]+|\d+/.exec(one.value.text)?.[0];
    if (one === undefined || value === undefined) return undefined;
    return edit(subject, `the limit ${one.name} is one more`, [
      { ...one.value, text: one.value.text.replace(value, String(Number(value) + 1)) },
    ]);
  },
};

export const codeEdits: readonly Kind[] = [limit, addCheck, debugMessage, onceMessage, counter, localCounter, perCpu, two, limitMacro];
