/** Names that the kernel has already: functions that move, strong ones beside weak ones, new ones that are called as others are. */
import type { Kind, Subject } from "../edit.ts";
import { edit, enter, insert, isFree, NOP, runTime } from "../text.ts";

const family = "name";

/** A global function goes to another file, and changes: callers elsewhere must get it, too. */
const moveFunction: Kind = {
  name: "move-function-to-another-file",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const { file, tree, path, random } = subject;
    const statics = new Set([
      ...file.functions.filter(({ isStatic }) => isStatic).map(({ name }) => name),
      ...file.variables.filter(({ isStatic }) => isStatic).map(({ name }) => name),
      ...file.defines.map(({ name }) => name),
    ]);
    const suitable = runTime(subject).filter(
      ({ isStatic, tokens, end, at }) => !isStatic && end - at < 1500 && !tokens.some(({ text }) => statics.has(text)),
    );
    const one = random.of(suitable);
    const sibling = random.of(tree.siblings(path));
    if (one === undefined || sibling === undefined) return undefined;
    const text = file.text.slice(one.at, one.bodyAt);
    const body = file.text.slice(one.bodyAt, one.end);
    const exported = new RegExp(`^EXPORT_SYMBOL(?:_GPL)?\\(${one.name}\\);\\n`, "m").exec(file.text);
    const moved = edit(
      subject,
      `${one.name} moves to ${sibling.path}, and changes`,
      [
        { at: one.at, end: one.end, text: `extern ${text.slice(0, text.lastIndexOf("{")).trim()};` },
        ...(exported === null ? [] : [{ at: exported.index, end: exported.index + exported[0].length, text: "" }]),
      ],
      { claims: [{ claim: "replaces", name: one.name }] },
    );
    moved.files.push({
      path: sibling.path,
      before: sibling.text,
      after: `${sibling.text}\n${text}\n${NOP}${body}\n${exported?.[0] ?? ""}`,
    });
    return moved;
  },
};

/** A strong function where the kernel runs a weak one. */
const besideWeak: Kind = {
  name: "strong-beside-weak",
  family,
  verdict: "either",
  tame: false,
  make(subject) {
    const { tree, file, random, owner } = subject;
    // A module is a program of its own: what it calls so is not the kernel's.
    if (owner !== "vmlinux") return undefined;
    const one = random.of(tree.weak.filter(({ name }) => isFree(file, name)));
    const user = random.of(runTime(subject));
    if (one === undefined || user === undefined) return undefined;
    return edit(
      subject,
      `a strong ${one.name}`,
      [insert(user.at, `${one.head};\n${one.head}\n{\n${NOP}\t${one.returns}\n}\n\n`), enter(user, NOP)],
      {
        claims: [{ claim: "replaces", name: one.name }],
      },
    );
  },
};

/** A second function of a global name of the kernel. */
const secondGlobal: Kind = {
  name: "second-global-function",
  family,
  verdict: "either",
  tame: false,
  make(subject) {
    const { tree, file, random, path, owner } = subject;
    if (owner !== "vmlinux") return undefined;
    const one = random.of(tree.globals.filter((each) => each.path !== path && isFree(file, each.name)));
    const user = random.of(runTime(subject));
    if (one === undefined || user === undefined) return undefined;
    return edit(
      subject,
      `a second ${one.name}`,
      [insert(user.at, `${one.head};\n${one.head}\n{\n${NOP}\t${one.returns}\n}\n\n`), enter(user, NOP)],
      {
        claims: [{ claim: "replaces", name: one.name }],
      },
    );
  },
};

/** Variables of the kernel whose names are not said in most files. */
const COMMON = [
  "jiffies",
  "init_task",
  "system_wq",
  "nr_cpu_ids",
  "loops_per_jiffy",
  "max_pfn",
  "totalram_pages",
  "hugetlb_zero_vec",
  "panic_timeout",
  "vm_swappiness",
  "sysctl_vfs_cache_pressure",
  "max_threads",
  "pid_max",
  "tainted_mask",
  "oops_in_progress",
  "console_printk",
  "dirty_writeback_interval",
  "printk_ratelimit_state",
  "overflowuid",
  "avenrun",
];

const secondVariable: Kind = {
  name: "second-global-variable",
  family,
  verdict: "either",
  tame: false,
  make(subject) {
    const { tree, file, random, owner } = subject;
    if (owner !== "vmlinux") return undefined;
    const name = random.of(COMMON.filter((each) => isFree(file, each) && /^[DBRV]$/.test(tree.kernelSymbol(each) ?? "")));
    const user = random.of(runTime(subject));
    if (name === undefined || user === undefined) return undefined;
    return edit(
      subject,
      `a second ${name}`,
      [insert(user.at, `int ${name} = 3;\n\n`), enter(user, `\tWRITE_ONCE(${name}, READ_ONCE(${name}) + 1);\n`)],
      {
        claims: [{ claim: "refers", symbol: name }],
      },
    );
  },
};

/** A new static function, called as one of another file. */
const sameStatic: Kind = {
  name: "new-static-function-of-known-name",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const { tree, path, file, random } = subject;
    const sibling = random.of(tree.siblings(path));
    const names =
      sibling === undefined ? [] : [...sibling.text.matchAll(/^static (?:int|void|bool) (\w+)\(/gm)].map(([, name = ""]) => name);
    const name = random.of(names.filter((each) => isFree(file, each) && tree.kernelSymbol(each) === "t"));
    const user = random.of(runTime(subject));
    if (name === undefined || user === undefined) return undefined;
    return edit(
      subject,
      `a new static ${name}`,
      [insert(user.at, `static noinline void ${name}(void)\n{\n${NOP}}\n\n`), enter(user, `\t${name}();\n`)],
      {
        claims: [{ claim: "replacesIfDiffers", name: user.name }],
      },
    );
  },
};

/** A global function that nobody has. */
const newGlobal: Kind = {
  name: "new-global-function",
  family,
  verdict: "build",
  tame: true,
  make(subject: Subject) {
    const user = subject.random.of(runTime(subject));
    if (user === undefined || !isFree(subject.file, "edit_global_helper")) return undefined;
    return edit(
      subject,
      `${user.name} calls a new global function`,
      [
        insert(user.at, `void edit_global_helper(void);\nnoinline void edit_global_helper(void)\n{\n${NOP}}\n\n`),
        enter(user, "\tedit_global_helper();\n"),
      ],
      { claims: [{ claim: "replacesIfDiffers", name: user.name }] },
    );
  },
};

export const nameKinds: readonly Kind[] = [moveFunction, besideWeak, secondGlobal, secondVariable, sameStatic, newGlobal];
