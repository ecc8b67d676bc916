/** Documents for other programs, held against what those programs ask of them. */
import * as mandatoryTests from "@secvisogram/csaf-validator-lib/mandatoryTests.js";
import * as schemaTests from "@secvisogram/csaf-validator-lib/schemaTests.js";
import validate, { type DocumentTest } from "@secvisogram/csaf-validator-lib/validateStrict.js";
import { openVexSchema } from "@suture/testkit/openvex";
import fc from "fast-check";
import * as v from "valibot";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accountFor, manifestFor } from "../../test/catch-up.ts";
import { STATE, send, TestMachine, tokenOf } from "../../test/machine.ts";
import { Signed } from "../../test/repository.ts";
import { dataFolder, Served } from "../../test/served.ts";
import { csvLine } from "./csv.ts";

let served: Served;
const bare = new TestMachine("bare");
const patched = new TestMachine("-patched");

beforeAll(async () => {
  const signed = new Signed(dataFolder());
  await signed.begin();
  served = await Served.open(dataFolder(), signed);
  expect((await served.ask("viewer", "GET", "/v1/exports/openvex.json")).status).toBe(404);
  const account = accountFor();
  const sha256 = await signed.add("catch_up", manifestFor(account), { account });
  await served.fleet.learner?.learn();
  const token = await tokenOf(served);
  for (const machine of [bare, patched]) await machine.enrol(served, token);
  patched.state = { ...STATE, livepatches: [{ name: "catch_up", sha256, inEffect: true, kept: true }] };
  await send(served, bare.report(), patched.report());
});
afterAll(() => served.fleet.close());

test("OpenVEX: a product for each kernel with its livepatches, and each status with what it has to come with", async () => {
  const { body } = await served.ask("viewer", "GET", "/v1/exports/openvex.json?author=Example");
  const { statements, author } = v.parse(openVexSchema, body);
  expect(author).toBe("Example");
  const of = (id: string) => statements.filter(({ vulnerability }) => vulnerability.name === id);
  expect(
    of("CVE-2026-1001").map(({ status, products }) => [status, products.map(({ subcomponents = [] }) => subcomponents.length)]),
  ).toEqual(
    expect.arrayContaining([
      ["fixed", [1]],
      ["affected", [0]],
    ]),
  );
  expect(of("CVE-2026-1002")).toMatchObject([
    { status: "affected", action_statement: "Boot 6.1.0-58-amd64. Without that: Write it by hand." },
  ]);
  expect(of("CVE-2026-1003")).toMatchObject([{ status: "not_affected", justification: "vulnerable_code_not_present" }]);
  expect(of("CVE-2026-1005")).toMatchObject([{ status: "under_investigation" }]);
  const purl = "pkg:deb/debian/linux-image-6.1.0-1-amd64@6.1.190-1";
  const ids = (status: string) =>
    of("CVE-2026-1001").flatMap((one) => (one.status === status ? one.products.map((product) => product["@id"]) : []));
  // Who asks by the package is told nothing of kernels with livepatches.
  expect([ids("affected"), ids("fixed")]).toEqual([[purl], [expect.stringMatching(/^pkg:.*\?build_id=(5a)+&livepatch=[0-9a-f]{64}$/)]]);
});

test("CSAF: it passes the schema of 2.0 and all mandatory tests of the profile", async () => {
  const { body } = await served.ask("viewer", "GET", "/v1/exports/csaf-vex.json?author=Example&namespace=https://example.org");
  const tests = [
    schemaTests.csaf_2_0_strict,
    ...(Object.values(mandatoryTests) as DocumentTest[]).filter((each) => typeof each === "function"),
  ];
  expect(tests.length).toBeGreaterThan(30);
  const wrong = (await validate(tests, body)).tests.flatMap(({ name, errors }) =>
    errors.map((error) => `${name}: ${error.instancePath}: ${error.message}`),
  );
  expect(wrong).toEqual([]);
  // The tests find what is wrong.
  const broken = structuredClone(body) as { vulnerabilities: { remediations?: object }[] };
  for (const vulnerability of broken.vulnerabilities) delete vulnerability.remediations;
  expect((await validate(tests, broken)).isValid).toBe(false);
  expect(body.vulnerabilities).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ cve: "CVE-2026-1003", flags: [expect.objectContaining({ label: "vulnerable_code_not_present" })] }),
    ]),
  );
  expect((await served.ask("viewer", "GET", "/v1/exports/csaf-vex.json?namespace=no%20uri")).status).toBe(400);
});

test("CSV: all machines with their level, those of a filter, and CVEs", async () => {
  const { body, headers } = await served.raw("viewer", "/v1/exports/hosts.csv");
  expect(headers["content-type"]).toBe("text/csv; charset=utf-8; header=present");
  expect(headers["content-disposition"]).toContain("attachment");
  const rows = body.split("\r\n");
  expect(rows).toHaveLength(4);
  expect(rows.find((row) => row.startsWith("bare,"))).toContain(",approved,well,6.1.0-1-amd64,");
  // A name that begins with a sign is a text.
  expect(rows.find((row) => row.startsWith("'-patched,"))).toContain(",6.1.190-1,6.1.192-2,1,1,left out,");
  expect((await served.raw("viewer", "/v1/exports/hosts.csv?cve=CVE-2026-1001")).body.split("\r\n")).toHaveLength(3);
  const cves = (await served.raw("viewer", "/v1/exports/cves.csv")).body;
  expect(cves).toContain("CVE-2026-1005,'=cmd|x: no record,0,2,0\r\n");
});

test("whatever a cell is, it is read again as one cell, and is no formula, wherever a program ends cells", () => {
  const letters = fc.constantFrom(..."=+-@;,\"'\t\r\n x\uff1d\uff20");
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: letters })), { minLength: 1 }), (cells) => {
      const text = csvLine(cells);
      const read = cellsOf(text);
      expect(read).toHaveLength(cells.length);
      const bare = (cell: string): string => cell.replaceAll(/[\0']/g, "");
      expect(read.map(bare)).toEqual(cells.map(bare));
      for (const cell of read) for (const part of cell.split(/[;\t\r\n]/)) expect(part).not.toMatch(/^[=+\-@\uff1d\uff0b\uff0d\uff20]/);
    }),
  );
});

/** As RFC 4180 has it. */
function cellsOf(line: string): string[] {
  const found = [""];
  let inside = false;
  for (const character of line.slice(0, -2)) {
    const last = found.length - 1;
    if (character === '"') inside = !inside;
    if (character === "," && !inside) found.push("");
    else found[last] += character;
  }
  return found.map((cell) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell));
}
