import { expect, test } from "vitest";
import { codeOf, linesInComment, sameTokens } from "./comments.ts";

test("lines that begin in the middle of a comment", () => {
  expect([...linesInComment("/* a\n b\n*/ c\n")]).toEqual([1, 2]);
  expect([...linesInComment("a /* b */ c\nd\n")]).toEqual([]);
  expect([...linesInComment('a = "/*";\nb = \'"\'; /*\n*/\n')]).toEqual([2]);
  expect([...linesInComment("// /*\na\n")]).toEqual([]);
  expect([...linesInComment("a /* never\nends\n")]).toEqual([1, 2]);
});

test("lines without comments, as their place has it", () => {
  expect(codeOf([" * of x->y\n", " */\n", "z->a = 1;\n"], true).trim()).toBe("z->a = 1;");
  expect(codeOf(["\t* sizeof(x);\n"], false)).toContain("sizeof(x)");
  expect(codeOf(['f("x->y"); // x->z\n'], false).trim()).toBe('f("x->y");');
});

test("blanks make no other code, but between signs and in strings", () => {
  expect(sameTokens("f( a,b )", "f(a, b)\n")).toBe(true);
  expect(sameTokens("a - -b", "a --b")).toBe(false);
  expect(sameTokens('f("a b")', 'f("ab")')).toBe(false);
  expect(sameTokens("unsigned int", "unsignedint")).toBe(false);
});
