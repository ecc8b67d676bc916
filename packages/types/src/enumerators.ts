/** Enumerators that stand for other values than before: data of the running kernel hold the old ones. */
import type { SutureError, Where } from "@suture/errors";
import type { Enumeration } from "./dwarf.ts";
import { fail } from "./errors.ts";

export interface EnumeratorDifference {
  /** What `--accept-layout` takes for it; the first one is told. */
  accept: string[];
  why: string;
  /** Told, not refused. */
  harmless: boolean;
}

/** Words of enumerators that count the others. */
const COUNTS = /(^|_)(NR|NUM|MAX|COUNT|CNT|LAST|TOTAL)S?(_|$)/i;

export function enumeratorDifferences(before: readonly Enumeration[], after: readonly Enumeration[]): EnumeratorDifference[] {
  const known = new Map<string, Enumeration>();
  for (const old of before) for (const [name] of old.values) known.set(keyOf(old, name), old);
  const found: EnumeratorDifference[] = [];
  const seen = new Set<string>();
  for (const now of after) {
    const twins = new Set(now.values.flatMap(([name]) => known.get(keyOf(now, name)) ?? []));
    // Functions that became part of others are described several times.
    const key = JSON.stringify([now, ...twins]);
    if (seen.has(key)) continue;
    seen.add(key);
    for (const old of twins) found.push(...differences(old, now));
  }
  return found;
}

/** Enumerators of the file are names of one scope, whatever type they are of. */
function keyOf({ scope }: Enumeration, name: string): string {
  return `${scope} ${name}`;
}

function* differences(old: Enumeration, now: Enumeration): Generator<EnumeratorDifference> {
  const before = new Map(old.values);
  const after = new Map(now.values);
  const named = [old.name, now.name].filter((name) => name !== "");
  // A constant by another name, see macros.ts.
  const constant = named.length === 0 && before.size === 1 && after.size === 1;
  const names: string[] = [];
  const whys: string[] = [];
  for (const [name, value] of after) {
    const was = before.get(name);
    if (was === value) continue;
    const why = was === undefined ? takenFrom(old, after, value) : `it was ${was}`;
    if (why === undefined) continue;
    if (was !== undefined && (constant || (counts(old, name) && counts(now, name)))) {
      yield { accept: [name], why: `${name} is ${value}, ${why}`, harmless: true };
      continue;
    }
    names.push(name);
    whys.push(`${name} is ${value}, ${why}`);
  }
  if (whys.length === 0) return;
  const of = named[0] === undefined ? "" : `enum ${named[0]}: `;
  const more = whys.length > MOST_TOLD ? `; and ${whys.length - MOST_TOLD} more` : "";
  yield { accept: [...new Set([...named, ...names])], why: `${of}${whys.slice(0, MOST_TOLD).join("; ")}${more}`, harmless: false };
}

const MOST_TOLD = 3;

/** A value that new code means something else by, of an enumerator that is gone. */
function takenFrom(old: Enumeration, after: ReadonlyMap<string, number>, value: number): string | undefined {
  const there = old.values.filter(([name, held]) => held === value && !counts(old, name)).map(([name]) => name);
  return there.length === 0 || there.some((name) => after.has(name)) ? undefined : `which was ${there.join(", ")}`;
}

/** Whether it is the number of the others, or the highest of them: nothing is of that value. */
function counts({ values }: Enumeration, name: string): boolean {
  const value = values.find(([other]) => other === name)?.[1] ?? 0;
  return COUNTS.test(name) && values.every(([other, held]) => held <= value || COUNTS.test(other));
}

export function renumbered(why: string, accept: string, where: Where): SutureError {
  return fail(
    "BUILD_RENUMBERED",
    why,
    { ...where, symbol: accept },
    {
      mend: `Keep the values as they are, and give new names values that none had. If no data of the running kernel hold an old value, say so with --accept-layout ${accept}.`,
    },
  );
}
