import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "@suture/elf";
import { folderOf } from "@suture/testkit/folders";
import { expect, it } from "vitest";
import { type StackOnly, stackOnly } from "./stack-only.ts";

/** What the compiler says of a file in which `struct s` is to live on stacks only. */
function found(source: string, exported: readonly string[] = []): StackOnly {
  const folder = folderOf({ "x.c": `${HEAD}${source}` });
  const at = (name: string): string => join(folder, name);
  const options = "-gdwarf-5 -O2 -fno-common -ffunction-sections -fdata-sections -Wno-incompatible-pointer-types".split(" ");
  const said = ["-g0", `-fdump-tree-original=${at("functions")}`, `-fopt-info-inline=${at("inlined")}`];
  for (const more of [
    ["-c", "-o", at("x.o")],
    [...said, "-S", "-o", at("x.s")],
  ]) {
    const { status, stderr } = spawnSync("gcc", [...options, ...more, at("x.c")]);
    expect(status, String(stderr)).toBe(0);
  }
  const { stdout } = spawnSync("gcc", ["-E", "-P", at("x.c")], { encoding: "utf8" });
  const inlined = new Map<string, string[]>();
  for (const [, name = "", into = ""] of readFileSync(at("inlined"), "utf8").matchAll(
    /\bInlin(?:ing|ed) ([\w.]+)\/\d+ into ([\w.]+)\/\d+/g,
  ))
    inlined.set(name, [...(inlined.get(name) ?? []), into]);
  const elf = readElf(readFileSync(at("x.o")), "x.o");
  return stackOnly({ elf, functions: readFileSync(at("functions"), "latin1"), inlined, text: stdout }, new Set(["s"]), (name) =>
    exported.includes(name),
  );
}

const HEAD = `
struct node { struct node *next; };
struct s { int a; long b; struct node node; char text[8]; };
extern void *memset(void *, int, unsigned long);
extern void other(void *), numbers(long *), linked(struct node *), said(const char *, ...);
extern void run(void (*)(void *), void *);
`;
const USE = "__attribute__((noinline)) void use(struct s *p) { p->a++; numbers(&p->b); }";

it.each([
  ["a variable that is given on", `${USE} void make(void) { struct s v = { .a = 1 }; use(&v); }`, ["make", "use"]],
  [
    "zeroed, copied, compared",
    `${USE} void make(void) { struct s v, w; memset(&v, 0, sizeof(v)); w = v; struct s *p = &w; use(p); if (p != &v) use(&v); }`,
    ["make", "use"],
  ],
  [
    "made anew",
    `${USE} void make(int a) { struct s v; v = (struct s){ .a = a }; use(&v); v = (struct s){ .a = 2 }; use(&v); }`,
    ["make", "use"],
  ],
  ["what it has is others' business", "void make(void) { struct s v = { 0 }; linked(&v.node); said(v.text); }", ["make"]],
  ["a function that is part of another", "static inline void in(void) { struct s v; other(&v.a); } void make(void) { in(); }", ["make"]],
  [
    "a part of a function",
    `${USE} static void deep(struct s *p) { use(p); use(p); } void make(void) { struct s v = { 0 }; deep(&v); }`,
    ["make", "use"],
  ],
  [
    "a name for it",
    "typedef struct s name; __attribute__((noinline)) void use(const name *p) { numbers((long *)p->b); } void make(void) { name v = { 0 }; use(&v); }",
    ["make", "use"],
  ],
])("lives on stacks only: %s", (_, source, holders) => {
  const { grounds, owns, ...one } = found(source);
  expect(grounds).toEqual([]);
  expect(owns).toBe(true);
  expect(one.holders.toSorted()).toEqual(holders);
});

