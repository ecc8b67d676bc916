/** Variables of the running kernel that are changed where they stand: which, and which near misses are not. */
import { isSection, relocationSections } from "@suture/elf";
import { afterAll, describe, expect, test } from "vitest";
import { names, relocationsOf, sectionOf, Workshop } from "../test/workshop.ts";
import type { Delta, DiffOptions } from "./diff.ts";

const shop = new Workshop();
afterAll(() => shop.close());

const UNNAMED: Partial<DiffOptions> = { acceptData: () => false, reach: () => undefined };
const BY_WORD: Partial<DiffOptions> = { acceptData: () => true, reach: () => undefined };

const OPS = `struct ops { long id; int (*one)(int); int (*two)(int); int limit, other; };
  extern int misc_register(struct ops *); extern int elsewhere(int); extern int another(int);
  static __attribute__((noipa)) int f(int x) { return x + 1; } static __attribute__((noipa)) int g(int x) { return x * 3; }`;

/** A table of operations that is registered at boot. */
function table(init: string, more = "", kind = "static struct ops"): string {
  return `${OPS} ${more} ${kind} ops = { ${init} }; __init int setup(void) { return misc_register((struct ops *)&ops); }
    int use(int x) { return f(x) + g(x + 1); }`;
}

const words = (delta: Delta): string[] =>
  delta.live.map(({ variable, at, size, was, becomes }) => `${variable}+${at}/${size} ${was} → ${becomes}`);
const why = (before: string, after: string, options = UNNAMED): string => {
  const { code, message } = shop.refusal(before, after, options);
  return `${code} ${message}`;
};

describe("a pointer to a function", () => {
  test("a pointer to a function becomes one to a new function, which is carried; the module stays", () => {
    const fresh = "static int fresh(int x) { return x - 5; }";
    const delta = shop.diff(table(".one = f, .two = g"), table(".one = fresh, .two = g", fresh), BY_WORD);
    expect(words(delta)).toEqual(["ops+8/8 f → fresh"]);
    expect(delta).toMatchObject({ outcome: "patch", functions: [], live: [{ holds: true, readOnly: false }] });
    expect(names(delta.added)).toEqual(["fresh"]);
    expect(delta.handed).toEqual([{ function: "ops", kind: "function", name: "fresh" }]);
    // Where it stands, what is there, and what is to be there, of which only the last is the livepatch's.
    expect(relocationsOf(delta, ".data.suture_live")).toEqual(["0 ops+8", "8 f+0", "16 fresh+0", "32 .rodata.suture_live+0"]);
    expect(delta.externals.map(({ symbol }) => symbol.name).sort()).toEqual(["__fentry__", "f", "ops"]);
    const symbol = delta.object?.symbols.find(({ name }) => name === delta.liveTable);
    expect(symbol !== undefined && isSection(symbol.place) && symbol.place.name).toBe(".data.suture_live");
    expect(Buffer.from(sectionOf(delta, ".rodata.suture_live")?.data ?? []).toString()).toBe("ops+0x8\0");
  });

  test("one to what the kernel has holds nothing of the livepatch's", () => {
    const delta = shop.diff(table(".one = f"), table(".one = g"), BY_WORD);
    expect(words(delta)).toEqual(["ops+8/8 f → g"]);
    expect(delta).toMatchObject({ outcome: "patch", added: [], handed: [], live: [{ holds: false }] });
    expect(words(shop.diff(table(".two = elsewhere"), table(".two = another"), BY_WORD))).toEqual(["ops+16/8 elsewhere → another"]);
  });

  test("of a function that is replaced it is the kernel's, whose calls come to the new one", () => {
    const changed = (source: string): string => source.replace("return x * 3", "return x * 5 + (x > 7)");
    const delta = shop.diff(table(".one = f"), changed(table(".one = g")), BY_WORD);
    expect([words(delta), names(delta.functions)]).toEqual([["ops+8/8 f → g"], ["g"]]);
    expect(relocationsOf(delta, ".data.suture_live")).toContain("16 g+0");
    expect([...relocationSections(delta.object ?? expect.fail()).keys()].map(({ name }) => name)).toContain(".text.g");
    expect(delta.externals.map(({ symbol }) => symbol.name)).toContain("g");
  });

  test("a table of constants that others have a pointer to", () => {
    const kind = "static const struct ops";
    const delta = shop.diff(table(".one = f", "", kind), table(".one = g", "", kind), BY_WORD);
    expect([words(delta), delta.live[0]?.readOnly]).toEqual([["ops+8/8 f → g"], true]);
  });

  test("the same fix always knows of it by the same state, and no two words by one", () => {
    const [one, same, other] = [".one = g", ".one = g", ".one = f, .two = f"].map(
      (init, i) => shop.diff(table(i < 2 ? ".one = f" : ".one = f, .two = g"), table(init), BY_WORD).live[0]?.state ?? 0,
    );
    expect([one, Number.isSafeInteger(one), one === 0]).toEqual([same, true, false]);
    expect(other).not.toBe(one);
  });
});

