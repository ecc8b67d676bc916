import { expect, test } from "vitest";
import { hunksBetween } from "./difference.ts";
import { type FileTexts, namedHunks, piecesOf } from "./pieces.ts";
import { idOf } from "./units.ts";

/** What belongs together, as paths with the first new line of each hunk. */
function pieces(files: readonly FileTexts[], sees: (reader: string, declarer: string) => boolean = () => true): string[][] {
  const hunks = files
    .flatMap((file) => namedHunks(file, hunksBetween(file.before ?? "", file.after), 0))
    .map((hunk, index) => ({ ...hunk, index }));
  return piecesOf(hunks, sees).map((group) => group.map(({ path, now, old }) => `${path}: ${(now[0] ?? old[0] ?? "").trim()}`));
}

const F = (name: string, ...body: string[]): string => `int ${name}(int a)\n{\n${body.map((line) => `\t${line}\n`).join("")}}\n\n`;

test("hunks of one function are one, those of two that have nothing to do with each other are two", () => {
  const before = F("one", "a = 1;", "keep();", "a += 2;", "done();") + F("two", "b();");
  const after = F("one", "a = 7;", "keep();", "a += 8;", "done();") + F("two", "c();");
  expect(pieces([{ path: "x.c", before, after }])).toEqual([["x.c: a = 7;", "x.c: a += 8;"], ["x.c: c();"]]);
});

test("a new function belongs to those who call it, in whatever file", () => {
  const before = F("caller", "old();");
  expect(
    pieces([
      { path: "a.c", before, after: F("caller", "fresh(1);") },
      { path: "b.c", before: F("other", "x();"), after: F("other", "x();") + F("fresh", "y();") },
      { path: "c.c", before: F("third", "z();"), after: F("third", "zz();") },
    ]),
  ).toEqual([["a.c: fresh(1);", "b.c: int fresh(int a)"], ["c.c: zz();"]]);
});

test("who ceases to set a member, and who begins to; two macros that are made of one constant", () => {
  const sets = F("create", "s->tunnel = t;", "a();") + F("register", "b();", "c();");
  const moved = F("create", "a();") + F("register", "b();", "WRITE_ONCE(s->tunnel, t);", "c();");
  expect(pieces([{ path: "l.c", before: sets, after: moved }])).toHaveLength(1);
  const macros = (one: string, other: string): string =>
    `#define ENTRIES_MOST 8\n#define DEFINE(T)\t\\\n\tT t[ENTRIES_MOST${one}]\n\n#define CLEAR(N)\t\\\n\tfor (i = 0; i ${other} N && N < ENTRIES_MOST; i++) t[i] = 0\n`;
  expect(pieces([{ path: "l.h", before: macros("", "<"), after: macros(" + 1", "<=") }])).toHaveLength(1);
});

test("who takes something, and who gives it back without having taken it, in one file", () => {
  const before = F("register", "a();", "b();", "return 0;") + F("release", "c();") + F("look", "d();");
  const taken = (give: string, look: readonly string[] = ["d();"]): string =>
    F("register", "if (!try_module_get(ops.owner))", "\treturn 1;", "a();", "b();", "module_put(ops.owner);", "return 0;") +
    F("release", "c();", ...(give === "" ? [] : [give])) +
    F("look", ...look);
  const one = (path: string, after: string) => ({ path, before, after });
  expect(pieces([one("r.c", taken("module_put(owner);"))])).toHaveLength(1);
  expect(pieces([one("r.c", taken("log(owner);"))])).toHaveLength(2);
  // What another function takes and gives back itself is its own.
  expect(pieces([one("r.c", taken("", ["try_module_get(x);", "d();", "module_put(x);"]))])).toHaveLength(2);
  const apart = [F("register", "try_module_get(ops.owner);"), F("release", "c();", "module_put(owner);")] as const;
  const empty = [F("register", "a();"), F("release", "c();")] as const;
  expect(pieces([0, 1].map((i) => ({ path: `net/${i}.c`, before: empty[i] ?? "", after: apart[i] ?? "" })))).toHaveLength(2);
});

