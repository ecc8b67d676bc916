import { SutureError } from "@suture/errors";
import { expect, test } from "vitest";
import { blamed, sourceNames } from "./blame.ts";
import { dependents, type Unit, withNeeds } from "./units.ts";

const NOTHING = { members: new Set<string>(), calls: new Set<string>() };

function unit(index: number, name: string, needs: number[] = []): Unit {
  const hunk = {
    path: "x.c",
    index,
    oldStart: index,
    newStart: index,
    old: [],
    now: [],
    inside: [{ name, kind: "function" as const, isStatic: false, contract: true, isOther: true }],
    mentions: new Set([name]),
    calls: new Set<string>(),
    words: new Set<string>(),
    idle: false,
    gone: NOTHING,
    come: NOTHING,
    creates: false,
    knew: new Set<string>(),
    heads: "",
    shared: new Set<string>(),
    counted: new Set<string>(),
    uses: new Set<string>(),
    around: new Set<string>(),
    operations: new Set<string>(),
  };
  return { index, id: `u${index}`, title: name, files: [], hunks: [hunk], diff: "", needs: new Set(needs), idle: false, namesCve: false };
}

const refusal = (symbol: string): SutureError => new SutureError("DIFF_TEST", `${symbol} cannot`, { file: "x.o", symbol }, "");

/** Is refused for each of the units at fault that is in. */
function tester(faults: Readonly<Record<number, string>>) {
  let tries = 0;
  const tryOut = async (choice: ReadonlySet<number>): Promise<SutureError[]> => {
    tries++;
    return Object.entries(faults).flatMap(([index, symbol]) => (choice.has(Number(index)) ? [refusal(symbol)] : []));
  };
  return { tryOut, tries: () => tries };
}

const units = [unit(0, "a"), unit(1, "b"), unit(2, "c", [1]), unit(3, "d"), unit(4, "e", [2])];
const all = new Set(units.map(({ index }) => index));

test("what a refusal names is at fault, once the object without it is not refused", async () => {
  const { tryOut, tries } = tester({ 1: "b.constprop.0" });
  const found = await blamed(units, all, { refusals: await tryOut(all), relevant: [0, 1, 2, 3, 4] }, tryOut);
  expect([...found.keys()]).toEqual([1]);
  // With all, without it, and with it but not what needs it.
  expect(tries()).toBe(3);
});

test("a unit that is only named stays, and the one at fault is found", async () => {
  const { tryOut } = tester({ 3: "a" });
  const found = await blamed(units, all, { refusals: await tryOut(all), relevant: [0, 1, 2, 3, 4] }, tryOut);
  expect([...found.keys()]).toEqual([3]);
});

test("two at fault are both found, and whatever is tried first", async () => {
  const { tryOut } = tester({ 0: "zz", 4: "zz" });
  for (const relevant of [[0, 1, 2, 3, 4]]) {
    const found = await blamed(units, all, { refusals: await tryOut(all), relevant }, tryOut);
    expect([...found.keys()].sort()).toEqual([0, 4]);
  }
});

test("what shows only when others are away is found too, and a wrong guess beside right ones stays", async () => {
  // Of d's nothing is told while a is in; what names b is e's.
  const tryOut = async (choice: ReadonlySet<number>): Promise<SutureError[]> => [
    ...(choice.has(0) ? [refusal("a")] : choice.has(3) ? [refusal("d")] : []),
    ...(choice.has(4) ? [refusal("b")] : []),
  ];
  const found = await blamed(units, all, { refusals: await tryOut(all), relevant: [0, 1, 2, 3, 4] }, tryOut);
  expect([...found.keys()].sort()).toEqual([0, 3, 4]);
});

test("where none can be taken away to mend it, all are at fault", async () => {
  const tryOut = async (): Promise<SutureError[]> => [refusal("zz")];
  expect([...(await blamed(units, all, { refusals: [refusal("zz")], relevant: [0, 3] }, tryOut)).keys()]).toEqual([0, 3]);
});

test("with a unit those go that need it, by way of others too", () => {
  expect([...dependents(units, new Set([1]), all)]).toEqual([
    [2, [1]],
    [4, [2]],
  ]);
  expect(withNeeds(units, 4, all)).toEqual(new Set([4, 2, 1]));
  expect(withNeeds(units, 4, new Set([4, 2]))).toBeUndefined();
});

test("symbols are traced to names of the source", () => {
  expect(sourceNames("f.isra.0.cold")).toEqual(["f"]);
  expect(sourceNames("__do_sys_read")).toEqual(["__do_sys_read", "read"]);
  expect(sourceNames("state.12")).toEqual(["state"]);
});
