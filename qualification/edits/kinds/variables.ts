/** Variables that change their name, their home or their value, and functions that use another one. */
import type { Edit, Kind, Subject } from "../edit.ts";
import { variableSymbol } from "../facts.ts";
import { type Live, live, numbers } from "../live.ts";
import { type Change, edit, enter, insert, isFree, NOP, rename, uses } from "../text.ts";

const family = "variable";

/** Beside the edit, a function that uses the variable changes: so there is something to build. */
function touched(subject: Subject, { users }: Pick<Live, "users">): Change[] {
  const one = subject.random.of(users);
  return one === undefined ? [] : [enter(one, NOP)];
}

function renamed(subject: Subject, one: Live | undefined): Edit | undefined {
  if (one === undefined) return undefined;
  const is = `${one.variable.name}_now`;
  if (!isFree(subject.file, is)) return undefined;
  return edit(subject, `${one.variable.name} is called ${is}`, [...rename(subject.file, one.variable.name, is), ...touched(subject, one)], {
    claims: [{ claim: "kernels", was: one.symbol, is }],
  });
}

const renameStatic: Kind = {
  name: "rename-static-variable",
  family,
  verdict: "either",
  tame: true,
  make: (subject) => renamed(subject, subject.random.of(live(subject, "file").filter(({ variable }) => variable.isStatic))),
};

const renameGlobal: Kind = {
  name: "rename-global-variable",
  family,
  verdict: "either",
  tame: true,
  make: (subject) => renamed(subject, subject.random.of(live(subject, "file").filter(({ variable }) => !variable.isStatic))),
};

const renameLocal: Kind = {
  name: "rename-static-local",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const one = subject.random.of(live(subject, "function"));
    const { within } = one ?? {};
    if (one === undefined || within === undefined) return undefined;
    const is = `${one.variable.name}_now`;
    const changes = uses(subject.file, one.variable.name)
      .filter(({ at }) => at > within.bodyAt && at < within.bodyEnd)
      .map(({ at, end }) => ({ at, end, text: is }));
    return edit(subject, `static ${one.variable.name} of ${within.name} is called ${is}`, [...changes, enter(within, NOP)], {
      claims: [{ claim: "kernels", was: one.symbol, is }],
    });
  },
};

/** The name goes to a new variable, and the old one gets another: what stands behind the name is another state. */
const nameReused: Kind = {
  name: "name-goes-to-another-variable",
  family,
  verdict: "either",
  tame: false,
  make(subject) {
    const one = subject.random.of(
      live(subject, "file").filter(({ variable, users }) => variable.isStatic && users.length > 1 && variable.initial === undefined),
    );
    if (one === undefined) return undefined;
    const { variable, users } = one;
    const other = subject.random.of(users);
    if (other === undefined) return undefined;
    const is = `${variable.name}_now`;
    if (!isFree(subject.file, is)) return undefined;
    const text = subject.file.text.slice(variable.at, variable.end);
    // All but one function use what is called otherwise now.
    const changes = uses(subject.file, variable.name)
      .filter(({ at }) => at > variable.end && !(at > other.bodyAt && at < other.bodyEnd))
      .map(({ at, end }) => ({ at, end, text: is }));
    return edit(
      subject,
      `${variable.name} is a new variable of ${other.name} alone, the others use ${is}`,
      [...changes, insert(variable.end, `\n${text.replace(new RegExp(`\\b${variable.name}\\b`), is)}`)],
      // By the names of C: that of the old name stays, that of the new one is new.
      { claims: [{ claim: "kernels", was: one.symbol, is: variable.name }], news: [is] },
    );
  },
};

/** A function uses another variable of the same type: code like any other. */
const retarget: Kind = {
  name: "retarget-use",
  family,
  verdict: "build",
  tame: false,
  make(subject) {
    const all = live(subject, "file");
    const form = ({ variable }: Live): string =>
      `${variable.words.join(" ")}${"*".repeat(variable.stars)}${variable.bounds.map(({ text }) => text)}`;
    const pairs = all.flatMap((from) =>
      all.filter((to) => to !== from && form(to) === form(from) && to.variable.at < (from.users[0]?.at ?? 0)).map((to) => ({ from, to })),
    );
    const pair = subject.random.of(pairs);
    const user = pair && subject.random.of(pair.from.users);
    if (pair === undefined || user === undefined) return undefined;
    const places = uses(subject.file, pair.from.variable.name).filter(({ at }) => at > user.bodyAt && at < user.bodyEnd);
    const place = subject.random.of(places);
    if (place === undefined || pair.to.variable.at > user.at) return undefined;
    return edit(
      subject,
      `${user.name} uses ${pair.to.variable.name} in place of ${pair.from.variable.name}`,
      [{ at: place.at, end: place.end, text: pair.to.variable.name }],
      { claims: [{ claim: "replacesIfDiffers", name: user.name }] },
    );
  },
};

