import { readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Task } from "@suture/task";
import { folderOnDisk } from "@suture/testkit/folders";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sha256 } from "./hash.ts";
import { knownHash } from "./known-hash.ts";

let folder: string;
let file: string;
let reads: number;
beforeEach(() => {
  folder = folderOnDisk({ image: "one" });
  file = join(folder, "image");
  reads = 0;
});
afterEach(() => vi.useRealTimers());

const kept = () => join(folder, "kept");
const record = () => join(kept(), readdirSync(kept())[0] ?? "");
async function ask(): Promise<string> {
  const known = await knownHash(file, kept(), async () => {
    reads++;
    return sha256(readFileSync(file));
  });
  await known.keep(new Task());
  return known.sha256;
}
/** All files have rested. */
const rest = () => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 100_000 });

test("a file that has rested is read once, one that was written just now each time", async () => {
  await ask();
  await ask();
  expect(reads).toBe(2);
  rest();
  for (let i = 0; i < 3; i++) expect(await ask()).toBe(sha256("one"));
  expect(reads).toBe(3);
});

test.each([
  ["of the same size and time", () => writeFileSync(file, "two")],
  [
    "moved to its place",
    () => {
      writeFileSync(`${file}.new`, "two");
      renameSync(`${file}.new`, file);
    },
  ],
])("another file is read: %s", async (_, change) => {
  utimesSync(file, 1, 1);
  rest();
  await ask();
  await setTimeout(20);
  change();
  utimesSync(file, 1, 1);
  expect(await ask()).toBe(sha256("two"));
});

test("what is written while it is read is not taken for what was read", async () => {
  rest();
  const known = await knownHash(file, kept(), async () => {
    const read = sha256(readFileSync(file));
    await setTimeout(20);
    writeFileSync(file, "two");
    return read;
  });
  await known.keep(new Task());
  expect(await ask()).toBe(sha256("two"));
});

test("a record that is damaged anywhere, cut off, made up or of another file is not believed", async () => {
  rest();
  await ask();
  const whole = readFileSync(record());
  const ask2 = async (bytes: Uint8Array) => {
    writeFileSync(record(), bytes);
    expect(await ask()).toBe(sha256("one"));
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ bits;
      await ask2(damaged);
    }),
  );
  for (let size = 0; size < whole.length; size += 7) await ask2(whole.subarray(0, size));
  const { proof } = JSON.parse(whole.toString());
  await ask2(Buffer.from(JSON.stringify({ proof, sha256: sha256("two") })));
  await ask2(Buffer.from(JSON.stringify({ proof, sha256: "../../elsewhere" })));
});
