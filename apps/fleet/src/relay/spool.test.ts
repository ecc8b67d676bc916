import { appendFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SignedReport } from "@suture/protocol";
import { afterAll, expect, test } from "vitest";
import { Spool } from "./spool.ts";

const folders: string[] = [];
const folderNew = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "suture-spool-"));
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const report = (n: number, host = 0): SignedReport => ({
  host: host.toString(16).padStart(32, "0"),
  body: `{"n":${n}, "text": "\\n ü"}`,
  signature: "0".repeat(128),
});
const numbers = (reports: readonly { report: SignedReport }[]): number[] =>
  reports.map(({ report: { body } }) => (JSON.parse(body) as { n: number }).n);

test("what is added comes out in its order, and stays until it is taken, over many files and processes", async () => {
  const folder = folderNew();
  let spool = await Spool.open(folder, { segmentBytes: 2000 });
  const all = Array.from({ length: 100 }, (_, i) => i);
  const firsts = await Promise.all(all.map((n) => spool.add([report(n, n % 7)])));
  expect(firsts).toEqual(all);
  expect(spool.waiting.reports).toBe(100);
  const seen: number[] = [];
  for (let round = 0; seen.length < 100; round++) {
    const { reports, taken } = await spool.oldest(9, 100_000);
    const count = Math.min(7, reports.length);
    seen.push(...numbers(reports).slice(0, count));
    await taken(count);
    if (round % 3 === 2) {
      await spool.close();
      spool = await Spool.open(folder, { segmentBytes: 2000 });
      expect(spool.waiting.reports).toBe(100 - seen.length);
    }
  }
  expect(seen).toEqual(all);
  expect(spool.waiting).toEqual({ reports: 0, bytes: 0 });
  await spool.oldest(1, 1000);
  await spool.close();
  expect(readdirSync(folder).filter((name) => name.endsWith(".reports")).length).toBeLessThanOrEqual(2);
});

test("half a line of one that died is none, and what comes after it is there", async () => {
  const folder = folderNew();
  const first = await Spool.open(folder);
  await first.add([report(1)]);
  const [name = ""] = readdirSync(folder).filter((one) => one.endsWith(".reports"));
  appendFileSync(join(folder, name), JSON.stringify(report(2)).slice(0, 60));
  const second = await Spool.open(folder);
  await second.add([report(3)]);
  const seen: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { reports, taken } = await second.oldest(10, 100_000);
    seen.push(...numbers(reports));
    await taken(reports.length);
  }
  expect(seen).toEqual([1, 3]);
  await first.close();
  await second.close();
});

test("it holds no more than it may, and of one machine no more than that one may", async () => {
  const spool = await Spool.open(folderNew(), { most: 200_000 });
  for (let i = 0; i < 500; i++) await spool.add([report(i)]);
  await expect(spool.add([report(500)])).rejects.toMatchObject({ code: "FLEET_BUSY" });
  await spool.add([report(1, 1)]);
  await expect(spool.add(Array.from({ length: 500 }, (_, i) => report(i, i + 2)))).rejects.toMatchObject({ code: "FLEET_BUSY" });
  const { taken } = await spool.oldest(400, 10_000_000);
  await taken(400);
  await spool.add([report(501)]);
  await spool.close();
});