/** What each attribute of a message must be, which a registered family holds. */
function policy(entries: string, more = ""): string {
  return `typedef unsigned char u8; typedef unsigned short u16; struct range { long min, max; };
    struct policy { u8 type, check; u16 len; union { const char *message; const struct range *range; int (*validate)(int); struct { short min, max; }; }; };
    ${more} static __attribute__((noipa)) int f(int x) { return x + 1; } int use(int x) { return f(x); }
    static const struct policy policy[4] = { ${entries} }; struct family { const struct policy *policy; } family = { policy };`;
}

describe("a read-only table that is held by pointer", () => {
  const range = "static const struct range range = { 1, 9 };";

  test.each([
    ["a length", "[1] = { 2, 0, 15 }", "[1] = { 2, 0, 7 }", ["policy+16/8 0xf0002 → 0x70002"]],
    [
      "what is checked and by what, in two words",
      "[1] = { 2 }",
      "[1] = { 2, 3, .min = 0, .max = 15 }",
      ["policy+16/8 0x2 → 0x302", "policy+24/8 nothing → 0xf0000"],
    ],
    [
      "a function that a number says is there",
      "[1] = { 2 }",
      "[1] = { 2, 5, .validate = f }",
      ["policy+16/8 0x2 → 0x502", "policy+24/8 nothing → f"],
    ],
    [
      "an entry that was empty, by a table that is new",
      "[3] = { 1 }",
      "[2] = { 2, 4, .range = &range }, [3] = { 1 }",
      ["policy+32/8 nothing → 0x402", "policy+40/8 nothing → range"],
    ],
    ["a string where none was", "[1] = { 9 }", '[1] = { 9, .message = "no" }', ['policy+24/8 nothing → "no"']],
  ])("%s", (_, before, after, taken) => {
    expect(why(policy(before, range), policy(after, range))).toMatch(/^DIFF_RODATA_CHANGED policy differs/);
    const delta = shop.diff(policy(before, range), policy(after, range), BY_WORD);
    expect([words(delta), delta.live.every(({ readOnly }) => readOnly), delta.functions]).toEqual([taken, true, []]);
  });

  test("what the livepatch brings with it, it holds", () => {
    const delta = shop.diff(policy("[1] = { 9 }"), policy('[1] = { 9, .message = "no" }'), BY_WORD);
    expect([delta.live[0]?.holds, delta.handed]).toEqual([true, [{ function: "policy", kind: "string", name: "no" }]]);
  });

  test("more entries than the kernel has, or another string", () => {
    expect(why(policy("[1] = { 9 }"), policy("[1] = { 9 }").replace("policy[4]", "policy[5]"), BY_WORD)).toMatch(
      /the kernel has 64 bytes of it/,
    );
    expect(why(policy('[1] = { 9, .message = "no" }'), policy('[1] = { 9, .message = "never" }'), BY_WORD)).toMatch(
      /has no name of its own in the kernel/,
    );
  });

  test("one that ends within a word, and one of bytes", () => {
    const bytes = (text: string): string => `const char form[${text.length}] = "${text}"; const char *shown = form;`;
    const [long, other] = ["a table of forty-three bytes, a third and  ", "a table of forty-three bytes, a third andso"];
    expect(words(shop.diff(bytes(long), bytes(other), BY_WORD))).toEqual(["form+40/2 0x2064 → 0x7364", "form+42/1 0x20 → 0x6f"]);
    expect(words(shop.diff(bytes("abc"), bytes("xbz"), BY_WORD))).toEqual(["form+0/1 0x61 → 0x78", "form+2/1 0x63 → 0x7a"]);
  });
});

