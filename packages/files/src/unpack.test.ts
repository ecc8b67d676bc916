import { execFileSync } from "node:child_process";
import { Task } from "@suture/task";
import { describe, expect, it } from "vitest";
import { type Compression, compressionOf, unpackWithin } from "./unpack.ts";

const PLAIN = Buffer.from("a line that comes again and again\n".repeat(10_000));
const PACKERS: readonly (readonly [kind: Compression, argv: readonly [string, ...string[]]])[] = [
  ["gzip", ["gzip", "-c"]],
  ["xz", ["xz", "-c"]],
  ["lzma", ["xz", "-c", "--format=lzma"]],
  ["zstd", ["zstd", "-c", "-q"]],
];
const packed = ([program, ...words]: readonly [string, ...string[]]): Buffer => execFileSync(program, words, { input: PLAIN });

describe.each(PACKERS)("%s", (kind, argv) => {
  const bytes = packed(argv);

  it("is known by its first bytes, and unpacked", async () => {
    expect(compressionOf(bytes)).toBe(kind);
    for (const size of [undefined, PLAIN.length]) {
      const out = await unpackWithin(new Task(), kind, bytes, { limit: PLAIN.length, size });
      expect(Buffer.from(out as Uint8Array).equals(PLAIN)).toBe(true);
    }
  });

  it("is not unpacked beyond the limit", async () => {
    const out = await unpackWithin(new Task(), kind, bytes, { limit: PLAIN.length - 1 });
    expect(out).toMatchObject({ why: expect.stringContaining(`${PLAIN.length - 1} bytes`) });
  });

  it("that is cut is told from a whole one", async () => {
    const out = await unpackWithin(new Task(), kind, bytes.subarray(0, bytes.length - 9), { limit: PLAIN.length });
    expect(out).toMatchObject({ what: "damaged" });
  });
});

it("says which package has the program that is missing", async () => {
  const path = process.env.PATH;
  process.env.PATH = "";
  const out = await unpackWithin(new Task(), "xz", packed(["/usr/bin/xz", "-c"]), { limit: PLAIN.length }).finally(() => {
    process.env.PATH = path;
  });
  expect(out).toEqual({ what: "no program", why: "the data are packed with xz and xz is not installed", packageName: "xz-utils" });
});

it("says that nothing here unpacks lzo", async () => {
  expect(await unpackWithin(new Task(), "lzo", PLAIN, { limit: PLAIN.length })).toMatchObject({ what: "unknown" });
});
