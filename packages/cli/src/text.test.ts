import { expect, test } from "vitest";
import { bytesText, countText, fieldsText, headedText, partsText, safeText, tableText, timeText } from "./text.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [9949, "9.9 kB"],
  [9950, "10 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [137_000_000, "137 MB"],
  [5e15, "5000 TB"],
])("%d bytes are %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [999.6, "1.0 s"],
  [59_940, "59.9 s"],
  [59_960, "1 min 0 s"],
  [3_600_000, "60 min 0 s"],
])("%d ms are %s", (ms, text) => expect(timeText(ms)).toBe(text));

test("nouns follow their number", () => {
  expect([countText(0, "object"), countText(1, "object"), countText(2, "object")]).toEqual(["0 objects", "1 object", "2 objects"]);
});

test("columns stand under each other and lines have no spaces at their ends", () => {
  expect(
    tableText(
      ["name", "x"],
      [
        ["a", "long cell"],
        ["longer", ""],
      ],
    ),
  ).toBe("  name    x\n  a       long cell\n  longer");
  expect(tableText(["name"], [])).toBe("");
});

test("fields without a value are left out, further lines are indented", () => {
  expect(
    fieldsText([
      ["a", "1"],
      ["b", ""],
      ["long", "2\n3"],
    ]),
  ).toBe("a:    1\nlong: 2\n      3");
});

test("empty parts leave no trace", () => {
  expect(partsText(["a", "", "b"])).toBe("a\n\nb");
  expect(headedText("heading", "")).toBe("");
});

test("what a file says cannot drive the terminal", () => {
  expect(safeText("a\u001b[2Jb\r\n\tc\u009b")).toBe("a\\x1b[2Jb\\x0d\n\tc\\x9b");
});