test("who leaves a pointer under RCU empty, in two files of one folder", () => {
  const sets = (after: string): string => F("clone", ...(after === "" ? [] : [after]), "a();", "b();");
  const line = "RCU_INIT_POINTER(sk->storage, NULL);";
  const files = [
    { path: "net/core/storage.c", before: sets(line), after: sets("") },
    { path: "net/core/sock.c", before: F("sk_clone", "c();", "d();"), after: F("sk_clone", "c();", line, "d();") },
  ];
  expect(pieces(files)).toHaveLength(1);
  expect(pieces([files[0] as FileTexts, { ...(files[1] as FileTexts), path: "fs/other/sock.c" }])).toHaveLength(2);
});

test("static functions of one name in two files have nothing to do with each other", () => {
  const file = (path: string, value: string): FileTexts => ({
    path,
    before: `static ${F("helper", "return 1;")}`,
    after: `static ${F("helper", `return ${value};`)}`,
  });
  expect(pieces([file("a.c", "2"), file("b.c", "3")], () => false)).toHaveLength(2);
});

test("who calls a function that returns something else now, and is changed itself, belongs to it", () => {
  const callee = (value: string): string => F("callee", `return ${value};`);
  const caller = (value: string): string => F("caller", "int b = callee(a);", `use(${value});`, "return b;");
  expect(pieces([{ path: "x.c", before: callee("0") + caller("0"), after: callee("-EIO") + caller("1") }])).toHaveLength(1);
  const idle = (value: string): string => F("callee", `log(${value});`);
  expect(pieces([{ path: "x.c", before: idle("0") + caller("0"), after: idle("5") + caller("1") }])).toHaveLength(2);
});

test("a new member belongs to those who use it and know its type", () => {
  const header = (more: string): string => `struct box {\n\tint a;\n${more}};\n`;
  const files: FileTexts[] = [
    { path: "box.h", before: header(""), after: header("\tint extra;\n") },
    { path: "a.c", before: `int f(struct box *b)\n{\n\treturn 0;\n}\n`, after: `int f(struct box *b)\n{\n\treturn b->extra;\n}\n` },
    { path: "b.c", before: `int g(struct bag *b)\n{\n\treturn 0;\n}\n`, after: `int g(struct bag *b)\n{\n\treturn b->extra;\n}\n` },
  ];
  expect(pieces(files)).toEqual([["box.h: int extra;", "a.c: return b->extra;"], ["b.c: return b->extra;"]]);
});

test("a new enumerator belongs to those who use it, who need not name its type", () => {
  const header = (more: string): string => `enum state {\n\tOFF,\n\tON,\n${more}};\n`;
  const body = (value: string): string => `int f(int a)\n{\n\treturn a == ${value};\n}\n`;
  const files = [
    { path: "state.h", before: header(""), after: header("\tBROKEN,\n") },
    { path: "a.c", before: body("ON"), after: body("BROKEN") },
  ];
  expect(pieces(files)).toEqual([["state.h: BROKEN,", "a.c: return a == BROKEN;"]]);
});

test("a function that takes something else now belongs to the member that holds it", () => {
  const header = (more: string): string => `struct ops {\n\tint (*run)(int a${more});\n};\n`;
  const file = (path: string, type: string, more: string): FileTexts => ({
    path,
    before: `int run_${type}(int a)\n{\n\treturn 0;\n}\n\nstruct ${type} x = {\n\t.run = run_${type},\n};\n`,
    after: `int run_${type}(int a${more})\n{\n\treturn 0;\n}\n\nstruct ${type} x = {\n\t.run = run_${type},\n};\n`,
  });
  const files = [
    { path: "ops.h", before: header(""), after: header(", int b") },
    file("a.c", "ops", ", int b"),
    file("b.c", "others", ", int b"),
  ];
  expect(pieces(files)).toEqual([
    ["ops.h: int (*run)(int a, int b);", "a.c: int run_ops(int a, int b)"],
    ["b.c: int run_others(int a, int b)"],
  ]);
});

