/** Which units bring what is refused of an object. A guess by the names in a refusal is held against the object without those units, not believed. */
import type { SutureError } from "@suture/errors";
import { inParallel } from "@suture/task";
import { IDENTIFIER } from "../c/declarations.ts";
import { dependents, type Unit, withNeeds, without } from "./units.ts";

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
  if (relevant.length === 1) return new Map([[relevant[0] as number, refusals]]);
  const { faults, still } = await guessed(units, there, { refusals, relevant }, tryOut);
  const left = without(units, there, faults.keys());
  const others = still ?? (await tryOut(left));
  if (others.length === 0) return faults;
  const near = relevant.filter((index) => left.has(index));
  for (const [index, reasons] of await searched(units, left, { refusals: others, relevant: near }, tryOut)) faults.set(index, reasons);
  return faults;
}

/**
 * Those that alone change what is refused, as far as that goes without them and does not go with any one of them.
 * @returns `still`: what is refused without those, where it is known
 */
async function guessed(
  units: readonly Unit[],
  there: ReadonlySet<number>,
  { refusals, relevant }: { refusals: readonly SutureError[]; relevant: readonly number[] },
  tryOut: TryOut,
): Promise<{ faults: Map<number, readonly SutureError[]>; still: readonly SutureError[] | undefined }> {
  const guesses = new Map<number, SutureError[]>();
  let still = refusals;
  for (let before = -1; before < guesses.size && still.length > 0; ) {
    before = guesses.size;
    for (const refusal of still) {
      const [one, another] = suspects(units, relevant, [refusal]);
      if (one !== undefined && another === undefined) guesses.set(one, [...(guesses.get(one) ?? []), refusal]);
    }
    if (guesses.size > before) still = await tryOut(without(units, there, guesses.keys()));
  }
  const faults = new Map<number, readonly SutureError[]>();
  for (const [index, own] of guesses) {
    const keys = new Set(own.map(keyOf));
    const isRefusedOf = (found: readonly SutureError[]): boolean => found.some((one) => keys.has(keyOf(one)));
    if (isRefusedOf(still)) continue;
    const away = besides(units, there, guesses.keys(), index);
    if (away.length === 0 || isRefusedOf(await tryOut(without(units, there, away)))) faults.set(index, own);
  }
  return { faults, still: faults.size === 0 ? refusals : faults.size === guesses.size ? still : undefined };
}

/** What is away when a guess is tried alone: the other guesses, and what goes with it and may be at fault in its place. */
function besides(units: readonly Unit[], there: ReadonlySet<number>, guesses: Iterable<number>, index: number): number[] {
  return [...[...guesses].filter((other) => other !== index), ...dependents(units, new Set([index]), there).keys()];
}

/** What an object is refused for, and the units that may have to do with it. */
export interface Refused {
  object: string;
  refusals: readonly SutureError[];
  relevant: readonly number[];
}

/**
 * What several objects are refused for: a type that lies otherwise is refused in every object that uses it. Where one unit alone changes it, that unit is
 * tried in one of those objects: without all such units it is not refused there, and without the others only it still is. Where it cannot be told so, all
 * that one of those objects is refused for is traced.
 * @returns the units at fault with what each is refused for
 */
export async function blamedOfMany(
  units: readonly Unit[],
  there: ReadonlySet<number>,
  refused: readonly Refused[],
  tryOut: (object: string, choice: ReadonlySet<number>) => Promise<readonly SutureError[]>,
  jobs: number,
): Promise<Map<number, readonly SutureError[]>> {
  const shared = [...sharedOf(units, refused).values()].filter(({ count }) => count > 1);
  const guessed = new Set(shared.flatMap((one) => (one.suspects.length === 1 ? one.suspects : [])));
  const faults = new Map<number, readonly SutureError[]>();
  const isStill = async ({ first, refusal }: Shared, gone: Iterable<number>): Promise<boolean> =>
    (await tryOut(first.object, without(units, there, gone))).some((one) => keyOf(one) === keyOf(refusal));
  const clear = shared.filter((one) => one.suspects.length === 1);
  const rights = await inParallel(clear, jobs, async (one) => {
    const away = besides(units, there, guessed, one.suspects[0] as number);
    return !(await isStill(one, guessed)) && (away.length === 0 || (await isStill(one, away)));
  });
  for (const [
    at,
    {
      suspects: [unit = 0],
      refusal,
    },
  ] of clear.entries())
    if (rights[at] === true) faults.set(unit, [...(faults.get(unit) ?? []), refusal]);
  // Several at a time, up to the first that is refused still: those after it are looked at again, without what it was traced to.
  for (let done = 0; done < shared.length; ) {
    const left = without(units, there, faults.keys());
    const next = shared.slice(done, done + jobs);
    const tried = await inParallel(next, jobs, async ({ first }) => tryOut(first.object, left));
    const at = next.findIndex(({ refusal }, i) => tried[i]?.some((one) => keyOf(one) === keyOf(refusal)));
    const [one, refusals] = [next[at], tried[at]];
    done += at < 0 ? next.length : at + 1;
    if (one === undefined || refusals === undefined) continue;
    const { object } = one.first;
    const relevant = one.first.relevant.filter((index) => left.has(index));
    const found = await blamed(units, left, { refusals, relevant }, async (choice) => tryOut(object, choice));
    for (const [index, reasons] of found) faults.set(index, reasons);
  }
  return faults;
}

/** One thing that objects are refused for. */
interface Shared {
  count: number;
  first: Refused;
  refusal: SutureError;
  suspects: readonly number[];
}

function sharedOf(units: readonly Unit[], refused: readonly Refused[]): Map<string, Shared> {
  const known = new Map<string, Shared>();
  for (const first of refused)
    for (const refusal of first.refusals) {
      if (refusal.where.symbol === undefined) continue;
      const one = known.get(keyOf(refusal));
      if (one !== undefined) one.count++;
      else known.set(keyOf(refusal), { count: 1, first, refusal, suspects: suspects(units, first.relevant, [refusal]) });
    }
  return known;
}

function keyOf({ code, where }: SutureError): string {
  return `${code} ${where.symbol}`;
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
