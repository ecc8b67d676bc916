import { SutureError } from "@suture/errors";
import { errorDocument } from "@suture/protocol";
import { documentIn } from "@suture/testkit/document";
import { expect, test } from "vitest";
import { runCli } from "./cli.ts";
import { exitCode, failureText, sutureError } from "./failure.ts";

async function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  const code = await runCli(args, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    signal: new AbortController().signal,
    env: {},
  });
  return { code, stdout, stderr };
}

test("help goes to stdout", async () => {
  const { code, stdout, stderr } = await cli("--help");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("Usage: suture");
  expect(stdout).toContain("inspect");
});

test.each([[[]], [["bogus"]], [["inspect"]], [["inspect", "a", "b"]], [["inspect", "--bogus", "a"]], [["--bogus"]]])(
  "%j is wrong usage",
  async (args) => {
    const { code, stdout, stderr } = await cli(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error CLI_USAGE: .+\n {2}do: .+\n$/);
  },
);

test.each([
  [["a.ko", "b.ko"], "a .ko file is tried by itself"],
  [["fix.patch", "a.ko"], "a .ko file is tried by itself"],
  [["a.ko", "--keep", " "], "--keep has an empty command"],
  [["a.ko", "--check-after", "fail"], "there is none"],
])("try %j is wrong usage", async (args, why) => {
  const { code, stderr } = await cli("try", ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(why);
});

test("help of a command that is none names it", async () => {
  const { code, stdout, stderr } = await cli("help", "bogus");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("unknown command 'bogus'");
});

test("--json behind -- is not asked for", async () => {
  const { code, stdout, stderr } = await cli("build", "--bogus", "--", "--json");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("CLI_USAGE");
});

test("wrong usage is one document with --json", async () => {
  const { code, stdout, stderr } = await cli("bogus", "--json");
  expect({ code, stderr }).toEqual({ code: 2, stderr: "" });
  expect(documentIn(stdout)).toMatchObject({ error: { code: "CLI_USAGE", why: "unknown command 'bogus'" } });
});

test("a refusal says the code, the place and what to do", async () => {
  const { code, stdout, stderr } = await cli("inspect", "/nowhere/x.ko");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^error CLI_FILE: ENOENT.*\n {2}at: \/nowhere\/x\.ko\n {2}do: .+\n$/);
});

test("a refusal is one document with --json, wherever the option stands", async () => {
  for (const args of [
    ["--json", "inspect", "/nowhere/x.ko"],
    ["inspect", "/nowhere/x.ko", "--json"],
  ]) {
    const { code, stdout, stderr } = await cli(...args);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(documentIn(stdout)).toMatchObject({ error: { code: "CLI_FILE", where: { file: "/nowhere/x.ko" } } });
  }
});

test("errors decide the exit code", () => {
  const error = (code: string): SutureError => new SutureError(code, "why", {}, "mend");
  expect(["CANCELLED", "CLI_USAGE", "BUILD_NOTHING_CHANGED", "ELF_TRUNCATED"].map((code) => exitCode(error(code)))).toEqual([130, 2, 3, 1]);
});

test("what else is refused is told below the first refusal, and is part of its document", () => {
  const [first, other] = [
    new SutureError("DIFF_A", "no", { file: "a.o" }, "mend"),
    new SutureError("DIFF_B", "neither", { file: "b.o" }, "b"),
  ];
  const all = first.with([other]);
  expect(failureText(all, { verbose: false, colour: false })).toBe(
    "error DIFF_A: no\n  at: a.o\n  do: mend\nrefused besides:\n  DIFF_B: neither\n    at: b.o",
  );
  expect(documentIn(JSON.stringify(errorDocument.of({ error: all.toJSON() })))).toMatchObject({ error: { others: [{ code: "DIFF_B" }] } });
});

test("what nobody expected is a fault of ours and shows where it happened", () => {
  const error = sutureError(new TypeError("x is not a function"));
  expect(error.code).toBe("CLI_INTERNAL");
  expect(failureText(error, { verbose: false, colour: false })).toContain("cli.test.ts");
});