test("comments join nothing", () => {
  const before = `/* one */\n${F("f", "a();")}/* callers of f() */\n${F("g", "f(1);")}`;
  const after = before.replace("/* one */", "/* about f */").replace("callers of f()", "who calls f()").replace("a();", "b();");
  expect(pieces([{ path: "x.c", before, after }])).toHaveLength(3);
});

test("a new variable that a macro makes belongs to all who use it: those who only read it, too", () => {
  const before = F("bind", "a();") + F("send", "b();");
  const after = `static DEFINE_PER_CPU(long [4], bound);\n\n${F("bind", "a();", "this_cpu_write(bound[a], 1);")}${F("send", "b();", "BUG_ON(!this_cpu_read(bound[a]));")}`;
  expect(pieces([{ path: "x.c", before, after }])).toHaveLength(1);
});

test("functions of a file that stop using one member belong together: what counts and what counts back", () => {
  const counts = (get: string, put: string): string =>
    F("taken", `return ${get}(&v->value.count);`) + F("log", "say();") + F("dropped", `if (${put}(&v->value.count))`, "  gone(v);");
  const before = counts("refcount_inc_not_zero", "refcount_dec_and_test");
  const after = F("taken", "return map_inc(v->map);") + F("log", "say(1);") + F("dropped", "map_dec(v->map);");
  expect(pieces([{ path: "x.c", before, after }])).toEqual([["x.c: return map_inc(v->map);", "x.c: map_dec(v->map);"], ["x.c: say(1);"]]);
});

test("a call that moves from one function of a file to another moves whole", () => {
  const before = F("done", "lock_wait(a);", "x();") + F("other", "y();") + F("start", "send(a);");
  const after = F("done", "x();") + F("other", "y(2);") + F("start", "send(a);", "lock_wait(a);");
  expect(pieces([{ path: "x.c", before, after }])).toEqual([["x.c: lock_wait(a);", "x.c: lock_wait(a);"], ["x.c: y(2);"]]);
});

test("what many files name moves without joining", () => {
  const file = (path: string, before: string[], after: string[]): FileTexts => ({
    path,
    before: `static ${F("done", ...before)}static ${F("start", ...after)}`,
    after: `static ${F("done", ...after)}static ${F("start", ...before)}`,
  });
  const files = Array.from({ length: 9 }, (_, i) => file(`${i}.c`, ["mutex_lock(a);", "x();"], ["x();"]));
  expect(pieces(files, () => false)).toHaveLength(18);
});

test("who counts, locks, initialises or waits by one member belongs together, in one folder", () => {
  const user = (path: string, before: string, after: string): FileTexts => ({
    path,
    before: `static ${F("f", before)}`,
    after: `static ${F("f", after)}`,
  });
  const files = [
    user("net/tipc/core.c", "flush(t);", "wait_var_event(&t->pending, !atomic_read(&t->pending));"),
    user("net/tipc/udp.c", "atomic_dec(&t->pending);", "if (atomic_dec_and_test(&t->pending))"),
    user("net/tipc/log.c", "say(t->pending);", "say(t->pending, 1);"),
    user("net/core/other.c", "atomic_inc(&t->pending);", "atomic_add(2, &t->pending);"),
  ];
  expect(pieces(files, () => false).map((group) => group.map((text) => text.split(":")[0]))).toEqual([
    ["net/tipc/core.c", "net/tipc/udp.c"],
    ["net/tipc/log.c"],
    ["net/core/other.c"],
  ]);
});

