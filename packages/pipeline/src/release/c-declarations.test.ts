import { expect, test } from "vitest";
import { declarationsIn, identifiersOf } from "./c-declarations.ts";

const TEXT = `/* a comment { */
#include <linux/fs.h>
#define LIMIT 3
#define TWICE(x) \\
	((x) * 2)

struct pair {
	int first;
	struct { u8 inner; } nested;
	int (*call)(struct pair *p), last[4];
	unsigned flag:1;
};

enum kind { RED, GREEN = 4 };
typedef struct { int x; } point_t;
static const char *names[] = { "}", "a" };

static int helper(struct pair *p)
{
#ifdef CONFIG_A
	if (p) {
#else
	if (!p) {
#endif
		return p->first;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(helper);

SYSCALL_DEFINE2(thing, int, a, int, b)
{
	return helper(NULL);
}
int elsewhere(int a);
`;

test("declarations of a C file have their names, members and lines", () => {
  const found = declarationsIn(TEXT).map(({ kind, names, first, last }) => [kind, names.join(" "), first, last]);
  expect(found).toEqual([
    ["include", "", 1, 1],
    ["macro", "LIMIT", 2, 2],
    ["macro", "TWICE", 3, 4],
    ["type", "pair", 6, 11],
    ["type", "kind", 13, 13],
    ["type", "point_t", 14, 14],
    ["variable", "names", 15, 15],
    ["function", "helper", 17, 27],
    ["other", "helper", 28, 28],
    ["function", "thing", 30, 33],
    ["other", "elsewhere", 34, 34],
  ]);
  const [, , , pair, kind] = declarationsIn(TEXT);
  expect([...(pair?.members.keys() ?? [])]).toEqual(["first", "inner", "nested", "call", "flag"]);
  expect([...(kind?.members.keys() ?? [])]).toEqual(["RED", "GREEN"]);
});

test("identifiers are those of code", () => {
  expect([...identifiersOf(`x = y->z; /* not_me */ call("nor_me"); // nor_this`)]).toEqual(["x", "y", "z", "call"]);
});
