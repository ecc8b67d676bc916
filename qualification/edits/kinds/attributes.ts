/** What stands beside a variable's type: where it lies, when it can be written, how it is aligned. */
import type { Kind } from "../edit.ts";
import { isPlainlyUsed, live } from "../live.ts";
import { afterIncludes, edit, enter, insert, NOP, runTime } from "../text.ts";

const family = "attribute";

/** What is read-only since the boot is written. */
const afterInit: Kind = {
  name: "drop-ro-after-init",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const { random } = subject;
    const suitable = live(subject, "file").flatMap((one) => {
      const attribute = one.variable.attributes.find(({ name }) => name === "__ro_after_init");
      const plain = one.variable.stars > 0 || /\b(?:int|bool|long|u\d+|char|short|size_t)$/.test(one.variable.words.join(" "));
      return attribute === undefined || !plain || one.variable.bounds.length > 0 ? [] : [{ ...one, attribute }];
    });
    const one = random.of(suitable);
    const user = one && random.of(one.users);
    if (one === undefined || user === undefined) return undefined;
    const { name } = one.variable;
    return edit(subject, `${name} loses __ro_after_init, and ${user.name} writes it`, [
      { at: one.attribute.at, end: one.attribute.end, text: "" },
      enter(user, `\tWRITE_ONCE(${name}, READ_ONCE(${name}));\n`),
    ]);
  },
};

/** The same, and only read: the kernel's is as good. */
const afterInitRead: Kind = {
  name: "drop-ro-after-init-read",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const suitable = live(subject, "file").flatMap((one) => {
      const attribute = one.variable.attributes.find(({ name }) => name === "__ro_after_init");
      return attribute === undefined ? [] : [{ ...one, attribute }];
    });
    const one = subject.random.of(suitable);
    const user = one && subject.random.of(one.users);
    if (one === undefined || user === undefined) return undefined;
    return edit(
      subject,
      `${one.variable.name} loses __ro_after_init`,
      [{ at: one.attribute.at, end: one.attribute.end, text: "" }, enter(user, NOP)],
      {
        claims: [{ claim: "kernels", was: one.symbol, is: one.variable.name }],
      },
    );
  },
};

const dropReadMostly: Kind = {
  name: "drop-read-mostly",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const suitable = live(subject, "file").flatMap((one) => {
      const attribute = one.variable.attributes.find(({ name }) => name === "__read_mostly");
      return attribute === undefined ? [] : [{ ...one, attribute }];
    });
    const one = subject.random.of(suitable);
    const user = one && subject.random.of(one.users);
    if (one === undefined || user === undefined) return undefined;
    return edit(
      subject,
      `${one.variable.name} loses __read_mostly`,
      [{ at: one.attribute.at, end: one.attribute.end, text: "" }, enter(user, NOP)],
      {
        claims: [{ claim: "kernels", was: one.symbol, is: one.variable.name }],
      },
    );
  },
};

function adding(name: string, attribute: string, verdict: Kind["verdict"]): Kind {
  return {
    name,
    family,
    verdict,
    tame: true,
    make(subject) {
      const suitable = live(subject, "file").filter(({ variable }) => variable.attributes.length === 0);
      const one = subject.random.of(suitable);
      const user = one && subject.random.of(one.users);
      if (one === undefined || user === undefined) return undefined;
      const { variable } = one;
      const last = variable.bounds.at(-1);
      const at = last === undefined ? variable.nameAt + variable.name.length : last.end + 1;
      const claims = [{ claim: "kernels" as const, was: one.symbol, is: variable.name }];
      return edit(subject, `${variable.name} gets ${attribute}`, [insert(at, ` ${attribute}`), enter(user, NOP)], { claims });
    },
  };
}

/** A plain variable becomes one for each processor. */
const toPerCpu: Kind = {
  name: "variable-to-per-cpu",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const { file } = subject;
    const suitable = live(subject, "file").filter(
      ({ variable }) =>
        variable.isStatic &&
        variable.initial === undefined &&
        variable.bounds.length === 0 &&
        variable.attributes.length === 0 &&
        isPlainlyUsed(subject, variable),
    );
    const one = subject.random.of(suitable);
    if (one === undefined) return undefined;
    const { variable } = one;
    const type = file.text
      .slice(variable.at, variable.nameAt)
      .replace(/\bstatic\b/, "")
      .trim();
    const changes = file.scan.tokens
      .filter(
        ({ text, at }, i) => text === variable.name && at > variable.end && !["->", "."].includes(file.scan.tokens[i - 1]?.text ?? ""),
      )
      .map(({ at, end }) => ({ at, end, text: `(*raw_cpu_ptr(&${variable.name}))` }));
    return edit(subject, `${variable.name} becomes per-CPU`, [
      insert(afterIncludes(file), "#include <linux/percpu.h>\n"),
      { at: variable.at, end: variable.end, text: `static DEFINE_PER_CPU(${type}, ${variable.name});` },
      ...changes,
    ]);
  },
};

/** A per-CPU variable in another of the per-CPU sections. */
const perCpuSection: Kind = {
  name: "per-cpu-section",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const suitable = subject.file.macros.flatMap((macro) => {
      const name = macro.arguments[1];
      if (macro.name !== "DEFINE_PER_CPU" || name === undefined || !/^\w+$/.test(name)) return [];
      const users = runTime(subject).filter((one) => one.tokens.some(({ text }) => text === name));
      return users.length === 0 || !subject.facts.variables.has(name) ? [] : [{ macro, name, users }];
    });
    const one = subject.random.of(suitable);
    const user = one && subject.random.of(one.users);
    if (one === undefined || user === undefined) return undefined;
    const at = subject.file.text.indexOf("DEFINE_PER_CPU", one.macro.at) + "DEFINE_PER_CPU".length;
    return edit(subject, `per-CPU ${one.name} lies elsewhere`, [insert(at, "_READ_MOSTLY"), enter(user, NOP)], {
      claims: [{ claim: "kernels", was: one.name, is: one.name }],
    });
  },
};

export const attributeKinds: readonly Kind[] = [
  afterInit,
  afterInitRead,
  dropReadMostly,
  adding("add-read-mostly", "__read_mostly", "build"),
  adding("add-ro-after-init", "__ro_after_init", "either"),
  adding("add-initdata", "__initdata", "either"),
  adding("add-alignment", "__attribute__((aligned(128)))", "either"),
  toPerCpu,
  perCpuSection,
];
