/** The process itself, with streams that take nothing. */
import { spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const full = openSync("/dev/full", "w");
const SUTURE = join(import.meta.dirname, "../../../suture");

function run(args: readonly string[], streams: { stdout?: number; stderr?: number }) {
  return spawnSync(SUTURE, args, {
    stdio: ["ignore", streams.stdout ?? "pipe", streams.stderr ?? "pipe"],
    encoding: "utf8",
    timeout: 50_000,
  });
}

test.each([[["list"]], [["status", "--watch", "--json"]]])(
  "%j on a full disk: the words are lost, which stderr and the exit code say",
  (args) => {
    const { status, stderr } = run(args, { stdout: full });
    expect([status, stderr]).toEqual([4, expect.stringMatching(/^what was to be printed is lost: ENOSPC[^\n]*\n$/)]);
  },
);

test("a refusal stays one", () => {
  expect(run(["inspect", "/nowhere/x.ko", "--json"], { stdout: full }).status).toBe(1);
});

test("messages that are lost do not end the work", () => {
  const { status, stdout } = run(["list", "--json", "--verbose"], { stderr: full });
  expect([status, JSON.parse(stdout)]).toEqual([0, expect.anything()]);
});
