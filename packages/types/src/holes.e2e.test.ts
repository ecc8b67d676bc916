/** New members in padding, as gcc lays structures out. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ElfObject, readElf } from "@suture/elf";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { checkLayouts } from "./check.ts";

function compiled(source: string): ElfObject {
  const folder = folderOf({ "x.c": source });
  const [input, output] = [join(folder, "x.c"), join(folder, "x.o")];
  const { status, stderr } = spawnSync("gcc", ["-gdwarf-5", "-O2", "-fno-common", "-fdata-sections", "-c", "-o", output, input]);
  expect(status, String(stderr)).toBe(0);
  return readElf(readFileSync(output), "x.o");
}

/** @param held the new members of which it is known that they are 0 */
function outcome(before: string, after: string, held: readonly string[] = ["m", "n"]): string {
  const source = (members: string): string =>
    `struct list { void *next; }; typedef struct { char c; } small; enum kind { ONE }; struct s { ${members} } it = { .a = -1 };`;
  try {
    checkLayouts(compiled(source(before)), compiled(source(after)), new Set(), { holes: new Map([["s", new Set(held)]]) });
    return "carried";
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([
  ["a flag", "int a; long b;", "int a; _Bool m; long b;", "carried"],
  ["two of them, at the end", "long a; char b;", "long a; char b; char m; short n;", "carried"],
  [
    "a pointer, an enumeration",
    "char a; long b __attribute__((aligned(32)));",
    "char a; enum kind n; void *m; long b __attribute__((aligned(32)));",
    "carried",
  ],
  ["bit-fields in a number of their own", "int a; long b;", "int a; int m : 1; int n : 2; long b;", "carried"],
  ["in a structure without a name", "struct { int a; long b; };", "struct { int a; int m; long b; };", "carried"],
  ["one that is not held", "int a; long b;", "int a; int other; long b;", "s has new members in what was padding (other)"],
  ["a structure", "int a; long b;", "int a; small m; long b;", "s has m in what was padding, a struct, of which 0 may be no value"],
  ["an array", "int a; long b;", "int a; char m[4]; long b;", "s has m in what was padding, a s8[4], of which 0 may be no value"],
  ["unused bits of a number", "int a : 3; long b;", "int a : 3; int m : 1; long b;", "s has a new member m at bit 3"],
  ["beside a bit-field, in its number", "int a : 3; long b;", "int a : 3; char m; long b;", "s has a new member m at byte 1"],
  ["another member moves", "int a; long b; int c; int d;", "int a; int m; long b; int d; int c;", /^s has (?:a new member m|d) at/],
  ["it grows", "long a;", "long a; long m;", "s has a new member m at byte 8"],
  ["in the place of another", "int a; int b;", "int a; int m;", /^s has a new member m at byte 4, where b was/],
  [
    "in a union's other part",
    "union { long a; char b; };",
    "union { long a; struct { char b; char m; }; };",
    "s has a new member m at byte 1",
  ],
])("%s", (_, before, after, expected) => {
  expect(outcome(before, after)).toEqual(typeof expected === "string" ? expected : expect.stringMatching(expected));
});
