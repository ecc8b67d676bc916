/** Variables that live on and are read as something else. */
import type { Kind, Subject } from "../edit.ts";
import { isPlainlyUsed, type Live, live } from "../live.ts";
import { edit, enter, NOP, uses } from "../text.ts";

const family = "retype";

/** Types of C by the words that declare them: what is wider, and what has another sign. */
const WIDER: Record<string, string> = {
  int: "long",
  "unsigned int": "unsigned long",
  unsigned: "unsigned long",
  bool: "long",
  u8: "u32",
  u16: "u64",
  u32: "u64",
  char: "int",
  short: "long",
};
const SIGN: Record<string, string> = {
  int: "unsigned int",
  "unsigned int": "int",
  unsigned: "int",
  long: "unsigned long",
  "unsigned long": "long",
  u32: "s32",
  u64: "s64",
};

const plainType = ({ variable }: Live): string => variable.words.filter((word) => word !== "static").join(" ");

/** Without a star, without brackets. */
function numbers(subject: Subject): Live[] {
  return live(subject, "file").filter(({ variable }) => variable.stars === 0 && variable.bounds.length === 0);
}

/** Between `static` and the name. */
function typeSpan({ file }: Subject, { variable }: Live): { at: number; end: number } {
  const text = file.text.slice(variable.at, variable.nameAt);
  const skip = /^(?:static\s+)?/.exec(text)?.[0].length ?? 0;
  return { at: variable.at + skip, end: variable.nameAt };
}

const wider: Kind = {
  name: "wider-variable",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const one = subject.random.of(numbers(subject).filter((each) => plainType(each) in WIDER && each.variable.attributes.length === 0));
    const type = one && WIDER[plainType(one)];
    if (one === undefined || type === undefined) return undefined;
    return edit(subject, `${one.variable.name} is ${type} now`, [{ ...typeSpan(subject, one), text: `${type} ` }]);
  },
};

const sign: Kind = {
  name: "sign-of-variable",
  family,
  verdict: "either",
  tame: false,
  make(subject) {
    const one = subject.random.of(numbers(subject).filter((each) => plainType(each) in SIGN && each.variable.attributes.length === 0));
    const type = one && SIGN[plainType(one)];
    const user = one && subject.random.of(one.users);
    if (one === undefined || type === undefined || user === undefined) return undefined;
    return edit(subject, `${one.variable.name} is ${type} now`, [{ ...typeSpan(subject, one), text: `${type} ` }, enter(user, NOP)], {
      claims: [{ claim: "kernels", was: one.symbol, is: one.variable.name }],
    });
  },
};

/** A number becomes a structure of the same size, of which another part is the number. */
const halves: Kind = {
  name: "number-to-structure",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const suitable = numbers(subject).filter(
      (each) =>
        [4, 8].includes(each.size) &&
        /^(?:unsigned |int|long|u\d|s\d)/.test(`${plainType(each)} `) &&
        each.variable.initial === undefined &&
        each.variable.attributes.length === 0 &&
        each.variable.isStatic &&
        isPlainlyUsed(subject, each.variable),
    );
    const one = subject.random.of(suitable);
    if (one === undefined) return undefined;
    const { variable } = one;
    const half = one.size === 8 ? "unsigned int" : "unsigned short";
    return edit(subject, `${variable.name} becomes a structure`, [
      { ...typeSpan(subject, one), text: `struct { ${half} edit_low, edit_high; } ` },
      ...uses(subject.file, variable.name)
        .filter(({ at }) => at !== variable.nameAt)
        .map(({ end }) => ({ at: end, end, text: ".edit_high" })),
    ]);
  },
};

/** A pointer becomes a pointer to a pointer: as large as before, and something else lies where it leads. */
const deeper: Kind = {
  name: "pointer-to-pointer",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const suitable = live(subject, "file").filter(
      ({ variable }) => variable.stars === 1 && variable.bounds.length === 0 && variable.initial === undefined && variable.isStatic,
    );
    const one = subject.random.of(suitable);
    if (one === undefined) return undefined;
    const { variable } = one;
    return edit(subject, `${variable.name} points to a pointer`, [
      { at: variable.nameAt, end: variable.nameAt, text: "*" },
      ...uses(subject.file, variable.name)
        .filter(({ at }) => at !== variable.nameAt)
        .map(({ at, end }) => ({ at, end, text: `(*${variable.name})` })),
    ]);
  },
};

/** An array with room for more or fewer. */
const bound: Kind = {
  name: "array-bound",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const suitable = live(subject, "file").flatMap((one) => {
      const [first] = one.variable.bounds;
      return first === undefined || first.text === "" || one.variable.initial?.text.startsWith("{") === false ? [] : [{ ...one, first }];
    });
    const one = subject.random.of(suitable);
    const user = one && subject.random.of(one.users);
    if (one === undefined || user === undefined) return undefined;
    return edit(subject, `${one.variable.name} has room for more`, [
      { at: one.first.at, end: one.first.end, text: `(${one.first.text}) + 3` },
      enter(user, NOP),
    ]);
  },
};

/** A bound behind a macro, which code uses too. */
const boundMacro: Kind = {
  name: "macro-of-array-bound",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const { file } = subject;
    const suitable = file.defines.flatMap((define) =>
      live(subject, "file")
        .filter(({ variable }) => variable.bounds[0]?.text === define.name)
        .map((one) => ({ define, one })),
    );
    const found = subject.random.of(suitable);
    const user = found && subject.random.of(found.one.users);
    if (found === undefined || user === undefined) return undefined;
    const { value } = found.define;
    return edit(subject, `${found.define.name}, the bound of ${found.one.variable.name}, is larger`, [
      { ...value, text: `(${value.text} + 2)` },
      enter(user, NOP),
    ]);
  },
};

export const retypeKinds: readonly Kind[] = [wider, sign, halves, deeper, bound, boundMacro];
