import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Spill } from "./spill.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spill-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("however many there are, only a few are in memory, and each comes back as it was", async () => {
  const spill = new Spill(folder, 2);
  const keys = Array.from({ length: 50 }, (_, i) => `fs/o${i}.o`);
  for (const [i, key] of keys.entries()) {
    await spill.put(key, new Uint8Array([i, i + 1]));
    expect(spill.held).toBeLessThanOrEqual(2);
  }
  expect(readdirSync(folder)).toHaveLength(48);
  for (const [i, key] of keys.entries()) {
    expect([...(await spill.get(key))]).toEqual([i, i + 1]);
    await spill.drop(key);
    await expect(spill.get(key)).rejects.toThrow(key);
  }
  expect([spill.held, readdirSync(folder)]).toEqual([0, []]);
});
