import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareVersions } from "./debian-versions.ts";

/** What dpkg says of many pairs, asked in one shell. */
function asDpkg(pairs: readonly (readonly [string, string])[]): number[] {
  const lines = pairs.map(([a, b]) =>
    [
      `if dpkg --compare-versions '${a}' lt '${b}'; then echo -1`,
      `elif dpkg --compare-versions '${a}' eq '${b}'; then echo 0`,
      "else echo 1; fi",
    ].join("; "),
  );
  const { stdout } = spawnSync("sh", ["-s"], { input: lines.join("\n"), encoding: "utf8" });
  return stdout.trim().split("\n").map(Number);
}

const part = fc.oneof(
  ...["1", "0", "00", "12", "9", "10", "~", "~~", "+", ".", "a", "rc", "deb12u1", "bpo", "-", "Z"].map((text) => fc.constant(text)),
);
const version = fc
  .tuple(fc.constantFrom("", "0:", "1:"), fc.constantFrom("6", "5", "10", "0"), fc.array(part, { maxLength: 6 }))
  .map(([epoch, first, rest]) => epoch + first + rest.join(""))
  .filter((text) => !text.endsWith("-"));

test("versions are in dpkg's order", () => {
  const known: [string, string][] = [
    ["6.12.117-1~deb12u1", "6.12.117-1"],
    ["6.1.99-1", "6.1.190-1"],
    ["6.12.9-1~bpo12+1", "6.12.9-1"],
    ["1:1.0-1", "2.0-1"],
    ["5.10", "5.10-0"],
    ["6.1.192-1", "6.1.192-2"],
  ];
  const pairs = [...known, ...fc.sample(fc.tuple(version, version), { seed: 12, numRuns: 150 })];
  const signs = pairs.map(([a, b]) => Math.sign(compareVersions(a, b)));
  expect(pairs.map((pair, i) => [...pair, signs[i]])).toEqual(asDpkg(pairs).map((sign, i) => [...(pairs[i] ?? []), sign]));
});
