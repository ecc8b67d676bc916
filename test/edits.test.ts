import { diffLines } from "diff";
import { describe, expect, it } from "vitest";
import { readC } from "../qualification/edits/c-file.ts";
import { type Module, wrongs } from "../qualification/edits/claims.ts";
import type { Edit, Subject, Tree } from "../qualification/edits/edit.ts";
import type { Facts } from "../qualification/edits/facts.ts";
import { hopedFacts } from "../qualification/edits/hoped-facts.ts";
import { KINDS } from "../qualification/edits/kinds.ts";
import { Random } from "../qualification/edits/random.ts";

const TREE: Tree = {
  siblings: () => [{ path: "fs/other.c", text: "static int elsewhere;\nstatic int helper_there(int a)\n{\n\treturn a;\n}\n" }],
  localHeaders: () => [{ path: "fs/local.h", text: "#define ROOM 8\n", users: ["fs/one.c", "fs/other.c"] }],
  isDeclared: (_path, name) => name === "declared",
  kernelSymbol: (name) => (name === "elsewhere" ? "b" : name === "panic_timeout" ? "D" : "t"),
  weak: [{ name: "weak_one", head: "int weak_one(void)", returns: "return 0;" }],
  globals: [{ name: "global_one", path: "mm/global.c", head: "void global_one(void)", returns: "return;" }],
};

function made(kind: string, text: string, seed = 1): Edit | undefined {
  const path = text.startsWith("/* lib */") ? "lib/one.c" : "fs/one.c";
  const subject: Subject = {
    path,
    object: "fs/one.o",
    owner: "vmlinux",
    file: readC(text),
    facts: hopedFacts(readC(text), path),
    random: new Random(seed),
    tree: TREE,
  };
  return KINDS.find(({ name }) => name === kind)?.make(subject);
}

/** Lines that go (-) and come (+). */
function lines({ files }: Edit): string {
  return files
    .flatMap(({ before, after }) => diffLines(before, after))
    .flatMap(({ added, removed, value }) =>
      added || removed
        ? value
            .replace(/\n$/, "")
            .split("\n")
            .map((line) => `${added ? "+" : "-"}${line.trim()}`)
        : [],
    )
    .filter((line) => line.length > 1)
    .join("\n");
}

const CALLS = `static int one(struct file *file)
{
	return 1 + 2;
}

int two(int a)
{
	one(NULL);
	return a > 16;
}
`;
/** `two` is called, too. */
const TABLE = `static int one(struct file *file, int a)
{
	return a + 2;
}
static int two(struct file *file, int a)
{
	return a + 3;
}
static const struct file_operations fops = {
	.open = one,
	.release = two,
};
int three(struct file *file)
{
	file->f_op = &fops;
	return two(file, 9);
}
`;
const NUMBERS = `static const struct limits limits = {
	.least = 3,
	.name = "one",
};
int one(struct user *user)
{
	return given(user, &limits);
}
`;
const NO_ENTRY = "/* lib */\nint one(int a)\n{\n\treturn a;\n}\n";
const FORBIDDEN = `${NO_ENTRY}NOKPROBE_SYMBOL(one);\n`;
const OBJECTS = `struct node {
	int value;
};
struct node *make(void)
{
	return kzalloc(sizeof(struct node), GFP_KERNEL);
}
void end(struct node *node)
{
	kfree(node);
}
`;
const ON_STACK = `struct walk {
	int seen;
};
static int step(struct walk *walk)
{
	return walk->seen++;
}
int all(void)
{
	struct walk walk = { 0 };

	return step(&walk);
}
`;
const APART = `static int one(struct file *file)
{
	return 1;
}

int two(int a)
{
	return a;
}
`;
const STATE = `static int count;

int one(int a)
{
	return count + a;
}
`;
const TWO_USERS = `static int count;
static int other;

int one(int a)
{
	return count + other;
}

int two(int a)
{
	return count - a;
}
`;
const GLOBAL = "int level = 5;\n\nint one(int a)\n{\n\treturn level + a;\n}\n";
const LOCAL = "int one(int a)\n{\n\tstatic int seen;\n\n\treturn seen++ + a;\n}\n\nint two(void)\n{\n\treturn 4;\n}\n";
const AFTER_INIT = "static bool fast __ro_after_init;\n\nint one(int a)\n{\n\treturn fast + a;\n}\n";
const READ_MOSTLY = "static bool fast __read_mostly;\n\nint one(int a)\n{\n\treturn fast + a;\n}\n";
const PER_CPU = "static DEFINE_PER_CPU(int, hits);\n\nvoid one(void)\n{\n\tthis_cpu_inc(hits);\n}\n";
const POINTER = "static struct node *first;\n\nint one(void)\n{\n\treturn first->value;\n}\n";
const ARRAY = "#define ROOM 8\nstatic int table[ROOM];\n\nint one(int a)\n{\n\treturn table[a];\n}\n";
const STRUCT = `struct node {
	int value;
	struct node *next;
	unsigned int a:1;
	unsigned int b:2;
};

int one(struct node *node)
{
	return node->value + node->a;
}
`;
const NAMELESS = "static struct {\n\tint value;\n\tlong next;\n} all;\n\nint one(void)\n{\n\treturn all.value;\n}\n";
const NESTED = `struct node {
	int value;
	struct {
		int used;
		long all;
	} room;
};

int one(struct node *node)
{
	return node->room.used;
}
`;
const WRITTEN_ONCE = `enum {
	IDLE,
	BUSY,
};
static int phase;

void one(struct node *node)
{
	if (phase == IDLE && node->state == BUSY)
		WRITE_ONCE(node->state, BUSY);
}
`;
const ENUM = `enum {
	IDLE,
	BUSY,
};
#define DOWN 1
#define DOWN_SOON 2
#define MOST 9

void one(struct node *node)
{
	if (node->state == BUSY && node->count < MOST)
		node->state = BUSY;
	node->flags |= DOWN;
	node->flags = DOWN_SOON;
}
`;
const INIT = `static int limit;

static int __init setup(void)
{
	limit = 3;
	return 0;
}

int one(void)
{
	return limit;
}
`;
const SHARED = "int one(void)\n{\n\treturn ROOM;\n}\n";
const NOP = '+asm volatile("nop" ::: "memory");';

