/** Structures, enumerations and macros whose values live in memory that the running kernel has. */
import type { CComposite, CFile, CMember } from "../c-file.ts";
import type { Token } from "../c-tokens.ts";
import type { Kind, Subject } from "../edit.ts";
import { live } from "../live.ts";
import { onStack } from "../on-stack.ts";
import { type Change, edit, enter, insert, NOP, runTime, uses } from "../text.ts";

const family = "type";

const isTagged = ({ tag, kind }: CComposite): boolean => tag !== undefined && kind !== "enum";

/** Structures of the file whose members code that can be replaced uses. */
function structures(subject: Subject, nameless: boolean): CComposite[] {
  const { file } = subject;
  const variables = new Set(live(subject, "file").map(({ variable }) => variable.name));
  const isLive = (one: CComposite): boolean =>
    one.tag === undefined ? one.variable !== undefined && variables.has(one.variable) : isTagged(one) && isReached(subject, one);
  const found = file.composites
    .filter(isLive)
    .flatMap((one) => (nameless ? (one.tag === undefined ? [one, ...inner(one)] : inner(one)) : [one]));
  return found.filter((one) => one.kind === "struct" && one.members.length > 1 && (one.tag === undefined) === nameless);
}

const inner = ({ nested }: CComposite): CComposite[] => nested.flatMap((one) => [one, ...inner(one)]);

/** Objects of it are met through pointers that come from elsewhere, or are variables: they do not live on a stack only. */
function isReached(subject: Subject, one: CComposite): boolean {
  const { text } = subject.file;
  return new RegExp(`\\b(?:struct|union)\\s+${one.tag}\\s*\\*`).test(text) && /->/.test(text) && onStack(subject, one) === undefined;
}

/** A member that code uses. */
function isUsed(subject: Subject, { name }: CMember): boolean {
  return runTime(subject).some(({ tokens }) =>
    tokens.some(({ text }, i) => text === name && ["->", "."].includes(tokens[i - 1]?.text ?? "")),
  );
}

const plain = ({ isArray, bits }: CMember): boolean => !isArray && bits === undefined;