test("what counts by one member in one file is one, whoever else names it", () => {
  const before = `static ${F("get", "refcount_inc(&v->refs);")}static ${F("put", "if (refcount_dec_and_test(&v->refs))", "  gone(v);")}`;
  const after = `static ${F("get", "map_inc(v->map);")}static ${F("put", "if (refcount_dec_and_test(&v->refs) && last(v))", "  gone(v);")}`;
  const others = Array.from({ length: 9 }, (_, i) => ({
    path: `${i}.c`,
    before: "int a; /* */ int refs;\n",
    after: "int b; /* */ int refs;\n",
  }));
  expect(pieces([{ path: "x.c", before, after }, ...others], () => false).filter(([first]) => first?.startsWith("x.c"))).toHaveLength(1);
});

test("comments in the middle of which a hunk is name no members", () => {
  const comment = (text: string): string => `/*\n * ${text}\n */\n${F("f", "a();")}`;
  const before = comment("about x->gone here") + F("g", "b(y->gone);");
  const after = comment("about nothing here") + F("g", "b(y);");
  expect(pieces([{ path: "x.c", before, after }])).toHaveLength(2);
});

test("a condition that begins in one hunk and ends in another is one change; and so are a new header and its inclusion", () => {
  const before = `int a;\n\n${F("one", "x();")}${F("two", "y();")}\n`;
  const after = `int a;\n#ifdef CONFIG_X\n\n${F("one", "x();")}${F("two", "y();")}#endif\n\n`;
  expect(pieces([{ path: "x.c", before, after }])).toHaveLength(1);
  const files = [
    { path: "d/own.h", before: undefined, after: "int b;\n" },
    { path: "d/x.c", before: "#include <a.h>\n\nint c;\n", after: '#include <a.h>\n#include "own.h"\n\nint c;\n' },
  ];
  expect(pieces(files)).toHaveLength(1);
});

test("the same change in two functions is two, by their ids too", () => {
  const hunks = namedHunks(
    { path: "x.c", before: F("one", "a();") + F("two", "a();"), after: F("one", "b();") + F("two", "b();") },
    hunksBetween(F("one", "a();") + F("two", "a();"), F("one", "b();") + F("two", "b();")),
    0,
  );
  expect(new Set(hunks.map((hunk) => idOf([hunk]))).size).toBe(2);
});

test("who names a member, and a check of where members lie", () => {
  const check = (line: string): string =>
    `#define MATCH(pg, fl) static_assert(offsetof(struct page, pg) == offsetof(struct folio, fl))\n\n${line}\n`;
  const header = { path: "m.h", before: check("MATCH(flags, _flags_2);"), after: check("MATCH(flags, _flags_3);") };
  expect(pieces([header, { path: "a.c", before: F("f", "a->flags = 1;"), after: F("f", "a->flags = 2;") }])).toHaveLength(2);
});

test("a function that half of the files call belongs to those who call it only where it is declared otherwise", () => {
  const header = (head: string, value: string): string => `static ${head} int common(int a)\n{\n\treturn make(${value});\n}\n`;
  const callers = Array.from({ length: 12 }, (_, i) => ({
    path: `fs/${i}/a.c`,
    before: F(`f${i}`, "common(1);", `${i}();`),
    after: F(`f${i}`, "common(2);", `${i}();`),
  }));
  const all = (after: string) => pieces([{ path: "c.h", before: header("inline", "a"), after }, ...callers]);
  expect(all(header("__always_inline", "a"))).toHaveLength(13);
  expect(all(header("inline", "b"))).toHaveLength(13);
  expect(all(header("inline", "b").replace("int a", "long a"))).toHaveLength(1);
  const few = (after: string) => pieces([{ path: "c.h", before: header("inline", "a"), after }, ...callers.slice(0, 3)]);
  expect(few(header("inline", "b"))).toHaveLength(1);
});

test("what a macro of a C file is given is no other file's word, but a name of several words may be the kernel's", () => {
  const reader = (value: string): FileTexts => ({ path: "net/a.c", before: F("one", "b = 1;"), after: F("one", `b = ${value};`) });
  const maker = (line: string): FileTexts => ({ path: "drivers/b.c", before: "", after: `${line}\n` });
  expect(pieces([reader("c"), maker("make_debug(c, 0x0c00);")], () => false)).toHaveLength(2);
  expect(pieces([reader("c_table"), maker("DEFINE_PER_CPU(int, c_table);")], () => false)).toHaveLength(1);
});