/** Kind → a text, and the lines that go and come. */
const EDITS: readonly [string, string, string[]][] = [
  ["comment", STATE, ["-return count + a;", "+return count + a; /* what this does is told here */"]],
  [
    "reorder-functions",
    APART,
    [
      "-static int one(struct file *file)",
      "+int two(int a)",
      "-return 1;",
      "+return a;",
      "-int two(int a)",
      "+static int one(struct file *file)",
      "-return a;",
      "+return 1;",
    ],
  ],
  ["rename-local", STATE, ["-int one(int a)", "+int one(int a_here)", "-return count + a;", "+return count + a_here;"]],
  [
    "rename-static-function",
    CALLS,
    ["-static int one(struct file *file)", "+static int one_now(struct file *file)", "-one(NULL);", "+one_now(NULL);"],
  ],
  ["split-expression", STATE, ["-return count + a;", "+do { __auto_type value_here = count + a; return value_here; } while (0);"]],
  [
    "add-parameter",
    CALLS,
    [
      "-static int one(struct file *file)",
      "+static int one(struct file *file, unsigned long edit_extra)",
      '+asm volatile("nop" :: "r" (edit_extra) : "memory");',
      "-one(NULL);",
      "+one(NULL, 1UL);",
    ],
  ],
  ["new-helper", STATE, ["+static noinline void edit_helper(void)", "+{", NOP, "+}", "+edit_helper();"]],
  ["static-function-to-global", CALLS, ["-static int one(struct file *file)", "+int one(struct file *file)", NOP]],
  ["constant-in-comparison", CALLS, ["-return a > 16;", "+return a > 17;"]],
  ["add-check", CALLS, ["+if (unlikely((unsigned long)file == 0xdead4eadUL))", "+return 0;"]],
  ["add-debug-message", STATE, ['+pr_debug("edit: %s is entered\\n", __func__);']],
  ["add-message-once", STATE, ['+pr_info_once("edit: entered\\n");']],
  ["new-static-variable", STATE, ["+static unsigned long edit_count;", "+WRITE_ONCE(edit_count, READ_ONCE(edit_count) + 1);"]],
  ["new-static-local", STATE, ["+static int edit_calls = 7;", "+WRITE_ONCE(edit_calls, READ_ONCE(edit_calls) + 1);"]],
  [
    "new-per-cpu-variable",
    STATE,
    ["+#include <linux/percpu.h>", "+static DEFINE_PER_CPU(unsigned long, edit_hits);", "+this_cpu_inc(edit_hits);"],
  ],
  ["two-functions", CALLS, [NOP, NOP]],
  ["macro-in-comparison", ENUM, ["-#define MOST 9", "+#define MOST 10"]],
  ["rename-static-variable", STATE, ["-static int count;", "+static int count_now;", "-return count + a;", NOP, "+return count_now + a;"]],
  ["rename-global-variable", GLOBAL, ["-int level = 5;", "+int level_now = 5;", "-return level + a;", NOP, "+return level_now + a;"]],
  ["rename-static-local", LOCAL, ["-static int seen;", NOP, "+static int seen_now;", "-return seen++ + a;", "+return seen_now++ + a;"]],
  ["name-goes-to-another-variable", TWO_USERS, ["+static int count_now;", "-return count - a;", "+return count_now - a;"]],
  ["retarget-use", TWO_USERS, ["-return count + other;", "+return count + count;"]],
  ["static-local-to-file", LOCAL, ["+static int seen;", "-static int seen;", NOP]],
  ["file-static-to-local", STATE, ["-static int count;", "+static int count;", NOP]],
  ["initial-value", GLOBAL, ["-int level = 5;", "+int level = 6;", NOP]],
  ["static-variable-to-global", STATE, ["-static int count;", "+int count;", NOP]],
  ["global-variable-to-static", GLOBAL, ["-int level = 5;", "+static int level = 5;", NOP]],
  ["move-variable-to-another-file", GLOBAL, ["-int level = 5;", "+extern int level;", NOP, "+int level = 5;"]],
  ["new-static-variable-of-known-name", STATE, ["+static unsigned long elsewhere;", "+WRITE_ONCE(elsewhere, READ_ONCE(elsewhere) + 1);"]],
  ["two-static-locals-of-one-name", LOCAL, [NOP, "+static int seen;", '+asm volatile("" :: "r" (&seen) : "memory");']],
  ["drop-ro-after-init", AFTER_INIT, ["-static bool fast __ro_after_init;", "+static bool fast ;", "+WRITE_ONCE(fast, READ_ONCE(fast));"]],
  ["drop-ro-after-init-read", AFTER_INIT, ["-static bool fast __ro_after_init;", "+static bool fast ;", NOP]],
  ["drop-read-mostly", READ_MOSTLY, ["-static bool fast __read_mostly;", "+static bool fast ;", NOP]],
  ["add-read-mostly", STATE, ["-static int count;", "+static int count __read_mostly;", NOP]],
  ["add-ro-after-init", STATE, ["-static int count;", "+static int count __ro_after_init;", NOP]],
  ["add-initdata", STATE, ["-static int count;", "+static int count __initdata;", NOP]],
  ["add-alignment", STATE, ["-static int count;", "+static int count __attribute__((aligned(128)));", NOP]],
  [
    "variable-to-per-cpu",
    STATE,
    [
      "-static int count;",
      "+#include <linux/percpu.h>",
      "+static DEFINE_PER_CPU(int, count);",
      "-return count + a;",
      "+return (*raw_cpu_ptr(&count)) + a;",
    ],
  ],
  ["per-cpu-section", PER_CPU, ["-static DEFINE_PER_CPU(int, hits);", "+static DEFINE_PER_CPU_READ_MOSTLY(int, hits);", NOP]],
  ["wider-variable", STATE, ["-static int count;", "+static long count;"]],
  ["sign-of-variable", STATE, ["-static int count;", "+static unsigned int count;", NOP]],
  [
    "number-to-structure",
    STATE,
    [
      "-static int count;",
      "+static struct { unsigned short edit_low, edit_high; } count;",
      "-return count + a;",
      "+return count.edit_high + a;",
    ],
  ],
  [
    "pointer-to-pointer",
    POINTER,
    ["-static struct node *first;", "+static struct node **first;", "-return first->value;", "+return (*first)->value;"],
  ],
  ["array-bound", ARRAY, ["-static int table[ROOM];", "+static int table[(ROOM) + 3];", NOP]],
  ["macro-of-array-bound", ARRAY, ["-#define ROOM 8", "+#define ROOM (8 + 2)", NOP]],
  ["swap-members", STRUCT, ["-int value;", "+int value;"]],
  ["swap-members-nameless", NAMELESS, ["-int value;", "+int value;"]],
  ["swap-members-nameless", NESTED, ["-int used;", "+int used;"]],
  ["widen-member", STRUCT, ["-int value;", "+long value;"]],
  ["widen-member-nameless", NAMELESS, ["-int value;", "+long value;"]],
  ["add-member", STRUCT, ["+unsigned long edit_new;"]],
  [
    "rename-member",
    STRUCT,
    ["-unsigned int a:1;", "+unsigned int a_now:1;", "-return node->value + node->a;", NOP, "+return node->value + node->a_now;"],
  ],
  ["rename-member-nameless", NAMELESS, ["-int value;", "+int value_now;", "-return all.value;", NOP, "+return all.value_now;"]],
  ["swap-bit-fields", STRUCT, ["-unsigned int a:1;", "+unsigned int a:1;"]],
  ["renumber-enum", ENUM, ["+EDIT_NEW_STATE,"]],
  ["renumber-enum", WRITTEN_ONCE, ["+EDIT_NEW_STATE,"]],
  ["swap-enum-constants", ENUM, ["-IDLE,", "+IDLE,"]],
  ["swap-state-macros", ENUM, ["-#define DOWN 1", "-#define DOWN_SOON 2", "+#define DOWN 2", "+#define DOWN_SOON 1"]],
  ["macro-of-shared-header", SHARED, ["-#define ROOM 8", "+#define ROOM 9"]],
  ["init-and-other-code", INIT, ['+pr_info("edit: init\\n");', NOP]],
  ["init-only", INIT, [NOP]],
  [
    "init-sets-new-variable",
    INIT,
    ["+static unsigned long edit_limit;", "+edit_limit = 4096;", '+asm volatile("" :: "r" (edit_limit) : "memory");'],
  ],
  [
    "init-allocates-new-pointer",
    INIT,
    ["+static unsigned long *edit_table;", "+edit_table = (void *)__get_free_page(GFP_KERNEL);", "+READ_ONCE(*edit_table);"],
  ],
  ["init-sets-variable-otherwise", INIT, ["-limit = 3;", "+limit = 3; limit = !limit;", NOP]],
  ["uses-new-initdata", STATE, ["+static int edit_once __initdata = 5;", "+WRITE_ONCE(edit_once, READ_ONCE(edit_once) + 1);"]],
  ["strong-beside-weak", STATE, ["+int weak_one(void);", "+int weak_one(void)", "+{", NOP, "+return 0;", "+}", NOP]],
  ["second-global-function", STATE, ["+void global_one(void);", "+void global_one(void)", "+{", NOP, "+return;", "+}", NOP]],
  ["second-global-variable", STATE, ["+int panic_timeout = 3;", "+WRITE_ONCE(panic_timeout, READ_ONCE(panic_timeout) + 1);"]],
  ["new-static-function-of-known-name", STATE, ["+static noinline void helper_there(void)", "+{", NOP, "+}", "+helper_there();"]],
  [
    "another-function-in-its-place",
    TABLE,
    [
      "-static int one(struct file *file, int a)",
      "+static int edit_in_its_place(struct file *file, int a)",
      NOP,
      "-.open = one,",
      "+.open = edit_in_its_place,",
    ],
  ],
  [
    "function-around-it-in-its-place",
    TABLE,
    [
      "+static int edit_in_its_place(struct file *file, int a)",
      "+{",
      NOP,
      "+return one(file, a);",
      "+}",
      "-.open = one,",
      "+.open = edit_in_its_place,",
    ],
  ],
  [
    "another-type-in-its-place",
    TABLE,
    [
      "-static int one(struct file *file, int a)",
      "+static int edit_in_its_place(struct file *file, int a, unsigned long edit_more)",
      '+asm volatile("nop" :: "r" (edit_more) : "memory");',
      "-.open = one,",
      "+.open = (void *)edit_in_its_place,",
    ],
  ],
  ["live-number", GLOBAL, ["-int level = 5;", "+int level = 6;"]],
  ["live-number-of-another-word", GLOBAL, ["-int level = 5;", "+int level = 6;"]],
  ["live-table", NUMBERS, ["-.least = 3,", "+.least = 4,"]],
  [
    "live-function",
    TABLE,
    [
      "-static int one(struct file *file, int a)",
      "+__attribute__((__used__)) static int one(struct file *file, int a)",
      "+static int edit_in_its_place(struct file *file, int a)",
      "+{",
      NOP,
      "+return a + 2;",
      "+}",
      "-.open = one,",
      "+.open = edit_in_its_place,",
    ],
  ],
  [
    "live-function-that-changes-too",
    TABLE,
    [
      "-static int one(struct file *file, int a)",
      "+__attribute__((__used__)) static int one(struct file *file, int a)",
      NOP,
      "+static int edit_in_its_place(struct file *file, int a)",
      "+{",
      "+return a + 2;",
      "+}",
      "-.open = one,",
      "+.open = edit_in_its_place,",
    ],
  ],
  ["redirected-function", NO_ENTRY, [NOP]],
  ["not-redirected-function", NO_ENTRY, [NOP]],
  ["forbidden-redirect", FORBIDDEN, [NOP]],
  ["needless-redirect", STATE, [NOP]],
  ["member-beside", OBJECTS, ["+unsigned int edit_new;", "+node->edit_new = node->edit_new + 1;"]],
  ["member-beside-by-nobodys-word", OBJECTS, ["+unsigned int edit_new;", "+node->edit_new = node->edit_new + 1;"]],
  ["array-beside", OBJECTS, ["+unsigned int edit_new[2];", "+node->edit_new[1] = 1;"]],
  ["address-of-member-beside", OBJECTS, ["+unsigned int edit_new;", '+asm volatile("" :: "r" (&node->edit_new) : "memory");']],
  ["type-on-stacks", ON_STACK, ["+unsigned long edit_marks[3];"]],
  ["type-on-stacks-and-kept", ON_STACK, ["+unsigned long edit_marks[3];", "+__attribute__((__used__)) static struct walk edit_kept;"]],
];

