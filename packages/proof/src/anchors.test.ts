import { Section, SHF, SHT } from "@suture/elf";
import { expect, test } from "vitest";
import { anchors } from "./anchors.ts";
import type { Literal } from "./model.ts";

const section = (align: number): Section =>
  new Section({ name: ".rodata.str", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.MERGE | SHF.STRINGS, align, entsize: 1 });
const bytes = (text: string): Uint8Array => Buffer.from(`${text}\0`);
const literal = (text: string, more: Partial<Literal> = {}): Literal => ({
  bytes: bytes(text),
  entsize: 1,
  align: 1,
  strings: true,
  ...more,
});
const running = { anchor: (address: number) => ({ name: "_text", sympos: 1, offset: address }) };

test("a string is where all references of the object to it lead", () => {
  const merged = [
    { section: section(1), bytes: bytes("a"), address: 100 },
    { section: section(1), bytes: bytes("a"), address: 100 },
    { section: section(1), bytes: bytes("b"), address: 201 },
  ];
  const of = anchors(merged, running);
  expect(of(literal("a"))).toEqual({ name: "_text", sympos: 1, offset: 100 });
  expect(of(literal("b"))?.offset).toBe(201);
  expect(of(literal("c"))).toBeUndefined();
});

test("where they disagree it is nowhere", () => {
  const merged = [100, 102, 100].map((address) => ({ section: section(1), bytes: bytes("a"), address }));
  expect(anchors(merged, running)(literal("a"))).toBeUndefined();
});

test("strings of another form are others, and what is aligned must be there too", () => {
  const of = anchors(
    [
      { section: section(8), bytes: bytes("a"), address: 104 },
      { section: section(8), bytes: bytes("b"), address: 101 },
    ],
    running,
  );
  expect(of(literal("a"))).toBeUndefined();
  expect(of(literal("a", { align: 8, entsize: 2 }))).toBeUndefined();
  expect(of(literal("a", { align: 8, strings: false }))).toBeUndefined();
  expect(of(literal("a", { align: 8 }))?.offset).toBe(104);
  expect(of(literal("b", { align: 8 }))).toBeUndefined();
});
