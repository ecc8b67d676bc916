import { describe, expect, it } from "vitest";
import { changedMembers } from "./members.ts";

const tokens = (text: string): string => (text.match(/\w+|[^\s\w]/g) ?? []).join(" ");
const changed = (old: string, now: string): string[] | undefined => changedMembers(tokens(old), tokens(now))?.sort();

const BOX = "struct box { int a, *b[3]; struct { u8 in; } nested; int (*call)(struct box *it, int x); unsigned flag : 1; };";

describe("what of a type is otherwise", () => {
  it.each([
    ["a member more", "u8 in;", "u8 in; u8 more;", ["more"]],
    ["a member at the end", "unsigned flag : 1;", "unsigned flag : 1; unsigned last : 1;", ["last"]],
    ["a member less", "unsigned flag : 1;", "", ["flag"]],
    ["a member of another type", "u8 in;", "s8 in;", ["in"]],
    ["members that are declared together", "int a, *b[3];", "int a, *b[4];", ["a", "b"]],
    ["what a pointer to a function is given", "int x)", "long x)", ["call"]],
  ])("%s", (_, from, to, names) => {
    expect(changed(BOX, BOX.replace(from, to))).toEqual(names);
  });

  it.each([
    ["another order", "int a, *b[3]; struct { u8 in; } nested;", "struct { u8 in; } nested; int a, *b[3];"],
    ["a structure inside that has a name now", "struct { u8", "struct inner { u8"],
    ["what a macro makes", "unsigned flag : 1;", "unsigned flag : 1; DECLARE_BITMAP(bits, 3);"],
    ["how it lies", "};", "} __attribute__((packed));"],
  ])("%s is not told by names", (_, from, to) => {
    expect(changed(BOX, BOX.endsWith(from) ? `${BOX.slice(0, -from.length)}${to}` : BOX.replace(from, to))).toBeUndefined();
  });

  it("enumerators by what they stand for", () => {
    expect(changed("enum e { A, B = 3, C, D };", "enum e { A, B = 3, C, D, E };")).toEqual(["E"]);
    expect(changed("enum e { A, B = 3, C, D };", "enum e { A, A1, B = 3, X, C, D };")).toEqual(["A1", "C", "D", "X"]);
    expect(changed("enum e { A = F(1, 2), B };", "enum e { A = F(1, 3), B };")).toEqual(["A", "B"]);
  });
});
