import fc from "fast-check";
import { expect, test } from "vitest";
import { type CpioEntry, writeCpio } from "./cpio.ts";

/** Reads by the format's description alone: 13 numbers of 8 hex digits, then the name, then the data, each filled up to 4 bytes. */
function members(archive: Buffer): { name: string; fields: number[]; data: Buffer }[] {
  const found = [];
  let at = 0;
  for (;;) {
    expect(archive.toString("latin1", at, at + 6)).toBe("070701");
    const fields = Array.from({ length: 13 }, (_, n) => Number.parseInt(archive.toString("latin1", at + 6 + 8 * n, at + 14 + 8 * n), 16));
    const [size = 0, nameSize = 0] = [fields[6], fields[11]];
    const name = archive.toString("utf8", at + 110, at + 110 + nameSize - 1);
    const start = Math.ceil((at + 110 + nameSize) / 4) * 4;
    at = Math.ceil((start + size) / 4) * 4;
    if (name === "TRAILER!!!") {
      expect(at).toBe(archive.length);
      return found;
    }
    found.push({ name, fields, data: archive.subarray(start, start + size) });
  }
}

const path = fc.stringMatching(/^[\wäß]{1,9}(\/[\w.]{1,9}){0,3}$/);
const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), path, mode: fc.constantFrom(0o644, 0o755), data: fc.uint8Array({ maxLength: 50 }) }),
  fc.record({ kind: fc.constant("directory" as const), path, mode: fc.constant(0o755) }),
  fc.record({ kind: fc.constant("link" as const), path, target: fc.string({ minLength: 1 }) }),
);

test("what is written is read back by the format's own rules", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
      const read = members(writeCpio(entries));
      expect(read.map(({ name }) => name)).toEqual(entries.map((one) => one.path));
      entries.forEach((one, index) => {
        const { fields, data } = read[index] ?? { fields: [], data: Buffer.alloc(0) };
        expect(fields[0]).toBe(index + 1);
        if (one.kind === "file") expect(Buffer.from(one.data).equals(data)).toBe(true);
        if (one.kind === "file") expect(fields[1]).toBe(0o100000 | one.mode);
        if (one.kind === "directory") expect([fields[1], fields[6]]).toEqual([0o040755, 0]);
        if (one.kind === "link") expect([fields[1], data.toString()]).toEqual([0o120777, one.target]);
      });
    }),
  );
});

test("a device has its numbers", () => {
  const [read] = members(writeCpio([{ kind: "device", path: "dev/console", mode: 0o600, major: 5, minor: 1 }]));
  expect(read?.fields.slice(9, 11)).toEqual([5, 1]);
  expect(read?.fields[1]).toBe(0o020600);
});