/** Two members that stand beside each other and are of another type or size, so that code that uses them differs. */
function swapOf(subject: Subject, one: CComposite, suits: (first: CMember, second: CMember) => boolean): Change[] | undefined {
  const pairs = one.members.flatMap((first, i): [CMember, CMember][] => {
    const second = one.members[i + 1];
    if (second === undefined || !isUsed(subject, first) || subject.file.text.slice(first.end, second.at).includes("#")) return [];
    // Nothing else stands between them.
    return suits(first, second) && /^[\s/*\w.,'()-]*$/.test(subject.file.text.slice(first.end, second.at)) ? [[first, second]] : [];
  });
  const pair = subject.random.of(pairs);
  if (pair === undefined) return undefined;
  const [first, second] = pair;
  return [
    { at: first.at, end: first.end - 1, text: second.text },
    { at: second.at, end: second.end - 1, text: first.text },
  ];
}

function swapping(name: string, nameless: boolean): Kind {
  return {
    name,
    family,
    verdict: "refuse",
    tame: false,
    make(subject) {
      for (const one of subject.random.shuffled(structures(subject, nameless))) {
        const changes = swapOf(subject, one, (a, b) => plain(a) && plain(b));
        if (changes !== undefined) return edit(subject, `members of ${one.tag ?? one.variable} change places`, changes);
      }
      return undefined;
    },
  };
}

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
  uint8_t: "u32",
  uint32_t: "u64",
};

function widening(name: string, nameless: boolean): Kind {
  return {
    name,
    family,
    verdict: "refuse",
    tame: false,
    make(subject) {
      const { random, file } = subject;
      const all = structures(subject, nameless).flatMap((one) =>
        one.members
          .filter((member) => plain(member) && member.stars === 0 && member.words.join(" ") in WIDER && isUsed(subject, member))
          .map((member) => ({ one, member })),
      );
      const found = random.of(all);
      if (found === undefined) return undefined;
      const { member, one } = found;
      const at = file.text.lastIndexOf(member.name, member.end);
      return edit(subject, `${member.name} of ${one.tag ?? one.variable} is wider`, [
        { at: member.at, end: at, text: `${WIDER[member.words.join(" ")]} ` },
      ]);
    },
  };
}

/** In the middle of a structure, so that what follows lies elsewhere. */
const addMember: Kind = {
  name: "add-member",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const all = structures(subject, false).flatMap((one) =>
      one.members.filter((member) => isUsed(subject, member)).map((member) => ({ one, member })),
    );
    const found = subject.random.of(all);
    return (
      found &&
      edit(subject, `${found.one.tag} gets a member before ${found.member.name}`, [insert(found.member.at, "unsigned long edit_new;\n\t")])
    );
  },
};

/** By all that use it: the code is the same, the name in it is another. With a change beside it. */
function renaming(name: string, nameless: boolean): Kind {
  return {
    name,
    family,
    verdict: "either",
    tame: true,
    make(subject) {
      const { file, random } = subject;
      const all = structures(subject, nameless).flatMap((one) =>
        one.members.filter((member) => isUsed(subject, member)).map((member) => ({ one, member })),
      );
      const found = random.of(all);
      const user = random.of(runTime(subject));
      if (found === undefined || user === undefined) return undefined;
      const { member, one } = found;
      const { tokens } = file.scan;
      const isMember = (i: number): boolean => ["->", "."].includes(tokens[i - 1]?.text ?? "") || (tokens[i]?.at ?? 0) < member.end;
      const changes = tokens.flatMap(({ text, at, end }, i): Change[] =>
        text === member.name && at >= member.at && isMember(i) ? [{ at, end, text: `${member.name}_now` }] : [],
      );
      return edit(subject, `${member.name} of ${one.tag ?? one.variable} is called otherwise`, [...changes, enter(user, NOP)]);
    },
  };
}

/** The bits of two flags change places. */
const bitFields: Kind = {
  name: "swap-bit-fields",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    for (const one of subject.random.shuffled(
      subject.file.composites.filter((each) => each.kind === "struct" && isTagged(each) && isReached(subject, each)),
    )) {
      const changes = swapOf(subject, one, (a, b) => a.bits !== undefined && b.bits !== undefined);
      if (changes !== undefined) return edit(subject, `bits of ${one.tag} change places`, changes);
    }
    return undefined;
  },
};

/** Names that are put into members of structures or variables of the file, and asked for there: what lives in memory. */
function isState(subject: Subject, name: string): boolean {
  const { tokens } = subject.file.scan;
  const variables = new Set(live(subject, "file").map(({ variable }) => variable.name));
  let put = false;
  let asked = false;
  tokens.forEach(({ text }, i) => {
    if (text !== name) return;
    const [three, two, one, next] = [-3, -2, -1, 1].map((by) => tokens[i + by]?.text ?? "");
    const member = ["->", "."].includes(three ?? "") && /^\w+$/.test(two ?? "");
    const variable = variables.has(two ?? "") && !["->", "."].includes(three ?? "");
    if (next === ";" && one === "=" && ((member && three === "->") || variable)) put = true;
    // WRITE_ONCE(one->state, NAME);
    if (next === ")" && one === "," && three === "->" && isWrite(tokens, i - 2)) put = true;
    if (((member || variable) && ["==", "!="].includes(one ?? "")) || one === "case") asked = true;
  });
  return put && asked;
}

/** Whether the member that ends there stands in parentheses of what writes it. */
function isWrite(tokens: readonly Token[], last: number): boolean {
  let at = last;
  while (at > 0 && /^(?:\w+|->|\.|&)$/.test(tokens[at]?.text ?? "")) at--;
  return tokens[at]?.text === "(" && /^(?:WRITE_ONCE|smp_store_release|atomic_set)$/.test(tokens[at - 1]?.text ?? "");
}

/** A constant before one that lives in memory. */
const renumber: Kind = {
  name: "renumber-enum",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const { file } = subject;
    const all = file.composites
      .filter(({ kind }) => kind === "enum")
      .flatMap((one) =>
        one.members
          .filter((member, i) => isState(subject, member.name) && !one.members.slice(i).some(({ text }) => text.includes("=")))
          .map((member) => ({ one, member })),
      );
    const found = subject.random.of(all);
    return found && edit(subject, `a constant before ${found.member.name}`, [insert(found.member.at, "EDIT_NEW_STATE,\n\t")]);
  },
};

const swapConstants: Kind = {
  name: "swap-enum-constants",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const { file } = subject;
    const all = file.composites
      .filter(({ kind }) => kind === "enum")
      .flatMap((one) =>
        one.members.flatMap((first, i) => {
          const second = one.members[i + 1];
          return second === undefined ||
            !(isState(subject, first.name) || isState(subject, second.name)) ||
            /=/.test(first.text + second.text)
            ? []
            : [{ first, second }];
        }),
      );
    const found = subject.random.of(all);
    if (found === undefined) return undefined;
    const { first, second } = found;
    return edit(subject, `${first.name} and ${second.name} change their values`, [
      { at: first.at, end: first.at + first.name.length, text: second.name },
      { at: second.at, end: second.at + second.name.length, text: first.name },
    ]);
  },
};

