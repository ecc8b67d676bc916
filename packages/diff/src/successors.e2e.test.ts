/** Functions that take another's place in a table: which are replaced, and which near misses are not. */
import { afterAll, describe, expect, test } from "vitest";
import { names, relocationsOf, Workshop } from "../test/workshop.ts";
import type { Delta, DiffOptions } from "./diff.ts";

const shop = new Workshop();
afterAll(() => shop.close());

const OPTIONS: Partial<DiffOptions> = { acceptData: () => false, reach: () => undefined };

const OPS = `struct ops { long id; int (*one)(int); int (*two)(int); }; extern int misc_register(const struct ops *); extern int elsewhere(int);
  static noinline int deep(int x) { return x * 3; }`;
const OLD = "static int old(int x) { return deep(x) + 1; }";
const FRESH = "static int fresh(int x) { return x < 0 ? -22 : deep(x) + 1; }";

/** A table of operations that is registered at boot. */
function table(functions: string, init: string, kind = "static struct ops"): string {
  return `${OPS} ${functions} ${kind} ops = { ${init} }; __init int setup(void) { return misc_register((struct ops *)&ops); }
    int use(int x) { return deep(x + 1); }`;
}

const diff = (before: string, after: string, options = OPTIONS): Delta => shop.diff(before, after, options);
const why = (before: string, after: string, options = OPTIONS): string => {
  const { code, message } = shop.refusal(before, after, options);
  return `${code} ${message}`;
};