test("a header that tells of a variable which is there joins nobody that used it before", () => {
  const reader = (path: string, value: string): FileTexts => ({
    path,
    before: F(`in_${path[0]}`, "use(&own_net);", "a();", "b();", "c(1);"),
    after: F(`in_${path[0]}`, "use(&own_net);", "a();", "b();", `c(${value});`),
  });
  const header = (before: string, after: string): FileTexts => ({ path: "include/n.h", before, after });
  const told = "extern struct net own_net;\n";
  expect(pieces([reader("a.c", "2"), reader("b.c", "3"), header("", told)])).toHaveLength(3);
  expect(pieces([reader("a.c", "own_net.x"), reader("b.c", "3"), header("", told)])).toHaveLength(2);
  expect(pieces([reader("a.c", "2"), reader("b.c", "3"), header(told, "extern struct lan own_net;\n")])).toHaveLength(1);
});

test("what a macro makes of its parameters is as a function's body: who uses it as before, and is changed for another reason, is apart", () => {
  const header = (body: string, parameters = "wq"): string => `#define flush_all(${parameters})\t\\\n\t({ ${body}; })\n`;
  const user = (path: string, value: string): FileTexts => ({
    path,
    before: F(`in_${path[0]}`, "flush_all(own);", "a();", "b();", "c(1);"),
    after: F(`in_${path[0]}`, value, "a();", "b();", "c(2);"),
  });
  const with_ = (after: string, value: string): string[][] =>
    pieces([{ path: "include/w.h", before: header("flush_one(wq)"), after }, user("a.c", value), user("b.c", value)]);
  expect(with_(header("flush_two(wq)"), "flush_all(own);")).toHaveLength(3);
  expect(with_(header("flush_two(wq)"), "flush_all(owns);")).toHaveLength(1);
  expect(with_(header("flush_two(wq, x)", "wq, x"), "flush_all(own);")).toHaveLength(1);
  expect(with_(header("wait_for(wq)"), "flush_all(own);")).toHaveLength(1);
  // A value is what those who use it go by, and in one file all is one.
  const agent = (n: string): string => `#define AGENT(e) \\\n\t((e & 1) ? ${n} : 0)\n`;
  const names = (more: string): FileTexts => ({
    path: "a.c",
    before: `static const char *names[] = {\n\t"one",\n};\n\n${F("say", "print(names[AGENT(a)]);")}`,
    after: `static const char *names[] = {\n\t"one",\n${more}};\n\n${F("say", "print(names[AGENT(a)], 1);")}`,
  });
  expect(pieces([{ path: "include/l.h", before: agent("1"), after: agent("2") }, names('\t"two",\n')])).toHaveLength(1);
  const limit = (n: number): string => `#define LIMIT ${n}\n`;
  const reader = { path: "a.c", before: F("f", "c(LIMIT, 1);"), after: F("f", "c(LIMIT, 2);") };
  expect(pieces([{ path: "include/l.h", before: limit(1), after: limit(2) }, reader])).toHaveLength(1);
});

test("an enumerator, and its word in a list of which a table is made", () => {
  const header = (list: string, enumerator: string): string =>
    `#define REASONS(FN)\t\\\n\tFN(ONE)\t\\\n${list}\tFN(LAST)\n\nenum drop_reason {\n\tREASON_ONE,\n\t/** one more */\n${enumerator}\tREASON_LAST,\n};\n`;
  const before = header("", "");
  expect(pieces([{ path: "include/d.h", before, after: header("\tFN(TC_CHAIN)\t\\\n", "\tREASON_TC_CHAIN,\n") }])).toHaveLength(1);
  expect(pieces([{ path: "include/d.h", before, after: header("\tFN(OTHER)\t\\\n", "\tREASON_TC_CHAIN,\n") }])).toHaveLength(2);
});