describe("by somebody's word, and by nothing else", () => {
  test.each([
    ["a function", ".one = f", ".one = g", "ops+0x8 was f, and is g", ["ops+8/8 f → g"]],
    ["a place that is filled", ".one = f", ".one = f, .two = g", "ops+0x10 was nothing, and is g", ["ops+16/8 nothing → g"]],
    ["a place that is emptied", ".one = f, .two = g", ".one = f", "ops+0x10 was g, and is nothing", ["ops+16/8 g → nothing"]],
    [
      "two words",
      ".one = f, .two = g",
      ".one = g, .two = f",
      "ops+0x8 was f, and is g, ops+0x10 was g, and is f",
      ["ops+8/8 f → g", "ops+16/8 g → f"],
    ],
    ["a number", ".limit = 0x100ff", ".limit = 0x10100", "ops+0x18 was 0x100ff, and is 0x10100", ["ops+24/8 0x100ff → 0x10100"]],
    ["a number where a pointer was", ".one = f", ".one = (void *)1", "ops+0x8 was f, and is 0x1", ["ops+8/8 f → 0x1"]],
  ])("%s", (_, before, after, message, taken) => {
    const refused = why(table(before), table(after));
    expect(refused).toMatch(/^DIFF_DATA_CHANGED ops differs: /);
    expect(refused).toContain(`; ${message}`);
    expect(why(table(before), table(after), { ...BY_WORD, acceptData: (name) => name === "op" })).toBe(refused);
    expect(words(shop.diff(table(before), table(after), { ...BY_WORD, acceptData: (name) => name === "ops" }))).toEqual(taken);
  });

  test("two tables, each of which has to be named", () => {
    const two = (init: string): string => `${table(init)} struct ops more = { ${init} };`;
    expect(why(two(".one = f"), two(".one = g"), { ...BY_WORD, acceptData: (name) => name === "ops" })).toMatch(/more differs/);
    expect(shop.diff(two(".one = f"), two(".one = g"), BY_WORD).live).toHaveLength(2);
  });

  test("a whole number, and no part of one that looks the same", () => {
    const source = (value: string): string => `int limit = ${value}; int get(void) { return limit; } void set(int x) { limit = x; }`;
    expect(words(shop.diff(source("0x00100000"), source("0x00080000"), BY_WORD))).toEqual(["limit+0/4 0x100000 → 0x80000"]);
    // One that begins as zero has no bytes in the file.
    expect(shop.refusal(source("0"), source("7"), UNNAMED).code).toBe("DIFF_DATA_CHANGED");
    expect(words(shop.diff(source("7"), source("0"), BY_WORD))).toEqual(["limit+0/4 0x7 → 0x0"]);
  });

  test("a pointer to data", () => {
    const source = (to: string): string =>
      `int a = 1, b = 2; int *at = &${to}; int sum(void) { return a++ - b--; } int get(void) { return *at; } void set(int *x) { at = x; }`;
    expect(why(source("a"), source("b"))).toContain("at was a, and is b");
    expect(words(shop.diff(source("a"), source("b"), BY_WORD))).toEqual(["at+0/8 a → b"]);
    const held = shop.diff(source("a"), source("a").replace("= &a", "= &c").replace("int a", "static int c = 9; int a"), BY_WORD);
    expect(held.handed).toEqual([{ function: "at", kind: "variable", name: "c" }]);
  });

  test("a table that the boot phase has gone over", () => {
    const late = 'static __attribute__((section(".data..ro_after_init"))) struct ops';
    expect(shop.diff(table(".one = f", "", late), table(".one = g", "", late), BY_WORD).live[0]?.readOnly).toBe(true);
  });

  test("what the object's own code does with it is told", () => {
    const more = `__init int look(void) { return ops.one(3); } extern void *kmemdup(const void *, long, int);
      void *copy(void) { return kmemdup(&ops, sizeof(ops), 1); } void set(void) { ops.limit = 3; } struct ops *holder = &ops;`;
    const { notes } = shop.diff(
      `${table(".one = f", "", "struct ops")} ${more}`,
      `${table(".one = g", "", "struct ops")} ${more}`,
      BY_WORD,
    );
    const [note = ""] = notes;
    expect(note).toMatch(/^ops is changed where it stands, by somebody's word/);
    for (const use of [
      /it is read by look \(which has run\)/,
      /its address is in (?=.*setup \(which has run\))(?=.*copy)(?=.*holder)/,
      /it is written by set/,
      /other objects can name it/,
    ])
      expect(note).toMatch(use);
  });
});

describe("by nobody's word", () => {
  const both = (before: string, after: string): string[] => [why(before, after), why(before, after, BY_WORD)];

  test("where nothing of the kernel is to be changed but functions", () => {
    const refusal = shop.refusal(table(".one = f"), table(".one = g"), { reach: () => undefined });
    expect([refusal.code, refusal.message]).toEqual(["DIFF_DATA_CHANGED", "ops differs: reference at 0x8"]);
    const kind = "static const struct ops";
    expect(shop.refusal(table(".one = f", "", kind), table(".one = g", "", kind)).code).toBe("DIFF_RODATA_CHANGED");
  });

  test("the function that it held is replaced: copies of the pointer would come to the new one, whatever it takes now", () => {
    const after = table(".one = f2", "static noinline int f2(int x) { return x + 9; }")
      .replace("int f(int x) { return x + 1; }", "int f(int x, int y) { return x + y; }")
      .replace("f(x) + g", "f(x, 2) + g");
    expect(why(table(".one = f"), after, BY_WORD)).toMatch(/it held f, which is replaced too/);
  });

  test.each([
    [
      "a function that is gone, and calls what is replaced",
      "static noinline int deep(int x) { return x * 7; } static noinline int old(int x) { return deep(x) + 2; }",
      ".one = old",
      "static noinline int deep(int x, int y) { return x * 7 + y; } static int fresh(int x) { return deep(x, 4) + 2; }",
      /it held old, which leads to deep, which is replaced/,
    ],
    [
      "and one that does so by another that is gone",
      "static noinline int deep(int x) { return x * 7; } static noinline int mid(int x) { return deep(x) + 1; } static noinline int old(int x) { return mid(x) + 2; }",
      ".one = old",
      "static noinline int deep(int x, int y) { return x * 7 + y; } static int fresh(int x) { return deep(x, 4) + 2; }",
      /it held old, which leads to deep, which is replaced/,
    ],
  ])("%s", (_, gone, held, now, message) => {
    const uses = (call: string): string => `int user(int x) { return ${call}; }`;
    const [before, after] = [`${table(held, gone)} ${uses("deep(x)")}`, `${table(".one = fresh", now)} ${uses("deep(x, 1)")}`];
    expect(why(before, after, BY_WORD)).toMatch(message);
  });

  test("what the old function comes to in other objects is told to whoever has those", () => {
    const gone = "static noinline int old(int x) { return another(x) + 2; }";
    const fresh = "static int fresh(int x) { return x - 5; }";
    const delta = shop.diff(table(".one = old", gone), table(".one = fresh", fresh), BY_WORD);
    expect(delta.leans.filter((name) => name !== "__fentry__")).toEqual(["another"]);
    // One of another object, and one that others can name and that is gone here.
    expect(shop.diff(table(".one = elsewhere"), table(".one = f"), BY_WORD).leans).toEqual(["elsewhere"]);
    const named = shop.diff(table(".one = old", gone.replace("static", "")), table(".one = fresh", fresh), BY_WORD);
    expect(named.leans.filter((name) => name !== "__fentry__")).toEqual(["another", "old"]);
    // What stays as it is comes to what the kernel comes to anyway.
    expect(shop.diff(table(".one = f"), table(".one = g"), BY_WORD).leans).toEqual([]);
  });

  test("new code calls by a pointer where the old did not, and the place is not yet filled", () => {
    const before = table(".one = f");
    const calls = (source: string): string => source.replace("int use(int x) { return", "int use(int x) { return ops.two(x) +");
    expect(why(before, calls(table(".one = f, .two = elsewhere")), BY_WORD)).toMatch(
      /use, which calls by a pointer where it did not, may rely on it/,
    );
    const helper = "extern struct ops *which; static noinline int through(int x) { return which->two(x); }";
    const by = table(".one = f, .two = elsewhere", helper).replace("return f(x) + g", "return through(x) + g");
    expect(why(before, by, BY_WORD)).toMatch(/through, which calls by a pointer/);
    // Of what only the pointer leads to, nothing runs before.
    const own = table(".one = f, .two = fresh", "extern struct ops *which; static int fresh(int x) { return which->one(x); }");
    expect(words(shop.diff(before, own, BY_WORD))).toEqual(["ops+16/8 nothing → fresh"]);
  });

  test.each([
    [
      "of another size",
      "struct { int a, b; } v = { 1 }; int get(void) { return v.a; }",
      "struct { int a, b, c; } v = { 2 }; int get(void) { return v.a; }",
      "the kernel has 8 bytes of it",
    ],
    [
      "of each processor",
      "__percpu_data int v = 1; int get(void) { return v; }",
      "__percpu_data int v = 2; int get(void) { return v; }",
      "it is per-CPU, where nothing is changed",
    ],
    [
      "a static call",
      `${OPS} struct { void *func; } __SCK__call = { f }; int get(int x) { return f(x); }`,
      `${OPS} struct { void *func; } __SCK__call = { g }; int get(int x) { return f(x); }`,
      "code is rewritten by what it holds",
    ],
    [
      "a static key",
      "struct static_key key = { 0 }; int get(void) { return static_branch(&key); }",
      "struct static_key key = { 1 }; int get(void) { return static_branch(&key); }",
      "code is rewritten by what it holds",
    ],
    [
      "pointers that are not aligned",
      `${OPS} struct { char c; void *at; } __attribute__((packed)) v = { 1, f }; void *get(void) { return v.at; } void set(void *x) { v.at = x; } int use(int x) { return f(x) + g(x); }`,
      `${OPS} struct { char c; void *at; } __attribute__((packed)) v = { 1, g }; void *get(void) { return v.at; } void set(void *x) { v.at = x; } int use(int x) { return f(x) + g(x); }`,
      "is no whole pointer",
    ],
    [
      "a string, which has no name in the kernel",
      'char *v = "one"; char *get(void) { return v; }',
      'char *v = "two!"; char *get(void) { return v; }',
      "has no name of its own in the kernel",
    ],
    [
      "a function that another object may define instead",
      `${OPS} __weak int w(int x) { return x; } struct ops v = { .one = f };`,
      `${OPS} __weak int w(int x) { return x; } struct ops v = { .one = w };`,
      "has no name of its own in the kernel",
    ],
  ])("%s", (_, before, after, message) => {
    for (const refused of both(before, after)) expect(refused).toContain(message);
  });

  test("a function of the boot phase", () => {
    const init = "__init int early(int x) { return x; }";
    expect(shop.refusal(table(".one = f", init), table(".one = early", init), BY_WORD).code).toBe("DIFF_INIT_REFERENCE");
    expect(shop.refusal(table(".one = f"), table(".one = early", init), BY_WORD).code).toBe("DIFF_INIT_REFERENCE");
  });

  test("a fix with callbacks of its own", () => {
    const callback =
      'static int before(void *o) { return 0; } static int (*mark)(void *) __attribute__((used, section(".kpatch.callbacks.pre_patch"))) = before;';
    for (const refused of both(table(".one = f"), table(".one = g", callback))) expect(refused).toMatch(/the fix has callbacks of its own/);
  });
});

test("who begins to call by pointers is told to whoever has the other objects of the fix", () => {
  const calls = "extern struct ops *which; int use2(int x) { return which->one(x); }";
  const delta = shop.diff(table(".one = f"), table(".one = f", calls), UNNAMED);
  expect(delta.newCallsByPointer).toEqual(["use2"]);
  expect(shop.diff(table(".one = f"), table(".one = f", calls), { reach: () => undefined }).newCallsByPointer).toEqual([]);
  // Of a function that the new pointer alone leads to nothing is told.
  const own = "extern struct ops *which; static int fresh(int x) { return which->one(x); }";
  const filled = shop.diff(table(".one = f"), table(".one = f, .two = fresh", own), BY_WORD);
  expect([filled.newCallsByPointer, filled.live[0]?.fills]).toEqual([[], true]);
});
