/** A variable of the running kernel keeps its identity through a change of its name, scope or memory, or the change is refused. */
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, sectionOf, Workshop } from "../test/workshop.ts";
import type { Delta } from "./diff.ts";

const shop = new Workshop();
afterAll(() => shop.close());

const externals = (delta: Delta): string[] => externalNames(delta).filter((name) => name !== "__fentry__");

const LATE = '__attribute__((section(".data..ro_after_init")))';
/** More to a function than it has, without a reference. */
const more = "if (x > 3) x = x * 7 + 1;";

function referrers(name: string, declared: string, changed = ""): string {
  return `${declared}
    noinline int get(int x) { ${changed} return x + ${name}; }
    noinline int set(int x) { ${name} = x; return x * 2; }
    int both(int x) { if (x > 5) ${name}++; return ${name}; }`;
}

function flagOnly(declared: string, name: string): string {
  return `static ${declared}; int f(int x) { ${name} += x; return ${name}; } int g(void) { return ${name}; }`;
}

describe("names", () => {
  test.each([
    ["static", "static int before;", "static int after;"],
    ["global", "int before;", "int after;"],
    ["per-CPU", "static __percpu_data int before;", "static __percpu_data int after;"],
    ["static that becomes global", "static int before;", "int after;"],
  ])("a %s variable that every reference shows to be the same is the kernel's", (_, one, other) => {
    const delta = shop.diff(referrers("before", one), referrers("after", other, more));
    expect(names(delta.functions)).toEqual(["get"]);
    expect([externals(delta), delta.added]).toEqual([["before"], []]);
    expect(delta.notes).toEqual(["after is the kernel's before: every reference corresponds"]);
  });

  test("the other objects of the patch find it under its new name", () => {
    const delta = shop.diff(referrers("before", "int before;"), referrers("after", "int after;", more));
    expect(delta.exposed.map(({ name, symbol }) => [name, symbol.name])).toEqual([["after", "before"]]);
  });

  test("two at once, and nothing else: nothing is to be done", () => {
    const source = (a: string, b: string): string =>
      `static int ${a}, ${b}; int f(int x) { ${a} += x; return ${b}; } void g(void) { ${b}++; } int h(void) { return ${a}; }`;
    expect(shop.diff(source("a", "b"), source("one", "other")).outcome).toBe("same");
  });

  test.each([
    ["exchange names", "a", "b", ""],
    ["exchange names, and a function changes too", "a", "b", more],
    ["take each other's names in turn", "b", "c", ""],
  ])("where variables %s, state could be lost", (_, one, other, changed) => {
    const source = (a: string, b: string, c: string): string =>
      `static int ${a}, ${b}; int f(int x) { ${c} ${a} += x; return ${b}; } void g(void) { ${b}++; } int h(void) { return ${a}; }`;
    expect(shop.refusal(source("a", "b", ""), source(one === "a" ? "b" : one, one === "a" ? "a" : other, changed))).toMatchObject({
      code: "DIFF_VARIABLE_LOST",
      message: expect.stringMatching(/is used where . was, and nowhere that it was used before/),
    });
  });

  test("a call that moves past the only uses of two variables exchanges nothing", () => {
    const source = (body: string): string => `int a, b; void other(void); int f(int x) { ${body} return x; }`;
    const delta = shop.diff(source("other(); a = x; b = x;"), source("a = x; b = x; other();"));
    expect([names(delta.functions), externals(delta).sort()]).toEqual([["f"], ["a", "b", "other"]]);
  });

  test("what runs at boot only exchanges nothing that a livepatch has", () => {
    const source = (boot: string, changed = ""): string =>
      `int a, b; int g(int x) { ${changed} return x; } __attribute__((section(".init.text"))) void f(int x) { ${boot} }`;
    const delta = shop.diff(source("a = x; b = x + 1;"), source("b = x; a = x + 1;", more));
    expect([names(delta.functions), externals(delta)]).toEqual([["g"], []]);
  });

  test("state could be lost where helpers are put around a variable of another name", () => {
    const before = "static int old; int f(int x) { while (old > x) x++; old = x; return old; } int g(void) { return old++; }";
    const after = `static int state; static noinline void put(int x) { state = x; } static noinline int take(void) { return state; }
      int f(int x) { while (take() > x) x++; put(x); return state; } int g(void) { put(take() + 1); return state; }`;
    expect(shop.refusal(before, after)).toMatchObject({ code: "DIFF_VARIABLE_LOST", where: { symbol: "state" } });
  });

  test("another variable is used at one place", () => {
    const source = (used: string): string =>
      `static int a, b; int f(int x) { return x + ${used}; } void g(void) { a++; } void h(void) { b++; } int k(void) { return a; }`;
    expect(names(shop.diff(source("a"), source("b")).functions)).toEqual(["f"]);
  });

  const flagAndCount = (flag: string, count: string): string =>
    `int f(int x) { if (${flag}) return ${count}; ${flag} = x; return 0; } void g(void) { ${count}++; } int h(void) { return ${flag}; }`;
  const apart = `static int busy; static long count; ${flagAndCount("busy", "count")}`;
  const together = `static struct { long count; int busy; } now; ${flagAndCount("now.busy", "now.count")}`;
  test.each([
    ["variables become one structure", apart, together],
    ["a structure becomes several variables", together, apart],
    ["one gets another name and size", flagOnly("int before", "before"), flagOnly("long after", "after")],
    // Of a long the compiler compares and stores with immediates, which stand behind the field.
    [
      "one gets another name and size, and other instructions",
      "static int before; int f(int x) { if (!before) { before = 1; return x; } return 0; } void g(void) { before = 0; }",
      "static long after; int f(int x) { if (!after) { after = 1; return x; } return 0; } void g(void) { after = 0; }",
    ],
  ])("state could be lost where %s", (_, before, after) => {
    expect(shop.refusal(before, after)).toMatchObject({ code: "DIFF_VARIABLE_LOST" });
  });

  test("a changed initial value is one all the same", () => {
    expect(shop.refusal(referrers("a", "static int a = 3;"), referrers("b", "static int b = 4;"))).toMatchObject({
      code: "DIFF_DATA_CHANGED",
    });
  });

  test("where every function that uses it changes, it could be another one", () => {
    const source = (name: string, changed: string): string => `static int ${name}; int f(int x) { ${changed} ${name} += x; return x; }`;
    expect(shop.refusal(source("before", ""), source("after", more))).toMatchObject({
      code: "DIFF_VARIABLE_LOST",
      where: { symbol: "after" },
      message: expect.stringMatching(/f used before \(4 bytes, .bss.before\), which is gone, and use after/),
    });
    const helper = (name: string, by: string): string =>
      `static int ${name}; static noinline int ${by}(int x) { ${name} += x; return ${name}; } int f(int x) { return ${by}(x) + 1; }`;
    expect(shop.refusal(helper("before", "one"), helper("after", "other"))).toMatchObject({ code: "DIFF_VARIABLE_LOST" });
  });

  test.each([
    ["of another size", "static long after; int f(int x) { return x + after; } void g(int x) { after = x; }"],
    ["used otherwise", "static int after; int f(int x) { return x + after; } void g(int x) { after = x; }"],
    ["used by others", "static int after; int f(int x) { return x; } int other(int x) { after += x; return x; }"],
  ])("a new variable beside one that is gone is new: %s", (_, patched) => {
    const rest = "int other(int x);";
    const delta = shop.diff(`static int before; ${rest} int f(int x) { before += x; return x; } void g(int x) { }`, `${rest}${patched}`);
    expect(names(delta.added)).toContain("after");
    expect(delta.skipped).toEqual([{ name: "before", why: expect.stringMatching(/is gone/) }]);
  });

  test("a static local becomes a static of the file, and back", () => {
    const inside = "int f(int x) { static int state; state += x; return state; }";
    const outside = "static int state; int f(int x) { state += x; return state; }";
    expect([shop.diff(inside, outside).outcome, shop.diff(outside, inside).outcome]).toEqual(["same", "same"]);
    const other = "int g(int x) { return x; }";
    const changed = "int g(int x) { return x + 1; }";
    expect(externals(shop.diff(inside + other, outside + changed))).toEqual([]);
    const used = "static int state; int f(int x) { state += x + 1; return state * 3; }";
    expect(shop.refusal(inside, used)).toMatchObject({ code: "DIFF_STATIC_LOCAL", where: { symbol: "state" } });
  });

  test("a renamed table that pointers are compared with is the kernel's", () => {
    const source = (name: string, changed: string): string =>
      `extern const void *now; static const int ${name}[2] = { 1, 2 };
       void put(void) { now = ${name}; } int is(int x) { ${changed} return now == ${name} ? x : 0; }`;
    expect(externals(shop.diff(source("table", ""), source("list", more)))).toEqual(["now", "table"]);
  });
});

