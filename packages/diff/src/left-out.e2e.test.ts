/** Fixes that change code of the boot phase, of a module's load and of its end, beside code that runs. */
import { afterAll, describe, expect, test } from "vitest";
import { Workshop } from "../test/workshop.ts";

const workshop = new Workshop();
afterAll(() => workshop.close());

const MODULE = { build: { module: true, memoryHotplug: true } };

const BEFORE = `
extern void *create(const char *, unsigned size, unsigned flags);
extern int give(const char *, int (*)(int)), give_table(const void *), work(void *);
static void *cache; int limit; static int other; static char list[16];
int use(int n) { barrier(); return work(cache) + limit * n + work(list); }
int idle(int n) { barrier(); return other + n; }
static __attribute__((noipa)) int helper(int n) { barrier(); return work(&other) + n; }
int __init setup(void) {
  cache = create("things", 64, 2);
  if (!cache) return -12;
  limit = 7;
  other = helper(4);
  return give("use", use);
}
void __exit gone(void) { work(&other); }
`;

/** What runs changes with each of them. */
function fix(...edits: [from: string, to: string][]): string {
  let source = BEFORE.replace("limit * n", "limit * (n + 1)");
  for (const [from, to] of edits) {
    if (!source.includes(from)) throw new Error(`no ${from}`);
    source = source.replace(from, to);
  }
  return source;
}

describe("is refused, with both names, where carried code depends on it", () => {
  const cases: [what: string, names: RegExp, edits: [string, string][]][] = [
    [
      "a new variable that only it sets",
      /setup sets the new banner, which use reads/,
      [
        ["int limit;", "int limit; static char *banner;"],
        ["work(cache)", "work(cache) + work(banner)"],
        ["limit = 7", 'limit = 7; banner = create("banner", 1, 1)'],
      ],
    ],
    [
      "a new variable that it gives away to be set",
      /setup makes a pointer to the new lock, which use uses/,
      [
        ["int limit;", "int limit; static char lock[8];"],
        ["work(cache)", "work(cache) + work(lock)"],
        ["limit = 7", "limit = 7; work(lock)"],
      ],
    ],
    [
      "a new variable that a new function sets, which run-time code calls too",
      /setup calls the new put, which sets the new banner, and use uses that/,
      [
        ["int limit;", "int limit; static char *banner; static __attribute__((noipa)) void put(char *to) { banner = to; }"],
        ["work(cache)", "(n ? work(banner) : (put(list), 0)) + work(cache)"],
        ["limit = 7", "limit = 7; put(cache)"],
      ],
    ],
    [
      "a new variable that a new function sets, which others can call",
      /setup calls the new put, which sets the new banner, and use uses that/,
      [
        ["int limit;", "int limit; static char *banner; __attribute__((noipa)) void put(char *to) { banner = to; }"],
        ["work(cache)", "work(banner) + work(cache)"],
        ["limit = 7", "limit = 7; put(cache)"],
      ],
    ],
    [
      "a new static key that it enables",
      /setup makes a pointer to the new safe, which use uses/,
      [
        ["int limit;", "int limit; static struct static_key safe;"],
        ["barrier(); return work(cache)", "barrier(); if (static_branch(&safe)) return n; return work(cache)"],
        ["limit = 7", "limit = 7; work(&safe)"],
      ],
    ],
    [
      "a new variable that a new function of the boot phase sets",
      /prepare sets the new banner/,
      [
        ["int limit;", 'int limit; static char *banner; static noinline void __init prepare(void) { banner = create("b", 1, 1); }'],
        ["work(cache)", "work(cache) + work(banner)"],
        ["limit = 7", "limit = 7; prepare()"],
      ],
    ],
    ["another size", /setup sets cache up otherwise than before, and use/, [["64", "128"]]],
    ["other flags", /setup sets cache up otherwise than before, and use/, [["64, 2", "64, 3"]]],
    ["another value", /setup sets limit up otherwise than before, and use/, [["limit = 7", "limit = 8"]]],
    [
      "the result of a call, calculated otherwise",
      /setup sets cache up otherwise than before, and use/,
      [["64, 2);", "64, 2); cache = (void *)(long)!cache;"]],
    ],
    ["a value less", /setup no longer sets limit up, and use/, [["  limit = 7;\n", ""]]],
    [
      "another call with a variable of the kernel",
      /setup sets list up otherwise than before, and use/,
      [["limit = 7", "limit = 7; give_table(list)"]],
    ],
    [
      "a new function that is registered",
      /setup, which runs only at boot, or when its module is loaded, gives the new show away/,
      [
        ["int __init setup", "static int show(int n) { barrier(); return use(n) - 1; }\nint __init setup"],
        ['give("use", use)', 'give("use", use) + give("show", show)'],
      ],
    ],
    [
      "a new table of functions that is registered",
      /setup makes a pointer to the new table/,
      [
        [
          "int __init setup",
          "static int show(int n) { barrier(); return use(n) - 1; }\nstatic int (*const table[])(int) = { show, use };\nint __init setup",
        ],
        ['give("use", use)', 'give("use", use) + give_table(table)'],
      ],
    ],
    [
      "a new initcall",
      /late is new in .initcall6.init/,
      [
        [
          "void __exit gone",
          'static int __init late(void) { return work(0); }\nstatic void *initcall __attribute__((used, section(".initcall6.init"))) = late;\nvoid __exit gone',
        ],
      ],
    ],
  ];
  test.each(cases)("%s", (_, names, edits) => {
    const error = workshop.refusal(BEFORE, fix(...edits));
    expect(error).toMatchObject({ code: "DIFF_LEFT_OUT" });
    expect(error.message).toMatch(names);
    expect(error.message).toMatch(/boot/);
    const functions = ["setup", "prepare", "late"];
    const delta = workshop.diff(BEFORE, fix(...edits), { acceptInit: (name) => functions.includes(name) });
    expect(delta.functions.map(({ name }) => name)).toContain("use");
  });

  test("a parameter that was there before: the kernel may have been booted with it", () => {
    const parse = (body: string): string =>
      `static int __init parse(char *s) { ${body} return 0; }
       static struct { char *name; int (*f)(char *); } parameter __attribute__((used, section(".init.setup"))) = { "strict", parse };`;
    const after = fix(["int limit;", "int limit; static int strict;"], ["work(cache)", "work(cache) + strict"]);
    expect(workshop.refusal(`${BEFORE}${parse("")}`, `${after}${parse("strict = *s;")}`)).toMatchObject({ code: "DIFF_LEFT_OUT" });
  });

  test("an initcall of an assembler's list, without a symbol", () => {
    const list = (...names: string[]): string =>
      `asm(".pushsection .initcall6.init,\\"a\\"\\n${names.map((name) => `.long ${name} - .\\n`).join("")}.popsection");`;
    const late = "int __init late(void) { return work(0); }";
    const before = `${BEFORE}${late}${list("setup")}`;
    expect(workshop.refusal(before, `${fix()}${late}${list("setup", "late")}`)).toMatchObject({ code: "DIFF_LEFT_OUT" });
    expect(workshop.diff(before, `${fix()}${late}${list("setup")}`).outcome).toBe("patch");
  });

  test("a module's first function of its load, and what is new and its end would have to clean up", () => {
    const init = 'static int __init begin(void) { return work(0); }\nint init_module(void) __attribute__((alias("begin")));';
    expect(workshop.refusal(BEFORE, `${fix()}${init}`, MODULE).message).toMatch(
      /init_module is new, and runs only when its module is loaded/,
    );
    const cleaned = fix(
      ["int limit;", "int limit; static char *queue;"],
      ["work(cache)", 'work(cache) + work(queue = create("q", 1, 1))'],
      ["work(&other); }\n", "work(&other); work(queue); }\n"],
    );
    expect(workshop.refusal(BEFORE, cleaned, MODULE).message).toMatch(/gone uses the new queue, which use .*unloaded/);
    // Of a built-in object it never runs.
    expect(workshop.diff(BEFORE, cleaned).outcome).toBe("patch");
  });
});

