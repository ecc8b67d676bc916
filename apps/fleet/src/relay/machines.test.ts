import { generateKeyPairSync, sign } from "node:crypto";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reportText, type SignedReport } from "@suture/protocol";
import { afterAll, expect, test } from "vitest";
import { Machines } from "./machines.ts";

const base = mkdtempSync(join(tmpdir(), "suture-machines-"));
afterAll(() => rmSync(base, { recursive: true }));

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const hex = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
const idOf = (n: number): string => n.toString(16).padStart(32, "0");
const report = (n: number, body = `{"n":${n}}`): SignedReport => ({
  host: idOf(n),
  body,
  signature: sign(undefined, Buffer.from(reportText(body)), privateKey).toString("hex"),
});

test("who came in through here is known with a key, whom the server has spoken of without one, also after a start; whom it does not know any more is not", async () => {
  const folder = join(base, "one");
  let machines = await Machines.open(folder);
  expect(machines.knows(idOf(1))).toBe(false);
  machines.enrolled(idOf(1), hex);
  for (const [n, outcome] of [
    [1, "taken"],
    [2, "not approved"],
    [3, "wrong"],
    [4, "whole wanted"],
    [5, "taken"],
    [5, "no such host"],
    [6, "no such host"],
  ] as const)
    machines.said(report(n), outcome);
  const holds = (): void => {
    expect([1, 2, 3, 4, 5, 6].map((n) => machines.knows(idOf(n)))).toEqual([true, true, false, true, false, false]);
    expect(machines.isForged(report(1))).toBe(false);
    expect(machines.isForged({ ...report(1), body: "{}" })).toBe(true);
    expect(machines.isForged({ ...report(1), signature: "0".repeat(128) })).toBe(true);
    // Of these no key is here: the server alone can tell.
    for (const n of [2, 3, 6]) expect(machines.isForged({ ...report(n), signature: "0".repeat(128) })).toBe(false);
  };
  holds();
  await machines.close();
  appendFileSync(join(folder, "machines"), `${idOf(7)} `);
  machines = await Machines.open(folder);
  holds();
  expect(machines.knows(idOf(7))).toBe(false);
  await machines.close();
  expect(readFileSync(join(folder, "machines"), "utf8").trim().split("\n")).toHaveLength(3);
});