describe("memory", () => {
  test.each([
    ["read-only after boot, written now", `static int x ${LATE} = 1;`, "static int x = 1;", "void f(void) { x = 2; }", "writes it"],
    ["const, written now", "static const int x[2] = { 1, 2 };", "static int x[2] = { 1, 2 };", "void f(void) { x[1] = 2; }", "writes it"],
    [
      "const, its address given away",
      "static const int x = 1;",
      "static int x = 1;",
      "void k(void *); void f(void) { k(&x); }",
      "makes a pointer to it",
    ],
    ["read-only after boot, in unchanged code", `int x ${LATE} = 1;`, "int x = 1;", "", "writes it"],
    [
      "read-only after boot, and others know its name",
      `int x ${LATE} = 1;`,
      "int x = 1;",
      "int f(void) { return x; }",
      "other objects can write it by its name",
    ],
    ["one for each processor", "int x;", "__percpu_data int x;", "int f(void) { return x + 1; }", "uses it"],
    ["one for all", "__percpu_data int x;", "int x;", "int f(void) { return x + 1; }", "uses it"],
    ["freed after boot", "__initdata int x = 1;", "int x = 1;", "int f(void) { return x + 1; }", "uses it"],
  ])("%s: refused", (name, one, other, added, why) => {
    const isSame = name.endsWith("unchanged code");
    const user = isSame ? "void f(void) { x = 2; }" : "int first(void) { return 1; }";
    const keep = one.includes("__initdata") ? "void __init boot(void) { x++; }" : "int keep(int i) { return *((int *)&x + i); }";
    const original = `${one} ${keep} ${user}`;
    const refusal = shop.refusal(original, `${other} ${keep} ${user} ${added}`);
    expect(refusal).toMatchObject({ code: "DIFF_VARIABLE_HOME", where: { symbol: "x" } });
    expect(refusal.message).toContain(why);
  });

  test("what is only read may leave read-only memory, and may go there", () => {
    const source = (x: string, f: string): string => `${x} int f(int i) { return x${f}; } void __init boot(void) { *(int *)&x = 3; }`;
    const late = `int x ${LATE} = 1;`;
    for (const [one, other] of [
      // One that other objects know by its name is refused, below.
      [`static ${late}`, "static int x = 1;"],
      ["int x = 1;", late],
      ["int x __read_mostly = 1;", "int x = 1;"],
    ] as const) {
      const delta = shop.diff(source(one, ""), source(other, " + i"));
      expect([names(delta.functions), externals(delta), delta.added]).toEqual([["f"], ["x"], []]);
    }
  });

  test("a variable that becomes const is the kernel's, with its state", () => {
    const source = (x: string, f: string): string => `${x} int f(int i) { return x[i]${f}; }`;
    const delta = shop.diff(source("int x[2] = { 1, 2 };", ""), source("const int x[2] = { 1, 2 };", "+ 1"));
    expect(externals(delta)).toEqual(["x"]);
    expect(shop.refusal(source("int x[2] = { 1, 2 };", ""), source("const int x[2] = { 1, 3 };", "+ 1"))).toMatchObject({
      code: "DIFF_DATA_CHANGED",
    });
  });

  test.each([
    ["a variable that is read-only after boot", `int x ${LATE} = 1; int f(int i) { return x; }`, "x = i; return x;"],
    ["one that is new", "int f(int i) { return i; }", "y = i; return i;"],
  ])("code that begins to write %s is refused", (_, original, body) => {
    const patched = original.replace(/\{ return \w; \}/, `{ ${body} }`);
    expect(shop.refusal(original, `static int y ${LATE} = 3; int read(void) { return y; } ${patched}`)).toMatchObject({
      code: "DIFF_READ_ONLY",
      message: expect.stringMatching(/f writes [xy], which is (to be )?read-only after boot/),
    });
  });

  test("code that wrote it before may do so", () => {
    const original = `int x ${LATE} = 1; int f(int i) { if (i == 77) x = 1; return x; }`;
    expect(names(shop.diff(original, original.replace("77", "78")).functions)).toEqual(["f"]);
  });

  test("a new per-CPU variable is the livepatch's own, in the section that the module loader copies", () => {
    const delta = shop.diff("int f(int i) { return i; }", "static __percpu_data int own = 3; int f(int i) { return i + own; }");
    expect([names(delta.added), sectionOf(delta, ".data..percpu")?.size]).toEqual([["own"], 4]);
    const pointing = "int v; static __percpu_data int *own = &v; int f(int i) { return *own; }";
    expect(shop.refusal("int v; int f(int i) { return i; }", pointing, { build: { module: true, memoryHotplug: true } })).toMatchObject({
      code: "DIFF_PER_CPU",
    });
  });
});

