import { describe, expect, it } from "vitest";
import { canDiffer } from "./declarations.ts";

const BASE = `struct a { int x; };
enum e { E1, E2 = 3 };
static inline __attribute__((__always_inline__)) int used(struct a *a) { return a->x; }
static inline int unused(int b) { return b; }
int f(struct a *a) { return used(a) + E1; }
`;

describe("differences of preprocessed files", () => {
  it.each([
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
    ["the preprocessor's counter", `${BASE}int __UNIQUE_ID_x12;`, `${BASE}static inline int g(void) { return 0; }\nint __UNIQUE_ID_x13;`],
  ])("%s makes no other code", (_, before, after) => {
    expect(canDiffer(before, after)).toBe(false);
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
    ["a function's body", BASE.replace("+ E1", "+ E2")],
  ])("%s may", (_, after) => {
    expect(canDiffer(BASE, after)).toBe(true);
  });
});
