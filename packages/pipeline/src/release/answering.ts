/**
 * Changes that answer each other: one says it differently, the other asks differently, and each by itself is wrong, however many files have the names that
 * they do it by. What each kind looks like stands here once; how widely two are looked for, too.
 */
import { dirname } from "node:path";
import { codeOf } from "../c/comments.ts";
import { areNear } from "./near.ts";
import type { NamedHunk } from "./pieces.ts";

/** A unit as far as it matters here. */
interface Changes {
  index: number;
  idle: boolean;
  hunks: readonly NamedHunk[];
}

type Where = (one: string, other: string) => boolean;

/** One side of a kind: of one `key` there are two. */
interface Sign {
  key: string;
  side: "says" | "asks";
  where: Where;
}

const inOneFile: Where = (one, other) => one === other;
const inOneFolder: Where = (one, other) => dirname(one) === dirname(other);
/** As deep as a driver's or a file system's own folder. */
const DEPTH = 4;
const inOneSubsystem: Where = (one, other) => {
  const [a, b] = [one, other].map((path) => dirname(path).split("/").slice(0, DEPTH).join("/"));
  return a === b || areNear(one, other);
};

/** Units of which each may be wrong without the other, with what they have to do with. */
export function* answering(units: readonly Changes[]): Generator<[number, number, string]> {
  const found = new Map<string, { unit: number; path: string; side: Sign["side"] }[]>();
  for (const { index, idle, hunks } of units)
    for (const hunk of idle ? [] : hunks)
      for (const { key, side, where } of hunk.idle ? [] : signsOf(hunk)) {
        const others = found.get(key) ?? [];
        for (const other of others)
          if (other.unit !== index && other.side !== side && where(other.path, hunk.path)) yield [other.unit, index, key];
        found.set(key, [...others, { unit: index, path: hunk.path, side }]);
      }
}

function signsOf(hunk: NamedHunk): Sign[] {
  const [old, now] = [codeOf(hunk.old, false), codeOf(hunk.now, false)];
  return [...errorsAsPointers(old, now), ...memoryOfDevices(hunk), ...gracePeriods(hunk), ...flags(old, now), ...noLongerSet(hunk)];
}

/** A function gives an error as a pointer that gave none, or the other way round; and who looks at what it gives. */
function errorsAsPointers(old: string, now: string): Sign[] {
  const gives = (before: string, after: string): boolean => /\breturn\s+NULL\b/.test(before) && /\bERR_(?:PTR|CAST)\s*\(/.test(after);
  const looks = (before: string, after: string): boolean => !IS_ERROR.test(before) && IS_ERROR.test(after) && NO_POINTER.test(before);
  return [
    [old, now, "errors that become pointers"],
    [now, old, "pointers that are errors no more"],
  ].flatMap(([before = "", after = "", key = ""]): Sign[] => [
    ...(gives(before, after) ? [{ key, side: "says" as const, where: areNear }] : []),
    ...(looks(before, after) ? [{ key, side: "asks" as const, where: areNear }] : []),
  ]);
}

const IS_ERROR = /\bIS_ERR(?:_OR_NULL)?\s*\(/;
const NO_POINTER = /!\s*\w|[!=]=\s*NULL\b/;

/** Memory goes with its device by itself, or no more; and who frees, or frees no more. */
function memoryOfDevices({ gone, come }: NamedHunk): Sign[] {
  const key = "memory that goes with its device";
  const isOfDevice = (before: ReadonlySet<string>, after: ReadonlySet<string>): boolean =>
    [...after].some((name) => name.startsWith("devm_") && before.has(name.slice("devm_".length)));
  const says = isOfDevice(gone.calls, come.calls) || isOfDevice(come.calls, gone.calls);
  const asks = [...gone.calls, ...come.calls].some((name) => /free/.test(name));
  return [
    ...(says ? [{ key, side: "says" as const, where: inOneFile }] : []),
    ...(asks ? [{ key, side: "asks" as const, where: inOneFile }] : []),
  ];
}

const GRACE = /^(?:(?:call|synchronize|k?v?free)_s?rcu\w*|rcu_barrier\w*|queue_rcu_work)$/;

/** Nobody waits for readers at one place any more, and somebody begins to at another. */
function gracePeriods({ gone, come }: NamedHunk): Sign[] {
  const key = "waiting for readers";
  return [
    ...([...gone.calls].some((name) => GRACE.test(name)) ? [{ key, side: "says" as const, where: inOneFile }] : []),
    ...([...come.calls].some((name) => GRACE.test(name)) ? [{ key, side: "asks" as const, where: inOneFile }] : []),
  ];
}

/** One begins to set a member to true, another to false. */
function flags(old: string, now: string): Sign[] {
  const set = (code: string): Set<string> =>
    new Set([...code.matchAll(/(?:->|\.)([A-Za-z_]\w*)\s*=\s*(true|false)\s*;/g)].map(([, name, value]) => `${name} ${value}`));
  const before = set(old);
  return [...set(now)]
    .filter((one) => !before.has(one))
    .map((one) => {
      const [name = "", value] = one.split(" ");
      return { key: `${name}, true and false`, side: value === "true" ? "says" : "asks", where: inOneSubsystem };
    });
}

/** One sets a member no more, another reads it no more. */
function noLongerSet({ gone, setsGone }: NamedHunk): Sign[] {
  const set = new Set([...setsGone].map((one) => one.slice(one.indexOf("->") + 2)));
  return [
    ...[...set].map((name) => ({ key: `${name}, set and read no more`, side: "says" as const, where: inOneFolder })),
    ...[...gone.members]
      .filter((name) => !set.has(name))
      .map((name) => ({ key: `${name}, set and read no more`, side: "asks" as const, where: inOneFolder })),
  ];
}
