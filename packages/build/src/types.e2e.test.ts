import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ElfObject, readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { expect, it } from "vitest";
import { folderOf } from "../test/folders.ts";
import { checkLayouts } from "./types.ts";

function compiled(source: string): ElfObject {
  const folder = folderOf({ "x.c": source });
  const [input, output] = [join(folder, "x.c"), join(folder, "x.o")];
  const { status, stderr } = spawnSync("gcc-12", ["-gbtf", "-O2", "-c", "-o", output, input]);
  expect(status, String(stderr)).toBe(0);
  return readElf(readFileSync(output), "x.o");
}

function refusal(before: string, after: string): string | undefined {
  try {
    checkLayouts(compiled(before), compiled(after), new Set());
    return undefined;
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    expect(error.code).toBe("BUILD_LAYOUT");
    return error.message;
  }
}

const list = (members: string): string => `struct page; struct folio; struct list { ${members} } the_list;`;

it.each([
  ["a member moves", "int a; long b;", "long b; int a;", "list has b at byte 0 (8 bytes), it was at 8 (8 bytes)"],
  ["a member grows", "int a; int b;", "long a; int b;", "list has a at byte 0 (8 bytes), it was at 0 (4 bytes)"],
  ["a hole is filled", "int a; long b;", "int a; int c; long b;", "list has a new member c at byte 4"],
  [
    "another takes the place of one",
    "long a; long flags;",
    "long a; struct page *first;",
    "list has a new member first at byte 8, where flags was",
  ],
  [
    "a union has something of another type",
    "union { long b; char c; };",
    "union { long b; struct page *p; };",
    "list has a new member p at byte 0",
  ],
  ["a pointer leads elsewhere", "struct page *first;", "struct folio *first;", "list has first as struct folio*, it was struct page*"],
  ["a number becomes a pointer", "unsigned long first;", "struct folio *first;", "list has first as struct folio*, it was u64"],
  ["a function takes something else", "int (*run)(int);", "int (*run)(long);", "list has run as s32(s64)*, it was s32(s32)*"],
  [
    "in a structure without a name",
    "struct { int p; int q; } in;",
    "struct { int q; int p; } in;",
    "list has in.q at byte 0 (4 bytes), it was at 4 (4 bytes)",
  ],
  [
    "in an array of such",
    "struct { int p; int q; } in[3];",
    "struct { int q; int p; } in[3];",
    "list has in[].q at byte 0 (4 bytes), it was at 4 (4 bytes)",
  ],
  [
    "behind a pointer to such",
    "int x; struct { int p; int q; } *to;",
    "int x; struct { int q; int p; } *to;",
    "list has to->q at byte 0 (4 bytes), it was at 4 (4 bytes)",
  ],
  ["a bit-field moves", "int a : 3; int b : 5;", "int b : 5; int a : 3;", "list has b at byte 0 (4 bytes), it was at 0 (4 bytes)"],
  ["the end moves", "int a; char end[4];", "int a;", "list has 4 bytes, it had 8"],
])("refuses a structure in which %s", (_, before, after, why) => {
  expect(refusal(list(before), list(after))).toContain(why);
});

it.each([
  ["a second name in a union", "union { long b; char c; };", "union { long b; char c; long other; };"],
  ["a sign", "int a; long b;", "unsigned a; unsigned long b;"],
  ["a typedef and const", "int a;", "const word a;"],
  ["a member that is gone and leaves a hole", "int a; int gone; long b;", "int a; long b;"],
])("takes %s for the same layout", (_, before, after) => {
  expect(refusal(`typedef int word; ${list(before)}`, `typedef int word; ${list(after)}`)).toBeUndefined();
});

it("lets through what was accepted, and says so", () => {
  const [before, after] = [compiled(list("int a; long b;")), compiled(list("int a; int c; long b;"))];
  expect(checkLayouts(before, after, new Set(["list"]))).toEqual(["list has a new member c at byte 4, which was accepted"]);
});
