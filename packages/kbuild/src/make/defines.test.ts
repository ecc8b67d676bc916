import { describe, expect, it } from "vitest";
import { defines } from "./defines.ts";

describe("a C file defines a function", () => {
  it.each([
    "int f(int x) { return x; }",
    "static ssize_t\nf(struct file *file,\n  size_t n)\n{\n}",
    "#include <a.h>\nstatic __always_inline int *f(int (*call)(void))\n\t__must_hold(&lock)\n{\n}",
    "int f(void);\nint f(void)\n{\n}",
  ])("%j", (text) => expect(defines(text, "f")).toBe(true));

  it.each([
    "int f(int x);",
    "static int (*g)(void) = f;",
    "int g(void)\n{\n\tif (f(1)) {\n\t}\n}",
    "#define f(x) {}",
    " * f() {",
    "int ff(void) {}",
    "static struct ops ops = { .open = f };",
    "EXPORT_SYMBOL(f);",
    "static const struct a b = A(f(1));",
  ])("not %j", (text) => expect(defines(text, "f")).toBe(false));
});
