import { describe, expect, it } from "vitest";
import { Closure, seedsOf } from "./closure.ts";
import { IndexMaker, NameIndex } from "./index.ts";
import { changedBetween } from "./seeds.ts";

/** Whether a change of the first of headers reaches a C file that sees them all. */
function reaches(source: string, from: string, to: string, ...headers: string[]): boolean {
  const [first = "", ...others] = headers;
  const after = first.replace(from, to);
  expect(after).not.toBe(first);
  const maker = new IndexMaker();
  for (const [number, text] of [first, ...others].entries()) maker.addHeader(`${number}.h`, text);
  maker.addSource("s.c", source);
  const index = new NameIndex(maker.done());
  const words = index.sourceOf("s.c") ?? { words: Int32Array.of(), pasting: [] };
  return new Closure(index).reaches(words, { has: () => true }, [seedsOf(index, changedBetween(first, after, true))]);
}

const BOX = `struct box { int a; int b; };
enum state { OFF, ON };
#define LIMIT 3
static inline int size(struct box *it)
{
	return it->a + LIMIT;
}
int outside(struct box *it, int size);
`;
const OTHERS = `struct crate { struct box *inner; int (*size)(int size); };
struct crate *crate(void);
static inline int room(struct crate *it)
{
	return size(it->inner);
}
#define ROOM(x) (room(x) + 1)
`;

describe("a C file is reached by what changes in a header", () => {
  it.each([
    ["a function that it calls", "return it->a", "return it->b", "int f(struct box *b) { return size(b); }"],
    ["a function behind another and a macro", "return it->a", "return it->b", "int f(struct crate *c) { return ROOM(c); }"],
    ["a macro behind a function", "LIMIT 3", "LIMIT 4", "int f(struct box *b) { return size(b); }"],
    ["a member that it names", "int b;", "unsigned b;", "int f(struct box *b) { return b->b; }"],
    ["an enumerator that has another value", "{ OFF, ON }", "{ OFF, NEW, ON }", "int f(void) { return ON; }"],
    ["what a function is given", "outside(struct box *it, int", "outside(struct box *it, long", "int f(void) { return outside(0, 1); }"],
    ["a member that comes under a condition", "int b;", "\n#ifdef ON\nint b;\n#endif\n", "int f(struct box *b) { return b->b; }"],
    [
      "members that change their places around a macro",
      "int a; int b;",
      "int b;\n#define ON 1\nint a;",
      "int f(struct box *b) { return b->a; }",
    ],
    ["a structure inside that comes under a condition", "int b;", "\n#ifdef ON\nstruct in { int b; } c;\n#endif\n", "struct box b;"],
    ["how a structure lies", "int b; };", "int b; } __packed;", "int f(void) { return crate()->inner->a; }"],
  ])("%s", (_, from, to, source) => {
    expect(reaches(source, from, to, BOX, OTHERS)).toBe(true);
  });

  it.each([
    [
      "a function whose name is that of a member and a parameter",
      "return it->a",
      "return it->b",
      "int f(void) { return outside(crate()->inner, 1); }",
    ],
    ["a member that it does not name", "int b;", "int b; int c;", "int f(void) { return crate()->inner->a; }"],
    ["another member that comes under a condition", "int b;", "\n#ifdef ON\nint b;\n#endif\n", "int f(struct box *it) { return it->a; }"],
    ["a macro inside of a structure", "int b;", "\n#define NEW 1\nint b;", "int f(struct box *b) { return b->b; }"],
    ["what keeps the numbers of lines", "int b;", "\n#line 7\nint b;", "int f(struct box *b) { return b->b; }"],
    [
      "what keeps the numbers of lines in a function",
      "return it->a",
      "\n#line 7\nreturn it->a",
      "int f(struct box *b) { return size(b); }",
    ],
    ["an enumerator more", "{ OFF, ON }", "{ OFF, ON, LAST }", "int f(void) { return ON; }"],
    ["a comment", "return it->a", "/* size ON */ return it->a", "int f(struct box *b) { return size(b) + ON; }"],
    ["a name in a comment or text", "return it->a", "return it->b", 'char *f(void) { /* size() */ return "size"; }'],
  ])("not by %s", (_, from, to, source) => {
    expect(reaches(source, from, to, BOX, OTHERS)).toBe(false);
  });
});

