/** What the running kernel has in its memory and somebody's word lets the livepatch change: --accept-data. */
import type { Kind, Subject } from "../edit.ts";
import { next, numbers } from "../live.ts";
import { copyOf, inTables, members } from "../tables.ts";
import { edit, enter, insert, isFree, NOP } from "../text.ts";

const family = "live-data";
const NEW = "edit_in_its_place";
const REFUSED = ["DIFF_DATA_CHANGED", "DIFF_RODATA_CHANGED"];

const number: Kind = {
  name: "live-number",
  family,
  verdict: "build",
  tame: false,
  make(subject) {
    const one = subject.random.of(numbers(subject));
    if (one === undefined) return undefined;
    const { symbol, variable, value } = one;
    return edit(subject, `${variable.name} begins with another value, and is given that`, [value], {
      claims: [{ claim: "changes", symbol }],
      word: { acceptData: [symbol] },
    });
  },
};

const entry: Kind = {
  name: "live-table",
  family,
  verdict: "build",
  tame: false,
  make(subject) {
    const all = members(subject).flatMap(({ variable, value }) => {
      const by = next(value);
      return by === undefined ? [] : [{ variable, by }];
    });
    const found = subject.random.of(all);
    if (found === undefined) return undefined;
    const { name } = found.variable;
    return edit(subject, `a number in ${name} is the next one`, [found.by], {
      claims: [{ claim: "changes", symbol: name }],
      word: { acceptData: [name] },
    });
  },
};

/** The old one stays as well, so that no function takes its place. */
function besideOld(subject: Subject, changed: boolean) {
  const found = isFree(subject.file, NEW) ? subject.random.of(inTables(subject)) : undefined;
  if (found === undefined) return undefined;
  const { one, value, variable } = found;
  const what = `${NEW} in place of ${one.name}${changed ? ", which changes too," : ""} in ${variable.name}`;
  const changes = [
    insert(one.at, "__attribute__((__used__)) "),
    ...(changed ? [enter(one, NOP)] : []),
    insert(one.end, `\n\n${copyOf(subject, one, NEW, changed ? "" : `\n${NOP.replace(/\n$/, "")}`)}`),
    { at: value.at, end: value.end, text: NEW },
  ];
  return edit(subject, what, changes, {
    claims: [{ claim: "changes", symbol: variable.name }],
    word: { acceptData: [variable.name] },
  });
}

const pointer: Kind = {
  name: "live-function",
  family,
  verdict: "build",
  tame: true,
  stays: true,
  make: (subject) => besideOld(subject, false),
};

/** Whoever has a copy of the pointer would come to the new one. */
const oldChanges: Kind = {
  name: "live-function-that-changes-too",
  family,
  verdict: "refuse",
  codes: REFUSED,
  tame: false,
  make: (subject) => besideOld(subject, true),
};

/** Somebody's word is for another variable. */
const otherWord: Kind = {
  name: "live-number-of-another-word",
  family,
  verdict: "refuse",
  codes: ["DIFF_DATA_CHANGED"],
  tame: false,
  make(subject) {
    const one = subject.random.of(numbers(subject));
    return (
      one &&
      edit(subject, `${one.variable.name} begins with another value, and another may be changed`, [one.value], {
        word: { acceptData: [`${one.symbol}_other`] },
      })
    );
  },
};

export const liveDataKinds: readonly Kind[] = [number, entry, pointer, oldChanges, otherWord];
