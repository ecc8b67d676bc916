import { describe, expect, it } from "vitest";
import { declarationsOf, mayChangeTypes } from "./scope.ts";

const SOURCE = `#include "x.h"
struct a { int x; }; /* int f(void) { */
static int f(struct a *a)
{
	char c = '}';
	const char *s = "{ /* ";
	if (a) { return 1; } // }
	return 0;
}
#define N 4
int __must_check g(void) __acquires(lock) { return N; }
static const struct a table[] = { { 1 }, { 2 } };
SYSCALL_DEFINE1(x, int, y)
{
	struct local { int z; } l = { 1 };
	return l.z;
}
`;

describe("what lies outside of functions", () => {
  it("is declarations, data and directives", () => {
    expect(
      declarationsOf(SOURCE)
        .split("\n")
        .filter((line) => line !== ""),
    ).toEqual([
      '#include "x.h"',
      "struct a { int x; };",
      "#define N 4",
      "static const struct a table[] = { { 1 }, { 2 } };",
      "struct local { int z; } l = { 1 }",
    ]);
  });

  it.each([
    ["a statement", "return 0;", "return 2;", false],
    ["a new function", "#define N 4", "#define N 4\nstatic int h(void)\n{\n\treturn 3;\n}", false],
    ["a member", "int x;", "int x; int y;", true],
    ["a constant", "#define N 4", "#define N 5", true],
    ["data", "{ 2 }", "{ 3 }", true],
    ["a static local", "char c = '}';", "char c = '}'; static int calls;", true],
    ["a type of a function", "int z;", "long z;", true],
    ["an initial value on the stack", "l = { 1 }", "l = { 1 }; struct a m = { 3 }", false],
    ["a loop", "if (a) { return 1; }", "while (a) { c++; }", false],
  ])("changes with %s as it should", (_, from, to, changes) => {
    expect(mayChangeTypes("x.c", SOURCE, SOURCE.replace(from, to))).toBe(changes);
  });

  it("sees a type behind branches that open the same brace, and behind attributes", () => {
    const branches = "int f(int a)\n{\n#ifdef A\n\tif (a) {\n#else\n\tif (!a) {\n#endif\n\t}\n\treturn a;\n}\nstruct late { int x; };\n";
    const packed = "typedef struct __attribute__((packed)) { int x; } late;\n";
    for (const text of [branches, packed]) expect(mayChangeTypes("x.c", text, text.replace("int x;", "long x;"))).toBe(true);
    expect(mayChangeTypes("x.c", branches, branches.replace("return a;", "return 1;"))).toBe(false);
  });

  it("takes nothing for a function where braces do not match", () => {
    const text = "int f(void)\n{\n\tBEGIN {\n\tEND\n}\nstruct late { int x; };\n";
    expect(mayChangeTypes("x.c", text, text.replace("int x;", "long x;"))).toBe(true);
    expect(mayChangeTypes("x.c", `}\n${text}`, `}\n${text.replace("int x;", "long x;")}`)).toBe(true);
  });

  it("any change of a header may change types", () => {
    expect(mayChangeTypes("x.h", SOURCE, `${SOURCE}\n`)).toBe(true);
  });
});
