import fc from "fast-check";
import { expect, test } from "vitest";
import { readNotes } from "./notes.ts";

function note(name: string, type: number, desc: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(name.length + 1, 0);
  head.writeUInt32LE(desc.length, 4);
  head.writeUInt32LE(type, 8);
  const fill = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  return Buffer.concat([head, fill(Buffer.from(`${name}\0`)), fill(desc)]);
}

test("the build-id among other notes", () => {
  const id = Buffer.from("0123456789abcdef0123456789abcdef01234567", "hex");
  const notes = Buffer.concat([note("Linux", 257, Buffer.alloc(1)), note("Xen", 3, Buffer.alloc(8)), note("GNU", 3, id)]);
  expect(readNotes(notes).buildId).toBe(id.toString("hex"));
  expect(readNotes(notes.subarray(0, -1)).buildId).toBeUndefined();
  expect(readNotes(Buffer.alloc(0)).buildId).toBeUndefined();
});

test("any bytes are read to an end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readNotes(bytes);
    }),
  );
});