/** Kind → a text, and by whose word it is. */
const WORDS: readonly [string, string, Edit["word"]][] = [
  ["live-number", GLOBAL, { acceptData: ["level"] }],
  ["live-number-of-another-word", GLOBAL, { acceptData: ["level_other"] }],
  ["initial-value", GLOBAL, undefined],
  ["live-table", NUMBERS, { acceptData: ["limits"] }],
  ["live-function", TABLE, { acceptData: ["fops"] }],
  ["redirected-function", NO_ENTRY, { redirects: ["one"] }],
  ["not-redirected-function", NO_ENTRY, undefined],
  ["member-beside", OBJECTS, { shadows: ["node.edit_new"] }],
  ["member-beside-by-nobodys-word", OBJECTS, undefined],
];

describe("edits of C", () => {
  it.each(EDITS)("%s", (kind, text, expected) => {
    const edit = made(kind, text);
    expect(edit && lines(edit)).toBe(expected.join("\n"));
  });

  it.each(WORDS)("%s: by somebody's word", (kind, text, word) => {
    expect(made(kind, text)?.word).toEqual(word);
  });

  it("leave a structure that others may have alone, and change the layout of none that may be on stacks only", () => {
    for (const other of ["extern struct walk *last;\n", "int two(struct walk *walk)\n{\n\treturn walk->seen;\n}\n"])
      expect(made("type-on-stacks", ON_STACK + other)).toBeUndefined();
    expect(made("add-member", ON_STACK)).toBeUndefined();
    expect(made("redirected-function", FORBIDDEN)).toBeUndefined();
    expect(made("live-table", NUMBERS.replace("&limits", "limits.least"))).toBeUndefined();
  });

  it("are the same for the same seed", () => {
    for (const { name } of KINDS) for (const text of [CALLS, STRUCT, INIT]) expect(made(name, text, 3)).toEqual(made(name, text, 3));
  });

  it("leave a text alone that has no place for them", () => {
    for (const { name } of KINDS) expect([name, made(name, "/* nothing */\n")]).toEqual([name, undefined]);
  });

  it("put no other function in place of one that code fills in", () => {
    const text = TABLE.replace(/static const struct file_operations fops = \{[^}]*\};\n/, "").replace(
      "\treturn two(file, 9);",
      "\tstruct file_operations fops = { .open = one, };\n\treturn two(file, 9) + given(&fops);",
    );
    expect(text).toContain("{ .open = one, }");
    for (const kind of ["another-function-in-its-place", "function-around-it-in-its-place"]) expect(made(kind, text)).toBeUndefined();
  });

  it("take a moved function out of its file, with what exports it, and change it", () => {
    const text = "int one(int a)\n{\n\treturn a;\n}\nEXPORT_SYMBOL(one);\n\nint two(void)\n{\n\treturn one(2);\n}\n";
    const edit = Array.from({ length: 20 }, (_, i) => i)
      .flatMap((seed) => made("move-function-to-another-file", text, seed) ?? [])
      .find(({ what }) => what.startsWith("one "));
    expect(edit?.files[0]?.after).toBe("extern int one(int a);\n\nint two(void)\n{\n\treturn one(2);\n}\n");
    expect(edit?.files[1]?.after).toContain(
      'int one(int a)\n{\n\tasm volatile("nop" ::: "memory");\n\n\treturn a;\n}\nEXPORT_SYMBOL(one);\n',
    );
  });
});

