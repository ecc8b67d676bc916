import { expect, test } from "vitest";
import { declarationsIn, identifiersOf } from "./declarations.ts";

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
    ["call", "helper", 28, 28],
    ["function", "thing", 30, 33],
    ["other", "elsewhere", 34, 34],
  ]);
  const [, , , pair, kind] = declarationsIn(TEXT);
  expect([...(pair?.members.keys() ?? [])]).toEqual(["first", "inner", "nested", "call", "flag"]);
  expect([...(kind?.members.keys() ?? [])]).toEqual(["RED", "GREEN"]);
});

test("calls of macros are declarations, whatever they are given, with a semicolon or without", () => {
  const text = `TRACE_EVENT(first,
	TP_PROTO(int a),
	TP_fast_assign(
		__entry->a = a;
		if (a) { b = a; }
	),
	TP_printk("%d", a)
);
FLAG(One, one) FLAG(Two, two)
	FLAG(Three, three)

extern int after(int);
module_init(start)
static int last(void)
{
}
DEFINE_THING(shown)
{
}
__printf(1, 2) int told(const char *text, ...);
`;
  expect(declarationsIn(text).map(({ kind, names, first, last }) => [kind, names.join(" "), first, last])).toEqual([
    ["call", "first", 0, 7],
    ["call", "One", 8, 8],
    ["call", "Three", 9, 9],
    ["other", "after", 11, 11],
    ["call", "start", 12, 12],
    ["function", "last", 13, 15],
    ["function", "shown", 16, 18],
    ["other", "told", 19, 19],
  ]);
});

test("identifiers are those of code", () => {
  expect([...identifiersOf(`x = y->z; /* not_me */ call("nor_me"); // nor_this`)]).toEqual(["x", "y", "z", "call"]);
});

test("what macros make has the name that they are given", () => {
  const names = (text: string): string[] => declarationsIn(text).flatMap((one) => [...one.names]);
  expect(names("static DEFINE_PER_CPU(struct x, y) = { INIT_LOCAL_LOCK(lock) };")).toEqual(["y"]);
  expect(names("DEFINE_PER_CPU(int [4], table);")).toEqual(["table"]);
  expect(names("static __cacheline_aligned_in_smp DEFINE_SPINLOCK(guard);")).toEqual(["guard"]);
  expect(names("static LIST_HEAD(all);\nstatic DEVICE_ATTR_RO(state);")).toEqual(["all"]);
});

test("a header of hardware, of a hundred thousand macros, is read in one go", () => {
  const header = Array.from({ length: 100_000 }, (_, i) => `#define REGISTER_${i} 0x${i.toString(16)} // offset\n`).join("");
  const declared = declarationsIn(`${header}\nMODULE_LICENSE("GPL")\nint last;\n`);
  expect(declared).toHaveLength(100_002);
  expect(declared.at(-1)).toMatchObject({ kind: "variable", names: ["last"], first: 100_002, last: 100_002 });
});

test("what is only checked while a file is compiled declares nothing", () => {
  const text = `#define MATCH(pg, fl) \\
	static_assert(offsetof(struct page, pg) == offsetof(struct folio, fl))
MATCH(flags, _flags_1);
static_assert(offsetof(struct info, a) == 8);
DEFINE_MUTEX(lock);
module_param(debug, int, 0);
`;
  const calls = declarationsIn(text).filter(({ kind }) => kind !== "macro");
  expect(calls.map(({ names }) => names.join(" "))).toEqual(["", "", "lock", "debug"]);
});

test("a member whose name looks like an attribute, and attributes behind a name", () => {
  const text = `struct folio {
	struct page page;
	struct page __page_1;
	u32 __reserved[4];
	int a __aligned(8), b __packed;
	struct { int c; } hdr __packed;
	char name[4] __nonstring;
};
`;
  expect([...(declarationsIn(text)[0]?.members.keys() ?? [])]).toEqual(["page", "__page_1", "__reserved", "a", "b", "c", "hdr", "name"]);
});
