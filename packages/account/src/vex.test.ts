import { type Account, type CveAccount, FIX_STATES } from "@suture/protocol";
import { openVexSchema } from "@suture/testkit/openvex";
import * as v from "valibot";
import { expect, test } from "vitest";
import { openVex } from "./vex.ts";

const none = { carried: 0, notBuilt: 0, noNeed: 0, leftOut: 0, inKernel: 0, unknown: 0 };

function account(cves: CveAccount[], base: Account["base"] = { release: "6.1.0-10-amd64", version: "6.1.10-1~x", buildId: "00" }): Account {
  const target = { release: "6.1.0-12-amd64", version: "6.1.12-1" };
  return { suture: 1, from: "packages", base, target, report: "", counts: { cves: none, fixes: none, units: none }, cves, fixes: [] };
}

const cves = FIX_STATES.map(
  (state, i): CveAccount => ({
    id: `CVE-2026-${1000 + i}`,
    title: `<title> "${state}"`,
    named: "changelog",
    record: true,
    state,
    tied: "files",
    partly: state === "left out",
    why: "why",
    ...(state === "left out" ? { code: "BUILD_LAYOUT", mend: "Boot it." } : {}),
    units: [],
    owners: [],
    files: [],
  }),
);
const options = { author: "somebody", at: new Date(1_700_000_000_000), livepatch: { name: "livepatch-a b.ko", sha256: "0".repeat(64) } };

test("each state is a statement of the status that it is, and the document is of OpenVEX's form", () => {
  const made = openVex(account(cves), options);
  const { statements } = v.parse(openVexSchema, JSON.parse(JSON.stringify(made)));
  expect(statements.map(({ vulnerability, status }) => [vulnerability.name, status])).toEqual(
    ["fixed", "not_affected", "not_affected", "affected", "fixed", "under_investigation"].map((status, i) => [
      `CVE-2026-${1000 + i}`,
      status,
    ]),
  );
  expect(statements[0]?.products[0]?.["@id"]).toBe("pkg:deb/debian/linux-image-6.1.0-10-amd64@6.1.10-1~x");
  expect(statements[0]?.status_notes).toContain("while livepatch-a b.ko is in effect");
  expect(statements[3]).toMatchObject({
    action_statement: "Boot 6.1.0-12-amd64. Without that: Boot it.",
    status_notes: "Partly carried. BUILD_LAYOUT: why",
  });
  expect(made).toEqual(openVex(account(cves), options));
});

test("a kernel of no package, and no livepatch, too", () => {
  expect(
    v.is(openVexSchema, JSON.parse(JSON.stringify(openVex(account(cves, { buildId: "00ff" }), { ...options, livepatch: undefined })))),
  ).toBe(true);
});

test("a document without statements is none", () => {
  expect(() => openVex(account([]), options)).toThrow(expect.objectContaining({ code: "ACCOUNT_NO_CVES" }));
});
