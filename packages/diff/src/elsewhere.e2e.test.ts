/** What one object defines now and another object of the running kernel has. */
import { type ElfSymbol, newSymbol, STB } from "@suture/elf";
import { afterAll, expect, test } from "vitest";
import { externalNames, names, relocationsOf, Workshop } from "../test/workshop.ts";
import { variablesOf } from "./variables.ts";

const shop = new Workshop();
afterAll(() => shop.close());

const BUILD = { module: false, memoryHotplug: true };

/** A symbol of another object. */
function symbolOf(source: string, name: string): ElfSymbol {
  const symbol = shop.compile(source).symbols.find((one) => one.name === name);
  return symbol ?? newSymbol({ name, place: "undef", bind: STB.GLOBAL });
}

const map = (name: string, symbol: ElfSymbol, replace: boolean) => ({ elsewhere: new Map([[name, { symbol, replace }]]) });

test("a function that comes from another object takes the kernel's place; calls go to it, and pointers to the kernel's", () => {
  const symbol = symbolOf("int moved(int x) { return x; }", "moved");
  const rest = "extern void *kept; int calls(int x) { return moved(x) + 1; } void keeps(void) { kept = moved; }";
  const delta = shop.diff(
    `int moved(int x); ${rest}`,
    `noinline int moved(int x) { return x + 3; } ${rest.replace("+ 1", "+ 2").replace("kept = moved;", "kept = moved; barrier(); kept = moved;")}`,
    map("moved", symbol, true),
  );
  expect(names(delta.functions)).toEqual(["calls", "keeps", "moved"]);
  expect([delta.functions.find(({ name }) => name === "moved")?.original, delta.added]).toEqual([symbol, []]);
  expect(delta.externals.find(({ original }) => original === symbol)?.symbol.name).toBe("moved");
  const own = delta.object?.symbols.filter(({ name, place }) => name === "moved" && place !== "undef");
  expect(own?.map(({ bind }) => bind)).toEqual([STB.LOCAL]);
  const targets = (section: string): string[] => relocationsOf(delta, section).filter((line) => line.includes("moved"));
  expect([targets(".text.calls").length, targets(".text.keeps").length]).toEqual([1, 2]);
});

test("who calls it by name is the same, in the object that gets it and in the one that loses it", () => {
  const symbol = symbolOf("int moved(int x) { return x; }", "moved");
  const calls = "int calls(int x) { return moved(x) + 1; }";
  const own = `noinline __attribute__((noipa)) int moved(int x) { return x + 3; } ${calls}`;
  expect(names(shop.diff(`int moved(int x); ${calls}`, own, map("moved", symbol, true)).functions)).toEqual(["moved"]);
  const loses = shop.diff(own, `int moved(int x); ${calls}`, map("moved", symbol, true));
  expect([loses.outcome, loses.functions]).toEqual(["same", []]);
});

test("a variable stays the kernel's, wherever it is defined", () => {
  const symbol = symbolOf("int moved = 5;", "moved");
  const reads = "int reads(int x) { return moved + x; }";
  const delta = shop.diff(`extern int moved; ${reads}`, `int moved = 5; ${reads.replace("+ x", "- x")}`, map("moved", symbol, false));
  expect([names(delta.functions), delta.added, externalNames(delta)]).toEqual([["reads"], [], ["__fentry__", "moved"]]);
  expect(delta.externals.find((one) => one.symbol.name === "moved")?.original).toBe(symbol);
  const gone = shop.diff(`int moved = 5; ${reads}`, `extern int moved; ${reads.replace("+ x", "- x")}`, map("moved", symbol, false));
  expect(gone.externals.find((one) => one.symbol.name === "moved")?.original).toBe(symbol);
});

test("a weak definition beside another's is not used", () => {
  const symbol = symbolOf("int strong(void) { return 1; }", "strong");
  const calls = "int calls(int x) { return strong() + x; }";
  const patched = `__weak int strong(void) { return 2; } ${calls.replace("+ x", "- x")}`;
  const delta = shop.diff(`int strong(void); ${calls}`, patched, map("strong", symbol, false));
  expect([names(delta.functions), delta.added, externalNames(delta)]).toEqual([["calls"], [], ["__fentry__", "strong"]]);
});

test("writes of other objects' variables are told, where the code that is replaced did not write them", () => {
  const source = (a: string, b: string): string =>
    `extern int one, other; int f(int x) { ${a} return one + other + x; } void g(void) { ${b} }`;
  const delta = shop.diff(source("one = x;", ""), source("one = 2 * x; other = 1;", "one++;"));
  expect(delta.writes.toSorted((a, b) => (a.function < b.function ? -1 : 1))).toEqual([
    { function: "f", name: "other" },
    { function: "g", name: "one" },
  ]);
});

test("a stronger alignment is told for a variable that patched code uses", () => {
  const source = (attribute: string, f: string): string => `${attribute} int x = 1; int f(int i) { return x ${f} i; }`;
  const strong = "__attribute__((aligned(64)))";
  const aligned = (a: string, b: string): (number | undefined)[] =>
    shop.diff(source(a, "+"), source(b, "-")).externals.flatMap(({ symbol, align }) => (symbol.name === "x" ? [align] : []));
  expect([aligned("", strong), aligned(strong, ""), aligned(strong, strong)]).toEqual([[64], [undefined], [undefined]]);
});

test("the variables of an object, as others may be held against them", () => {
  const elf = shop.compile(`
    struct rs { int a; }; extern int f(void *); static const char text[] = "x";
    int zero; static int one = 1; static const int two[2] = { 1, 2 }; __initdata int three = 3; __percpu_data int four;
    int *pointer = &one;
    int g(void) { static int local = 7; static struct rs _rs = { 1 }; f(&_rs); f((void *)__func__); return local++ + one++ + zero + two[zero] + four; }
    int h(void) { return zero; }`);
  const found = variablesOf(elf, BUILD).map(({ name, home, size, referrers }) =>
    `${name} ${home} ${size} ${[...referrers].join(" ")}`.trim(),
  );
  expect(found.sort()).toEqual([
    "four per-CPU 4 g",
    "local writable 4 g",
    "one writable 4 g",
    "pointer writable 8",
    "three boot 4",
    "two read-only 8 g",
    "zero writable 4 g h",
  ]);
  const [zero, explicit] = ["int a[4];", "__read_mostly int a[4] = { 0 };"].map((c) => variablesOf(shop.compile(c), BUILD)[0]?.contents);
  expect(zero).toBe(explicit);
});
