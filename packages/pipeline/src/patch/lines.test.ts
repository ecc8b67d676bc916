import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keepLineNumbers } from "./lines.ts";

/** The number that the compiler gives to each line. */
function numbered(text: string): [line: string, number: number][] {
  const out: [string, number][] = [];
  let number = 1;
  for (const line of text.split("\n")) {
    const directive = /^#line (\d+)$/.exec(line);
    if (directive !== null) number = Number(directive[1]);
    else out.push([line, number++]);
  }
  return out;
}

const statements = (count: number): string[] => Array.from({ length: count }, (_, i) => `f(${i});`);

describe("line numbers", () => {
  it("gives every unchanged line its number, whatever is changed, and changes nothing else", () => {
    const edit = fc.record({ at: fc.nat(30), remove: fc.nat(3), add: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 5 }), (edits) => {
        const before = statements(30);
        const after = [...before];
        let fresh = 0;
        for (const { at, remove, add } of edits) after.splice(at, remove, ...Array.from({ length: add }, () => `new(${fresh++});`));
        const kept = keepLineNumbers(before.join("\n"), after.join("\n"));
        const lines = numbered(kept);
        expect(lines.map(([line]) => line)).toEqual(after);
        for (const [line, number] of lines) if (line.startsWith("f(")) expect(before[number - 1]).toBe(line);
      }),
    );
  });

  it("leaves a text alone in which no line moves", () => {
    expect(keepLineNumbers("a\nb\nc", "a\nB\nc")).toBe("a\nB\nc");
  });

  it.each([
    ["a comment", "/*\nold\n*/\nx;", "/*\nold\nnew\n*/\nx;", 4],
    ["a macro that goes on", "#define A(x) \\\n  x\ny;", "#define A(x) \\\n  z, \\\n  x\ny;", 3],
    ["arguments", "f(a,\n  b);\ny;", "f(a,\n  n,\n  b);\ny;", 3],
    [
      "branches that open the same parenthesis",
      "#ifdef A\nif (a\n#else\nif (b\n#endif\n  && c)\ny;",
      "#ifdef A\nif (a\n#else\nif (n &&\n b\n#endif\n  && c)\ny;",
      7,
    ],
  ])("puts no directive into %s", (_, before, after, number) => {
    const kept = keepLineNumbers(before, after);
    expect(numbered(kept).at(-1)?.[1]).toBe(number);
    expect(kept.split("\n").at(-2)).toBe(`#line ${number}`);
  });

  it("is what the compiler understands", () => {
    const before = "int a = __LINE__;\nint b = __LINE__;\nint c = __LINE__;\n";
    const after = before.replace("int b", "int new1;\nint new2;\nint b");
    const out = execFileSync("gcc", ["-E", "-P", "-x", "c", "-"], { input: keepLineNumbers(before, after), encoding: "utf8" });
    expect(out.trim().split("\n")).toEqual(["int a = 1;", "int new1;", "int new2;", "int b = 2;", "int c = 3;"]);
  });
});
