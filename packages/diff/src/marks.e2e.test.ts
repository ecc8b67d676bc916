/** What the source of a fix says by macros: callbacks, and what is not part of it. Objects that gcc makes here, with the header of the macros. */
import { join } from "node:path";
import { STB } from "@suture/elf";
import { placeText } from "@suture/errors";
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, relocationsOf, sectionOf, Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

const HEADER = `#include "${join(import.meta.dirname, "../../livepatch/c/kpatch/marks.h")}"
typedef int (*before_t)(void *); typedef void (*after_t)(void *);
#line 1 "file.c"
`;
const BASE = `
  int table[2] = { 1, 2 };
  int state;
  static int wanted(int x) { return x + state; }
  noinline int other(int x) { return wanted(x) * 2; }
  noinline int entry(int x) { return other(x) + table[1]; }`;
const IGNORE_FUNCTION = (name: string): string => `\nSUTURE_MARK_FUNCTION(".kpatch.ignore.functions", ${name});`;
const IGNORE_SECTION = (name: string): string => `\nSUTURE_MARK_NAME(".kpatch.ignore.sections", "${name}");`;
const UNSAFE = (name: string): string => `\nSUTURE_MARK_FUNCTION(".kpatch.force", ${name});`;
const changed = (source: string, what: RegExp, by: string): string => {
  expect(source).toMatch(what);
  return source.replace(what, by);
};

describe("callbacks", () => {
  const FOUR = `
    static int counted;
    static int helper(int n) { counted += n; return printk("counted"); }
    static int one(void *o) { return helper(1); }
    static void two(void *o) { helper(2); }
    void three(void *o) { state++; }
    static void four(void *o) { state = entry(4); }
    SUTURE_MARK_CALLBACK(post_unpatch, after_t, four); SUTURE_MARK_CALLBACK(pre_patch, before_t, one);
    SUTURE_MARK_CALLBACK(post_patch, after_t, two); SUTURE_MARK_CALLBACK(pre_unpatch, after_t, three);`;

  test("are carried with what they need, in an object whose functions did not change", () => {
    const delta = shop.diff(BASE, HEADER + BASE + FOUR);
    expect(delta.outcome).toBe("patch");
    expect(delta.functions).toEqual([]);
    expect(delta.callbacks.map(({ kind, name, symbol }) => `${kind} ${name} ${symbol.name}`)).toEqual([
      "pre_patch one one",
      "post_patch two two",
      "pre_unpatch three three",
      "post_unpatch four four",
    ]);
    expect(names(delta.added).sort()).toEqual(["counted", "four", "one", "three", "two"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "entry", "printk", "state"]);
    expect(delta.object?.sections.some(({ name }) => name.includes("kpatch"))).toBe(false);
  });

  test("go with changed functions, and use the same new variable", () => {
    const used = changed(`${BASE}${FOUR}`, /return other\(x\)/, "extern int shown; return shown + other(x)");
    const delta = shop.diff(BASE, `${HEADER}${used}\nint shown;`);
    expect(names(delta.functions)).toEqual(["entry"]);
    expect(delta.callbacks).toHaveLength(4);
    // What calls a changed function from the patch calls the new one.
    expect(relocationsOf(delta, ".text.four").some((r) => r.includes("entry"))).toBe(true);
    expect(externalNames(delta)).not.toContain("entry");
  });

  test("may be functions that the kernel has: the patch has a copy", () => {
    const base = `${BASE}\nnoinline void reset(void *o) { state = 0; }\nvoid user(void) { reset(0); }`;
    const delta = shop.diff(base, `${HEADER}${base}\nSUTURE_MARK_CALLBACK(post_patch, after_t, reset);`);
    expect(names(delta.functions)).toEqual([]);
    expect(delta.callbacks).toMatchObject([{ kind: "post_patch", name: "reset", symbol: { bind: STB.LOCAL } }]);
    expect(sectionOf(delta, ".text.reset")).toBeDefined();
  });

  test.each([
    [
      "static int one(void *o) { return 0; } static int two(void *o) { return 1; }",
      "one",
      "two",
      /(one and two|two and one) are both pre_patch/,
    ],
    ["extern int one(void *o);", "one", undefined, /one is not a function of this object/],
    ["static int __init one(void *o) { return 0; }", "one", undefined, /one is in \.init\.text/],
  ])("that cannot be called are refused: %s", (source, first, second, why) => {
    const mark = (name: string | undefined): string => (name === undefined ? "" : `\nSUTURE_MARK_CALLBACK(pre_patch, before_t, ${name});`);
    expect(shop.refusal(BASE, `${HEADER}${BASE}\n${source}${mark(first)}${mark(second)}`)).toMatchObject({
      code: "DIFF_MARK",
      message: expect.stringMatching(why),
    });
  });

  test("of a kind that is not known are refused", () => {
    const source = `${HEADER}${BASE}\nstatic void one(void *o) {}\nSUTURE_MARK_CALLBACK(load, after_t, one);`;
    expect(shop.refusal(BASE, source)).toMatchObject({ code: "DIFF_MARK", message: expect.stringContaining("kind") });
  });
});