describe("is left out where nothing carried depends on it", () => {
  const cases: [what: string, edits: [string, string][]][] = [
    ["another error", [["-12", "-22"]]],
    ["a message", [["return -12;", '{ printk("no cache"); return -12; }']]],
    ["another message before a variable is set", [["  limit = 7;\n", '  printk("now");\n  limit = 7;\n']]],
    ["a variable that nothing carried uses", [["helper(4)", "helper(5)"]]],
    ["a call of something else", [["  return give(", "  work(0);\n  return give("]]],
    ["a further check", [["if (!cache) return -12;", "if (!cache || (unsigned long)cache == 3) return -12;"]]],
    [
      "a parameter of the kernel's command line: what was booted without it has what the variable begins with",
      [
        ["int limit;", "int limit; static int strict = 1;"],
        ["work(cache)", "work(cache) + strict"],
        [
          "void __exit gone",
          'static int __init parse(char *s) { strict = *s; return 0; }\nstatic struct { char *name; int (*f)(char *); } parameter __attribute__((used, section(".init.setup"))) = { "strict", parse };\nvoid __exit gone',
        ],
      ],
    ],
    [
      "a new variable that a callback sets too",
      [
        ["int limit;", "int limit; static char *banner;"],
        ["work(cache)", "work(cache) + work(banner)"],
        ["limit = 7", 'limit = 7; banner = create("banner", 1, 1)'],
        [
          "void __exit gone",
          'static int ready(void *o) { banner = create("banner", 1, 1); return 0; }\nvoid *ready_callback __attribute__((used, section(".kpatch.callbacks.pre_patch"))) = ready;\nvoid __exit gone',
        ],
      ],
    ],
  ];
  test.each(cases)("%s", (_, edits) => {
    const delta = workshop.diff(BEFORE, fix(...edits));
    expect(delta.functions.map(({ name }) => name)).toEqual(["use"]);
  });

  test("and where nothing is carried, nothing is refused", () => {
    expect(workshop.diff(BEFORE, BEFORE.replace("64", "128")).outcome).toBe("idle");
    const initcall = `${BEFORE}static int __init late(void) { return work(0); }\nstatic void *initcall __attribute__((used, section(".initcall6.init"))) = late;`;
    const delta = workshop.diff(BEFORE, initcall);
    expect(delta.outcome).toBe("idle");
    // Other objects of the fix may carry something.
    expect(delta.missed.map(({ code }) => code)).toEqual(["DIFF_LEFT_OUT"]);
  });

  test("but another object's new variable that it sets is told", () => {
    const elsewhere = BEFORE.replace("int limit;", "int limit; extern int elsewhere;").replace("limit = 7", "limit = 7; elsewhere = 3");
    expect([...workshop.diff(BEFORE, elsewhere).outward.keys()]).toContain("elsewhere");
  });
});
