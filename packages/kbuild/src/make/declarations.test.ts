import { describe, expect, it } from "vitest";
import { canDiffer } from "./declarations.ts";

const BASE = `struct a { int x; };
enum e { E1, E2 = 3 };
static inline __attribute__((__always_inline__)) int used(struct a *a) { return a->x; }
static inline int unused(int b) { return b; }
int f(struct a *a) { return used(a) + E1; }
`;

/** `unused` is the name of a member and a parameter, too. */
const OUTER = "struct b { int (*unused)(int); };\nextern int g(struct b *unused);\nint h(struct b *b) { return g(b); }\n";

describe("differences of preprocessed files", () => {
  it.each([
    ["a new prototype that gives a structure", BASE, `${BASE}struct a *g(struct a *, int b);\n`],
    ["a new prototype", BASE, `${BASE}extern int g(struct a *, int b);\n`],
    [
      "a new inline function that calls what is there",
      BASE,
      `${BASE}static inline __attribute__((unused)) int g(struct a *a) { return used(a); }\n`,
    ],
    ["an inline function that nothing calls", BASE, BASE.replace("return b;", "return b + 1;")],
    ["a type that nothing names", BASE, `${BASE}struct bb { struct a a; };\nunion uu;\n`],
    ["an enumeration that nothing names", BASE, `${BASE}enum { N1, N2 };\n`],
    ["a variable of another file", BASE, `${BASE}extern struct a table[2];\n`],
    [
      "what only leads to inline functions that nothing calls",
      BASE,
      `${BASE}static inline int g(void) { return unused(1); }\n`.replace("return b;", "return 2;"),
    ],
    [
      "a typedef that nothing names",
      BASE,
      `${BASE}typedef int (*cb_t)(struct a *);\ntypedef struct { int i; } own_t, *own_p;\ntypedef int list_t[3];\n`,
    ],
    ["a body behind a prototype that is used", `${OUTER}${BASE}`, `${OUTER}${BASE}`.replace("return b;", "return b + 1;")],
    ["other spaces", BASE, BASE.replace("return b;", "return  b ;")],
    [
      "the preprocessor's counter in an initcall",
      `${BASE}asm("__initcall__kmod_x__12_9_f5");`,
      `${BASE}asm("__initcall__kmod_x__13_9_f5");`,
    ],
    ["the preprocessor's counter", `${BASE}int __UNIQUE_ID_x12;`, `${BASE}static inline int g(void) { return 0; }\nint __UNIQUE_ID_x13;`],
  ])("%s makes no other code", (_, before, after) => {
    expect(canDiffer(before, after)).toBe(false);
  });

  it("an inline function by way of others may", () => {
    const chain = `static inline int deep(int a) { return a; }\n${BASE.replace("a->x", "deep(a->x)")}`;
    expect(canDiffer(chain, chain.replace("return a;", "return 2;"))).toBe(true);
    expect(
      canDiffer(
        chain.replace("int f(", "static inline int f("),
        chain.replace("return a;", "return 2;").replace("int f(", "static inline int f("),
      ),
    ).toBe(false);
  });

  it("what leads to it by a prototype may", () => {
    const types = `struct t { int a; };\nstruct t *get(void);\n${BASE}int x(void) { return get()->a; }\n`;
    expect(canDiffer(types, types.replace("int a;", "int b; int a;"))).toBe(true);
  });

  it("a member may that code names, where all others lie as they lay", () => {
    const grown = BASE.replace("int x;", "int x; int more;");
    expect(canDiffer(BASE, grown, true)).toBe(false);
    expect(canDiffer(BASE, grown)).toBe(true);
    expect(canDiffer(BASE, BASE.replace("int x;", "unsigned x;"), true)).toBe(true);
    const asking =
      `${BASE}struct c { __typeof__(((struct a *)0)->x) y; };\nstruct c *get(void);\nint g(void) { return get()->y; }\n`.replace(
        "a->x",
        "1",
      );
    expect(canDiffer(asking, asking.replace("int x;", "unsigned x;"), true)).toBe(true);
    expect(canDiffer(BASE, BASE.replace("E2 = 3 }", "E2 = 3, E3 }"), true)).toBe(false);
    expect(canDiffer(BASE, BASE.replace("{ E1,", "{ E0, E1,"), true)).toBe(true);
    expect(canDiffer(BASE, BASE.replace("struct a { int x; };", "struct a { int x; } __attribute__((packed));"), true)).toBe(true);
  });

  it.each([
    ["an inline function that is called", BASE.replace("a->x", "a->x + 1")],
    ["a constant that is used", BASE.replace("{ E1,", "{ E0, E1,")],
    ["a type that is used", BASE.replace("int x;", "int y; int x;")],
    ["a function", `${BASE}int g(void) { return 1; }\n`],
    ["a static function", `${BASE}static int g(void) { return 1; }\n`],
    ["a variable", `${BASE}int g;\n`],
    ["an inline function that is kept", `${BASE}static inline __attribute__((__used__)) int g(void) { return 1; }\n`],
    ["an alias", `${BASE}extern int g(struct a *) __attribute__((alias("f")));\n`],
    ["what is not understood", `${BASE}asm("nop");\n`],
    ["a static assertion", `${BASE}_Static_assert(1, "x");\n`],
    ["a constant inside of a type", BASE.replace("int x;", "int x; enum { E1 = 9 } e;").replace("{ E1,", "{ E0,")],
    ["a variable of a type that is declared with it", `${BASE}enum ee { EE } global;\n`],
    ["a function's body", BASE.replace("+ E1", "+ E2")],
  ])("%s may", (_, after) => {
    expect(canDiffer(BASE, after)).toBe(true);
  });
});