describe("functions that are to be ignored", () => {
  const both = changed(changed(BASE, /x \+ state/, "x - state"), /other\(x\) \+/, "other(x) -");

  test("stay as they are, with their split-off parts; the others are taken in", () => {
    const cold = (text: string): string =>
      changed(
        both,
        /\* 2/,
        `* 2 + (__builtin_expect(x == 9, 0) ? ({ extern __attribute__((cold)) int rare(char *); rare("${text}"); }) : 0)`,
      );
    const delta = shop.diff(cold("a"), HEADER + changed(cold("b"), /\) - table/, ") + table") + IGNORE_FUNCTION("other"));
    expect(names(delta.functions)).toEqual(["entry"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "other", "table"]);
    expect(names(delta.skipped)).toEqual(["other.cold"]);
    expect(delta.skipped[0]?.why).toMatch(/differs \(.*\): the fix says that it is to be ignored/);
    expect(delta.notes).toEqual([]);
  });

  test("by the name in the source, whatever the compiler appends", () => {
    const clone = (value: string): string => `
      static noinline int part(int *a, int b) { return *a + ${value}; }
      int user(int x) { return part(&x, 1); }`;
    const original = shop.compile(clone("1"));
    expect(original.symbols.some(({ name }) => /^part\./.test(name))).toBe(true);
    const delta = shop.compare(original, shop.compile(HEADER + clone("2") + IGNORE_FUNCTION("part")));
    expect(delta.outcome).toBe("idle");
  });

  test("that the compiler has changed, and that patched code calls, are refused: their parameters may be others", () => {
    const clone = (value: string, more: string): string => `
      static noinline int part(int *a, int b) { return *a + ${value}; }
      int user(int x) { return part(&x, 1)${more}; }`;
    const error = shop.refusal(clone("1", ""), HEADER + clone("2", " * 3") + IGNORE_FUNCTION("part"));
    expect(error).toMatchObject({
      code: "DIFF_NOT_PATCHABLE",
      message: expect.stringMatching(/user calls part\.\S+, which is to be ignored/),
    });
  });

  test("that do not differ are told", () => {
    const delta = shop.diff(BASE, HEADER + changed(BASE, /other\(x\) \+/, "other(x) -") + IGNORE_FUNCTION("other"));
    expect(names(delta.functions)).toEqual(["entry"]);
    expect(delta.notes).toEqual([expect.stringMatching(/KPATCH_IGNORE_FUNCTION\(other\): it does not differ/)]);
  });

  test("to name one does not change how the compiler treats it", () => {
    expect(shop.diff(BASE, HEADER + BASE + IGNORE_FUNCTION("entry") + UNSAFE("other")).outcome).toBe("same");
  });

  test.each([
    ["one that the object does not have", `int fresh(int x) { return x; }${IGNORE_FUNCTION("fresh")}`],
    // Its code is in its callers, and nothing of the kernel has the name.
    ["one that was inlined", IGNORE_FUNCTION("wanted")],
  ])("%s is refused", (_, more) => {
    expect(shop.refusal(BASE, HEADER + BASE + more)).toMatchObject({
      code: "DIFF_MARK",
      message: expect.stringMatching(/KPATCH_IGNORE_FUNCTION names/),
    });
  });

  test("the caller of a changed function that cannot be redirected is refused", () => {
    const base = `${BASE}\nstatic noinline notrace int deep(int x) { return x + state; }\nint top(int x) { return deep(x) + 1; }`;
    const error = shop.refusal(
      base,
      HEADER + changed(base, /deep\(int x\) \{ return x \+/, "deep(int x) { return x -") + IGNORE_FUNCTION("top"),
    );
    expect(error).toMatchObject({ code: "DIFF_NOT_PATCHABLE", message: expect.stringContaining("top, which calls it, is to be ignored") });
  });

  test("the user of a table that must be carried is refused", () => {
    const base =
      'static const char *const words[] = { "a", "b" }; const char *word(int i) { return words[i & 1]; } char first(int i) { return *words[i & 1]; }';
    const error = shop.refusal(base, HEADER + changed(base, /"b"/, '"c"') + IGNORE_FUNCTION("first"));
    expect(error).toMatchObject({ code: "DIFF_RODATA_CHANGED", message: expect.stringContaining("first, which is to be ignored") });
  });
});

