import { describe, expect, it } from "vitest";
import { cItems } from "./c-items.ts";

const kindsOf = (text: string): string[] => cItems(text, "__x64_sys_").map(({ kind, names }) => `${kind} ${names.join(" ")}`.trimEnd());

describe("what stands at the top of a C file", () => {
  it("is cut into items, each with its names", () => {
    const text = `
#include <linux/fs.h>
#define LIMIT(x) \\
	((x) + 1)
/* A structure. */
struct point { int x; struct { int y; }; };
typedef int (*handler_t)(struct point *p);
enum { RED = 1, GREEN };
static const struct point origin = { .x = 1 }, other;
static int count, *where = &count, table[3] = { 1, 2, 3 };
int (*hook)(int a) = NULL;
static DEFINE_MUTEX(lock);
extern int reached(void);
int prototype(struct point *p, int (*f)(void));
static noinline struct point *
find(struct point *p, int (*test)(struct point *))
{
	if (p->x == '{') return NULL; /* } */
	return "}" ? p : NULL;
}
EXPORT_SYMBOL(find);
ACPI_EXPORT_SYMBOL(find)
static __printf(1, 2) void say(const char *format, ...) { }
SYSCALL_DEFINE2(pipe2, int __user *, fildes, int, flags)
{
	return 0;
}
`;
    expect(kindsOf(text)).toEqual([
      "directive",
      "directive LIMIT",
      "type point",
      "type handler_t",
      "type RED GREEN",
      "variable origin other",
      "variable count where table",
      "variable hook",
      "macro lock",
      "prototype reached",
      "prototype prototype",
      "function find",
      "macro",
      "macro",
      "function say",
      "macro __x64_sys_pipe2",
    ]);
  });

  it("keeps the comment before an item, and directives within one", () => {
    const [first, second] = cItems(
      "/* One. */\nint a;\n\n/* Two. */\nint f(void)\n{\n#ifdef A\n\tif (x) {\n#else\n\tif (y) {\n#endif\n\t}\n\treturn 0;\n}\nint b;\n",
      "__x64_sys_",
    );
    expect([first?.text, second?.names, second?.kind]).toEqual(["/* One. */\nint a;", ["f"], "function"]);
    expect(second?.text).toMatch(/^\/\* Two\. \*\/\nint f\(void\)/);
    expect(second?.head.trimEnd().endsWith("int f(void)")).toBe(true);
    expect(second?.body).toMatch(/^\{\n#ifdef A[\s\S]*\}$/);
  });
});
