import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SignedReport } from "@suture/protocol";
import { afterAll, expect, onTestFinished, test } from "vitest";
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

test("names that nobody knows share an eighth of it, also after a start; who is known meanwhile is kept out by none of them", async () => {
  const folder = folderNew();
  const known = new Set<string>([report(0, 1).host]);
  const options = { most: 400_000, isKnown: (host: string) => known.has(host) };
  let spool = await Spool.open(folder, options);
  let host = 2;
  const fill = async (): Promise<void> => {
    for (;;) {
      const full = await spool.add([report(host, host)]).catch((error: unknown) => error);
      if (typeof full !== "number") {
        expect(full).toMatchObject({ code: "FLEET_BUSY", message: expect.stringContaining("not known here") });
        return;
      }
      host++;
    }
  };
  await fill();
  const { reports: strangers } = spool.waiting;
  expect(spool.waiting.bytes).toBeLessThan(50_000);
  for (let i = 0; i < 100; i++) await spool.add([report(i, 1)]);
  // Of one that waited as a stranger, and is known now.
  known.add(report(0, 2).host);
  await spool.add([report(7, 2)]);
  await expect(spool.add([report(0, host)])).rejects.toMatchObject({ code: "FLEET_BUSY" });
  await spool.close();
  spool = await Spool.open(folder, options);
  expect(spool.waiting.reports).toBe(strangers + 101);
  await fill();
  while (spool.waiting.reports > 0) {
    const { reports, taken } = await spool.oldest(37, 1_000_000);
    await taken(reports.length);
  }
  const before = host;
  await fill();
  expect(host - before).toBeGreaterThanOrEqual(strangers - 1);
  await spool.close();
});

test("of one machine no more bytes than that one may", async () => {
  const spool = await Spool.open(folderNew());
  const long = { ...report(0), body: "x".repeat(64 * 1024) };
  for (let i = 0; i < 64; i++) await spool.add([long]);
  await expect(spool.add([long])).rejects.toMatchObject({ code: "FLEET_BUSY" });
  await spool.add([report(0, 1)]);
  await spool.close();
});

test("a place of which no file is left, and files that are gone, are no reason to leave out what comes", async () => {
  const folder = folderNew();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "000000003.reports"), "");
  writeFileSync(join(folder, "acknowledged"), '{"segment":4,"offset":1000}');
  const spool = await Spool.open(folder);
  for (let i = 0; i < 3; i++) await spool.add([report(i)]);
  const { reports, taken } = await spool.oldest(10, 100_000);
  expect(numbers(reports)).toEqual([0, 1, 2]);
  await taken(3);
  expect(spool.waiting).toEqual({ reports: 0, bytes: 0 });
  await spool.close();
});

test("what is on its way to the disk counts as well", async () => {
  const spool = await Spool.open(folderNew(), { most: 200_000 });
  const added = await Promise.allSettled(Array.from({ length: 5000 }, (_, i) => spool.add([report(i, i)])));
  expect(added.some(({ status }) => status === "rejected")).toBe(true);
  expect(spool.waiting.bytes).toBeLessThan(300_000);
  await spool.close();
});

test.runIf(process.getuid?.() === 0)(
  "on a full disk nothing is acknowledged, what is kept comes out as it was counted, and what is done makes room",
  { timeout: 120_000 },
  async () => {
    const folder = folderNew();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=400k", "tmpfs", folder]);
    onTestFinished(() => void execFileSync("umount", [folder]));
    const spool = await Spool.open(folder, { segmentBytes: 50_000 });
    const kept: number[] = [];
    const add = async (n: number, many = 10): Promise<boolean> => {
      const reports = Array.from({ length: many }, (_, i) => report(n * 1000 + i, n));
      const first = await spool.add(reports).catch((error: unknown) => {
        expect(error).toMatchObject({ code: "FLEET_ROOM" });
        return undefined;
      });
      if (first === undefined) return false;
      expect(first).toBe(kept.length);
      kept.push(...reports.map((_, i) => n * 1000 + i));
      return true;
    };
    let n = 0;
    while (await add(n++));
    for (let i = 0; i < 50; i++) await add(n++, 40);
    const files = readdirSync(folder).filter((name) => name.endsWith(".reports"));
    expect(files.length).toBeLessThan(15);
    expect(spool.waiting.reports).toBe(kept.length);
    // All that is left of the disk goes: not even the place can be written.
    try {
      for (;;) appendFileSync(join(folder, "fill"), Buffer.alloc(1024));
    } catch {}
    const seen: number[] = [];
    while (spool.waiting.reports > 0) {
      const { reports, taken } = await spool.oldest(25, 20_000);
      expect(reports[0]?.n).toBe(seen.length);
      seen.push(...numbers(reports));
      await taken(reports.length);
    }
    expect(seen).toEqual(kept);
    expect(spool.waiting).toEqual({ reports: 0, bytes: 0 });
    expect(readdirSync(folder).filter((name) => name.endsWith(".reports")).length).toBeLessThanOrEqual(2);
    while (n < 5000 && !(await add(n++)));
    expect(await add(n++)).toBe(true);
    await spool.close();
  },
);