const outOfFunction: Kind = {
  name: "static-local-to-file",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const one = subject.random.of(live(subject, "function").filter(({ variable }) => variable.words.includes("static")));
    const { within, variable } = one ?? {};
    if (one === undefined || within === undefined || variable === undefined) return undefined;
    // No other of that name.
    if (subject.file.functions.some((other) => other !== within && other.tokens.some(({ text }) => text === variable.name)))
      return undefined;
    if (subject.file.variables.some(({ name }) => name === variable.name)) return undefined;
    const text = subject.file.text.slice(variable.at, variable.end);
    return edit(
      subject,
      `static ${variable.name} of ${within.name} becomes one of the file`,
      [insert(within.at, `${text}\n\n`), { at: variable.at, end: variable.end, text: NOP.trim() }],
      { claims: [{ claim: "kernels", was: one.symbol, is: variable.name }] },
    );
  },
};

const intoFunction: Kind = {
  name: "file-static-to-local",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const { file } = subject;
    const suitable = live(subject, "file").filter(({ variable, users }) => {
      const [only] = users;
      return (
        variable.isStatic &&
        users.length === 1 &&
        only !== undefined &&
        uses(file, variable.name).every(({ at }) => at === variable.nameAt || (at > only.bodyAt && at < only.bodyEnd))
      );
    });
    const one = subject.random.of(suitable);
    const user = one?.users[0];
    if (one === undefined || user === undefined) return undefined;
    const { variable } = one;
    const text = file.text.slice(variable.at, variable.end);
    return edit(
      subject,
      `${variable.name} becomes a static variable of ${user.name}`,
      [{ at: variable.at, end: variable.end, text: "" }, enter(user, `\t${text}\n${NOP}`)],
      { claims: [{ claim: "kernels", was: one.symbol, is: variable.name }] },
    );
  },
};

/** Another value to begin with, of what lives on with the old one. */
const initial: Kind = {
  name: "initial-value",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const one = subject.random.of(numbers(subject));
    return one && edit(subject, `${one.variable.name} begins with another value`, [one.value, ...touched(subject, one)]);
  },
};

/** Only declared otherwise: the kernel's is the one that is meant. */
const staticToGlobal: Kind = {
  name: "static-variable-to-global",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const suitable = live(subject, "file").filter(
      ({ variable }) =>
        variable.isStatic &&
        subject.file.text.startsWith("static ", variable.at) &&
        uses(subject.file, variable.name).every(({ at }) => at >= variable.at),
    );
    const one = subject.random.of(suitable);
    if (one === undefined) return undefined;
    const { at, name } = one.variable;
    return edit(subject, `${name} becomes global`, [{ at, end: at + 7, text: "" }, ...touched(subject, one)], {
      claims: [{ claim: "kernels", was: one.symbol, is: name }],
    });
  },
};

const globalToStatic: Kind = {
  name: "global-variable-to-static",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const { tree, path } = subject;
    const suitable = live(subject, "file").filter(({ variable }) => !variable.isStatic && !tree.isDeclared(path, variable.name));
    const one = subject.random.of(suitable);
    if (one === undefined) return undefined;
    return edit(subject, `${one.variable.name} becomes static`, [insert(one.variable.at, "static "), ...touched(subject, one)], {
      claims: [{ claim: "kernels", was: one.symbol, is: one.variable.name }],
    });
  },
};

/** Within its file, behind another function or variable. */
const moveWithin: Kind = {
  name: "move-variable-within-file",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const suitable = live(subject, "file").filter(({ variable, users }) =>
      subject.file.functions.some(
        (one) =>
          one.at > variable.end &&
          uses(subject.file, variable.name).every(({ at }) => at === variable.nameAt || at > one.end) &&
          users.length > 0,
      ),
    );
    const one = subject.random.of(suitable);
    if (one === undefined) return undefined;
    const { variable } = one;
    const behind = subject.file.functions.find(({ at }) => at > variable.end);
    if (behind === undefined) return undefined;
    const text = subject.file.text.slice(variable.at, variable.end);
    return edit(
      subject,
      `${variable.name} stands behind ${behind.name}`,
      [{ at: variable.at, end: variable.end, text: "" }, insert(behind.end, `\n\n${text}\n`), ...touched(subject, one)],
      { claims: [{ claim: "kernels", was: one.symbol, is: variable.name }] },
    );
  },
};