describe("sections and names that say nothing of the state", () => {
  test.each([
    ["zero, in .bss and written out", "static int level;", "static __read_mostly int level;"],
    ["another value", "static int level = 5;", "static __read_mostly int level = 5;"],
  ])("a variable may go to .data..read_mostly and back: %s", (_, one, other) => {
    for (const [before, after] of [
      [one, other],
      [other, one],
    ] as const) {
      const delta = shop.diff(referrers("level", before), referrers("level", after, more));
      expect([names(delta.functions), externals(delta), delta.added]).toEqual([["get"], ["level"], []]);
    }
    const changed = other.includes("=") ? other.replace("5", "6") : other.replace(";", " = 6;");
    expect(shop.refusal(referrers("level", one), referrers("level", changed))).toMatchObject({ code: "DIFF_DATA_CHANGED" });
  });

  const table = (name: string, body: string, extra = ""): string =>
    `struct ops { int (*run)(int); }; noinline static int ${name}(int x) { ${body} } struct ops ops = { ${name} };
     int user(int x) { ${extra} return ${name}(x) + 1; }`;

  test("a function that is called otherwise and is the same is the kernel's, for tables that point to it, too", () => {
    expect(shop.diff(table("before", "return x * 3;"), table("after", "return x * 3;")).outcome).toBe("same");
    const delta = shop.diff(table("before", "return x * 3;"), table("after", "return x * 3;", more));
    expect([names(delta.functions), externals(delta), delta.added]).toEqual([["user"], ["before"], []]);
  });

  test("one that is called otherwise and changed is another one", () => {
    expect(shop.refusal(table("before", "return x * 3;"), table("after", "return x * 5;"))).toMatchObject({ code: "DIFF_DATA_CHANGED" });
  });

  test("of two that are alike none is taken for the kernel's", () => {
    const source = (a: string, b: string): string =>
      `__attribute__((no_icf)) noinline static int ${a}(int x) { return x * 3; } __attribute__((no_icf)) noinline static int ${b}(int x) { return x * 3; }
       int f(int x) { barrier(); return ${a}(x) + 1; } int g(int x) { return ${b}(x) + 2; }`;
    expect(names(shop.diff(source("a", "b"), source("c", "d")).added).sort()).toEqual(["c", "d"]);
  });
});

