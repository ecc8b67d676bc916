/** Types out of DWARF, held against those that the same compiler writes as BTF itself; gcc 14 writes arrays of arrays inside out. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ElfObject, readElf } from "@suture/elf";
import type { Btf, BtfLayout } from "@suture/kernel";
import { folderOf } from "@suture/testkit/folders";
import { describe, expect, it } from "vitest";
import { sameShapeInKernel } from "./difference.ts";
import { objectTypes } from "./object-types.ts";

const SOURCE = `
struct page; enum declared; typedef unsigned int u32; typedef struct { int a:3, b:5; const struct { volatile char x; } in[4]; } T;
enum signs { A = -1, B = 7 }; enum big { C = 0x80000000u, D }; enum wide { W = 1ull << 40, V };
union either { long l; enum signs e; struct { u32 low:7; u32 high:25; struct { short s; }; }; };
extern int far(const char *, ...); __typeof__(&(far)) to_far; extern long table[]; static int (*cb)(struct page *, T *); _Bool flag; int arr[2][3]; double real;
struct list { T t; union either u; struct list *restrict next; enum big big; enum wide wide; enum declared *of; void *data; char rest[]; } *the;
static __attribute__((noinline)) u32 own(T *t, char c) { return t->b + c; }
int f(struct list *l, T *t, signed char n, unsigned char m) {
  struct local { int q; } z = { far("x", l) };
  if (cb) cb(0, t);
  real += n;
  flag = z.q;
  return arr[z.q][1] + table[0] + the->big + own(t, m);
}`;

function compiled(compiler: string, ...options: string[]): ElfObject {
  const folder = folderOf({ "x.c": SOURCE });
  const out = join(folder, "x.o");
  const { status, stderr } = spawnSync(compiler, ["-O2", ...options, "-c", "-o", out, join(folder, "x.c")]);
  expect(status, String(stderr)).toBe(0);
  return readElf(readFileSync(out), "x.o");
}

function typesOf(elf: ElfObject): Btf {
  const types = objectTypes(elf);
  if (types === undefined) throw new Error("no types");
  return types;
}

/** Of what is only declared, gcc 12 says that it is a structure, and gcc 14 that it is an enumeration. */
function told(layouts: readonly BtfLayout[]): unknown {
  return layouts.map(({ members, ...rest }) => ({
    ...rest,
    members: members.map(({ shape, ...member }) => ({ ...member, shape: shape.replace(/^(?:struct|enum0) declared/, "declared") })),
  }));
}

describe.each(["-gdwarf-4", "-gdwarf-5"])("%s", (version) => {
  const both = (): [dwarf: Btf, btf: Btf] => [typesOf(compiled("gcc", version)), typesOf(compiled("gcc", version, "-gbtf"))];

  it("has the same structures, lying alike", () => {
    const [dwarf, btf] = both();
    const names = [...btf.compositeNames].sort();
    expect(names).toEqual(expect.arrayContaining(["T", "either", "list", "u32"]));
    expect([...dwarf.compositeNames].sort()).toEqual(names);
    for (const name of names)
      expect([name, told(dwarf.layouts(name)), dwarf.members(name)]).toEqual([name, told(btf.layouts(name)), btf.members(name)]);
    expect(dwarf.layouts("list")[0]?.members.map(({ name }) => name)).toEqual(expect.arrayContaining(["t", "u", "rest"]));
  });

  it("has the same enumerators", () => {
    const [dwarf, btf] = both();
    const of = (types: Btf, name: string) => types.enumerations.filter((one) => one.name === name);
    expect(of(dwarf, "signs")).toEqual(of(btf, "signs"));
    // As the kernel's own types have them, whose words are of 32 bits; gcc 12 leaves them out.
    const [C, D] = [-(2 ** 31), -(2 ** 31) + 1];
    expect(of(dwarf, "big")).toEqual([
      {
        name: "big",
        values: [
          ["C", C],
          ["D", D],
        ],
      },
    ]);
    expect(of(dwarf, "wide")).toEqual([
      {
        name: "wide",
        values: [
          ["W", 2 ** 40],
          ["V", 2 ** 40 + 1],
        ],
      },
    ]);
  });

  it("has the same prototypes and variables", () => {
    const [dwarf, btf] = both();
    for (const name of ["f", "own"]) expect([name, dwarf.prototype(name)]).toEqual([name, btf.prototype(name)]);
    expect(dwarf.prototype("far")).toMatchObject({ variadic: true, parameters: [{ type: "char const *" }] });
    for (const name of ["flag", "the", "cb", "real"]) expect([name, dwarf.variable(name)]).toEqual([name, btf.variable(name)]);
    expect(dwarf.variable("arr")).toEqual({ type: "int[2][3]", shape: "s32[2][3]" });
    expect(sameShapeInKernel(btf.variable("arr")?.shape ?? "", "s32[2][3]")).toBe(true);
    for (const types of [dwarf, btf]) {
      expect(types.prototypeBehind("to_far")).toEqual(dwarf.prototype("far"));
      expect([types.prototypeBehind("the"), types.prototypeBehind("flag"), types.prototypeBehind("none")]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    }
    expect(dwarf.variable("table")).toEqual({ type: "long int[0]", shape: "s64[0]" });
  });
});

it("has none where the compiler wrote none", () => {
  expect(objectTypes(compiled("gcc", "-g0"))).toBeUndefined();
});