it.each([
  ["a variable of the kernel", "struct s one; int make(void) { return one.a; }", "the variable one is or has one"],
  ["one of a function that stays", "int make(void) { static struct s one; return one.a++; }", "the variable one is or has one"],
  ["one that is declared", "extern struct s one; int make(void) { return one.a; }", "the variable one is or has one"],
  ["a pointer in a variable", "struct s *it; int make(void) { return it->a; }", "the variable it is or has one"],
  ["a member", "struct t { struct s inner; }; int make(struct t *t) { return t->inner.a; }", "the member inner of t is or has one"],
  [
    "a member that points to it",
    "struct t { struct s *inner; }; int make(struct t *t) { return t->inner->a; }",
    "the member inner of t is or has one",
  ],
  ["an array", "void make(void) { struct s v[2] = { 0 }; numbers(&v[1].b); }", "it says { struct s v ["],
  [
    "memory that others gave",
    "extern void *get(void); int make(void) { struct s *p = get(); return p->a; }",
    "make: it takes get ( ) ; for one",
  ],
  ["untyped memory", "void make(void *data) { struct s *p = data; p->a++; }", "make: it takes data ; for one"],
  ["a cast in the middle", "int make(void *data) { return ((struct s *)data)->a; }", "make: it takes data ) -> a ; for one"],
  [
    "what it is linked into",
    "int make(struct node *n) { struct s *p = (struct s *)((char *)n - __builtin_offsetof(struct s, node)); return p->a; }",
    "make: it takes n + 18446744073709551600 ; for one",
  ],
  [
    "a buffer",
    "void make(void) { char buffer[64]; struct s *p = (struct s *)buffer; p->a = 1; other(buffer); }",
    "make: it takes & buffer ; for one",
  ],
  ["given away", "void make(void) { struct s v = { 0 }; other(&v); }", "make: it hands one to other as ( void * )"],
  ["given away by a number", 'void make(void) { struct s v = { 0 }; said("", (long)&v); }', "make: it hands one to said as ( long int )"],
  ["kept elsewhere", "void *kept; void make(struct s *p) { kept = p; }", "make: it hands one to others as ( void * )"],
  [
    "given to a callback",
    `static void call(void *data) { struct s *p = data; p->a++; } void make(void) { struct s v = { 0 }; run(call, &v); }`,
    "call: it takes data ; for one",
  ],
  [
    "a callback that takes it",
    "static void call(struct s *p) { p->a++; } void make(void) { struct s v = { 0 }; run((void (*)(void *))call, &v.a); call(&v); }",
    "the address of call, which takes one, is taken",
  ],
  [
    "a table of such",
    "static void call(struct s *p) { p->a++; } void *table[] = { call };",
    "the address of call, which takes one, is taken",
  ],
  [
    "a pointer to a function that takes it",
    "void make(void (*f)(struct s *)) { struct s v = { 0 }; f(&v); }",
    "a pointer to a function has it",
  ],
  [
    "its pointer's address",
    "extern void fill(void *); void make(void) { struct s *p; fill(&p); p->a = 1; }",
    "make: it gives the address of its pointer p away",
  ],
  [
    "in a statement's value",
    "void make(void) { struct s v = { 0 }; other(({ struct s *p = &v; p; })); }",
    "make: what it does there is not understood",
  ],
  [
    "nothing or one",
    "void make(int c, struct s *q) { struct s v = { 0 }; other(c ? &v : q); }",
    "make: what it does there is not understood",
  ],
  ["a value without a name", "void make(void) { other(&(struct s){ .a = 1 }); }", "make: it has one without a name"],
  ["set and given away", "void make(struct s *q) { struct s v = { 0 }; other(q = &v); }", "make: what it does there is not understood"],
  [
    "its maker in two parts",
    "__attribute__((cold)) extern void seldom(struct s *); void make(int a) { struct s v = { .a = a }; numbers(&v.b); if (v.b > a) { seldom(&v); numbers(&v.b); } numbers(&v.b); }",
    "make, which has one on its stack, lies in two parts",
  ],
  ["by value", "int make(struct s v) { return v.a; }", "the function make takes one by its parameter v, not by a pointer"],
  ["returned", "struct s make(void) { struct s v = { 0 }; return v; }", "the function make returns one"],
  ["its pointer returned", "struct s *make(struct s *p) { return p; }", "the function make returns one"],
  [
    "a union",
    "void make(void) { union { struct s v; char b[64]; } u; other(u.b); }",
    "the member v of a structure without a name is or has one",
  ],
  [
    "its place reckoned with",
    "int make(char *memory) { return *(int *)(memory + __builtin_offsetof(struct s, a)); }",
    "the source reckons with where its members lie: __builtin_offsetof(struct s, a",
  ],
  [
    "a pointer to nothing",
    "int make(char *memory) { return *(int *)(memory + (long)&((struct s *)0)->a); }",
    "the source reckons with where its members lie: (struct s *)0",
  ],
  ["asm", 'void make(void) { struct s v; asm volatile("" : "=m"(v)); }', "make: what it does there is not understood"],
  ["a name for two things", "void make(void *v) { { struct s v = { 0 }; numbers(&v.b); } other(v); }", "make: it has several variables v"],
])("does not: %s", (_, source, why) => {
  expect(found(source).grounds.join("\n")).toContain(why);
});

it("does not where modules from elsewhere can have one", () => {
  const source = `${USE} void make(struct s *p) { use(p); }`;
  expect(found(source).grounds).toEqual([]);
  expect(found(source, ["make"]).grounds).toEqual(["make, which takes one, is exported: modules from elsewhere can call it"]);
});