/** To another file of the same folder that is linked into the same. */
const moveToFile: Kind = {
  name: "move-variable-to-another-file",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const { file, tree, path } = subject;
    const suitable = live(subject, "file").filter(
      ({ variable }) =>
        !variable.isStatic &&
        /^(?:static |const |unsigned |signed |int|long|bool|u\d+|char|size_t|short|struct \w+ \*|atomic\w*_t|spinlock_t)/.test(
          variable.words.join(" "),
        ),
    );
    const one = subject.random.of(suitable);
    const sibling = subject.random.of(tree.siblings(path));
    if (one === undefined || sibling === undefined) return undefined;
    const { variable } = one;
    const text = file.text.slice(variable.at, variable.end);
    const declaration = `extern ${file.text.slice(variable.at, variable.initial === undefined ? variable.end - 1 : file.text.lastIndexOf("=", variable.initial.at)).trim()};`;
    const moved = edit(
      subject,
      `${variable.name} moves to ${sibling.path}`,
      [{ at: variable.at, end: variable.end, text: declaration }, ...touched(subject, one)],
      {
        claims: [{ claim: "kernels", was: one.symbol, is: variable.name }],
      },
    );
    moved.files.push({ path: sibling.path, before: sibling.text, after: `${sibling.text}\n${text}\n` });
    return moved;
  },
};

/** A copy of a static one, of the same name in the kernel, in another file: new there. */
const sameNameElsewhere: Kind = {
  name: "new-static-variable-of-known-name",
  family,
  verdict: "build",
  tame: true,
  make(subject) {
    const { tree, path, file, random } = subject;
    const sibling = random.of(tree.siblings(path));
    const names =
      sibling === undefined
        ? []
        : [...sibling.text.matchAll(/^static (?:int|unsigned long|bool|unsigned int) (\w+)(?: =[^;]*)?;/gm)].map(([, name = ""]) => name);
    const name = random.of(names.filter((each) => isFree(file, each) && ["d", "b"].includes(tree.kernelSymbol(each) ?? "")));
    const user = random.of(live(subject, "file"))?.users[0];
    if (name === undefined || user === undefined) return undefined;
    return edit(
      subject,
      `a new static ${name}, as another file has one`,
      [insert(user.at, `static unsigned long ${name};\n\n`), enter(user, `\tWRITE_ONCE(${name}, READ_ONCE(${name}) + 1);\n`)],
      { claims: [{ claim: "own", name }], news: [name] },
    );
  },
};

/** Two of a function's static variables, told apart by their order alone, change places. */
const swapLocals: Kind = {
  name: "two-static-locals-of-one-name",
  family,
  verdict: "either",
  tame: true,
  make(subject) {
    const one = subject.random.of(live(subject, "function").filter(({ variable }) => variable.initial === undefined));
    const { within, variable } = one ?? {};
    if (one === undefined || within === undefined || variable === undefined) return undefined;
    const other = subject.random.of(
      subject.file.functions.filter(
        (each) => each !== within && !each.isInit && !each.isMacro && subject.facts.functions.get(each.name)?.hasEntry === true,
      ),
    );
    if (other === undefined || other.tokens.some(({ text }) => text === variable.name)) return undefined;
    const text = subject.file.text.slice(variable.at, variable.end);
    // New in another function, by the same name: the state of the first stays its own.
    return edit(
      subject,
      `${other.name} gets a static ${variable.name} as ${within.name} has one`,
      [enter(other, `\t${text}\n\tasm volatile("" :: "r" (&${variable.name}) : "memory");\n`), enter(within, NOP)],
      {
        claims: [{ claim: "kernels", was: one.symbol, is: variableSymbol(subject.facts, variable.name, true) ?? "" }],
        news: [variable.name],
      },
    );
  },
};

export const variableKinds: readonly Kind[] = [
  renameStatic,
  renameGlobal,
  renameLocal,
  nameReused,
  retarget,
  outOfFunction,
  intoFunction,
  initial,
  staticToGlobal,
  globalToStatic,
  moveWithin,
  moveToFile,
  sameNameElsewhere,
  swapLocals,
];