const FLAGS = `static inline int test(int bit)
{
	return bit;
}
static inline int test_dirty_bit(void)
{
	return 1;
}
`;

describe("names that are made of pieces", () => {
  const makes =
    "#define MAKES(name, low) static inline int Page##name(void) { return test(PG_##low); }\n#define BOTH(n, l) MAKES(n, l)\nBOTH(Dirty, dirty) BOTH(Other, other)\n";

  it("what calls of macros declare by way of what changed", () => {
    expect(reaches("int f(void) { return PageDirty(); }", "return bit", "return 2", FLAGS, makes)).toBe(true);
    expect(reaches("int f(void) { return PageClean(); }", "return bit", "return 2", FLAGS, makes)).toBe(false);
  });

  const uses = "#define is(name) test_##name##_bit()\n#define really(name) !!is(name)\n";

  it("what a macro makes of what it is given, also by way of another", () => {
    expect(reaches("int f(void) { return is(dirty); }", "return 1", "return 2", FLAGS, uses)).toBe(true);
    expect(reaches("int f(void) { return really(dirty); }", "return 1", "return 2", FLAGS, uses)).toBe(true);
    expect(reaches("int f(void) { return is(clean); }", "return 1", "return 2", FLAGS, uses)).toBe(false);
  });

  it("what a macro of the C file itself makes", () => {
    const own = (name: string): string => `#define own(x) test_##x##_bit()\nint f(void) { return own(${name}); }`;
    expect(reaches(own("dirty"), "return 1", "return 2", FLAGS)).toBe(true);
    expect(reaches(own("clean"), "return 1", "return 2", FLAGS)).toBe(false);
  });

  it("pieces that are all given", () => {
    const paste = "#define PASTE(a, b) a##b\n";
    expect(reaches("int f(void) { return PASTE(test_, dirty_bit)(); }", "return 1", "return 2", FLAGS, paste)).toBe(true);
  });
});

describe("in doubt it is", () => {
  it.each([
    ["a function that whatever includes it has", "static int other_op(void)\n{\n\treturn 1;\n}\n", "return 1", "return 2"],
    ["a table", "static inline int op(void)\n{\n\treturn 1;\n}\nstatic struct ops table = { .op = op };\n", "return 1", "return 2"],
    [
      "functions that a macro makes",
      "static inline int op(void)\n{\n\treturn 1;\n}\n#define MAKE(x) void x##_lock(void) { op(); }\nMAKE(spin);\n",
      "return 1",
      "return 2",
    ],
    ["#pragma", "#pragma pack(1)\n", "pack(1)", "pack(2)"],
    ["a condition of what is included", "#define HAS 1\n#if HAS\n#include <x.h>\n#endif\n", "HAS 1", "HAS 0"],
    ["a macro that makes code", "#define HOOK(x) int x##_hook __used = x\nint one;\nHOOK(one);\n", "int one", "long one"],
    ["what is not understood", "BROKEN {\nint other(void);\nint z;\n", "int z", "long z"],
    [
      "what the language's own words stand for",
      "#define inline inline __fast\nstatic inline int other(void) { return 1; }\n",
      "__fast",
      "__slow",
    ],
    ["a condition around what it names", "#define HAS 1\n#if HAS\nint other(void);\n#endif\n", "HAS 1", "HAS 0"],
  ])("%s", (_, header, from, to) => {
    expect(reaches("int f(void) { return other(); }", from, to, header)).toBe(true);
  });

  it("but the code of trace points is where it is asked for", () => {
    const trace =
      "#define TRACE_EVENT(name, args, code) static inline void trace_##name(args) { } int name##_code __attribute__((used))\nTRACE_EVENT(thing, int a, test(a));\n";
    expect(reaches("#define CREATE_TRACE_POINTS\n", "return bit", "return 2", FLAGS, trace)).toBe(true);
    expect(reaches("int f(void) { return 1; }", "return bit", "return 2", FLAGS, trace)).toBe(false);
  });
});
