/** Which units bring what is refused of an object. A guess by the names in a refusal is held against the object without those units, not believed. */
import type { SutureError } from "@suture/errors";
import { IDENTIFIER } from "./c-declarations.ts";
import { dependents, type Unit, withNeeds } from "./units.ts";

/** What the object is refused for with another choice of units. */
export type TryOut = (choice: ReadonlySet<number>) => Promise<readonly SutureError[]>;

/**
 * @param there the choice with which it is refused
 * @param refused what is refused, and the units that may have to do with it
 * @returns the units at fault with what each is refused for
 */
export async function blamed(
  units: readonly Unit[],
  there: ReadonlySet<number>,
  { refusals, relevant }: { refusals: readonly SutureError[]; relevant: readonly number[] },
  tryOut: TryOut,
): Promise<Map<number, readonly SutureError[]>> {
  const guessed = new Map<number, SutureError[]>();
  let isClear = true;
  for (const refusal of refusals) {
    const [one, ...others] = suspects(units, relevant, [refusal]);
    if (one === undefined || others.length > 0) isClear = false;
    else guessed.set(one, [...(guessed.get(one) ?? []), refusal]);
  }
  if (relevant.length === 1) return new Map([[relevant[0] as number, refusals]]);
  if (isClear && (await tryOut(without(units, there, guessed.keys()))).length === 0 && (await eachIsNeeded(units, there, guessed, tryOut)))
    return guessed;
  return searched(units, there, { refusals, relevant }, tryOut);
}

/** Whether none of several guesses could stay: one may be refused for what another brings. */
async function eachIsNeeded(
  units: readonly Unit[],
  there: ReadonlySet<number>,
  guessed: ReadonlyMap<number, readonly SutureError[]>,
  tryOut: TryOut,
): Promise<boolean> {
  if (guessed.size === 1) return true;
  for (const index of guessed.keys()) {
    const others = [...guessed.keys()].filter((other) => other !== index);
    if ((await tryOut(without(units, there, others))).length === 0) return false;
  }
  return true;
}

/** Adds the units that may be at fault to the others, in their order and many at a time, and keeps those with which nothing is refused. */
async function searched(
  units: readonly Unit[],
  there: ReadonlySet<number>,
  { refusals, relevant }: { refusals: readonly SutureError[]; relevant: readonly number[] },
  tryOut: TryOut,
): Promise<Map<number, readonly SutureError[]>> {
  const faults = new Map<number, readonly SutureError[]>();
  let kept = without(units, there, relevant);
  // It is not for these units that it is refused, or not for what can be taken away: none of them can be carried there.
  if ((await tryOut(kept)).length > 0) return new Map(relevant.map((index) => [index, refusals]));
  const add = async (list: readonly number[]): Promise<void> => {
    if (list.length === 0) return;
    const trial = new Set(kept);
    for (const index of list) for (const one of closed(units, index, there, faults) ?? []) trial.add(one);
    if (trial.size === kept.size) return;
    const found = await tryOut(trial);
    if (found.length === 0) {
      kept = trial;
      return;
    }
    const [only] = list;
    if (list.length === 1 && only !== undefined) {
      faults.set(only, found);
      return;
    }
    const half = Math.ceil(list.length / 2);
    await add(list.slice(0, half));
    await add(list.slice(half));
  };
  await add(relevant);
  return faults;
}

function closed(
  units: readonly Unit[],
  index: number,
  there: ReadonlySet<number>,
  faults: ReadonlyMap<number, unknown>,
): Set<number> | undefined {
  const found = withNeeds(units, index, there);
  return found === undefined || [...found].some((one) => faults.has(one)) ? undefined : found;
}

function without(units: readonly Unit[], there: ReadonlySet<number>, gone: Iterable<number>): Set<number> {
  const out = new Set(gone);
  const also = dependents(units, out, there);
  return new Set([...there].filter((index) => !out.has(index) && !also.has(index)));
}

/** Units that change what refusals name; if none does, those that mention it. */
export function suspects(units: readonly Unit[], relevant: readonly number[], refusals: readonly SutureError[]): number[] {
  const symbols = new Set(
    refusals.flatMap(({ where }) => (where.symbol === undefined ? [] : [where.symbol, ...sourceNames(where.symbol)])),
  );
  const words = new Set(refusals.flatMap(({ message }) => message.match(IDENTIFIER) ?? []));
  const that = (fits: (unit: Unit) => boolean): number[] => relevant.filter((index) => fits(units[index] as Unit));
  const changes = (names: ReadonlySet<string>) => (unit: Unit) =>
    unit.hunks.some(({ inside }) => inside.some(({ name, of = [] }) => names.has(name) || of.some((type) => names.has(type))));
  const steps = [
    changes(symbols),
    (unit: Unit) => unit.hunks.some(({ mentions }) => [...symbols].some((name) => mentions.has(name))),
    (unit: Unit) => unit.hunks.some(({ inside }) => inside.some(({ name, kind }) => kind !== "member" && words.has(name))),
  ];
  for (const fits of steps) {
    const found = that(fits);
    if (found.length > 0) return found;
  }
  return [];
}

/** Names of the source that a symbol may stand for: without what the compiler appends, or a system call's prefix. */
export function sourceNames(symbol: string): string[] {
  const plain = symbol.replace(/(?:\.(?:isra|constprop|part|cold|llvm|lto_priv)(?:\.\d+)?|\.\d+)+$/, "").replace(/^__pfx_/, "");
  const call = /^__\w+?_sys_(\w+)$/.exec(plain)?.[1];
  return [plain, ...(call === undefined ? [] : [call])];
}