describe("bookkeeping of macros", () => {
  const source = (interval: number, rest = "", name = "_rs", file = ""): string => `
    struct rs { int interval; int burst; int begin; }; extern int ___ratelimit(struct rs *, const char *);
    ${file} int f(int x) { ${file === "" ? `static struct rs ${name} = { ${interval}, 10, 0 };` : ""}
      if (___ratelimit(&${name}, "f")) printk("f"); ${rest} return x; }
    int g(int x) { static struct rs _rs = { 7, 10, 0 }; if (___ratelimit(&_rs, "g")) printk("g"); return x; }`;

  test("a changed rate limit is carried, with the function that asks it, and told", () => {
    for (const rest of ["", more]) {
      const delta = shop.diff(source(5), source(50, rest));
      expect([names(delta.functions), delta.added.length, externals(delta)]).toEqual([["f"], 0, ["___ratelimit", "printk"]]);
      expect(delta.notes).toEqual([expect.stringMatching(/^_rs\.\d+ differs: byte at 0x0: the livepatch has its own/)]);
    }
  });

  test("one more of them does not hide that another changed", () => {
    const another = 'static struct rs _rs = { 5, 10, 0 }; if (x > 9 && ___ratelimit(&_rs, "again")) printk("again");';
    const delta = shop.diff(source(5), source(50, `{ ${another} }`));
    expect(names(delta.functions)).toEqual(["f"]);
    const limits = delta.object?.sections.filter(({ name }) => name.startsWith(".data._rs")).map(({ data }) => data[0]);
    expect(limits?.sort()).toContain(50);
  });

  test("a variable of the file with such a name is live data", () => {
    const one = source(5, "", "_rs", "static struct rs _rs = { 5, 10, 0 };");
    expect(shop.refusal(one, one.replace("{ 5, 10", "{ 50, 10"))).toMatchObject({ code: "DIFF_DATA_CHANGED" });
  });
});

test("a function that is gone while something may hold its address is told", () => {
  const source = (name: string, changed: string): string =>
    `extern void later(int (*)(int)); static int ${name}(int x) { ${changed} return x + 1; } void f(void) { later(${name}); }`;
  const delta = shop.diff(source("tick", ""), source("tock", more));
  expect(names(delta.functions)).toEqual(["f"]);
  expect(delta.notes).toEqual(["tick is gone: what was given its address before (a timer, a callback) goes on with the old code"]);
  expect(shop.diff(source("tick", ""), source("tick", more)).notes).toEqual([]);
});
