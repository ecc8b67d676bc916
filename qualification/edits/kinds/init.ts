/** What runs only while the kernel boots, together with what runs later. */
import type { CFunction } from "../c-file.ts";
import type { Kind, Subject } from "../edit.ts";
import { live } from "../live.ts";
import { edit, enter, insert, isFree, NOP, runTime } from "../text.ts";

const family = "init";

/** Functions that the object has in what is thrown away after the boot. */
function initFunctions({ file, facts }: Subject): CFunction[] {
  return file.functions.filter((one) => one.words.includes("__init") && !one.isMacro && facts.functions.get(one.name)?.init === true);
}

function both(subject: Subject): { init: CFunction; later: CFunction } | undefined {
  const init = subject.random.of(initFunctions(subject));
  const later = subject.random.of(runTime(subject));
  return init === undefined || later === undefined ? undefined : { init, later };
}

/** Nothing of what runs later depends on it. */
const apart: Kind = {
  name: "init-and-other-code",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const found = both(subject);
    if (found === undefined) return undefined;
    return edit(
      subject,
      `${found.init.name} says something, ${found.later.name} changes`,
      [enter(found.init, '\tpr_info("edit: init\\n");\n'), enter(found.later, NOP)],
      {
        claims: [{ claim: "replacesIfDiffers", name: found.later.name }],
      },
    );
  },
};

/** Only init code: there is nothing to patch. */
const alone: Kind = {
  name: "init-only",
  family,
  verdict: "same",
  tame: true,
  make(subject) {
    const init = subject.random.of(initFunctions(subject));
    return init && edit(subject, `only ${init.name} changes`, [enter(init, NOP)]);
  },
};

/** A new variable that init code sets and code that runs later reads. */
const newVariable: Kind = {
  name: "init-sets-new-variable",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const found = both(subject);
    if (found === undefined || !isFree(subject.file, "edit_limit")) return undefined;
    const { init, later } = found;
    const first = Math.min(init.at, later.at);
    return edit(
      subject,
      `${init.name} sets a new variable that ${later.name} reads`,
      [
        insert(first, "static unsigned long edit_limit;\n\n"),
        enter(init, "\tedit_limit = 4096;\n"),
        enter(later, '\tasm volatile("" :: "r" (edit_limit) : "memory");\n'),
      ],
      { news: ["edit_limit"] },
    );
  },
};

/** The same through a pointer that is allocated. */
const newPointer: Kind = {
  name: "init-allocates-new-pointer",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const found = both(subject);
    if (found === undefined || !isFree(subject.file, "edit_table")) return undefined;
    const { init, later } = found;
    const first = Math.min(init.at, later.at);
    return edit(
      subject,
      `${init.name} allocates what ${later.name} reads`,
      [
        insert(first, "static unsigned long *edit_table;\n\n"),
        enter(init, "\tedit_table = (void *)__get_free_page(GFP_KERNEL);\n"),
        enter(later, "\tREAD_ONCE(*edit_table);\n"),
      ],
      { news: ["edit_table"] },
    );
  },
};

/** Passed by its address to a function that fills it in. */
const newByAddress: Kind = {
  name: "init-fills-new-structure",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const found = both(subject);
    if (found === undefined || !isFree(subject.file, "edit_state")) return undefined;
    const { init, later } = found;
    const first = Math.min(init.at, later.at);
    return edit(
      subject,
      `${init.name} has a new structure filled in that ${later.name} reads`,
      [
        insert(
          first,
          "static struct { unsigned long a, b; } edit_state;\nstatic noinline void edit_fill(unsigned long *at)\n{\n\t*at = 3;\n}\n\n",
        ),
        enter(init, "\tedit_fill(&edit_state.b);\n"),
        enter(later, '\tasm volatile("" :: "r" (READ_ONCE(edit_state.b)) : "memory");\n'),
      ],
      { news: ["edit_state"] },
    );
  },
};

/** A variable of the kernel that init code sets to something else than it did. */
const otherValue: Kind = {
  name: "init-sets-variable-otherwise",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const suitable = initFunctions(subject).flatMap((init) =>
      live(subject, "file").flatMap((one) => {
        const { variable } = one;
        // Behind the last assignment in it, so that nothing sets it again.
        const { tokens } = init;
        const last = tokens.findLastIndex(({ text }, i) => text === variable.name && tokens[i + 1]?.text === "=");
        const behind = tokens.slice(Math.max(last, 0)).find(({ text }) => text === ";");
        if (
          last < 0 ||
          behind === undefined ||
          variable.stars + variable.bounds.length > 0 ||
          !/\b(?:int|long|bool|u\d+|size_t|unsigned)$/.test(variable.words.join(" "))
        )
          return [];
        return [{ init, one, behind }];
      }),
    );
    const found = subject.random.of(suitable);
    const user = found && subject.random.of(found.one.users);
    if (found === undefined || user === undefined) return undefined;
    const { name } = found.one.variable;
    return edit(subject, `${found.init.name} sets ${name} otherwise, ${user.name} changes`, [
      insert(found.behind.end, ` ${name} = !${name};`),
      enter(user, NOP),
    ]);
  },
};

/** A function that is called once the kernel is up, because it is registered. */
const newInitcall: Kind = {
  name: "new-initcall",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const later = subject.random.of(runTime(subject));
    // In a module, more than one is an error.
    if (later === undefined || !isFree(subject.file, "edit_init") || /\bmodule_init\b|\bmodule_\w+_driver\b/.test(subject.file.text))
      return undefined;
    return edit(
      subject,
      `a new initcall sets what ${later.name} reads`,
      [
        insert(
          later.at,
          "static int edit_ready;\nstatic int __init edit_init(void)\n{\n\tedit_ready = 1;\n\treturn 0;\n}\nlate_initcall(edit_init);\n\n",
        ),
        enter(later, '\tasm volatile("" :: "r" (READ_ONCE(edit_ready)) : "memory");\n'),
      ],
      { news: ["edit_ready"] },
    );
  },
};

/** Code that runs later now uses what is thrown away after the boot. */
const usesInitdata: Kind = {
  name: "uses-new-initdata",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const later = subject.random.of(runTime(subject));
    if (later === undefined || !isFree(subject.file, "edit_once")) return undefined;
    return edit(
      subject,
      `${later.name} uses a new __initdata variable`,
      [insert(later.at, "static int edit_once __initdata = 5;\n\n"), enter(later, "\tWRITE_ONCE(edit_once, READ_ONCE(edit_once) + 1);\n")],
      { news: ["edit_once"] },
    );
  },
};

export const initKinds: readonly Kind[] = [apart, alone, newVariable, newPointer, newByAddress, otherValue, newInitcall, usesInitdata];
