import type { Manifest } from "@suture/protocol";
import { expect, test } from "vitest";
import { effectiveOf } from "./effective.ts";

const base = { kernel: { release: "6.1.0-10-amd64", buildId: "00" } } as Manifest;
const catchUp = { from: "packages" as const, base: { version: "6.1.10-1" }, target: { version: "6.1.12-1" }, report: "", units: [] };
const account = {
  account: "",
  carried: ["CVE-2026-1", "CVE-2026-2"],
  notBuilt: ["CVE-2026-3"],
  noNeed: ["CVE-2026-4"],
  inKernel: ["CVE-2026-5"],
  unknown: ["CVE-2026-6"],
  leftOut: [
    { id: "CVE-2026-7", partly: false, owners: ["ext4", "vmlinux"] },
    { id: "CVE-2026-8", partly: true, owners: ["nbd"] },
    { id: "CVE-2026-9", partly: false, owners: [] },
  ],
};

test("how far, and which modules of what is open are in the kernel", () => {
  const found = effectiveOf("up", { ...base, catchUp, account }, new Set(["vmlinux", "ext4"]));
  expect(found).toMatchObject({ patch: "up", base: "6.1.10-1", target: "6.1.12-1", cves: 9, closed: 5 });
  expect(found?.open.map(({ id, state, loaded }) => [id, state, loaded])).toEqual([
    ["CVE-2026-7", "left out", true],
    ["CVE-2026-8", "left out", false],
    // Nobody knows.
    ["CVE-2026-9", "left out", undefined],
    ["CVE-2026-6", "unknown", undefined],
  ]);
});

test("one that has no account of CVEs says its level alone, and others nothing", () => {
  expect(effectiveOf("up", { ...base, catchUp }, new Set())).toMatchObject({ cves: 0, closed: 0, open: [] });
  expect(effectiveOf("fix", base, new Set())).toBeUndefined();
  expect(effectiveOf("other", undefined, new Set())).toBeUndefined();
});