describe("the old function is replaced by the one in its place", () => {
  test.each([
    ["a writable table", "static struct ops"],
    ["a table of constants", "static const struct ops"],
    ["a table that others can name", "struct ops"],
    ["one of the boot phase's last words", 'static __attribute__((section(".data..ro_after_init"))) struct ops'],
  ])("%s", (_, kind) => {
    const delta = diff(table(OLD, ".one = old, .two = elsewhere", kind), table(FRESH, ".one = fresh, .two = elsewhere", kind));
    expect(delta).toMatchObject({
      outcome: "patch",
      functions: [{ name: "old" }],
      successors: [{ function: "old", becomes: "fresh", variable: "ops", at: 8 }],
      renamed: [{ name: "fresh", original: "old" }],
      added: [],
      live: [],
      handed: [],
      liveTable: undefined,
    });
    expect(delta.functions[0]?.original.name).toBe("old");
    expect(delta.functions[0]?.symbol.name).toBe("fresh");
    // Nothing of the table is in the livepatch: what is called is the kernel's.
    expect(delta.externals.map(({ symbol }) => symbol.name).sort()).toEqual(["__fentry__", "deep"]);
  });

  test("in two words of one table, and each task moves over by itself", () => {
    const both = "static int other(int x) { return deep(x) - 1; }";
    const after = "static int freed(int x) { return x > 9 ? 0 : deep(x) - 1; }";
    const delta = diff(table(OLD + both, ".one = old, .two = other"), table(FRESH + after, ".one = fresh, .two = freed"));
    expect(names(delta.functions)).toEqual(["old", "other"]);
    expect(delta.successors).toMatchObject([
      { function: "old", becomes: "fresh" },
      { function: "other", becomes: "freed" },
    ]);
  });

  test("in two tables, both of which get the same one", () => {
    const two = (
      functions: string,
      name: string,
    ): string => `${table(functions, `.one = ${name}`)} static const struct ops more = { .two = ${name} };
      __init int again(void) { return misc_register(&more); }`;
    const delta = diff(two(OLD, "old"), two(FRESH, "fresh"));
    expect(names(delta.functions)).toEqual(["old"]);
    expect(delta.successors.map(({ variable, at }) => `${variable}+${at}`).sort()).toEqual(["more+16", "ops+8"]);
  });

  test("what the old one called may take something else now: who calls the old one comes to the new", () => {
    const locked = (source: string): string =>
      source.replace("deep(int x) { return x * 3; }", "deep(int x, int y) { return x * 3 + y; }").replace("deep(x + 1)", "deep(x + 1, 2)");
    const fresh = "static int fresh(int x) { return deep(x, 7) + 1; }";
    const delta = diff(table(OLD, ".one = old"), locked(table(fresh, ".one = fresh")));
    expect(names(delta.functions)).toEqual(["deep", "old", "use"]);
    expect(delta.successors).toHaveLength(1);
  });

  test("new code that compares or keeps a pointer to the new one has that of the old", () => {
    const is = (name: string): string => `int is(struct ops *one) { return one->one == ${name}; }`;
    const delta = diff(
      `${table(OLD, ".one = old")} int is(struct ops *one) { return 0; }`,
      `${table(FRESH, ".one = fresh")} ${is("fresh")}`,
    );
    expect(names(delta.functions)).toEqual(["is", "old"]);
    expect(relocationsOf(delta, ".text.is").filter((one) => !one.includes("__fentry__"))).toEqual([expect.stringMatching(/ old\+0$/)]);
  });

  test("and calls it where it is", () => {
    const calls = "static noinline int helper(int x) { barrier(); return x; }";
    const before = `${table(OLD, ".one = old")} ${calls} int user(int x) { return helper(x); }`;
    const after = `${table(FRESH.replace("static", "static noinline"), ".one = fresh")} ${calls} int user(int x) { return helper(x) + fresh(x); }`;
    const delta = diff(before, after);
    expect(names(delta.functions)).toEqual(["old", "user"]);
    expect(relocationsOf(delta, ".text.user").some((one) => one.includes(" fresh"))).toBe(true);
  });

  test("what it has of its own, the kernel's old one had: a static counter goes on", () => {
    const counts = (name: string, more: string): string =>
      `static int ${name}(int x) { static int seen; seen += x; return ${more} deep(x) + seen; }`;
    const delta = diff(table(counts("old", ""), ".one = old"), table(counts("fresh", "x < 0 ? -22 :"), ".one = fresh"));
    expect(names(delta.functions)).toEqual(["old"]);
    expect(delta.externals.some(({ symbol }) => symbol.name.startsWith("seen"))).toBe(true);
    expect(delta.added).toEqual([]);
  });

  test("whatever else differs in the table is still refused", () => {
    expect(why(table(OLD, ".one = old, .id = 1"), table(FRESH, ".one = fresh, .id = 2"))).toMatch(
      /^DIFF_DATA_CHANGED ops differs: byte at/,
    );
    expect(why(table(OLD, ".one = old"), table(FRESH, ".one = fresh, .two = elsewhere"))).toMatch(
      /ops\+0x10 was nothing, and is elsewhere/,
    );
  });
});