/** Two macros that are states of something that lives in memory change their values. */
const swapMacros: Kind = {
  name: "swap-state-macros",
  family,
  verdict: "refuse",
  tame: false,
  make(subject) {
    const { file } = subject;
    const states = file.defines.filter(({ name }) => isStateMacro(file, name));
    const pairs = states.flatMap((first) =>
      file.defines
        .filter(
          (second) =>
            // One name may stand in several branches of an #if.
            second.name !== first.name &&
            isStateMacro(file, second.name) &&
            second.value.text !== first.value.text &&
            prefix(first.name) === prefix(second.name),
        )
        .map((second) => ({ first, second })),
    );
    const pair = subject.random.of(pairs);
    if (pair === undefined) return undefined;
    const { first, second } = pair;
    return edit(subject, `${first.name} and ${second.name} change their values`, [
      { ...first.value, text: second.value.text },
      { ...second.value, text: first.value.text },
    ]);
  },
};

const prefix = (name: string): string => name.split("_")[0] ?? name;

/** Put into members, or their bits set there. */
function isStateMacro(file: CFile, name: string): boolean {
  const { tokens } = file.scan;
  return (
    uses(file, name).length > 0 &&
    tokens.some(
      ({ text }, i) =>
        text === name && ["=", "|="].includes(tokens[i - 1]?.text ?? "") && tokens[i - 3]?.text === "->" && tokens[i + 1]?.text === ";",
    )
  );
}

/** A number of a header that files of one folder share. */
const sharedMacro: Kind = {
  name: "macro-of-shared-header",
  family,
  verdict: "either",
  tame: false,
  make(subject) {
    const { tree, path, random, file } = subject;
    const all = tree
      .localHeaders(path)
      .flatMap(({ path: header, text, users }) =>
        users.length > 1 && users.length < 8
          ? [...text.matchAll(/^(#define[ \t]+(\w+)[ \t]+)(\d+)([ \t]*(?:\/\*.*\*\/)?)$/gm)]
              .filter(([, , name = ""]) => file.scan.tokens.some((token) => token.text === name))
              .map((match) => ({ header, text, match }))
          : [],
      );
    const found = random.of(all);
    if (found === undefined) return undefined;
    const [whole, head = "", name = "", value = "", tail = ""] = found.match;
    const at = found.match.index;
    const after = `${found.text.slice(0, at)}${head}${Number(value) + 1}${tail}${found.text.slice(at + whole.length)}`;
    return {
      what: `${name} of ${found.header} is one more`,
      files: [{ path: found.header, before: found.text, after }],
      claims: [],
      news: [],
    };
  },
};

export const typeKinds: readonly Kind[] = [
  swapping("swap-members", false),
  swapping("swap-members-nameless", true),
  widening("widen-member", false),
  widening("widen-member-nameless", true),
  addMember,
  renaming("rename-member", false),
  renaming("rename-member-nameless", true),
  bitFields,
  renumber,
  swapConstants,
  swapMacros,
  sharedMacro,
];
