import type { Account, Manifest } from "@suture/protocol";
import { draftOf } from "@suture/testkit/manifest";
import { expect, test } from "vitest";
import { accountFor, manifestFor } from "../../test/catch-up.ts";
import { toldBy } from "./told.ts";

const account = accountFor();
const manifest = (more: Partial<Manifest> = {}): Manifest => ({
  ...draftOf({ name: "x", kernel: { release: "", buildId: "" }, replace: true, ...manifestFor(account), ...more }),
  contents: "",
});
const states = (of: Manifest, beside?: Account) => Object.fromEntries(toldBy(of, beside).cves.map(({ cve, state }) => [cve, state]));
const as = (state: Account["cves"][number]["state"]): Account => ({ ...account, cves: account.cves.map((cve) => ({ ...cve, state })) });

test("an account of another report, or of other kernels, says nothing", () => {
  const short = states(manifest());
  expect(short).toMatchObject({ "CVE-2026-1002": "left out", "CVE-2026-1001": "carried" });
  for (const other of [
    { report: "00" },
    { base: { ...account.base, buildId: "cd".repeat(20) } },
    { target: { ...account.target, version: "6.1.193-1" } },
  ])
    expect(states(manifest(), { ...as("not built"), ...other })).toEqual(short);
  expect(states(manifest({ fixes: [] }), as("not built"))).toMatchObject({ "CVE-2026-1001": "not built" });
});

test("one that was asked to bring a part of the release is not of its level", () => {
  const { catchUp } = manifest();
  if (catchUp === undefined) throw new Error("no catch-up");
  const leftOut = (code: string) => ({
    ...catchUp,
    units: [{ id: "u1", title: "", state: "left out" as const, files: [], functions: [], code }],
  });
  expect(toldBy(manifest(), account).whole).toBe(true);
  expect(toldBy(manifest({ catchUp: leftOut("BUILD_LAYOUT") }), account).whole).toBe(true);
  expect(toldBy(manifest({ catchUp: leftOut("CATCHUP_ASKED") }), account)).toMatchObject({
    whole: false,
    targetVersion: account.target.version,
  });
});

test("what the module says that it leaves out no account closes", () => {
  expect(states(manifest(), as("carried"))).toMatchObject({ "CVE-2026-1002": "left out", "CVE-2026-1005": "carried" });
  expect(states(manifest(), { ...account, cves: [] })).toMatchObject({ "CVE-2026-1002": "left out" });
});

test("a CVE that a patch only mentions is not fixed by it; one that it fixes is, and is of no release", () => {
  const fixes = [{ subject: "x: mend it", cves: ["CVE-2026-1002", "CVE-2026-2001"], mentioned: ["CVE-2026-1003", "CVE-2026-2002"] }];
  const told = toldBy(manifest({ fixes }), account).cves;
  const of = (id: string) => told.find(({ cve }) => cve === id);
  expect(of("CVE-2026-1002")).toMatchObject({ state: "carried", own: false, fixedIn: "6.1.191-1" });
  expect(of("CVE-2026-2001")).toMatchObject({ state: "carried", own: true });
  expect(of("CVE-2026-2002")).toMatchObject({ state: "unknown" });
  expect(of("CVE-2026-1003")).toMatchObject({ state: "not built" });
  // As it was written before that was looked at.
  expect(states(manifest({ fixes: [{ cves: ["CVE-2026-2001"] }] }), account)).toMatchObject({ "CVE-2026-2001": "unknown" });
});

test("of a CVE that is named twice both versions are told", () => {
  const [first] = account.fixes;
  if (first === undefined) throw new Error("no fix");
  const twice = { ...account, fixes: [{ ...first, version: "6.1.192-1" }, ...account.fixes] };
  expect(toldBy(manifest(), twice).cves.find(({ cve }) => cve === first.cves[0])).toMatchObject({
    firstIn: "6.1.191-1",
    fixedIn: "6.1.192-1",
  });
});