const NONE: Facts = { functions: new Map(), variables: new Map(), everything: "" };
const MODULE: Module = {
  state: [],
  functions: new Set(["one"]),
  refers: new Set(),
  replaces: new Set(["one"]),
  constants: new Set(["own"]),
  changes: new Set(["level"]),
  redirects: new Set(["three"]),
};

describe("what must be seen in a module", () => {
  const used: Facts = {
    ...NONE,
    variables: new Map([["count_now", { size: 4, section: ".bss.count_now", writable: true, isGlobal: false, names: [], users: ["one"] }]]),
  };
  const edit: Edit = { what: "", files: [], claims: [{ claim: "kernels", was: "count", is: "count_now" }], news: [] };
  const sides = [{ object: "fs/one.o", before: NONE, after: used }];

  it("is the kernel's variable, and no other", () => {
    expect(wrongs(edit, { ...MODULE, refers: new Set(["count"]) }, sides)).toEqual([]);
    const alias: Facts = {
      ...NONE,
      variables: new Map([
        ["count", { size: 4, section: ".bss.count", writable: true, isGlobal: false, names: ["count", "also_count"], users: ["one"] }],
      ]),
    };
    const known = [{ object: "fs/one.o", before: alias, after: used }];
    expect(wrongs(edit, { ...MODULE, refers: new Set(["also_count"]) }, known)).toEqual([]);
    expect(wrongs(edit, MODULE, sides)).toEqual(["one of it use count_now, and it does not refer to the kernel's count"]);
    expect(wrongs({ ...edit, claims: [] }, { ...MODULE, state: ["count_now.3", "__already_done.1"] }, [])).toEqual([
      "it has a variable count_now.3 of its own, which is no new one",
    ]);
    expect(wrongs({ ...edit, claims: [], news: ["count_now"] }, { ...MODULE, state: ["count_now.3"] }, [])).toEqual([]);
  });

  it("is the variable that is changed where it stands, and the function that a probe redirects", () => {
    const claims = [
      { claim: "changes" as const, symbol: "level" },
      { claim: "changes" as const, symbol: "own" },
      { claim: "changes" as const, symbol: "limit" },
      { claim: "redirects" as const, name: "three" },
      { claim: "redirects" as const, name: "one" },
    ];
    expect(wrongs({ ...edit, claims }, MODULE, [])).toEqual([
      "it does not change the kernel's limit",
      "no probe of it redirects the kernel's one",
    ]);
  });

  it("is the replaced function", () => {
    expect(wrongs({ ...edit, claims: [{ claim: "replaces", name: "one" }] }, MODULE, [])).toEqual([]);
    expect(wrongs({ ...edit, claims: [{ claim: "replaces", name: "two" }] }, MODULE, [])).toEqual(["it does not replace the kernel's two"]);
    const two = { hasEntry: true, init: false, isGlobal: true, refers: new Set<string>(), bytes: "1", code: "1" };
    const before: Facts = { ...NONE, functions: new Map([["two", two]]) };
    const after: Facts = { ...NONE, functions: new Map([["two", { ...two, code: "2" }]]) };
    const claims = [{ claim: "replacesIfDiffers" as const, name: "two" }];
    expect(wrongs({ ...edit, claims }, MODULE, [{ object: "", before, after }])).toEqual(["it does not replace two, which differs"]);
    expect(wrongs({ ...edit, claims }, MODULE, [{ object: "", before, after: before }])).toEqual([]);
  });
});