describe("sections that are to be ignored", () => {
  test("keep the kernel's contents", () => {
    const source = changed(changed(BASE, /\{ 1, 2 \}/, "{ 1, 3 }"), /other\(x\) \+/, "other(x) -");
    expect(shop.refusal(BASE, source).code).toBe("DIFF_DATA_CHANGED");
    const delta = shop.diff(BASE, HEADER + source + IGNORE_SECTION(".data.table"));
    expect(names(delta.functions)).toEqual(["entry"]);
    expect(delta.skipped).toEqual([{ name: "table", why: "differs (byte at 0x4): the fix says that it is to be ignored" }]);
    expect(externalNames(delta)).toContain("table");
  });

  test("may be of a kind that is not known", () => {
    const strange = (value: number): string => `${BASE}\nint strange __attribute__((section(".strange"))) = ${value};`;
    expect(shop.refusal(strange(1), strange(2)).code).toBe("DIFF_SECTION_CHANGED");
    for (const [from, to] of [
      [strange(1), strange(2)],
      [strange(1), BASE],
      [BASE, strange(2)],
    ] as const)
      expect(shop.diff(from, HEADER + to + IGNORE_SECTION(".strange"))).toMatchObject({ outcome: "idle", skipped: [{ name: "strange" }] });
  });

  test("with data that has another size are refused all the same: patched code could reach past its end", () => {
    const source = changed(BASE, /table\[2\] = \{ 1, 2 \}/, "table[3] = { 1, 2, 3 }");
    expect(shop.refusal(BASE, HEADER + source + IGNORE_SECTION(".data.table")).code).toBe("DIFF_DATA_CHANGED");
  });

  test("that neither build has are refused", () => {
    const error = shop.refusal(BASE, HEADER + BASE + IGNORE_SECTION(".data.tabel"));
    expect(error).toMatchObject({ code: "DIFF_MARK", message: expect.stringContaining(".data.tabel") });
    expect(placeText(error.where)).toContain("file.o");
  });
});

describe("the same sections as kpatch's own header writes them", () => {
  const KPATCH = `
    struct callback { int (*fn)(void *); char *objname; };
    #define mark(name) __attribute__((used, section(".kpatch." name)))
    `;

  test("are understood", () => {
    const patched = changed(changed(BASE, /other\(x\) \+/, "other(x) -"), /\* 2/, "* 3");
    const said = `
      static int before(void *o) { return state; }
      static struct callback data mark("callbacks.pre_patch") = { .fn = before, .objname = 0 };
      void *ignored mark("ignore.functions") = other;
      void *forced mark("force") = entry;
      char *section mark("ignore.sections") = ".data.table";`;
    const delta = shop.diff(BASE, KPATCH + changed(patched, /\{ 1, 2 \}/, "{ 1, 3 }") + said);
    expect(names(delta.functions)).toEqual(["entry"]);
    expect(delta.callbacks).toMatchObject([{ kind: "pre_patch", name: "before" }]);
    expect(names(delta.skipped).sort()).toEqual(["other", "table"]);
    expect(delta.notes).toEqual([expect.stringContaining("KPATCH_FORCE_UNSAFE(entry): the kernel waits")]);
    expect(names(delta.added)).toEqual(["before"]);
  });

  test("with other contents are refused", () => {
    const said = `static int before(void *o) { return state; }
      static struct { int (*fn)(void *); int more; } data mark("callbacks.pre_patch") = { before, 1 };`;
    expect(shop.refusal(BASE, KPATCH + BASE + said)).toMatchObject({
      code: "DIFF_MARK",
      message: expect.stringMatching(/other things than pointers/),
    });
  });
});

test("what may run old and new at once is noted", () => {
  const delta = shop.diff(BASE, HEADER + changed(BASE, /other\(x\) \+/, "other(x) -") + UNSAFE("entry") + UNSAFE("other"));
  expect(delta.notes).toEqual([
    expect.stringMatching(/KPATCH_FORCE_UNSAFE\(entry\): the kernel waits all the same/),
    "KPATCH_FORCE_UNSAFE(other): it does not differ",
  ]);
  expect(shop.refusal(BASE, HEADER + BASE + UNSAFE("wanted")).code).toBe("DIFF_MARK");
});
