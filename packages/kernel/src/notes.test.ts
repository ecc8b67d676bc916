import { newObject, Section, SHT } from "@suture/elf";
import { Bytes } from "@suture/testkit/bytes";
import { X86_64 } from "@suture/testkit/processor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/errors.ts";
import { buildIdOf, readNotes } from "./notes.ts";

const note = (name: string, type: number, descriptor: Uint8Array): Uint8Array =>
  new Bytes()
    .u32(name.length + 1)
    .u32(descriptor.length)
    .u32(type)
    .text(`${name}\0`)
    .align(4)
    .put(descriptor)
    .align(4)
    .done();

function objectWith(...sections: Uint8Array[]) {
  const elf = newObject("test", X86_64);
  sections.forEach((data, i) => {
    elf.sections.push(new Section({ name: `.note.${i}`, type: SHT.NOTE, data }));
  });
  return elf;
}

describe("notes", () => {
  it("are read as they were written", () => {
    const list = fc.array(
      fc.record({ name: fc.constantFrom("GNU", "Linux", "Xen", ""), type: fc.nat(300), descriptor: fc.uint8Array({ maxLength: 30 }) }),
    );
    fc.assert(
      fc.property(list, (notes) => {
        const data = Buffer.concat(notes.map(({ name, type, descriptor }) => note(name, type, descriptor)));
        expect(readNotes(data, "little", "test", ".notes").map((n) => ({ ...n, descriptor: [...n.descriptor] }))).toEqual(
          notes.map((n) => ({ ...n, descriptor: [...n.descriptor] })),
        );
      }),
    );
  });

  it("give the build-id, wherever it stands", () => {
    const id = Uint8Array.from({ length: 20 }, (_, i) => i);
    const elf = objectWith(
      note("Linux", 257, Uint8Array.of(1)),
      Buffer.concat([note("Xen", 3, id), note("GNU", 5, id), note("GNU", 3, id)]),
    );
    expect(buildIdOf(elf)).toBe("000102030405060708090a0b0c0d0e0f10111213");
    expect(buildIdOf(objectWith(note("GNU", 5, id)))).toBeUndefined();
  });

  it("are refused where they are not well formed", () => {
    const good = note("GNU", 3, new Uint8Array(20));
    for (const bad of [good.subarray(0, 11), good.subarray(0, 30), note("GNU", 3, new Uint8Array(0)), note("GNU", 3, new Uint8Array(65))])
      expect(codeOf(() => buildIdOf(objectWith(bad)))).toBe("KERNEL_BAD_NOTE");
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        expect([undefined, "KERNEL_BAD_NOTE"]).toContain(codeOf(() => readNotes(data, "little", "test", "x")));
      }),
    );
  });
});