describe("near misses", () => {
  const differs = /^DIFF_(RO)?DATA_CHANGED ops differs/;

  test.each<[string, string, string]>([
    [
      "the old one is there still, and the new one calls it",
      table(OLD.replace("static", "static noinline"), ".one = old"),
      table(`${OLD.replace("static", "static noinline")} static int fresh(int x) { return x < 0 ? -22 : old(x); }`, ".one = fresh"),
    ],
    [
      "the old one is there still, in another word",
      table(OLD, ".one = old, .two = old"),
      table(`${OLD} ${FRESH}`, ".one = fresh, .two = old"),
    ],
    [
      "two words, of which each gets another one",
      table(OLD, ".one = old, .two = old"),
      table(`${FRESH} static int other(int x) { return deep(x) - 9; }`, ".one = fresh, .two = other"),
    ],
    [
      "one new one in place of two",
      table(`${OLD} static int other(int x) { return deep(x) - 1; }`, ".one = old, .two = other"),
      table(FRESH, ".one = fresh, .two = fresh"),
    ],
    [
      "the old one is called as well",
      `${table(OLD.replace("static", "static noinline"), ".one = old")} int calls(int x) { return old(x); }`,
      `${table(FRESH, ".one = fresh")} int calls(int x) { return deep(x); }`,
    ],
    [
      "the compiler has read the table for code",
      `${table(OLD, ".one = old", "static const struct ops")} int (*get(void))(int) { return ops.one; }`,
      `${table(FRESH, ".one = fresh", "static const struct ops")} int (*get(void))(int) { return ops.one; }`,
    ],
    [
      "code has given a pointer to the old one away",
      `${table(OLD, ".one = old")} extern void give(int (*)(int)); void gives(void) { give(old); }`,
      `${table(FRESH, ".one = fresh")} extern void give(int (*)(int)); void gives(void) { give(elsewhere); }`,
    ],
    [
      "and has at boot",
      `${table(OLD, ".one = old")} extern void give(int (*)(int)); __init void gives(void) { give(old); }`,
      `${table(FRESH, ".one = fresh")} extern void give(int (*)(int)); __init void gives(void) { give(elsewhere); }`,
    ],
    ["other objects can name the old one", table(OLD.replace("static", ""), ".one = old"), table(FRESH, ".one = fresh")],
    ["other objects can name the new one", table(OLD, ".one = old"), table(FRESH.replace("static", ""), ".one = fresh")],
    [
      "the new one is a function that the kernel has",
      table(`${OLD} ${FRESH.replace("static", "")}`, ".one = old"),
      table(FRESH.replace("static", ""), ".one = fresh"),
    ],
    ["the new one is another object's", table(OLD, ".one = old"), table("", ".one = elsewhere")],
    ["the old one is another object's", table("", ".one = elsewhere"), table(FRESH, ".one = fresh")],
    ["the old one has no ftrace entry", table(OLD.replace("static", "static notrace"), ".one = old"), table(FRESH, ".one = fresh")],
    [
      "a list that other parts of the kernel read has the old one",
      `${table(OLD, ".one = old")} static void *listed __attribute__((used, section("_kprobe_blacklist"))) = old;`,
      table(FRESH, ".one = fresh"),
    ],
    [
      "what BPF programs may call",
      `${table(OLD, ".one = old")} asm(".pushsection .BTF_ids,\\"a\\"\\n.local __BTF_ID__func__old__1\\n__BTF_ID__func__old__1: .zero 4\\n.popsection");`,
      table(FRESH, ".one = fresh"),
    ],
    [
      "two names of one piece of code",
      `${table(OLD, ".one = old")} static int alias(int) __attribute__((alias("old"), used));`,
      table(FRESH, ".one = fresh"),
    ],
    ["the word points into it", table(OLD, ".one = (void *)((char *)old + 4)"), table(FRESH, ".one = (void *)((char *)fresh + 4)")],
  ])("%s", (_, before, after) => {
    expect(why(before, after)).toMatch(differs);
  });

  test("it is forbidden", () => {
    expect(why(table(OLD, ".one = old"), table(FRESH, ".one = fresh"), { reach: () => undefined })).toMatch(differs);
  });

  test("somebody has named the table: its word is changed", () => {
    const named: Partial<DiffOptions> = { ...OPTIONS, acceptData: (name) => name === "ops" };
    const delta = diff(table(OLD, ".one = old"), table(FRESH, ".one = fresh"), named);
    expect([delta.successors, delta.functions, names(delta.live.map(({ variable: name }) => ({ name })))]).toEqual([[], [], ["ops"]]);
  });

  test("a fix with callbacks of its own, which may set the table", () => {
    const callback =
      'static int before(void *o) { return 0; } static int (*mark)(void *) __attribute__((used, section(".kpatch.callbacks.pre_patch"))) = before;';
    expect(why(table(OLD, ".one = old"), table(`${FRESH} ${callback}`, ".one = fresh"))).toMatch(differs);
  });

  test("one that does not differ but for its name needs nothing", () => {
    const delta = diff(table(OLD, ".one = old"), table(OLD.replace("old", "fresh"), ".one = fresh"));
    expect([delta.outcome, delta.successors]).toEqual(["same", []]);
  });
});
